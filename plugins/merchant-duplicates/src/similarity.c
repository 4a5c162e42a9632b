#include "similarity.h"

#include <stdbool.h>

/* Shorter names differ in one letter by chance: Aldi is not Lidl. */
#define SHORTEST_TO_DIFFER 4

/* The next code point of a sound UTF-8 string, which ends at 0. */
static uint32_t next_letter(const unsigned char **at) {
    uint32_t letter = *(*at)++;
    if (letter < 0x80) return letter;
    int more = letter >= 0xf0 ? 3 : letter >= 0xe0 ? 2 : 1;
    letter &= 0x3fu >> more;
    while (more-- && **at) letter = letter << 6 | (*(*at)++ & 0x3f);
    return letter;
}

static uint32_t lower(uint32_t letter) {
    bool upper = (letter >= 'A' && letter <= 'Z') || (letter >= 0xc0 && letter <= 0xde && letter != 0xd7);
    return upper ? letter + 0x20 : letter;
}

/* ASCII's and Latin-1's signs, and the punctuation of U+2000 to U+206F: dashes, quotes, spaces. */
static bool says_nothing(uint32_t letter) {
    if (letter < 0x80) return !((letter >= 'a' && letter <= 'z') || (letter >= '0' && letter <= '9'));
    return letter < 0xc0 || letter == 0xd7 || letter == 0xf7 || (letter >= 0x2000 && letter <= 0x206f);
}

void fold_name(const char *name, folded_name *folded) {
    const unsigned char *at = (const unsigned char *)name;
    folded->length = 0;
    while (*at && folded->length < NAME_LETTERS) {
        uint32_t letter = lower(next_letter(&at));
        if (!says_nothing(letter)) folded->letters[folded->length++] = letter;
    }
}

static size_t least_of(size_t a, size_t b) {
    return a < b ? a : b;
}

size_t edit_distance(const folded_name *a, const folded_name *b, size_t most, uint64_t *steps) {
    if (a->length > b->length) {
        const folded_name *longer = a;
        a = b;
        b = longer;
    }
    const size_t too_many = most + 1;
    if (b->length - a->length > most) return too_many;
    /* Three rows of the table: row[j] is the distance of the first i letters of a and the first j of b. Only cells
     * within `most` of the diagonal can matter. */
    size_t table[3][NAME_LETTERS + 1];
    size_t *older = table[0], *old = table[1], *row = table[2];
    for (size_t j = 0; j <= b->length; j++) old[j] = j;
    for (size_t i = 1; i <= a->length; i++) {
        size_t from = i > most ? i - most : 1, to = least_of(b->length, i + most), best = too_many;
        row[from - 1] = from == 1 ? i : too_many;
        for (size_t j = from; j <= to; j++) {
            uint32_t x = a->letters[i - 1], y = b->letters[j - 1];
            size_t cell = old[j - 1] + (x != y);
            cell = least_of(cell, row[j - 1] + 1);
            /* The cell above is outside the band at its end. */
            if (j < i + most) cell = least_of(cell, old[j] + 1);
            if (i > 1 && j > 1 && x == b->letters[j - 2] && a->letters[i - 2] == y) cell = least_of(cell, older[j - 2] + 1);
            row[j] = least_of(cell, too_many);
            best = least_of(best, row[j]);
        }
        *steps += to - from + 1;
        if (best > most) return too_many;
        size_t *oldest = older;
        older = old;
        old = row;
        row = oldest;
    }
    return least_of(old[b->length], too_many);
}

double similarity(const folded_name *a, const folded_name *b, double least, uint64_t *steps) {
    size_t longest = a->length > b->length ? a->length : b->length, shortest = least_of(a->length, b->length);
    if (shortest == 0) return 0;
    size_t most = shortest < SHORTEST_TO_DIFFER ? 0 : (size_t)((1 - least) * (double)longest + 1e-9);
    size_t distance = edit_distance(a, b, most, steps);
    return distance > most ? 0 : 1 - (double)distance / (double)longest;
}
