/* What the SDK's own files share. Plugins include behalf.h alone. */
#ifndef BEHALF_INTERNAL_H
#define BEHALF_INTERNAL_H

#include <stdarg.h>
#include <string.h>
#include <strings.h>

#include "../behalf.h"

/* Gives everything back; the next call begins anew. In a sandbox the instance ends instead. */
void behalf_arena_reset(void);

/* The arena as yyjson wants it. */
extern const yyjson_alc behalf_arena;

/* As behalf_alloc, not zeroed; with a zero byte behind the last. */
void *behalf_take(size_t bytes, size_t align);

/* A text on its way out: `text` itself if it is UTF-8, else a copy that is. */
tool_plugin_string_t behalf_outgoing(const char *text, size_t bytes);
/* A string of the host's, which has a zero byte behind it. */
const char *behalf_incoming(tool_plugin_string_t string);

char *behalf_vformat(const char *format, va_list values);

/* A value as JSON on its way out; `what` it is begins the sentence of the error. */
bool behalf_write_json(const char *what, yyjson_mut_val *value, tool_plugin_string_t *to);

/* Whether a text is a media type, as in text/markdown, with or without parameters. */
bool behalf_is_media_type(const char *text);

/* JSON that the host made, which is never wrong. */
yyjson_val *behalf_parse_host(tool_plugin_string_t json);

/* Forgets the document and the error of the call before. */
void behalf_json_reset(void);
void behalf_error_reset(void);
void behalf_set_error(behalf_error error);

/* A request as the host gets it. */
typedef struct behalf_sent {
    const char *method;
    const char *scheme;
    const char *authority;
    const char *path;
    const behalf_header *headers;
    size_t header_count;
    /* NULL: none. */
    const uint8_t *body;
    size_t body_size;
    uint32_t timeout_ms;
} behalf_sent;

/* Sends it through wasi:http, or to a test's servers; NULL, or WASI's name of what went wrong. */
const char *behalf_door_send(const behalf_sent *sent, behalf_response *answer);

/* A mistake in the plugin: says so in the log and ends the call. */
_Noreturn void behalf_bug(const char *format, ...) BEHALF_PRINTF(1, 2);

#endif
