/* notify -- finding files by being told, behind one table of functions.
 *
 * Notifications are hints: at least once, unordered, sometimes lost. A hint names a path; discovery looks at what is there
 * and asks its rules. `rescan` says that something was lost and only a listing helps. A hint is acknowledged
 * when its admission is durable. One thread uses a channel at a time. */
#pragma once
#include "base/arena.h"
#include "base/error.h"

struct notify_spec {
    const char *const *roots;          /* Absolute folders that exist. */
    size_t root_count;
    void *user;
    bool (*enters)(void *user, const char *directory); /* Is this folder worth watching? NULL: all are. */
};

struct notify_hint {
    const char *directory;
    const char *name;                  /* NULL: look at the whole folder and all below it (it is new, or was moved in). */
    bool known_complete;               /* Moved in: the producer is done. */
    bool closed;                       /* Closed after writing: done if a lease is granted. */
};

struct notify_batch {
    struct notify_hint *hints;         /* In the order told; several hints of one file are joined. */
    size_t count;
    bool rescan;                       /* Events were lost, or a root went away: list everything. */
};

struct notify;

struct notify_ops {
    const char *name;                  /* "inotify" */
    struct notify *(*open)(const struct notify_spec *spec, struct error *err);
    int (*fd)(const struct notify *notify); /* Readable when there is something; -1: poll only. */
    /* What has been told since; waits at most timeout_ms (0: not at all). Text lives in the arena. */
    bool (*poll)(struct notify *notify, int timeout_ms, struct arena *arena, struct notify_batch *out, struct error *err);
    bool (*acknowledge)(struct notify *notify, struct error *err); /* All that poll has given is durable. */
    /* NULL while everything is watched; else why not, in a sentence with its remedy: discovery must list as well. */
    const char *(*limited)(const struct notify *notify);
    void (*close)(struct notify *notify);
};

extern const struct notify_ops inotify_notify;
