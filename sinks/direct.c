/* direct -- blocks, and the ways back to the page cache. See direct.h. */
#include "sinks/direct.h"
#include "base/file.h"
#include "base/plant.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

enum { DIRECT_ALIGNMENT = 4096 };

#ifndef XFS_SUPER_MAGIC
#define XFS_SUPER_MAGIC 0x58465342
#endif

/* Over a network a block at a time would be slow, and memory has no disk behind it. */
static bool is_on_disk(int fd)
{
    struct statfs info;
    return fstatfs(fd, &info) == 0 && (info.f_type == EXT4_SUPER_MAGIC || info.f_type == XFS_SUPER_MAGIC);
}

static bool set_direct(int fd, bool on)
{
    int flags = fcntl(fd, F_GETFL);
    return flags >= 0 && fcntl(fd, F_SETFL, on ? flags | O_DIRECT : flags & ~O_DIRECT) == 0;
}

bool direct_start(struct direct *direct, int fd)
{
    if (!is_on_disk(fd)) return false;
    uint8_t *block = aligned_alloc(DIRECT_ALIGNMENT, DIRECT_BLOCK);
    if (block && set_direct(fd, true)) {
        *direct = (struct direct){.fd = fd, .block = block};
        return true;
    }
    free(block);
    return false;
}

/* Blocks of 4096 do not suit every disk, and a count cut short leaves an offset that suits none: the rest goes through the cache. */
static bool write_block(const struct direct *direct, const char *name, struct error *err)
{
    ssize_t written = write(direct->fd, direct->block, DIRECT_BLOCK);
    if (written == DIRECT_BLOCK) return true;
    if (written < 0 && errno != EINVAL && errno != EINTR) return error_errno(err, "could not write file \"%s\"", name);
    size_t done = PLANTED(55) ? DIRECT_BLOCK : written > 0 ? (size_t)written : 0;
    if (!set_direct(direct->fd, false)) return error_errno(err, "could not set up file \"%s\"", name);
    return write_all(direct->fd, direct->block + done, DIRECT_BLOCK - done, name, err);
}

bool direct_write(struct direct *direct, const void *data, size_t size, const char *name, struct error *err)
{
    const uint8_t *at = data;
    while (size) {
        size_t room = DIRECT_BLOCK - direct->used, part = size < room ? size : room;
        memcpy(direct->block + direct->used, at, part);
        direct->used += part;
        at += part;
        size -= part;
        if (direct->used < DIRECT_BLOCK) break;
        if (!write_block(direct, name, err)) return false;
        direct->used = 0;
    }
    return true;
}

bool direct_end(struct direct *direct, const char *name, struct error *err)
{
    bool ok = set_direct(direct->fd, false) || error_errno(err, "could not set up file \"%s\"", name);
    ok = ok && write_all(direct->fd, direct->block, direct->used, name, err);
    direct_drop(direct);
    return ok;
}

void direct_drop(struct direct *direct)
{
    free(direct->block);
    *direct = (struct direct){.fd = -1};
}
