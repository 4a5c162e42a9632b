/* Memory of one call: taken in order, given back all at once. */
#include <stdlib.h>

#include "internal.h"

/* Enough for most calls. It lies in memory that the instance is born with, so that no call of the kind asks for more. */
#define FIRST_BYTES ((size_t)192 * 1024)

/* Aligned for anything, as malloc is. */
#define ALIGN ((size_t)16)

/* One piece; the pieces before it are full. */
typedef struct piece {
    struct piece *before;
    size_t used;
    size_t size;
    unsigned char *bytes;
} piece;

static _Alignas(16) unsigned char first_bytes[FIRST_BYTES];
static piece first = {.size = FIRST_BYTES, .bytes = first_bytes};
static piece *current = &first;
static unsigned char *last;

static void add_piece(size_t bytes) {
    size_t size = current->size * 2 > bytes ? current->size * 2 : bytes;
    size_t head = (sizeof(piece) + ALIGN - 1) & ~(ALIGN - 1);
    piece *next = size < SIZE_MAX - head ? malloc(head + size) : NULL;
    if (!next && size > bytes) {
        size = bytes;
        next = malloc(head + size);
    }
    if (!next) behalf_bug("there is no memory for %zu bytes more", bytes);
    *next = (piece){.before = current, .size = size, .bytes = (unsigned char *)next + head};
    current = next;
}

void *behalf_take(size_t bytes, size_t align) {
    if (align > ALIGN || bytes > PTRDIFF_MAX) behalf_bug("there is no memory for %zu bytes aligned to %zu", bytes, align);
    size_t at = (current->used + align - 1) & ~(align - 1);
    /* One byte more than asked for, so that strings end with zero. */
    if (at > current->size || current->size - at < bytes + 1) {
        add_piece(bytes + 1);
        at = 0;
    }
    last = current->bytes + at;
    current->used = at + bytes + 1;
    last[bytes] = 0;
    return last;
}

static void *grow(void *block, size_t old, size_t bytes, size_t align) {
    if (block && block == last) {
        size_t at = (size_t)(last - current->bytes);
        if (current->size - at > bytes) {
            current->used = at + bytes + 1;
            last[bytes] = 0;
            return block;
        }
    }
    void *grown = behalf_take(bytes, align);
    if (old) memcpy(grown, block, old < bytes ? old : bytes);
    return grown;
}

void *behalf_alloc(size_t bytes) {
    return memset(behalf_take(bytes, ALIGN), 0, bytes);
}

char *behalf_copy(const char *text, size_t bytes) {
    char *copy = behalf_take(bytes, 1);
    if (bytes) memcpy(copy, text, bytes);
    return copy;
}

void behalf_arena_reset(void) {
    while (current != &first) {
        piece *before = current->before;
        free(current);
        current = before;
    }
    first.used = 0;
    last = NULL;
}

static void *take_for_yyjson(void *context, size_t bytes) {
    (void)context;
    return behalf_take(bytes, ALIGN);
}

static void *grow_for_yyjson(void *context, void *block, size_t old, size_t bytes) {
    (void)context;
    return grow(block, old, bytes, ALIGN);
}

static void keep(void *context, void *block) {
    (void)context;
    (void)block;
}

const yyjson_alc behalf_arena = {take_for_yyjson, grow_for_yyjson, keep, NULL};

#ifdef __wasm__
/* The host places arguments and answers with this one; it is exported by the generated code's declaration. */
__attribute__((__export_name__("cabi_realloc"))) void *cabi_realloc(void *block, size_t old, size_t align, size_t bytes) {
    return grow(block, old, bytes, align);
}

/* After a call the instance ends, and everything with it. The generated ones would free the result. */
__attribute__((__export_name__("cabi_post_behalf:tool/tool@0.1.1#definitions"))) void
__wasm_export_exports_behalf_tool_tool_definitions_post_return(uint8_t *result) {
    (void)result;
}

__attribute__((__export_name__("cabi_post_behalf:tool/tool@0.1.1#call"))) void
__wasm_export_exports_behalf_tool_tool_call_post_return(uint8_t *result) {
    (void)result;
}
#endif
