/* The error that a tool returns with NULL. */
#include <stdlib.h>

#include "internal.h"

static behalf_error last_error;

void behalf_error_reset(void) {
    last_error = (behalf_error){0};
}

void behalf_set_error(behalf_error error) {
    last_error = error;
}

const behalf_error *behalf_last_error(void) {
    return last_error.code ? &last_error : NULL;
}

#define SET_ERROR(its_code, may_work_later)                                                            \
    va_list values;                                                                                    \
    va_start(values, format);                                                                          \
    last_error = (behalf_error){                                                                       \
        .code = (its_code), .message = behalf_vformat(format, values), .retryable = (may_work_later)}; \
    va_end(values);                                                                                    \
    return NULL

void *behalf_failed(const char *format, ...) {
    SET_ERROR("failed", false);
}

void *behalf_invalid(const char *format, ...) {
    SET_ERROR("invalid_arguments", false);
}

void *behalf_denied(const char *format, ...) {
    SET_ERROR("denied", false);
}

void *behalf_try_later(const char *format, ...) {
    SET_ERROR("failed", true);
}

/* Tests end the test instead of the process. */
#ifndef BEHALF_END_CALL
#define BEHALF_END_CALL abort
#endif

_Noreturn void behalf_bug(const char *format, ...) {
    /* Saying what is wrong may go wrong as well, where memory is what is missing. */
    static bool saying;
    if (!saying) {
        saying = true;
        va_list values;
        va_start(values, format);
        char *message = behalf_vformat(format, values);
        va_end(values);
        behalf_log(BEHALF_ERROR, "a mistake in the plugin: %s", message);
        saying = false;
    }
    BEHALF_END_CALL();
}
