#include "names.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* The next code point of a sound UTF-8 string, which ends at 0. */
static uint32_t next_letter(const unsigned char **at) {
    uint32_t letter = *(*at)++;
    if (letter < 0x80) return letter;
    int more = letter >= 0xf0 ? 3 : letter >= 0xe0 ? 2 : 1;
    letter &= 0x3fu >> more;
    while (more-- && **at) letter = letter << 6 | (*(*at)++ & 0x3f);
    return letter;
}

/* U+00C0 to U+017F without their accents, in small letters. Two letters stand for one where a language writes it so. */
static const char *const LATIN[] = {
    "a", "a", "a", "a", "a", "a", "a", "c", "e", "e", "e", "e", "i", "i", "i", "i", "d", "n", "o", "o", "o", "o", "o", "", "o", "u",
    "u", "u", "u", "y", "th", "ss", "a", "a", "a", "a", "a", "a", "a", "c", "e", "e", "e", "e", "i", "i", "i", "i", "d", "n", "o", "o",
    "o", "o", "o", "", "o", "u", "u", "u", "u", "y", "th", "y", "a", "a", "a", "a", "a", "a", "c", "c", "c", "c", "c", "c", "c", "c",
    "d", "d", "d", "d", "e", "e", "e", "e", "e", "e", "e", "e", "e", "e", "g", "g", "g", "g", "g", "g", "g", "g", "h", "h", "h", "h",
    "i", "i", "i", "i", "i", "i", "i", "i", "i", "i", "ij", "ij", "j", "j", "k", "k", "k", "l", "l", "l", "l", "l", "l", "l", "l", "l",
    "l", "n", "n", "n", "n", "n", "n", "n", "n", "n", "o", "o", "o", "o", "o", "o", "o", "o", "r", "r", "r", "r", "r", "r", "s", "s",
    "s", "s", "s", "s", "s", "s", "t", "t", "t", "t", "t", "t", "u", "u", "u", "u", "u", "u", "u", "u", "u", "u", "u", "u", "w", "w",
    "y", "y", "y", "z", "z", "z", "z", "z", "z", "s",
};
_Static_assert(sizeof LATIN / sizeof *LATIN == 0x180 - 0xc0, "each letter has its place");

/* What people put before a name, and do not always. */
static const char *const TITLES[] = {"dr", "prof", "mr", "mrs", "ms", "mx", "herr", "frau"};

typedef struct {
    uint32_t letters[NAME_LETTERS];
    size_t length;
} word;

static void add_letter(word *to, uint32_t letter) {
    /* ae, oe and ue are how a, o and u with two points are written without them. Both names are folded, so nothing is lost where they
     * are not. */
    uint32_t last = to->length > 0 ? to->letters[to->length - 1] : 0;
    if (letter == 'e' && (last == 'a' || last == 'o' || last == 'u')) return;
    if (to->length < NAME_LETTERS) to->letters[to->length++] = letter;
}

/* Greek and Cyrillic have small letters at a fixed distance. */
static uint32_t lower(uint32_t letter) {
    if ((letter >= 0x391 && letter <= 0x3a9) || (letter >= 0x410 && letter <= 0x42f)) return letter + 0x20;
    if (letter >= 0x400 && letter <= 0x40f) return letter + 0x50;
    return letter;
}

/* Adds what a code point means to a word. False where it ends the word: a space, punctuation. */
static bool add_code_point(word *to, uint32_t point) {
    if (point >= 'A' && point <= 'Z') point += 'a' - 'A';
    if (point < 0x80) {
        /* O'Neill and ONeill are one. */
        if (point == '\'') return true;
        bool is_letter = (point >= 'a' && point <= 'z') || (point >= '0' && point <= '9');
        if (is_letter) add_letter(to, point);
        return is_letter;
    }
    if (point >= 0xc0 && point < 0x180) {
        for (const char *letter = LATIN[point - 0xc0]; *letter; letter++) add_letter(to, (uint32_t)*letter);
        return true;
    }
    /* Accents of their own, and the apostrophe of typographers. */
    if ((point >= 0x300 && point < 0x370) || point == 0x2019) return true;
    /* Signs of Latin-1, punctuation, spaces, the signs of CJK. */
    if (point < 0xc0 || (point >= 0x2000 && point < 0x2070) || (point >= 0x3000 && point < 0x3004) || point == 0xfffd) return false;
    add_letter(to, lower(point));
    return true;
}

static bool is_title(const word *one) {
    for (size_t i = 0; i < sizeof TITLES / sizeof *TITLES; i++) {
        size_t length = strlen(TITLES[i]), same = 0;
        while (same < length && same < one->length && one->letters[same] == (unsigned char)TITLES[i][same]) same++;
        if (same == length && one->length == length) return true;
    }
    return false;
}

static int by_letters(const void *left, const void *right) {
    const word *a = left, *b = right;
    for (size_t i = 0; i < a->length && i < b->length; i++) {
        if (a->letters[i] != b->letters[i]) return a->letters[i] < b->letters[i] ? -1 : 1;
    }
    return a->length < b->length ? -1 : a->length > b->length;
}

void fold_name(const char *name, folded_name *folded) {
    word words[NAME_WORDS] = {0};
    size_t count = 0, named = 0;
    const unsigned char *at = (const unsigned char *)name;
    while (*at && count < NAME_WORDS) {
        bool goes_on = add_code_point(&words[count], next_letter(&at));
        if ((!goes_on || !*at) && words[count].length > 0) count++;
    }
    for (size_t i = 0; i < count; i++) named += !is_title(&words[i]);
    if (named > 0) {
        /* Somebody who is called nothing but Herr is called so. */
        size_t kept = 0;
        for (size_t i = 0; i < count; i++) {
            if (!is_title(&words[i])) words[kept++] = words[i];
        }
        count = kept;
    }
    qsort(words, count, sizeof *words, by_letters);
    folded->length = 0;
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < words[i].length && folded->length < NAME_LETTERS; j++) {
            folded->letters[folded->length++] = words[i].letters[j];
        }
        if (folded->length < NAME_LETTERS) folded->letters[folded->length++] = ' ';
    }
}

static size_t least_of(size_t a, size_t b) {
    return a < b ? a : b;
}

/* How many letters have to be put in, left out or replaced. */
static size_t edit_distance(const folded_name *a, const folded_name *b) {
    size_t row[NAME_LETTERS + 1];
    for (size_t j = 0; j <= b->length; j++) row[j] = j;
    for (size_t i = 1; i <= a->length; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b->length; j++) {
            size_t above = row[j], replaced = diagonal + (a->letters[i - 1] != b->letters[j - 1]);
            row[j] = least_of(replaced, least_of(above, row[j - 1]) + 1);
            diagonal = above;
        }
    }
    return row[b->length];
}

/* Each letter with the two before it; words begin as if two spaces were before them. Sorted, each once. */
static size_t trigrams(const folded_name *name, uint64_t *found) {
    uint32_t before = ' ', last = ' ';
    size_t count = 0;
    for (size_t i = 0; i < name->length; i++) {
        uint64_t gram = (uint64_t)before << 42 | (uint64_t)last << 21 | name->letters[i];
        size_t place = count;
        while (place > 0 && found[place - 1] > gram) place--;
        bool known = place > 0 && found[place - 1] == gram;
        if (!known) {
            memmove(found + place + 1, found + place, (count - place) * sizeof *found);
            found[place] = gram;
            count++;
        }
        before = name->letters[i] == ' ' ? ' ' : last;
        last = name->letters[i];
    }
    return count;
}

static double shared_trigrams(const folded_name *a, const folded_name *b) {
    uint64_t of_a[NAME_LETTERS + 1], of_b[NAME_LETTERS + 1];
    size_t count_a = trigrams(a, of_a), count_b = trigrams(b, of_b), shared = 0;
    for (size_t i = 0, j = 0; i < count_a && j < count_b;) {
        if (of_a[i] == of_b[j]) shared++;
        uint64_t one = of_a[i], other = of_b[j];
        i += one <= other;
        j += other <= one;
    }
    return 2.0 * (double)shared / (double)(count_a + count_b);
}

double similarity(const folded_name *a, const folded_name *b) {
    if (a->length == 0 || b->length == 0) return 0;
    size_t longest = a->length > b->length ? a->length : b->length;
    double edited = 1 - (double)edit_distance(a, b) / (double)longest, shared = shared_trigrams(a, b);
    return edited > shared ? edited : shared;
}
