/* arena -- memory that dies together.
 *
 * Process, stream, batch and scratch data are carved from an arena; arena_reset() gives all of it
 * back at once. There is no free() of one allocation. One arena belongs to one thread at a time.
 * Requests are small bookkeeping and never return NULL (failing them is a panic). Column data comes
 * from base/blocks.h, which has a budget and says no. */
#pragma once
#include "base/attr.h"

struct arena;

struct arena *arena_new(const char *name); /* `name` is borrowed. */
void arena_free(struct arena *arena);      /* NULL is allowed. */

void *arena_alloc(struct arena *arena, size_t size); /* Zeroed, 16-byte aligned. */
#define ARENA_NEW(arena, type) ((type *)arena_alloc((arena), sizeof(type)))
#define ARENA_ARRAY(arena, type, count) ((type *)arena_alloc((arena), sizeof(type) * (size_t)(count)))
char *arena_strdup(struct arena *arena, const char *text);
char *arena_strndup(struct arena *arena, const char *text, size_t size);
char *arena_printf(struct arena *arena, const char *format, ...) PRINTF_LIKE(2, 3);
size_t arena_size(const struct arena *arena); /* Bytes reserved from the system. */
void arena_reset(struct arena *arena);
