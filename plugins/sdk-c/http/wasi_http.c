/* Requests through wasi:http, by the canonical ABI. The functions are those of wasi_http.wit, whose description the object file beside
 * this one carries; a plugin that sends nothing imports none of them. */
#include "../src/internal.h"

#define TYPES "wasi:http/types@0.2.0"
#define STREAMS "wasi:io/streams@0.2.0"
#define IMPORT(module, name) __attribute__((__import_module__(module), __import_name__(name)))

/* Bytes that a stream takes at once, and that are asked of one. */
#define WRITTEN 4096
#define READ 65536

IMPORT(TYPES, "[constructor]fields") extern int32_t new_fields(void);
IMPORT(TYPES, "[method]fields.append")
extern void append_field(int32_t, const char *, size_t, const char *, size_t, uint8_t *);
IMPORT(TYPES, "[method]fields.entries") extern void field_entries(int32_t, uint8_t *);
IMPORT(TYPES, "[constructor]outgoing-request") extern int32_t new_request(int32_t);
IMPORT(TYPES, "[method]outgoing-request.set-method") extern int32_t set_method(int32_t, int32_t, const char *, size_t);
IMPORT(TYPES, "[method]outgoing-request.set-scheme")
extern int32_t set_scheme(int32_t, int32_t, int32_t, const char *, size_t);
IMPORT(TYPES, "[method]outgoing-request.set-authority")
extern int32_t set_authority(int32_t, int32_t, const char *, size_t);
IMPORT(TYPES, "[method]outgoing-request.set-path-with-query")
extern int32_t set_path(int32_t, int32_t, const char *, size_t);
IMPORT(TYPES, "[method]outgoing-request.body") extern void request_body(int32_t, uint8_t *);
IMPORT(TYPES, "[constructor]request-options") extern int32_t new_options(void);
IMPORT(TYPES, "[method]request-options.set-connect-timeout")
extern int32_t set_connect_timeout(int32_t, int32_t, int64_t);
IMPORT(TYPES, "[method]request-options.set-first-byte-timeout")
extern int32_t set_first_byte_timeout(int32_t, int32_t, int64_t);
IMPORT(TYPES, "[method]outgoing-body.write") extern void body_stream(int32_t, uint8_t *);
IMPORT(TYPES, "[static]outgoing-body.finish") extern void finish_body(int32_t, int32_t, int32_t, uint8_t *);
IMPORT("wasi:http/outgoing-handler@0.2.0", "handle") extern void handle_request(int32_t, int32_t, int32_t, uint8_t *);
IMPORT(TYPES, "[method]future-incoming-response.subscribe") extern int32_t subscribe(int32_t);
IMPORT(TYPES, "[method]future-incoming-response.get") extern void get_response(int32_t, uint8_t *);
IMPORT(TYPES, "[method]incoming-response.status") extern int32_t response_status(int32_t);
IMPORT(TYPES, "[method]incoming-response.headers") extern int32_t response_headers(int32_t);
IMPORT(TYPES, "[method]incoming-response.consume") extern void response_body(int32_t, uint8_t *);
IMPORT(TYPES, "[method]incoming-body.stream") extern void incoming_stream(int32_t, uint8_t *);
IMPORT(TYPES, "http-error-code") extern void http_error_code(int32_t, uint8_t *);
IMPORT(STREAMS, "[method]input-stream.blocking-read") extern void read_stream(int32_t, int64_t, uint8_t *);
IMPORT(STREAMS, "[method]output-stream.blocking-write-and-flush")
extern void write_stream(int32_t, const uint8_t *, size_t, uint8_t *);
IMPORT(STREAMS, "[resource-drop]output-stream") extern void drop_output_stream(int32_t);
IMPORT("wasi:io/poll@0.2.0", "[method]pollable.block") extern void block(int32_t);
IMPORT("wasi:io/poll@0.2.0", "[resource-drop]pollable") extern void drop_pollable(int32_t);

/* The cases of `error-code`, in their order. */
static const char *const error_names[] = {
    "DNS-timeout", "DNS-error", "destination-not-found", "destination-unavailable", "destination-IP-prohibited",
    "destination-IP-unroutable", "connection-refused", "connection-terminated", "connection-timeout",
    "connection-read-timeout", "connection-write-timeout", "connection-limit-reached", "TLS-protocol-error",
    "TLS-certificate-error", "TLS-alert-received", "HTTP-request-denied", "HTTP-request-length-required",
    "HTTP-request-body-size", "HTTP-request-method-invalid", "HTTP-request-URI-invalid", "HTTP-request-URI-too-long",
    "HTTP-request-header-section-size", "HTTP-request-header-size", "HTTP-request-trailer-section-size",
    "HTTP-request-trailer-size", "HTTP-response-incomplete", "HTTP-response-header-section-size",
    "HTTP-response-header-size", "HTTP-response-body-size", "HTTP-response-trailer-section-size",
    "HTTP-response-trailer-size", "HTTP-response-transfer-coding", "HTTP-response-content-coding",
    "HTTP-response-timeout", "HTTP-upgrade-failed", "HTTP-protocol-error", "loop-detected", "configuration-error",
    "internal-error",
};

static const char *error_name(uint8_t place) {
    return place < sizeof error_names / sizeof *error_names ? error_names[place] : "internal-error";
}

static int32_t number_at(const uint8_t *area, size_t offset) {
    int32_t number;
    memcpy(&number, area + offset, sizeof number);
    return number;
}

/* The name of an `error-code`, and after "internal-error: " what the host says of it. */
static const char *error_at(const uint8_t *error) {
    const char *name = error_name(error[0]);
    bool has_text = error[0] == sizeof error_names / sizeof *error_names - 1 && error[8];
    if (!has_text) return name;
    const char *text;
    memcpy(&text, error + 12, sizeof text);
    return behalf_format("%s: %s", name, behalf_copy(text, (size_t)number_at(error, 16)));
}

/* The cases of `method`, in their order; what is none of them is `other`. */
static int32_t method_case(const char *method) {
    static const char *const known[] = {"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"};
    int32_t place = 0;
    for (; place < (int32_t)(sizeof known / sizeof *known); place++) {
        if (strcmp(method, known[place]) == 0) break;
    }
    return place;
}

static const char *make_request(const behalf_sent *sent, int32_t *request) {
    uint8_t area[2];
    int32_t fields = new_fields();
    for (size_t i = 0; i < sent->header_count; i++) {
        const behalf_header *one = &sent->headers[i];
        append_field(fields, one->name, strlen(one->name), one->value, strlen(one->value), area);
        if (area[0]) return "invalid-header";
    }
    *request = new_request(fields);
    bool failed = set_method(*request, method_case(sent->method), sent->method, strlen(sent->method)) ||
                  set_scheme(*request, 1, strcmp(sent->scheme, "https") == 0, "", 0) ||
                  set_authority(*request, 1, sent->authority, strlen(sent->authority)) ||
                  set_path(*request, 1, sent->path, strlen(sent->path));
    return failed ? "HTTP-request-URI-invalid" : NULL;
}

/* Where it fails, the request was refused or cut off, and the answer says why. */
static void write_body(int32_t body, const uint8_t *bytes, size_t count) {
    _Alignas(8) uint8_t area[40];
    body_stream(body, area);
    if (area[0]) return;
    int32_t stream = number_at(area, 4);
    for (size_t at = 0; at < count; at += WRITTEN) {
        write_stream(stream, bytes + at, count - at < WRITTEN ? count - at : WRITTEN, area);
        if (area[0]) return;
    }
    drop_output_stream(stream);
    finish_body(body, 0, 0, area);
}

/* Begins the request; the error's name, or NULL and what to wait for. */
static const char *begin(const behalf_sent *sent, int32_t *pending) {
    _Alignas(8) uint8_t area[40];
    int32_t request, body = 0, options = 0;
    const char *failed = make_request(sent, &request);
    if (failed) return failed;
    /* A request whose body was asked for would be sent in chunks, which servers do not expect of a GET. */
    if (sent->body) {
        request_body(request, area);
        body = number_at(area, 4);
    }
    if (sent->timeout_ms) {
        options = new_options();
        int64_t nanoseconds = (int64_t)sent->timeout_ms * 1000000;
        set_connect_timeout(options, 1, nanoseconds);
        set_first_byte_timeout(options, 1, nanoseconds);
    }
    handle_request(request, sent->timeout_ms != 0, options, area);
    if (area[0]) return error_at(area + 8);
    *pending = number_at(area, 8);
    if (sent->body) write_body(body, sent->body, sent->body_size);
    return NULL;
}

static void read_headers(int32_t response, behalf_response *answer) {
    _Alignas(4) uint8_t area[8];
    field_entries(response_headers(response), area);
    const tool_plugin_string_t *entries;
    memcpy(&entries, area, sizeof entries);
    answer->header_count = (size_t)number_at(area, 4);
    behalf_header *headers = behalf_alloc((answer->header_count + 1) * sizeof *headers);
    for (size_t i = 0; i < answer->header_count; i++) {
        headers[i].name = behalf_copy((const char *)entries[2 * i].ptr, entries[2 * i].len);
        headers[i].value = behalf_copy((const char *)entries[2 * i + 1].ptr, entries[2 * i + 1].len);
    }
    answer->headers = headers;
}

/* Reads the whole body; the error's name, or NULL. */
static const char *read_body(int32_t response, behalf_response *answer) {
    _Alignas(8) uint8_t area[40];
    response_body(response, area);
    incoming_stream(number_at(area, 4), area);
    int32_t stream = number_at(area, 4);
    size_t room = READ, count = 0;
    uint8_t *bytes = behalf_take(room, 1);
    for (;;) {
        read_stream(stream, READ, area);
        if (area[0]) break;
        const uint8_t *piece;
        memcpy(&piece, area + 4, sizeof piece);
        size_t length = (size_t)number_at(area, 8);
        if (count + length > room) {
            room = 2 * (count + length);
            bytes = memcpy(behalf_take(room, 1), bytes, count);
        }
        memcpy(bytes + count, piece, length);
        count += length;
    }
    bool is_closed = area[4] == 1;
    if (!is_closed) {
        http_error_code(number_at(area, 8), area);
        return area[0] ? error_at(area + 8) : "HTTP-response-incomplete";
    }
    bytes[count] = 0;
    answer->bytes = bytes;
    answer->text = (const char *)bytes;
    answer->count = count;
    return NULL;
}

const char *behalf_door_send(const behalf_sent *sent, behalf_response *answer) {
    _Alignas(8) uint8_t area[56];
    int32_t pending;
    const char *failed = begin(sent, &pending);
    if (failed) return failed;
    for (get_response(pending, area); !area[0]; get_response(pending, area)) {
        int32_t ready = subscribe(pending);
        block(ready);
        drop_pollable(ready);
    }
    if (area[8]) return "internal-error";
    if (area[16]) return error_at(area + 24);
    int32_t response = number_at(area, 24);
    answer->status = response_status(response);
    read_headers(response, answer);
    return read_body(response, answer);
}
