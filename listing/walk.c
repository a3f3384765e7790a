/* walk -- reads folders with getdents64 and gives what the scopes let in.
 *
 * A folder's subfolders are gathered first and entered when it is closed; the next of them is opened, and where it has to be read
 * its reading begins, while this one is worked on. Names are asked about in batches; only those that are not known are stat'ed. */
#include "listing/walk.h"
#include "base/panic.h"
#include "listing/entries_ahead.h"
#include "listing/scope.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#define ENTRY_BYTES (256 * 1024)
#define NAMES_PER_BATCH 4096
#define MARK_AGE_NS 2000000000

struct walk {
    struct walk_spec spec;
    struct scope_rules rules;
    struct pattern *patterns;
    size_t pattern_count;
    const struct glob *filter;     /* pathGlobFilter; NULL: none. */
    const char **roots;
    size_t root_count;
};

struct walking {
    const struct walk *walk;
    const struct walk_visitor *visitor;
    const struct cancel *cancel;
    struct walk_stats *stats;
    int64_t now_us;
    char *entries;                 /* Buffer of getdents64. */
    struct entries_ahead *ahead;      /* NULL: not started. */
    bool ahead_tried;
    struct arena *names_arena;     /* Of the batch of names. */
    const char *names[NAMES_PER_BATCH];
    int64_t mtimes_us[NAMES_PER_BATCH];
    bool known[NAMES_PER_BATCH];
    size_t name_count;
};

/* Folders above the one being scanned, to see loops of symbolic links. */
struct ancestor {
    const struct ancestor *above;
    dev_t device;
    ino_t inode;
};

/* One folder while it is scanned. */
struct folder {
    const char *path;
    int fd;
    const struct scope *scope;
    bool markable;                 /* So far nothing speaks against marking it. */
    bool names_done;               /* Its mark is valid: only subfolders are wanted. */
    struct arena *arena;           /* Subfolders. */
    struct subfolder { struct subfolder *next; struct scope scope; char name[]; } *subfolders;
};

/* --- Compiling --------------------------------------------------------------------------------------------- */

static bool compile_loads(struct walk *walk, struct arena *arena, struct error *err)
{
    for (size_t i = 0; i < walk->spec.load_count; i++) {
        struct pattern *patterns;
        size_t count;
        if (!patterns_compile(walk->spec.load[i], &walk->rules, arena, &patterns, &count, err)) return false;
        struct pattern *all = ARENA_ARRAY(arena, struct pattern, walk->pattern_count + count);
        if (walk->pattern_count) memcpy(all, walk->patterns, walk->pattern_count * sizeof *all);
        memcpy(all + walk->pattern_count, patterns, count * sizeof *all);
        walk->patterns = all;
        walk->pattern_count += count;
    }
    return true;
}

static void gather_roots(struct walk *walk, struct arena *arena)
{
    walk->roots = ARENA_ARRAY(arena, const char *, walk->pattern_count + 1);
    for (size_t i = 0; i < walk->pattern_count; i++) {
        bool repeated = false;
        for (size_t j = 0; j < walk->root_count; j++) repeated |= strcmp(walk->roots[j], walk->patterns[i].root) == 0;
        if (!repeated) walk->roots[walk->root_count++] = walk->patterns[i].root;
    }
}

struct walk *walk_new(const struct walk_spec *spec, struct arena *arena, struct error *err)
{
    struct walk *walk = ARENA_NEW(arena, struct walk);
    walk->spec = *spec;
    walk->rules = (struct scope_rules){.strict_glob = spec->strict_glob, .subtree = spec->subtree || !spec->strict_glob,
                                       .own = spec->own, .own_count = spec->own_count};
    if (!compile_loads(walk, arena, err)) return NULL;
    if (spec->path_glob_filter && !(walk->filter = glob_compile(arena, spec->path_glob_filter, err))) return NULL;
    gather_roots(walk, arena);
    return walk;
}

const char *const *walk_roots(const struct walk *walk, size_t *count)
{
    *count = walk->root_count;
    return walk->roots;
}

/* --- Files --------------------------------------------------------------------------------------------------- */

static int64_t microseconds(struct timespec time) { return (int64_t)time.tv_sec * 1000000 + time.tv_nsec / 1000; }
static int64_t nanoseconds(struct timespec time) { return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec; }

static bool in_window(const struct walk *walk, int64_t mtime_us)
{
    return mtime_us > walk->spec.modified_after_us && mtime_us < walk->spec.modified_before_us;
}

static struct sighting sighting_of(const char *directory, const char *name, const struct stat *info)
{
    return (struct sighting){.directory = directory, .name = name, .size = info->st_size, .mtime_us = microseconds(info->st_mtim),
                             .ctime_us = microseconds(info->st_ctim), .device = info->st_dev, .inode = info->st_ino};
}

static void report_unreadable(struct walking *walking, const char *path, int code, const char *what)
{
    walking->stats->directories_unreadable++;
    if (!walking->visitor->unreadable) return;
    struct error why;
    error_clear(&why);
    errno = code;
    error_errno(&why, "could not %s '%s'", what, path);
    walking->visitor->unreadable(walking->visitor->user, path, &why);
}

/* What is there but cannot be looked at is told; a link to nothing, or to itself, is nothing. */
static void report_unseen(struct walking *walking, struct folder *folder, int code)
{
    if (code != ENOENT && code != ENOTDIR && code != ELOOP) report_unreadable(walking, folder->path, code, "look at a file in");
}

/* Stats one name and gives it to the visitor if the rules take it. */
static bool give(struct walking *walking, struct folder *folder, const char *name, struct error *err)
{
    struct stat info;
    if (fstatat(folder->fd, name, &info, 0) != 0) {
        folder->markable = false; /* It has no row, and may come back. */
        report_unseen(walking, folder, errno);
        return true;
    }
    struct sighting sighting = sighting_of(folder->path, name, &info);
    if (!S_ISREG(info.st_mode) || !in_window(walking->walk, sighting.mtime_us)) {
        walking->stats->files_filtered++;
        folder->markable = false; /* Its time may move into the window without the folder's changing. */
        return true;
    }
    walking->stats->files_found++;
    return walking->visitor->found(walking->visitor->user, &sighting, err);
}

static void stat_times(struct walking *walking, struct folder *folder)
{
    size_t kept = 0;
    for (size_t i = 0; i < walking->name_count; i++) {
        struct stat info;
        if (fstatat(folder->fd, walking->names[i], &info, 0) != 0) {
            report_unseen(walking, folder, errno);
            continue;
        }
        walking->names[kept] = walking->names[i];
        walking->mtimes_us[kept++] = microseconds(info.st_mtim);
    }
    walking->name_count = kept;
}

static bool flush_names(struct walking *walking, struct folder *folder, struct error *err)
{
    const struct walk_visitor *visitor = walking->visitor;
    bool stat_known = walking->walk->spec.stat_known;
    if (stat_known) stat_times(walking, folder);
    bool ok = walking->name_count == 0 || visitor->known(visitor->user, folder->path, walking->names, stat_known ? walking->mtimes_us : NULL,
                                                         walking->name_count, walking->known, err);
    for (size_t i = 0; i < walking->name_count && ok; i++) {
        if (walking->known[i]) walking->stats->files_known++;
        else ok = give(walking, folder, walking->names[i], err);
    }
    walking->name_count = 0;
    arena_reset(walking->names_arena);
    return ok;
}

/* --- Entries --------------------------------------------------------------------------------------------------- */

struct linux_dirent64 {
    uint64_t inode;
    int64_t offset;
    unsigned short size;
    unsigned char type;
    char name[];
};

static void add_subfolder(struct folder *folder, const char *name, const struct scope *scope)
{
    size_t size = strlen(name) + 1;
    struct subfolder *subfolder = arena_alloc(folder->arena, sizeof *subfolder + size);
    subfolder->scope = *scope;
    memcpy(subfolder->name, name, size);
    subfolder->next = folder->subfolders;
    folder->subfolders = subfolder;
}

static unsigned char type_of(struct walking *walking, struct folder *folder, const char *name, unsigned char type)
{
    struct stat info;
    if (type != DT_LNK && type != DT_UNKNOWN) return type;
    folder->markable = false; /* What a link points to changes without the folder's changing. */
    if (fstatat(folder->fd, name, &info, 0) != 0) {
        report_unseen(walking, folder, errno);
        return DT_UNKNOWN;
    }
    if (S_ISDIR(info.st_mode)) return DT_DIR;
    return S_ISREG(info.st_mode) ? DT_REG : DT_UNKNOWN;
}

static bool take_entry(struct walking *walking, struct folder *folder, const char *name, unsigned char type, struct error *err)
{
    if (name[0] == '.' && (name[1] == 0 || (name[1] == '.' && name[2] == 0))) return true;
    walking->stats->names++;
    type = type_of(walking, folder, name, type);
    if (type == DT_DIR) {
        struct scope child;
        if (scope_enter(folder->scope, folder->path, name, &child) == REFUSED_NOT) add_subfolder(folder, name, &child);
        return true;
    }
    if (folder->names_done) return true;
    const struct glob *filter = walking->walk->filter;
    if (type != DT_REG || scope_take(folder->scope, folder->path, name) != REFUSED_NOT || (filter && !glob_match(filter, name))) {
        walking->stats->files_filtered++;
        return true;
    }
    walking->names[walking->name_count++] = arena_strdup(walking->names_arena, name);
    return walking->name_count < NAMES_PER_BATCH || flush_names(walking, folder, err);
}

static bool take_entries(struct walking *walking, struct folder *folder, const char *entries, long size, struct error *err)
{
    for (long at = 0; at < size;) {
        const struct linux_dirent64 *entry = (const void *)(entries + at);
        if (!take_entry(walking, folder, entry->name, entry->type, err)) return false;
        at += entry->size;
    }
    return true;
}

static bool read_entries(struct walking *walking, struct folder *folder, struct error *err)
{
    bool ended = false;
    while (!ended) {
        if (cancel_now(walking->cancel)) return error_set(err, COND_INLET_CANCELLED, "the listing was stopped");
        const char *entries = walking->entries;
        long size;
        int code = 0;
        if (entries_ahead_has(walking->ahead, folder->fd)) entries_ahead_take(walking->ahead, &entries, &size, &ended, &code);
        else {
            size = syscall(SYS_getdents64, folder->fd, walking->entries, ENTRY_BYTES);
            code = size < 0 ? errno : 0;
            ended = size <= 0;
        }
        if (code) folder->markable = false;
        if (code && code != ENOENT) report_unreadable(walking, folder->path, code, "read the folder");
        if (!take_entries(walking, folder, entries, size, err)) return false;
    }
    return flush_names(walking, folder, err);
}

/* --- Marks (L9) --------------------------------------------------------------------------------------------------- */

/* Only where a change of the folder's content surely shows in its own times. */
static bool is_local_disk(int fd)
{
    struct statfs info;
    if (fstatfs(fd, &info) != 0) return false;
    switch ((unsigned long)info.f_type) {
    case 0xEF53: case 0x58465342: case 0x9123683E: case 0x01021994: case 0xF2F52010: return true; /* ext, xfs, btrfs, tmpfs, f2fs */
    default: return false;
    }
}

static struct walk_mark mark_of(const char *path, const struct stat *info)
{
    return (struct walk_mark){path, info->st_dev, info->st_ino, nanoseconds(info->st_mtim), nanoseconds(info->st_ctim)};
}

static bool same_mark(const struct walk_mark *a, const struct walk_mark *b)
{
    return a->device == b->device && a->inode == b->inode && a->mtime_ns == b->mtime_ns && a->ctime_ns == b->ctime_ns;
}

static bool look_at_mark(struct walking *walking, struct folder *folder, const struct walk_mark *before, struct error *err)
{
    const struct walk_visitor *visitor = walking->visitor;
    folder->markable = walking->walk->spec.use_marks && !walking->walk->spec.stat_known && visitor->seen && is_local_disk(folder->fd);
    struct walk_mark mark;
    bool found = false;
    if (folder->markable && visitor->marked && !visitor->marked(visitor->user, folder->path, &mark, &found, err)) return false;
    folder->names_done = found && same_mark(&mark, before);
    return true;
}

static bool offer_mark(struct walking *walking, struct folder *folder, const struct walk_mark *before, struct error *err)
{
    struct stat info;
    if (!folder->markable || folder->names_done || fstat(folder->fd, &info) != 0) return true;
    struct walk_mark after = mark_of(folder->path, &info);
    int64_t newest = before->mtime_ns > before->ctime_ns ? before->mtime_ns : before->ctime_ns;
    if (!same_mark(before, &after) || walking->now_us * 1000 - newest < MARK_AGE_NS) return true;
    return walking->visitor->seen(walking->visitor->user, before, err);
}

/* --- Folders ------------------------------------------------------------------------------------------------------- */

static bool is_loop(const struct ancestor *above, const struct stat *info)
{
    for (; above; above = above->above) {
        if (above->device == info->st_dev && above->inode == info->st_ino) return true;
    }
    return false;
}

/* The next component is a plain name: no need to read the folder. */
static bool step_literally(struct walking *walking, struct folder *folder, struct error *err)
{
    const char *name = folder->scope->pattern->components[folder->scope->component].text;
    struct stat info;
    if (fstatat(folder->fd, name, &info, 0) != 0) {
        report_unseen(walking, folder, errno);
        return true;
    }
    return take_entry(walking, folder, name, S_ISDIR(info.st_mode) ? DT_DIR : S_ISREG(info.st_mode) ? DT_REG : DT_UNKNOWN, err) &&
           flush_names(walking, folder, err);
}

/* A folder on its way: opened, perhaps being read, then worked on. */
struct visit {
    struct folder folder;
    struct stat info;
    struct walk_mark before;
    char path[PATH_MAX];
};

static bool is_literal(const struct scope *scope) { return scope->state == SCOPE_MATCHING && !scope->pattern->components[scope->component].glob; }

/* Two links: the entry above and its own ".": there are no subfolders (and no symbolic links, or it would not be marked). */
static bool is_passed_over(const struct visit *visit) { return visit->folder.names_done && visit->info.st_nlink == 2; }

/* Nothing is wrong with the folder: to pass it over would look as if it were empty. */
static bool is_shortage(int code) { return code == EMFILE || code == ENFILE || code == ENOMEM; }

/* The folder of visit->path; folder.fd is -1 where there is nothing to be seen. */
static bool visit_open(struct walking *walking, struct visit *visit, const struct scope *scope, const struct ancestor *above, struct error *err)
{
    struct folder *folder = &visit->folder;
    *folder = (struct folder){.path = visit->path, .scope = scope};
    folder->fd = open(visit->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NONBLOCK);
    if (folder->fd < 0 && is_shortage(errno)) return error_errno(err, "could not open the folder '%s'", visit->path);
    if (folder->fd < 0) {
        if (errno != ENOENT && errno != ENOTDIR) report_unreadable(walking, visit->path, errno, "open the folder");
        return true;
    }
    if (fstat(folder->fd, &visit->info) != 0 || is_loop(above, &visit->info)) {
        close(folder->fd);
        folder->fd = -1;
        report_unreadable(walking, visit->path, ELOOP, "enter the folder");
        return true;
    }
    walking->stats->directories++;
    visit->before = mark_of(visit->path, &visit->info);
    if (is_literal(scope) || look_at_mark(walking, folder, &visit->before, err)) return true;
    close(folder->fd);
    folder->fd = -1;
    return false;
}

/* Only for another folder's time: the one that is worked on at once is read by its own thread. */
static void visit_read_ahead(struct walking *walking, const struct visit *visit)
{
    const struct folder *folder = &visit->folder;
    if (!walking->walk->spec.read_ahead || folder->fd < 0 || is_literal(folder->scope) || is_passed_over(visit)) return;
    if (!walking->ahead_tried) walking->ahead = entries_ahead_new();
    walking->ahead_tried = true;
    if (walking->ahead) entries_ahead_give(walking->ahead, folder->fd);
}

/* What was begun and is not wanted any more. */
static void visit_drop(struct walking *walking, struct visit *visit)
{
    const char *entries;
    long size;
    bool ended;
    int code;
    if (visit->folder.fd < 0) return;
    if (entries_ahead_has(walking->ahead, visit->folder.fd)) entries_ahead_take(walking->ahead, &entries, &size, &ended, &code);
    close(visit->folder.fd);
    visit->folder.fd = -1;
}

static bool scan_names(struct walking *walking, struct visit *visit, struct error *err)
{
    struct folder *folder = &visit->folder;
    if (is_literal(folder->scope)) return step_literally(walking, folder, err);
    if (folder->names_done) walking->stats->directories_passed_over++;
    if (is_passed_over(visit)) return true;
    return read_entries(walking, folder, err) && offer_mark(walking, folder, &visit->before, err);
}

static bool scan_subfolders(struct walking *walking, const struct folder *folder, const struct ancestor *self, struct error *err);

/* Works on an open folder, closes it, and enters what is below it. */
static bool visit_scan(struct walking *walking, struct visit *visit, const struct ancestor *above, struct error *err)
{
    struct folder *folder = &visit->folder;
    if (folder->fd < 0) return true;
    folder->arena = arena_new("walk folder");
    bool ok = scan_names(walking, visit, err);
    walking->name_count = 0;
    visit_drop(walking, visit);
    struct ancestor self = {above, visit->info.st_dev, visit->info.st_ino};
    ok = ok && scan_subfolders(walking, folder, &self, err);
    arena_free(folder->arena);
    return ok;
}

/* The next subfolder of the list, opened; *at moves behind it. folder.fd -1: none is left. */
static bool open_next(struct walking *walking, const struct folder *folder, const struct subfolder **at, const struct ancestor *self, struct visit *visit,
                      struct error *err)
{
    visit->folder.fd = -1;
    while (*at && visit->folder.fd < 0) {
        const struct subfolder *subfolder = *at;
        *at = subfolder->next;
        int size = snprintf(visit->path, sizeof visit->path, "%s/%s", strcmp(folder->path, "/") == 0 ? "" : folder->path, subfolder->name);
        if (size >= (int)sizeof visit->path) report_unreadable(walking, folder->path, ENAMETOOLONG, "enter a folder in");
        else if (!visit_open(walking, visit, &subfolder->scope, self, err)) return false;
    }
    return true;
}

static bool scan_subfolders(struct walking *walking, const struct folder *folder, const struct ancestor *self, struct error *err)
{
    if (!folder->subfolders) return true;
    const struct subfolder *at = folder->subfolders;
    struct visit *visits = ARENA_ARRAY(folder->arena, struct visit, 2), *now = &visits[0], *next = &visits[1];
    bool ok = open_next(walking, folder, &at, self, now, err);
    while (ok && now->folder.fd >= 0) {
        next->folder.fd = -1;
        ok = open_next(walking, folder, &at, self, next, err);
        if (ok) visit_read_ahead(walking, next);
        if (ok) ok = visit_scan(walking, now, self, err);
        else visit_drop(walking, now);
        if (!ok) visit_drop(walking, next);
        struct visit *done = now;
        now = next;
        next = done;
    }
    return ok;
}

static bool scan(struct walking *walking, const char *path, const struct scope *scope, const struct ancestor *above, struct error *err)
{
    struct visit visit;
    size_t size = strlen(path) + 1;
    invariant(size <= sizeof visit.path); /* It was looked at, or has a scope. */
    memcpy(visit.path, path, size);
    return visit_open(walking, &visit, scope, above, err) && visit_scan(walking, &visit, above, err);
}

/* A load path that is one file: it is taken whatever its name (not a wildcard's doing). */
static bool take_root_file(struct walking *walking, const char *path, const struct stat *info, struct error *err)
{
    char directory[PATH_MAX];
    const char *slash = strrchr(path, '/');
    snprintf(directory, sizeof directory, "%.*s", slash == path ? 1 : (int)(slash - path), path);
    const struct walk_visitor *visitor = walking->visitor;
    struct sighting sighting = sighting_of(directory, slash + 1, info);
    if (!S_ISREG(info->st_mode) || !in_window(walking->walk, sighting.mtime_us)) return true;
    if (walking->walk->filter && !glob_match(walking->walk->filter, sighting.name)) return true;
    bool known;
    walking->stats->names++;
    if (!visitor->known(visitor->user, directory, &sighting.name, walking->walk->spec.stat_known ? &sighting.mtime_us : NULL, 1, &known, err)) return false;
    if (known) walking->stats->files_known++;
    else walking->stats->files_found++;
    return known || visitor->found(visitor->user, &sighting, err);
}

static bool walk_pattern(struct walking *walking, const struct pattern *pattern, struct error *err)
{
    struct stat info;
    if (stat(pattern->root, &info) != 0) {
        int code = errno;
        bool missing = code == ENOENT || code == ENOTDIR;
        if (missing && (pattern->has_magic || pattern->spelled_out)) return true;
        if (missing && !walking->walk->spec.root_may_go)
            return error_set(err, COND_PATH_NOT_FOUND, "Path does not exist: file:%s.", pattern->root);
        report_unreadable(walking, pattern->root, code, "look at the load path");
        return true;
    }
    if (!pattern->has_magic && !S_ISDIR(info.st_mode)) return take_root_file(walking, pattern->root, &info, err);
    struct scope scope = scope_of_root(pattern, &walking->walk->rules);
    return scan(walking, pattern->root, &scope, NULL, err);
}

static struct walking *walking_new(const struct walk *walk, const struct walk_visitor *visitor, int64_t now_us, const struct cancel *cancel,
                                   struct walk_stats *stats)
{
    struct walking *walking = calloc(1, sizeof *walking);
    if (!walking) panic_out_of_memory(sizeof *walking);
    char *entries = malloc(ENTRY_BYTES);
    if (!entries) panic_out_of_memory(ENTRY_BYTES);
    walking->walk = walk;
    walking->visitor = visitor;
    walking->cancel = cancel;
    walking->stats = stats;
    walking->now_us = now_us;
    walking->entries = entries;
    walking->names_arena = arena_new("walk names");
    *stats = (struct walk_stats){0};
    return walking;
}

static void walking_free(struct walking *walking)
{
    entries_ahead_free(walking->ahead);
    arena_free(walking->names_arena);
    free(walking->entries);
    free(walking);
}

bool walk_run(const struct walk *walk, const struct walk_visitor *visitor, int64_t now_us, const struct cancel *cancel, struct walk_stats *stats,
              struct error *err)
{
    struct walking *walking = walking_new(walk, visitor, now_us, cancel, stats);
    bool ok = true;
    for (size_t i = 0; i < walk->pattern_count && ok; i++) ok = walk_pattern(walking, &walk->patterns[i], err);
    walking_free(walking);
    return ok;
}

static bool is_below(const char *path, const char *directory)
{
    size_t size = strcmp(directory, "/") == 0 ? 0 : strlen(directory);
    return strncmp(path, directory, size) == 0 && path[size] == '/';
}

bool walk_run_under(const struct walk *walk, const char *directory, const struct walk_visitor *visitor, int64_t now_us, const struct cancel *cancel,
                    struct walk_stats *stats, struct error *err)
{
    struct walking *walking = walking_new(walk, visitor, now_us, cancel, stats);
    bool ok = true;
    for (size_t i = 0; i < walk->pattern_count && ok; i++) {
        const struct pattern *pattern = &walk->patterns[i];
        struct scope scope;
        struct stat info;
        if (is_below(pattern->root, directory)) {
            if (stat(pattern->root, &info) == 0) ok = walk_pattern(walking, pattern, err);
        } else if (scope_of(pattern, &walk->rules, directory, &scope) == REFUSED_NOT) {
            ok = scan(walking, directory, &scope, NULL, err);
        }
    }
    walking_free(walking);
    return ok;
}

/* --- Single names ---------------------------------------------------------------------------------------------------- */

bool walk_enters(const struct walk *walk, const char *directory)
{
    for (size_t i = 0; i < walk->pattern_count; i++) {
        struct scope scope;
        if (is_below(walk->patterns[i].root, directory)) return true;
        if (scope_of(&walk->patterns[i], &walk->rules, directory, &scope) == REFUSED_NOT) return true;
    }
    return false;
}

static bool is_root_file(const struct pattern *pattern, const char *directory, const char *name)
{
    if (pattern->has_magic) return false;
    size_t size = strcmp(directory, "/") == 0 ? 0 : strlen(directory);
    return strncmp(pattern->root, directory, size) == 0 && pattern->root[size] == '/' && strcmp(pattern->root + size + 1, name) == 0;
}

/* How far the path comes with one pattern. */
static enum refusal judge(const struct walk *walk, const struct pattern *pattern, const char *directory, const char *name)
{
    struct scope scope;
    if (is_root_file(pattern, directory, name)) return REFUSED_NOT;
    enum refusal refusal = scope_of(pattern, &walk->rules, directory, &scope);
    return refusal == REFUSED_NOT ? scope_take(&scope, directory, name) : refusal;
}

static enum refusal judge_all(const struct walk *walk, const char *directory, const char *name)
{
    enum refusal best = REFUSED_OUTSIDE;
    for (size_t i = 0; i < walk->pattern_count; i++) {
        enum refusal refusal = judge(walk, &walk->patterns[i], directory, name);
        if (refusal > best) best = refusal;
    }
    return best;
}

bool walk_look_at(const struct walk *walk, const char *directory, const char *name, struct sighting *out, bool *found, struct error *err)
{
    *found = false;
    if (judge_all(walk, directory, name) != REFUSED_NOT) return true;
    if (walk->filter && !glob_match(walk->filter, name)) return true;
    char path[PATH_MAX];
    struct stat info;
    int size = snprintf(path, sizeof path, "%s/%s", strcmp(directory, "/") == 0 ? "" : directory, name);
    if (size >= (int)sizeof path) return true;
    if (stat(path, &info) != 0) {
        return errno == ENOENT || errno == ENOTDIR || errno == ELOOP || errno == EACCES || error_errno(err, "could not look at the file '%s'", path);
    }
    *out = sighting_of(directory, name, &info);
    *found = S_ISREG(info.st_mode) && in_window(walk, out->mtime_us);
    return true;
}

static const char *why_of_refusal(const struct walk *walk, enum refusal refusal, const char *path, struct arena *arena)
{
    switch (refusal) {
    case REFUSED_OUTSIDE: return arena_printf(arena, "it is not under the load path '%s'", walk->spec.load[0]);
    case REFUSED_HIDDEN: return "it, or a folder above it, has a hidden name ('.', '_' without '=', or '._COPYING_')";
    case REFUSED_GLOB: return arena_printf(arena, "the load path's pattern '%s' does not match it", walk->spec.load[0]);
    case REFUSED_OWN: return "it is in the output or the checkpoint folder of this pipeline";
    case REFUSED_DEPTH: return "it is in a subfolder that is not named key=value; recursiveFileLookup would take it";
    case REFUSED_NOT: break;
    }
    if (walk->filter && !glob_match(walk->filter, strrchr(path, '/') + 1)) {
        return arena_printf(arena, "pathGlobFilter '%s' does not match its name", walk->spec.path_glob_filter);
    }
    return NULL;
}

/* Does a folder on the way from the root to the file come twice? The walk does not enter it the second time. */
static bool is_in_loop(const struct pattern *pattern, const char *directory)
{
    enum { DEPTH_MAX = PATH_MAX / 2 }; /* The path was looked at, so it is no longer. */
    size_t at = strcmp(pattern->root, "/") == 0 ? 0 : strlen(pattern->root), depth = 0;
    char path[PATH_MAX];
    if (strncmp(directory, pattern->root, at) != 0) return false;
    struct ancestor *folders = calloc(DEPTH_MAX, sizeof *folders);
    if (!folders) panic_out_of_memory(DEPTH_MAX * sizeof *folders);
    bool loop = false;
    for (; !loop; at += 1 + strcspn(directory + at + 1, "/")) {
        struct stat info;
        invariant(depth < DEPTH_MAX);
        memcpy(path, directory, at);
        path[at] = 0;
        if (stat(at ? path : "/", &info) != 0) break;
        loop = is_loop(depth ? &folders[depth - 1] : NULL, &info);
        folders[depth] = (struct ancestor){depth ? &folders[depth - 1] : NULL, info.st_dev, info.st_ino};
        depth++;
        if (!directory[at]) break;
    }
    free(folders);
    return loop;
}

/* By all patterns that would take it. */
static bool only_in_loops(const struct walk *walk, const char *directory, const char *name)
{
    for (size_t i = 0; i < walk->pattern_count; i++)
        if (judge(walk, &walk->patterns[i], directory, name) == REFUSED_NOT && !is_in_loop(&walk->patterns[i], directory)) return false;
    return true;
}

const char *walk_why_not(const struct walk *walk, const char *path, struct arena *arena)
{
    const char *slash = strrchr(path, '/');
    if (!slash || !slash[1]) return "it is not the absolute path of a file";
    const char *directory = slash == path ? "/" : arena_strndup(arena, path, (size_t)(slash - path));
    const char *why = why_of_refusal(walk, judge_all(walk, directory, slash + 1), path, arena);
    if (why) return why;
    struct stat info;
    if (stat(path, &info) != 0) {
        if (errno == ENOENT || errno == ENOTDIR) return NULL;
        return arena_printf(arena, "it cannot be looked at: %s", strerror(errno));
    }
    if (only_in_loops(walk, directory, slash + 1)) return "a symbolic link on the way leads back to a folder above it; loops are not entered";
    if (!S_ISREG(info.st_mode)) return S_ISDIR(info.st_mode) ? "it is a folder" : "it is not a regular file";
    if (in_window(walk, microseconds(info.st_mtim))) return NULL;
    return microseconds(info.st_mtim) <= walk->spec.modified_after_us ? "its modification time is not after modifiedAfter"
                                                                       : "its modification time is not before modifiedBefore";
}
