/* The two functions that the host calls. */
#include "internal.h"

void exports_behalf_tool_tool_definitions(tool_plugin_string_t *definitions) {
    size_t bytes = 2;
    for (const behalf_tool *tool = behalf_tools; tool->name; tool++) bytes += strlen(tool->definition) + 1;
    char *text = behalf_take(bytes, 1), *to = text;
    for (const behalf_tool *tool = behalf_tools; tool->name; tool++) {
        *to++ = tool == behalf_tools ? '[' : ',';
        size_t length = strlen(tool->definition);
        memcpy(to, tool->definition, length);
        to += length;
    }
    if (to == text) *to++ = '[';
    *to++ = ']';
    *definitions = behalf_outgoing(text, (size_t)(to - text));
}

/* A database's code as a tool's: what was refused is denied, and a wrong value (SQLSTATE class 22) comes of wrong arguments. A wrong
   statement is the tool's own fault. */
static const char *tool_code(const char *code, const char *sqlstate) {
    if (strcmp(code, "invalid") == 0 && sqlstate && strncmp(sqlstate, "22", 2) != 0) return "failed";
    static const char *const codes[][2] = {
        {"refused", "denied"},     {"forbidden", "denied"},
        {"not_granted", "denied"}, {"denied", "denied"},
        {"invalid", "invalid_arguments"}, {"invalid_arguments", "invalid_arguments"},
    };
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        if (strcmp(code, codes[i][0]) == 0) return codes[i][1];
    }
    return "failed";
}

static bool fail(exports_behalf_tool_tool_error_t *to) {
    const behalf_error *error = behalf_last_error();
    if (!error) {
        behalf_failed("The tool gave neither a result nor an error.");
        error = behalf_last_error();
    }
    const char *code = tool_code(error->code, error->sqlstate);
    to->code = behalf_outgoing(code, strlen(code));
    to->message = behalf_outgoing(error->message, strlen(error->message));
    to->retryable = error->retryable;
    return false;
}

bool exports_behalf_tool_tool_call(tool_plugin_string_t *name, tool_plugin_string_t *arguments, tool_plugin_string_t *result,
                                   exports_behalf_tool_tool_error_t *error) {
    behalf_error_reset();
    behalf_json_reset();
    const char *wanted = behalf_incoming(*name);
    const behalf_tool *tool = behalf_tools;
    while (tool->name && strcmp(tool->name, wanted) != 0) tool++;
    if (!tool->name) {
        behalf_invalid("This plugin has no tool \"%s\".", wanted);
        return fail(error);
    }
    yyjson_read_err wrong;
    yyjson_doc *read =
        yyjson_read_opts((char *)behalf_incoming(*arguments), arguments->len, YYJSON_READ_NOFLAG, &behalf_arena, &wrong);
    if (!read) {
        behalf_invalid("The arguments of %s are no JSON: %s at byte %zu.", wanted, wrong.msg, wrong.pos);
        return fail(error);
    }
    if (!yyjson_is_obj(yyjson_doc_get_root(read))) {
        behalf_invalid("The arguments of %s are no JSON object.", wanted);
        return fail(error);
    }
    yyjson_mut_val *value = tool->call(yyjson_doc_get_root(read));
    if (!value) return fail(error);
    return behalf_write_json(behalf_format("The result of %s", wanted), value, result) || fail(error);
}
