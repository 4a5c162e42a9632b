#include "../src/similarity.h"

#include <stdlib.h>
#include <string.h>

#include "mock/behalf_mock.h"

static double alike(const char *a, const char *b) {
    folded_name left, right;
    uint64_t steps = 0;
    fold_name(a, &left);
    fold_name(b, &right);
    return similarity(&left, &right, 0.6, &steps);
}

/* The textbook's way, without a band. */
static size_t plain_distance(const folded_name *a, const folded_name *b) {
    size_t table[NAME_LETTERS + 1][NAME_LETTERS + 1];
    for (size_t i = 0; i <= a->length; i++) {
        for (size_t j = 0; j <= b->length; j++) {
            if (!i || !j) {
                table[i][j] = i + j;
                continue;
            }
            size_t cell = table[i - 1][j - 1] + (a->letters[i - 1] != b->letters[j - 1]);
            if (table[i - 1][j] + 1 < cell) cell = table[i - 1][j] + 1;
            if (table[i][j - 1] + 1 < cell) cell = table[i][j - 1] + 1;
            bool swapped = i > 1 && j > 1 && a->letters[i - 1] == b->letters[j - 2] && a->letters[i - 2] == b->letters[j - 1];
            if (swapped && table[i - 2][j - 2] + 1 < cell) cell = table[i - 2][j - 2] + 1;
            table[i][j] = cell;
        }
    }
    return table[a->length][b->length];
}

BEHALF_TEST(case_spaces_and_punctuation_say_nothing) {
    BEHALF_CHECK(alike("Green Grocer", "GREEN-GROCER!") == 1);
    BEHALF_CHECK(alike("Caf\u00c9 \u2013 Zentral", "caf\u00e9 zentral") == 1);
    BEHALF_CHECK(alike("", "!?") == 0);
}

BEHALF_TEST(a_letter_more_is_nearly_the_same) {
    BEHALF_CHECK(alike("Green Grocer", "Green Grocers") > 0.9);
    BEHALF_CHECK(alike("Green Grocer", "Green Grocre") > 0.9);
    BEHALF_CHECK(alike("Railways", "Book Shop") == 0);
}

BEHALF_TEST(short_names_are_the_same_or_not) {
    BEHALF_CHECK(alike("BP", "bp") == 1);
    BEHALF_CHECK(alike("BP", "HP") == 0);
    BEHALF_CHECK(alike("Spa", "Spar") == 0);
}

BEHALF_TEST(a_name_of_any_length_is_bounded) {
    char *name = behalf_alloc(100001);
    memset(name, 'a', 100000);
    BEHALF_CHECK(alike(name, name) == 1);
    /* A character that is cut off. */
    BEHALF_CHECK(alike("abcde\xe2\x80", "abcde") > 0);
}

BEHALF_TEST(the_band_finds_what_the_whole_table_finds) {
    srand(1);
    for (int round = 0; round < 20000; round++) {
        folded_name a = {.length = (size_t)rand() % 9}, b = {.length = (size_t)rand() % 9};
        for (size_t i = 0; i < a.length; i++) a.letters[i] = 'a' + (uint32_t)rand() % 3;
        for (size_t i = 0; i < b.length; i++) b.letters[i] = 'a' + (uint32_t)rand() % 3;
        size_t most = (size_t)rand() % 9, whole = plain_distance(&a, &b);
        uint64_t steps = 0;
        size_t found = edit_distance(&a, &b, most, &steps);
        BEHALF_CHECK(found == (whole <= most ? whole : most + 1));
    }
}
