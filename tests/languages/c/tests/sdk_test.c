/* The SDK itself, by way of the plugin beside this. */
#include <string.h>

#include "mock/behalf_mock.h"

BEHALF_TEST(what_is_no_utf8_is_put_right_wherever_it_goes) {
    /* A, a byte that is never UTF-8, a quote, a surrogate, an emoji, and a character that is cut off. */
    const char *bytes = "[65,255,34,237,160,128,240,159,152,128,226,130]";
    const char *right = "A\uFFFD\"\uFFFD\uFFFD\uFFFD\U0001F600\uFFFD\uFFFD";
    behalf_outcome outcome = behalf_mock_call("odd", behalf_format("{\"bytes\":%s}", bytes));
    BEHALF_CHECK_TEXT(behalf_get_text(outcome.value, "text", NULL), right);
    BEHALF_CHECK(behalf_mock_logged(right));
    outcome = behalf_mock_call("odd", behalf_format("{\"bytes\":%s,\"fail\":true}", bytes));
    BEHALF_CHECK_TEXT(outcome.message, behalf_format("odd %s", right));
}

BEHALF_TEST(every_character_that_json_writes_otherwise_comes_back) {
    for (int byte = 1; byte < 128; byte++) {
        behalf_outcome outcome = behalf_mock_call("odd", behalf_format("{\"bytes\":[%d]}", byte));
        BEHALF_CHECK_TEXT(behalf_get_text(outcome.value, "text", NULL), behalf_format("%c", byte));
    }
}

BEHALF_TEST(the_arena_grows) {
    behalf_outcome outcome = behalf_mock_call("large", "{\"count\": 30000}");
    yyjson_val *lines = behalf_get(outcome.value, "lines");
    BEHALF_CHECK(yyjson_arr_size(lines) == 30000);
    BEHALF_CHECK_TEXT(yyjson_get_str(yyjson_arr_get_last(lines)), "29999: a line that is not short");
}

BEHALF_TEST(values_become_json_by_their_types) {
    behalf_mock_rows("select", BEHALF_JSON([
        {"i": -9223372036854775807, "f": 0.5, "b": true, "n": null, "t::numeric": "2.50", "j": {"k": [1, null]}, "a": [1, 2],
         "wrong::jsonb": "not json", "plain::text": "[1]"}
    ]));
    BEHALF_CHECK_TEXT(behalf_mock_call("values", "{\"sql\": \"select 1\"}").result,
        "[{\"i\":-9223372036854775807,\"f\":0.5,\"b\":true,\"n\":null,\"t\":\"2.50\",\"j\":{\"k\":[1,null]},\"a\":[1,2],"
        "\"wrong\":\"not json\",\"plain\":\"[1]\"}]");
}

BEHALF_TEST(bytes_vectors_and_strange_numbers_are_text_and_arrays) {
    float numbers[] = {0.5f, 1.0f};
    behalf_value values[] = {behalf_bytes("\0\xff", 2), behalf_vector(numbers, 2), behalf_real(1e308 * 10), behalf_text(NULL)};
    behalf_tool_database_column_t columns[4] = {0};
    const char *names[] = {"a", "b", "c", "d"};
    for (int i = 0; i < 4; i++) columns[i].name = (tool_plugin_string_t){(uint8_t *)names[i], 1};
    behalf_tool_database_list_value_t row = {values, 4};
    behalf_rows rows = {.columns = {columns, 4}, .rows = {&row, 1}};
    BEHALF_CHECK_TEXT(yyjson_mut_get_str(behalf_row_json(&rows, 0, "a")), "\\x00ff");
    BEHALF_CHECK(yyjson_mut_arr_size(behalf_row_json(&rows, 0, "b")) == 2);
    BEHALF_CHECK_TEXT(yyjson_mut_get_str(behalf_row_json(&rows, 0, "c")), "Infinity");
    BEHALF_CHECK(yyjson_mut_is_null(behalf_row_json(&rows, 0, "d")));
    BEHALF_CHECK(behalf_row_is_null(&rows, 0, "d"));
    BEHALF_CHECK(behalf_row_int(&rows, 0, "d", 7) == 7);
    BEHALF_CHECK(behalf_row_text(&rows, 0, "d") == NULL);
}

BEHALF_TEST(parameters_are_as_many_as_are_given) {
    behalf_mock_rows("none", "[]");
    behalf_mock_changed("three", 3);
    BEHALF_CHECK(behalf_row_count(behalf_query("none")) == 0);
    BEHALF_CHECK(behalf_execute("three", behalf_text("a"), behalf_null(), behalf_int(-1)) == 3);
    BEHALF_CHECK_TEXT(behalf_mock_parameters(0), "[]");
    BEHALF_CHECK_TEXT(behalf_mock_parameters(1), "[\"a\",null,-1]");
}

BEHALF_TEST(a_scope_is_kept_or_undone) {
    behalf_mock_error("insert", "constraint", "there is one already");
    behalf_mock_changed("delete", 1);
    behalf_mock_changed("delete", 2);
    BEHALF_CHECK(behalf_begin_scope());
    BEHALF_CHECK(behalf_execute("delete from a") == 1);
    BEHALF_CHECK(behalf_begin_scope());
    BEHALF_CHECK(behalf_execute("insert into a default values") == -1);
    BEHALF_CHECK_TEXT(behalf_last_error()->code, "constraint");
    BEHALF_CHECK(behalf_execute("delete from b") == -1);
    BEHALF_CHECK_TEXT(behalf_last_error()->code, "aborted");
    BEHALF_CHECK(!behalf_end_scope(true));
    BEHALF_CHECK_TEXT(behalf_last_error()->code, "aborted");
    BEHALF_CHECK(!behalf_commit());
    BEHALF_CHECK_TEXT(behalf_last_error()->code, "invalid");
    BEHALF_CHECK(behalf_end_scope(true));
    BEHALF_CHECK(behalf_execute("delete from c") == 2);
    BEHALF_CHECK(!behalf_end_scope(false));
    BEHALF_CHECK_TEXT(behalf_last_error()->code, "invalid");
}

BEHALF_TEST(errors_of_the_database_are_the_tools) {
    static const char *const codes[][2] = {
        {"refused", "denied"}, {"forbidden", "denied"}, {"not_granted", "denied"}, {"invalid", "invalid_arguments"},
        {"constraint", "failed"}, {"something_new", "failed"},
    };
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        behalf_mock_error("select", codes[i][0], "why");
        behalf_outcome outcome = behalf_mock_call("values", "{\"sql\": \"select 1\"}");
        BEHALF_CHECK_TEXT(outcome.code, codes[i][1]);
        BEHALF_CHECK_TEXT(outcome.message, "why");
    }
}

BEHALF_TEST(an_error_does_not_outlive_its_call) {
    behalf_mock_error("select", "invalid", "why");
    behalf_mock_call("values", "{\"sql\": \"select 1\"}");
    BEHALF_CHECK(behalf_mock_call("large", "{\"count\": 0}").result);
    BEHALF_CHECK(behalf_last_error() == NULL);
}

BEHALF_TEST(what_cannot_be_called_is_said) {
    BEHALF_CHECK_TEXT(behalf_mock_call("nothing", "{}").message, "This plugin has no tool \"nothing\".");
    BEHALF_CHECK_TEXT(behalf_mock_call("large", "{").code, "invalid_arguments");
}

BEHALF_TEST(arguments_of_another_type_are_as_if_missing) {
    yyjson_val *object = behalf_parse("{\"whole\": 3.0, \"half\": 2.5, \"large\": 18446744073709551615, \"text\": \"x\", \"no\": null}");
    BEHALF_CHECK(behalf_get_int(object, "whole", 0) == 3);
    BEHALF_CHECK(behalf_get_int(object, "half", 7) == 7);
    BEHALF_CHECK(behalf_get_int(object, "large", 7) == 7);
    BEHALF_CHECK(behalf_get_int(object, "text", 7) == 7);
    BEHALF_CHECK(behalf_get_real(object, "half", 0) == 2.5);
    BEHALF_CHECK_TEXT(behalf_get_text(object, "no", "otherwise"), "otherwise");
    BEHALF_CHECK(behalf_get_bool(object, "missing", true));
}

BEHALF_TEST(the_caller_is_who_the_host_says) {
    behalf_mock_caller(NULL, "anon", "{\"role\": \"anon\"}");
    behalf_caller caller = behalf_get_caller();
    BEHALF_CHECK(caller.subject == NULL);
    BEHALF_CHECK_TEXT(caller.role, "anon");
    BEHALF_CHECK_TEXT(behalf_get_text(caller.claims, "role", NULL), "anon");
}

BEHALF_TEST(objects_are_listed_by_pages_and_read_as_they_were_written) {
    behalf_mock_object("files", "a/2", "text/plain", "two");
    behalf_mock_object("files", "a/1", "text/plain", "one");
    behalf_mock_object("other", "a/3", "text/plain", "three");
    behalf_object_page *page = behalf_list_objects("files", "a/", 1, NULL);
    BEHALF_CHECK_TEXT(behalf_object_name(page, 0), "a/1");
    BEHALF_CHECK(behalf_object_name(page, 1) == NULL);
    page = behalf_list_objects("files", "a/", 1, behalf_next_page(page));
    BEHALF_CHECK_TEXT(behalf_object_name(page, 0), "a/2");
    BEHALF_CHECK(behalf_next_page(page) == NULL);
    BEHALF_CHECK(behalf_write_text("files", "a/1", "new"));
    BEHALF_CHECK_TEXT(behalf_mock_stored("files", "a/1"), "new");
    BEHALF_CHECK_TEXT(behalf_read_object("files", "a/1", 3)->text, "new");
    BEHALF_CHECK(behalf_read_object("files", "a/1", 2) == NULL);
    BEHALF_CHECK_TEXT(behalf_last_error()->code, "too_large");
    BEHALF_CHECK(!behalf_write_object("files", "a/1", "x", 1, "text/plain", false));
    BEHALF_CHECK_TEXT(behalf_last_error()->code, "exists");
    BEHALF_CHECK_TEXT(behalf_signed_url("files", "a/1", 60), "https://files.test/files/a/1?seconds=60");
    BEHALF_CHECK(behalf_remove_object("files", "a/1"));
    BEHALF_CHECK(behalf_read_object("files", "a/1", 3) == NULL);
    BEHALF_CHECK_TEXT(behalf_last_error()->code, "not_found");
    behalf_mock_storage_error("denied", "The file is not yours.");
    BEHALF_CHECK(!behalf_remove_object("files", "a/2"));
    BEHALF_CHECK_TEXT(behalf_last_error()->message, "The file is not yours.");
}

#define ALICE "a11ce000-0000-4000-8000-000000000001"

BEHALF_TEST(a_search_finds_the_documents_of_its_caller_alone) {
    behalf_mock_document(ALICE, "Handbook", "tea.md", "Tea is free.");
    behalf_mock_document(ALICE, "Handbook", "leave.md", "Leave is 30 days.");
    behalf_mock_document("bob", "Plans", "b.md", "Bob's leave.");
    behalf_passages *found = behalf_search("how many days of leave", NULL);
    BEHALF_CHECK(found && found->len == 2);
    BEHALF_CHECK_TEXT(behalf_passage_text(found, 0), "Leave is 30 days.");
    BEHALF_CHECK_TEXT(behalf_get_text(behalf_passage_meta(found, 0), "source_name", ""), "leave.md");
    BEHALF_CHECK(!behalf_passage_text(found, 2));
    BEHALF_CHECK(behalf_search("leave", "{\"top_k\": 1}")->len == 1);
    BEHALF_CHECK(!behalf_search("leave", "{\"knowledge_bases\": [\"Plans\"]}"));
    BEHALF_CHECK_TEXT(behalf_last_error()->code, "not_granted");
    behalf_mock_caller("bob", "authenticated", "{}");
    BEHALF_CHECK_TEXT(behalf_passage_text(behalf_search("leave", NULL), 0), "Bob's leave.");
    behalf_mock_search_error("unavailable", "Not now.");
    BEHALF_CHECK(!behalf_search("leave", NULL));
    BEHALF_CHECK_TEXT(behalf_last_error()->message, "Not now.");
}

BEHALF_TEST(each_user_has_a_store_unless_callers_share_one) {
    yyjson_val *value;
    bool written, was_there;
    behalf_mock_kv("a/1", "{\"n\":1}");
    BEHALF_CHECK(behalf_kv_get("a/1", &value) && behalf_get_int(value, "n", 0) == 1);
    BEHALF_CHECK(behalf_kv_get("none", &value) && !value);
    yyjson_mut_val *two = behalf_object();
    behalf_put_text(two, "word", "zwei");
    BEHALF_CHECK(behalf_kv_set("a/2", two) && behalf_kv_set_json("b", "3"));
    BEHALF_CHECK_TEXT(behalf_mock_kv_value("a/2"), "{\"word\":\"zwei\"}");
    behalf_keys *keys = behalf_kv_keys("a/", NULL, 10);
    BEHALF_CHECK(keys->len == 2);
    BEHALF_CHECK_TEXT(behalf_kv_key(keys, 1), "a/2");
    BEHALF_CHECK_TEXT(behalf_kv_key(behalf_kv_keys(NULL, "a/1", 1), 0), "a/2");
    BEHALF_CHECK(behalf_kv_replace_json("b", "2", "4", &written) && !written);
    BEHALF_CHECK(behalf_kv_replace_json("b", "3", "4", &written) && written);
    BEHALF_CHECK(behalf_kv_replace_json("b", NULL, "5", &written) && !written);
    BEHALF_CHECK_TEXT(behalf_mock_kv_value("b"), "4");
    BEHALF_CHECK(behalf_kv_remove("b", &was_there) && was_there);
    BEHALF_CHECK(behalf_kv_remove("b", &was_there) && !was_there);
    behalf_mock_caller("b0b00000-0000-4000-8000-000000000002", "authenticated", "{}");
    BEHALF_CHECK(behalf_kv_get("a/1", &value) && !value);
    behalf_mock_caller(NULL, "anon", "{}");
    BEHALF_CHECK(!behalf_kv_get("a/1", &value));
    BEHALF_CHECK_TEXT(behalf_last_error()->code, "denied");
    behalf_mock_kv_shared();
    BEHALF_CHECK(behalf_kv_set_json("rate", "1.5"));
    behalf_mock_caller("b0b00000-0000-4000-8000-000000000002", "authenticated", "{}");
    BEHALF_CHECK_TEXT(behalf_mock_kv_value("rate"), "1.5");
    BEHALF_CHECK(!behalf_kv_set_json("", "1") && !behalf_kv_set_json("a", "{"));
    behalf_mock_kv_error("limit", "The store is full.");
    BEHALF_CHECK(!behalf_kv_set_json("a", "1"));
    BEHALF_CHECK_TEXT(behalf_last_error()->message, "The store is full.");
}

BEHALF_TEST(what_is_written_goes_with_its_scope) {
    BEHALF_CHECK(behalf_begin_scope());
    BEHALF_CHECK(behalf_kv_set_json("a", "1"));
    BEHALF_CHECK(behalf_end_scope(false));
    BEHALF_CHECK(!behalf_mock_kv_value("a"));
    BEHALF_CHECK(behalf_begin_scope());
    BEHALF_CHECK(behalf_kv_set_json("a", "1"));
    BEHALF_CHECK(behalf_end_scope(true));
    BEHALF_CHECK_TEXT(behalf_mock_kv_value("a"), "1");
}

BEHALF_TEST(what_is_remembered_is_the_users_alone) {
    behalf_mock_memory("Drinks tea.");
    const char *id = behalf_remember("Works at night.", "{\"about\": \"work\"}");
    BEHALF_CHECK(id);
    BEHALF_CHECK_TEXT(behalf_memory_text(behalf_recall("what tea", 1), 0), "Drinks tea.");
    behalf_memories *newest = behalf_recall(NULL, 10);
    BEHALF_CHECK_TEXT(behalf_memory_id(newest, 0), id);
    BEHALF_CHECK_TEXT(behalf_get_text(behalf_memory_meta(newest, 0), "about", ""), "work");
    behalf_mock_caller("bob", "authenticated", "{}");
    BEHALF_CHECK(behalf_recall("tea", 5)->len == 0);
    behalf_mock_caller(ALICE, "authenticated", "{}");
    bool was_there = false;
    BEHALF_CHECK(behalf_forget(id, &was_there) && was_there);
    BEHALF_CHECK(behalf_forget(id, &was_there) && !was_there);
    BEHALF_CHECK_TEXT(behalf_mock_remembered(0), "Drinks tea.");
    BEHALF_CHECK(!behalf_mock_remembered(1));
    behalf_mock_caller(NULL, "anon", "{}");
    BEHALF_CHECK(!behalf_remember("a", NULL));
    BEHALF_CHECK_TEXT(behalf_last_error()->code, "denied");
}

BEHALF_TEST(requests_are_answered_and_kept) {
    behalf_mock_response("https://a.test", 200, "application/json", "{\"rate\": 1.5}");
    behalf_response *answer = behalf_http_get(behalf_format("https://a.test:8443/rates?to=%s#top", behalf_url_escape("é &")));
    BEHALF_CHECK(answer && answer->status == 200 && answer->count == 13);
    BEHALF_CHECK_TEXT(behalf_mock_request(0), "GET https://a.test:8443/rates?to=%C3%A9%20%26");
    BEHALF_CHECK_TEXT(behalf_response_header(answer, "Content-Type"), "application/json");
    BEHALF_CHECK(!behalf_response_header(answer, "x"));
    BEHALF_CHECK(behalf_get_real(behalf_response_json(answer), "rate", 0) == 1.5);

    yyjson_mut_val *body = behalf_object();
    behalf_put_text(body, "a", "é");
    behalf_mock_response("POST https://a.test", 503, "text/plain", "busy");
    answer = behalf_http_post_json("https://a.test?x", body);
    BEHALF_CHECK(answer && answer->status == 503);
    BEHALF_CHECK_TEXT(behalf_mock_request(1), "POST https://a.test/?x");
    BEHALF_CHECK_TEXT(behalf_mock_request_body(1), "{\"a\":\"é\"}");
    BEHALF_CHECK(!behalf_response_json(answer));
    BEHALF_CHECK_TEXT(behalf_last_error()->message, "a.test answered with status 503 and no JSON.");
}

BEHALF_TEST(a_request_without_an_answer_says_why) {
    static const char *const wrong[] = {"a.test", "ftp://a.test", "https://", "https://u:p@a.test/", "https://a b/"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        BEHALF_CHECK(!behalf_http_get(wrong[i]));
        BEHALF_CHECK_TEXT(behalf_last_error()->code, "invalid_request");
    }
    BEHALF_CHECK(!behalf_mock_request(0));
    behalf_mock_http_error("a.test", "HTTP-request-denied");
    BEHALF_CHECK(!behalf_http_get("https://a.test"));
    BEHALF_CHECK_TEXT(behalf_last_error()->code, "denied");
    BEHALF_CHECK(strstr(behalf_last_error()->message, "The request to a.test was denied: [grants.http]"));
    behalf_mock_http_error("a.test", "connection-read-timeout");
    BEHALF_CHECK(!behalf_http_get("https://a.test") && behalf_last_error()->retryable);
    BEHALF_CHECK(!behalf_response_json(behalf_http_get("https://a.test")));
    BEHALF_CHECK_TEXT(behalf_last_error()->message, "a.test did not answer in time.");
    behalf_mock_http_error("a.test", "TLS-certificate-error");
    BEHALF_CHECK(!behalf_http_get("https://a.test"));
    BEHALF_CHECK_TEXT(behalf_last_error()->message, "a.test could not be reached (TLS-certificate-error).");
}
