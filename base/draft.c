/* draft -- nameless files where there are any, hidden ones elsewhere; names by link(2) or rename(2). */
#include "base/draft.h"
#include "base/file.h"
#include "base/plant.h"
#include "base/uuid.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { REPLACE_TRIES = 100, DRAFT_MODE = 0644 };

static bool fits(int length, const char *path, struct error *err)
{
    return (length >= 0 && length < PATH_MAX) || error_set(err, COND_INLET_IO, "the path \"%s\" is too long", path);
}

/* The folder of a path as a prefix to put a name behind. */
static int folder_size(const char *path) { return (int)(path_basename(path) - path); }

static void self_path(const struct draft *draft, char out[64]) { snprintf(out, 64, "/proc/self/fd/%d", draft->fd); }

/* Sets fd to -1 and errno where a nameless file cannot be had. */
static void open_nameless(struct draft *draft)
{
    char folder[PATH_MAX], self[64];
    snprintf(folder, sizeof folder, "%.*s.", folder_size(draft->path), draft->path);
    draft->fd = open(folder, O_WRONLY | O_TMPFILE | O_CLOEXEC, DRAFT_MODE);
    if (draft->fd < 0) return;
    self_path(draft, self);
    if (access(self, F_OK) == 0) return;
    close(draft->fd);
    draft->fd = -1;
    errno = EOPNOTSUPP;
}

/* ".NAME.12345678.tmp" for the path's NAME. */
static bool is_draft_of(const char *path, const char *name)
{
    const char *base = path_basename(path);
    size_t size = strlen(base);
    if (name[0] != '.' || strncmp(name + 1, base, size) != 0 || name[size + 1] != '.') return false;
    const char *random = name + size + 2;
    return strspn(random, "0123456789abcdef") == 8 && strcmp(random + 8, ".tmp") == 0;
}

/* The lock goes with the process that holds it: a draft without one is nobody's. */
static void remove_if_left(int folder, const char *name)
{
    int fd = openat(folder, name, O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) return;
    if (flock(fd, LOCK_EX | LOCK_NB) == 0) unlinkat(folder, name, 0);
    close(fd);
}

static void sweep_left(const char *path)
{
    char folder[PATH_MAX];
    snprintf(folder, sizeof folder, "%.*s.", folder_size(path), path);
    DIR *entries = opendir(folder);
    if (!entries) return;
    const struct dirent *entry;
    while ((entry = readdir(entries)))
        if (is_draft_of(path, entry->d_name)) remove_if_left(dirfd(entries), entry->d_name);
    closedir(entries);
}

/* Locked before anybody can have taken it for left; if somebody has, it has no name any more and another one is made. */
static bool open_named(struct draft *draft, struct error *err)
{
    sweep_left(draft->path);
    draft->named = true;
    for (;;) {
        char unique[UUID_TEXT_SIZE];
        uuid_v4(unique);
        int size = snprintf(draft->name, PATH_MAX, "%.*s.%s.%.8s.tmp", folder_size(draft->path), draft->path, path_basename(draft->path), unique);
        if (!fits(size, draft->path, err)) return false;
        draft->fd = open(draft->name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, DRAFT_MODE);
        if (draft->fd < 0) return error_errno(err, "could not create file \"%s\"", draft->name);
        struct stat info;
        bool locked = flock(draft->fd, LOCK_EX) == 0; /* Where there are no locks nothing is swept either. */
        if (!locked || fstat(draft->fd, &info) != 0 || info.st_nlink > 0) return true;
        close(draft->fd);
    }
}

bool draft_open(struct draft *draft, const char *path, struct error *err)
{
    draft->fd = -1;
    draft->named = draft->synced = false;
    if (!fits(snprintf(draft->path, PATH_MAX, "%s", path), path, err)) return false;
    if (!fits(snprintf(draft->name, PATH_MAX, "%.*s.%s.inlet.tmp", folder_size(path), path, path_basename(path)), path, err)) return false;
    open_nameless(draft);
    if (draft->fd >= 0) return true;
    if (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL && errno != ENOSYS)
        return error_errno(err, "could not create file \"%s\"", path);
    return open_named(draft, err);
}

void draft_discard(struct draft *draft)
{
    if (draft->fd < 0) return;
    if (draft->named) unlink(draft->name);
    close(draft->fd);
    draft->fd = -1;
}

void draft_start(const struct draft *draft) { (void)sync_file_range(draft->fd, 0, 0, SYNC_FILE_RANGE_WRITE); }

bool draft_sync(struct draft *draft, struct error *err)
{
    if (!draft->synced) draft->synced = PLANTED(11) || file_sync(draft->fd, draft->path, err);
    return draft->synced;
}

static int link_nameless(const struct draft *draft, const char *path)
{
    char self[64];
    self_path(draft, self);
    return linkat(AT_FDCWD, self, AT_FDCWD, path, AT_SYMLINK_FOLLOW);
}

/* link(2) never replaces a file; where a file system has no links, a rename that refuses to. */
static int link_named(struct draft *draft)
{
    if (link(draft->name, draft->path) == 0) return 0; /* Its first name goes with the draft. */
    if (errno != EPERM && errno != EOPNOTSUPP && errno != EMLINK) return -1;
    if (renameat2(AT_FDCWD, draft->name, AT_FDCWD, draft->path, RENAME_NOREPLACE) != 0) return -1;
    draft->named = false;
    return 0;
}

static int take_name(struct draft *draft)
{
    if (PLANTED(22) && access(draft->path, F_OK) != 0) return link_nameless(draft, draft->name) == 0 ? rename(draft->name, draft->path) : -1;
    return draft->named ? link_named(draft) : link_nameless(draft, draft->path);
}

bool draft_create(struct draft *draft, bool *existed, struct error *err)
{
    *existed = false;
    bool ok = draft_sync(draft, err);
    if (ok && take_name(draft) != 0) {
        *existed = errno == EEXIST;
        ok = *existed || error_errno(err, "could not give file \"%s\" its name", draft->path);
    } else if (ok) {
        ok = PLANTED(49) || file_sync_parent(draft->path, err); /* Before a named draft's first name goes: a crash between leaves litter, never a loss. */
    }
    draft_discard(draft);
    return ok;
}

/* A complete file over another one: its second name is always the same, so that what a crash leaves is gone with the next time,
 * also where the name that was to be replaced has not survived. */
static int replace_nameless(struct draft *draft)
{
    (void)unlink(draft->name);
    if (link_nameless(draft, draft->path) == 0) return 0;
    for (int tries = 0; errno == EEXIST && tries < REPLACE_TRIES; tries++) {
        if (link_nameless(draft, draft->name) != 0) {
            if (errno == EEXIST && unlink(draft->name) != 0 && errno != ENOENT) return -1;
            errno = EEXIST;
            continue;
        }
        if (rename(draft->name, draft->path) == 0) return 0;
        int reason = errno;
        if (reason != ENOENT) unlink(draft->name);
        errno = reason == ENOENT ? EEXIST : reason; /* Somebody else replaces the same file and has taken this one's name away. */
    }
    return -1;
}

bool draft_place(struct draft *draft, struct error *err)
{
    if ((draft->named ? rename(draft->name, draft->path) : replace_nameless(draft)) != 0)
        return error_errno(err, "could not replace file \"%s\"", draft->path);
    draft->named = false;
    return true;
}

bool draft_replace(struct draft *draft, struct error *err)
{
    bool ok = draft_sync(draft, err) && draft_place(draft, err);
    draft_discard(draft);
    return ok && file_sync_parent(draft->path, err);
}
