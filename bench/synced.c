/* synced -- preloaded into inlet by the latency benchmark: tells when the directory of a sink's log has been synced.
 *
 * link() or linkat() gives a batch its entry in the log (5, 9.compact, 00000000000000000005.json; a checkpoint of Delta's log is
 * none); the fsync() of that folder behind it makes it durable. Then the monotonic time in seconds is written to the pipe whose
 * descriptor SYNCED_FD names, once for each entry. */
#include <dlfcn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static atomic_bool entry_is_new;

static int is_log(const char *path, size_t size)
{
    static const char *const logs[] = {"/_spark_metadata", "/_delta_log"};
    for (int i = 0; i < 2; i++) {
        size_t length = strlen(logs[i]);
        if (size >= length && memcmp(path + size - length, logs[i], length) == 0) return 1;
    }
    return 0;
}

/* Digits alone or with the ending of an entry. */
static int is_entry(const char *name)
{
    size_t digits = strspn(name, "0123456789");
    const char *rest = name + digits;
    return digits && (!*rest || strcmp(rest, ".compact") == 0 || strcmp(rest, ".json") == 0);
}

static int note(int result, const char *to)
{
    const char *slash = strrchr(to, '/');
    if (result == 0 && slash && is_entry(slash + 1) && is_log(to, (size_t)(slash - to))) atomic_store(&entry_is_new, 1);
    return result;
}

int link(const char *from, const char *to)
{
    int (*real)(const char *, const char *) = (int (*)(const char *, const char *))dlsym(RTLD_NEXT, "link");
    return note(real(from, to), to);
}

int linkat(int from_fd, const char *from, int to_fd, const char *to, int flags)
{
    int (*real)(int, const char *, int, const char *, int) = (int (*)(int, const char *, int, const char *, int))dlsym(RTLD_NEXT, "linkat");
    return note(real(from_fd, from, to_fd, to, flags), to);
}

static void tell(int fd)
{
    char link[64], path[4096];
    const char *pipe = getenv("SYNCED_FD");
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t size = readlink(link, path, sizeof path - 1);
    if (size <= 0 || !pipe) return;
    if (!is_log(path, (size_t)size) || !atomic_exchange(&entry_is_new, 0)) return;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    double seconds = (double)now.tv_sec + (double)now.tv_nsec / 1e9;
    if (write(atoi(pipe), &seconds, sizeof seconds) < 0) perror("synced");
}

int fsync(int fd)
{
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
    int result = real(fd);
    if (result == 0) tell(fd);
    return result;
}
