/* store -- where bytes live, behind one table of functions.
 *
 * Paths are of the store's own kind (local: absolute file names). Reads are ranged and conditional:
 * an object that is no longer what was sighted is reported, never mixed. submit/complete lets a store
 * with latency keep several reads in the air; the local store completes at once. */
#pragma once
#include "base/bytes.h"
#include "base/context.h"
#include "base/error.h"

struct object_stat {
    int64_t size;
    int64_t mtime_us, ctime_us;   /* ctime 0 where the store has none. */
    uint64_t device, inode;       /* 0 where the store has none. */
    char etag[80];                /* Empty where the store has none. */
    bool is_directory;
};

enum store_flags { STORE_LOCAL = 1, STORE_ATOMIC_RENAME = 2, STORE_PUT_IF_ABSENT = 4, STORE_HAS_DIRECTORIES = 8 };

struct store_file;  /* One object opened for reading. */
struct store_write; /* One object being written: invisible until finished. */

struct store_ops {
    const char *scheme;           /* "file". */
    unsigned flags;
    bool (*head)(const char *path, struct object_stat *out, struct error *err);       /* Absent: PATH_NOT_FOUND. */
    struct store_file *(*open)(const char *path, struct object_stat *out, struct error *err); /* Stat of what was opened. */
    /* Reads up to `size` bytes at `offset`; *got 0 at the end. */
    bool (*read_at)(struct store_file *file, int64_t offset, void *buffer, size_t size, size_t *got, const struct cancel *cancel, struct error *err);
    bool (*stat)(struct store_file *file, struct object_stat *out, struct error *err); /* As it is now. */
    void (*close)(struct store_file *file);
    struct store_write *(*write_begin)(const char *path, struct error *err);
    bool (*write_append)(struct store_write *write, const void *data, size_t size, struct error *err);
    bool (*write_finish_if_absent)(struct store_write *write, bool *existed, struct error *err); /* Durable when it returns. */
    void (*write_abort)(struct store_write *write);
    bool (*copy)(const char *from, const char *to, struct error *err);                /* To a name that must not exist; durable. */
    bool (*remove)(const char *path, struct error *err);                              /* Absent is not an error. */
};

extern const struct store_ops local_store;
/* By the scheme of a path or URL; a plain path is local. Unknown scheme: INLET_NOT_SUPPORTED_YET by name. */
const struct store_ops *store_find(const char *path, struct error *err);
