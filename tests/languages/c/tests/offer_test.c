/* Which definitions the test of definitions refuses: this includes what is to be looked into. */
#include "mock/behalf_mock.h"
#include "src/internal.h"
#include "mock/offer.c"

#define OFFER(more) "{\"inputSchema\":{\"properties\":{\"id\":{},\"_2\":{}}},\"annotations\":{\"readOnlyHint\":true}" more "}"

static const char *fault(const char *json) {
    const char *found = offer_fault(behalf_parse(json));
    return found ? found : "";
}

BEHALF_TEST(a_tool_is_a_resource_or_a_prompt_or_neither) {
    const char *sound[] = {OFFER(""), OFFER(",\"prompt\":false"), OFFER(",\"prompt\":true"),
        OFFER(",\"resource\":{\"uri\":\"notes:all\"}"),
        OFFER(",\"resource\":{\"uri\":\"git+ssh://a/{id}/{_2}\",\"mimeType\":\"text/markdown\"}")};
    for (size_t i = 0; i < sizeof sound / sizeof *sound; i++) BEHALF_CHECK_TEXT(fault(sound[i]), "");
}

BEHALF_TEST(what_a_host_refuses_of_a_resource_or_a_prompt_is_found) {
    const char *wrong[][2] = {
        {OFFER(",\"prompt\":1"), "neither true nor false"},
        {OFFER(",\"prompt\":true,\"resource\":{\"uri\":\"a:\"}"), "one of them"},
        {"{\"prompt\":true}", "readOnlyHint"},
        {"{\"resource\":{\"uri\":\"a:\"}}", "readOnlyHint"},
        {OFFER(",\"resource\":{}"), "without a uri"},
        {OFFER(",\"resource\":{\"uri\":\"notes\"}"), "no scheme"},
        {OFFER(",\"resource\":{\"uri\":\"1a:b\"}"), "no scheme"},
        {OFFER(",\"resource\":{\"uri\":\"{id}:b\"}"), "no scheme"},
        {OFFER(",\"resource\":{\"uri\":\"a:{id\"}"), "brace"},
        {OFFER(",\"resource\":{\"uri\":\"a:id}\"}"), "brace"},
        {OFFER(",\"resource\":{\"uri\":\"a:{id}}\"}"), "brace"},
        {OFFER(",\"resource\":{\"uri\":\"a:{{id}}\"}"), "brace"},
        {OFFER(",\"resource\":{\"uri\":\"a:{}\"}"), "variable"},
        {OFFER(",\"resource\":{\"uri\":\"a:{2}\"}"), "variable"},
        {OFFER(",\"resource\":{\"uri\":\"a:{Id}\"}"), "variable"},
        {OFFER(",\"resource\":{\"uri\":\"a:{other}\"}"), "no parameter"},
        {OFFER(",\"resource\":{\"uri\":\"a:b\",\"mimeType\":\"markdown\"}"), "not a media type"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        if (!strstr(fault(wrong[i][0]), wrong[i][1])) behalf_test_fail(__FILE__, __LINE__, "%s: %s", wrong[i][0], fault(wrong[i][0]));
    }
}
