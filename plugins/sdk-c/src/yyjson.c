/* yyjson without files. A sandbox has none, and a reference to them would bring the C library's, and WASI with it, into
 * every plugin. The functions for files fail as if there were no such file. */
#include <stdio.h>

/* The compiler may judge for itself what is worth being there several times: a third of the size. */
#define yyjson_inline inline

static int no_file(void) {
    return 0;
}

#define fopen(path, mode) ((FILE *)NULL)
#define fclose(file) no_file()
#define fread(to, size, count, file) ((size_t)0)
#define fwrite(from, size, count, file) ((size_t)0)
#define fseek(file, offset, from) (-1)
#define ftell(file) (-1L)

#include "../yyjson/yyjson.c"
