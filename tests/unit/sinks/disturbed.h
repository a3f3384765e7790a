/* disturbed -- the rest of the system as sinks see it, disturbed: stands behind tests/unit/fault.h, includes what a test needs of it. */
#pragma once
#include "tests/unit/fault.h"

#include <dirent.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>
#include <unistd.h>

/* Which calls are counted, and so may fail; those of fault.h always are. */
enum fault_group { ANY, TRANSFERS, NAMES };
static enum fault_group fault_group;
static bool writes_are_short;
static bool stays_broken, is_broken; /* After the one that fails all others do, until the next process; those of fault.h do not. */
static int failures_left = -1; /* Of a broken system: so many calls still fail; negative: all. */

static bool fails(enum fault_group group)
{
    if (fault_group != ANY && fault_group != group) return false;
    if (is_broken && fault.counts && failures_left != 0) {
        if (failures_left > 0) failures_left--;
        errno = fault.code;
    } else if (!is_now()) return false;
    else is_broken = stays_broken;
    return true;
}

int lstat(const char *path, struct stat *out) { return fails(ANY) ? -1 : REAL("lstat", const char *, struct stat *)(path, out); }
int access(const char *path, int how) { return fails(ANY) ? -1 : REAL("access", const char *, int)(path, how); }
int mkdir(const char *path, mode_t mode) { return fails(ANY) ? -1 : REAL("mkdir", const char *, mode_t)(path, mode); }
int mkdirat(int fd, const char *path, mode_t mode) { return fails(ANY) ? -1 : REAL("mkdirat", int, const char *, mode_t)(fd, path, mode); }
int link(const char *from, const char *to) { return fails(NAMES) ? -1 : REAL("link", const char *, const char *)(from, to); }
int unlink(const char *path) { return fails(NAMES) ? -1 : REAL("unlink", const char *)(path); }
int unlinkat(int fd, const char *path, int flags) { return fails(NAMES) ? -1 : REAL("unlinkat", int, const char *, int)(fd, path, flags); }
int rename(const char *from, const char *to) { return fails(NAMES) ? -1 : REAL("rename", const char *, const char *)(from, to); }
DIR *opendir(const char *path) { return fails(ANY) ? NULL : ((DIR * (*)(const char *))dlsym(RTLD_NEXT, "opendir"))(path); }
DIR *fdopendir(int fd) { return fails(ANY) ? NULL : ((DIR * (*)(int))dlsym(RTLD_NEXT, "fdopendir"))(fd); }
struct dirent *readdir(DIR *folder) { return fails(ANY) ? NULL : ((struct dirent * (*)(DIR *))dlsym(RTLD_NEXT, "readdir"))(folder); }
int fsync(int fd) { return fails(ANY) ? -1 : fcntl(fd, F_GETFD) < 0 ? -1 : 0; } /* Tests of power cuts are elsewhere; this is a test of results. */
int sync_file_range(int fd, off64_t offset, off64_t size, unsigned flags) { return fd >= 0 && offset >= 0 && size >= 0 && flags ? 0 : -1; }

int linkat(int from_fd, const char *from, int to_fd, const char *to, int flags)
{
    return fails(NAMES) ? -1 : REAL("linkat", int, const char *, int, const char *, int)(from_fd, from, to_fd, to, flags);
}

int renameat2(int from_fd, const char *from, int to_fd, const char *to, unsigned flags)
{
    return fails(NAMES) ? -1 : REAL("renameat2", int, const char *, int, const char *, unsigned)(from_fd, from, to_fd, to, flags);
}

int openat(int fd, const char *path, int flags, ...)
{
    va_list more;
    va_start(more, flags);
    int mode = flags & O_CREAT ? va_arg(more, int) : 0;
    va_end(more);
    return fails(ANY) ? -1 : REAL("openat", int, const char *, int, ...)(fd, path, flags, mode);
}

/* The descriptor is gone, as on Linux, whatever close says. */
int close(int fd)
{
    bool now = fails(ANY);
    int reason = errno, result = REAL("close", int)(fd);
    if (now) errno = reason;
    return now ? -1 : result;
}

ssize_t read(int fd, void *out, size_t size)
{
    return fails(TRANSFERS) ? -1 : ((ssize_t (*)(int, void *, size_t))dlsym(RTLD_NEXT, "read"))(fd, out, size);
}

ssize_t pread(int fd, void *out, size_t size, off_t at)
{
    return fails(TRANSFERS) ? -1 : ((ssize_t (*)(int, void *, size_t, off_t))dlsym(RTLD_NEXT, "pread"))(fd, out, size, at);
}

ssize_t write(int fd, const void *data, size_t size)
{
    if (fails(TRANSFERS)) return -1;
    if (writes_are_short && fault.counts && size > 1) size = 1 + (size_t)(++fault.calls % 7) * size / 8;
    return ((ssize_t (*)(int, const void *, size_t))dlsym(RTLD_NEXT, "write"))(fd, data, size);
}

/* Columns live in memory that may run out: what base/blocks.c asks for, and nothing else does. */
void *aligned_alloc(size_t alignment, size_t size)
{
    return fails(ANY) ? NULL : ((void *(*)(size_t, size_t))dlsym(RTLD_NEXT, "aligned_alloc"))(alignment, size);
}
