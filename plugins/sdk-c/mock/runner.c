/* Runs the tests and says what failed. */
#include <setjmp.h>
#include <stdio.h>

#include "../src/internal.h"
#include "behalf_mock.h"

void behalf_mock_begin(void);

static behalf_test *first_test;
static jmp_buf end_of_test;
static bool sound;

void behalf_test_add(behalf_test *test) {
    behalf_test **end = &first_test;
    while (*end) end = &(*end)->next;
    *end = test;
}

void behalf_test_fail(const char *file, int line, const char *format, ...) {
    va_list values;
    va_start(values, format);
    fprintf(stderr, "    %s:%d: ", file, line);
    vfprintf(stderr, format, values);
    fputc('\n', stderr);
    va_end(values);
    longjmp(end_of_test, 1);
}

void behalf_test_mistake(void) {
    behalf_test_fail(__FILE__, __LINE__, "the plugin made a mistake, which would end the call: see what it logged");
}

void behalf_test_same(const char *file, int line, const char *what, const char *found, const char *expected) {
    if (found == expected || (found && expected && strcmp(found, expected) == 0)) return;
    behalf_test_fail(file, line, "%s is\n        %s\n    and not\n        %s", what, found ? found : "NULL",
                     expected ? expected : "NULL");
}

static bool is_tool_name(const char *name) {
    size_t length = strlen(name);
    if (length > 64 || strspn(name, "abcdefghijklmnopqrstuvwxyz") == 0) return false;
    return strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == length;
}

static void tool_definitions_are_sound(void) {
    BEHALF_CHECK(behalf_tools[0].name);
    tool_plugin_string_t all;
    exports_behalf_tool_tool_definitions(&all);
    yyjson_val *definitions = behalf_parse(behalf_copy((const char *)all.ptr, all.len));
    if (!definitions) behalf_test_fail(__FILE__, __LINE__, "a definition is no JSON: %s", behalf_last_error()->message);
    for (size_t i = 0; behalf_tools[i].name; i++) {
        const char *name = behalf_tools[i].name;
        yyjson_val *definition = yyjson_arr_get(definitions, i);
        if (!is_tool_name(name)) behalf_test_fail(__FILE__, __LINE__, "\"%s\" is no tool name", name);
        BEHALF_CHECK_TEXT(behalf_get_text(definition, "name", ""), name);
        BEHALF_CHECK(*behalf_get_text(definition, "description", ""));
        BEHALF_CHECK_TEXT(behalf_get_text(behalf_get(definition, "inputSchema"), "type", ""), "object");
        const char *fault = offer_fault(definition);
        if (fault) behalf_test_fail(__FILE__, __LINE__, "the tool %s %s", name, fault);
    }
}

static bool run(const char *name, void (*test)(void)) {
    behalf_mock_begin();
    sound = false;
    if (setjmp(end_of_test) == 0) {
        test();
        sound = true;
    }
    printf("%s %s\n", sound ? "ok    " : "FAILED", name);
    fflush(stdout);
    return sound;
}

int main(void) {
    size_t failed = !run("tool_definitions_are_sound", tool_definitions_are_sound), count = 1;
    for (behalf_test *test = first_test; test; test = test->next, count++) failed += !run(test->name, test->run);
    printf("%zu tests, %zu failed\n", count, failed);
    return failed != 0;
}
