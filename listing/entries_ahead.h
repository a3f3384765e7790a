/* entries_ahead -- reads the entries of the next folder on a thread of its own, while the names of this one are being judged.
 *
 * Most of a listing is the kernel's sorting of entries inside getdents64; here that of one folder runs beside everything else.
 * One folder at a time; used by one thread. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

struct entries_ahead;
struct entries_ahead *entries_ahead_new(void); /* NULL where no thread can be had: then nothing is read ahead. */
void entries_ahead_free(struct entries_ahead *ahead); /* NULL is allowed. What was given to it is closed by its owner, after this or _take. */
/* Begins to read the folder, from its descriptor's position. False: another one is being read or waits to be taken. */
bool entries_ahead_give(struct entries_ahead *ahead, int fd);
bool entries_ahead_has(const struct entries_ahead *ahead, int fd);
/* Waits for what was read: entries as getdents64 gives them, valid until the next _give. *ended: there are no more, *code is 0 or
 * what went wrong; else the descriptor stands behind them. */
void entries_ahead_take(struct entries_ahead *ahead, const char **entries, long *size, bool *ended, int *code);
