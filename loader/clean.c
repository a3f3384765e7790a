/* clean -- taking a file aside, checking that it is the one that was read, then moving or deleting it. */
#include "loader/clean.h"
#include "base/file.h"
#include "base/plant.h"
#include "base/uri.h"
#include "loader/roots.h"
#include "loader/tasks.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { CLEAN_SLICE = 1000, CLASH_MAX = 10000 };

struct dirty_folder {
    const char *path;
    bool has_new;              /* Files have come; else they have only gone. */
};

struct cleaner {
    const struct pipeline_reader *reader;
    struct inlet_context *context;
    struct arena *arena;
    const char *load_root;     /* For targets relative to the load path. */
    const char *last_made;     /* Target folder known to exist. */
    const char *last_plain;    /* Source folder known to be reached without links. */
    struct dirty_folder *dirty; /* To sync before the ledger hears of it. */
    size_t dirty_count, dirty_capacity;
    bool resumed;              /* The file at hand was begun with by an earlier run; what that one made may not be durable. */
    struct error lost;         /* A sync failed: what that folder holds is not to be trusted by this process again. */
};

static int rename_noreplace(const char *from, const char *to)
{
    if (syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 1 /* RENAME_NOREPLACE */) == 0) return 0;
    if (errno != EINVAL && errno != ENOSYS) return -1;
    if (link(from, to) != 0) return -1; /* File systems without the flag. */
    return unlink(from);
}

/* Size and time: a copy on another file system has them too. */
static bool is_like(const struct stat *info, const struct ledger_input *file)
{
    int64_t mtime_us = (int64_t)info->st_mtim.tv_sec * 1000000 + info->st_mtim.tv_nsec / 1000;
    return S_ISREG(info->st_mode) && info->st_size == file->size && mtime_us == file->mtime_us;
}

static bool is_same(const struct stat *info, const struct ledger_input *file)
{
    return is_like(info, file) && (!file->inode || (uint64_t)info->st_ino == file->inode);
}

/* Moved right before a crash, and not yet written down? */
static bool was_moved(const char *target, const struct ledger_input *file)
{
    struct stat moved, source;
    if (lstat(target, &moved) != 0) return false;
    if (is_same(&moved, file)) return true;
    return stat(file->directory, &source) == 0 && source.st_dev != moved.st_dev && is_like(&moved, file);
}

static void mark_dirty(struct cleaner *cleaner, const char *directory, bool has_new)
{
    for (size_t i = cleaner->dirty_count; i-- > 0;) {
        if (strcmp(cleaner->dirty[i].path, directory) != 0) continue;
        cleaner->dirty[i].has_new |= has_new;
        return;
    }
    if (cleaner->dirty_count == cleaner->dirty_capacity) {
        size_t wanted = cleaner->dirty_capacity ? cleaner->dirty_capacity * 2 : 16;
        struct dirty_folder *grown = ARENA_ARRAY(cleaner->arena, struct dirty_folder, wanted);
        if (cleaner->dirty_count) memcpy(grown, cleaner->dirty, cleaner->dirty_count * sizeof *grown);
        cleaner->dirty = grown;
        cleaner->dirty_capacity = wanted;
    }
    cleaner->dirty[cleaner->dirty_count++] = (struct dirty_folder){arena_strdup(cleaner->arena, directory), has_new};
}

static struct cleaned_file outcome(enum clean_result result, const char *target, const char *reason)
{
    return (struct cleaned_file){result, target, reason};
}

static struct cleaned_file failed(struct cleaner *cleaner, const char *what, const char *path)
{
    const char *reason = arena_printf(cleaner->arena, "could not %s \"%s\": %s", what, path, strerror(errno));
    log_event(cleaner->context, LOG_WARN, "clean.failed", "%s", reason);
    return outcome(CLEAN_RETRY, NULL, reason);
}

/* What could not be moved lies under its own name until the next attempt; where that is taken by now, under the private one. */
static struct cleaned_file give_back(struct cleaner *cleaner, const char *aside, const char *path, const char *what, const char *target)
{
    struct cleaned_file out = failed(cleaner, what, target);
    if (rename_noreplace(aside, path) != 0)
        log_event(cleaner->context, LOG_WARN, "clean.aside", "\"%s\" stays under the name \"%s\" until then: %s", path, aside, strerror(errno));
    return out;
}

/* A name beside the file that no discovery sees, the same at every attempt. */
static const char *aside_name(struct cleaner *cleaner, const struct ledger_input *file)
{
    char digest[DIGEST_TEXT_SIZE];
    digest_text(file->name, strlen(file->name), digest);
    return arena_printf(cleaner->arena, "%s/.inlet-clean-%s", file->directory, digest);
}

/* The file under a private name, and surely the one that was read; or why not. */
static bool take_aside(struct cleaner *cleaner, const struct ledger_input *file, const char *path, const char *aside, struct cleaned_file *out)
{
    struct stat info;
    cleaner->resumed = lstat(aside, &info) == 0;
    if (!cleaner->resumed && errno != ENOENT && errno != ENOTDIR) {
        *out = failed(cleaner, "look up", aside);
        return false;
    }
    if (cleaner->resumed) { /* An earlier attempt got this far. */
        if (is_same(&info, file)) return true;
        if (rename_noreplace(aside, path) != 0) {
            *out = failed(cleaner, "put back", aside);
            return false;
        }
    }
    if (lstat(path, &info) != 0) {
        *out = errno == ENOENT || errno == ENOTDIR ? outcome(CLEAN_GONE, NULL, NULL) : failed(cleaner, "look up", path);
        if (!PLANTED(47)) mark_dirty(cleaner, file->directory, false); /* Who took it may have been killed before the sync. */
        return false;
    }
    if (!is_same(&info, file)) {
        *out = outcome(CLEAN_KEPT, NULL, "the file was changed or replaced after it was read");
        return false;
    }
    if (rename_noreplace(path, aside) != 0) {
        *out = errno == ENOENT ? outcome(CLEAN_GONE, NULL, NULL) : failed(cleaner, "take aside", path);
        return false;
    }
    if (lstat(aside, &info) != 0) {
        *out = give_back(cleaner, aside, path, "look up", aside);
        return false;
    }
    if (is_same(&info, file)) return true;
    if (rename_noreplace(aside, path) != 0) *out = failed(cleaner, "put back", aside);
    else *out = outcome(CLEAN_KEPT, NULL, "the file was changed or replaced after it was read");
    return false;
}

static struct cleaned_file delete_file(struct cleaner *cleaner, const struct ledger_input *file, const char *path)
{
    struct cleaned_file out;
    const char *aside = aside_name(cleaner, file);
    if (!take_aside(cleaner, file, path, aside, &out)) return out;
    if (unlink(aside) != 0 && errno != ENOENT) return give_back(cleaner, aside, path, "remove", aside);
    mark_dirty(cleaner, file->directory, false);
    return outcome(CLEAN_DONE, NULL, NULL);
}

static const char *target_of(struct cleaner *cleaner, const char *path)
{
    const char *base = cleaner->reader->settings.clean_directory;
    size_t root = strlen(cleaner->load_root);
    if (cleaner->reader->settings.clean == CLEAN_MOVE && strncmp(path, cleaner->load_root, root) == 0 && path[root] == '/')
        return arena_printf(cleaner->arena, "%s%s", base, path + root);
    return arena_printf(cleaner->arena, "%s%s", base, path);
}

static char *folder_of(struct cleaner *cleaner, const char *path)
{
    return arena_strndup(cleaner->arena, path, (size_t)(path_basename(path) - path - 1));
}

static bool make_parent(struct cleaner *cleaner, const char *target)
{
    char *parent = folder_of(cleaner, target);
    if (cleaner->last_made && strcmp(parent, cleaner->last_made) == 0) return true;
    struct error err;
    error_clear(&err);
    if (!(cleaner->resumed ? directories_settle : directories_make)(parent, &err)) {
        errno = err.errno_value ? err.errno_value : ENOTDIR;
        if (errno == EIO) cleaner->lost = err;
        return false;
    }
    cleaner->last_made = parent;
    return true;
}

static bool same_content(const char *a, const char *b)
{
    int fds[2] = {open(a, O_RDONLY | O_CLOEXEC | O_NOFOLLOW), open(b, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)};
    bool same = fds[0] >= 0 && fds[1] >= 0;
    while (same) {
        char left[8192], right[8192];
        ssize_t got = read(fds[0], left, sizeof left);
        if (got < 0) { same = false; break; }
        ssize_t other = 0;
        while (other < got) {
            ssize_t count = read(fds[1], right + other, (size_t)(got - other));
            if (count <= 0) break;
            other += count;
        }
        same = other == got && memcmp(left, right, (size_t)got) == 0;
        if (got == 0) {
            same = same && read(fds[1], right, 1) == 0;
            break;
        }
    }
    if (fds[0] >= 0) close(fds[0]);
    if (fds[1] >= 0) close(fds[1]);
    return same;
}

/* Across file systems: a synced copy first, the original last. A copy that an earlier attempt finished is recognised by its content. */
static int move_across(struct cleaner *cleaner, const char *from, const char *to)
{
    struct error err;
    error_clear(&err);
    if (local_store.copy(from, to, &err)) return unlink(from);
    errno = err.errno_value ? err.errno_value : EIO;
    if (errno == EIO) cleaner->lost = err;
    return -1;
}

/* An earlier run made this copy. Its name is made anew: where the sync of the folder failed then, a second sync would prove nothing. */
static struct cleaned_file settle_copy(struct cleaner *cleaner, const struct ledger_input *file, const char *path, const char *aside, const char *target)
{
    if (!PLANTED(51) && unlink(target) != 0) return give_back(cleaner, aside, path, "replace", target);
    if ((PLANTED(51) ? unlink(aside) : move_across(cleaner, aside, target)) != 0) return give_back(cleaner, aside, path, "move to the archive", target);
    mark_dirty(cleaner, file->directory, false);
    return outcome(CLEAN_DONE, target, NULL);
}

static struct cleaned_file move_file(struct cleaner *cleaner, const struct ledger_input *file, const char *path)
{
    struct cleaned_file out;
    const char *aside = aside_name(cleaner, file);
    const char *wanted = target_of(cleaner, path), *target = wanted;
    if (!take_aside(cleaner, file, path, aside, &out)) {
        if (out.result != CLEAN_GONE || !was_moved(wanted, file)) return out;
        if (rename_noreplace(wanted, aside) != 0) { /* On another file system, where the copy's name was synced before the original went. */
            mark_dirty(cleaner, folder_of(cleaner, wanted), true);
            return outcome(CLEAN_DONE, wanted, NULL);
        } /* Else it moves once more: where the sync of its folder failed then, a second sync would prove nothing. */
        cleaner->resumed = true;
    }
    if (!make_parent(cleaner, target)) return give_back(cleaner, aside, path, "create the folder of", target);
    for (int clash = 1; clash <= CLASH_MAX; clash++) {
        int rc = rename_noreplace(aside, target);
        if (PLANTED(13) && rc != 0 && errno == EXDEV) rc = 0;
        if (rc != 0 && errno == EXDEV) {
            struct stat info;
            if (lstat(target, &info) == 0) {
                rc = -1;
                errno = EEXIST;
            } else {
                rc = move_across(cleaner, aside, target);
            }
        }
        if (rc == 0) {
            mark_dirty(cleaner, file->directory, false);
            mark_dirty(cleaner, cleaner->last_made, true);
            return outcome(CLEAN_DONE, target, NULL);
        }
        if (errno == ENOENT && access(aside, F_OK) != 0) return outcome(CLEAN_GONE, NULL, NULL);
        if (errno != EEXIST) return give_back(cleaner, aside, path, "move to the archive", target);
        if (same_content(aside, target)) return settle_copy(cleaner, file, path, aside, target);
        target = arena_printf(cleaner->arena, "%s.%d", wanted, clash);
    }
    errno = EEXIST;
    return give_back(cleaner, aside, path, "find a free name for", wanted);
}

/* Does a symbolic link below the load path lead to this folder? What lies behind it is somebody else's. */
static bool behind_link(struct cleaner *cleaner, const char *directory)
{
    if (cleaner->last_plain && strcmp(cleaner->last_plain, directory) == 0) return false;
    size_t root = 0;
    for (size_t i = 0; i < cleaner->reader->load_count; i++) {
        const char *text = load_root(cleaner->arena, cleaner->reader->load[i]);
        size_t size = strlen(text);
        if (size > root && strncmp(directory, text, size) == 0 && (directory[size] == '/' || !directory[size])) root = size;
    }
    char *part = arena_strdup(cleaner->arena, directory);
    for (size_t at = root; part[at];) {
        struct stat info;
        do at++; while (part[at] && part[at] != '/');
        char after = part[at];
        part[at] = 0;
        if (lstat(part, &info) == 0 && S_ISLNK(info.st_mode)) return true;
        part[at] = after;
    }
    cleaner->last_plain = part;
    return false;
}

static struct cleaned_file clean_one(struct cleaner *cleaner, const struct ledger_input *file)
{
    const char *path = input_path(cleaner->arena, file);
    if (behind_link(cleaner, file->directory)) return outcome(CLEAN_KEPT, NULL, "the folder is reached by a symbolic link");
    return cleaner->reader->settings.clean == CLEAN_DELETE ? delete_file(cleaner, file, path) : move_file(cleaner, file, path);
}

static void count_result(struct clean_result_counts *counts, enum clean_result result)
{
    if (result == CLEAN_DONE) counts->cleaned++;
    else if (result == CLEAN_KEPT) counts->kept++;
    else if (result == CLEAN_GONE) counts->gone++;
    else counts->retried++;
}

static bool sync_folders(const struct cleaner *cleaner, bool has_new, struct error *err)
{
    for (size_t i = 0; i < cleaner->dirty_count; i++) {
        const struct dirty_folder *folder = &cleaner->dirty[i];
        if (folder->has_new != has_new || access(folder->path, F_OK) != 0) continue; /* The producer removed the emptied folder. */
        if (!directory_sync(folder->path, err)) return false;
    }
    return true;
}

/* First where files have come to, then where they went from: what has durably gone is durably elsewhere. */
static bool sync_dirty(struct cleaner *cleaner, struct error *err)
{
    if (PLANTED(14)) cleaner->dirty_count = 0;
    if (!sync_folders(cleaner, !PLANTED(43), err) || !sync_folders(cleaner, PLANTED(43), err)) return false;
    cleaner->dirty_count = 0;
    return true;
}

/* After a failed sync nothing more is done in this run (F6): the next one begins with what the disk really holds. */
static bool is_lost(const struct cleaner *cleaner, struct error *err)
{
    if (!error_is_set(&cleaner->lost)) return false;
    if (err) *err = cleaner->lost;
    return true;
}

/* Forgets what was made for the files at hand; what is dirty has been synced. */
static void next_slice(struct cleaner *cleaner)
{
    cleaner->last_made = cleaner->last_plain = NULL;
    cleaner->dirty = NULL;
    cleaner->dirty_count = cleaner->dirty_capacity = 0;
    arena_reset(cleaner->arena);
    cleaner->load_root = load_root(cleaner->arena, cleaner->reader->load[0]);
}

static bool clean_retries(struct ledger *ledger, struct cleaner *cleaner, struct clean_result_counts *counts, struct error *err)
{
    struct ledger_input *files, last;
    const struct ledger_input *after = NULL;
    size_t count;
    do { /* All of them: those that fail for good must not stand before the others. */
        if (!ledger_cleaning_retries(ledger, after, CLEAN_SLICE, cleaner->arena, &files, &count, err)) return false;
        for (size_t i = 0; i < count; i++) {
            if (cancel_now(&cleaner->context->cancel)) return true;
            struct cleaned_file result = clean_one(cleaner, &files[i]);
            count_result(counts, result.result);
            if (is_lost(cleaner, err)) return false;
            if (result.result == CLEAN_RETRY) continue;
            if (!sync_dirty(cleaner, err) || !ledger_cleaned_retry(ledger, files[i].source_id, files[i].ordinal, &result, err)) return false;
        }
        if (!count) break;
        last = files[count - 1]; /* Its numbers are asked for, not its texts. */
        after = &last;
        if (!sync_dirty(cleaner, err)) return false;
        next_slice(cleaner);
    } while (count == CLEAN_SLICE);
    return true;
}

static bool clean_slices(struct ledger *ledger, struct cleaner *cleaner, struct clean_result_counts *counts, struct error *err)
{
    const struct source_settings *settings = &cleaner->reader->settings;
    int64_t now_us = context_now_us(cleaner->context);
    for (;;) {
        struct cleaning cleaning;
        const char *path_base = settings->clean == CLEAN_MOVE ? cleaner->load_root : NULL;
        struct arena *arena = cleaner->arena;
        if (cancel_now(&cleaner->context->cancel)) return true;
        if (!ledger_cleaning(ledger, CLEAN_SLICE, arena, &cleaning, err)) return false;
        if (!cleaning.found || cleaning.commit_us + settings->clean_retention_us > now_us) return true;
        struct cleaned_file *results = ARENA_ARRAY(arena, struct cleaned_file, cleaning.file_count + 1);
        for (size_t i = 0; i < cleaning.file_count; i++) {
            results[i] = clean_one(cleaner, &cleaning.files[i]);
            count_result(counts, results[i].result);
            if (is_lost(cleaner, err)) return false;
        }
        if (!sync_dirty(cleaner, err)) return false;
        if (!ledger_cleaned(ledger, cleaning.batch_id, results, cleaning.file_count, cleaning.file_count < CLEAN_SLICE,
                            settings->clean == CLEAN_DELETE ? NULL : settings->clean_directory, path_base, err)) return false;
        next_slice(cleaner);
    }
    return true;
}

bool clean_due(struct ledger *ledger, const struct pipeline_reader *reader, struct inlet_context *context,
               struct clean_result_counts *counts, struct error *err)
{
    memset(counts, 0, sizeof *counts);
    if (reader->settings.clean == CLEAN_OFF) return ledger_cleaning_skip(ledger, err);
    struct arena *arena = arena_new("clean");
    struct cleaner cleaner = {.reader = reader, .context = context, .arena = arena, .load_root = load_root(arena, reader->load[0])};
    bool ok = clean_retries(ledger, &cleaner, counts, err) && clean_slices(ledger, &cleaner, counts, err);
    arena_free(arena);
    return ok || error_context(err, "cleaning source files");
}

static size_t depth_of(const char *path)
{
    size_t depth = 0;
    for (; *path; path++) depth += *path == '/';
    return depth;
}

static const char *cut_depth(struct arena *arena, const char *path, size_t depth)
{
    size_t size = 0, seen = 0;
    for (; path[size]; size++)
        if (path[size] == '/' && ++seen > depth) break;
    return arena_strndup(arena, path, size);
}

/* Spark: both paths cut to the smaller depth must not match. */
static bool overlaps(struct arena *arena, const char *pattern, const char *directory)
{
    size_t depth = depth_of(pattern), other = depth_of(directory);
    if (other < depth) depth = other;
    struct glob *glob = glob_compile(arena, cut_depth(arena, pattern, depth), NULL);
    return glob && glob_match(glob, cut_depth(arena, directory, depth));
}

/* The path without symbolic links, as far as it exists. */
static const char *resolved(struct arena *arena, const char *path)
{
    char *copy = arena_strdup(arena, path);
    for (char *cut = copy + strlen(copy); cut > copy;) {
        char *real = realpath(copy, NULL);
        if (real) {
            const char *whole = arena_printf(arena, "%s%s", strcmp(real, "/") == 0 ? "" : real, path + strlen(copy));
            free(real);
            return whole;
        }
        cut = strrchr(copy, '/');
        *cut = 0;
    }
    return path;
}

/* As written, and where links lead to. */
static bool feeds_itself(struct arena *arena, const char *load, const char *directory)
{
    if (overlaps(arena, load, directory)) return true;
    const char *root = load_root(arena, load);
    const char *pattern = arena_printf(arena, "%s%s", resolved(arena, root), load + strlen(root));
    return overlaps(arena, pattern, resolved(arena, directory));
}

bool clean_check(const struct pipeline_reader *reader, struct error *err)
{
    const struct source_settings *settings = &reader->settings;
    if (settings->clean != CLEAN_ARCHIVE && settings->clean != CLEAN_MOVE) return true;
    struct arena *arena = arena_new("clean check");
    bool ok = true;
    for (size_t i = 0; ok && i < reader->load_count; i++) {
        if (!feeds_itself(arena, reader->load[i], settings->clean_directory)) continue;
        ok = settings->clean == CLEAN_ARCHIVE
                 ? error_set(err, COND_INLET_BAD_OPTION_VALUE, "sourceArchiveDir: base archive path \"%s\" cannot be set to a path that can match the source pattern \"%s\"",
                             settings->clean_directory, reader->load[i])
                 : error_set(err, COND_CF_INVALID_VALUE, "cloudFiles.cleanSource.moveDestination \"%s\" must not lie under the source directory \"%s\"",
                             settings->clean_directory, reader->load[i]);
        error_hint(err, "Choose a folder beside the landing zone.");
    }
    arena_free(arena);
    return ok;
}
