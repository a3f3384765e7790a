/* entries_ahead -- one thread, one slot. */
#include "listing/entries_ahead.h"
#include "base/panic.h"
#include "base/workers.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { AHEAD_BYTES = 1 << 20, AHEAD_ROOM_LEAST = 64 << 10 };

enum state { IDLE, READING, READ, STOPPING };

struct entries_ahead {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    enum state state;
    int fd;                    /* -1: idle. Changed by the owner alone. */
    char *entries;
    long size;
    bool ended;
    int code;
};

/* Without the lock: while it reads, the slot is the thread's. */
static void read_folder(struct entries_ahead *ahead)
{
    ahead->size = 0;
    ahead->ended = false;
    ahead->code = 0;
    while (!ahead->ended && AHEAD_BYTES - ahead->size >= AHEAD_ROOM_LEAST) {
        long size = syscall(SYS_getdents64, ahead->fd, ahead->entries + ahead->size, (size_t)(AHEAD_BYTES - ahead->size));
        if (size < 0) ahead->code = errno;
        if (size > 0) ahead->size += size;
        else ahead->ended = true;
    }
}

static void *thread_main(void *argument)
{
    struct entries_ahead *ahead = argument;
    pthread_mutex_lock(&ahead->lock);
    while (ahead->state != STOPPING) {
        if (ahead->state != READING) {
            pthread_cond_wait(&ahead->changed, &ahead->lock);
            continue;
        }
        pthread_mutex_unlock(&ahead->lock);
        read_folder(ahead);
        pthread_mutex_lock(&ahead->lock);
        if (ahead->state == READING) ahead->state = READ;
        pthread_cond_broadcast(&ahead->changed);
    }
    pthread_mutex_unlock(&ahead->lock);
    return NULL;
}

struct entries_ahead *entries_ahead_new(void)
{
    struct entries_ahead *ahead = calloc(1, sizeof *ahead);
    if (!ahead || !(ahead->entries = malloc(AHEAD_BYTES))) panic_out_of_memory(AHEAD_BYTES);
    ahead->fd = -1;
    pthread_mutex_init(&ahead->lock, NULL);
    pthread_cond_init(&ahead->changed, NULL);
    if (thread_start(&ahead->thread, thread_main, ahead)) return ahead;
    pthread_cond_destroy(&ahead->changed);
    pthread_mutex_destroy(&ahead->lock);
    free(ahead->entries);
    free(ahead);
    return NULL;
}

static void set_state(struct entries_ahead *ahead, enum state state)
{
    pthread_mutex_lock(&ahead->lock);
    ahead->state = state;
    pthread_cond_broadcast(&ahead->changed);
    pthread_mutex_unlock(&ahead->lock);
}

void entries_ahead_free(struct entries_ahead *ahead)
{
    if (!ahead) return;
    set_state(ahead, STOPPING);
    pthread_join(ahead->thread, NULL);
    pthread_cond_destroy(&ahead->changed);
    pthread_mutex_destroy(&ahead->lock);
    free(ahead->entries);
    free(ahead);
}

bool entries_ahead_give(struct entries_ahead *ahead, int fd)
{
    if (ahead->fd >= 0) return false;
    ahead->fd = fd;
    set_state(ahead, READING);
    return true;
}

bool entries_ahead_has(const struct entries_ahead *ahead, int fd) { return ahead && ahead->fd == fd; }

void entries_ahead_take(struct entries_ahead *ahead, const char **entries, long *size, bool *ended, int *code)
{
    pthread_mutex_lock(&ahead->lock);
    while (ahead->state == READING) pthread_cond_wait(&ahead->changed, &ahead->lock);
    invariant(ahead->state == READ);
    ahead->state = IDLE;
    pthread_mutex_unlock(&ahead->lock);
    ahead->fd = -1;
    *entries = ahead->entries;
    *size = ahead->size;
    *ended = ahead->ended;
    *code = ahead->code;
}
