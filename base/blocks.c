/* blocks -- a header of one cache line before each block carries size, references and budget. */
#include "base/blocks.h"
#include "base/panic.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK_SLACK = 64 };

struct budget {
    size_t limit;
    _Atomic size_t used, peak;
};

struct header {
    size_t size;
    struct budget *budget;
    _Atomic uint32_t references;
    uint32_t magic;
    unsigned char pad[64 - 2 * sizeof(size_t) - 2 * sizeof(uint32_t)];
};
_Static_assert(sizeof(struct header) == 64, "the block behind the header must be 64-byte aligned");

#define BLOCK_MAGIC 0xb10cb10cu

static struct header *header_of(const void *block)
{
    struct header *header = (struct header *)((unsigned char *)(uintptr_t)block - sizeof(struct header));
    debug_invariant(header->magic == BLOCK_MAGIC);
    return header;
}

struct budget *budget_new(size_t limit_bytes)
{
    struct budget *budget = calloc(1, sizeof *budget);
    if (!budget) panic_out_of_memory(sizeof *budget);
    budget->limit = limit_bytes;
    return budget;
}

void budget_free(struct budget *budget) { free(budget); }
size_t budget_used(const struct budget *budget) { return atomic_load(&((struct budget *)(uintptr_t)budget)->used); }
size_t budget_peak(const struct budget *budget) { return atomic_load(&((struct budget *)(uintptr_t)budget)->peak); }
size_t budget_limit(const struct budget *budget) { return budget->limit; }

static bool budget_take(struct budget *budget, size_t size, struct error *err)
{
    if (!budget) return true;
    size_t used = atomic_fetch_add_explicit(&budget->used, size, memory_order_relaxed) + size;
    if (budget->limit && used > budget->limit) {
        atomic_fetch_sub_explicit(&budget->used, size, memory_order_relaxed);
        return error_set(err, COND_INLET_NO_MEMORY, "the memory budget of %zu MiB cannot hold %zu more bytes of columns",
                         budget->limit >> 20, size);
    }
    size_t peak = atomic_load_explicit(&budget->peak, memory_order_relaxed);
    while (used > peak && !atomic_compare_exchange_weak_explicit(&budget->peak, &peak, used, memory_order_relaxed, memory_order_relaxed)) {}
    return true;
}

static void budget_give(struct budget *budget, size_t size)
{
    if (budget) atomic_fetch_sub_explicit(&budget->used, size, memory_order_relaxed);
}

void *block_alloc(struct budget *budget, size_t size, struct error *err)
{
    size_t rounded = (size + 63) & ~(size_t)63;
    if (rounded < size || rounded > SIZE_MAX / 2) {
        error_set(err, COND_INLET_NO_MEMORY, "a block of %zu bytes is too large", size);
        return NULL;
    }
    if (!budget_take(budget, rounded, err)) return NULL;
    struct header *header = aligned_alloc(64, sizeof *header + rounded + BLOCK_SLACK);
    if (!header) {
        budget_give(budget, rounded);
        error_set(err, COND_INLET_NO_MEMORY, "could not allocate %zu bytes for columns", size);
        return NULL;
    }
    header->size = rounded;
    header->budget = budget;
    atomic_init(&header->references, 1);
    header->magic = BLOCK_MAGIC;
    unsigned char *block = (unsigned char *)(header + 1);
    memset(block + rounded, 0, BLOCK_SLACK);
    return block;
}

size_t block_size(const void *block) { return block ? header_of(block)->size : 0; }

bool block_grow(struct budget *budget, void **block, size_t size, struct error *err)
{
    size_t old_size = block_size(*block);
    if (*block && old_size >= size) return true;
    invariant(!*block || !block_is_shared(*block));
    size_t wanted = old_size + old_size / 2;
    if (wanted < size) wanted = size;
    void *grown = block_alloc(budget, wanted, err);
    if (!grown && wanted > size) grown = block_alloc(budget, size, err);
    if (!grown) return false;
    if (old_size) memcpy(grown, *block, old_size);
    block_release(*block);
    *block = grown;
    return true;
}

void *block_retain(void *block)
{
    if (block) atomic_fetch_add_explicit(&header_of(block)->references, 1, memory_order_relaxed);
    return block;
}

void block_release(void *block)
{
    if (!block) return;
    struct header *header = header_of(block);
    if (atomic_fetch_sub_explicit(&header->references, 1, memory_order_acq_rel) != 1) return;
    budget_give(header->budget, header->size);
    header->magic = 0;
    free(header);
}

bool block_is_shared(const void *block)
{
    return block && atomic_load_explicit(&header_of(block)->references, memory_order_acquire) > 1;
}
