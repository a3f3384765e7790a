/* delta_parts -- what the files of the Delta log share with each other: names in _delta_log, replay state. Not for other rooms. */
#pragma once
#include "base/tree.h"
#include "formats/delta_log.h"

/* A checkpoint that is whole: one file, or all its parts. */
struct delta_checkpoint {
    int64_t version;
    uint32_t parts;                /* 0: a single file. */
};

struct delta_listing {
    const char *directory;         /* <table>/_delta_log */
    int64_t *versions;             /* Of the .json files, ascending. */
    size_t version_count;
    struct delta_checkpoint *checkpoints; /* Ascending. */
    size_t checkpoint_count;
    int64_t v2_version;            /* Newest UUID-named checkpoint; -1: none. */
};

/* A missing folder is an empty listing. */
bool delta_list(const char *path, struct arena *arena, struct delta_listing *out, struct error *err) MUST_CHECK;
int64_t delta_listing_latest(const struct delta_listing *listing); /* -1: no table. */
char *delta_commit_path(struct arena *arena, const char *directory, int64_t version);
char *delta_checkpoint_path(struct arena *arena, const char *directory, int64_t version, uint32_t part, uint32_t parts);

/* --- replay --- */

struct delta_pair {
    const char *key, *value;       /* value NULL: null. */
};

/* An add or remove as it was read: partition values by name, since the metadata may come later. */
struct delta_file_action {
    bool is_add;
    bool has_deletion_vector;
    struct delta_add add;          /* partition_values unset. */
    struct delta_remove remove;
    struct delta_pair *pairs;
    size_t pair_count;
};

/* One file action that stands at a version; borrowed for the call. False ends the visit. */
typedef bool (*delta_visit)(void *user, const struct delta_file_action *action, struct error *err);
/* Hands on every add and remove that stands at the snapshot's version (which may have been loaded without files), in no
 * promised order. Memory does not grow with the files of the checkpoint the snapshot started from. */
bool delta_visit_files(const char *path, const struct delta_snapshot *snapshot, struct inlet_context *context, delta_visit visit, void *user,
                       struct error *err) MUST_CHECK;

struct delta_replay;

/* Each copies what it keeps into the snapshot's arena. The newest one wins. */
bool delta_replay_file(struct delta_replay *replay, const struct delta_file_action *action, struct error *err) MUST_CHECK;
void delta_replay_txn(struct delta_replay *replay, const struct delta_txn *txn);
void delta_replay_metadata(struct delta_replay *replay, const struct delta_metadata *metadata); /* Borrowed: lives in the snapshot's arena. */
void delta_replay_protocol(struct delta_replay *replay, const struct delta_protocol *protocol); /* Borrowed, too. */
struct arena *delta_replay_arena(struct delta_replay *replay);
bool delta_replay_keeps_files(const struct delta_replay *replay);

/* delta_checkpoint.c: hands every row of the checkpoint to the replay. */
bool delta_checkpoint_read(const char *directory, const struct delta_checkpoint *checkpoint, struct delta_replay *replay,
                           struct inlet_context *context, struct error *err) MUST_CHECK;

/* delta_actions.c: one action from its JSON. Strings are copied into `arena`, which may be a scratch arena for files and txns. */
bool delta_parse_file_action(const struct tree *node, bool is_add, struct arena *arena, struct delta_file_action *out, struct error *err) MUST_CHECK;
bool delta_parse_txn(const struct tree *node, struct arena *arena, struct delta_txn *out, struct error *err) MUST_CHECK;
bool delta_parse_metadata(const struct tree *node, struct arena *arena, struct delta_metadata *out, struct error *err) MUST_CHECK;
bool delta_parse_protocol(const struct tree *node, struct arena *arena, struct delta_protocol *out, struct error *err) MUST_CHECK;
