/* aside -- one thread that stands by and does a piece of work beside the caller's.
 *
 * For work that mostly waits for the disk. Without threads, or where the system gives none, aside_start does the work itself before
 * it returns: the same calls in an order that is always the same. */
#pragma once
#include <stdbool.h>

struct aside;

struct aside *aside_new(bool threaded);
void aside_free(struct aside *aside); /* Waits first. NULL is allowed. */
/* Waits for the work before. What `user` leads to is the work's own until aside_wait. */
void aside_start(struct aside *aside, void (*run)(void *user), void *user);
void aside_wait(struct aside *aside);
