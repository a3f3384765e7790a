/* arena -- a list of growing slabs; allocation moves a pointer. */
#include "base/arena.h"
#include "base/panic.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct slab {
    struct slab *next;
    size_t size, used;
    _Alignas(16) unsigned char data[];
};

struct arena {
    const char *name;
    struct slab *slabs; /* Newest first. */
    size_t reserved;
};

enum { SLAB_FIRST = 8 << 10, SLAB_MAX = 1 << 20 };

struct arena *arena_new(const char *name)
{
    struct arena *arena = calloc(1, sizeof *arena);
    if (!arena) panic_out_of_memory(sizeof *arena);
    arena->name = name;
    return arena;
}

static void free_slabs(struct slab *slab)
{
    while (slab) {
        struct slab *next = slab->next;
        free(slab);
        slab = next;
    }
}

void arena_free(struct arena *arena)
{
    if (!arena) return;
    free_slabs(arena->slabs);
    free(arena);
}

static struct slab *slab_add(struct arena *arena, size_t size)
{
    size_t wanted = arena->slabs ? arena->slabs->size * 2 : SLAB_FIRST;
    if (wanted > SLAB_MAX) wanted = SLAB_MAX;
    if (wanted < size) wanted = size;
    struct slab *slab = malloc(sizeof *slab + wanted);
    if (!slab) panic_out_of_memory(wanted);
    slab->next = arena->slabs;
    slab->size = wanted;
    slab->used = 0;
    arena->slabs = slab;
    arena->reserved += wanted;
    return slab;
}

void *arena_alloc(struct arena *arena, size_t size)
{
    if (size > SIZE_MAX / 2) panic_out_of_memory(size);
    size_t rounded = (size + 15) & ~(size_t)15;
    struct slab *slab = arena->slabs;
#if defined(__SANITIZE_ADDRESS__)
    slab = NULL; /* Each allocation its own malloc, so that overruns are seen. */
    (void)slab;
    slab = slab_add(arena, rounded ? rounded : 16);
    slab->size = rounded ? rounded : 16;
#else
    if (!slab || slab->size - slab->used < rounded) slab = slab_add(arena, rounded);
#endif
    void *result = slab->data + slab->used;
    slab->used += rounded;
    memset(result, 0, size);
    return result;
}

char *arena_strndup(struct arena *arena, const char *text, size_t size)
{
    char *copy = arena_alloc(arena, size + 1);
    if (size) memcpy(copy, text, size);
    return copy;
}

char *arena_strdup(struct arena *arena, const char *text) { return arena_strndup(arena, text, strlen(text)); }

char *arena_printf(struct arena *arena, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    char *text = arena_alloc(arena, (size_t)size + 1);
    va_start(arguments, format);
    vsnprintf(text, (size_t)size + 1, format, arguments);
    va_end(arguments);
    return text;
}

size_t arena_size(const struct arena *arena) { return arena->reserved; }

void arena_reset(struct arena *arena)
{
    /* The newest slab is the largest: keeping it makes the next round free of malloc. */
    struct slab *keep = arena->slabs;
#if defined(__SANITIZE_ADDRESS__)
    free_slabs(keep);
    keep = NULL;
#endif
    if (keep) {
        free_slabs(keep->next);
        keep->next = NULL;
        keep->used = 0;
    }
    arena->slabs = keep;
    arena->reserved = keep ? keep->size : 0;
}
