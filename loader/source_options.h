/* source_options -- options of the file source and of every streaming writer, and what they come to.
 *
 * Two semantics by format name: a plain format (`json`, `csv`, ...) follows Spark's file source,
 * `cloudFiles` follows Auto Loader. The tables differ in names, value grammars and defaults;
 * source_settings is what both come to, so that the loader asks no option by name. */
#pragma once
#include "base/options.h"
#include "base/session.h"

extern const struct option_spec file_source_options[];   /* Plain formats. */
extern const struct option_spec cloud_source_options[];  /* cloudFiles, names without the prefix. */
extern const struct option_spec stream_writer_options[]; /* checkpointLocation, path, ...: every sink. */

enum clean_mode { CLEAN_OFF, CLEAN_ARCHIVE, CLEAN_MOVE, CLEAN_DELETE };

struct source_settings {
    bool is_cloud_files;
    int64_t max_files;             /* Per batch; 0: no limit. */
    int64_t max_bytes;             /* Per batch; 0: no limit. */
    bool max_bytes_crossing;       /* The file that crosses max_bytes is taken (cloudFiles); else it must fit. */
    int64_t max_file_age_us;       /* -1: off. Only refuses admission. */
    bool latest_first;
    bool file_name_only;           /* Identity is the base name. */
    bool allow_overwrites;         /* Identity is path and mtime. */
    bool include_existing;         /* Looked at by a checkpoint's first start only. */
    int64_t backfill_interval_us;  /* 0: none. */
    bool use_notifications;
    bool recursive;                /* Every subfolder; no partition columns (plain). */
    bool discover_partitions;      /* key=value folders give columns. */
    bool subtree;                  /* Folders without '=' are entered too (cloudFiles always; plain with recursive). */
    bool strict_glob;              /* Hadoop's rules for the load path; false: Auto Loader's loose ones. */
    const char *const *partition_columns; /* cloudFiles.partitionColumns; NULL: not given. */
    size_t partition_column_count;
    const char *path_glob_filter;  /* On base names; NULL: none. */
    const char *base_path;         /* Absolute; NULL: the load path. */
    int64_t modified_after_us, modified_before_us; /* Exclusive; INT64_MIN and INT64_MAX: off. */
    bool ignore_missing_files, ignore_corrupt_files;
    enum clean_mode clean;
    const char *clean_directory;   /* sourceArchiveDir or moveDestination, absolute; NULL: none. */
    int64_t clean_retention_us;    /* After the commit; 0 for plain formats. */
    bool clean_wait;               /* cleanSource.waitForCompletion. */
};

/* `options` were parsed from one of the source tables and file_options. Checks what rows cannot say: pairs,
 * needed companions, minimum ages; errors as in file-source.md 1.1, 1.9 and 5. */
bool source_settings_make(const struct options *options, bool is_cloud_files, const struct session *session,
                          struct arena *arena, struct source_settings *out, struct error *err) MUST_CHECK;
