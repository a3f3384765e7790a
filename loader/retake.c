/* retake -- looking at failed files: gone, as they were, or worth another try. */
#include "loader/retake.h"
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { RETAKE_SLICE = 1000 };

enum verdict { KEEP, TAKE, GONE };

static bool can_open(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd >= 0) close(fd);
    return fd >= 0;
}

static bool is_as_it_was(const struct stat *info, const struct failed_look *look)
{
    return info->st_size == look->size && (uint64_t)info->st_ino == look->inode && (uint64_t)info->st_dev == look->device &&
           (int64_t)info->st_mtim.tv_sec * 1000000 + info->st_mtim.tv_nsec / 1000 == look->mtime_us &&
           (int64_t)info->st_ctim.tv_sec * 1000000 + info->st_ctim.tv_nsec / 1000 == look->ctime_us;
}

static enum verdict judge(const struct failed_file *file, enum retake_reach reach, struct arena *arena)
{
    if (!file->directory) return KEEP;
    struct stat info;
    const char *path = path_join(arena, file->directory, file->name);
    if (stat(path, &info) != 0) return errno == ENOENT || errno == ENOTDIR ? GONE : reach == RETAKE_ALL ? TAKE : KEEP;
    if (reach == RETAKE_ALL) return TAKE;
    bool changed = !is_as_it_was(&info, &file->look);
    if (!S_ISREG(info.st_mode) || !can_open(path)) return KEEP;
    return changed || !file->look.could_open || reach == RETAKE_READABLE ? TAKE : KEEP;
}

static bool retake_slice(struct ledger *ledger, const struct failed_file *files, size_t file_count, const struct inlet_context *context,
                         enum retake_reach reach, struct arena *arena, struct retake_counts *counts, struct error *err)
{
    struct retake *retakes = ARENA_ARRAY(arena, struct retake, file_count + 1);
    size_t count = 0;
    for (size_t i = 0; i < file_count; i++) {
        enum verdict verdict = judge(&files[i], reach, arena);
        *(verdict == KEEP ? &counts->kept : verdict == TAKE ? &counts->retaken : &counts->gone) += 1;
        if (verdict == KEEP) continue;
        retakes[count++] = (struct retake){files[i].source_id, files[i].ordinal, verdict == GONE};
        log_event(context, LOG_INFO, "file.retaken", "file=%s/%s %s", files[i].directory, files[i].name, verdict == GONE ? "it has gone" : "tried again");
    }
    return ledger_retake(ledger, retakes, count, err);
}

bool retake_files(struct ledger *ledger, uint32_t source_id, const struct inlet_context *context, enum retake_reach reach,
                  struct retake_counts *counts, struct error *err)
{
    struct arena *arena = arena_new("retake");
    struct failed_file *files;
    size_t count = RETAKE_SLICE;
    int64_t after = -1;
    bool ok = true;
    memset(counts, 0, sizeof *counts);
    while (ok && count == RETAKE_SLICE && !cancel_soon(&context->cancel)) {
        arena_reset(arena);
        ok = ledger_failed(ledger, source_id, after, RETAKE_SLICE, arena, &files, &count, err);
        if (!ok || !count) break;
        after = files[count - 1].ordinal;
        ok = retake_slice(ledger, files, count, context, reach, arena, counts, err);
    }
    arena_free(arena);
    return ok || error_context(err, "looking at the files that failed");
}
