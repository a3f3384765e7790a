/* read_ahead -- a ring of blocks between one producing thread and one taker. */
#include "formats/read_ahead.h"
#include "base/panic.h"
#include "base/workers.h"

#include <stdlib.h>
#include <string.h>

enum { BLOCK_COUNT = 6, BLOCK_SIZE = 256 << 10 };

struct block {
    uint8_t *data;
    size_t size;
};

struct read_ahead {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t moved;
    read_ahead_fn read;
    void *source;
    struct block ring[BLOCK_COUNT];
    uint64_t filled, taken;   /* Blocks so far; the ring holds those between. */
    bool ended, stop;
    struct error *failure;    /* Why it ended; condition none: at its end. */
    bool failed;
    size_t at;                /* The taker's own: position in the block at hand. */
};

/* A block as full as the source gives it. False: nothing comes behind it. */
static bool fill_block(struct read_ahead *ahead, struct block *block)
{
    block->size = 0;
    while (block->size < BLOCK_SIZE) {
        size_t got = 0;
        if (!ahead->read(ahead->source, block->data + block->size, BLOCK_SIZE - block->size, &got, ahead->failure)) {
            ahead->failed = true;
            return false;
        }
        if (got == 0) return false;
        block->size += got;
    }
    return true;
}

static void *fill_main(void *user)
{
    struct read_ahead *ahead = user;
    pthread_mutex_lock(&ahead->lock);
    for (bool more = true; more;) {
        while (!ahead->stop && ahead->filled - ahead->taken == BLOCK_COUNT) pthread_cond_wait(&ahead->moved, &ahead->lock);
        if (ahead->stop) break;
        struct block *block = &ahead->ring[ahead->filled % BLOCK_COUNT];
        pthread_mutex_unlock(&ahead->lock);
        more = fill_block(ahead, block);
        pthread_mutex_lock(&ahead->lock);
        if (block->size) ahead->filled++;
        if (!more) ahead->ended = true;
        pthread_cond_signal(&ahead->moved);
    }
    pthread_mutex_unlock(&ahead->lock);
    return NULL;
}

static void release(struct read_ahead *ahead)
{
    pthread_cond_destroy(&ahead->moved);
    pthread_mutex_destroy(&ahead->lock);
    free(ahead->ring[0].data);
    free(ahead->failure);
    free(ahead);
}

struct read_ahead *read_ahead_start(read_ahead_fn read, void *source)
{
    struct read_ahead *ahead = calloc(1, sizeof *ahead);
    if (!ahead) panic_out_of_memory(sizeof *ahead);
    ahead->failure = malloc(sizeof *ahead->failure);
    uint8_t *memory = malloc((size_t)BLOCK_COUNT * BLOCK_SIZE);
    if (!ahead->failure || !memory) panic_out_of_memory((size_t)BLOCK_COUNT * BLOCK_SIZE);
    error_clear(ahead->failure);
    for (size_t i = 0; i < BLOCK_COUNT; i++) ahead->ring[i].data = memory + i * BLOCK_SIZE;
    ahead->read = read;
    ahead->source = source;
    pthread_mutex_init(&ahead->lock, NULL);
    pthread_cond_init(&ahead->moved, NULL);
    if (thread_start(&ahead->thread, fill_main, ahead)) return ahead;
    release(ahead);
    return NULL;
}

/* The block at hand, once there is one. NULL: the source has ended. */
static const struct block *wait_for_block(struct read_ahead *ahead)
{
    pthread_mutex_lock(&ahead->lock);
    while (ahead->filled == ahead->taken && !ahead->ended) pthread_cond_wait(&ahead->moved, &ahead->lock);
    bool got = ahead->filled > ahead->taken;
    pthread_mutex_unlock(&ahead->lock);
    return got ? &ahead->ring[ahead->taken % BLOCK_COUNT] : NULL; /* Only the taker moves `taken`. */
}

static void give_back(struct read_ahead *ahead)
{
    pthread_mutex_lock(&ahead->lock);
    ahead->taken++;
    ahead->at = 0;
    pthread_cond_signal(&ahead->moved);
    pthread_mutex_unlock(&ahead->lock);
}

bool read_ahead_take(struct read_ahead *ahead, void *buffer, size_t size, size_t *got, struct error *err)
{
    *got = 0;
    const struct block *block = wait_for_block(ahead);
    if (!block) {
        if (ahead->failed) *err = *ahead->failure;
        return !ahead->failed;
    }
    *got = block->size - ahead->at < size ? block->size - ahead->at : size;
    memcpy(buffer, block->data + ahead->at, *got);
    ahead->at += *got;
    if (ahead->at == block->size) give_back(ahead);
    return true;
}

void read_ahead_stop(struct read_ahead *ahead)
{
    if (!ahead) return;
    pthread_mutex_lock(&ahead->lock);
    ahead->stop = true;
    pthread_cond_signal(&ahead->moved);
    pthread_mutex_unlock(&ahead->lock);
    pthread_join(ahead->thread, NULL);
    release(ahead);
}
