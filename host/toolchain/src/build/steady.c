/*
 * Loaded into compilers that run a tool's code once and keep a copy of the memory that it leaves. What such a run reads of
 * clocks and chance is in the copy, so here every clock stands still, and chance gives the same bytes again: the same sources
 * make the same component. A component draws time and chance from the host, when it is called.
 *
 * It needs no library but what the process has, so that it loads beside any C library.
 */
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <time.h>

/* 2020-01-01, a time that every file system and calendar knows. */
#define SECOND 1577836800

static long kernel(long number, const long given[6]) {
#if defined(__x86_64__)
    long result;
    register long r10 __asm__("r10") = given[3];
    register long r8 __asm__("r8") = given[4];
    register long r9 __asm__("r9") = given[5];
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(given[0]), "S"(given[1]), "d"(given[2]), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return result;
#elif defined(__aarch64__)
    register long x8 __asm__("x8") = number;
    register long x0 __asm__("x0") = given[0];
    register long x1 __asm__("x1") = given[1];
    register long x2 __asm__("x2") = given[2];
    register long x3 __asm__("x3") = given[3];
    register long x4 __asm__("x4") = given[4];
    register long x5 __asm__("x5") = given[5];
    __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
    return x0;
#endif
}

static ssize_t fill(void *to, size_t count) {
    for (size_t i = 0; i < count; i++) ((unsigned char *)to)[i] = (unsigned char)(i * 37 + 11);
    return (ssize_t)count;
}

ssize_t getrandom(void *to, size_t count, unsigned flags) {
    (void)flags;
    return fill(to, count);
}

int getentropy(void *to, size_t count) {
    fill(to, count);
    return 0;
}

/* Some programs ask the kernel for chance by the number of the call. */
long syscall(long number, ...) {
    long given[6];
    va_list list;
    va_start(list, number);
    for (int i = 0; i < 6; i++) given[i] = va_arg(list, long);
    va_end(list);
    if (number == SYS_getrandom) return fill((void *)given[0], (size_t)given[1]);
    long result = kernel(number, given);
    if (result < 0 && result > -4096) {
        errno = (int)-result;
        return -1;
    }
    return result;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    (void)clock;
    now->tv_sec = SECOND;
    now->tv_nsec = 0;
    return 0;
}
