/* settle -- the half-written rule: a lease where one can be had, else the clock. */
#include "listing/settle.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static int64_t microseconds(struct timespec time) { return (int64_t)time.tv_sec * 1000000 + time.tv_nsec / 1000; }

static void refresh(struct sighting *sighting, const struct stat *info)
{
    sighting->size = info->st_size;
    sighting->mtime_us = microseconds(info->st_mtim);
    sighting->ctime_us = microseconds(info->st_ctim);
    sighting->device = info->st_dev;
    sighting->inode = info->st_ino;
}

enum lease { LEASE_GRANTED, LEASE_REFUSED, LEASE_UNKNOWN };

/* The lease goes with the descriptor, which is closed before anything is read. */
static enum lease try_lease(int fd)
{
    /* Who opens it for writing just then has the kernel tell us; its usual signal for that, SIGIO, would end the process. */
    if (fcntl(fd, F_SETSIG, SIGURG) != 0) return LEASE_UNKNOWN;
    if (fcntl(fd, F_SETLEASE, F_RDLCK) == 0) return LEASE_GRANTED;
    return errno == EAGAIN ? LEASE_REFUSED : LEASE_UNKNOWN;
}

/* A time in the future counts as unsettled for as long as a fresh one, not until the clock comes there. */
static int64_t quiet_from(const struct sighting *sighting, int64_t now_us)
{
    int64_t last = sighting->mtime_us > sighting->ctime_us ? sighting->mtime_us : sighting->ctime_us;
    if (last > now_us) last = sighting->ctime_us <= now_us ? sighting->ctime_us : now_us - SETTLE_QUIET_US;
    return last + SETTLE_QUIET_US;
}

static void not_settled(struct settle_answer *answer, int64_t check_us, const char *reason)
{
    answer->settlement = NOT_SETTLED;
    answer->check_us = check_us;
    answer->reason = reason;
}

static void judge(const struct sighting *sighting, enum lease lease, int64_t now_us, struct settle_answer *answer)
{
    if (sighting->size == 0 && sighting->mtime_us <= now_us && now_us - sighting->mtime_us < SETTLE_EMPTY_US) {
        not_settled(answer, sighting->mtime_us + SETTLE_EMPTY_US, "it is empty and less than 60 s old");
        answer->empty_young = true;
        return;
    }
    if (lease == LEASE_GRANTED || sighting->known_complete) return;
    if (lease == LEASE_REFUSED) {
        not_settled(answer, now_us + 1000000, "a process has it open for writing");
        return;
    }
    int64_t quiet_us = quiet_from(sighting, now_us);
    if (quiet_us > now_us) not_settled(answer, quiet_us, "it changed less than 2 s ago");
}

void settle_check(struct sighting *sighting, int64_t now_us, struct settle_answer *answer)
{
    char path[PATH_MAX];
    struct stat info;
    *answer = (struct settle_answer){.settlement = SETTLED};
    int size = snprintf(path, sizeof path, "%s/%s", sighting->directory, sighting->name);
    errno = ENAMETOOLONG;
    int fd = size < (int)sizeof path ? open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY) : -1;
    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR)) {
        answer->settlement = SETTLE_GONE;
        return;
    }
    if (fd < 0) {
        if (stat(path, &info) == 0) refresh(sighting, &info);
        else if (errno == ENOENT) answer->settlement = SETTLE_GONE;
        if (answer->settlement == SETTLED) judge(sighting, LEASE_UNKNOWN, now_us, answer);
        return;
    }
    enum lease lease = try_lease(fd);
    /* Behind the lease: what was written until then is in the size. */
    bool known = fstat(fd, &info) == 0, regular = known && S_ISREG(info.st_mode);
    close(fd);
    if (regular) refresh(sighting, &info);
    if (known && !regular) answer->settlement = SETTLE_GONE; /* No longer a file. */
    else judge(sighting, lease, now_us, answer);
}
