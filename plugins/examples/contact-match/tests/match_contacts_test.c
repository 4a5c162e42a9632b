#include <stdlib.h>
#include <string.h>

#include "mock/behalf_mock.h"

#define CONTACT(id, name, email) "{\"id\": \"" id "\", \"name\": \"" name "\", \"email\": " email "}"

BEHALF_TEST(the_most_alike_is_first) {
    behalf_mock_rows("from public.contacts", "[" CONTACT("1", "Anne Miller", "null") ", "
                     CONTACT("2", "Dr. M\u00fcller, Anna", "\"anna@example.com\"") ", "
                     CONTACT("3", "Bob Smith", "null") ", " CONTACT("4", "", "null") "]");
    BEHALF_CHECK_TEXT(behalf_mock_call("match_contacts", "{\"name\": \"Anna Mueller\"}").result,
        "{\"matches\":["
        "{\"id\":\"2\",\"name\":\"Dr. M\u00fcller, Anna\",\"email\":\"anna@example.com\",\"score\":1.0,\"reason\":\"same_name\"},"
        "{\"id\":\"1\",\"name\":\"Anne Miller\",\"email\":null,\"score\":0.83,\"reason\":\"similar_name\"}],"
        "\"contacts_compared\":4,\"truncated\":false}");
    BEHALF_CHECK_TEXT(behalf_mock_statement(0), "begin-scope");
    BEHALF_CHECK_TEXT(behalf_mock_parameters(1), "[null,500]");
    BEHALF_CHECK_TEXT(behalf_mock_statement(2), "end-scope");
}

BEHALF_TEST(the_same_address_is_the_same_person) {
    behalf_mock_rows("from public.contacts", "[" CONTACT("1", "Anna Miller", "null") ", "
                     CONTACT("2", "Webmaster", "\"Anna@Example.com\"") "]");
    behalf_outcome outcome =
        behalf_mock_call("match_contacts", "{\"name\": \"Anna Miller\", \"email\": \" anna@example.com\"}");
    yyjson_val *first = yyjson_arr_get(behalf_get(outcome.value, "matches"), 0);
    BEHALF_CHECK_TEXT(behalf_get_text(first, "id", ""), "2");
    BEHALF_CHECK_TEXT(behalf_get_text(first, "reason", ""), "same_email");
}

BEHALF_TEST(no_contacts_are_no_matches) {
    behalf_mock_rows("from public.contacts", "[]");
    BEHALF_CHECK_TEXT(behalf_mock_call("match_contacts", "{\"name\": \"Anna\"}").result,
                      "{\"matches\":[],\"contacts_compared\":0,\"truncated\":false}");
}

BEHALF_TEST(a_name_without_letters_is_refused) {
    BEHALF_CHECK_TEXT(behalf_mock_call("match_contacts", "{\"name\": \" ?! \"}").code, "invalid_arguments");
    BEHALF_CHECK(behalf_mock_statement(0) == NULL);
}

BEHALF_TEST(the_limit_leaves_the_most_alike) {
    behalf_mock_rows("from public.contacts", "[" CONTACT("1", "Anne Miller", "null") ", "
                     CONTACT("2", "Anna Miller", "null") "]");
    behalf_outcome outcome = behalf_mock_call("match_contacts", "{\"name\": \"Anna Miller\", \"limit\": 1}");
    yyjson_val *all = behalf_get(outcome.value, "matches");
    BEHALF_CHECK(yyjson_arr_size(all) == 1);
    BEHALF_CHECK_TEXT(behalf_get_text(yyjson_arr_get(all, 0), "id", ""), "2");
    BEHALF_CHECK(behalf_get_bool(outcome.value, "truncated", false));
}

/* So many contacts of one name. */
static const char *many(size_t count, const char *name) {
    yyjson_mut_val *rows = behalf_array();
    for (size_t i = 0; i < count; i++) {
        yyjson_mut_val *row = behalf_object();
        behalf_put_text(row, "id", behalf_format("%06zu", i));
        behalf_put_text(row, "name", name);
        behalf_put_text(row, "email", NULL);
        behalf_add(rows, row);
    }
    char *written = yyjson_mut_val_write(rows, 0, NULL);
    const char *text = behalf_copy(written, strlen(written));
    free(written);
    return text;
}

BEHALF_TEST(contacts_are_read_page_by_page) {
    behalf_mock_rows("from public.contacts", many(500, "Anna Miller"));
    behalf_mock_rows("from public.contacts", many(1, "Anna Miller"));
    behalf_outcome outcome = behalf_mock_call("match_contacts", "{\"name\": \"Anna Miller\"}");
    BEHALF_CHECK(behalf_get_int(outcome.value, "contacts_compared", 0) == 501);
    BEHALF_CHECK_TEXT(behalf_mock_parameters(2), "[\"000499\",500]");
}

BEHALF_TEST(a_page_that_the_host_cut_is_not_the_last) {
    behalf_mock_truncated_rows("from public.contacts", many(1, "Anna Miller"));
    behalf_mock_rows("from public.contacts", "[]");
    behalf_outcome outcome = behalf_mock_call("match_contacts", "{\"name\": \"Anna Miller\"}");
    BEHALF_CHECK(behalf_get_int(outcome.value, "contacts_compared", 0) == 1);
    BEHALF_CHECK(!behalf_get_bool(outcome.value, "truncated", true));
}

BEHALF_TEST(more_contacts_than_can_be_read_are_said) {
    const char *page = many(500, "Bob Smith");
    for (int i = 0; i < 20; i++) behalf_mock_rows("from public.contacts", page);
    behalf_outcome outcome = behalf_mock_call("match_contacts", "{\"name\": \"Anna Miller\"}");
    BEHALF_CHECK(behalf_get_int(outcome.value, "contacts_compared", 0) == 10000);
    BEHALF_CHECK(behalf_get_bool(outcome.value, "truncated", false));
    BEHALF_CHECK(behalf_mock_logged("more than 10000 contacts"));
}

BEHALF_TEST(a_refusal_is_passed_on) {
    behalf_mock_error("from public.contacts", "not_granted", "This plugin may not read public.contacts.");
    BEHALF_CHECK_TEXT(behalf_mock_call("match_contacts", "{\"name\": \"Anna\"}").code, "denied");
}
