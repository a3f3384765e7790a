/* aside -- a mailbox of one place, and the thread that empties it. */
#include "base/aside.h"
#include "base/panic.h"
#include "base/workers.h"

#include <stdlib.h>

struct aside {
    bool threaded;           /* A thread stands by, or is to be started with the first work. */
    bool started, ends;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    void (*run)(void *user); /* Not NULL: to be done, or being done. */
    void *user;
};

struct aside *aside_new(bool threaded)
{
    struct aside *aside = calloc(1, sizeof *aside);
    if (!aside) panic_out_of_memory(sizeof *aside);
    aside->threaded = threaded;
    pthread_mutex_init(&aside->lock, NULL);
    pthread_cond_init(&aside->changed, NULL);
    return aside;
}

static void *stand_by(void *user)
{
    struct aside *aside = user;
    pthread_mutex_lock(&aside->lock);
    for (;;) {
        while (!aside->run && !aside->ends) pthread_cond_wait(&aside->changed, &aside->lock);
        if (!aside->run) break;
        pthread_mutex_unlock(&aside->lock);
        aside->run(aside->user);
        pthread_mutex_lock(&aside->lock);
        aside->run = NULL;
        pthread_cond_broadcast(&aside->changed);
    }
    pthread_mutex_unlock(&aside->lock);
    return NULL;
}

void aside_wait(struct aside *aside)
{
    if (!aside->started) return;
    pthread_mutex_lock(&aside->lock);
    while (aside->run) pthread_cond_wait(&aside->changed, &aside->lock);
    pthread_mutex_unlock(&aside->lock);
}

void aside_start(struct aside *aside, void (*run)(void *user), void *user)
{
    aside_wait(aside);
    if (aside->threaded && !aside->started) aside->started = aside->threaded = thread_start(&aside->thread, stand_by, aside);
    if (!aside->started) {
        run(user);
        return;
    }
    pthread_mutex_lock(&aside->lock);
    aside->run = run;
    aside->user = user;
    pthread_cond_broadcast(&aside->changed);
    pthread_mutex_unlock(&aside->lock);
}

void aside_free(struct aside *aside)
{
    if (!aside) return;
    if (aside->started) {
        pthread_mutex_lock(&aside->lock);
        aside->ends = true;
        pthread_cond_broadcast(&aside->changed);
        pthread_mutex_unlock(&aside->lock);
        pthread_join(aside->thread, NULL);
    }
    pthread_cond_destroy(&aside->changed);
    pthread_mutex_destroy(&aside->lock);
    free(aside);
}
