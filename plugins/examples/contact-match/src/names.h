/* How alike two names of people are. */
#ifndef NAMES_H
#define NAMES_H

#include <stddef.h>
#include <stdint.h>

/* Letters and words of a name that are compared; the rest of a longer one is left out. */
#define NAME_LETTERS 64
#define NAME_WORDS 8

/* A name as it is compared: its words without accents and titles, in small letters, in the order of their letters, each with a space
 * behind it. So "Dr. Müller, Anna" and "anna mueller" are the same one. */
typedef struct {
    uint32_t letters[NAME_LETTERS];
    size_t length;
} folded_name;

/* Folds a name. Accents are known of Latin letters; other scripts stay what they are. */
void fold_name(const char *name, folded_name *folded);

/* From 0 (nothing in common) to 1 (the same when folded); a name without letters is like none. The larger one of two measures: how many
 * letters have to be changed (Levenshtein), which forgives a typing error, and how many groups of three letters both have (trigrams),
 * which forgives a word that one of them lacks. */
double similarity(const folded_name *a, const folded_name *b);

#endif
