/* JSON that is read and JSON that is written, in the arena. */
#include "internal.h"

static yyjson_mut_doc *document;

void behalf_json_reset(void) {
    document = NULL;
}

yyjson_mut_doc *behalf_document(void) {
    if (!document) document = yyjson_mut_doc_new(&behalf_arena);
    return document;
}

static yyjson_val *read(const char *json, size_t bytes, yyjson_read_err *error) {
    yyjson_doc *read = yyjson_read_opts((char *)json, bytes, YYJSON_READ_NOFLAG, &behalf_arena, error);
    return yyjson_doc_get_root(read);
}

yyjson_val *behalf_parse(const char *json) {
    yyjson_read_err error;
    yyjson_val *value = read(json, strlen(json), &error);
    if (!value) return behalf_failed("What was to be JSON is none: %s at byte %zu.", error.msg, error.pos);
    return value;
}

yyjson_val *behalf_parse_host(tool_plugin_string_t json) {
    yyjson_read_err error;
    yyjson_val *value = read(behalf_incoming(json), json.len, &error);
    if (!value) behalf_bug("the host gave what is not JSON: %s at byte %zu", error.msg, error.pos);
    return value;
}

bool behalf_write_json(const char *what, yyjson_mut_val *value, tool_plugin_string_t *to) {
    /* Bytes that are no UTF-8 are written as they are and put right in the whole text, in which they cannot be anything
     * but parts of strings. */
    yyjson_write_err error;
    size_t bytes = 0;
    char *text = yyjson_mut_val_write_opts(value, YYJSON_WRITE_ALLOW_INVALID_UNICODE, &behalf_arena, &bytes, &error);
    if (!text) {
        behalf_failed("%s cannot be written as JSON: %s.", what, error.msg);
        return false;
    }
    *to = behalf_outgoing(text, bytes);
    return true;
}

const char *behalf_get_text(yyjson_val *object, const char *key, const char *otherwise) {
    yyjson_val *member = yyjson_obj_get(object, key);
    return yyjson_is_str(member) ? yyjson_get_str(member) : otherwise;
}

int64_t behalf_get_int(yyjson_val *object, const char *key, int64_t otherwise) {
    yyjson_val *member = yyjson_obj_get(object, key);
    if (yyjson_is_sint(member)) return yyjson_get_sint(member);
    if (yyjson_is_uint(member) && yyjson_get_uint(member) <= INT64_MAX) return (int64_t)yyjson_get_uint(member);
    /* For a schema 3.0 is an integer. */
    double real = yyjson_is_real(member) ? yyjson_get_real(member) : 0.5;
    bool fits = real >= -9007199254740992.0 && real <= 9007199254740992.0 && real == (double)(int64_t)real;
    return fits ? (int64_t)real : otherwise;
}

double behalf_get_real(yyjson_val *object, const char *key, double otherwise) {
    yyjson_val *member = yyjson_obj_get(object, key);
    return yyjson_is_num(member) ? yyjson_get_num(member) : otherwise;
}

bool behalf_get_bool(yyjson_val *object, const char *key, bool otherwise) {
    yyjson_val *member = yyjson_obj_get(object, key);
    return yyjson_is_bool(member) ? yyjson_get_bool(member) : otherwise;
}

yyjson_mut_val *behalf_object(void) {
    return yyjson_mut_obj(behalf_document());
}

yyjson_mut_val *behalf_array(void) {
    return yyjson_mut_arr(behalf_document());
}

void behalf_put(yyjson_mut_val *object, const char *key, yyjson_mut_val *value) {
    if (!yyjson_mut_is_obj(object)) behalf_bug("\"%s\" is put into what is no object", key);
    yyjson_mut_obj_put(object, yyjson_mut_str(behalf_document(), key),
                       value ? value : yyjson_mut_null(behalf_document()));
}

void behalf_add(yyjson_mut_val *array, yyjson_mut_val *value) {
    if (!yyjson_mut_is_arr(array)) behalf_bug("an element is added to what is no array");
    yyjson_mut_arr_append(array, value ? value : yyjson_mut_null(behalf_document()));
}

/* NULL becomes null where it is put. */
static yyjson_mut_val *text_value(const char *text) {
    return text ? yyjson_mut_str(behalf_document(), text) : NULL;
}

void behalf_put_text(yyjson_mut_val *object, const char *key, const char *text) {
    behalf_put(object, key, text_value(text));
}

void behalf_put_int(yyjson_mut_val *object, const char *key, int64_t number) {
    behalf_put(object, key, yyjson_mut_sint(behalf_document(), number));
}

void behalf_put_real(yyjson_mut_val *object, const char *key, double number) {
    behalf_put(object, key, yyjson_mut_real(behalf_document(), number));
}

void behalf_put_bool(yyjson_mut_val *object, const char *key, bool flag) {
    behalf_put(object, key, yyjson_mut_bool(behalf_document(), flag));
}

void behalf_add_text(yyjson_mut_val *array, const char *text) {
    behalf_add(array, text_value(text));
}

void behalf_add_int(yyjson_mut_val *array, int64_t number) {
    behalf_add(array, yyjson_mut_sint(behalf_document(), number));
}
