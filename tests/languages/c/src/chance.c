/* Asks the C library for what differs from call to call: time and randomness. It has them from WASI's first preview, and
 * the host makes them from the second's. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "behalf.h"

static int64_t nanoseconds(clockid_t clock) {
    struct timespec now;
    if (clock_gettime(clock, &now) != 0) return -1;
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* `chance {}`: what time it is by each clock, and random bytes in hexadecimal. */
static yyjson_mut_val *chance(yyjson_val *arguments) {
    (void)arguments;
    unsigned char bytes[16];
    if (getentropy(bytes, sizeof bytes) != 0) return behalf_failed("There is no randomness: %s.", strerror(errno));
    char *random = behalf_alloc(2 * sizeof bytes + 1);
    for (size_t i = 0; i < sizeof bytes; i++) snprintf(random + 2 * i, 3, "%02x", bytes[i]);
    printf("written to standard output\n");
    fprintf(stderr, "written to standard error\n");

    yyjson_mut_val *result = behalf_object();
    behalf_put_int(result, "seconds", (int64_t)time(NULL));
    behalf_put_int(result, "realtime_ns", nanoseconds(CLOCK_REALTIME));
    behalf_put_int(result, "monotonic_ns", nanoseconds(CLOCK_MONOTONIC));
    behalf_put_text(result, "random", random);
    return result;
}

/* `odd {bytes}`: text from bytes that may be no UTF-8, in a result, in the log and as an error. */
static yyjson_mut_val *odd(yyjson_val *arguments) {
    yyjson_val *bytes = behalf_get(arguments, "bytes");
    size_t count = yyjson_arr_size(bytes);
    char *text = behalf_alloc(count + 1);
    for (size_t i = 0; i < count; i++) text[i] = (char)yyjson_get_int(yyjson_arr_get(bytes, i));
    behalf_log(BEHALF_INFO, "odd %s", text);
    if (behalf_get_bool(arguments, "fail", false)) return behalf_failed("odd %s", text);
    yyjson_mut_val *result = behalf_object();
    behalf_put_text(result, "text", text);
    return result;
}

/* `mistake {}`: reads a column that is not there. */
static yyjson_mut_val *mistake(yyjson_val *arguments) {
    (void)arguments;
    behalf_rows *rows = behalf_query("select title from public.notes");
    if (!rows) return NULL;
    yyjson_mut_val *result = behalf_object();
    behalf_put_text(result, "titel", behalf_row_text(rows, 0, "titel"));
    return result;
}

/* `objects {folder}`: writes an object, looks at it in every way, and removes it. */
static yyjson_mut_val *objects(yyjson_val *arguments) {
    const char *folder = behalf_get_text(arguments, "folder", "");
    const char *name = behalf_format("%s/c.txt", folder), *text = "é\n";
    if (!behalf_write_object("files", name, text, strlen(text), "text/csv", true)) return NULL;
    behalf_object_page *page = behalf_list_objects("files", behalf_format("%s/", folder), 1, NULL);
    behalf_content *content = behalf_read_object("files", name, 100);
    const char *url = behalf_signed_url("files", name, 60);
    if (!page || !content || !url) return NULL;
    yyjson_mut_val *answer = behalf_object(), *listed = behalf_array(), *one = behalf_array();
    yyjson_mut_arr_add_bool(behalf_document(), one, strcmp(behalf_object_name(page, 0), name) == 0);
    behalf_add_int(one, (int64_t)page->objects.ptr[0].size);
    behalf_add(listed, one);
    behalf_put(answer, "listed", listed);
    behalf_put_text(answer, "next", behalf_next_page(page));
    behalf_put_int(answer, "bytes", (int64_t)content->count);
    behalf_put_text(answer, "contentType", content->content_type);
    behalf_put_text(answer, "text", content->text);
    behalf_put_bool(answer, "signed", strstr(url, "c.txt") != NULL);
    if (!behalf_remove_object("files", name)) return NULL;
    if (behalf_read_object("files", name, 100)) return behalf_failed("The object is still there.");
    behalf_put_text(answer, "code", behalf_last_error()->code);
    return answer;
}

/* `large {count}`: more memory than the arena begins with. */
static yyjson_mut_val *large(yyjson_val *arguments) {
    yyjson_mut_val *array = behalf_array();
    for (int64_t i = 0; i < behalf_get_int(arguments, "count", 0); i++) {
        behalf_add_text(array, behalf_format("%lld: %s", (long long)i, "a line that is not short"));
    }
    yyjson_mut_val *result = behalf_object();
    behalf_put(result, "lines", array);
    return result;
}

/* `values {sql}`: the rows of a statement, as the SDK writes them. */
static yyjson_mut_val *values(yyjson_val *arguments) {
    behalf_rows *rows = behalf_query(behalf_get_text(arguments, "sql", ""));
    return rows ? behalf_rows_array(rows) : NULL;
}

/* `scoped {}`: a statement that fails in a scope, and one after it. */
static yyjson_mut_val *scoped(yyjson_val *arguments) {
    (void)arguments;
    if (!behalf_begin_scope()) return NULL;
    bool succeeded = behalf_query("select 1 / 0 as none") != NULL;
    const char *code = succeeded ? "none" : behalf_last_error()->code;
    if (!behalf_end_scope(succeeded)) return NULL;
    behalf_rows *rows = behalf_query("select 2 as two");
    if (!rows) return NULL;
    yyjson_mut_val *result = behalf_object();
    behalf_put_text(result, "code", code);
    behalf_put_int(result, "after", behalf_row_int(rows, 0, "two", 0));
    return result;
}

/* `web {base}`: what came of requests to a server that echoes, and of one to a host that was not granted. */
static yyjson_mut_val *web(yyjson_val *arguments) {
    const char *base = behalf_get_text(arguments, "base", "");
    yyjson_mut_val *body = behalf_object();
    behalf_put_text(body, "a", "é");
    const char *text = yyjson_mut_val_write(body, 0, NULL);
    behalf_header headers[] = {{"x-made-by", "c"}, {"content-type", "application/json"}};
    behalf_response *echoed = behalf_http_send(&(behalf_request){.method = "POST", .url = behalf_format("%s/echo", base),
        .headers = headers, .header_count = 2, .body = text, .body_size = strlen(text), .timeout_ms = 5000});
    if (!echoed) return NULL;
    behalf_response *missing = behalf_http_get(behalf_format("%s/missing?a=%s", base, behalf_url_escape("b c")));
    if (!missing) return NULL;
    yyjson_mut_val *answer = behalf_object(), *posted = behalf_array(), *denied = behalf_array();
    behalf_add_int(posted, echoed->status);
    behalf_add_text(posted, echoed->text);
    behalf_put(answer, "posted", posted);
    behalf_put_int(answer, "missing", missing->status);
    if (!behalf_http_get("https://denied.example.com/")) {
        behalf_add_text(denied, behalf_last_error()->code);
        behalf_add_text(denied, behalf_last_error()->message);
    }
    behalf_put(answer, "denied", denied);
    return answer;
}

/* `shown {name}`: a result that is more than data, after a part of it. */
static yyjson_mut_val *shown(yyjson_val *arguments) {
    const char *name = behalf_get_text(arguments, "name", "");
    yyjson_mut_val *part = behalf_object();
    behalf_put_text(part, "name", name);
    if (!behalf_partial(part)) return NULL;
    const unsigned char pixel[] = {0, 255};
    behalf_blocks *blocks = behalf_begin_blocks();
    behalf_add_text_block(blocks, behalf_format("It is %s.", name));
    behalf_add_image_block(blocks, "image/png", pixel, sizeof pixel);
    behalf_add_file_block(blocks, "shown://file", "text/markdown", "# é");
    return behalf_end_blocks(blocks);
}

/* `asked {name}`: a prompt. */
static yyjson_mut_val *asked(yyjson_val *arguments) {
    behalf_blocks *blocks = behalf_begin_blocks();
    behalf_add_text_block(blocks, behalf_format("Tell me of %s.", behalf_get_text(arguments, "name", "")));
    return behalf_end_blocks(blocks);
}

static const char shown_definition[] = BEHALF_JSON({
    "name": "shown",
    "description": "For tests.",
    "inputSchema": {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]},
    "annotations": {"readOnlyHint": true},
    "resource": {"uri": "shown://{name}", "mimeType": "text/plain"}
});

static const char asked_definition[] = BEHALF_JSON({
    "name": "asked",
    "description": "For tests.",
    "inputSchema": {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]},
    "annotations": {"readOnlyHint": true},
    "prompt": true
});

const behalf_tool behalf_tools[] = {
    {"chance", BEHALF_JSON({"name": "chance", "description": "For tests.", "inputSchema": {"type": "object"}}), chance},
    {"odd", BEHALF_JSON({"name": "odd", "description": "For tests.", "inputSchema": {"type": "object"}}), odd},
    {"mistake", BEHALF_JSON({"name": "mistake", "description": "For tests.", "inputSchema": {"type": "object"}}), mistake},
    {"objects", BEHALF_JSON({"name": "objects", "description": "For tests.", "inputSchema": {"type": "object"}}), objects},
    {"large", BEHALF_JSON({"name": "large", "description": "For tests.", "inputSchema": {"type": "object"}}), large},
    {"values", BEHALF_JSON({"name": "values", "description": "For tests.", "inputSchema": {"type": "object"}}), values},
    {"scoped", BEHALF_JSON({"name": "scoped", "description": "For tests.", "inputSchema": {"type": "object"}}), scoped},
    {"web", BEHALF_JSON({"name": "web", "description": "For tests.", "inputSchema": {"type": "object"}}), web},
    {"shown", shown_definition, shown},
    {"asked", asked_definition, asked},
    {0},
};
