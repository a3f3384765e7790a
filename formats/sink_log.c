/* sink_log -- Spark's _spark_metadata log of a file sink: read, append, compact.
 *
 *   _spark_metadata/0 .. 8      v1 and one JSON object a line, no newline at the end
 *   _spark_metadata/9.compact   all entries so far; written instead of 9
 *   _spark_metadata/.9.inlet    whose batch it is (ours, ignored by Spark)
 *
 * A batch is one file, created by link(2): it appears whole or not at all and is never replaced. A
 * compaction copies lines from file to file, so its memory does not grow with the log. One process
 * writes (the checkpoint's lock); readers need no lock.
 *
 * The folder holds every batch of the last ten minutes, so it is listed once and then again only when it has changed by
 * another hand: its times differ from those behind our own last change, or the entry that would be our next is there. */
#include "formats/sink_log.h"
#include "base/draft.h"
#include "base/file.h"
#include "base/number.h"
#include "base/panic.h"
#include "base/tree.h"
#include "base/uuid.h"
#include "formats/log_lines.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    INTERVAL_DEFAULT = 10,            /* spark.sql.streaming.fileSink.log.compactInterval */
    BATCHES_RETAINED_MIN = 100,       /* spark.sql.streaming.minBatchesToRetain */
    CLEANUP_DELAY_S = 600,            /* spark.sql.streaming.fileSink.log.cleanupDelay */
    IDENTITY_SIZE_MAX = 1 << 16,
    COPY_BLOCK = 1 << 20
};

struct log_file {
    int64_t batch;
    bool compact;
};

struct log_listing {
    const char *directory;
    struct log_file *files; /* Ascending by batch, the compact one last among equals. */
    size_t count, capacity;
    int64_t keep_from_ms;   /* A compaction leaves out what was modified before; 0: nothing. */
};

struct sink_log {
    struct arena *arena;
    struct log_listing listing;
    struct stat folder;       /* Behind our own last change, or ahead of the listing. */
    bool listed;              /* The listing holds as long as the folder is as it was. */
    struct draft identity, entry; /* From sink_log_write to sink_log_place and sink_log_name. */
    int64_t batch;            /* Theirs. */
    bool compact;
};

/* "12", "9.compact": everything else in the folder is not part of the log. */
static bool log_file_parse(const char *name, struct log_file *out)
{
    size_t digits = strspn(name, "0123456789");
    out->compact = strcmp(name + digits, ".compact") == 0;
    if (digits == 0 || (name[digits] && !out->compact)) return false;
    return parse_int64(name, digits, &out->batch);
}

static int log_file_compare(const void *left, const void *right)
{
    const struct log_file *a = left, *b = right;
    if (a->batch != b->batch) return a->batch < b->batch ? -1 : 1;
    return (int)a->compact - (int)b->compact;
}

static void listing_add(struct log_listing *listing, struct log_file file)
{
    if (listing->count == listing->capacity) {
        listing->capacity = listing->capacity ? listing->capacity * 2 : 64;
        listing->files = realloc(listing->files, listing->capacity * sizeof *listing->files);
        if (!listing->files) panic_out_of_memory(listing->capacity * sizeof *listing->files);
    }
    listing->files[listing->count++] = file;
}

static bool listing_read(struct log_listing *listing, struct error *err)
{
    listing->count = 0;
    DIR *directory = opendir(listing->directory);
    if (!directory && errno == ENOENT) return true;
    if (!directory) return error_errno(err, "could not list the sink log %s", listing->directory);
    struct dirent *entry;
    while (errno = 0, (entry = readdir(directory)) != NULL) {
        struct log_file file;
        if (log_file_parse(entry->d_name, &file)) listing_add(listing, file);
    }
    int failure = errno;
    closedir(directory);
    errno = failure;
    if (failure) return error_errno(err, "could not list the sink log %s", listing->directory);
    if (listing->count) qsort(listing->files, listing->count, sizeof *listing->files, log_file_compare);
    return true;
}

static int64_t listing_latest(const struct log_listing *listing)
{
    return listing->count ? listing->files[listing->count - 1].batch : -1;
}

/* From the end, where batches are asked for. */
static const struct log_file *listing_find(const struct log_listing *listing, int64_t batch)
{
    size_t i = listing->count;
    while (i > 0 && listing->files[i - 1].batch > batch) i--;
    return i > 0 && listing->files[i - 1].batch == batch ? &listing->files[i - 1] : NULL;
}

static char *log_file_path(struct arena *arena, const char *directory, int64_t batch, bool compact)
{
    return arena_printf(arena, "%s/%" PRId64 "%s", directory, batch, compact ? ".compact" : "");
}

static char *identity_path(struct arena *arena, const char *directory, int64_t batch)
{
    return arena_printf(arena, "%s/.%" PRId64 ".inlet", directory, batch);
}

/* Where only one compact file tells of the interval that its writer used (Spark's rule). */
static int64_t interval_of_first(int64_t compact_batch)
{
    int64_t count = compact_batch + 1;
    if (count <= INTERVAL_DEFAULT) return count;
    for (int64_t divisor = INTERVAL_DEFAULT; INTERVAL_DEFAULT < count / 2 && divisor <= count / 2; divisor++)
        if (count % divisor == 0) return divisor;
    return count;
}

static int64_t listing_interval(const struct log_listing *listing)
{
    int64_t newest = -1, older = -1;
    for (size_t i = listing->count; i > 0 && older < 0; i--) {
        const struct log_file *file = &listing->files[i - 1];
        if (!file->compact || file->batch == newest) continue;
        if (newest < 0) newest = file->batch;
        else older = file->batch;
    }
    if (newest < 0) return INTERVAL_DEFAULT;
    return older < 0 ? interval_of_first(newest) : newest - older;
}

/* The files that together hold every entry up to `last`: the newest compact file and all behind it. */
struct log_span {
    size_t first, end; /* Indexes into listing->files. */
};

static bool listing_span(const struct log_listing *listing, int64_t last, bool compacting, struct log_span *out, struct error *err)
{
    *out = (struct log_span){.end = listing->count};
    while (out->end > 0 && listing->files[out->end - 1].batch > last) out->end--;
    bool compact_seen = false;
    for (size_t i = out->end; i > 0 && !compact_seen; i--)
        if (listing->files[i - 1].compact) out->first = i - 1, compact_seen = true;
    int64_t expected = compact_seen ? listing->files[out->first].batch : 0;
    for (size_t i = out->first; i < out->end; i++, expected++)
        if (listing->files[i].batch != expected) break;
    if (expected == last + 1) return true;
    if (compacting)
        return error_set(err, COND_INLET_SINK_MISMATCH, "%s/%" PRId64 " doesn't exist when compacting batch %" PRId64,
                         listing->directory, expected, last + 1);
    return error_set(err, COND_INLET_SINK_MISMATCH, "batch %" PRId64 " of the sink log %s doesn't exist (newest: %" PRId64 ")",
                     expected, listing->directory, last);
}

/* Opens a log file and checks its version line. */
static bool log_file_open(struct log_lines *lines, const char *path, struct error *err)
{
    if (!log_lines_open(lines, path, err)) return false;
    struct slice line;
    enum log_line got = log_lines_next(lines, &line, err);
    int64_t version = 0;
    if (got == LOG_LINE_END) error_set(err, COND_INLET_DAMAGED_FILE, "incomplete log file %s", path);
    if (got != LOG_LINE_READ) goto fail;
    if (line.size < 2 || line.data[0] != 'v' || !parse_int64((const char *)line.data + 1, line.size - 1, &version) || version < 1) {
        error_set(err, COND_INLET_DAMAGED_FILE, "log file %s does not begin with a version such as v1", path);
        goto fail;
    }
    if (version == 1) return true;
    error_set(err, COND_INLET_SINK_MISMATCH,
              "UnsupportedLogVersion: maximum supported log version is v1, but encountered v%" PRId64 " in %s", version, path);
fail:
    log_lines_close(lines);
    return false;
}

/* --- the log as a handle --- */

struct sink_log *sink_log_open(const char *output)
{
    struct sink_log *log = calloc(1, sizeof *log);
    if (!log) panic_out_of_memory(sizeof *log);
    log->arena = arena_new("sink log");
    log->listing.directory = path_join(log->arena, output, "_spark_metadata");
    log->identity.fd = log->entry.fd = -1;
    return log;
}

void sink_log_forget(struct sink_log *log, int64_t keep_from_ms) { log->listing.keep_from_ms = keep_from_ms; }

void sink_log_close(struct sink_log *log)
{
    if (!log) return;
    draft_discard(&log->identity);
    draft_discard(&log->entry);
    free(log->listing.files);
    arena_free(log->arena);
    free(log);
}

static bool same_time(struct timespec a, struct timespec b) { return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec; }

static bool same_folder(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && same_time(a->st_mtim, b->st_mtim) && same_time(a->st_ctim, b->st_ctim);
}

/* The times of a folder may be too coarse for what comes right behind our own change; a batch that is not ours shows by its name. */
static bool next_exists(const struct sink_log *log)
{
    struct arena *scratch = arena_new("sink log");
    int64_t next = listing_latest(&log->listing) + 1;
    bool exists = access(log_file_path(scratch, log->listing.directory, next, false), F_OK) == 0 ||
                  access(log_file_path(scratch, log->listing.directory, next, true), F_OK) == 0;
    arena_free(scratch);
    return exists;
}

static bool log_refresh(struct sink_log *log, struct error *err)
{
    struct stat now;
    bool exists = stat(log->listing.directory, &now) == 0;
    if (!exists && errno != ENOENT) return error_errno(err, "could not look at the sink log %s", log->listing.directory);
    if (exists && log->listed && same_folder(&now, &log->folder) && !next_exists(log)) return true;
    log->listed = false;
    if (!listing_read(&log->listing, err)) return false;
    log->listed = exists;
    if (exists) log->folder = now;
    return true;
}

bool sink_log_latest(struct sink_log *log, int64_t *batch, struct error *err)
{
    bool done = log_refresh(log, err);
    if (done) *batch = listing_latest(&log->listing);
    return done;
}

/* --- reading --- */

struct entry_list {
    struct sink_log_entry *entries;
    size_t count, capacity;
    struct arena *arena;
    bool deletes;     /* Logs of Spark 2 may take files back. */
};

static struct sink_log_entry *entry_list_next(struct entry_list *list)
{
    if (list->count == list->capacity) {
        size_t grown = list->capacity ? list->capacity * 2 : 256;
        struct sink_log_entry *entries = ARENA_ARRAY(list->arena, struct sink_log_entry, grown);
        if (list->count) memcpy(entries, list->entries, list->count * sizeof(*entries));
        list->entries = entries;
        list->capacity = grown;
    }
    return &list->entries[list->count++];
}

static bool entry_parse(struct slice line, struct arena *scratch, struct entry_list *list, struct error *err)
{
    struct tree *tree = tree_parse_json(scratch, line, err);
    if (!tree) {
        if (err) err->line = 0; /* Of the JSON text, not of the pipeline file. */
        return error_wrap(err, COND_INLET_DAMAGED_FILE, "the entry is not JSON");
    }
    const char *path = tree_get_text(tree, "path", NULL);
    if (!path) return error_set(err, COND_INLET_DAMAGED_FILE, "the entry has no path");
    if (tree_get_bool(tree, "isDir", false)) return true;
    struct sink_log_entry *entry = entry_list_next(list);
    entry->path = arena_strdup(list->arena, path);
    entry->size = tree_get_int(tree, "size", 0);
    entry->modification_time_ms = tree_get_int(tree, "modificationTime", 0);
    bool deleted = strcmp(tree_get_text(tree, "action", "add"), "delete") == 0;
    entry->action = deleted ? "delete" : "add";
    list->deletes |= deleted;
    return true;
}

static bool entries_read(const char *path, struct entry_list *list, struct arena *scratch, struct error *err)
{
    struct log_lines lines;
    if (!log_file_open(&lines, path, err)) return false;
    struct slice line;
    enum log_line got;
    while ((got = log_lines_next(&lines, &line, err)) == LOG_LINE_READ) {
        arena_reset(scratch);
        if (line.size == 0 || entry_parse(line, scratch, list, err)) continue;
        error_context(err, "reading line %" PRId64 " of sink log %s", lines.number, path);
        got = LOG_LINE_FAILED;
        break;
    }
    log_lines_close(&lines);
    return got == LOG_LINE_END;
}

static int entry_compare(const void *left, const void *right)
{
    const struct sink_log_entry *a = left, *b = right;
    int order = strcmp(a->path, b->path);
    return order ? order : strcmp(b->action, a->action); /* "delete" before "add". */
}

/* Takes out what a delete names, whatever came first (Spark 2's rule). */
static void entries_apply_deletes(struct entry_list *list)
{
    qsort(list->entries, list->count, sizeof(*list->entries), entry_compare);
    size_t kept = 0;
    const char *deleted = NULL;
    for (size_t i = 0; i < list->count; i++) {
        struct sink_log_entry entry = list->entries[i];
        if (entry.action[0] == 'd') deleted = entry.path;
        if (!deleted || strcmp(deleted, entry.path) != 0) list->entries[kept++] = entry;
    }
    list->count = kept;
}

bool sink_log_files(const char *output, struct arena *arena, struct sink_log_entry **entries, size_t *count, struct error *err)
{
    struct arena *scratch = arena_new("sink log line"), *names = arena_new("sink log");
    struct entry_list list = {.arena = arena};
    struct log_listing listing = {.directory = path_join(names, output, "_spark_metadata")};
    struct log_span span = {0};
    bool done = listing_read(&listing, err) && (listing.count == 0 || listing_span(&listing, listing_latest(&listing), false, &span, err));
    for (size_t i = span.first; done && i < span.end; i++) {
        const struct log_file *file = &listing.files[i];
        done = entries_read(log_file_path(names, listing.directory, file->batch, file->compact), &list, scratch, err);
    }
    free(listing.files);
    if (done && list.deletes) entries_apply_deletes(&list);
    *entries = list.entries;
    *count = list.count;
    arena_free(scratch);
    arena_free(names);
    return done;
}

/* --- writing --- */

/* The lines of one batch, each with the newline before it: also the tail of a compact file. */
static void entries_print(struct buffer *out, const struct sink_log_entry *entries, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        buffer_text(out, "\n{\"path\":");
        buffer_json_string(out, entries[i].path, strlen(entries[i].path));
        buffer_printf(out, ",\"size\":%" PRId64 ",\"isDir\":false,\"modificationTime\":%" PRId64, entries[i].size,
                      entries[i].modification_time_ms);
        buffer_printf(out, ",\"blockReplication\":1,\"blockSize\":33554432,\"action\":\"%s\"}",
                      entries[i].action ? entries[i].action : "add");
    }
}

/* Entries that take a file back (Spark 2) have no age. */
static bool line_is_old(struct slice line, int64_t keep_from_ms, struct arena *scratch)
{
    if (keep_from_ms <= 0) return false;
    arena_reset(scratch);
    const struct tree *tree = tree_parse_json(scratch, line, NULL);
    return tree && strcmp(tree_get_text(tree, "action", "add"), "add") == 0 && tree_get_int(tree, "modificationTime", INT64_MAX) < keep_from_ms;
}

static bool lines_copy(const char *path, int64_t keep_from_ms, int fd, const char *draft, struct arena *scratch, struct error *err)
{
    struct log_lines lines;
    if (!log_file_open(&lines, path, err)) return false;
    struct buffer block = {0};
    struct slice line;
    enum log_line got;
    while ((got = log_lines_next(&lines, &line, err)) == LOG_LINE_READ) {
        if (line.size == 0) continue;
        if (line.data[0] != '{' || line.data[line.size - 1] != '}') {
            error_set(err, COND_INLET_DAMAGED_FILE, "line %" PRId64 " of sink log %s is not a JSON object", lines.number, path);
            got = LOG_LINE_FAILED;
            break;
        }
        if (line_is_old(line, keep_from_ms, scratch)) continue;
        buffer_byte(&block, '\n');
        buffer_append(&block, line.data, line.size);
        if (block.size < COPY_BLOCK) continue;
        if (!write_all(fd, block.data, block.size, draft, err)) {
            got = LOG_LINE_FAILED;
            break;
        }
        buffer_clear(&block);
    }
    bool done = got == LOG_LINE_END && write_all(fd, block.data, block.size, draft, err);
    buffer_free(&block);
    log_lines_close(&lines);
    return done;
}

/* v1, the lines of `span`, the batch's own. */
static bool compact_write(const struct log_listing *listing, struct log_span span, struct slice tail, struct draft *draft,
                          struct arena *arena, struct error *err)
{
    struct arena *scratch = arena_new("sink log line");
    bool done = write_all(draft->fd, "v1", 2, draft->path, err);
    for (size_t i = span.first; done && i < span.end; i++) {
        const struct log_file *file = &listing->files[i];
        done = lines_copy(log_file_path(arena, listing->directory, file->batch, file->compact), listing->keep_from_ms, draft->fd, draft->path, scratch, err);
    }
    arena_free(scratch);
    return done && write_all(draft->fd, tail.data, tail.size, draft->path, err);
}

static bool compact_draft(const struct log_listing *listing, int64_t batch, struct slice tail, struct draft *draft, struct arena *arena,
                          struct error *err)
{
    struct log_span span = {0};
    if (listing->count && !listing_span(listing, batch - 1, true, &span, err)) return false;
    return draft_open(draft, log_file_path(arena, listing->directory, batch, true), err) &&
           compact_write(listing, span, tail, draft, arena, err);
}

static bool plain_draft(const char *directory, int64_t batch, struct slice tail, struct draft *draft, struct arena *arena, struct error *err)
{
    struct buffer text = {0};
    buffer_text(&text, "v1");
    buffer_append(&text, tail.data, tail.size);
    bool done = draft_open(draft, log_file_path(arena, directory, batch, false), err) &&
                write_all(draft->fd, text.data, text.size, draft->path, err);
    buffer_free(&text);
    return done;
}

/* Says whose batch the file is, and which bytes at its end are the batch's: a file that another writer put there in
 * between is not taken for ours. Durable before the log file, so that ours is never without it. */
static bool identity_draft(const char *directory, int64_t batch, struct slice tail, const char *query_id, const char *digest,
                           struct draft *draft, struct arena *arena, struct error *err)
{
    char hash[DIGEST_TEXT_SIZE];
    digest_text(tail.data, tail.size, hash);
    struct buffer text = {0};
    buffer_text(&text, "{\"queryId\":");
    buffer_json_string(&text, query_id, strlen(query_id));
    buffer_text(&text, ",\"digest\":");
    buffer_json_string(&text, digest, strlen(digest));
    buffer_printf(&text, ",\"tailSize\":%zu,\"tailDigest\":\"%s\"}\n", tail.size, hash);
    bool done = draft_open(draft, identity_path(arena, directory, batch), err) &&
                write_all(draft->fd, text.data, text.size, draft->path, err);
    buffer_free(&text);
    return done;
}

/* True: it is gone. */
static bool remove_if_old(const char *path, const char *identity, time_t now)
{
    struct stat status;
    if (lstat(path, &status) != 0) return errno == ENOENT;
    if (!S_ISREG(status.st_mode) || status.st_mtime + CLEANUP_DELAY_S > now) return false;
    unlink(identity); /* First: what a crash leaves without its entry, nobody would find again. */
    return unlink(path) == 0;
}

/* Spark's retention: plain and compact files that no reader starts from any more. Best effort; they grow old in order, so the
 * first that has to stay ends it. */
static void log_clean(struct log_listing *listing, int64_t batch, int64_t interval)
{
    int64_t oldest = batch + 1 - BATCHES_RETAINED_MIN;
    if (oldest < interval) return;
    int64_t keep_from = oldest - oldest % interval - 1;
    time_t now = time(NULL);
    struct arena *arena = arena_new("sink log");
    size_t gone = 0;
    for (; gone < listing->count && listing->files[gone].batch < keep_from; gone++) {
        const struct log_file *file = &listing->files[gone];
        arena_reset(arena);
        if (!remove_if_old(log_file_path(arena, listing->directory, file->batch, file->compact),
                           identity_path(arena, listing->directory, file->batch), now)) break;
    }
    listing->count -= gone;
    if (gone) memmove(listing->files, listing->files + gone, listing->count * sizeof *listing->files);
    arena_free(arena);
}

static void drop_drafts(struct sink_log *log)
{
    draft_discard(&log->identity);
    draft_discard(&log->entry);
}

/* Both are on their way to the disk before the first is waited for: one commit of the file system's journal holds them. */
static bool write_drafts(struct sink_log *log, struct slice tail, const char *query_id, const char *digest, struct arena *arena, struct error *err)
{
    const struct log_listing *listing = &log->listing;
    if (!(listing->count ? directories_make : directories_settle)(listing->directory, err) ||
        !identity_draft(listing->directory, log->batch, tail, query_id, digest, &log->identity, arena, err)) return false;
    if (log->compact ? !compact_draft(listing, log->batch, tail, &log->entry, arena, err)
                     : !plain_draft(listing->directory, log->batch, tail, &log->entry, arena, err)) return false;
    draft_start(&log->identity);
    draft_start(&log->entry);
    return draft_sync(&log->identity, err) && draft_sync(&log->entry, err);
}

static bool refuse_gap(const struct sink_log *log, int64_t batch, struct error *err)
{
    return error_set(err, COND_INLET_SINK_MISMATCH, "cannot write batch %" PRId64 " to the sink log %s, which ends at batch %" PRId64, batch,
                     log->listing.directory, listing_latest(&log->listing));
}

static bool write_batch(struct sink_log *log, int64_t batch, struct slice tail, const char *query_id, const char *digest, bool *existed,
                        struct error *err)
{
    const struct log_listing *listing = &log->listing;
    if (!log_refresh(log, err)) return false;
    *existed = listing_find(listing, batch) != NULL;
    if (*existed) return true;
    if (listing->count && batch != listing_latest(listing) + 1) return refuse_gap(log, batch, err);
    /* A log that starts behind 0 (a checkpoint that got a new, empty sink) starts with a compact
     * file: readers begin there and do not ask for batch 0. */
    log->batch = batch;
    log->compact = (batch + 1) % listing_interval(listing) == 0 || (listing->count == 0 && batch > 0);
    struct arena *arena = arena_new("sink log");
    bool done = write_drafts(log, tail, query_id, digest, arena, err);
    arena_free(arena);
    return done;
}

bool sink_log_write(struct sink_log *log, int64_t batch, const struct sink_log_entry *entries, size_t count, const char *query_id,
                    const char *digest, bool *existed, struct error *err)
{
    *existed = false;
    drop_drafts(log);
    if (batch < 0) return error_set(err, COND_INLET_INTERNAL, "batch %" PRId64 " cannot be written to a sink log", batch);
    struct buffer tail = {0};
    entries_print(&tail, entries, count);
    bool done = write_batch(log, batch, slice_of(tail.data, tail.size), query_id, digest, existed, err);
    if (!done) error_context(err, "writing batch %" PRId64 " to the sink log %s", batch, log->listing.directory);
    if (!done) drop_drafts(log);
    buffer_free(&tail);
    return done;
}

/* The log may have been written to by another hand since sink_log_write. */
bool sink_log_place(struct sink_log *log, struct error *err)
{
    const struct log_listing *listing = &log->listing;
    invariant(log->entry.fd >= 0);
    bool follows = !listing->count || log->batch == listing_latest(listing) + 1;
    log->listed = false; /* From here on the folder changes by our own hand. */
    bool done = follows ? draft_place(&log->identity, err) : refuse_gap(log, log->batch, err);
    draft_discard(&log->identity);
    if (!done) drop_drafts(log);
    return done;
}

/* The identity's name is durable before the log file gets its own. */
bool sink_log_settle(struct sink_log *log, struct error *err) { return directory_sync(log->listing.directory, err); }

bool sink_log_name(struct sink_log *log, bool *existed, struct error *err)
{
    invariant(log->entry.fd >= 0); /* sink_log_write has written it. */
    log->listed = false;
    *existed = false;
    if (!draft_create(&log->entry, existed, err)) {
        drop_drafts(log);
        return error_context(err, "writing batch %" PRId64 " to the sink log %s", log->batch, log->listing.directory);
    }
    if (*existed) return true;
    int64_t interval = listing_interval(&log->listing);
    listing_add(&log->listing, (struct log_file){log->batch, log->compact});
    if (log->compact) log_clean(&log->listing, log->batch, interval);
    log->listed = stat(log->listing.directory, &log->folder) == 0;
    return true;
}

/* --- identity --- */

/* Whether the last `size` bytes of the log file have this digest. A file that cannot be read is an error, not another's. */
static bool tail_matches(const char *path, int64_t size, const char *digest, bool *same, struct error *err)
{
    struct stat status;
    *same = false;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return error_errno(err, "could not open the sink log file %s", path);
    bool ok = fstat(fd, &status) == 0 || error_errno(err, "could not look at the sink log file %s", path);
    if (ok && size >= 0 && size <= status.st_size) {
        struct buffer tail = {0};
        uint8_t *bytes = buffer_reserve(&tail, (size_t)size + 1);
        size_t done = 0;
        while (ok && done < (size_t)size) {
            ssize_t got = pread(fd, bytes + done, (size_t)size - done, status.st_size - size + (off_t)done);
            if (got < 0 && errno == EINTR) continue;
            if (got < 0) ok = error_errno(err, "could not read the sink log file %s", path);
            if (got <= 0) break;
            done += (size_t)got;
        }
        char hash[DIGEST_TEXT_SIZE];
        digest_text(bytes, done, hash);
        *same = ok && done == (size_t)size && strcmp(hash, digest) == 0;
        buffer_free(&tail);
    }
    close(fd);
    return ok;
}

bool sink_log_identity(struct sink_log *log, int64_t batch, struct arena *arena, bool *present, const char **query_id,
                       const char **digest, struct error *err)
{
    *query_id = *digest = "";
    if (!log_refresh(log, err)) return false;
    const struct log_file *file = listing_find(&log->listing, batch);
    *present = file != NULL;
    char *path = identity_path(arena, log->listing.directory, batch);
    if (!file) return true;
    if (access(path, F_OK) != 0) return errno == ENOENT || error_errno(err, "could not look up %s", path);

    struct buffer text = {0};
    if (!file_read_all(path, IDENTITY_SIZE_MAX, &text, err)) {
        buffer_free(&text);
        return false;
    }
    struct tree *tree = tree_parse_json(arena, slice_of(text.data, text.size), NULL);
    buffer_free(&text);
    bool same = false;
    if (tree && !tail_matches(log_file_path(arena, log->listing.directory, batch, file->compact), tree_get_int(tree, "tailSize", -1),
                              tree_get_text(tree, "tailDigest", ""), &same, err)) return false;
    if (!same) return true;
    *query_id = arena_strdup(arena, tree_get_text(tree, "queryId", ""));
    *digest = arena_strdup(arena, tree_get_text(tree, "digest", ""));
    return true;
}
