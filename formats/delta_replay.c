/* delta_replay -- the state of a Delta table at one version: newest checkpoint, then the commits behind it.
 *
 * Forward: a later action replaces an earlier one. Files are kept in one table keyed by their decoded
 * path, whether added or removed. Strings of files go into the snapshot's arena once they are known to
 * be kept; JSON trees live in a scratch arena which is reset line by line.
 *
 * Backward, for checkpoints: newest commit first, the checkpoint last, every file is handed on as it is read unless
 * its path was seen before. All that is kept is a digest of each path in the commits. */
#include "base/panic.h"
#include "base/uuid.h"
#include "formats/delta_parts.h"
#include "formats/log_lines.h"
#include <inttypes.h>
#include <stdlib.h>

struct replay_file {
    const char *key;             /* Decoded path. */
    struct delta_file_action action;
};

/* Within a commit adds come first: where a broken writer has both for one path, its rows stay. */
enum visit_pass { VISIT_ADDS, VISIT_REMOVES, VISIT_CHECKPOINT };

struct visiting {
    delta_visit visit;
    void *user;
    enum visit_pass pass;
    uint64_t (*seen)[2];         /* Digests of decoded paths; both 0: free. Power of two, malloc'ed. */
    size_t seen_count, capacity;
};

struct delta_replay {
    struct arena *arena;         /* The snapshot's. */
    struct arena *scratch;       /* Of one line. */
    struct arena *name;          /* Of one commit's path. */
    bool keep_files;
    struct visiting *visiting;   /* NULL: forward. */
    struct delta_metadata metadata;
    struct delta_protocol protocol;
    bool has_metadata, has_protocol;
    struct replay_file *files;   /* malloc'ed. */
    size_t file_count, file_capacity;
    uint32_t *slots;             /* Hash table of file index + 1; 0: free. Power of two, malloc'ed. */
    size_t slot_count;
    struct delta_txn *txns;      /* malloc'ed. */
    size_t txn_count, txn_capacity;
    const char **keys;           /* Names of partition columns, shared by all files. */
    size_t key_count, key_capacity;
};

struct arena *delta_replay_arena(struct delta_replay *replay) { return replay->arena; }
bool delta_replay_keeps_files(const struct delta_replay *replay) { return replay->keep_files || replay->visiting; }

static void *array_grown(void *array, size_t count, size_t *capacity, size_t size)
{
    if (count < *capacity) return array;
    *capacity = *capacity ? *capacity * 2 : 64;
    void *larger = realloc(array, *capacity * size);
    if (!larger) panic_out_of_memory(*capacity * size);
    return larger;
}

static void replay_init(struct delta_replay *replay, struct arena *arena, bool keep_files)
{
    *replay = (struct delta_replay){.arena = arena, .scratch = arena_new("delta line"), .name = arena_new("delta commit"),
                                    .keep_files = keep_files};
}

static void replay_fini(struct delta_replay *replay)
{
    arena_free(replay->scratch);
    arena_free(replay->name);
    free(replay->files);
    free(replay->slots);
    free(replay->txns);
    free(replay->keys);
}

/* --- files --- */

static void slots_grow(struct delta_replay *replay)
{
    size_t count = replay->slot_count ? replay->slot_count * 2 : 1024;
    uint32_t *slots = calloc(count, sizeof(*slots));
    if (!slots) panic_out_of_memory(count * sizeof(*slots));
    for (size_t i = 0; i < replay->file_count; i++) {
        const char *key = replay->files[i].key;
        size_t slot = hash_bytes(key, strlen(key)) & (count - 1);
        while (slots[slot]) slot = (slot + 1) & (count - 1);
        slots[slot] = (uint32_t)i + 1;
    }
    free(replay->slots);
    replay->slots = slots;
    replay->slot_count = count;
}

/* The place of `key`; *found tells whether it was known. The key must stay valid. */
static struct replay_file *file_place(struct delta_replay *replay, const char *key, bool *found)
{
    if ((replay->file_count + 1) * 2 > replay->slot_count) slots_grow(replay);
    size_t slot = hash_bytes(key, strlen(key)) & (replay->slot_count - 1);
    for (; replay->slots[slot]; slot = (slot + 1) & (replay->slot_count - 1)) {
        struct replay_file *file = &replay->files[replay->slots[slot] - 1];
        *found = strcmp(file->key, key) == 0;
        if (*found) return file;
    }
    *found = false;
    replay->files = array_grown(replay->files, replay->file_count, &replay->file_capacity, sizeof(*replay->files));
    replay->slots[slot] = (uint32_t)++replay->file_count;
    return &replay->files[replay->file_count - 1];
}

static const char *key_shared(struct delta_replay *replay, const char *key)
{
    for (size_t i = 0; i < replay->key_count; i++)
        if (strcmp(replay->keys[i], key) == 0) return replay->keys[i];
    replay->keys = array_grown(replay->keys, replay->key_count, &replay->key_capacity, sizeof(*replay->keys));
    return replay->keys[replay->key_count++] = arena_strdup(replay->arena, key);
}

static const char *kept_text(struct delta_replay *replay, const char *text)
{
    return text ? arena_strdup(replay->arena, text) : NULL;
}

static void file_keep(struct delta_replay *replay, const struct delta_file_action *action, struct delta_file_action *out)
{
    *out = *action;
    out->add.path = kept_text(replay, action->add.path);
    out->add.stats_json = kept_text(replay, action->add.stats_json);
    out->add.tags_json = kept_text(replay, action->add.tags_json);
    out->remove.path = kept_text(replay, action->remove.path);
    out->remove.extra_json = kept_text(replay, action->remove.extra_json);
    out->pairs = ARENA_ARRAY(replay->arena, struct delta_pair, action->pair_count);
    for (size_t i = 0; i < action->pair_count; i++)
        out->pairs[i] = (struct delta_pair){key_shared(replay, action->pairs[i].key), kept_text(replay, action->pairs[i].value)};
}

static uint64_t *seen_place(const struct visiting *visiting, const uint64_t digest[2])
{
    size_t at = digest[0] & (visiting->capacity - 1);
    for (;; at = (at + 1) & (visiting->capacity - 1)) {
        uint64_t *place = visiting->seen[at];
        if ((place[0] == digest[0] && place[1] == digest[1]) || (place[0] == 0 && place[1] == 0)) return place;
    }
}

static void seen_grow(struct visiting *visiting)
{
    struct visiting larger = *visiting;
    larger.capacity = visiting->capacity ? visiting->capacity * 2 : 1024;
    larger.seen = calloc(larger.capacity, sizeof *larger.seen);
    if (!larger.seen) panic_out_of_memory(larger.capacity * sizeof *larger.seen);
    for (size_t i = 0; i < visiting->capacity; i++)
        if (visiting->seen[i][0] || visiting->seen[i][1]) memcpy(seen_place(&larger, visiting->seen[i]), visiting->seen[i], sizeof *larger.seen);
    free(visiting->seen);
    *visiting = larger;
}

/* Whether a newer action has this path. Remembers it, but for the checkpoint's, which are distinct. */
static bool seen_before(struct visiting *visiting, const char *path)
{
    uint64_t digest[2];
    if ((visiting->seen_count + 1) * 2 > visiting->capacity) seen_grow(visiting);
    digest_words(path, strlen(path), digest);
    uint64_t *place = seen_place(visiting, digest);
    if (place[0] || place[1]) return true;
    if (visiting->pass == VISIT_CHECKPOINT) return false;
    memcpy(place, digest, sizeof digest);
    visiting->seen_count++;
    return false;
}

static bool visit_file(struct delta_replay *replay, const struct delta_file_action *action, struct error *err)
{
    struct visiting *visiting = replay->visiting;
    if (visiting->pass != VISIT_CHECKPOINT && action->is_add != (visiting->pass == VISIT_ADDS)) return true;
    const char *path = action->is_add ? action->add.path : action->remove.path;
    if (strchr(path, '%')) path = delta_decode_path(replay->name, path);
    bool before = seen_before(visiting, path);
    arena_reset(replay->name);
    return before || visiting->visit(visiting->user, action, err);
}

bool delta_replay_file(struct delta_replay *replay, const struct delta_file_action *action, struct error *err)
{
    if (replay->visiting) return visit_file(replay, action, err);
    if (!replay->keep_files) return true;
    if (replay->file_count >= UINT32_MAX - 1) return error_set(err, COND_INLET_RESOURCE, "the Delta table has too many files");
    const char *path = action->is_add ? action->add.path : action->remove.path;
    const char *key = strchr(path, '%') ? delta_decode_path(replay->arena, path) : NULL;
    bool found;
    struct replay_file *file = file_place(replay, key ? key : path, &found);
    file_keep(replay, action, &file->action);
    if (!found) file->key = key ? key : (action->is_add ? file->action.add.path : file->action.remove.path);
    return true;
}

/* --- the rest --- */

void delta_replay_txn(struct delta_replay *replay, const struct delta_txn *txn)
{
    size_t at = 0;
    while (at < replay->txn_count && strcmp(replay->txns[at].app_id, txn->app_id) != 0) at++;
    if (at == replay->txn_count) {
        replay->txns = array_grown(replay->txns, at, &replay->txn_capacity, sizeof(*replay->txns));
        replay->txns[replay->txn_count++].app_id = arena_strdup(replay->arena, txn->app_id);
    }
    replay->txns[at].version = txn->version;
    replay->txns[at].last_updated_ms = txn->last_updated_ms;
}

void delta_replay_metadata(struct delta_replay *replay, const struct delta_metadata *metadata)
{
    replay->metadata = *metadata;
    replay->has_metadata = true;
}

void delta_replay_protocol(struct delta_replay *replay, const struct delta_protocol *protocol)
{
    replay->protocol = *protocol;
    replay->has_protocol = true;
}

/* --- commits --- */

static bool replay_action(struct delta_replay *replay, const struct tree *line, struct error *err)
{
    const struct tree *node;
    if ((node = tree_get(line, "add")) && node->kind == TREE_MAP) {
        struct delta_file_action action;
        if (!delta_parse_file_action(node, true, replay->scratch, &action, err) || !delta_replay_file(replay, &action, err)) return false;
    }
    if ((node = tree_get(line, "remove")) && node->kind == TREE_MAP) {
        struct delta_file_action action;
        if (!delta_parse_file_action(node, false, replay->scratch, &action, err) || !delta_replay_file(replay, &action, err)) return false;
    }
    if ((node = tree_get(line, "txn")) && node->kind == TREE_MAP) {
        struct delta_txn txn;
        if (!delta_parse_txn(node, replay->scratch, &txn, err)) return false;
        delta_replay_txn(replay, &txn);
    }
    if ((node = tree_get(line, "metaData")) && node->kind == TREE_MAP) {
        struct delta_metadata metadata;
        if (!delta_parse_metadata(node, replay->arena, &metadata, err)) return false;
        delta_replay_metadata(replay, &metadata);
    }
    if ((node = tree_get(line, "protocol")) && node->kind == TREE_MAP) {
        struct delta_protocol protocol;
        if (!delta_parse_protocol(node, replay->arena, &protocol, err)) return false;
        delta_replay_protocol(replay, &protocol);
    }
    return true; /* commitInfo, cdc, domainMetadata and whatever comes later do not change the state. */
}

static bool begins(struct slice line, const char *text)
{
    size_t size = strlen(text);
    return line.size >= size && memcmp(line.data, text, size) == 0;
}

/* Lines that cannot matter need no parsing; their end is looked at, since a cut line is damage. */
static bool line_is_idle(const struct delta_replay *replay, struct slice line)
{
    if (line.data[line.size - 1] != '}') return false;
    if (begins(line, "{\"commitInfo\":") || begins(line, "{\"cdc\":")) return true;
    bool add = begins(line, "{\"add\":"), removed = begins(line, "{\"remove\":");
    if (replay->visiting) return replay->visiting->pass == VISIT_ADDS ? removed : add;
    return !replay->keep_files && (add || removed);
}

static bool replay_line(struct delta_replay *replay, struct slice line, struct error *err)
{
    if (line_is_idle(replay, line)) return true;
    arena_reset(replay->scratch);
    struct tree *tree = tree_parse_json(replay->scratch, line, err);
    if (!tree) return false;
    if (tree->kind != TREE_MAP) return error_set(err, COND_DELTA_LOG_DAMAGED, "an action is not a JSON object");
    return replay_action(replay, tree, err);
}

static void line_failed(const struct log_lines *lines, struct error *err)
{
    if (err) err->line = 0; /* Of the JSON text, not of the pipeline file. */
    if (err && err->condition == COND_INLET_NOT_SUPPORTED_YET)
        error_context(err, "reading line %" PRId64 " of Delta log file %s", lines->number, lines->path);
    else
        error_wrap(err, COND_DELTA_LOG_DAMAGED, "line %" PRId64 " of Delta log file %s cannot be read", lines->number, lines->path);
}

static bool replay_commit(struct delta_replay *replay, const char *path, struct error *err)
{
    struct log_lines lines;
    if (!log_lines_open(&lines, path, err)) return false;
    struct slice line;
    enum log_line got;
    int64_t actions = 0;
    while ((got = log_lines_next(&lines, &line, err)) == LOG_LINE_READ) {
        if (line.size && line.data[line.size - 1] == '\r') line.size--;
        if (line.size == 0) continue;
        actions++;
        if (replay_line(replay, line, err)) continue;
        line_failed(&lines, err);
        got = LOG_LINE_FAILED;
        break;
    }
    log_lines_close(&lines);
    if (got == LOG_LINE_END && actions == 0) return error_set(err, COND_DELTA_LOG_DAMAGED, "Delta log file %s is empty", path);
    return got == LOG_LINE_END;
}

/* Versions first .. last, all of which must be there. */
static bool replay_commits(struct delta_replay *replay, const struct delta_listing *listing, int64_t first, int64_t last,
                           struct inlet_context *context, struct error *err)
{
    int64_t expected = first;
    for (size_t i = 0; i < listing->version_count && listing->versions[i] <= last; i++) {
        if (listing->versions[i] < first) continue;
        if (listing->versions[i] != expected) break;
        if (context && cancel_now(&context->cancel)) return error_set(err, COND_INLET_CANCELLED, "stopped while reading the Delta log");
        arena_reset(replay->name);
        if (!replay_commit(replay, delta_commit_path(replay->name, listing->directory, expected), err)) return false;
        expected++;
    }
    if (expected == last + 1) return true;
    if (first == 0 && expected == 0 && listing->v2_version >= 0)
        return error_set(err, COND_DELTA_UNSUPPORTED_FEATURES_FOR_READ,
                         "the table needs reader features that inlet does not know: v2Checkpoint (version %" PRId64
                         " has a UUID-named checkpoint, and the log does not start at version 0)", listing->v2_version);
    return error_set(err, COND_DELTA_LOG_DAMAGED,
                     "%s/%020" PRId64 ".json: unable to reconstruct state at version %" PRId64
                     " as the transaction log has been truncated due to manual deletion or the log retention policy",
                     listing->directory, expected, last);
}

/* --- result --- */

static bool resolve_pairs(struct delta_replay *replay, const struct delta_file_action *action, struct delta_add *out)
{
    const struct delta_metadata *metadata = &replay->metadata;
    out->partition_values = ARENA_ARRAY(replay->arena, const char *, metadata->partition_count);
    for (size_t i = 0; i < metadata->partition_count; i++)
        for (size_t k = 0; k < action->pair_count; k++)
            if (strcmp(action->pairs[k].key, metadata->partition_columns[i]) == 0) {
                const char *value = action->pairs[k].value;
                out->partition_values[i] = value && *value ? value : NULL;
            }
    return action->has_deletion_vector;
}

static bool names_include(const char *const *names, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0) return true;
    return false;
}

static bool result_files(struct delta_replay *replay, struct delta_snapshot *out, struct error *err)
{
    bool vectors = false;
    for (size_t i = 0; i < replay->file_count; i++) replay->files[i].action.is_add ? out->add_count++ : out->remove_count++;
    out->adds = ARENA_ARRAY(replay->arena, struct delta_add, out->add_count);
    out->removes = ARENA_ARRAY(replay->arena, struct delta_remove, out->remove_count);
    size_t add = 0, removed = 0;
    for (size_t i = 0; i < replay->file_count; i++) {
        const struct delta_file_action *action = &replay->files[i].action;
        if (!action->is_add) {
            out->removes[removed++] = action->remove;
            continue;
        }
        out->adds[add] = action->add;
        vectors |= resolve_pairs(replay, action, &out->adds[add++]);
    }
    if (!vectors || names_include(out->protocol.reader_features, out->protocol.reader_feature_count, "deletionVectors")) return true;
    return error_set(err, COND_DELTA_UNSUPPORTED_FEATURES_FOR_READ,
                     "the table needs reader features that inlet does not know: deletionVectors (a file has one)");
}

static bool result_schema(struct delta_replay *replay, struct delta_snapshot *out, struct error *err)
{
    struct delta_metadata *metadata = &out->metadata;
    struct arena *arena = replay->arena;
    metadata->schema = type_parse_json(arena, slice_text(metadata->schema_json), err);
    if (!metadata->schema) {
        struct error refused = {0};
        if (!delta_check_readable(out, &refused)) { /* A type of a feature that we do not know: name the feature. */
            if (err) *err = refused;
            return false;
        }
        return error_context(err, "reading the schema of the Delta table");
    }
    if (metadata->schema->kind != TYPE_STRUCT) return error_set(err, COND_DELTA_LOG_DAMAGED, "the schema of the Delta table is not a struct");
    for (size_t i = 0; i < metadata->partition_count; i++) {
        const char *name = metadata->partition_columns[i];
        if (schema_find(metadata->schema, name, strlen(name), false) < 0)
            return error_set(err, COND_DELTA_LOG_DAMAGED, "partition column %s is not in the schema of the Delta table", name);
    }
    return true;
}

static bool replay_result(struct delta_replay *replay, int64_t version, int64_t checkpoint, struct delta_snapshot *out, struct error *err)
{
    if (!replay->has_protocol || !replay->has_metadata)
        return error_set(err, COND_DELTA_LOG_DAMAGED, "the %s of the Delta table is missing from its log up to version %" PRId64,
                         replay->has_protocol ? "metadata" : "protocol", version);
    *out = (struct delta_snapshot){.version = version, .checkpoint_version = checkpoint, .metadata = replay->metadata,
                                   .protocol = replay->protocol, .txn_count = replay->txn_count};
    out->txns = ARENA_ARRAY(replay->arena, struct delta_txn, replay->txn_count);
    if (replay->txn_count) memcpy(out->txns, replay->txns, replay->txn_count * sizeof(*out->txns));
    return result_schema(replay, out, err) && result_files(replay, out, err);
}

/* From one checkpoint (NULL: from version 0). */
static bool load_from(const struct delta_listing *listing, const struct delta_checkpoint *checkpoint, int64_t version, bool with_files,
                      struct arena *arena, struct inlet_context *context, struct delta_snapshot *out, struct error *err)
{
    struct delta_replay replay;
    replay_init(&replay, arena, with_files);
    bool done = (!checkpoint || delta_checkpoint_read(listing->directory, checkpoint, &replay, context, err)) &&
                replay_commits(&replay, listing, checkpoint ? checkpoint->version + 1 : 0, version, context, err) &&
                replay_result(&replay, version, checkpoint ? checkpoint->version : -1, out, err);
    replay_fini(&replay);
    return done;
}

/* A newer checkpoint may be damaged while an older one, or version 0, is still good. The newest one's error is reported. */
static bool load_from_any(const struct delta_listing *listing, int64_t version, bool with_files, struct arena *arena,
                          struct inlet_context *context, struct delta_snapshot *out, struct error *err)
{
    struct error *attempt = NULL;
    bool done = false, first = true;
    for (size_t i = listing->checkpoint_count + 1; i-- > 0 && !done;) {
        const struct delta_checkpoint *checkpoint = i > 0 ? &listing->checkpoints[i - 1] : NULL;
        if (checkpoint && checkpoint->version > version) continue;
        if (!first && !attempt) attempt = ARENA_NEW(arena, struct error);
        done = load_from(listing, checkpoint, version, with_files, arena, context, out, first ? err : attempt);
        if (!done && checkpoint && context)
            log_event(context, LOG_WARN, "delta.checkpoint", "version=%" PRId64 " cannot be used, trying an older start", checkpoint->version);
        first = false;
        if (context && cancel_now(&context->cancel)) break;
    }
    if (done) error_clear(err);
    return done;
}

bool delta_snapshot_load(const char *path, int64_t version, bool with_files, struct arena *arena, struct inlet_context *context,
                         struct delta_snapshot *out, struct error *err)
{
    *out = (struct delta_snapshot){.version = -1, .checkpoint_version = -1};
    struct delta_listing listing;
    if (!delta_list(path, arena, &listing, err)) return false;
    int64_t latest = delta_listing_latest(&listing);
    if (latest < 0 && listing.v2_version >= 0) latest = listing.v2_version;
    if (latest < 0) return true;
    if (version > latest)
        return error_set(err, COND_PATH_NOT_FOUND, "version %" PRId64 " of Delta table %s does not exist, the newest is %" PRId64,
                         version, path, latest);
    if (load_from_any(&listing, version < 0 ? latest : version, with_files, arena, context, out, err)) return true;
    return error_context(err, "reading the log of Delta table %s", path);
}

/* --- backward --- */

static bool visit_commit(struct delta_replay *replay, const char *path, struct error *err)
{
    replay->visiting->pass = VISIT_ADDS;
    if (!replay_commit(replay, path, err)) return false;
    replay->visiting->pass = VISIT_REMOVES;
    return replay_commit(replay, path, err);
}

static bool visit_from(struct delta_replay *replay, const struct delta_listing *listing, const struct delta_snapshot *snapshot, struct arena *arena,
                       struct inlet_context *context, struct error *err)
{
    const struct delta_checkpoint *checkpoint = NULL;
    for (size_t i = 0; i < listing->checkpoint_count; i++)
        if (listing->checkpoints[i].version == snapshot->checkpoint_version) checkpoint = &listing->checkpoints[i];
    for (int64_t version = snapshot->version; version > snapshot->checkpoint_version; version--) {
        if (cancel_now(&context->cancel)) return error_set(err, COND_INLET_CANCELLED, "stopped while reading the Delta log");
        if (!visit_commit(replay, delta_commit_path(arena, listing->directory, version), err)) return false;
    }
    replay->visiting->pass = VISIT_CHECKPOINT;
    if (snapshot->checkpoint_version >= 0 && !checkpoint)
        return error_set(err, COND_DELTA_LOG_DAMAGED, "the checkpoint of version %" PRId64 " has gone", snapshot->checkpoint_version);
    return !checkpoint || delta_checkpoint_read(listing->directory, checkpoint, replay, context, err);
}

bool delta_visit_files(const char *path, const struct delta_snapshot *snapshot, struct inlet_context *context, delta_visit visit, void *user,
                       struct error *err)
{
    struct arena *arena = arena_new("delta files");
    struct delta_listing listing;
    struct delta_replay replay;
    struct visiting visiting = {.visit = visit, .user = user};
    replay_init(&replay, arena, false);
    replay.visiting = &visiting;
    bool done = delta_list(path, arena, &listing, err) && visit_from(&replay, &listing, snapshot, arena, context, err);
    replay_fini(&replay);
    free(visiting.seen);
    arena_free(arena);
    return done;
}

int64_t delta_txn_version(const struct delta_snapshot *snapshot, const char *app_id)
{
    for (size_t i = 0; i < snapshot->txn_count; i++)
        if (strcmp(snapshot->txns[i].app_id, app_id) == 0) return snapshot->txns[i].version;
    return -1;
}
