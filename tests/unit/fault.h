/* fault -- the system, disturbed: calls that stand before the library's own, of which one fails when a test says so. */
#pragma once
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <sys/stat.h>

static struct {
    bool counts;
    long calls, at;            /* The at-th call fails; 0: none. */
    int code;
} fault;

static bool is_now(void)
{
    if (!fault.counts || ++fault.calls != fault.at) return false;
    errno = fault.code;
    return true;
}
#define REAL(name, ...) ((int (*)(__VA_ARGS__))dlsym(RTLD_NEXT, name))

int fstatat(int fd, const char *path, struct stat *out, int flags)
{
    return is_now() ? -1 : REAL("fstatat", int, const char *, struct stat *, int)(fd, path, out, flags);
}
int fstat(int fd, struct stat *out) { return is_now() ? -1 : REAL("fstat", int, struct stat *)(fd, out); }
int stat(const char *path, struct stat *out) { return is_now() ? -1 : REAL("stat", const char *, struct stat *)(path, out); }

int open(const char *path, int flags, ...)
{
    va_list more;
    va_start(more, flags);
    int mode = flags & O_CREAT ? va_arg(more, int) : 0;
    va_end(more);
    return is_now() ? -1 : REAL("open", const char *, int, ...)(path, flags, mode);
}
