/* direct -- a large file on its way to the disk, past the page cache.
 *
 * Nobody reads a staged file before it is published, and every byte is synced first; so a copy of it in the page cache
 * costs processor time and memory and gains nothing. What is written is gathered in blocks, which the disk takes
 * from there (O_DIRECT). Where the file system is not known to do that well, or refuses, the bytes
 * go through the cache as ever. The file is the same either way. */
#pragma once
#include "base/error.h"

enum { DIRECT_BLOCK = 1 << 20 };

struct direct {
    int fd;          /* The caller's. */
    uint8_t *block;  /* DIRECT_BLOCK bytes; NULL: not in use. */
    size_t used;
};

/* From here on the empty file is written by direct_write() alone. False: not on this file system. */
bool direct_start(struct direct *direct, int fd);
/* Full blocks go to the disk; what is left waits. */
bool direct_write(struct direct *direct, const void *data, size_t size, const char *name, struct error *err) MUST_CHECK;
/* Writes what is left; the descriptor is an ordinary one again. Durable is nothing of it before the caller's fsync. */
bool direct_end(struct direct *direct, const char *name, struct error *err) MUST_CHECK;
/* Forgets what is left. The descriptor may be closed already. */
void direct_drop(struct direct *direct);
