/* blocks -- column memory: budgeted, reference-counted, 64-byte aligned.
 *
 * A block is named by the pointer to its first byte; its header lies before it. At least 64 bytes
 * behind the requested size are readable and writable, so that kernels may load whole vectors past the
 * end. A budget counts all live blocks of one context; when it is spent block_alloc returns NULL
 * with an error, and the caller makes its batch or row group smaller. Thread-safe. */
#pragma once
#include "base/error.h"

struct budget;

struct budget *budget_new(size_t limit_bytes); /* 0: no limit. */
void budget_free(struct budget *budget);
size_t budget_used(const struct budget *budget);
size_t budget_peak(const struct budget *budget);
size_t budget_limit(const struct budget *budget);

/* Contents are undefined. NULL: *err is INLET_NO_MEMORY. budget NULL: unbudgeted. */
void *block_alloc(struct budget *budget, size_t size, struct error *err) MUST_CHECK;
/* Grows to at least `size` (and by half), keeping contents. The block must have one reference; *block may be NULL. */
bool block_grow(struct budget *budget, void **block, size_t size, struct error *err) MUST_CHECK;
size_t block_size(const void *block); /* Usable bytes; 0 for NULL. */
void *block_retain(void *block);      /* Returns block; NULL is allowed. */
void block_release(void *block);      /* NULL is allowed. */
bool block_is_shared(const void *block);
