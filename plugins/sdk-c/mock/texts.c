/* The documents and memories of the mocked host. Each belongs to one user; NULL is whoever has none. */

#include <ctype.h>

#define MOST_TEXTS 256
/* Passages of an answer where the tool does not say how many. */
#define TOP_K 5

typedef struct {
    const char *user;
    const char *base;
    const char *name;
    const char *text;
    const char *meta;
    const char *id;
} kept_text;

static struct {
    kept_text documents[MOST_TEXTS];
    size_t document_count;
    kept_text memories[MOST_TEXTS];
    size_t memory_count;
    size_t remembered;
    const char *search_code, *search_message;
    const char *memory_code, *memory_message;
} texts;

void behalf_mock_forget_texts(void) {
    memset(&texts, 0, sizeof texts);
}

static bool same_user(const char *one, const char *other) {
    return one && other ? strcmp(one, other) == 0 : one == other;
}

static const char *text_id(int kind, size_t place) {
    return behalf_format("00000000-0000-4000-%d000-%012zu", kind, place + 1);
}

static bool is_word(char c) {
    return isalnum((unsigned char)c) || (c & 0x80);
}

/* Whether `text` has the `length` bytes at `word` as a word of its own; capital letters aside. */
static bool has_word(const char *text, const char *word, size_t length) {
    for (const char *at = text; *at; at++) {
        if (at > text && is_word(at[-1])) continue;
        size_t same = 0;
        while (same < length && tolower((unsigned char)at[same]) == tolower((unsigned char)word[same])) same++;
        if (same == length && !is_word(at[length])) return true;
    }
    return false;
}

/* The share of the question's words that a text has. */
static float likeness(const char *question, const char *text) {
    size_t all = 0, shared = 0;
    for (const char *at = question; *at;) {
        size_t length = 0;
        while (is_word(at[length])) length++;
        if (length == 0) {
            at++;
            continue;
        }
        all++;
        shared += has_word(text, at, length);
        at += length;
    }
    return all ? (float)shared / (float)all : 0;
}

void behalf_mock_document(const char *user, const char *base, const char *name, const char *text) {
    if (texts.document_count == MOST_TEXTS) behalf_test_fail(__FILE__, __LINE__, "more than %d documents", MOST_TEXTS);
    texts.documents[texts.document_count++] = (kept_text){.user = user, .base = base, .name = name, .text = text};
}

void behalf_mock_search_error(const char *code, const char *message) {
    texts.search_code = code;
    texts.search_message = message;
}

static const char *keep_memory(const char *user, const char *text, const char *meta) {
    if (texts.memory_count == MOST_TEXTS) behalf_test_fail(__FILE__, __LINE__, "more than %d memories", MOST_TEXTS);
    const char *id = text_id(8, texts.remembered++);
    texts.memories[texts.memory_count++] = (kept_text){.user = user, .text = text, .meta = meta, .id = id};
    return id;
}

void behalf_mock_memory(const char *text) {
    keep_memory(mock.subject, text, "{}");
}

void behalf_mock_memory_error(const char *code, const char *message) {
    texts.memory_code = code;
    texts.memory_message = message;
}

const char *behalf_mock_remembered(size_t index) {
    for (size_t i = texts.memory_count; i-- > 0;) {
        if (same_user(texts.memories[i].user, mock.subject) && index-- == 0) return texts.memories[i].text;
    }
    return NULL;
}

static bool refuse_search(behalf_tool_knowledge_error_t *error, const char *code, const char *message) {
    *error = (behalf_tool_knowledge_error_t){.code = string(code), .message = string(message)};
    return false;
}

static bool has_base(yyjson_val *asked, const char *base) {
    yyjson_arr_iter names = yyjson_arr_iter_with(asked);
    for (yyjson_val *name; (name = yyjson_arr_iter_next(&names));) {
        if (yyjson_equals_str(name, base)) return true;
    }
    return false;
}

bool behalf_tool_knowledge_search(tool_plugin_string_t *text, tool_plugin_string_t *options,
                                  behalf_tool_knowledge_list_passage_t *ret, behalf_tool_knowledge_error_t *err) {
    const char *question = text_of(text);
    yyjson_val *how = behalf_parse(text_of(options)), *asked = behalf_get(how, "knowledge_bases");
    if (texts.search_code) return refuse_search(err, texts.search_code, texts.search_message);
    size_t most = (size_t)behalf_get_int(how, "top_k", TOP_K), fitting = 0;
    double least = behalf_get_real(how, "threshold", 0);
    *ret = (behalf_tool_knowledge_list_passage_t){behalf_alloc((texts.document_count + 1) * sizeof *ret->ptr), 0};
    for (size_t i = 0; i < texts.document_count; i++) {
        kept_text *one = &texts.documents[i];
        if (!same_user(one->user, mock.subject) || (asked && !has_base(asked, one->base))) continue;
        fitting++;
        float score = likeness(question, one->text);
        if (score < least) continue;
        yyjson_mut_val *meta = behalf_object();
        behalf_put_text(meta, "source_name", one->name);
        behalf_put_text(meta, "knowledge_base_id", one->base);
        size_t at = ret->len++;
        for (; at > 0 && ret->ptr[at - 1].score < score; at--) ret->ptr[at] = ret->ptr[at - 1];
        ret->ptr[at] = (behalf_tool_knowledge_passage_t){
            .chunk = string(text_id(8, i)),
            .source = string(text_id(9, i)),
            .text = string(one->text),
            .score = score,
            .meta = string(yyjson_mut_val_write_opts(meta, 0, &behalf_arena, NULL, NULL)),
        };
    }
    if (asked && fitting == 0) return refuse_search(err, "not_granted", "this call has no such knowledge base");
    if (ret->len > most) ret->len = most;
    return true;
}

static bool refuse_memory(behalf_tool_memory_error_t *error, const char *code, const char *message) {
    *error = (behalf_tool_memory_error_t){.code = string(code), .message = string(message)};
    return false;
}

/* Whether operations are answered at all. */
static bool may_remember(behalf_tool_memory_error_t *error) {
    if (texts.memory_code) return refuse_memory(error, texts.memory_code, texts.memory_message);
    return mock.subject || refuse_memory(error, "denied", "only a user has memories, and this call is made for no user");
}

bool behalf_tool_memory_remember(tool_plugin_string_t *text, tool_plugin_string_t *meta, tool_plugin_string_t *ret,
                                 behalf_tool_memory_error_t *err) {
    if (!may_remember(err)) return false;
    *ret = string(keep_memory(mock.subject, text_of(text), text_of(meta)));
    return true;
}

bool behalf_tool_memory_recall(tool_plugin_string_t *query, uint32_t top_k, behalf_tool_memory_list_entry_t *ret,
                               behalf_tool_memory_error_t *err) {
    if (!may_remember(err)) return false;
    const char *question = text_of(query);
    *ret = (behalf_tool_memory_list_entry_t){behalf_alloc((texts.memory_count + 1) * sizeof *ret->ptr), 0};
    for (size_t i = texts.memory_count; i-- > 0;) {
        kept_text *one = &texts.memories[i];
        if (!same_user(one->user, mock.subject)) continue;
        float score = likeness(question, one->text);
        size_t at = ret->len++;
        for (; at > 0 && ret->ptr[at - 1].score < score; at--) ret->ptr[at] = ret->ptr[at - 1];
        ret->ptr[at] = (behalf_tool_memory_entry_t){
            .id = string(one->id),
            .text = string(one->text),
            .score = score,
            .meta = string(one->meta),
            .created_at = string("2026-01-01T00:00:00Z"),
        };
    }
    if (ret->len > top_k) ret->len = top_k;
    return true;
}

bool behalf_tool_memory_forget(tool_plugin_string_t *id, bool *ret, behalf_tool_memory_error_t *err) {
    if (!may_remember(err)) return false;
    const char *which = text_of(id);
    *ret = false;
    for (size_t i = 0; i < texts.memory_count; i++) {
        kept_text *one = &texts.memories[i];
        if (!same_user(one->user, mock.subject) || strcmp(one->id, which) != 0) continue;
        memmove(one, one + 1, (texts.memory_count - i - 1) * sizeof *one);
        texts.memory_count--;
        *ret = true;
        break;
    }
    return true;
}
