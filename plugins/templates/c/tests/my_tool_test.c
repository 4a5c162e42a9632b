#include "mock/behalf_mock.h"

#define NOTE(name) "{\"id\": \"1\", \"title\": \"" name "\", \"created_at\": \"2026-04-02T10:00:00+00:00\"}"

BEHALF_TEST(notes_become_the_result) {
    behalf_mock_rows("from public.notes", "[" NOTE("Garden") "]");
    behalf_outcome outcome = behalf_mock_call("my_tool", "{\"search\": \"50%\"}");
    BEHALF_CHECK_TEXT(outcome.result,
        "{\"notes\":[{\"id\":\"1\",\"title\":\"Garden\",\"created_at\":\"2026-04-02T10:00:00+00:00\"}],\"truncated\":false}");
    /* What was searched for is taken literally, and one note more than the limit is asked for. */
    BEHALF_CHECK_TEXT(behalf_mock_parameters(0), "[\"%50\\\\%%\",11]");
    BEHALF_CHECK(behalf_mock_logged("1 notes found"));
    BEHALF_CHECK(behalf_mock_reports() == 2);
}

BEHALF_TEST(what_is_beyond_the_limit_is_left_out) {
    behalf_mock_rows("from public.notes", "[" NOTE("Garden") "," NOTE("Safe") "]");
    behalf_outcome outcome = behalf_mock_call("my_tool", "{\"limit\": 1}");
    BEHALF_CHECK(yyjson_arr_size(behalf_get(outcome.value, "notes")) == 1);
    BEHALF_CHECK(behalf_get_bool(outcome.value, "truncated", false));
}

BEHALF_TEST(the_operator_sets_the_default) {
    behalf_mock_settings("{\"default_limit\": 3}");
    behalf_mock_rows("from public.notes", "[]");
    BEHALF_CHECK_TEXT(behalf_mock_call("my_tool", "{}").result, "{\"notes\":[],\"truncated\":false}");
    BEHALF_CHECK_TEXT(behalf_mock_parameters(0), "[\"%%\",4]");
}

BEHALF_TEST(a_setting_that_makes_no_sense_is_an_error) {
    behalf_mock_settings("{\"default_limit\": 0}");
    behalf_outcome outcome = behalf_mock_call("my_tool", "{}");
    BEHALF_CHECK_TEXT(outcome.code, "failed");
    BEHALF_CHECK_TEXT(outcome.message, "The setting default_limit is 0; it has to be from 1 to 100.");
}

BEHALF_TEST(a_refusal_is_passed_on) {
    behalf_mock_error("from public.notes", "forbidden", "You may not read notes.");
    behalf_outcome outcome = behalf_mock_call("my_tool", "{}");
    BEHALF_CHECK_TEXT(outcome.code, "denied");
    BEHALF_CHECK_TEXT(outcome.message, "You may not read notes.");
}
