/* nomemory -- preloaded: lets the N-th allocation fail (NOMEMORY_AT=N), or that one and all behind it (NOMEMORY_FROM=N).
 *
 * NOMEMORY_COUNT=FILE writes the number of allocations at exit. Counted are malloc, calloc, realloc and the aligned ones,
 * of every library; those before main are let through, they are the loader's. */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *memory, size_t size);
void *__libc_memalign(size_t alignment, size_t size);
void *memalign(size_t alignment, size_t size); /* Of malloc.h, which has attributes that ours lacks. */

static atomic_long calls;
static long at = -1, from = -1;
static atomic_int started;

__attribute__((constructor)) static void begin(void)
{
    const char *text = getenv("NOMEMORY_AT");
    if (text) at = atol(text);
    text = getenv("NOMEMORY_FROM");
    if (text) from = atol(text);
    atomic_store(&started, 1);
}

__attribute__((destructor)) static void end(void)
{
    const char *path = getenv("NOMEMORY_COUNT");
    if (!path) return;
    char text[32];
    int size = snprintf(text, sizeof text, "%ld\n", atomic_load(&calls));
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) return;
    if (write(fd, text, (size_t)size) != size) unlink(path);
    close(fd);
}

static int fails(void)
{
    if (!atomic_load(&started)) return 0;
    long number = atomic_fetch_add(&calls, 1) + 1;
    if (number != at && (from < 0 || number < from)) return 0;
    errno = ENOMEM;
    return 1;
}

void *malloc(size_t size) { return fails() ? NULL : __libc_malloc(size); }
void *calloc(size_t count, size_t size) { return fails() ? NULL : __libc_calloc(count, size); }
void *realloc(void *memory, size_t size) { return size && fails() ? NULL : __libc_realloc(memory, size); }
void *memalign(size_t alignment, size_t size) { return fails() ? NULL : __libc_memalign(alignment, size); }
void *aligned_alloc(size_t alignment, size_t size) { return fails() ? NULL : __libc_memalign(alignment, size); }

int posix_memalign(void **out, size_t alignment, size_t size)
{
    void *memory = fails() ? NULL : __libc_memalign(alignment, size);
    if (!memory) return ENOMEM;
    *out = memory;
    return 0;
}
