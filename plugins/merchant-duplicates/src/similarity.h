/* How alike two names are. */
#ifndef SIMILARITY_H
#define SIMILARITY_H

#include <stddef.h>
#include <stdint.h>

/* Letters of a name that are compared; the rest of a longer one is left out. */
#define NAME_LETTERS 64

/* A name as it is compared: letters and digits in lower case, nothing else. */
typedef struct {
    uint32_t letters[NAME_LETTERS];
    size_t length;
} folded_name;

/* Folds a name. Lower case is known of ASCII and Latin-1; other letters stay what they are. */
void fold_name(const char *name, folded_name *folded);

/* How many letters have to be put in, left out, replaced or swapped with their neighbour to make one name of the other, if
 * those are at most `most`; else `most + 1`. Adds what it took to `steps`. */
size_t edit_distance(const folded_name *a, const folded_name *b, size_t most, uint64_t *steps);

/* From 0 (nothing in common) to 1 (the same, but for case, spaces and punctuation); 0 if it is below `least`. */
double similarity(const folded_name *a, const folded_name *b, double least, uint64_t *steps);

#endif
