/* Objects: what is read from buckets and written to them. */
#include "internal.h"

static tool_plugin_string_t outgoing(const char *text) {
    return behalf_outgoing(text, strlen(text));
}

static void set_storage_error(const behalf_tool_storage_error_t *error) {
    behalf_set_error((behalf_error){
        .code = behalf_incoming(error->code),
        .message = behalf_incoming(error->message),
        .retryable = error->retryable,
    });
}

behalf_object_page *behalf_list_objects(const char *bucket, const char *prefix, uint32_t limit, const char *cursor) {
    tool_plugin_string_t in = outgoing(bucket), begin = outgoing(prefix ? prefix : ""), from = {0};
    if (cursor) from = outgoing(cursor);
    behalf_object_page *page = behalf_alloc(sizeof *page);
    behalf_tool_storage_error_t error;
    if (behalf_tool_storage_list_objects(&in, &begin, limit, cursor ? &from : NULL, page, &error)) return page;
    set_storage_error(&error);
    return NULL;
}

const char *behalf_object_name(const behalf_object_page *page, size_t index) {
    return index < page->objects.len ? behalf_incoming(page->objects.ptr[index].name) : NULL;
}

const char *behalf_next_page(const behalf_object_page *page) {
    return page->next.is_some ? behalf_incoming(page->next.val) : NULL;
}

behalf_content *behalf_read_object(const char *bucket, const char *name, uint64_t most) {
    tool_plugin_string_t in = outgoing(bucket), of = outgoing(name);
    behalf_tool_storage_content_t content;
    behalf_tool_storage_error_t error;
    if (!behalf_tool_storage_read(&in, &of, most, &content, &error)) {
        set_storage_error(&error);
        return NULL;
    }
    behalf_content *read = behalf_alloc(sizeof *read);
    /* What the host places in the arena has a zero byte behind it. */
    tool_plugin_string_t bytes = {content.bytes.ptr, content.bytes.len};
    read->text = behalf_incoming(bytes);
    read->bytes = (const uint8_t *)read->text;
    read->count = content.bytes.len;
    read->content_type = behalf_incoming(content.content_type);
    return read;
}

bool behalf_write_object(const char *bucket, const char *name, const void *bytes, size_t count, const char *content_type,
                         bool upsert) {
    tool_plugin_string_t in = outgoing(bucket), of = outgoing(name), type = outgoing(content_type);
    tool_plugin_list_u8_t list = {(uint8_t *)bytes, count};
    behalf_tool_storage_error_t error;
    if (behalf_tool_storage_write(&in, &of, &list, &type, upsert, &error)) return true;
    set_storage_error(&error);
    return false;
}

bool behalf_write_text(const char *bucket, const char *name, const char *text) {
    tool_plugin_string_t sound = outgoing(text);
    return behalf_write_object(bucket, name, sound.ptr, sound.len, "text/plain;charset=UTF-8", true);
}

bool behalf_remove_object(const char *bucket, const char *name) {
    tool_plugin_string_t in = outgoing(bucket), of = outgoing(name);
    behalf_tool_storage_error_t error;
    if (behalf_tool_storage_remove(&in, &of, &error)) return true;
    set_storage_error(&error);
    return false;
}

const char *behalf_signed_url(const char *bucket, const char *name, uint32_t seconds) {
    tool_plugin_string_t in = outgoing(bucket), of = outgoing(name), url;
    behalf_tool_storage_error_t error;
    if (behalf_tool_storage_signed_url(&in, &of, seconds, &url, &error)) return behalf_incoming(url);
    set_storage_error(&error);
    return NULL;
}
