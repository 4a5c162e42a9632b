/*
 * Tests of a plugin in C, run natively: the same source, with a host that says what the test told it to.
 *
 *     cc -std=gnu17 -g -Ivendor/behalf-sdk src/my_tool.c tests/my_tool_test.c vendor/behalf-sdk/mock/native.c -o dist/tests
 *     dist/tests
 *
 * Every test begins anew: nothing is answered, nobody but a user is calling, there are no settings. That the definitions
 * are sound is tested always.
 */
#ifndef BEHALF_MOCK_H
#define BEHALF_MOCK_H

#include "../behalf.h"

/* A test; its name is a sentence. It ends at the first check that fails. */
#define BEHALF_TEST(name)                                                                         \
    static void name(void);                                                                       \
    static behalf_test name##_test = {#name, name, NULL};                                         \
    __attribute__((constructor)) static void name##_add(void) { behalf_test_add(&name##_test); }  \
    static void name(void)

/* Fails the test unless this holds. */
#define BEHALF_CHECK(condition) \
    ((condition) ? (void)0 : behalf_test_fail(__FILE__, __LINE__, "%s", #condition))

/* Fails the test unless the texts are the same. */
#define BEHALF_CHECK_TEXT(found, expected) behalf_test_same(__FILE__, __LINE__, #found, (found), (expected))

/* --- What the host says ------------------------------------------------------------------------------------------ */

/* The next statement that contains `part` is answered with these rows: a JSON array of objects, whose first one names
 * the columns. A type can follow a name: {"amount::numeric": "1.50"}. Each answer serves once. */
void behalf_mock_rows(const char *part, const char *json);
/* The same with rows that a limit of the host's cut short. */
void behalf_mock_truncated_rows(const char *part, const char *json);
/* The next data-changing statement that contains `part` changes so many rows. */
void behalf_mock_changed(const char *part, uint64_t rows);
/* The next statement that contains `part` fails. Codes stand in tool_plugin.h. */
void behalf_mock_error(const char *part, const char *code, const char *message);

/* An object that is there, with a text as its content. What the tool writes is there as well; no policy holds here. */
void behalf_mock_object(const char *bucket, const char *name, const char *content_type, const char *text);
/* Every operation on objects fails. Codes stand in tool_plugin.h. */
void behalf_mock_storage_error(const char *code, const char *message);

/* Every request whose method and address contain `part` (`GET https://a.test/x`) gets this answer; what was said last wins. */
void behalf_mock_response(const char *part, int status, const char *content_type, const char *body);
/* The same with an error: WASI's name of it, such as `connection-timeout` or `HTTP-request-denied`. */
void behalf_mock_http_error(const char *part, const char *name);

/* A document of a knowledge base that this user may read, and no other; NULL stands for callers without a user. A search finds the
 * documents of its caller, those first that share most words with the question. */
void behalf_mock_document(const char *user, const char *base, const char *name, const char *text);
/* Every search fails. Codes stand in tool_plugin.h. */
void behalf_mock_search_error(const char *code, const char *message);
/* A memory of the caller's. What the tool remembers is there as well. */
void behalf_mock_memory(const char *text);
/* Every operation on memories fails. Codes stand in tool_plugin.h. */
void behalf_mock_memory_error(const char *code, const char *message);

/* An entry of the caller's store, with a value as JSON. What the tool writes is there as well. */
void behalf_mock_kv(const char *key, const char *json);
/* The value of a key in the caller's store, as JSON; NULL where there is none. */
const char *behalf_mock_kv_value(const char *key);
/* All callers share one store, as with scope = "plugin"; otherwise each user has one. */
void behalf_mock_kv_shared(void);
/* Every operation on the store fails. Codes stand in tool_plugin.h. */
void behalf_mock_kv_error(const char *code, const char *message);

/* The operator's settings, a JSON object. */
void behalf_mock_settings(const char *json);
/* Who is calling. NULL as the subject: nobody. */
void behalf_mock_caller(const char *subject, const char *role, const char *claims);

/* --- A call, and what came of it --------------------------------------------------------------------------------- */

typedef struct behalf_outcome {
    /* The result as JSON; NULL for an error. */
    const char *result;
    /* The same, to look into. */
    yyjson_val *value;
    /* The error's code and message; NULL for a result. */
    const char *code;
    const char *message;
    bool retryable;
} behalf_outcome;

/* Calls a tool with a JSON object. Arguments are not checked against the schema; the host does that before. */
behalf_outcome behalf_mock_call(const char *tool, const char *arguments);

/* The statements that were sent: `select …`, `commit`, `begin-scope`, `end-scope`. NULL beyond the last. */
const char *behalf_mock_statement(size_t index);
/* Its parameters as a JSON array; of `end-scope`, whether it was to be kept. */
const char *behalf_mock_parameters(size_t index);
/* The requests that were sent: `GET https://a.test/x`, and their bodies. NULL beyond the last. */
const char *behalf_mock_request(size_t index);
const char *behalf_mock_request_body(size_t index);
/* Whether a line with this text was logged. */
bool behalf_mock_logged(const char *part);
/* The content of an object as a text, what was put or what the tool wrote; NULL where there is none. */
const char *behalf_mock_stored(const char *bucket, const char *name);
/* What the caller's agent remembers, the newest first; NULL beyond the last. */
const char *behalf_mock_remembered(size_t index);
/* How many reports of progress there were. */
size_t behalf_mock_reports(void);
/* The parts of results that were shown, as JSON. NULL beyond the last. */
const char *behalf_mock_partial(size_t index);

/* --- What the macros above need ---------------------------------------------------------------------------------- */

typedef struct behalf_test {
    const char *name;
    void (*run)(void);
    struct behalf_test *next;
} behalf_test;

void behalf_test_add(behalf_test *test);
_Noreturn void behalf_test_fail(const char *file, int line, const char *format, ...) BEHALF_PRINTF(3, 4);
void behalf_test_same(const char *file, int line, const char *what, const char *found, const char *expected);

#endif
