/* The objects of the mocked host: what the test put there, and what the tool wrote. */

#define MOST_OBJECTS 256

typedef struct {
    const char *bucket;
    const char *name;
    const char *content_type;
    const char *bytes;
    size_t count;
} object;

/* In the order of their names. */
static struct {
    object all[MOST_OBJECTS];
    size_t count;
    const char *code;
    const char *message;
} objects;

void behalf_mock_forget_objects(void) {
    memset(&objects, 0, sizeof objects);
}

static object *find_object(const char *bucket, const char *name) {
    for (size_t i = 0; i < objects.count; i++) {
        object *one = &objects.all[i];
        if (strcmp(one->bucket, bucket) == 0 && strcmp(one->name, name) == 0) return one;
    }
    return NULL;
}

static void put_object(object new) {
    object *old = find_object(new.bucket, new.name);
    if (old) {
        *old = new;
        return;
    }
    if (objects.count == MOST_OBJECTS) behalf_test_fail(__FILE__, __LINE__, "more than %d objects", MOST_OBJECTS);
    size_t at = objects.count++;
    for (; at > 0 && strcmp(objects.all[at - 1].name, new.name) > 0; at--) objects.all[at] = objects.all[at - 1];
    objects.all[at] = new;
}

void behalf_mock_object(const char *bucket, const char *name, const char *content_type, const char *text) {
    put_object((object){bucket, name, content_type, text, strlen(text)});
}

void behalf_mock_storage_error(const char *code, const char *message) {
    objects.code = code;
    objects.message = message;
}

const char *behalf_mock_stored(const char *bucket, const char *name) {
    object *found = find_object(bucket, name);
    return found ? behalf_copy(found->bytes, found->count) : NULL;
}

static bool refuse_object(behalf_tool_storage_error_t *error, const char *code, const char *message) {
    *error = (behalf_tool_storage_error_t){.code = string(code), .message = string(message)};
    return false;
}

/* Whether operations are answered at all. */
static bool may_go_on(behalf_tool_storage_error_t *error) {
    return !objects.code || refuse_object(error, objects.code, objects.message);
}

static object *object_or_error(tool_plugin_string_t *bucket, tool_plugin_string_t *name, behalf_tool_storage_error_t *error) {
    if (!may_go_on(error)) return NULL;
    object *found = find_object(text_of(bucket), text_of(name));
    if (!found) refuse_object(error, "not_found", "Object not found");
    return found;
}

bool behalf_tool_storage_list_objects(tool_plugin_string_t *bucket, tool_plugin_string_t *prefix, uint32_t limit,
                                      tool_plugin_string_t *maybe_cursor, behalf_tool_storage_page_t *ret,
                                      behalf_tool_storage_error_t *err) {
    if (!may_go_on(err)) return false;
    const char *in = text_of(bucket), *begin = text_of(prefix), *after = maybe_cursor ? text_of(maybe_cursor) : "";
    *ret = (behalf_tool_storage_page_t){0};
    ret->objects.ptr = behalf_alloc((objects.count + 1) * sizeof *ret->objects.ptr);
    for (size_t i = 0; i < objects.count; i++) {
        object *one = &objects.all[i];
        bool fits = strcmp(one->bucket, in) == 0 && strncmp(one->name, begin, strlen(begin)) == 0;
        if (!fits || strcmp(one->name, after) <= 0) continue;
        if (ret->objects.len == limit) {
            ret->next.is_some = true;
            if (limit > 0) ret->next.val = ret->objects.ptr[limit - 1].name;
            break;
        }
        ret->objects.ptr[ret->objects.len++] = (behalf_tool_storage_stored_object_t){
            .name = string(one->name),
            .size = one->count,
            .content_type = string(one->content_type),
            .updated_at = string("2026-01-01T00:00:00Z"),
        };
    }
    return true;
}

bool behalf_tool_storage_read(tool_plugin_string_t *bucket, tool_plugin_string_t *name, uint64_t max_bytes,
                              behalf_tool_storage_content_t *ret, behalf_tool_storage_error_t *err) {
    object *found = object_or_error(bucket, name, err);
    if (!found) return false;
    if (found->count > max_bytes) return refuse_object(err, "too_large", "the object is larger than the call reads");
    ret->bytes = (tool_plugin_list_u8_t){(uint8_t *)behalf_copy(found->bytes, found->count), found->count};
    ret->content_type = string(found->content_type);
    return true;
}

bool behalf_tool_storage_write(tool_plugin_string_t *bucket, tool_plugin_string_t *name, tool_plugin_list_u8_t *bytes,
                               tool_plugin_string_t *content_type, bool upsert, behalf_tool_storage_error_t *err) {
    if (!may_go_on(err)) return false;
    const char *in = text_of(bucket), *of = text_of(name);
    if (!upsert && find_object(in, of)) return refuse_object(err, "exists", "The resource already exists");
    put_object((object){in, of, text_of(content_type), behalf_copy((const char *)bytes->ptr, bytes->len), bytes->len});
    return true;
}

bool behalf_tool_storage_remove(tool_plugin_string_t *bucket, tool_plugin_string_t *name, behalf_tool_storage_error_t *err) {
    object *found = object_or_error(bucket, name, err);
    if (!found) return false;
    size_t after = (size_t)(&objects.all[objects.count] - found) - 1;
    memmove(found, found + 1, after * sizeof *found);
    objects.count--;
    return true;
}

bool behalf_tool_storage_signed_url(tool_plugin_string_t *bucket, tool_plugin_string_t *name, uint32_t expires_in,
                                    tool_plugin_string_t *ret, behalf_tool_storage_error_t *err) {
    if (!object_or_error(bucket, name, err)) return false;
    *ret = string(behalf_format("https://files.test/%s/%s?seconds=%u", text_of(bucket), text_of(name), (unsigned)expires_in));
    return true;
}
