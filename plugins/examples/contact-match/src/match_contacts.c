/* Finds contacts of the caller that probably are one person. No statement here names a user: row-level security leaves only the rows of
 * the person the call is for, whoever that is. */
#include "match_contacts.h"

#include <stdlib.h>
#include <string.h>

#include "names.h"

/* Contacts are read in pages, because a host gives a statement a limited number of rows. */
#define PAGE 500
#define MOST_PAGES 20

static const char CONTACTS[] = "select id, coalesce(name, '') as name, nullif(btrim(email), '') as email"
                               " from public.contacts"
                               " where $1::uuid is null or id > $1::uuid"
                               " order by id limit $2";

typedef struct {
    const char *id;
    const char *name;
    /* NULL where there is none. */
    const char *email;
    const char *reason;
    double score;
} match;

typedef struct {
    match *all;
    size_t count;
    size_t room;
    size_t compared;
    /* Whether contacts were not read. */
    bool cut;
} matches;

typedef struct {
    folded_name name;
    /* NULL where it is not known. */
    const char *email;
    double least;
} wanted_person;

/* Addresses differ in nothing but the case of ASCII letters: that is all that mail servers agree about. */
static bool is_same_address(const char *a, const char *b) {
    while (*a && *b) {
        char x = *a++, y = *b++;
        if (x >= 'A' && x <= 'Z') x = (char)(x + 'a' - 'A');
        if (y >= 'A' && y <= 'Z') y = (char)(y + 'a' - 'A');
        if (x != y) return false;
    }
    return *a == *b;
}

/* Without the spaces around it; NULL where nothing is left. */
static const char *trimmed(const char *text) {
    size_t length = strlen(text);
    while (length > 0 && text[length - 1] == ' ') length--;
    while (length > 0 && *text == ' ') text++, length--;
    return length > 0 ? behalf_copy(text, length) : NULL;
}

static void compare(const wanted_person *wanted, match contact, matches *found) {
    folded_name name;
    fold_name(contact.name, &name);
    contact.score = similarity(&wanted->name, &name);
    contact.reason = contact.score == 1 ? "same_name" : "similar_name";
    if (wanted->email && contact.email && is_same_address(wanted->email, contact.email)) {
        contact.score = 1;
        contact.reason = "same_email";
    }
    found->compared++;
    if (contact.score < wanted->least) return;
    if (found->count == found->room) {
        /* Nothing is freed before the call ends, so the room doubles. */
        found->room = found->room ? found->room * 2 : 64;
        match *larger = behalf_alloc(found->room * sizeof *larger);
        if (found->count) memcpy(larger, found->all, found->count * sizeof *larger);
        found->all = larger;
    }
    found->all[found->count++] = contact;
}

/* Reads all contacts. False where a statement failed. */
static bool find_matches(const wanted_person *wanted, matches *found) {
    const char *last = NULL;
    for (size_t page = 0; page < MOST_PAGES; page++) {
        behalf_rows *rows = behalf_query(CONTACTS, behalf_text(last), behalf_int(PAGE));
        if (!rows) return false;
        size_t count = behalf_row_count(rows);
        for (size_t row = 0; row < count; row++) {
            match contact = {
                .id = behalf_row_text(rows, row, "id"),
                .name = behalf_row_text(rows, row, "name"),
                .email = behalf_row_text(rows, row, "email"),
            };
            compare(wanted, contact, found);
            last = contact.id;
        }
        /* A page may be short because the host cut it. Without any row there is no place to go on from. */
        if (count == 0 || (count < PAGE && !rows->truncated)) {
            found->cut = rows->truncated;
            return true;
        }
    }
    found->cut = true;
    return true;
}

/* Of contacts that are as alike, one with the same address is first, and then the one with the smaller id, so that the order is always the
 * same. */
static int most_alike_first(const void *left, const void *right) {
    const match *a = left, *b = right;
    if (a->score != b->score) return a->score < b->score ? 1 : -1;
    int by_reason = strcmp(a->reason, b->reason);
    return by_reason ? by_reason : strcmp(a->id, b->id);
}

static yyjson_mut_val *match_contacts(yyjson_val *arguments) {
    wanted_person wanted = {
        .email = trimmed(behalf_get_text(arguments, "email", "")),
        .least = behalf_get_real(arguments, "min_score", 0.7),
    };
    size_t limit = (size_t)behalf_get_int(arguments, "limit", 5);
    fold_name(behalf_get_text(arguments, "name", ""), &wanted.name);
    if (wanted.name.length == 0 && !wanted.email) {
        return behalf_invalid("The name has no letters; give the person's name or address.");
    }

    matches found = {0};
    /* All pages are of one moment, so no contact is missed or read twice. */
    if (!behalf_begin_scope()) return NULL;
    if (!find_matches(&wanted, &found)) return NULL;
    if (!behalf_end_scope(true)) return NULL;
    if (found.count) qsort(found.all, found.count, sizeof *found.all, most_alike_first);
    if (found.cut) behalf_log(BEHALF_WARN, "there are more than %zu contacts", found.compared);

    yyjson_mut_val *list = behalf_array();
    for (size_t i = 0; i < found.count && i < limit; i++) {
        const match *one = &found.all[i];
        yyjson_mut_val *contact = behalf_object();
        behalf_put_text(contact, "id", one->id);
        behalf_put_text(contact, "name", one->name);
        behalf_put_text(contact, "email", one->email);
        behalf_put_real(contact, "score", (double)(int64_t)(one->score * 100 + 0.5) / 100);
        behalf_put_text(contact, "reason", one->reason);
        behalf_add(list, contact);
    }
    yyjson_mut_val *result = behalf_object();
    behalf_put(result, "matches", list);
    behalf_put_int(result, "contacts_compared", (int64_t)found.compared);
    behalf_put_bool(result, "truncated", found.cut || found.count > limit);
    return result;
}

const behalf_tool behalf_tools[] = {
    {"match_contacts", match_contacts_definition, match_contacts},
    {0},
};
