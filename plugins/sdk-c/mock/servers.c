/* The servers of the mocked host: what the test says that they answer, and what the tool sent. */

#define MOST_ANSWERS 64
#define MOST_REQUESTS 64

typedef struct {
    const char *part;
    const char *content_type;
    const char *body;
    const char *failure;
    int status;
} served;

static struct {
    served answers[MOST_ANSWERS];
    size_t answer_count;
    const char *requests[MOST_REQUESTS];
    const char *bodies[MOST_REQUESTS];
    size_t request_count;
} servers;

void behalf_mock_forget_servers(void) {
    memset(&servers, 0, sizeof servers);
}

static void add_served(served new) {
    if (servers.answer_count == MOST_ANSWERS) behalf_test_fail(__FILE__, __LINE__, "more than %d answers", MOST_ANSWERS);
    servers.answers[servers.answer_count++] = new;
}

void behalf_mock_response(const char *part, int status, const char *content_type, const char *body) {
    add_served((served){.part = part, .status = status, .content_type = content_type, .body = body});
}

void behalf_mock_http_error(const char *part, const char *name) {
    add_served((served){.part = part, .failure = name});
}

const char *behalf_mock_request(size_t index) {
    return index < servers.request_count ? servers.requests[index] : NULL;
}

const char *behalf_mock_request_body(size_t index) {
    return index < servers.request_count ? servers.bodies[index] : NULL;
}

const char *behalf_door_send(const behalf_sent *sent, behalf_response *answer) {
    const char *line = behalf_format("%s %s://%s%s", sent->method, sent->scheme, sent->authority, sent->path);
    if (servers.request_count == MOST_REQUESTS) behalf_test_fail(__FILE__, __LINE__, "more than %d requests", MOST_REQUESTS);
    servers.requests[servers.request_count] = line;
    servers.bodies[servers.request_count++] = sent->body ? behalf_copy((const char *)sent->body, sent->body_size) : "";
    for (size_t i = servers.answer_count; i-- > 0;) {
        const served *found = &servers.answers[i];
        if (!strstr(line, found->part)) continue;
        if (found->failure) return found->failure;
        behalf_header *type = behalf_alloc(sizeof *type);
        *type = (behalf_header){"content-type", found->content_type};
        answer->status = found->status;
        answer->headers = type;
        answer->header_count = 1;
        answer->text = found->body;
        answer->bytes = (const uint8_t *)found->body;
        answer->count = strlen(found->body);
        return NULL;
    }
    behalf_test_fail(__FILE__, __LINE__, "the test has no answer to this request: %s", line);
}
