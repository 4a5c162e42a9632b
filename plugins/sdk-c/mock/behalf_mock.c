/* A host for tests: implements what tool_plugin.h imports. */
#include "behalf_mock.h"

#include <stdio.h>

#include "../src/internal.h"

#define MOST 256

/* Scopes that may be open at the same time, as on the real host. */
#define MOST_SCOPES 8

typedef enum { ROWS, CHANGED, ERROR } kind;

typedef struct {
    kind kind;
    const char *part;
    bool used;
    bool truncated;
    const char *json;
    uint64_t changed;
    const char *code;
    const char *message;
} answer;

static struct {
    answer answers[MOST];
    size_t answer_count;
    const char *statements[MOST];
    const char *parameters[MOST];
    size_t statement_count;
    /* Whether a statement failed, for each open scope. */
    bool scopes[MOST_SCOPES];
    size_t scope_count;
    /* Whether a tool is called: a statement of the test itself ends nothing. */
    bool in_call;
    /* The message of the call's first statement that failed outside of a scope. */
    const char *failure;
    const char *lines[MOST];
    size_t line_count;
    size_t reports;
    const char *partials[MOST];
    size_t partial_count;
    const char *settings;
    const char *subject;
    const char *role;
    const char *claims;
} mock;

void behalf_mock_forget_objects(void);
void behalf_mock_forget_servers(void);
void behalf_mock_forget_texts(void);
void behalf_mock_forget_stores(void);
static void begin_stores(void);
static void end_stores(bool keep);
static void begin_scope_of_stores(size_t scope);
static void end_scope_of_stores(size_t scope, bool keep);

/* The arena of the test: a call keeps to it, and it ends with the test. */
void behalf_mock_begin(void) {
    behalf_arena_reset();
    behalf_json_reset();
    behalf_error_reset();
    memset(&mock, 0, sizeof mock);
    behalf_mock_forget_objects();
    behalf_mock_forget_servers();
    behalf_mock_forget_texts();
    behalf_mock_forget_stores();
    mock.settings = "{}";
    mock.subject = "a11ce000-0000-4000-8000-000000000001";
    mock.role = "authenticated";
    mock.claims = "{}";
}

static tool_plugin_string_t string(const char *text) {
    return (tool_plugin_string_t){(uint8_t *)text, strlen(text)};
}

static const char *text_of(const tool_plugin_string_t *string) {
    tool_plugin_string_t sound = behalf_outgoing((const char *)string->ptr, string->len);
    /* The host would end the call here. */
    if (sound.ptr != string->ptr) behalf_test_fail(__FILE__, __LINE__, "a string leaves the plugin that is no UTF-8");
    return behalf_copy((const char *)string->ptr, string->len);
}

static answer *add_answer(kind kind, const char *part) {
    if (mock.answer_count == MOST) behalf_test_fail(__FILE__, __LINE__, "more than %d answers", MOST);
    answer *added = &mock.answers[mock.answer_count++];
    *added = (answer){.kind = kind, .part = part};
    return added;
}

void behalf_mock_rows(const char *part, const char *json) {
    add_answer(ROWS, part)->json = json;
}

void behalf_mock_truncated_rows(const char *part, const char *json) {
    answer *added = add_answer(ROWS, part);
    added->json = json;
    added->truncated = true;
}

void behalf_mock_changed(const char *part, uint64_t rows) {
    add_answer(CHANGED, part)->changed = rows;
}

void behalf_mock_error(const char *part, const char *code, const char *message) {
    answer *added = add_answer(ERROR, part);
    added->code = code;
    added->message = message;
}

void behalf_mock_settings(const char *json) {
    mock.settings = json;
}

void behalf_mock_caller(const char *subject, const char *role, const char *claims) {
    mock.subject = subject;
    mock.role = role;
    mock.claims = claims;
}

/* --- What was done ----------------------------------------------------------------------------------------------- */

behalf_outcome behalf_mock_call(const char *tool, const char *arguments) {
    tool_plugin_string_t name = string(tool), given = string(arguments), result;
    exports_behalf_tool_tool_error_t error;
    mock.in_call = true;
    mock.failure = NULL;
    begin_stores();
    bool succeeded = exports_behalf_tool_tool_call(&name, &given, &result, &error);
    const char *failure = mock.failure;
    mock.in_call = false;
    mock.failure = NULL;
    end_stores(succeeded && !failure);
    if (!succeeded) {
        return (behalf_outcome){
            .code = text_of(&error.code), .message = text_of(&error.message), .retryable = error.retryable};
    }
    /* As on the host: a statement that failed outside of a scope ends the call, whatever the tool returns. */
    if (failure) {
        return (behalf_outcome){.code = "commit_failed",
                                .message = behalf_format("a statement failed, and the tool went on without it: %s", failure)};
    }
    const char *text = text_of(&result);
    yyjson_val *value = behalf_parse(text);
    if (!value) behalf_test_fail(__FILE__, __LINE__, "the result is no JSON: %s", text);
    return (behalf_outcome){.result = text, .value = value};
}

const char *behalf_mock_statement(size_t index) {
    return index < mock.statement_count ? mock.statements[index] : NULL;
}

const char *behalf_mock_parameters(size_t index) {
    return index < mock.statement_count ? mock.parameters[index] : NULL;
}

bool behalf_mock_logged(const char *part) {
    for (size_t i = 0; i < mock.line_count; i++) {
        if (strstr(mock.lines[i], part)) return true;
    }
    return false;
}

size_t behalf_mock_reports(void) {
    return mock.reports;
}

const char *behalf_mock_partial(size_t index) {
    return index < mock.partial_count ? mock.partials[index] : NULL;
}

/* --- Rows from JSON ---------------------------------------------------------------------------------------------- */

static behalf_value value_of(yyjson_val *json) {
    if (yyjson_is_bool(json)) return behalf_bool(yyjson_get_bool(json));
    if (yyjson_is_int(json)) return behalf_int(yyjson_get_sint(json));
    if (yyjson_is_real(json)) return behalf_real(yyjson_get_real(json));
    if (yyjson_is_str(json)) return behalf_text(yyjson_get_str(json));
    /* json, jsonb and arrays arrive as text. */
    if (yyjson_is_ctn(json)) return behalf_text(yyjson_val_write_opts(json, 0, &behalf_arena, NULL, NULL));
    return behalf_null();
}

static const char *type_of(yyjson_val *json) {
    return yyjson_is_bool(json) ? "bool" : yyjson_is_int(json) ? "int8" : yyjson_is_real(json) ? "float8"
         : yyjson_is_obj(json)  ? "jsonb" : yyjson_is_arr(json) ? "_text" : "text";
}

static behalf_rows rows_of(const answer *from) {
    yyjson_val *json = behalf_parse(from->json), *row, *key;
    if (!yyjson_is_arr(json)) behalf_test_fail(__FILE__, __LINE__, "rows are no JSON array: %s", from->json);
    behalf_rows rows = {.truncated = from->truncated};
    yyjson_val *head = yyjson_arr_get_first(json);
    size_t width = yyjson_obj_size(head), i = 0;
    rows.columns.ptr = behalf_alloc(width * sizeof *rows.columns.ptr);
    rows.columns.len = width;
    yyjson_obj_iter members = yyjson_obj_iter_with(head);
    while ((key = yyjson_obj_iter_next(&members))) {
        const char *name = yyjson_get_str(key), *mark = strstr(name, "::");
        const char *type = mark ? mark + 2 : type_of(yyjson_obj_iter_get_val(key));
        if (mark) name = behalf_copy(name, (size_t)(mark - name));
        rows.columns.ptr[i++] = (behalf_tool_database_column_t){string(name), string(type)};
    }
    rows.rows.ptr = behalf_alloc(yyjson_arr_size(json) * sizeof *rows.rows.ptr);
    yyjson_arr_iter all = yyjson_arr_iter_with(json);
    while ((row = yyjson_arr_iter_next(&all))) {
        if (yyjson_obj_size(row) != width) behalf_test_fail(__FILE__, __LINE__, "rows differ in width: %s", from->json);
        behalf_value *values = behalf_alloc(width * sizeof *values);
        members = yyjson_obj_iter_with(row);
        for (i = 0; (key = yyjson_obj_iter_next(&members)); i++) values[i] = value_of(yyjson_obj_iter_get_val(key));
        rows.rows.ptr[rows.rows.len++] = (behalf_tool_database_list_value_t){values, width};
    }
    return rows;
}

/* --- Statements -------------------------------------------------------------------------------------------------- */

static const char *parameters_of(const behalf_tool_database_list_value_t *list) {
    tool_plugin_string_t name = string("parameter"), type = string("text");
    behalf_tool_database_column_t column = {name, type};
    yyjson_mut_val *array = behalf_array();
    for (size_t i = 0; i < list->len; i++) {
        behalf_tool_database_list_value_t one = {&list->ptr[i], 1};
        behalf_rows row = {.columns = {&column, 1}, .rows = {&one, 1}};
        behalf_add(array, behalf_row_json(&row, 0, "parameter"));
    }
    return yyjson_mut_val_write_opts(array, 0, &behalf_arena, NULL, NULL);
}

static void record(const char *sql, const char *parameters) {
    if (mock.statement_count == MOST) behalf_test_fail(__FILE__, __LINE__, "more than %d statements", MOST);
    mock.statements[mock.statement_count] = sql;
    mock.parameters[mock.statement_count++] = parameters;
}

static bool refuse(behalf_tool_database_error_t *error, const char *code, const char *message) {
    *error = (behalf_tool_database_error_t){.code = string(code), .message = string(message)};
    return false;
}

/* Whether a statement failed in the innermost scope, so that it takes no other. */
static bool is_aborted(behalf_tool_database_error_t *error) {
    if (mock.scope_count == 0 || !mock.scopes[mock.scope_count - 1]) return false;
    return !refuse(error, "aborted", "an earlier statement of this scope failed, so it was undone");
}

/* Takes note of a failed statement. What the host refuses before it reaches the database ends nothing. */
static void note_failure(const char *code, const char *message) {
    if (strcmp(code, "refused") == 0 || strcmp(code, "not_granted") == 0) return;
    if (mock.scope_count > 0) mock.scopes[mock.scope_count - 1] = true;
    else if (mock.in_call && !mock.failure) mock.failure = message;
}

static answer *answer_to(const char *sql, kind wanted, behalf_tool_database_error_t *error) {
    if (mock.failure) {
        refuse(error, "aborted", "an earlier statement of this call failed, so its work was undone");
        return NULL;
    }
    if (is_aborted(error)) return NULL;
    for (size_t i = 0; i < mock.answer_count; i++) {
        answer *found = &mock.answers[i];
        if (found->used || !strstr(sql, found->part) || (found->kind != wanted && found->kind != ERROR)) continue;
        found->used = true;
        if (found->kind != ERROR) return found;
        refuse(error, found->code, found->message);
        note_failure(found->code, found->message);
        return NULL;
    }
    behalf_test_fail(__FILE__, __LINE__, "the test has no answer to this statement: %s", sql);
}

bool behalf_tool_database_query(tool_plugin_string_t *sql, behalf_tool_database_list_value_t *params,
                                behalf_tool_database_row_set_t *ret, behalf_tool_database_error_t *err) {
    record(text_of(sql), parameters_of(params));
    answer *found = answer_to(text_of(sql), ROWS, err);
    if (found) *ret = rows_of(found);
    return found;
}

bool behalf_tool_database_execute(tool_plugin_string_t *sql, behalf_tool_database_list_value_t *params, uint64_t *ret,
                                  behalf_tool_database_error_t *err) {
    record(text_of(sql), parameters_of(params));
    answer *found = answer_to(text_of(sql), CHANGED, err);
    if (found) *ret = found->changed;
    return found;
}

bool behalf_tool_database_commit(behalf_tool_database_error_t *err) {
    record("commit", "[]");
    if (mock.scope_count > 0) return refuse(err, "invalid", "a scope is open; end it before the commit");
    begin_stores();
    return true;
}

bool behalf_tool_database_begin_scope(behalf_tool_database_error_t *err) {
    record("begin-scope", "[]");
    if (is_aborted(err)) return false;
    if (mock.scope_count == MOST_SCOPES) return refuse(err, "limit", "8 scopes are open already; end one first");
    begin_scope_of_stores(mock.scope_count);
    mock.scopes[mock.scope_count++] = false;
    return true;
}

bool behalf_tool_database_end_scope(bool keep, behalf_tool_database_error_t *err) {
    record("end-scope", keep ? "[true]" : "[false]");
    if (mock.scope_count == 0) return refuse(err, "invalid", "no scope is open");
    bool failed = is_aborted(err);
    mock.scope_count--;
    end_scope_of_stores(mock.scope_count, keep && !failed);
    return !(keep && failed);
}

bool behalf_tool_database_describe(tool_plugin_string_t *maybe_schema, tool_plugin_string_t *ret,
                                   behalf_tool_database_error_t *err) {
    record("describe", maybe_schema ? text_of(maybe_schema) : "");
    answer *found = answer_to("describe", ROWS, err);
    if (found) *ret = string(found->json);
    return found;
}

/* --- The rest of the host ---------------------------------------------------------------------------------------- */

void behalf_tool_caller_get_identity(behalf_tool_caller_identity_t *ret) {
    *ret = (behalf_tool_caller_identity_t){.role = string(mock.role), .claims = string(mock.claims)};
    ret->subject.is_some = mock.subject;
    if (mock.subject) ret->subject.val = string(mock.subject);
}

void behalf_tool_caller_get_call(tool_plugin_string_t *ret) {
    *ret = string("{\"call_id\":\"00000000-0000-4000-8000-000000000000\"}");
}

uint64_t behalf_tool_caller_remaining_ms(void) {
    return 10000;
}

void behalf_tool_settings_get_all(tool_plugin_string_t *ret) {
    *ret = string(mock.settings);
}

void behalf_tool_progress_report(uint64_t done, uint64_t *maybe_total, tool_plugin_string_t *maybe_message) {
    (void)done;
    (void)maybe_total;
    if (maybe_message) text_of(maybe_message);
    mock.reports++;
}

void behalf_tool_progress_partial(tool_plugin_string_t *part) {
    if (mock.partial_count == MOST) behalf_test_fail(__FILE__, __LINE__, "more than %d parts of results", MOST);
    mock.partials[mock.partial_count++] = text_of(part);
}

void behalf_tool_log_write(behalf_tool_log_level_t level, tool_plugin_string_t *message) {
    const char *line = text_of(message);
    if (level >= BEHALF_TOOL_LOG_LEVEL_WARN) fprintf(stderr, "    logged: %s\n", line);
    if (mock.line_count < MOST) mock.lines[mock.line_count++] = line;
}
