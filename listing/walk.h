/* walk -- finding files by looking: a local walk under the load paths.
 *
 * Directories are read with getdents64 in large buffers; names that the visitor already knows are not stat'ed.
 * Rules, in the order in which `inlet why` names them: under a load path; not hidden ('_' without '=', '.',
 * '._COPYING_'); the load path's glob; not the pipeline's own output or state; depth (the load folder, key=value folders
 * and what is below them, or the whole subtree);
 * pathGlobFilter on the base name; a regular file; modifiedAfter/Before. Nothing here knows the ledger. */
#pragma once
#include "base/context.h"
#include "base/error.h"
#include "base/arena.h"
#include "listing/sighting.h"

struct walk;

struct walk_spec {
    const char *const *load;        /* Absolute paths, globs allowed; at least one. */
    size_t load_count;
    bool strict_glob;               /* Hadoop's rules ('*' within one folder); false: Auto Loader's loose ones. */
    bool subtree;                   /* Files of every folder; false: of the load folder, and of folders named key=value and all below them. */
    const char *const *own;         /* Absolute folders that are never entered (the pipeline's own output and state). */
    size_t own_count;
    const char *path_glob_filter;   /* On base names; NULL: none. */
    int64_t modified_after_us, modified_before_us; /* Exclusive; INT64_MIN and INT64_MAX: off. */
    bool stat_known;                /* allowOverwrites: every file is stat'ed before it is asked about. */
    bool root_may_go;           /* A plain load path that is not there is reported as unreadable, not an error: a service waits for it. */
    bool read_ahead;                /* The next folder is read on a thread of its own. */
    bool use_marks;                 /* Fully seen folders may be passed over (L9). Never with stat_known. */
};

/* State of a directory, before and after its scan. */
struct walk_mark {
    const char *directory;
    uint64_t device, inode;
    int64_t mtime_ns, ctime_ns;
};

/* Called on the walking thread. Text is borrowed for the call. */
struct walk_visitor {
    void *user;
    /* known[i]: no look at names[i] is needed. mtimes_us is set with stat_known, else NULL. */
    bool (*known)(void *user, const char *directory, const char *const *names, const int64_t *mtimes_us, size_t count, bool *known, struct error *err);
    /* A file that is not known. */
    bool (*found)(void *user, const struct sighting *sighting, struct error *err);
    /* Every admissible name of the directory was known or has been given to `found`, and the directory has kept still since
     * two seconds before the scan: it may be marked once those are in the ledger. Optional. */
    bool (*seen)(void *user, const struct walk_mark *mark, struct error *err);
    /* The mark that the directory has, if it has one that counts (options digest). Optional. */
    bool (*marked)(void *user, const char *directory, struct walk_mark *mark, bool *found, struct error *err);
    /* A directory that could not be read, or a loop of symbolic links; the walk goes on. Optional. */
    void (*unreadable)(void *user, const char *directory, const struct error *why);
};

struct walk_stats {
    int64_t directories, directories_passed_over, names, files_known, files_found, files_filtered, directories_unreadable;
};

/* Compiles the patterns. Everything lives in the arena; immutable afterwards, any thread may use it. */
struct walk *walk_new(const struct walk_spec *spec, struct arena *arena, struct error *err) MUST_CHECK;
/* The whole walk. PATH_NOT_FOUND: a load path without wildcards does not exist. now_us: the wall clock (marks). */
bool walk_run(const struct walk *walk, const struct walk_visitor *visitor, int64_t now_us, const struct cancel *cancel, struct walk_stats *stats,
              struct error *err) MUST_CHECK;
/* Only `directory` and what is below it, by the same rules; a directory that no rule reaches, or that has gone, gives nothing. */
bool walk_run_under(const struct walk *walk, const char *directory, const struct walk_visitor *visitor, int64_t now_us, const struct cancel *cancel,
                    struct walk_stats *stats, struct error *err) MUST_CHECK;
/* One name that somebody told of: looked at by the rules. *found false: a rule excludes it, or it is not there. Calls no visitor.
 * Sighting text is borrowed from the arguments. */
bool walk_look_at(const struct walk *walk, const char *directory, const char *name, struct sighting *out, bool *found, struct error *err) MUST_CHECK;
/* May the walk find something in this directory or below it? (Which folders to watch.) */
bool walk_enters(const struct walk *walk, const char *directory);
/* The longest folder of each load path without wildcards: where watches begin, and where key=value starts to count. */
const char *const *walk_roots(const struct walk *walk, size_t *count);
/* The first rule that excludes the path, as one sentence; NULL: none does, it is (or would be, were it there) taken. */
const char *walk_why_not(const struct walk *walk, const char *path, struct arena *arena);
bool name_is_hidden(const char *name);
