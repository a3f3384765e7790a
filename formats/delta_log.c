/* delta_log -- the files of a Delta log: their names, put-if-absent commits, one commit read back.
 *
 *   _delta_log/00000000000000000012.json                                   a commit
 *   _delta_log/00000000000000000010.checkpoint.parquet                     a checkpoint
 *   _delta_log/00000000000000000010.checkpoint.0000000001.0000000003.parquet  one part of three
 *   _delta_log/_last_checkpoint                                            a hint, never trusted: we list anyway
 *
 * Replay is in delta_replay.c, checkpoints in delta_checkpoint.c, actions in delta_actions.c. */
#include "base/file.h"
#include "base/number.h"
#include "base/plant.h"
#include "formats/delta_parts.h"
#include "formats/log_lines.h"
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

enum { VERSION_DIGITS = 20, PART_DIGITS = 10 };

char *delta_commit_path(struct arena *arena, const char *directory, int64_t version)
{
    return arena_printf(arena, "%s/%020" PRId64 ".json", directory, version);
}

char *delta_checkpoint_path(struct arena *arena, const char *directory, int64_t version, uint32_t part, uint32_t parts)
{
    if (parts == 0) return arena_printf(arena, "%s/%020" PRId64 ".checkpoint.parquet", directory, version);
    return arena_printf(arena, "%s/%020" PRId64 ".checkpoint.%010" PRIu32 ".%010" PRIu32 ".parquet", directory, version, part, parts);
}

/* --- listing --- */

enum log_name { NAME_OTHER, NAME_COMMIT, NAME_CHECKPOINT, NAME_CHECKPOINT_V2 };

struct checkpoint_part {
    int64_t version;
    uint32_t part, parts;
};

static bool digits_parse(const char *text, size_t count, int64_t *out)
{
    return strspn(text, "0123456789") >= count && parse_int64(text, count, out);
}

/* "0000000001.0000000003.parquet" */
static bool part_parse(const char *text, struct checkpoint_part *out)
{
    int64_t part, parts;
    if (!digits_parse(text, PART_DIGITS, &part) || text[PART_DIGITS] != '.') return false;
    text += PART_DIGITS + 1;
    if (!digits_parse(text, PART_DIGITS, &parts) || strcmp(text + PART_DIGITS, ".parquet") != 0) return false;
    if (parts < 1 || parts > UINT32_MAX || part < 1 || part > parts) return false;
    out->part = (uint32_t)part;
    out->parts = (uint32_t)parts;
    return true;
}

static enum log_name name_parse(const char *name, struct checkpoint_part *out)
{
    *out = (struct checkpoint_part){0};
    if (!digits_parse(name, VERSION_DIGITS, &out->version)) return NAME_OTHER;
    const char *rest = name + VERSION_DIGITS;
    if (strcmp(rest, ".json") == 0) return NAME_COMMIT;
    if (strncmp(rest, ".checkpoint.", 12) != 0) return NAME_OTHER;
    rest += 12;
    if (strcmp(rest, "parquet") == 0 || part_parse(rest, out)) return NAME_CHECKPOINT;
    return strchr(rest, '.') ? NAME_CHECKPOINT_V2 : NAME_OTHER;
}

struct names {
    int64_t *versions;
    size_t version_count, version_capacity;
    struct checkpoint_part *parts;
    size_t part_count, part_capacity;
};

static void *grown(void *array, size_t count, size_t *capacity, size_t size, struct arena *arena)
{
    if (count < *capacity) return array;
    *capacity = *capacity ? *capacity * 2 : 64;
    void *copy = arena_alloc(arena, *capacity * size);
    if (count) memcpy(copy, array, count * size);
    return copy;
}

static void names_add(struct names *names, const char *name, struct delta_listing *out, struct arena *arena)
{
    struct checkpoint_part part;
    enum log_name kind = name_parse(name, &part);
    if (kind == NAME_COMMIT) {
        names->versions = grown(names->versions, names->version_count, &names->version_capacity, sizeof(int64_t), arena);
        names->versions[names->version_count++] = part.version;
    } else if (kind == NAME_CHECKPOINT) {
        names->parts = grown(names->parts, names->part_count, &names->part_capacity, sizeof(part), arena);
        names->parts[names->part_count++] = part;
    } else if (kind == NAME_CHECKPOINT_V2 && part.version > out->v2_version) {
        out->v2_version = part.version;
    }
}

static int version_compare(const void *left, const void *right)
{
    int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
    return (a > b) - (a < b);
}

static int part_compare(const void *left, const void *right)
{
    const struct checkpoint_part *a = left, *b = right;
    if (a->version != b->version) return a->version < b->version ? -1 : 1;
    if (a->parts != b->parts) return a->parts > b->parts ? -1 : 1; /* The single file last: it is preferred. */
    return (a->part > b->part) - (a->part < b->part);
}

/* Keeps the checkpoints of which no part is missing. */
static void checkpoints_complete(const struct names *names, struct delta_listing *out, struct arena *arena)
{
    out->checkpoints = ARENA_ARRAY(arena, struct delta_checkpoint, names->part_count);
    for (size_t i = 0; i < names->part_count;) {
        const struct checkpoint_part *first = &names->parts[i];
        size_t count = 0;
        while (i < names->part_count && names->parts[i].version == first->version && names->parts[i].parts == first->parts)
            i++, count++;
        if (first->parts != 0 && count != first->parts) continue;
        out->checkpoints[out->checkpoint_count++] = (struct delta_checkpoint){.version = first->version, .parts = first->parts};
    }
}

bool delta_list(const char *path, struct arena *arena, struct delta_listing *out, struct error *err)
{
    *out = (struct delta_listing){.directory = path_join(arena, path, "_delta_log"), .v2_version = -1};
    DIR *directory = opendir(out->directory);
    if (!directory && errno == ENOENT) return true;
    if (!directory) return error_errno(err, "could not list the Delta log %s", out->directory);
    struct names names = {0};
    struct dirent *entry;
    while (errno = 0, (entry = readdir(directory)) != NULL) names_add(&names, entry->d_name, out, arena);
    int failure = errno;
    closedir(directory);
    errno = failure;
    if (failure) return error_errno(err, "could not list the Delta log %s", out->directory);
    if (names.version_count) qsort(names.versions, names.version_count, sizeof(int64_t), version_compare);
    if (names.part_count) qsort(names.parts, names.part_count, sizeof(*names.parts), part_compare);
    out->versions = names.versions;
    out->version_count = names.version_count;
    checkpoints_complete(&names, out, arena);
    return true;
}

int64_t delta_listing_latest(const struct delta_listing *listing)
{
    int64_t commit = listing->version_count ? listing->versions[listing->version_count - 1] : -1;
    int64_t checkpoint = listing->checkpoint_count ? listing->checkpoints[listing->checkpoint_count - 1].version : -1;
    return commit > checkpoint ? commit : checkpoint;
}

bool delta_latest_version(const char *path, int64_t *version, struct error *err)
{
    struct arena *arena = arena_new("delta log");
    struct delta_listing listing;
    bool done = delta_list(path, arena, &listing, err);
    if (done) *version = delta_listing_latest(&listing);
    arena_free(arena);
    return done;
}

/* --- commits --- */

/* A commit behind a hole would make the table unreadable for everybody. */
static bool commit_follows(const char *directory, int64_t version, struct arena *arena, struct error *err)
{
    if (version == 0) return true;
    if (access(delta_commit_path(arena, directory, version - 1), F_OK) == 0) return true;
    if (access(delta_checkpoint_path(arena, directory, version - 1, 0, 0), F_OK) == 0) return true;
    return error_set(err, COND_DELTA_LOG_DAMAGED, "cannot commit version %" PRId64 " to %s, version %" PRId64 " does not exist",
                     version, directory, version - 1);
}

bool delta_commit_draft(const char *path, int64_t version, struct slice actions, struct draft *draft, struct error *err)
{
    draft->fd = -1;
    if (version < 0 || actions.size == 0 || actions.data[actions.size - 1] != '\n')
        return error_set(err, COND_INLET_INTERNAL, "cannot commit version %" PRId64 " with %zu bytes of actions", version, actions.size);
    struct arena *arena = arena_new("delta commit");
    const char *directory = path_join(arena, path, "_delta_log");
    bool done = (version > 0 || directories_settle(directory, err)) && commit_follows(directory, version, arena, err) &&
                draft_open(draft, delta_commit_path(arena, directory, version), err) &&
                (write_all(draft->fd, actions.data, actions.size, draft->path, err) || PLANTED(19)) && draft_sync(draft, err);
    if (!done) error_context(err, "committing version %" PRId64 " of Delta table %s", version, path);
    if (!done) draft_discard(draft);
    arena_free(arena);
    return done;
}

bool delta_commit(const char *path, int64_t version, struct slice actions, bool *existed, struct error *err)
{
    struct draft draft;
    *existed = false;
    return delta_commit_draft(path, version, actions, &draft, err) && draft_create(&draft, existed, err);
}

static bool commit_lines(struct log_lines *lines, struct tree *list, struct arena *arena, struct error *err)
{
    struct slice line;
    enum log_line got;
    struct tree **end = &list->first;
    while ((got = log_lines_next(lines, &line, err)) == LOG_LINE_READ) {
        if (line.size == 0) continue;
        /* The tree may point into its source. */
        char *text = arena_strndup(arena, (const char *)line.data, line.size);
        struct tree *action = tree_parse_json(arena, slice_of(text, line.size), err);
        if (!action) {
            error_wrap(err, COND_DELTA_LOG_DAMAGED, "line %" PRId64 " of Delta log file %s is not JSON", lines->number, lines->path);
            return false;
        }
        *end = action;
        end = &action->next;
        list->count++;
    }
    return got == LOG_LINE_END;
}

struct tree *delta_read_commit(const char *path, int64_t version, struct arena *arena, struct error *err)
{
    const char *directory = path_join(arena, path, "_delta_log");
    struct log_lines lines;
    if (!log_lines_open(&lines, delta_commit_path(arena, directory, version), err)) return NULL;
    struct tree *list = ARENA_NEW(arena, struct tree);
    list->kind = TREE_LIST;
    bool done = commit_lines(&lines, list, arena, err);
    log_lines_close(&lines);
    return done ? list : NULL;
}
