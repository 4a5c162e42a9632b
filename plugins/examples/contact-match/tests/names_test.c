#include "../src/names.h"

#include <stdlib.h>
#include <string.h>

#include "mock/behalf_mock.h"

static double alike(const char *a, const char *b) {
    folded_name left, right;
    fold_name(a, &left);
    fold_name(b, &right);
    return similarity(&left, &right);
}

BEHALF_TEST(accents_case_titles_and_order_say_nothing) {
    BEHALF_CHECK(alike("Dr. M\u00fcller, Anna", "anna mueller") == 1);
    BEHALF_CHECK(alike("Mu\u0308ller", "MULLER") == 1);
    BEHALF_CHECK(alike("\u0141ukasz Wi\u015bniewski", "Lukasz Wisniewski") == 1);
    BEHALF_CHECK(alike("O\u2019Neill", "o'neill") == 1);
    BEHALF_CHECK(alike("Stra\u00dfer", "Strasser") == 1);
    BEHALF_CHECK(alike("\u0418\u0432\u0430\u043d", "\u0438\u0432\u0430\u043d") == 1);
}

BEHALF_TEST(a_typing_error_is_nearly_the_same) {
    BEHALF_CHECK(alike("Anna Miller", "Anna Milelr") > 0.7);
    BEHALF_CHECK(alike("Anna Miller", "Anne Miller") > 0.9);
    BEHALF_CHECK(alike("Anna Miller", "Bob Smith") < 0.4);
}

BEHALF_TEST(a_word_that_one_lacks_leaves_much_in_common) {
    BEHALF_CHECK(alike("Anna Maria Miller", "Anna Miller") > 0.7);
}

BEHALF_TEST(other_scripts_are_compared_by_their_letters) {
    BEHALF_CHECK(alike("\u6771\u4eac \u592a\u90ce", "\u592a\u90ce\u3000\u6771\u4eac") == 1);
    BEHALF_CHECK(alike("\u6771\u4eac \u592a\u90ce", "\u6771\u4eac \u6b21\u90ce") < 1);
    /* Their last byte is that of an a. */
    BEHALF_CHECK(alike("\u0461e", "\u0461") < 1);
}

BEHALF_TEST(a_name_without_letters_is_like_none) {
    BEHALF_CHECK(alike("", "") == 0);
    BEHALF_CHECK(alike("!? \u2013", "!?") == 0);
    BEHALF_CHECK(alike("", "Anna") == 0);
    BEHALF_CHECK(alike("Dr.", "dr") == 1);
}

BEHALF_TEST(a_name_of_any_length_is_bounded) {
    char *name = behalf_alloc(100001);
    for (size_t i = 0; i < 100000; i++) name[i] = i % 7 ? 'a' : ' ';
    BEHALF_CHECK(alike(name, name) == 1);
    memset(name, 'b', 100000);
    BEHALF_CHECK(alike(name, name) == 1);
    /* A character that is cut off. */
    BEHALF_CHECK(alike("abcde\xe2\x80", "abcde") > 0);
}

/* Whatever the names are, the measure is the same from both sides, and from 0 to 1. */
BEHALF_TEST(the_measure_is_one_of_both_sides) {
    srand(1);
    for (int round = 0; round < 20000; round++) {
        char a[12] = {0}, b[12] = {0};
        for (int i = 0; i < rand() % 11; i++) a[i] = " abe"[rand() % 4];
        for (int i = 0; i < rand() % 11; i++) b[i] = " abe"[rand() % 4];
        double found = alike(a, b);
        BEHALF_CHECK(found == alike(b, a) && found >= 0 && found <= 1);
    }
}
