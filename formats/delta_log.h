/* delta_log -- Delta's transaction log: replay, put-if-absent commits, checkpoints (file-source.md section 9).
 *
 * Knows bytes and actions, not batches: sinks/delta.c decides what to commit. */
#pragma once
#include "base/draft.h"
#include "columns/type.h"
#include "formats/format.h"

struct delta_add {
    const char *path;                 /* Percent-encoded, relative to the table. */
    const char **partition_values;    /* One per partition column; NULL: null. */
    int64_t size, modification_time_ms;
    const char *stats_json;           /* NULL: none. */
    const char *tags_json;            /* NULL: none; carried through checkpoints. */
};
struct delta_remove { const char *path; int64_t deletion_timestamp_ms; bool data_change; const char *extra_json; };
struct delta_txn { const char *app_id; int64_t version, last_updated_ms; };

struct delta_metadata {
    const char *id, *name, *description, *schema_json;
    const struct type *schema;
    const char **partition_columns; size_t partition_count;
    struct tree *configuration;       /* MAP of text. */
    int64_t created_time_ms;
};
struct delta_protocol {
    int min_reader, min_writer;
    const char *const *reader_features; size_t reader_feature_count;
    const char *const *writer_features; size_t writer_feature_count;
};

struct delta_snapshot {
    int64_t version;                  /* -1: there is no table yet. */
    struct delta_metadata metadata;
    struct delta_protocol protocol;
    struct delta_add *adds; size_t add_count;
    struct delta_remove *removes; size_t remove_count;
    struct delta_txn *txns; size_t txn_count;
    int64_t checkpoint_version;       /* -1: none. */
};

/* Replays the log of the table at `path` (up to `version`, -1: newest). All strings live in arena. with_files false:
 * adds and removes are not kept (constant memory). Missing log: version -1, no error. */
bool delta_snapshot_load(const char *path, int64_t version, bool with_files, struct arena *arena, struct inlet_context *context,
                         struct delta_snapshot *out, struct error *err) MUST_CHECK;
/* What a new table of this schema needs: (1,2), or (3,7) with timestampNtz where the schema has TIMESTAMP_NTZ. Static
 * memory. True where table features are needed. */
bool delta_protocol_for(const struct type *schema, struct delta_protocol *out);
/* What `current` must become to hold `schema` (mergeSchema may bring the first TIMESTAMP_NTZ). False: it is enough as it is. */
bool delta_protocol_extend(struct arena *arena, const struct delta_protocol *current, const struct type *schema,
                           struct delta_protocol *out);
/* Refuses tables whose protocol needs what we do not know, naming each feature (9.8). */
bool delta_check_readable(const struct delta_snapshot *snapshot, struct error *err) MUST_CHECK;
bool delta_check_writable(const struct delta_snapshot *snapshot, struct error *err) MUST_CHECK;
int64_t delta_txn_version(const struct delta_snapshot *snapshot, const char *app_id); /* -1: none. */

/* Writes version `version` (lines of actions, each ended by a newline) unless it exists. */
bool delta_commit(const char *path, int64_t version, struct slice actions, bool *existed, struct error *err) MUST_CHECK;
/* The same in two steps, for names in other folders to be made durable between them: the file, synced but nameless, which
 * draft_create makes the commit. */
bool delta_commit_draft(const char *path, int64_t version, struct slice actions, struct draft *draft, struct error *err) MUST_CHECK;
/* The commit file of one version as a list of trees; NULL with PATH_NOT_FOUND when there is none. */
struct tree *delta_read_commit(const char *path, int64_t version, struct arena *arena, struct error *err) MUST_CHECK;
/* Latest version by listing; -1: no log. */
bool delta_latest_version(const char *path, int64_t *version, struct error *err) MUST_CHECK;
/* Writes %020d.checkpoint.parquet of the snapshot's version and _last_checkpoint. The files are read from the log once more: the
 * snapshot need not have them. */
bool delta_write_checkpoint(const char *path, const struct delta_snapshot *snapshot, struct inlet_context *context, struct error *err) MUST_CHECK;
/* DESCRIBE HISTORY, newest first: one JSON object per version into out, as a JSON array (limit 0: all). */
bool delta_history(const char *path, size_t limit, struct arena *arena, struct buffer *out, struct error *err) MUST_CHECK;
/* Builders of action lines, each ends with a newline. */
void delta_print_add(struct buffer *out, const struct delta_add *add, const struct delta_metadata *metadata, bool data_change);
void delta_print_metadata(struct buffer *out, const struct delta_metadata *metadata);
void delta_print_protocol(struct buffer *out, const struct delta_protocol *protocol);
void delta_print_txn(struct buffer *out, const struct delta_txn *txn);
/* add.path of a file: percent-encoded once more ("k=a%3Ab/x.parquet" on disk is "k=a%253Ab/x.parquet"), and back. */
void delta_encode_path(struct buffer *out, const char *path);
char *delta_decode_path(struct arena *arena, const char *path);
/* Partition value of one row as partitionValues holds it (9.3); false: null. Not for nested types. PLAIN columns. */
bool delta_print_partition_value(const struct column *column, size_t row, struct buffer *out);
/* add.stats of a file (9.3): leaves in schema order, first `indexed` of them. */
void delta_print_stats(struct buffer *out, const struct type *schema, int64_t rows, const struct leaf_stats *stats, size_t count, int indexed);
