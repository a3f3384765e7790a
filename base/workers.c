/* workers -- a fork and join of threads. */
#include "base/workers.h"

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

bool thread_start(pthread_t *thread, void *(*run)(void *user), void *user)
{
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int code = pthread_create(thread, NULL, run, user);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return code == 0;
}

void workers_run(unsigned count, void (*run)(void *user, unsigned worker), void *user)
{
    struct worker workers[WORKERS_MAX];
    if (count > WORKERS_MAX) count = WORKERS_MAX;
    unsigned started = 1;
    for (unsigned i = 1; i < count; i++) {
        workers[i] = (struct worker){.run = run, .user = user, .index = i};
        if (!thread_start(&workers[i].thread, worker_main, &workers[i])) break;
        started++;
    }
    run(user, 0);
    for (unsigned i = 1; i < started; i++) pthread_join(workers[i].thread, NULL);
}
