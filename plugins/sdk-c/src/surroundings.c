/* The call, the caller, settings, the log, progress. */
#include "internal.h"

/* Bytes of a part of a result as JSON. */
#define MOST_OF_PART 65536

behalf_caller behalf_get_caller(void) {
    behalf_tool_caller_identity_t identity;
    behalf_tool_caller_get_identity(&identity);
    return (behalf_caller){
        .subject = identity.subject.is_some ? behalf_incoming(identity.subject.val) : NULL,
        .role = behalf_incoming(identity.role),
        .claims = behalf_parse_host(identity.claims),
    };
}

yyjson_val *behalf_get_call(void) {
    tool_plugin_string_t call;
    behalf_tool_caller_get_call(&call);
    return behalf_parse_host(call);
}

uint64_t behalf_remaining_ms(void) {
    return behalf_tool_caller_remaining_ms();
}

yyjson_val *behalf_settings(void) {
    tool_plugin_string_t settings;
    behalf_tool_settings_get_all(&settings);
    return behalf_parse_host(settings);
}

void behalf_log(behalf_level level, const char *format, ...) {
    va_list values;
    va_start(values, format);
    char *text = behalf_vformat(format, values);
    va_end(values);
    tool_plugin_string_t line = behalf_outgoing(text, strlen(text));
    behalf_tool_log_write((behalf_tool_log_level_t)level, &line);
}

void behalf_progress(uint64_t done, uint64_t total, const char *message) {
    tool_plugin_string_t text = {0};
    if (message) text = behalf_outgoing(message, strlen(message));
    behalf_tool_progress_report(done, total ? &total : NULL, message ? &text : NULL);
}

bool behalf_partial(yyjson_mut_val *part) {
    tool_plugin_string_t json;
    if (!part || !behalf_write_json("A part of the result", part, &json)) return false;
    if (json.len > MOST_OF_PART) {
        behalf_failed("A part of the result has %zu bytes, and at most %d are allowed.", json.len, MOST_OF_PART);
        return false;
    }
    behalf_tool_progress_partial(&json);
    return true;
}
