/* inotify -- the kernel tells of files that were closed or moved in, folder by folder.
 *
 * Every folder has a watch of its own. A new or moved-in folder is watched first and then hinted at as a whole, so that what was
 * made in it before the watch stood is found by looking. Lost events (queue overflow, unmounted or vanished roots)
 * become `rescan`. Limits of the machine do not stop the stream: what cannot be watched is left to the listing, and
 * limited() says which sysctl would help. Hard links, O_TMPFILE and mmap writers give few or odd events: hints only. */
#include "base/panic.h"
#include "base/uuid.h"
#include "notify/notify.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#define WATCH_EVENTS (IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE | IN_MOVED_FROM | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR | IN_EXCL_UNLINK)
#define READ_BYTES (64 * 1024)
#define HINTS_PER_POLL 100000
#define LINKED "it is a symbolic link: what becomes of its target is not told"

struct watch {
    int number;                /* As inotify names it; 0: free slot, -1: was removed. */
    char *path;
};

struct notify {
    int fd;                    /* -1: no instance could be had. */
    char **roots;
    bool *root_watched;
    struct root_identity { dev_t device; ino_t inode; } *root_identities; /* Of the folder that is watched. */
    size_t root_count;
    void *user;
    bool (*enters)(void *user, const char *directory);
    struct watch *watches;     /* Open addressing by number. */
    size_t used, removed, capacity;
    bool lacks_watches;        /* A limit was met. */
    bool lacks_some;           /* Single folders are not watched, or not surely. */
    char limit[512];
};

/* --- The table of watches ------------------------------------------------------------------------------------ */

static struct watch *watch_slot(struct watch *watches, size_t capacity, int number)
{
    size_t at = (unsigned)number * 2654435761u & (capacity - 1);
    struct watch *removed = NULL;
    while (watches[at].number != 0 && watches[at].number != number) {
        if (watches[at].number < 0 && !removed) removed = &watches[at];
        at = (at + 1) & (capacity - 1);
    }
    return watches[at].number == 0 && removed ? removed : &watches[at];
}

static void watches_grow(struct notify *notify)
{
    size_t capacity = (notify->used - notify->removed) * 4 > 64 ? (notify->used - notify->removed) * 4 : 64;
    size_t power = 64;
    while (power < capacity) power *= 2;
    struct watch *watches = calloc(power, sizeof *watches);
    if (!watches) panic_out_of_memory(power * sizeof *watches);
    for (size_t i = 0; i < notify->capacity; i++) {
        if (notify->watches[i].number > 0) *watch_slot(watches, power, notify->watches[i].number) = notify->watches[i];
    }
    notify->used -= notify->removed;
    notify->removed = 0;
    free(notify->watches);
    notify->watches = watches;
    notify->capacity = power;
}

static struct watch *watch_find(struct notify *notify, int number)
{
    if (notify->capacity == 0) return NULL;
    struct watch *watch = watch_slot(notify->watches, notify->capacity, number);
    return watch->number == number ? watch : NULL;
}

static void watch_drop(struct notify *notify, struct watch *watch)
{
    for (size_t i = 0; i < notify->root_count; i++) {
        if (strcmp(notify->roots[i], watch->path) == 0) notify->root_watched[i] = false;
    }
    free(watch->path);
    *watch = (struct watch){.number = -1};
    notify->removed++;
}

/* Events alone do not tell all of this folder: the listing has to go on. */
static void lack_folder(struct notify *notify, const char *path, const char *why)
{
    if (!notify->lacks_some && !notify->lacks_watches)
        snprintf(notify->limit, sizeof notify->limit, "the folder \"%.300s\" cannot be watched alone (%s); folders are listed as well", path, why);
    notify->lacks_some = true;
}

/* Two paths of one folder (a symbolic link) keep the first; a folder that moved takes its new one. */
static void watch_remember(struct notify *notify, int number, const char *path)
{
    struct watch *known = watch_find(notify, number);
    struct stat old, new;
    if (known) {
        if (strcmp(known->path, path) == 0) return;
        if (stat(known->path, &old) == 0 && stat(path, &new) == 0 && old.st_ino == new.st_ino && old.st_dev == new.st_dev) {
            lack_folder(notify, path, "two paths lead to it");
            return;
        }
        free(known->path);
        known->path = strdup(path);
        return;
    }
    if ((notify->used + 1) * 2 >= notify->capacity) watches_grow(notify);
    struct watch *watch = watch_slot(notify->watches, notify->capacity, number);
    if (watch->number == 0) notify->used++;
    else notify->removed--;
    *watch = (struct watch){number, strdup(path)};
    if (!watch->path) panic_out_of_memory(strlen(path));
}

/* --- Limits -------------------------------------------------------------------------------------------------------- */

static int64_t read_limit(const char *name)
{
    char path[128], text[32] = "";
    snprintf(path, sizeof path, "/proc/sys/fs/inotify/%s", name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return 0;
    ssize_t size = read(fd, text, sizeof text - 1);
    close(fd);
    return size > 0 ? strtoll(text, NULL, 10) : 0;
}

static void meet_limit(struct notify *notify, const char *name, const char *what)
{
    notify->lacks_watches = true;
    int64_t now = read_limit(name);
    snprintf(notify->limit, sizeof notify->limit, "%s; raise the limit with: sysctl fs.inotify.%s=%lld (now %lld); until then folders are listed", what, name,
             (long long)(now > 0 ? now * 4 : 524288), (long long)now);
}

/* --- Watching ------------------------------------------------------------------------------------------------------ */

struct above {
    const struct above *next;
    dev_t device;
    ino_t inode;
};

static bool has_gone(int code) { return code == ENOENT || code == ENOTDIR; }

static bool is_entered(const struct notify *notify, const char *path) { return !notify->enters || notify->enters(notify->user, path); }

static bool is_directory(const struct dirent *entry, int fd)
{
    struct stat info;
    if (entry->d_type != DT_UNKNOWN && entry->d_type != DT_LNK) return entry->d_type == DT_DIR;
    return fstatat(fd, entry->d_name, &info, 0) == 0 && S_ISDIR(info.st_mode);
}

static bool is_loop(const struct above *above, const struct stat *info)
{
    for (; above; above = above->next) {
        if (above->device == info->st_dev && above->inode == info->st_ino) return true;
    }
    return false;
}

static bool watch_tree(struct notify *notify, const char *path, const struct above *above);

static void watch_below(struct notify *notify, const char *path, const struct above *above)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NONBLOCK);
    struct stat info;
    if (fd < 0) {
        if (!has_gone(errno)) lack_folder(notify, path, strerror(errno));
        return;
    }
    bool seen = fstat(fd, &info) == 0;
    DIR *directory = seen && !is_loop(above, &info) ? fdopendir(fd) : NULL;
    if (!directory) {
        if (!seen || !is_loop(above, &info)) lack_folder(notify, path, strerror(errno));
        close(fd);
        return;
    }
    struct above self = {above, info.st_dev, info.st_ino};
    const struct dirent *entry;
    while ((errno = 0, entry = readdir(directory)) != NULL) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 || !is_directory(entry, fd)) continue;
        char child[PATH_MAX];
        int size = snprintf(child, sizeof child, "%s/%s", strcmp(path, "/") == 0 ? "" : path, entry->d_name);
        if (size >= (int)sizeof child || !is_entered(notify, child)) continue;
        if (entry->d_type == DT_LNK) lack_folder(notify, child, LINKED);
        if (!watch_tree(notify, child, &self)) break;
    }
    if (!entry && errno) lack_folder(notify, path, strerror(errno)); /* What else is in it is not known. */
    closedir(directory);
}

/* First the watch, then the look: nothing falls between. False: a limit was met, there is no use in going on. */
static bool watch_tree(struct notify *notify, const char *path, const struct above *above)
{
    int number = inotify_add_watch(notify->fd, path, WATCH_EVENTS);
    if (number < 0) {
        if (errno != ENOSPC) {
            if (!has_gone(errno)) lack_folder(notify, path, strerror(errno)); /* It may become readable without an event. */
            return true;
        }
        meet_limit(notify, "max_user_watches", "no more folders can be watched");
        return false;
    }
    watch_remember(notify, number, path);
    watch_below(notify, path, above);
    return true;
}

static bool is_below(const char *path, const char *directory)
{
    size_t size = strlen(directory);
    return strncmp(path, directory, size) == 0 && (path[size] == '/' || path[size] == 0);
}

/* A folder that moved away takes its watches with it; their paths are no longer true. */
static void unwatch_tree(struct notify *notify, const char *path)
{
    for (size_t i = 0; i < notify->capacity; i++) {
        struct watch *watch = &notify->watches[i];
        if (watch->number <= 0 || !is_below(watch->path, path)) continue;
        inotify_rm_watch(notify->fd, watch->number); /* Its IN_IGNORED comes for a number no longer known. */
        watch_drop(notify, watch);
    }
}

/* A root whose path leads elsewhere by now (a folder above it was renamed, a link was changed, something was mounted there) tells nothing. */
static bool check_roots(struct notify *notify)
{
    bool lost = false;
    for (size_t i = 0; i < notify->root_count; i++) {
        struct stat info;
        const struct root_identity *known = &notify->root_identities[i];
        if (!notify->root_watched[i]) continue;
        if (stat(notify->roots[i], &info) == 0 && info.st_dev == known->device && info.st_ino == known->inode) continue;
        unwatch_tree(notify, notify->roots[i]);
        notify->root_watched[i] = false;
        lost = true;
    }
    return lost;
}

/* True: a root is watched now that was not before. */
static bool watch_roots(struct notify *notify, bool all)
{
    bool new_root = false;
    if (all) {
        notify->lacks_watches = notify->lacks_some = false; /* Perhaps the limit has been raised. */
        notify->limit[0] = 0;
    }
    for (size_t i = 0; i < notify->root_count && !notify->lacks_watches; i++) {
        if (notify->root_watched[i] && !all) continue;
        struct stat info;
        if (stat(notify->roots[i], &info) != 0 || !S_ISDIR(info.st_mode)) continue;
        notify->root_identities[i] = (struct root_identity){info.st_dev, info.st_ino};
        watch_tree(notify, notify->roots[i], NULL);
        new_root |= !notify->root_watched[i];
        notify->root_watched[i] = true;
    }
    return new_root;
}

/* --- Opening ---------------------------------------------------------------------------------------------------------- */

static bool inotify_start(struct notify *notify, struct error *err)
{
    notify->fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (notify->fd >= 0) {
        watch_roots(notify, true);
        return true;
    }
    if (errno != EMFILE && errno != ENFILE) return error_errno(err, "could not start inotify");
    meet_limit(notify, "max_user_instances", "no inotify instance can be had");
    return true;
}

static void inotify_close(struct notify *notify)
{
    if (!notify) return;
    if (notify->fd >= 0) close(notify->fd);
    for (size_t i = 0; i < notify->capacity; i++) free(notify->watches[i].path);
    for (size_t i = 0; i < notify->root_count; i++) free(notify->roots[i]);
    free(notify->watches);
    free(notify->roots);
    free(notify->root_watched);
    free(notify->root_identities);
    free(notify);
}

static struct notify *inotify_open(const struct notify_spec *spec, struct error *err)
{
    struct notify *notify = calloc(1, sizeof *notify);
    if (!notify) panic_out_of_memory(sizeof *notify);
    notify->fd = -1;
    notify->user = spec->user;
    notify->enters = spec->enters;
    notify->roots = calloc(spec->root_count + 1, sizeof *notify->roots);
    notify->root_watched = calloc(spec->root_count + 1, sizeof *notify->root_watched);
    notify->root_identities = calloc(spec->root_count + 1, sizeof *notify->root_identities);
    if (!notify->roots || !notify->root_watched || !notify->root_identities) panic_out_of_memory(spec->root_count);
    for (size_t i = 0; i < spec->root_count; i++) notify->roots[notify->root_count++] = strdup(spec->roots[i]);
    if (inotify_start(notify, err)) return notify;
    inotify_close(notify);
    return NULL;
}

/* --- Events ------------------------------------------------------------------------------------------------------------- */

/* Hints of one poll, each file once. */
struct hints {
    struct arena *arena;
    struct notify_batch *out;
    size_t capacity;           /* Of out->hints. */
    uint32_t *slots;           /* Index + 1, by hash. */
    size_t slot_count;
};

static uint64_t hint_hash(const char *directory, const char *name)
{
    uint64_t hash = hash_bytes(directory, strlen(directory));
    return name ? hash * 31 + hash_bytes(name, strlen(name)) : hash;
}

static bool hint_is(const struct notify_hint *hint, const char *directory, const char *name)
{
    if (!hint->name != !name || strcmp(hint->directory, directory) != 0) return false;
    return !name || strcmp(hint->name, name) == 0;
}

static void hints_grow(struct hints *hints)
{
    size_t capacity = hints->capacity ? hints->capacity * 2 : 64;
    struct notify_hint *items = ARENA_ARRAY(hints->arena, struct notify_hint, capacity);
    if (hints->out->count) memcpy(items, hints->out->hints, hints->out->count * sizeof *items);
    hints->out->hints = items;
    hints->capacity = capacity;
    hints->slot_count = capacity * 2;
    hints->slots = ARENA_ARRAY(hints->arena, uint32_t, hints->slot_count);
    for (size_t i = 0; i < hints->out->count; i++) {
        size_t at = hint_hash(items[i].directory, items[i].name) & (hints->slot_count - 1);
        while (hints->slots[at]) at = (at + 1) & (hints->slot_count - 1);
        hints->slots[at] = (uint32_t)i + 1;
    }
}

static struct notify_hint *hint_of(struct hints *hints, const char *directory, const char *name)
{
    if (hints->out->count == hints->capacity) hints_grow(hints);
    size_t at = hint_hash(directory, name) & (hints->slot_count - 1);
    while (hints->slots[at]) {
        struct notify_hint *known = &hints->out->hints[hints->slots[at] - 1];
        if (hint_is(known, directory, name)) return known;
        at = (at + 1) & (hints->slot_count - 1);
    }
    struct notify_hint *hint = &hints->out->hints[hints->out->count++];
    hints->slots[at] = (uint32_t)hints->out->count;
    *hint = (struct notify_hint){.directory = arena_strdup(hints->arena, directory), .name = name ? arena_strdup(hints->arena, name) : NULL};
    return hint;
}

static void directory_event(struct notify *notify, const char *path, uint32_t mask, struct hints *hints)
{
    if (mask & IN_MOVED_FROM) unwatch_tree(notify, path);
    if (!(mask & (IN_CREATE | IN_MOVED_TO)) || !is_entered(notify, path)) return;
    watch_tree(notify, path, NULL);
    hint_of(hints, path, NULL)->known_complete |= (mask & IN_MOVED_TO) != 0;
}

static void file_event(const char *directory, const char *name, uint32_t mask, struct hints *hints)
{
    if (!(mask & (IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE))) return;
    struct notify_hint *hint = hint_of(hints, directory, name);
    /* Written again after it was moved in: what counts is the last word. */
    if (mask & IN_MOVED_TO) hint->known_complete = true;
    if (mask & IN_CREATE) hint->known_complete = hint->closed = false;
    if (mask & IN_CLOSE_WRITE) {
        hint->closed = true;
        hint->known_complete = false;
    }
}

static bool is_directory_link(const char *path)
{
    struct stat info;
    return lstat(path, &info) == 0 && S_ISLNK(info.st_mode) && stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

static void one_event(struct notify *notify, const struct inotify_event *event, struct hints *hints)
{
    if (event->mask & IN_Q_OVERFLOW) {
        hints->out->rescan = true;
        return;
    }
    struct watch *watch = watch_find(notify, event->wd);
    if (!watch) return;
    if (event->mask & (IN_IGNORED | IN_UNMOUNT | IN_DELETE_SELF | IN_MOVE_SELF)) {
        for (size_t i = 0; i < notify->root_count; i++) {
            if (strcmp(notify->roots[i], watch->path) == 0) hints->out->rescan = true;
        }
        if (event->mask & IN_UNMOUNT) hints->out->rescan = true;
        if (event->mask & IN_MOVE_SELF) unwatch_tree(notify, arena_strdup(hints->arena, watch->path));
        else if (event->mask & IN_IGNORED) watch_drop(notify, watch);
        return;
    }
    if (event->len == 0) return;
    char path[PATH_MAX];
    int size = snprintf(path, sizeof path, "%s/%s", strcmp(watch->path, "/") == 0 ? "" : watch->path, event->name);
    if (event->mask & IN_ISDIR) {
        if (size < (int)sizeof path) directory_event(notify, path, event->mask, hints);
        return;
    }
    if ((event->mask & (IN_CREATE | IN_MOVED_TO)) && size < (int)sizeof path && is_directory_link(path)) {
        if (is_entered(notify, path)) lack_folder(notify, path, LINKED);
        directory_event(notify, path, event->mask & ~(uint32_t)IN_MOVED_TO, hints);
        hint_of(hints, path, NULL);
        return;
    }
    file_event(watch->path, event->name, event->mask, hints);
}

static bool read_events(struct notify *notify, struct hints *hints, struct error *err)
{
    _Alignas(struct inotify_event) char bytes[READ_BYTES];
    while (hints->out->count < HINTS_PER_POLL) {
        ssize_t size = read(notify->fd, bytes, sizeof bytes);
        if (size < 0 && (errno == EAGAIN || errno == EINTR)) return true;
        if (size < 0) return error_errno(err, "could not read events of inotify");
        if (size == 0) return true;
        for (const char *at = bytes; at < bytes + size;) {
            const struct inotify_event *event = (const void *)at;
            one_event(notify, event, hints);
            at += sizeof *event + event->len;
        }
    }
    return true;
}

static bool inotify_poll(struct notify *notify, int timeout_ms, struct arena *arena, struct notify_batch *out, struct error *err)
{
    *out = (struct notify_batch){.rescan = false};
    bool lost = notify->fd >= 0 && check_roots(notify);
    if ((notify->fd >= 0 && watch_roots(notify, false)) || lost) {
        out->rescan = true; /* A root that was not there is: what it holds is not known. */
        timeout_ms = 0;
    }
    struct pollfd wait = {.fd = notify->fd, .events = POLLIN};
    int ready = poll(&wait, notify->fd >= 0 ? 1 : 0, timeout_ms);
    if (ready < 0 && errno != EINTR) return error_errno(err, "could not wait for events of inotify");
    if (ready <= 0) return true;
    struct hints hints = {.arena = arena, .out = out};
    if (!read_events(notify, &hints, err)) return false;
    if (out->rescan) watch_roots(notify, true); /* Folders made meanwhile have no watch yet. */
    return true;
}

static int inotify_fd(const struct notify *notify) { return notify->fd; }

static const char *inotify_limited(const struct notify *notify)
{
    if (notify->lacks_watches || notify->lacks_some) return notify->limit;
    for (size_t i = 0; i < notify->root_count; i++) {
        if (!notify->root_watched[i]) return "a folder of the load path is not there; it is looked for again and again";
    }
    return NULL;
}

/* The kernel keeps nothing that could be given back; the listing repairs what a crash forgets. */
static bool inotify_acknowledge(struct notify *notify, struct error *err)
{
    (void)notify;
    (void)err;
    return true;
}

const struct notify_ops inotify_notify = {
    .name = "inotify", .open = inotify_open, .fd = inotify_fd, .poll = inotify_poll, .acknowledge = inotify_acknowledge,
    .limited = inotify_limited, .close = inotify_close,
};
