/* fault -- the system, disturbed: calls that stand before the library's own, of which one fails when a test says so, or before which
 * something else happens. */
#pragma once
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <sys/stat.h>

static struct {
    bool counts;
    _Atomic long calls;
    long at;                   /* The at-th call fails; 0: none. */
    bool on;                   /* And all behind it. */
    int code;
    void (*meanwhile)(void);   /* No call fails: this comes before the at-th. */
} fault;

static bool is_now(void)
{
    if (!fault.counts) return false;
    long number = ++fault.calls;
    if (fault.at == 0 || (fault.on ? number < fault.at : number != fault.at)) return false;
    if (!fault.meanwhile) {
        errno = fault.code;
        return true;
    }
    fault.counts = false;
    fault.meanwhile();
    fault.counts = true;
    return false;
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
