/* Results of blocks: texts, images, sounds, links and files. */
#include "internal.h"

/* Blocks that a result may have. */
#define MOST_BLOCKS 100

struct behalf_blocks {
    yyjson_mut_val *result;
    yyjson_mut_val *all;
    size_t count;
    /* What is wrong with the first block that cannot be shown, or NULL. */
    const char *fault;
};

#define SMALL "abcdefghijklmnopqrstuvwxyz"
#define LARGE "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"

bool behalf_is_media_type(const char *text) {
    size_t kind = strspn(text, SMALL DIGITS "-");
    if (!strchr(SMALL, text[0]) || kind == 0 || text[kind] != '/') return false;
    const char *subtype = text + kind + 1;
    size_t length = strspn(subtype, SMALL LARGE DIGITS "!#$&^_.+-");
    const char *after = subtype + length;
    after += strspn(after, " ");
    /* Parameters such as "; charset=utf-8". */
    if (*after == ';') return length > 0 && after[1 + strspn(after + 1, " ")];
    return length > 0 && !*after && after == subtype + length;
}

static const char *base64(const void *bytes, size_t count) {
    static const char letters[] = LARGE SMALL DIGITS "+/";
    if (count > SIZE_MAX / 2) behalf_bug("%zu bytes are more than a block can have", count);
    const unsigned char *from = bytes;
    char *text = behalf_take((count + 2) / 3 * 4, 1), *to = text;
    for (size_t i = 0; i < count; i += 3) {
        size_t left = count - i;
        uint32_t bits = (uint32_t)from[i] << 16;
        if (left > 1) bits |= (uint32_t)from[i + 1] << 8;
        if (left > 2) bits |= from[i + 2];
        *to++ = letters[bits >> 18];
        *to++ = letters[bits >> 12 & 63];
        *to++ = left > 1 ? letters[bits >> 6 & 63] : '=';
        *to++ = left > 2 ? letters[bits & 63] : '=';
    }
    return text;
}

behalf_blocks *behalf_begin_blocks(void) {
    behalf_blocks *blocks = behalf_alloc(sizeof *blocks);
    blocks->result = behalf_object();
    blocks->all = behalf_array();
    behalf_put(blocks->result, "content", blocks->all);
    return blocks;
}

static yyjson_mut_val *add_block(behalf_blocks *blocks, const char *type) {
    yyjson_mut_val *block = behalf_object();
    behalf_put_text(block, "type", type);
    behalf_add(blocks->all, block);
    blocks->count++;
    return block;
}

/* A text that the last block cannot do without. */
static void put_needed(behalf_blocks *blocks, yyjson_mut_val *object, const char *key, const char *text) {
    behalf_put_text(object, key, text);
    if (!text && !blocks->fault) blocks->fault = behalf_format("block %zu has no %s", blocks->count, key);
}

/* The media type of the last block, which may have to begin with a word. */
static void put_media_type(behalf_blocks *blocks, yyjson_mut_val *object, const char *type, const char *begin) {
    put_needed(blocks, object, "mimeType", type);
    if (!type || blocks->fault) return;
    if (behalf_is_media_type(type) && strncmp(type, begin, strlen(begin)) == 0) return;
    const char *wanted = *begin ? behalf_format(" that begins with %s", begin) : ", as in text/markdown";
    blocks->fault = behalf_format("\"%.100s\" of block %zu is not a media type%s", type, blocks->count, wanted);
}

void behalf_add_text_block(behalf_blocks *blocks, const char *text) {
    put_needed(blocks, add_block(blocks, "text"), "text", text);
}

void behalf_add_image_block(behalf_blocks *blocks, const char *media_type, const void *bytes, size_t count) {
    yyjson_mut_val *block = add_block(blocks, "image");
    behalf_put_text(block, "data", base64(bytes, count));
    put_media_type(blocks, block, media_type, "image/");
}

void behalf_add_audio_block(behalf_blocks *blocks, const char *media_type, const void *bytes, size_t count) {
    yyjson_mut_val *block = add_block(blocks, "audio");
    behalf_put_text(block, "data", base64(bytes, count));
    put_media_type(blocks, block, media_type, "audio/");
}

void behalf_add_link_block(behalf_blocks *blocks, const char *uri, const char *name, const char *media_type,
                           const char *description) {
    yyjson_mut_val *block = add_block(blocks, "resource_link");
    put_needed(blocks, block, "uri", uri);
    put_needed(blocks, block, "name", name);
    size_t scheme = uri ? strspn(uri, SMALL LARGE DIGITS "+-.") : 0;
    if (!blocks->fault && (scheme == 0 || uri[scheme] != ':' || !uri[scheme + 1])) {
        blocks->fault = behalf_format("\"%.100s\" of block %zu has no scheme, as in https://a.test", uri, blocks->count);
    }
    if (media_type) put_media_type(blocks, block, media_type, "");
    if (description) behalf_put_text(block, "description", description);
}

static yyjson_mut_val *add_file(behalf_blocks *blocks, const char *uri, const char *media_type) {
    yyjson_mut_val *block = add_block(blocks, "resource"), *file = behalf_object();
    behalf_put(block, "resource", file);
    put_needed(blocks, file, "uri", uri);
    put_media_type(blocks, file, media_type, "");
    return file;
}

void behalf_add_file_block(behalf_blocks *blocks, const char *uri, const char *media_type, const char *text) {
    put_needed(blocks, add_file(blocks, uri, media_type), "text", text);
}

void behalf_add_bytes_block(behalf_blocks *blocks, const char *uri, const char *media_type, const void *bytes,
                            size_t count) {
    behalf_put_text(add_file(blocks, uri, media_type), "blob", base64(bytes, count));
}

yyjson_mut_val *behalf_end_blocks(behalf_blocks *blocks) {
    if (blocks->fault) return behalf_failed("The result cannot be shown: %s.", blocks->fault);
    if (blocks->count == 0) return behalf_failed("The result cannot be shown: it has no block; add at least a text.");
    if (blocks->count > MOST_BLOCKS) {
        return behalf_failed("The result cannot be shown: it has %zu blocks, and at most %d are allowed.", blocks->count,
                             MOST_BLOCKS);
    }
    return blocks->result;
}
