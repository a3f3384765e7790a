/* workers -- a fork and join of threads. */
#include "base/workers.h"

#include <pthread.h>
#include <signal.h>

enum { WORKERS_MAX = 256 };

struct worker {
    pthread_t thread;
    void (*run)(void *user, unsigned worker);
    void *user;
    unsigned index;
};

static void *worker_main(void *argument)
{
    struct worker *worker = argument;
    worker->run(worker->user, worker->index);
    return NULL;
}

void workers_run(unsigned count, void (*run)(void *user, unsigned worker), void *user)
{
    struct worker workers[WORKERS_MAX];
    if (count > WORKERS_MAX) count = WORKERS_MAX;
    unsigned started = 1;
    /* Signals go to the caller's thread, which knows what they mean. */
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    for (unsigned i = 1; i < count; i++) {
        workers[i] = (struct worker){.run = run, .user = user, .index = i};
        if (pthread_create(&workers[i].thread, NULL, worker_main, &workers[i]) != 0) break;
        started++;
    }
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    run(user, 0);
    for (unsigned i = 1; i < started; i++) pthread_join(workers[i].thread, NULL);
}
