/* Text: as printf makes it, and as UTF-8 on its way out. */
#include <stdio.h>

#include "internal.h"

char *behalf_vformat(const char *format, va_list values) {
    va_list again;
    va_copy(again, values);
    int bytes = vsnprintf(NULL, 0, format, values);
    if (bytes < 0) {
        va_end(again);
        return behalf_copy("", 0);
    }
    char *text = behalf_take((size_t)bytes, 1);
    vsnprintf(text, (size_t)bytes + 1, format, again);
    va_end(again);
    return text;
}

char *behalf_format(const char *format, ...) {
    va_list values;
    va_start(values, format);
    char *text = behalf_vformat(format, values);
    va_end(values);
    return text;
}

const char *behalf_incoming(tool_plugin_string_t string) {
    return string.len ? (const char *)string.ptr : "";
}

/* Bytes of the character that begins here, 0 if none does: no overlong forms, no surrogates, nothing above U+10FFFF. */
static size_t character(const unsigned char *at, size_t left) {
    unsigned char lead = at[0];
    if (lead < 0x80) return 1;
    if (lead < 0xc2 || lead > 0xf4) return 0;
    size_t bytes = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    if (left < bytes) return 0;
    unsigned char low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
    unsigned char high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
    if (at[1] < low || at[1] > high) return 0;
    for (size_t i = 2; i < bytes; i++) {
        if ((at[i] & 0xc0) != 0x80) return 0;
    }
    return bytes;
}

tool_plugin_string_t behalf_outgoing(const char *text, size_t bytes) {
    const unsigned char *from = (const unsigned char *)text;
    size_t wrong = 0;
    for (size_t i = 0; i < bytes;) {
        size_t length = character(from + i, bytes - i);
        wrong += !length;
        i += length ? length : 1;
    }
    if (!wrong) return (tool_plugin_string_t){(uint8_t *)text, bytes};
    unsigned char *to = behalf_take(bytes + 2 * wrong, 1);
    tool_plugin_string_t right = {to, bytes + 2 * wrong};
    for (size_t i = 0; i < bytes;) {
        size_t length = character(from + i, bytes - i);
        if (length) {
            memcpy(to, from + i, length);
        } else {
            memcpy(to, "\xef\xbf\xbd", 3);
        }
        to += length ? length : 3;
        i += length ? length : 1;
    }
    return right;
}
