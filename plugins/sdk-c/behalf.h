/*
 * What a Behalf plugin in C is written with.
 *
 * A plugin defines `behalf_tools`, the table of what it offers. Whatever a tool does to the database it does as the
 * person the call is for: there is no other identity to be had.
 *
 * An instance lives for one call. So nothing here has to be freed: everything is taken from one arena that goes with the
 * call, and no function returns NULL for lack of memory (that ends the call). NULL means an error of the tool or the
 * database instead, and is returned on as it is:
 *
 *     behalf_rows *rows = behalf_query("select title from notes where id = $1", behalf_text(id));
 *     if (!rows) return NULL;
 *
 * Strings are UTF-8 that ends with a zero byte. What leaves the plugin is put right on its way: bytes that are no UTF-8
 * become U+FFFD.
 */
#ifndef BEHALF_H
#define BEHALF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bindings/tool_plugin.h"
#include "yyjson/yyjson.h"

#ifdef __cplusplus
extern "C" {
#endif

#define BEHALF_PRINTF(text, values) __attribute__((format(printf, text, values)))

/* --- Tools ------------------------------------------------------------------------------------------------------- */

/* One tool. */
typedef struct behalf_tool {
    /* Its name: [a-z][a-z0-9_]{0,63}, the same as in the definition. */
    const char *name;
    /* Its definition in the shape of an MCP tool, as JSON text: see BEHALF_JSON. */
    const char *definition;
    /* Does the work. `arguments` is an object that satisfies the input schema. What is returned becomes the result as
     * JSON; NULL is an error, which undoes what the call did to the database. */
    yyjson_mut_val *(*call)(yyjson_val *arguments);
} behalf_tool;

/* The plugin's tools, ended by one without a name. Every plugin defines this. */
extern const behalf_tool behalf_tools[];

/* JSON in the source as it is, without quotes: BEHALF_JSON({"name": "my_tool"}). */
#define BEHALF_JSON(...) #__VA_ARGS__

/* --- Errors ------------------------------------------------------------------------------------------------------ */

/* Why the last function failed, and what the tool says if it returns NULL. */
typedef struct behalf_error {
    /* `invalid_arguments`, `denied`, `failed`, or a code of the database such as `constraint`. */
    const char *code;
    /* Of the server, for an error of the database where there is one; else NULL. */
    const char *sqlstate;
    /* Shown to the model: what happened, and how to fix it. */
    const char *message;
    /* Whether the same call may succeed later, unchanged. */
    bool retryable;
} behalf_error;

/* Sets the error, with a sentence as printf makes one, and returns NULL: `return behalf_failed("No rate for %s.", day);` */
void *behalf_failed(const char *format, ...) BEHALF_PRINTF(1, 2);
/* The same where the arguments are wrong in a way the schema cannot say. */
void *behalf_invalid(const char *format, ...) BEHALF_PRINTF(1, 2);
/* The same where the caller may not do this. */
void *behalf_denied(const char *format, ...) BEHALF_PRINTF(1, 2);
/* The same where it may work later. */
void *behalf_try_later(const char *format, ...) BEHALF_PRINTF(1, 2);

/* The error that was set last, or NULL. */
const behalf_error *behalf_last_error(void);

/* --- Arguments, and other JSON that is read ---------------------------------------------------------------------- */

/* A member of an object, or `otherwise` where it is missing, null or of another type. */
const char *behalf_get_text(yyjson_val *object, const char *key, const char *otherwise);
int64_t behalf_get_int(yyjson_val *object, const char *key, int64_t otherwise);
double behalf_get_real(yyjson_val *object, const char *key, double otherwise);
bool behalf_get_bool(yyjson_val *object, const char *key, bool otherwise);
/* A member that is an object or array, or anything else; NULL where it is missing. yyjson.h has the rest. */
#define behalf_get(object, key) yyjson_obj_get((object), (key))

/* JSON from text; NULL with an error where it is none. */
yyjson_val *behalf_parse(const char *json);

/* --- Results, and other JSON that is written --------------------------------------------------------------------- */

yyjson_mut_val *behalf_object(void);
yyjson_mut_val *behalf_array(void);

/* Sets a member. A text that is NULL becomes null. A result with NaN or infinity, for which JSON has no word, is an error when
 * it is written. Keys and texts are kept, not copied. */
void behalf_put(yyjson_mut_val *object, const char *key, yyjson_mut_val *value);
void behalf_put_text(yyjson_mut_val *object, const char *key, const char *text);
void behalf_put_int(yyjson_mut_val *object, const char *key, int64_t number);
void behalf_put_real(yyjson_mut_val *object, const char *key, double number);
void behalf_put_bool(yyjson_mut_val *object, const char *key, bool flag);

/* Appends an element. */
void behalf_add(yyjson_mut_val *array, yyjson_mut_val *value);
void behalf_add_text(yyjson_mut_val *array, const char *text);
void behalf_add_int(yyjson_mut_val *array, int64_t number);

/* The document that all of these belong to, for what yyjson.h has beyond them. */
yyjson_mut_doc *behalf_document(void);

/* --- Results of texts, images, sounds, links and files ----------------------------------------------------------- */

/* A result for whoever reads it, in place of data; a tool that returns it has no output schema. It has 1 to 100 blocks:
 *
 *     behalf_blocks *blocks = behalf_begin_blocks();
 *     behalf_add_text_block(blocks, "Your garden.");
 *     behalf_add_image_block(blocks, "image/png", bytes, count);
 *     return behalf_end_blocks(blocks);
 *
 * A text or a media type that is missing or wrong is an error at the end. Texts are kept, not copied; bytes are copied. */
typedef struct behalf_blocks behalf_blocks;

behalf_blocks *behalf_begin_blocks(void);
void behalf_add_text_block(behalf_blocks *blocks, const char *text);
/* The media type of an image begins with image/, that of a sound with audio/. */
void behalf_add_image_block(behalf_blocks *blocks, const char *media_type, const void *bytes, size_t count);
void behalf_add_audio_block(behalf_blocks *blocks, const char *media_type, const void *bytes, size_t count);
/* A link to what the caller can read. The media type and the description may be NULL. */
void behalf_add_link_block(behalf_blocks *blocks, const char *uri, const char *name, const char *media_type,
                           const char *description);
/* A file with a text, and one with bytes. */
void behalf_add_file_block(behalf_blocks *blocks, const char *uri, const char *media_type, const char *text);
void behalf_add_bytes_block(behalf_blocks *blocks, const char *uri, const char *media_type, const void *bytes,
                            size_t count);
/* What the tool returns. NULL with an error that says what is wrong with a block, or that there is none or more than 100. */
yyjson_mut_val *behalf_end_blocks(behalf_blocks *blocks);

/* --- The database, as the caller --------------------------------------------------------------------------------- */

/* A parameter, or a value of a row: see tool_plugin.h. */
typedef behalf_tool_database_value_t behalf_value;
/* What a query returned. `truncated` says that a limit of the host's cut it short. */
typedef behalf_tool_database_row_set_t behalf_rows;

/* Parameters take the type the server infers: a text serves for uuid, numeric, timestamptz, date, json and arrays, which may be
 * written as JSON (["a"]) as well. NULL
 * as a text is SQL NULL. */
behalf_value behalf_null(void);
behalf_value behalf_text(const char *text);
behalf_value behalf_int(int64_t number);
behalf_value behalf_real(double number);
behalf_value behalf_bool(bool flag);
behalf_value behalf_bytes(const void *bytes, size_t count);
behalf_value behalf_vector(const float *numbers, size_t count);

/* One SELECT, VALUES or TABLE (or, where writing is granted, a data-changing statement with RETURNING), with parameters
 * $1, $2 …: behalf_query("select … where a = $1 and b < $2", behalf_text(a), behalf_int(b)). NULL where it failed. */
#define behalf_query(sql, ...) behalf_query_with((sql), BEHALF_PARAMETERS(__VA_ARGS__))
behalf_rows *behalf_query_with(const char *sql, const behalf_value *parameters, size_t count);

/* One INSERT, UPDATE, DELETE or MERGE. The number of rows, or -1 where it failed. */
#define behalf_execute(sql, ...) behalf_execute_with((sql), BEHALF_PARAMETERS(__VA_ARGS__))
int64_t behalf_execute_with(const char *sql, const behalf_value *parameters, size_t count);

/* The first is not counted, so that there may be none. */
#define BEHALF_PARAMETERS(...) \
    ((const behalf_value[]){{0} __VA_OPT__(, ) __VA_ARGS__}) + 1, \
        sizeof((const behalf_value[]){{0} __VA_OPT__(, ) __VA_ARGS__}) / sizeof(behalf_value) - 1

/* Ends the transaction here, before slow work outside the database. What was committed stays, even if the call fails. In an
 * open scope it is an error. */
bool behalf_commit(void);

/* A call that may write is one transaction. A call that can only read sends each statement as a transaction of its own: two
 * statements may see different rows, and now() differs between them. A scope gives several statements one snapshot, and
 * lets a call go on after a statement that failed:
 *
 *     if (!behalf_begin_scope()) return NULL;
 *     bool saved = behalf_execute("insert into tags (title) values ($1)", behalf_text(title)) >= 0;
 *     if (!behalf_end_scope(saved)) return NULL;
 *
 * Scopes can be inside each other, 8 deep. A statement that fails ends its scope: what the scope did is undone, and further
 * statements in it fail with the code `aborted`, until the scope is ended. */
bool behalf_begin_scope(void);
/* Ends the innermost scope: keeps what it did to the database, or undoes it. Keeping a scope in which a statement failed is an
 * error (`aborted`), and ends it all the same. */
bool behalf_end_scope(bool keep);

/* The tables, views and columns of the granted schemas (or of `schema` alone) that the caller's role may use. */
yyjson_val *behalf_describe(const char *schema);

size_t behalf_row_count(const behalf_rows *rows);

/* A value by its column's name. A column that is not there or of another type is a mistake in the plugin: it is logged
 * and ends the call. SQL NULL is NULL as a text, and `otherwise` as anything else. Read as a text: text, and whatever
 * arrives as such (uuid, numeric, dates and times, json, arrays). */
const char *behalf_row_text(const behalf_rows *rows, size_t row, const char *column);
int64_t behalf_row_int(const behalf_rows *rows, size_t row, const char *column, int64_t otherwise);
double behalf_row_real(const behalf_rows *rows, size_t row, const char *column, double otherwise);
bool behalf_row_bool(const behalf_rows *rows, size_t row, const char *column, bool otherwise);
bool behalf_row_is_null(const behalf_rows *rows, size_t row, const char *column);
/* Any value, bytes and vectors too. */
const behalf_value *behalf_row_value(const behalf_rows *rows, size_t row, const char *column);

/* As JSON: json and arrays become what they say, a vector an array of numbers, bytea `\x…`, other text stays text. Where json
 * may hold a number that a double would round, its numbers are raw (yyjson_mut_is_raw), and written with all their digits. */
yyjson_mut_val *behalf_row_json(const behalf_rows *rows, size_t row, const char *column);
/* A row as an object, and all rows as an array of them. Of columns with one name the last one stays. */
yyjson_mut_val *behalf_row_object(const behalf_rows *rows, size_t row);
yyjson_mut_val *behalf_rows_array(const behalf_rows *rows);

/* `text` with %, _ and \ made plain, for LIKE and ILIKE. */
const char *behalf_like_escape(const char *text);

/* --- Requests to the hosts under [grants.http] ------------------------------------------------------------------- */

/* A tool that sends requests says "openWorldHint": true. One that says "readOnlyHint": true may send GET and HEAD alone. Redirects are
 * not followed. */

/* A header of a request or an answer. */
typedef struct behalf_header {
    const char *name;
    const char *value;
} behalf_header;

/* A request: behalf_http_send(&(behalf_request){.url = url, .timeout_ms = 2000}). */
typedef struct behalf_request {
    /* NULL: GET. */
    const char *method;
    const char *url;
    const behalf_header *headers;
    size_t header_count;
    /* NULL: none. */
    const void *body;
    size_t body_size;
    /* For the connection, and again for the beginning of the answer; 0: the host's own bounds. */
    uint32_t timeout_ms;
} behalf_request;

/* An answer, whatever its status. */
typedef struct behalf_response {
    int status;
    const behalf_header *headers;
    size_t header_count;
    const uint8_t *bytes;
    size_t count;
    /* The same as a text: a zero byte follows the last one. */
    const char *text;
    /* Who answered, for messages. */
    const char *host;
} behalf_response;

/* Sends a request and reads the whole answer; NULL where there is none. The error's code is `denied`, `invalid_request`, `timeout`,
 * `limit`, `unreachable` or `refused`. */
behalf_response *behalf_http_send(const behalf_request *request);
/* The same for GET, and for POST with a body of JSON. */
behalf_response *behalf_http_get(const char *url);
behalf_response *behalf_http_post_json(const char *url, yyjson_mut_val *value);
/* The first header of this name, whatever the case, or NULL. */
const char *behalf_response_header(const behalf_response *response, const char *name);
/* The body as JSON; NULL with an error where it is none, or where there is no answer (NULL). */
yyjson_val *behalf_response_json(const behalf_response *response);
/* `text` for a part of an address. */
const char *behalf_url_escape(const char *text);

/* --- The app's buckets and objects, as the caller ---------------------------------------------------------------- */

/* An object of a bucket, and a whole one: see tool_plugin.h. */
typedef behalf_tool_storage_stored_object_t behalf_object_entry;
typedef behalf_tool_storage_page_t behalf_object_page;

/* A whole object. */
typedef struct behalf_content {
    const uint8_t *bytes;
    size_t count;
    /* The same as a text: a zero byte follows the last one. */
    const char *text;
    const char *content_type;
} behalf_content;

/* The objects whose names begin with `prefix`, at most `limit` of them, after the page that ended with `cursor` (NULL: from the
 * start). NULL where it failed. */
behalf_object_page *behalf_list_objects(const char *bucket, const char *prefix, uint32_t limit, const char *cursor);
/* The name of an object of a page. */
const char *behalf_object_name(const behalf_object_page *page, size_t index);
/* The cursor of the next page; NULL after the last. */
const char *behalf_next_page(const behalf_object_page *page);

/* A whole object of at most `most` bytes. NULL where it failed. */
behalf_content *behalf_read_object(const char *bucket, const char *name, uint64_t most);

/* Writes an object, and replaces the one of this name where `upsert` says so. It is done at once, and stays where the call fails
 * later. */
bool behalf_write_object(const char *bucket, const char *name, const void *bytes, size_t count, const char *content_type,
                         bool upsert);
/* The same for a text. */
bool behalf_write_text(const char *bucket, const char *name, const char *text);

bool behalf_remove_object(const char *bucket, const char *name);

/* An address at which whoever has it can read the object for so many seconds. NULL where it failed. */
const char *behalf_signed_url(const char *bucket, const char *name, uint32_t seconds);

/* --- Knowledge bases, as the caller ------------------------------------------------------------------------------ */

/* What a search found, the best first; `len` says how many: see tool_plugin.h. */
typedef behalf_tool_knowledge_list_passage_t behalf_passages;

/* The passages that fit a text best. `options` is a JSON object, or NULL for none: `knowledge_bases`, `top_k`, `method`,
 * `filter_metadata`, `threshold`. NULL where it failed. */
behalf_passages *behalf_search(const char *text, const char *options);
/* The text of a passage, and the id of its source. */
const char *behalf_passage_text(const behalf_passages *found, size_t index);
const char *behalf_passage_source(const behalf_passages *found, size_t index);
/* Its metadata, an object: `source_name`, `page`, `headings` and what the app added. */
yyjson_val *behalf_passage_meta(const behalf_passages *found, size_t index);

/* --- What the agent of the call remembers of its user ------------------------------------------------------------ */

/* What was recalled, the best first; `len` says how many: see tool_plugin.h. */
typedef behalf_tool_memory_list_entry_t behalf_memories;

/* Keeps a text with `meta`, a JSON object, or NULL for none; returns its id. It is done at once, and stays where the call fails
 * later. NULL where it failed. */
const char *behalf_remember(const char *text, const char *meta);
/* The memories that fit a query best, 1 to 50 of them; the newest first where it is empty or NULL. NULL where it failed. */
behalf_memories *behalf_recall(const char *query, uint32_t top_k);
const char *behalf_memory_id(const behalf_memories *found, size_t index);
const char *behalf_memory_text(const behalf_memories *found, size_t index);
yyjson_val *behalf_memory_meta(const behalf_memories *found, size_t index);
/* Removes a memory, and says in `was_there`, unless it is NULL, whether there was one of this id. False where it failed. */
bool behalf_forget(const char *id, bool *was_there);

/* --- A small store of the plugin's own --------------------------------------------------------------------------- */

/* Values by their keys, for each user who calls or, where that was granted, for all callers. What is written is part of the call's
 * transaction, as statements are. A key has 1 to 256 bytes, a value at most 65,536 bytes as JSON. */

/* The value of a key; NULL in `value` where there is none. False where it failed. */
bool behalf_kv_get(const char *key, yyjson_val **value);
/* Writes a value. False where it failed. */
bool behalf_kv_set(const char *key, yyjson_mut_val *value);
/* The same with JSON as text. */
bool behalf_kv_get_json(const char *key, const char **json);
bool behalf_kv_set_json(const char *key, const char *json);
/* Writes a value where the present one is still `old`, byte for byte, or where there is none and `old` is NULL; `written` says whether.
 * What another call wrote meanwhile is not lost: read again and try again. False where it failed. */
bool behalf_kv_replace_json(const char *key, const char *old, const char *json, bool *written);
/* Removes a key, and says in `was_there`, unless it is NULL, whether there was one. False where it failed. */
bool behalf_kv_remove(const char *key, bool *was_there);

/* Keys in the order of their bytes; `len` says how many: see tool_plugin.h. */
typedef tool_plugin_list_string_t behalf_keys;

/* The keys that begin with `prefix`: those after the key `after`, or from the first one where it is NULL, `limit` (1 to 1,000) at most.
 * NULL where it failed. */
behalf_keys *behalf_kv_keys(const char *prefix, const char *after, uint32_t limit);
const char *behalf_kv_key(const behalf_keys *found, size_t index);

/* --- The call and its surroundings ------------------------------------------------------------------------------- */

/* Who the call is for. Facts, never credentials. */
typedef struct behalf_caller {
    /* A lower-case uuid; NULL for an anonymous caller and for the service role. */
    const char *subject;
    /* `anon`, `authenticated` or `service_role`. */
    const char *role;
    /* The verified claims, an object. */
    yyjson_val *claims;
} behalf_caller;

behalf_caller behalf_get_caller(void);
/* `call_id`, and where they exist `agent_id`, `session_id` and `run_id`. */
yyjson_val *behalf_get_call(void);
/* Milliseconds left before the host ends the call. */
uint64_t behalf_remaining_ms(void);

/* Values that the operator set for this plugin, an object. */
yyjson_val *behalf_settings(void);

typedef enum behalf_level {
    BEHALF_TRACE = BEHALF_TOOL_LOG_LEVEL_TRACE,
    BEHALF_DEBUG = BEHALF_TOOL_LOG_LEVEL_DEBUG,
    BEHALF_INFO = BEHALF_TOOL_LOG_LEVEL_INFO,
    BEHALF_WARN = BEHALF_TOOL_LOG_LEVEL_WARN,
    BEHALF_ERROR = BEHALF_TOOL_LOG_LEVEL_ERROR,
} behalf_level;

/* One line of the log. */
void behalf_log(behalf_level level, const char *format, ...) BEHALF_PRINTF(2, 3);

/* `done` of `total` units, shown to the caller as it happens. 0 as the total: not known. NULL as the message: none. */
void behalf_progress(uint64_t done, uint64_t total, const char *message);
/* A part of the result, shown to the caller at once: what a result can be, of at most 65,536 bytes as JSON. The result of the call
 * stays what the tool returns. False with an error where it is larger, or holds NaN or infinity; also where it is NULL, which
 * is an error already. */
bool behalf_partial(yyjson_mut_val *part);

/* --- Memory ------------------------------------------------------------------------------------------------------ */

/* Zeroed memory that goes with the call. */
void *behalf_alloc(size_t bytes);
/* Text as printf makes it. */
char *behalf_format(const char *format, ...) BEHALF_PRINTF(1, 2);
/* That many bytes and a zero byte. */
char *behalf_copy(const char *text, size_t bytes);

#ifdef __cplusplus
}
#endif

#endif
