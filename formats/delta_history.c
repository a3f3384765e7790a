/* delta_history -- DESCRIBE HISTORY: who wrote which version of a Delta table, and when. */
#include "base/civil.h"
#include "formats/delta_parts.h"
#include "formats/log_lines.h"
#include <inttypes.h>
#include <sys/stat.h>

/* Columns in the order of file-source.md 9.2, behind version and timestamp. */
static const char *const history_columns[] = {"userId", "userName", "operation", "operationParameters", "job", "notebook",
                                              "clusterId", "readVersion", "isolationLevel", "isBlindAppend", "operationMetrics",
                                              "userMetadata", "engineInfo"};

/* The commitInfo of one version; *out NULL where it has none. */
static bool read_commit_info(const char *path, struct arena *scratch, struct tree **out, struct error *err)
{
    *out = NULL;
    struct log_lines lines;
    if (!log_lines_open(&lines, path, err)) return false;
    struct slice line;
    enum log_line got = LOG_LINE_END;
    while (!*out && (got = log_lines_next(&lines, &line, err)) == LOG_LINE_READ) {
        if (!memmem(line.data, line.size < 64 ? line.size : 64, "\"commitInfo\"", 12)) continue;
        char *text = arena_strndup(scratch, (const char *)line.data, line.size);
        struct tree *tree = tree_parse_json(scratch, slice_of(text, line.size), err);
        if (!tree) {
            error_wrap(err, COND_DELTA_LOG_DAMAGED, "line %" PRId64 " of Delta log file %s is not JSON", lines.number, path);
            got = LOG_LINE_FAILED;
            break;
        }
        *out = tree_get(tree, "commitInfo");
    }
    log_lines_close(&lines);
    return got != LOG_LINE_FAILED;
}

static void print_column(struct buffer *out, const char *name, const struct tree *value)
{
    buffer_printf(out, ",\"%s\":", name);
    if (value) tree_print_json(value, out);
    else buffer_text(out, "null");
}

static void print_version(struct buffer *out, int64_t version, int64_t file_ms, const struct tree *info)
{
    char text[TIMESTAMP_TEXT_MAX];
    int64_t ms = tree_get_int(info, "inCommitTimestamp", file_ms);
    size_t size = print_timestamp_iso(ms * 1000, text);
    buffer_printf(out, "{\"version\":%" PRId64 ",\"timestamp\":\"%.*s\"", version, (int)size, text);
    for (size_t i = 0; i < COUNTOF(history_columns); i++) print_column(out, history_columns[i], tree_get(info, history_columns[i]));
    buffer_byte(out, '}');
}

/* Times of the log files in ms, made strictly increasing as Delta does. */
static bool read_times(const struct delta_listing *listing, int64_t *times, struct arena *scratch, struct error *err)
{
    for (size_t i = 0; i < listing->version_count; i++) {
        struct stat status;
        arena_reset(scratch);
        const char *path = delta_commit_path(scratch, listing->directory, listing->versions[i]);
        if (stat(path, &status) != 0) return error_errno(err, "could not look at Delta log file %s", path);
        times[i] = (int64_t)status.st_mtim.tv_sec * 1000 + status.st_mtim.tv_nsec / 1000000;
        if (i > 0 && times[i] <= times[i - 1]) times[i] = times[i - 1] + 1;
    }
    return true;
}

static bool print_history(const struct delta_listing *listing, size_t limit, const int64_t *times, struct arena *scratch,
                          struct buffer *out, struct error *err)
{
    size_t oldest = limit > 0 && limit < listing->version_count ? listing->version_count - limit : 0;
    buffer_byte(out, '[');
    for (size_t i = listing->version_count; i-- > oldest;) {
        struct tree *info;
        arena_reset(scratch);
        if (!read_commit_info(delta_commit_path(scratch, listing->directory, listing->versions[i]), scratch, &info, err)) return false;
        if (i + 1 < listing->version_count) buffer_byte(out, ',');
        print_version(out, listing->versions[i], times[i], info);
    }
    buffer_byte(out, ']');
    return true;
}

bool delta_history(const char *path, size_t limit, struct arena *arena, struct buffer *out, struct error *err)
{
    struct delta_listing listing;
    if (!delta_list(path, arena, &listing, err)) return false;
    if (delta_listing_latest(&listing) < 0) return error_set(err, COND_PATH_NOT_FOUND, "%s is not a Delta table, it has no _delta_log", path);
    struct arena *scratch = arena_new("delta history");
    int64_t *times = ARENA_ARRAY(arena, int64_t, listing.version_count + 1);
    bool done = read_times(&listing, times, scratch, err) && print_history(&listing, limit, times, scratch, out, err);
    arena_free(scratch);
    return done;
}
