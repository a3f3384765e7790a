/* local -- the store of files on mounted file systems. */
#include "base/draft.h"
#include "base/file.h"
#include "base/panic.h"
#include "stores/store.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { READ_AHEAD_BYTES = 128 << 10 }; /* What the system reads ahead by itself. */

struct store_file {
    int fd;
    char *path;
};

struct store_write {
    struct draft draft;
};

static void *checked(void *memory, size_t size)
{
    if (!memory) panic_out_of_memory(size);
    return memory;
}

static char *copy_text(const char *text) { return checked(strdup(text), strlen(text) + 1); }

static int64_t microseconds(struct timespec time) { return (int64_t)time.tv_sec * 1000000 + time.tv_nsec / 1000; }

static void stat_convert(const struct stat *from, struct object_stat *to)
{
    *to = (struct object_stat){
        .size = from->st_size,
        .mtime_us = microseconds(from->st_mtim),
        .ctime_us = microseconds(from->st_ctim),
        .device = (uint64_t)from->st_dev,
        .inode = (uint64_t)from->st_ino,
        .is_directory = S_ISDIR(from->st_mode),
    };
}

static bool local_head(const char *path, struct object_stat *out, struct error *err)
{
    struct stat status;
    if (stat(path, &status) != 0) return error_errno(err, "could not look at file \"%s\"", path);
    stat_convert(&status, out);
    return true;
}

/* What a disk or a network says once and not the next time. Tried three times more, each time after a longer pause: less than a
 * second in all, since other files wait. */
static bool try_again(int error, int *attempt, const struct cancel *cancel)
{
    static const int pauses_ms[] = {20, 100, 500};
    if ((error != EIO && error != ETIMEDOUT && error != EREMOTEIO) || *attempt >= (int)COUNTOF(pauses_ms) || cancel_now(cancel)) return false;
    nanosleep(&(struct timespec){.tv_nsec = pauses_ms[(*attempt)++] * 1000000L}, NULL);
    return true;
}

/* O_NONBLOCK: opening a named pipe that lies in a landing zone must not hang. */
static int open_regular(const char *path, struct stat *status, struct error *err)
{
    int attempt = 0, fd;
    do fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    while (fd < 0 && try_again(errno, &attempt, NULL));
    if (fd < 0) {
        error_errno(err, "could not open file \"%s\"", path);
        return -1;
    }
    if (fstat(fd, status) != 0) {
        error_errno(err, "could not look at file \"%s\"", path);
    } else if (!S_ISREG(status->st_mode)) {
        error_set(err, COND_INLET_IO, "cannot read \"%s\": it is %s, not a regular file", path,
                  S_ISDIR(status->st_mode) ? "a directory" : "a device, pipe or socket");
    } else {
        return fd;
    }
    close(fd);
    return -1;
}

static struct store_file *local_open(const char *path, struct object_stat *out, struct error *err)
{
    struct stat status;
    int fd = open_regular(path, &status, err);
    if (fd < 0) return NULL;
    if (out) stat_convert(&status, out);
    /* A hint, which small files do not need: its failure changes nothing. */
    if (status.st_size > READ_AHEAD_BYTES) (void)posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
    struct store_file *file = checked(calloc(1, sizeof *file), sizeof *file);
    file->fd = fd;
    file->path = copy_text(path);
    return file;
}

static bool local_read_at(struct store_file *file, int64_t offset, void *buffer, size_t size, size_t *got,
                          const struct cancel *cancel, struct error *err)
{
    int attempt = 0;
    *got = 0;
    while (*got < size) {
        if (cancel_now(cancel)) return error_set(err, COND_INLET_CANCELLED, "reading \"%s\" was stopped", file->path);
        ssize_t count = pread(file->fd, (uint8_t *)buffer + *got, size - *got, (off_t)(offset + (int64_t)*got));
        if (count < 0 && (errno == EINTR || try_again(errno, &attempt, cancel))) continue;
        if (count < 0) return error_errno(err, "could not read file \"%s\" at byte %lld", file->path, (long long)(offset + (int64_t)*got));
        *got += (size_t)count;
        if ((size_t)count < size) break; /* A regular file gives less at its end only. */
    }
    return true;
}

static bool local_stat(struct store_file *file, struct object_stat *out, struct error *err)
{
    struct stat status;
    if (fstat(file->fd, &status) != 0) return error_errno(err, "could not look at file \"%s\"", file->path);
    stat_convert(&status, out);
    return true;
}

static void local_close(struct store_file *file)
{
    if (!file) return;
    close(file->fd);
    free(file->path);
    free(file);
}

static struct store_write *local_write_begin(const char *path, struct error *err)
{
    struct store_write *write = checked(calloc(1, sizeof *write), sizeof *write);
    if (draft_open(&write->draft, path, err)) return write;
    free(write);
    return NULL;
}

static bool local_write_append(struct store_write *write, const void *data, size_t size, struct error *err)
{
    return write_all(write->draft.fd, data, size, write->draft.path, err);
}

static bool local_write_finish_if_absent(struct store_write *write, bool *existed, struct error *err)
{
    bool ok = draft_create(&write->draft, existed, err);
    free(write);
    return ok;
}

static void local_write_abort(struct store_write *write)
{
    if (!write) return;
    draft_discard(&write->draft);
    free(write);
}

enum { COPY_SIZE = 1 << 20 };

static bool copy_bytes(int from, struct store_write *to, const char *name, struct error *err)
{
    uint8_t *buffer = checked(malloc(COPY_SIZE), COPY_SIZE);
    bool ok = true;
    while (ok) {
        ssize_t got = read(from, buffer, COPY_SIZE);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) ok = error_errno(err, "could not read file \"%s\"", name);
        if (got <= 0) break;
        ok = local_write_append(to, buffer, (size_t)got, err);
    }
    free(buffer);
    return ok;
}

/* The copy keeps mode and modification time, so that an archived file still tells when it was produced. */
static bool local_copy(const char *from, const char *to, struct error *err)
{
    struct stat status;
    int fd = open_regular(from, &status, err);
    if (fd < 0) return false;
    struct store_write *write = local_write_begin(to, err);
    bool ok = write && copy_bytes(fd, write, from, err);
    close(fd);
    if (!ok) {
        local_write_abort(write);
        return false;
    }
    (void)fchmod(write->draft.fd, status.st_mode & 07777);
    struct timespec times[2] = {status.st_atim, status.st_mtim};
    (void)futimens(write->draft.fd, times);
    bool existed = false;
    if (!local_write_finish_if_absent(write, &existed, err)) return false;
    if (!existed) return true;
    errno = EEXIST;
    return error_errno(err, "could not copy \"%s\" to \"%s\"", from, to);
}

static bool local_remove(const char *path, struct error *err)
{
    if (unlink(path) == 0) return file_sync_parent(path, err);
    if (errno == ENOENT) return true;
    return error_errno(err, "could not remove file \"%s\"", path);
}

const struct store_ops local_store = {
    .scheme = "file",
    .flags = STORE_LOCAL | STORE_ATOMIC_RENAME | STORE_PUT_IF_ABSENT | STORE_HAS_DIRECTORIES,
    .head = local_head,
    .open = local_open,
    .read_at = local_read_at,
    .stat = local_stat,
    .close = local_close,
    .write_begin = local_write_begin,
    .write_append = local_write_append,
    .write_finish_if_absent = local_write_finish_if_absent,
    .write_abort = local_write_abort,
    .copy = local_copy,
    .remove = local_remove,
};
