/* doors -- preloaded: moves the wall clock, and lets reads of a file fail.
 *
 * DOORS_CLOCK=N adds N seconds to CLOCK_REALTIME. DOORS_BACK_AFTER=N sets it back by an hour N seconds after the start. DOORS_BAD=TEXT lets pread of files whose path ends so fail with EIO;
 * DOORS_BAD_COUNT=N the first N times only; DOORS_BAD_FROM=N only at the N-th byte and behind. */
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static long shift, bad_from, back_after = -1;
static struct timespec start;
static atomic_long bad_left;
static const char *bad;

__attribute__((constructor)) static void begin(void)
{
    const char *text = getenv("DOORS_CLOCK");
    if (text) shift = atol(text);
    text = getenv("DOORS_BACK_AFTER");
    if (text) back_after = atol(text);
    syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &start);
    text = getenv("DOORS_BAD_COUNT");
    atomic_store(&bad_left, text ? atol(text) : 1L << 40);
    text = getenv("DOORS_BAD_FROM");
    if (text) bad_from = atol(text);
    bad = getenv("DOORS_BAD");
}

int clock_gettime(clockid_t clock, struct timespec *time)
{
    long result = syscall(SYS_clock_gettime, clock, time);
    if (result != 0 || clock != CLOCK_REALTIME) return (int)result;
    struct timespec now;
    syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now);
    time->tv_sec += shift - (back_after >= 0 && now.tv_sec - start.tv_sec >= back_after ? 3600 : 0);
    return (int)result;
}

static int is_bad(int fd, off_t offset)
{
    char link[64], path[4096];
    if (!bad || offset < bad_from) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t size = readlink(link, path, sizeof path - 1);
    if (size < (ssize_t)strlen(bad)) return 0;
    path[size] = 0;
    return strcmp(path + size - strlen(bad), bad) == 0 && atomic_fetch_sub(&bad_left, 1) > 0;
}

ssize_t pread(int fd, void *buffer, size_t size, off_t offset)
{
    if (is_bad(fd, offset)) {
        errno = EIO;
        return -1;
    }
    return syscall(SYS_pread64, fd, buffer, size, offset);
}

ssize_t pread64(int fd, void *buffer, size_t size, off_t offset);
ssize_t pread64(int fd, void *buffer, size_t size, off_t offset) { return pread(fd, buffer, size, offset); }
