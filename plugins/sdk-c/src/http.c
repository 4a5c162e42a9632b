/* Requests: what is sent, and what a failure means. */
#include "internal.h"

static bool is_one_of(const char *name, const char *const *names) {
    for (; *names; names++) {
        if (strcmp(name, *names) == 0) return true;
    }
    return false;
}

static void *http_error(const char *code, bool retryable, const char *message) {
    behalf_set_error((behalf_error){.code = code, .message = message, .retryable = retryable});
    return NULL;
}

/* The error for WASI's, by its name. */
static void *named_error(const char *name, const char *host) {
    static const char *const timeouts[] = {"DNS-timeout", "connection-timeout", "connection-read-timeout",
                                           "connection-write-timeout", "HTTP-response-timeout", NULL};
    static const char *const invalid[] = {"invalid-header", "HTTP-request-URI-invalid", "HTTP-request-method-invalid",
                                          NULL};
    static const char *const too_large[] = {"HTTP-response-body-size", "HTTP-response-header-section-size", NULL};
    static const char own_reason[] = "internal-error: ";
    if (strncmp(name, own_reason, sizeof own_reason - 1) == 0) {
        return http_error("refused", false, behalf_format("The request to %s failed: %s.", host, name + sizeof own_reason - 1));
    }
    if (strcmp(name, "HTTP-request-denied") == 0) {
        return http_error("denied", false,
                          behalf_format("The request to %s was denied: [grants.http] does not name this host and port, the tool says"
                                        " openWorldHint: false, it says readOnlyHint: true and sent more than GET and HEAD, or the"
                                        " call has sent too many.", host));
    }
    if (strcmp(name, "destination-IP-prohibited") == 0) {
        return http_error("denied", false, behalf_format("The request to %s was denied: it is in a private network.", host));
    }
    if (is_one_of(name, invalid)) {
        return http_error("invalid_request", false, behalf_format("The request to %s has no sound address, method or headers.", host));
    }
    if (strcmp(name, "HTTP-request-body-size") == 0) {
        return http_error("limit", false, behalf_format("The request to %s is larger than a tool may send.", host));
    }
    if (is_one_of(name, too_large)) {
        return http_error("limit", false, behalf_format("The answer of %s is larger than a tool may read.", host));
    }
    if (strcmp(name, "connection-limit-reached") == 0) {
        return http_error("limit", false, "The call has too many connections at once.");
    }
    if (is_one_of(name, timeouts)) return http_error("timeout", true, behalf_format("%s did not answer in time.", host));
    return http_error("unreachable", true, behalf_format("%s could not be reached (%s).", host, name));
}

/* Scheme, authority and path of an address; false where it is none. */
static bool split(const char *url, behalf_sent *sent) {
    const char *rest;
    if (strncmp(url, "https://", 8) == 0) {
        sent->scheme = "https";
        rest = url + 8;
    } else if (strncmp(url, "http://", 7) == 0) {
        sent->scheme = "http";
        rest = url + 7;
    } else {
        return false;
    }
    size_t authority = strcspn(rest, "/?#");
    if (authority == 0) return false;
    sent->authority = behalf_copy(rest, authority);
    if (strpbrk(sent->authority, "@ \t\r\n")) return false;
    const char *path = rest + authority;
    const char *whole = behalf_copy(path, strcspn(path, "#"));
    sent->path = *whole == '/' ? whole : behalf_format("/%s", whole);
    return true;
}

static bool has_header(const behalf_request *request, const char *name) {
    for (size_t i = 0; i < request->header_count; i++) {
        if (strcasecmp(request->headers[i].name, name) == 0) return true;
    }
    return false;
}

behalf_response *behalf_http_send(const behalf_request *request) {
    behalf_sent sent = {.method = request->method ? request->method : "GET", .timeout_ms = request->timeout_ms};
    if (!split(request->url, &sent)) {
        return http_error("invalid_request", false,
                          behalf_format("An address begins with https:// and a host, and has no user; this one does not: %.200s",
                                        request->url));
    }
    behalf_header *headers = behalf_alloc((request->header_count + 2) * sizeof *headers);
    if (request->header_count) memcpy(headers, request->headers, request->header_count * sizeof *headers);
    sent.header_count = request->header_count;
    if (!has_header(request, "accept")) headers[sent.header_count++] = (behalf_header){"accept", "*/*"};
    if (request->body) {
        sent.body = request->body;
        sent.body_size = request->body_size;
        /* Without it, the body would be sent in chunks, which not every server takes. */
        headers[sent.header_count++] = (behalf_header){"content-length", behalf_format("%zu", sent.body_size)};
    }
    sent.headers = headers;
    behalf_response *response = behalf_alloc(sizeof *response);
    *response = (behalf_response){.host = sent.authority};
    const char *failed = behalf_door_send(&sent, response);
    return failed ? named_error(failed, sent.authority) : response;
}

behalf_response *behalf_http_get(const char *url) {
    return behalf_http_send(&(behalf_request){.url = url});
}

behalf_response *behalf_http_post_json(const char *url, yyjson_mut_val *value) {
    size_t count;
    const char *body = yyjson_mut_val_write_opts(value, 0, &behalf_arena, &count, NULL);
    if (!body) return http_error("invalid_request", false, "The body of a request cannot be JSON.");
    behalf_header type = {"content-type", "application/json"};
    return behalf_http_send(&(behalf_request){
        .method = "POST", .url = url, .headers = &type, .header_count = 1, .body = body, .body_size = count});
}

const char *behalf_response_header(const behalf_response *response, const char *name) {
    for (size_t i = 0; i < response->header_count; i++) {
        if (strcasecmp(response->headers[i].name, name) == 0) return response->headers[i].value;
    }
    return NULL;
}

yyjson_val *behalf_response_json(const behalf_response *response) {
    if (!response) return NULL;
    yyjson_val *value = behalf_parse(response->text);
    /* The error says nothing of the body, which is not the caller's. */
    if (!value) http_error("not_json", false, behalf_format("%s answered with status %d and no JSON.", response->host, response->status));
    return value;
}

const char *behalf_url_escape(const char *text) {
    static const char digits[] = "0123456789ABCDEF";
    char *escaped = behalf_take(3 * strlen(text), 1), *to = escaped;
    for (const unsigned char *from = (const unsigned char *)text; *from; from++) {
        bool plain = (*from >= '0' && *from <= '9') || (*from >= 'a' && *from <= 'z') || (*from >= 'A' && *from <= 'Z') ||
                     strchr("-_.~", *from);
        if (plain) {
            *to++ = (char)*from;
        } else {
            *to++ = '%';
            *to++ = digits[*from >> 4];
            *to++ = digits[*from & 15];
        }
    }
    *to = 0;
    return escaped;
}
