/* The stores of the mocked host's plugin: one for each user, or one that callers share. As on the host, what is written is undone with
 * its call or its scope. */

#define MOST_ENTRIES 256
/* Bytes of a key and of a value, and keys of one answer, as on the host. */
#define MOST_KEY 256
#define MOST_VALUE 65536
#define MOST_KEYS 1000

typedef struct {
    /* NULL in the store that callers share. */
    const char *user;
    const char *key;
    const char *json;
} entry;

/* In the order of the keys' bytes. */
typedef struct {
    entry entries[MOST_ENTRIES];
    size_t count;
} stores;

static struct {
    stores now;
    /* What there was at the begin of each open scope, and at the begin of the call or at its last commit. */
    stores before_scopes[MOST_SCOPES];
    stores before_call;
    bool shared;
    const char *code, *message;
} kv;

void behalf_mock_forget_stores(void) {
    memset(&kv, 0, sizeof kv);
}

static void begin_stores(void) {
    kv.before_call = kv.now;
}

static void end_stores(bool keep) {
    if (!keep) kv.now = kv.before_call;
}

static void begin_scope_of_stores(size_t scope) {
    kv.before_scopes[scope] = kv.now;
}

static void end_scope_of_stores(size_t scope, bool keep) {
    if (!keep) kv.now = kv.before_scopes[scope];
}

static const char *owner(void) {
    return kv.shared ? NULL : mock.subject;
}

static entry *find_entry(const char *key) {
    for (size_t i = 0; i < kv.now.count; i++) {
        entry *one = &kv.now.entries[i];
        if (same_user(one->user, owner()) && strcmp(one->key, key) == 0) return one;
    }
    return NULL;
}

static void put_entry(const char *key, const char *json) {
    entry *found = find_entry(key);
    if (found) {
        found->json = json;
        return;
    }
    if (kv.now.count == MOST_ENTRIES) behalf_test_fail(__FILE__, __LINE__, "more than %d entries", MOST_ENTRIES);
    size_t at = kv.now.count++;
    for (; at > 0 && strcmp(kv.now.entries[at - 1].key, key) > 0; at--) kv.now.entries[at] = kv.now.entries[at - 1];
    kv.now.entries[at] = (entry){.user = owner(), .key = key, .json = json};
}

void behalf_mock_kv(const char *key, const char *json) {
    put_entry(key, json);
}

const char *behalf_mock_kv_value(const char *key) {
    entry *found = find_entry(key);
    return found ? found->json : NULL;
}

void behalf_mock_kv_shared(void) {
    kv.shared = true;
}

void behalf_mock_kv_error(const char *code, const char *message) {
    kv.code = code;
    kv.message = message;
}

static bool refuse_kv(behalf_tool_kv_error_t *error, const char *code, const char *message) {
    *error = (behalf_tool_kv_error_t){.code = string(code), .message = string(message)};
    return false;
}

/* Whether operations are answered at all. The store is part of the call's transaction: after a failed statement it is out of reach. */
static bool may_use_store(behalf_tool_kv_error_t *error) {
    if (kv.code) return refuse_kv(error, kv.code, kv.message);
    if (mock.failure || (mock.scope_count > 0 && mock.scopes[mock.scope_count - 1])) {
        return refuse_kv(error, "aborted", "an earlier statement of this call, or of the open scope, failed, so its work was undone");
    }
    return kv.shared || mock.subject ||
        refuse_kv(error, "denied", "each user has a store of this plugin, and this call is made for no user");
}

static bool is_key(const tool_plugin_string_t *key, behalf_tool_kv_error_t *error) {
    if (key->len >= 1 && key->len <= MOST_KEY) return true;
    return refuse_kv(error, "invalid", "a key has 1 to 256 bytes, and no zero byte");
}

static bool is_value(const tool_plugin_string_t *value, behalf_tool_kv_error_t *error) {
    if (value->len > MOST_VALUE) return refuse_kv(error, "invalid", "a value has at most 65536 bytes");
    return behalf_parse(text_of(value)) || refuse_kv(error, "invalid", "a value is JSON");
}

bool behalf_tool_kv_get(tool_plugin_string_t *key, tool_plugin_option_string_t *ret, behalf_tool_kv_error_t *err) {
    if (!may_use_store(err) || !is_key(key, err)) return false;
    entry *found = find_entry(text_of(key));
    *ret = (tool_plugin_option_string_t){.is_some = found};
    if (found) ret->val = string(found->json);
    return true;
}

bool behalf_tool_kv_set(tool_plugin_string_t *key, tool_plugin_string_t *value, behalf_tool_kv_error_t *err) {
    if (!may_use_store(err) || !is_key(key, err) || !is_value(value, err)) return false;
    put_entry(text_of(key), text_of(value));
    return true;
}

bool behalf_tool_kv_replace(tool_plugin_string_t *key, tool_plugin_string_t *maybe_old, tool_plugin_string_t *value, bool *ret,
                            behalf_tool_kv_error_t *err) {
    if (!may_use_store(err) || !is_key(key, err) || !is_value(value, err)) return false;
    entry *found = find_entry(text_of(key));
    *ret = found && maybe_old ? strcmp(found->json, text_of(maybe_old)) == 0 : !found && !maybe_old;
    if (*ret) put_entry(text_of(key), text_of(value));
    return true;
}

bool behalf_tool_kv_remove(tool_plugin_string_t *key, bool *ret, behalf_tool_kv_error_t *err) {
    if (!may_use_store(err) || !is_key(key, err)) return false;
    entry *found = find_entry(text_of(key));
    *ret = found;
    if (found) {
        size_t after = kv.now.count - (size_t)(found - kv.now.entries) - 1;
        memmove(found, found + 1, after * sizeof *found);
        kv.now.count--;
    }
    return true;
}

bool behalf_tool_kv_keys(tool_plugin_string_t *prefix, tool_plugin_string_t *maybe_after, uint32_t limit,
                         tool_plugin_list_string_t *ret, behalf_tool_kv_error_t *err) {
    if (!may_use_store(err)) return false;
    if (limit < 1 || limit > MOST_KEYS) return refuse_kv(err, "invalid", "the limit is a number from 1 to 1000");
    const char *first = text_of(prefix), *after = maybe_after ? text_of(maybe_after) : NULL;
    *ret = (tool_plugin_list_string_t){behalf_alloc((kv.now.count + 1) * sizeof *ret->ptr), 0};
    for (size_t i = 0; i < kv.now.count && ret->len < limit; i++) {
        entry *one = &kv.now.entries[i];
        if (!same_user(one->user, owner()) || strncmp(one->key, first, strlen(first)) != 0) continue;
        if (after && strcmp(one->key, after) <= 0) continue;
        ret->ptr[ret->len++] = string(one->key);
    }
    return true;
}
