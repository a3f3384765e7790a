/* sighting -- what finding a file gives, by looking or by being told. */
#pragma once
#include "base/attr.h"

struct sighting {
    const char *directory;     /* Absolute, without a trailing slash. */
    const char *name;          /* Last component. */
    int64_t size;
    int64_t mtime_us, ctime_us;
    uint64_t device, inode;
    bool known_complete;       /* The producer is known to be done (moved in, or closed and lease granted). */
};
