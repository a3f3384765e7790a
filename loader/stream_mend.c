/* stream_mend -- which files leave the open plan when a run of it failed.
 *
 * A file that vanished, changed or cannot be read leaves plan(N) in one transaction, and the batch goes on. All files are
 * looked at then: a folder that was emptied under a large batch costs one more run, not one for each file. */
#include "base/panic.h"
#include "loader/stream_state.h"
#include "loader/tasks.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static enum removal_kind removal_of(const struct stream *stream, enum condition condition)
{
    if (condition == COND_INLET_FILE_CHANGED) return REMOVE_UNSETTLED;
    if (condition == COND_PATH_NOT_FOUND || condition == COND_FAILED_READ_FILE_NOT_EXIST)
        return stream->pipeline->reader.settings.ignore_missing_files ? REMOVE_SKIPPED : REMOVE_VANISHED;
    return REMOVE_FAILED;
}

static void count_removal(struct stream *stream, enum removal_kind kind)
{
    if (kind == REMOVE_VANISHED) stream->totals.vanished_files++;
    else if (kind == REMOVE_SKIPPED) stream->totals.skipped_files++;
}

/* Is the file still what was planned, as far as a look tells? False: *err says what is wrong with it. */
static bool still_planned(const char *path, const struct ledger_input *file, struct error *err)
{
    struct stat info;
    if (stat(path, &info) != 0) {
        bool tells = errno == ENOENT || errno == ENOTDIR || errno == EACCES;
        return !tells || error_errno(err, "could not look at the file \"%s\"", path);
    }
    int64_t mtime_us = (int64_t)info.st_mtim.tv_sec * 1000000 + info.st_mtim.tv_nsec / 1000;
    if (info.st_size != file->size || mtime_us != file->mtime_us)
        return error_set(err, COND_INLET_FILE_CHANGED, "file \"%s\" is not as it was planned: its %s changed", path,
                         info.st_size != file->size ? "size" : "modification time");
    return eaccess(path, R_OK) == 0 || errno != EACCES || error_errno(err, "could not open the file \"%s\"", path);
}

/* Content that reads as damaged because the file was changed under the reader is no damage. */
static bool find_changed(struct stream *stream, const struct open_batch *open, uint32_t *file_index, struct error *err)
{
    for (size_t i = 0; err->file[0] && i < open->file_count; i++) {
        const char *path = input_path(stream->batch_arena, &open->files[i]);
        if (strncmp(path, err->file, sizeof err->file - 1) != 0) continue;
        struct error why;
        error_clear(&why);
        if (still_planned(path, &open->files[i], &why)) return false;
        *err = why;
        *file_index = (uint32_t)i;
        return true;
    }
    return false;
}

static const char *reason_of(struct arena *arena, const struct error *err)
{
    char text[1024];
    error_format(err, text, sizeof text);
    return arena_strdup(arena, text);
}

/* What the file looks like now: the next try waits until something of it is different. */
static struct failed_look look_of(const char *path)
{
    struct stat info;
    struct failed_look look = {.could_open = eaccess(path, R_OK) == 0};
    if (stat(path, &info) != 0) return look;
    look.size = info.st_size;
    look.mtime_us = (int64_t)info.st_mtim.tv_sec * 1000000 + info.st_mtim.tv_nsec / 1000;
    look.ctime_us = (int64_t)info.st_ctim.tv_sec * 1000000 + info.st_ctim.tv_nsec / 1000;
    look.device = (uint64_t)info.st_dev;
    look.inode = (uint64_t)info.st_ino;
    return look;
}

static void take_out(struct stream *stream, const struct open_batch *open, const struct ledger_input *file, const struct error *why, struct removal *removal)
{
    *removal = (struct removal){file->source_id, file->ordinal, removal_of(stream, why->condition), reason_of(stream->batch_arena, why),
                                look_of(input_path(stream->batch_arena, file))};
    count_removal(stream, removal->kind);
    log_event(stream->context, LOG_WARN, "file.removed", "batch=%" PRId64 " file=%s/%s reason=%s", open->plan.batch_id, file->directory, file->name,
              removal->reason);
}

bool stream_mend_plan(struct stream *stream, struct open_batch *open, const struct execution_result *result, struct error *err)
{
    uint32_t failed = result->file_index;
    if (result->kind != FAILURE_INPUT_FILE && (result->kind != FAILURE_DATA || !find_changed(stream, open, &failed, err))) return false;
    invariant(failed < open->file_count);
    struct removal *removals = ARENA_ARRAY(stream->batch_arena, struct removal, open->file_count);
    struct arena *scratch = arena_new("mend");
    size_t kept = 0, count = 0;
    for (size_t i = 0; i < open->file_count; i++) {
        struct error why;
        error_clear(&why);
        arena_reset(scratch);
        if (i == failed) why = *err;
        else if (still_planned(input_path(scratch, &open->files[i]), &open->files[i], &why)) {
            open->files[kept++] = open->files[i];
            continue;
        }
        take_out(stream, open, &open->files[i], &why, &removals[count++]);
    }
    arena_free(scratch);
    open->file_count = kept;
    error_clear(err);
    stream_recut(stream, &open->plan, open->files, open->file_count);
    return ledger_replan(stream->ledger, &open->plan, removals, count, err);
}
