/* read_ahead -- a thread that fills blocks while the caller works on those before: inflating beside parsing. */
#pragma once
#include "base/error.h"

/* Delivers up to `size` bytes; *got 0 means the end. Called by the thread only, never again after an end or a failure. */
typedef bool (*read_ahead_fn)(void *source, void *buffer, size_t size, size_t *got, struct error *err);

struct read_ahead;

/* Starts the thread; NULL where the system gives none: the caller reads by itself then. `source` is the thread's until it has
 * delivered its end or failure, or read_ahead_stop() has returned. */
struct read_ahead *read_ahead_start(read_ahead_fn read, void *source);
/* What read() would have delivered, in order, its failure behind the bytes before it. */
bool read_ahead_take(struct read_ahead *ahead, void *buffer, size_t size, size_t *got, struct error *err) MUST_CHECK;
/* Waits for the read in progress and ends the thread. NULL is allowed. */
void read_ahead_stop(struct read_ahead *ahead);
