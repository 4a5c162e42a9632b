#include <stdlib.h>
#include <string.h>

#include "mock/behalf_mock.h"

BEHALF_TEST(names_that_are_alike_are_one_group) {
    behalf_mock_rows("from public.expenses", BEHALF_JSON([
        {"merchant": "Green Grocer", "expenses": 7, "last_used": "2026-11-01"},
        {"merchant": "Railways", "expenses": 4, "last_used": "2026-10-01"},
        {"merchant": "GREEN GROCERS", "expenses": 2, "last_used": "2026-09-01"},
        {"merchant": "Rail-Ways", "expenses": 1, "last_used": "2026-08-01"},
        {"merchant": "green  grocer's", "expenses": 1, "last_used": "2026-07-01"}
    ]));
    behalf_outcome outcome = behalf_mock_call("merchant_duplicates", "{}");
    BEHALF_CHECK_TEXT(outcome.result,
        "{\"groups\":["
        "{\"similarity\":1.0,\"merchants\":[{\"name\":\"Railways\",\"expenses\":4,\"last_used\":\"2026-10-01\"},"
        "{\"name\":\"Rail-Ways\",\"expenses\":1,\"last_used\":\"2026-08-01\"}]},"
        "{\"similarity\":0.92,\"merchants\":[{\"name\":\"Green Grocer\",\"expenses\":7,\"last_used\":\"2026-11-01\"},"
        "{\"name\":\"GREEN GROCERS\",\"expenses\":2,\"last_used\":\"2026-09-01\"},"
        "{\"name\":\"green  grocer's\",\"expenses\":1,\"last_used\":\"2026-07-01\"}]}],"
        "\"merchants_compared\":5,\"truncated\":false}");
    BEHALF_CHECK_TEXT(behalf_mock_parameters(0), "[401]");
}

BEHALF_TEST(nothing_alike_is_no_group) {
    behalf_mock_rows("from public.expenses", BEHALF_JSON([
        {"merchant": "Cinema", "expenses": 1, "last_used": "2026-11-01"},
        {"merchant": "Book Shop", "expenses": 1, "last_used": "2026-11-01"}
    ]));
    BEHALF_CHECK_TEXT(behalf_mock_call("merchant_duplicates", "{}").result,
                      "{\"groups\":[],\"merchants_compared\":2,\"truncated\":false}");
}

BEHALF_TEST(no_expenses_are_no_error) {
    behalf_mock_rows("from public.expenses", "[]");
    BEHALF_CHECK_TEXT(behalf_mock_call("merchant_duplicates", "{}").result,
                      "{\"groups\":[],\"merchants_compared\":0,\"truncated\":false}");
}

/* Merchants with names of 64 letters; each pair of neighbours differs in one. */
static const char *many(size_t count) {
    yyjson_mut_val *rows = behalf_array();
    for (size_t i = 0; i < count; i++) {
        yyjson_mut_val *row = behalf_object();
        behalf_put_text(row, "merchant", behalf_format("%064zu", i));
        behalf_put_int(row, "expenses", 1);
        behalf_put_text(row, "last_used", "2026-11-01");
        behalf_add(rows, row);
    }
    char *written = yyjson_mut_val_write(rows, 0, NULL);
    const char *text = behalf_copy(written, strlen(written));
    free(written);
    return text;
}

BEHALF_TEST(more_merchants_than_can_be_compared_are_cut) {
    const char *rows = many(401);
    behalf_mock_rows("from public.expenses", rows);
    behalf_outcome outcome = behalf_mock_call("merchant_duplicates", "{\"min_similarity\": 0.6}");
    BEHALF_CHECK(behalf_get_int(outcome.value, "merchants_compared", 0) == 400);
    BEHALF_CHECK(behalf_get_bool(outcome.value, "truncated", false));
    BEHALF_CHECK(behalf_mock_logged("too many to compare all"));
}

BEHALF_TEST(the_limit_leaves_the_most_alike) {
    behalf_mock_rows("from public.expenses", BEHALF_JSON([
        {"merchant": "Cinema Paradiso", "expenses": 3, "last_used": "2026-11-01"},
        {"merchant": "Book Shop", "expenses": 2, "last_used": "2026-11-01"},
        {"merchant": "Cinema Paradise", "expenses": 1, "last_used": "2026-11-01"},
        {"merchant": "bookshop", "expenses": 1, "last_used": "2026-11-01"}
    ]));
    behalf_outcome outcome = behalf_mock_call("merchant_duplicates", "{\"limit\": 1}");
    yyjson_val *groups = behalf_get(outcome.value, "groups");
    BEHALF_CHECK(yyjson_arr_size(groups) == 1);
    BEHALF_CHECK(yyjson_get_num(yyjson_obj_get(yyjson_arr_get(groups, 0), "similarity")) == 1);
    BEHALF_CHECK(behalf_get_bool(outcome.value, "truncated", false));
}

BEHALF_TEST(a_refusal_is_passed_on) {
    behalf_mock_error("from public.expenses", "not_granted", "This plugin may not read public.expenses.");
    BEHALF_CHECK_TEXT(behalf_mock_call("merchant_duplicates", "{}").code, "denied");
}
