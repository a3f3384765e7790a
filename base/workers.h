/* workers -- runs one function on several threads and waits for all of them.
 *
 * The calling thread is worker 0, so one worker costs no thread at all. */
#pragma once
#include "base/error.h"
#include <pthread.h>

/* pthread_create for a thread that takes no signals: they go to the threads that know what they mean. */
bool thread_start(pthread_t *thread, void *(*run)(void *user), void *user) MUST_CHECK;

/* run(user, worker) on `count` threads at once. Where the system gives fewer threads the work goes on with
 * those it gave: at least the caller's. Returns when all have ended. */
void workers_run(unsigned count, void (*run)(void *user, unsigned worker), void *user);
