/* Statements: what goes to the database. */
#include "internal.h"

behalf_value behalf_null(void) {
    return (behalf_value){.tag = BEHALF_TOOL_DATABASE_VALUE_NULL};
}

behalf_value behalf_text(const char *text) {
    if (!text) return behalf_null();
    return (behalf_value){.tag = BEHALF_TOOL_DATABASE_VALUE_TEXT, .val.text = behalf_outgoing(text, strlen(text))};
}

behalf_value behalf_int(int64_t number) {
    return (behalf_value){.tag = BEHALF_TOOL_DATABASE_VALUE_INTEGER, .val.integer = number};
}

behalf_value behalf_real(double number) {
    return (behalf_value){.tag = BEHALF_TOOL_DATABASE_VALUE_FLOAT, .val.float_ = number};
}

behalf_value behalf_bool(bool flag) {
    return (behalf_value){.tag = BEHALF_TOOL_DATABASE_VALUE_BOOLEAN, .val.boolean = flag};
}

behalf_value behalf_bytes(const void *bytes, size_t count) {
    return (behalf_value){.tag = BEHALF_TOOL_DATABASE_VALUE_BYTES, .val.bytes = {(uint8_t *)bytes, count}};
}

behalf_value behalf_vector(const float *numbers, size_t count) {
    return (behalf_value){.tag = BEHALF_TOOL_DATABASE_VALUE_VECTOR, .val.vector = {(float *)numbers, count}};
}

static void set_database_error(const behalf_tool_database_error_t *error) {
    behalf_set_error((behalf_error){
        .code = behalf_incoming(error->code),
        .sqlstate = error->sqlstate.is_some ? behalf_incoming(error->sqlstate.val) : NULL,
        .message = behalf_incoming(error->message),
        .retryable = error->retryable,
    });
}

behalf_rows *behalf_query_with(const char *sql, const behalf_value *parameters, size_t count) {
    tool_plugin_string_t statement = behalf_outgoing(sql, strlen(sql));
    behalf_tool_database_list_value_t list = {(behalf_value *)parameters, count};
    behalf_rows *rows = behalf_alloc(sizeof *rows);
    behalf_tool_database_error_t error;
    if (behalf_tool_database_query(&statement, &list, rows, &error)) return rows;
    set_database_error(&error);
    return NULL;
}

int64_t behalf_execute_with(const char *sql, const behalf_value *parameters, size_t count) {
    tool_plugin_string_t statement = behalf_outgoing(sql, strlen(sql));
    behalf_tool_database_list_value_t list = {(behalf_value *)parameters, count};
    uint64_t rows;
    behalf_tool_database_error_t error;
    if (behalf_tool_database_execute(&statement, &list, &rows, &error)) return (int64_t)rows;
    set_database_error(&error);
    return -1;
}

bool behalf_commit(void) {
    behalf_tool_database_error_t error;
    if (behalf_tool_database_commit(&error)) return true;
    set_database_error(&error);
    return false;
}

bool behalf_begin_scope(void) {
    behalf_tool_database_error_t error;
    if (behalf_tool_database_begin_scope(&error)) return true;
    set_database_error(&error);
    return false;
}

bool behalf_end_scope(bool keep) {
    behalf_tool_database_error_t error;
    if (behalf_tool_database_end_scope(keep, &error)) return true;
    set_database_error(&error);
    return false;
}

yyjson_val *behalf_describe(const char *schema) {
    tool_plugin_string_t name = {0}, described;
    if (schema) name = behalf_outgoing(schema, strlen(schema));
    behalf_tool_database_error_t error;
    if (behalf_tool_database_describe(schema ? &name : NULL, &described, &error)) return behalf_parse_host(described);
    set_database_error(&error);
    return NULL;
}

const char *behalf_like_escape(const char *text) {
    char *escaped = behalf_take(2 * strlen(text), 1);
    char *to = escaped;
    for (; *text; text++) {
        if (strchr("%_\\", *text)) *to++ = '\\';
        *to++ = *text;
    }
    *to = 0;
    return escaped;
}
