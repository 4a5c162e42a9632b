/* A small store of the plugin's own, in the call's transaction. */
#include "internal.h"

static tool_plugin_string_t kv_text(const char *text) {
    return behalf_outgoing(text, strlen(text));
}

static bool kv_failed(behalf_tool_kv_error_t error) {
    behalf_set_error((behalf_error){
        .code = behalf_incoming(error.code), .message = behalf_incoming(error.message), .retryable = error.retryable});
    return false;
}

bool behalf_kv_get_json(const char *key, const char **json) {
    tool_plugin_string_t name = kv_text(key);
    tool_plugin_option_string_t found;
    behalf_tool_kv_error_t error;
    *json = NULL;
    if (!behalf_tool_kv_get(&name, &found, &error)) return kv_failed(error);
    if (found.is_some) *json = behalf_incoming(found.val);
    return true;
}

bool behalf_kv_get(const char *key, yyjson_val **value) {
    const char *json;
    *value = NULL;
    if (!behalf_kv_get_json(key, &json)) return false;
    if (json) *value = behalf_parse_host((tool_plugin_string_t){(uint8_t *)json, strlen(json)});
    return true;
}

bool behalf_kv_set_json(const char *key, const char *json) {
    tool_plugin_string_t name = kv_text(key), value = kv_text(json);
    behalf_tool_kv_error_t error;
    return behalf_tool_kv_set(&name, &value, &error) || kv_failed(error);
}

bool behalf_kv_set(const char *key, yyjson_mut_val *value) {
    const char *json = yyjson_mut_val_write_opts(value, 0, &behalf_arena, NULL, NULL);
    if (!json) behalf_bug("the value of %s cannot be written as JSON", key);
    return behalf_kv_set_json(key, json);
}

bool behalf_kv_replace_json(const char *key, const char *old, const char *json, bool *written) {
    tool_plugin_string_t name = kv_text(key), value = kv_text(json), before;
    behalf_tool_kv_error_t error;
    if (old) before = kv_text(old);
    *written = false;
    return behalf_tool_kv_replace(&name, old ? &before : NULL, &value, written, &error) || kv_failed(error);
}

bool behalf_kv_remove(const char *key, bool *was_there) {
    tool_plugin_string_t name = kv_text(key);
    behalf_tool_kv_error_t error;
    bool found = false;
    if (!behalf_tool_kv_remove(&name, &found, &error)) return kv_failed(error);
    if (was_there) *was_there = found;
    return true;
}

behalf_keys *behalf_kv_keys(const char *prefix, const char *after, uint32_t limit) {
    tool_plugin_string_t first = kv_text(prefix ? prefix : ""), from;
    behalf_keys *found = behalf_alloc(sizeof *found);
    behalf_tool_kv_error_t error;
    if (after) from = kv_text(after);
    if (behalf_tool_kv_keys(&first, after ? &from : NULL, limit, found, &error)) return found;
    kv_failed(error);
    return NULL;
}

const char *behalf_kv_key(const behalf_keys *found, size_t index) {
    return index < found->len ? behalf_incoming(found->ptr[index]) : NULL;
}
