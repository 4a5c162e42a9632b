/* Searches in knowledge bases, and what an agent remembers of its user. */
#include "internal.h"

static tool_plugin_string_t text_out(const char *text) {
    return behalf_outgoing(text, strlen(text));
}

static void set_text_error(tool_plugin_string_t code, tool_plugin_string_t message, bool retryable) {
    behalf_set_error((behalf_error){
        .code = behalf_incoming(code), .message = behalf_incoming(message), .retryable = retryable});
}

behalf_passages *behalf_search(const char *text, const char *options) {
    tool_plugin_string_t question = text_out(text), how = text_out(options ? options : "{}");
    behalf_passages *found = behalf_alloc(sizeof *found);
    behalf_tool_knowledge_error_t error;
    if (behalf_tool_knowledge_search(&question, &how, found, &error)) return found;
    set_text_error(error.code, error.message, error.retryable);
    return NULL;
}

const char *behalf_passage_text(const behalf_passages *found, size_t index) {
    return index < found->len ? behalf_incoming(found->ptr[index].text) : NULL;
}

const char *behalf_passage_source(const behalf_passages *found, size_t index) {
    return index < found->len ? behalf_incoming(found->ptr[index].source) : NULL;
}

yyjson_val *behalf_passage_meta(const behalf_passages *found, size_t index) {
    return index < found->len ? behalf_parse_host(found->ptr[index].meta) : NULL;
}

const char *behalf_remember(const char *text, const char *meta) {
    tool_plugin_string_t fact = text_out(text), more = text_out(meta ? meta : "{}"), id;
    behalf_tool_memory_error_t error;
    if (behalf_tool_memory_remember(&fact, &more, &id, &error)) return behalf_incoming(id);
    set_text_error(error.code, error.message, error.retryable);
    return NULL;
}

behalf_memories *behalf_recall(const char *query, uint32_t top_k) {
    tool_plugin_string_t question = text_out(query ? query : "");
    behalf_memories *found = behalf_alloc(sizeof *found);
    behalf_tool_memory_error_t error;
    if (behalf_tool_memory_recall(&question, top_k, found, &error)) return found;
    set_text_error(error.code, error.message, error.retryable);
    return NULL;
}

const char *behalf_memory_id(const behalf_memories *found, size_t index) {
    return index < found->len ? behalf_incoming(found->ptr[index].id) : NULL;
}

const char *behalf_memory_text(const behalf_memories *found, size_t index) {
    return index < found->len ? behalf_incoming(found->ptr[index].text) : NULL;
}

yyjson_val *behalf_memory_meta(const behalf_memories *found, size_t index) {
    return index < found->len ? behalf_parse_host(found->ptr[index].meta) : NULL;
}

bool behalf_forget(const char *id, bool *was_there) {
    tool_plugin_string_t which = text_out(id);
    behalf_tool_memory_error_t error;
    bool found = false;
    if (!behalf_tool_memory_forget(&which, &found, &error)) {
        set_text_error(error.code, error.message, error.retryable);
        return false;
    }
    if (was_there) *was_there = found;
    return true;
}
