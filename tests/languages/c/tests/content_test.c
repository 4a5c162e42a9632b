/* Results of blocks, parts of results, and tools that are resources or prompts. */
#include <string.h>

#include "mock/behalf_mock.h"
#include "src/internal.h"

static const char *written(yyjson_mut_val *value) {
    return value ? yyjson_mut_val_write_opts(value, 0, &behalf_arena, NULL, NULL) : behalf_last_error()->message;
}

BEHALF_TEST(every_block_is_written_as_mcp_has_it) {
    behalf_blocks *blocks = behalf_begin_blocks();
    behalf_add_text_block(blocks, "one");
    behalf_add_image_block(blocks, "image/png", "\0\xff", 2);
    behalf_add_audio_block(blocks, "audio/wav", "\1", 1);
    behalf_add_link_block(blocks, "https://a.test", "Report", NULL, NULL);
    behalf_add_link_block(blocks, "https://b.test", "Other", "text/html; charset=utf-8", "More.");
    behalf_add_file_block(blocks, "notes://1", "text/markdown", "# two");
    behalf_add_bytes_block(blocks, "x://y", "application/pdf", "%PDF", 4);
    BEHALF_CHECK_TEXT(written(behalf_end_blocks(blocks)),
        "{\"content\":[{\"type\":\"text\",\"text\":\"one\"},"
        "{\"type\":\"image\",\"data\":\"AP8=\",\"mimeType\":\"image/png\"},"
        "{\"type\":\"audio\",\"data\":\"AQ==\",\"mimeType\":\"audio/wav\"},"
        "{\"type\":\"resource_link\",\"uri\":\"https://a.test\",\"name\":\"Report\"},"
        "{\"type\":\"resource_link\",\"uri\":\"https://b.test\",\"name\":\"Other\",\"mimeType\":\"text/html; charset=utf-8\","
        "\"description\":\"More.\"},"
        "{\"type\":\"resource\",\"resource\":{\"uri\":\"notes://1\",\"mimeType\":\"text/markdown\",\"text\":\"# two\"}},"
        "{\"type\":\"resource\",\"resource\":{\"uri\":\"x://y\",\"mimeType\":\"application/pdf\",\"blob\":\"JVBERg==\"}}]}");
}

BEHALF_TEST(bytes_become_base64) {
    const char *examples[][2] = {{"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foob", "Zm9vYg=="},
                                 {"fooba", "Zm9vYmE="}, {"foobar", "Zm9vYmFy"}, {"\xfb\xff\xbf", "+/+/"}};
    for (size_t i = 0; i < sizeof examples / sizeof *examples; i++) {
        behalf_blocks *blocks = behalf_begin_blocks();
        behalf_add_bytes_block(blocks, "a:b", "a/b", examples[i][0], strlen(examples[i][0]));
        yyjson_mut_val *block = yyjson_mut_arr_get_first(yyjson_mut_obj_get(behalf_end_blocks(blocks), "content"));
        BEHALF_CHECK_TEXT(yyjson_mut_get_str(yyjson_mut_obj_get(yyjson_mut_obj_get(block, "resource"), "blob")), examples[i][1]);
    }
}

static const char *fault_of(const char *what, const char *type) {
    behalf_blocks *blocks = behalf_begin_blocks();
    behalf_add_text_block(blocks, "one");
    if (strcmp(what, "image") == 0) behalf_add_image_block(blocks, type, "", 0);
    if (strcmp(what, "audio") == 0) behalf_add_audio_block(blocks, type, "", 0);
    if (strcmp(what, "file") == 0) behalf_add_file_block(blocks, "x://y", type, "text");
    if (strcmp(what, "link") == 0) behalf_add_link_block(blocks, "x://y", "y", type, NULL);
    /* Nothing after it makes it right, and the first one is told. */
    behalf_add_image_block(blocks, type ? "image/png" : "x", "", 0);
    return behalf_end_blocks(blocks) ? NULL : behalf_last_error()->message;
}

BEHALF_TEST(a_wrong_media_type_is_an_error) {
    BEHALF_CHECK_TEXT(fault_of("image", "text/plain"),
                      "The result cannot be shown: \"text/plain\" of block 2 is not a media type that begins with image/.");
    BEHALF_CHECK_TEXT(fault_of("audio", "wav"),
                      "The result cannot be shown: \"wav\" of block 2 is not a media type that begins with audio/.");
    BEHALF_CHECK_TEXT(fault_of("file", NULL), "The result cannot be shown: block 2 has no mimeType.");
    const char *good[] = {"text/plain", "image/svg+xml", "application/vnd.ms-excel", "text/html ; charset=utf-8"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) BEHALF_CHECK_TEXT(fault_of("file", good[i]), NULL);
    const char *bad[] = {"", "png", "/png", "image/", "image/a b", "Image/png", "image/png;", "image/png ", "a/b/c", "1/a"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        BEHALF_CHECK_TEXT(fault_of("link", bad[i]),
            behalf_format("The result cannot be shown: \"%s\" of block 2 is not a media type, as in text/markdown.", bad[i]));
    }
    BEHALF_CHECK_TEXT(behalf_last_error()->code, "failed");
}

BEHALF_TEST(a_result_has_1_to_100_blocks_and_texts) {
    behalf_blocks *blocks = behalf_begin_blocks();
    BEHALF_CHECK(!behalf_end_blocks(blocks) && strstr(behalf_last_error()->message, "no block"));
    for (int i = 0; i < 100; i++) behalf_add_text_block(blocks, "");
    BEHALF_CHECK(behalf_end_blocks(blocks));
    behalf_add_text_block(blocks, "");
    BEHALF_CHECK(!behalf_end_blocks(blocks) && strstr(behalf_last_error()->message, "has 101 blocks, and at most 100"));
    blocks = behalf_begin_blocks();
    behalf_add_text_block(blocks, NULL);
    BEHALF_CHECK_TEXT(written(behalf_end_blocks(blocks)), "The result cannot be shown: block 1 has no text.");
}

BEHALF_TEST(parts_are_shown_in_their_order) {
    yyjson_mut_val *part = behalf_array();
    behalf_add_text(part, "A\xff");
    BEHALF_CHECK(behalf_partial(part));
    part = behalf_object();
    behalf_put_int(part, "n", 2);
    BEHALF_CHECK(behalf_partial(part));
    BEHALF_CHECK_TEXT(behalf_mock_partial(0), "[\"A\uFFFD\"]");
    BEHALF_CHECK_TEXT(behalf_mock_partial(1), "{\"n\":2}");
    BEHALF_CHECK_TEXT(behalf_mock_partial(2), NULL);
}

BEHALF_TEST(what_is_no_part_is_an_error) {
    yyjson_mut_val *part = behalf_object();
    behalf_put_real(part, "n", 1e308 * 10);
    BEHALF_CHECK(!behalf_partial(part));
    BEHALF_CHECK(strstr(behalf_last_error()->message, "A part of the result cannot be written as JSON: "));
    char *text = behalf_alloc(65536);
    memset(text, 'x', 65535);
    BEHALF_CHECK(!behalf_partial(yyjson_mut_str(behalf_document(), text)));
    BEHALF_CHECK_TEXT(behalf_last_error()->message, "A part of the result has 65537 bytes, and at most 65536 are allowed.");
    BEHALF_CHECK(behalf_partial(yyjson_mut_str(behalf_document(), text + 1)));
    BEHALF_CHECK(!behalf_partial(NULL) && !behalf_mock_partial(1));
}
