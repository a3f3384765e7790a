/* show_files -- logs first: what they do not name is not there. */
#include "cli/cli.h"
#include "cli/show_files.h"
#include "base/file.h"
#include "base/uri.h"
#include "formats/delta_log.h"
#include "formats/sink_log.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct collector {
    struct arena *arena;
    struct shown_file *files;
    size_t count, capacity;
};

static void collect(struct collector *to, const char *path)
{
    if (to->count == to->capacity) {
        size_t wanted = to->capacity ? to->capacity * 2 : 64;
        struct shown_file *grown = ARENA_ARRAY(to->arena, struct shown_file, wanted);
        if (to->count) memcpy(grown, to->files, to->count * sizeof *grown);
        to->files = grown;
        to->capacity = wanted;
    }
    to->files[to->count++] = (struct shown_file){.path = path};
}

static bool is_folder(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

static bool collect_tree(struct collector *to, const char *path, int depth, struct error *err)
{
    DIR *directory = opendir(path);
    if (!directory) return error_errno(err, "could not read folder \"%s\"", path);
    bool ok = true;
    struct dirent *entry;
    while (ok && (entry = readdir(directory))) {
        const char *name = entry->d_name;
        if (name[0] == '.' || (name[0] == '_' && !strchr(name, '='))) continue;
        const char *child = path_join(to->arena, path, name);
        if (is_folder(child)) ok = depth > 64 || collect_tree(to, child, depth + 1, err);
        else collect(to, child);
    }
    closedir(directory);
    return ok;
}

static int by_path(const void *a, const void *b) { return strcmp(((const struct shown_file *)a)->path, ((const struct shown_file *)b)->path); }

/* key=value folders between the output and the file, by the first file's names. */
static void read_partitions(struct arena *arena, const char *root, struct shown_output *out)
{
    for (size_t i = 0; i < out->count; i++) {
        const char *at = out->files[i].path + strlen(root);
        const char *names[64], *values[64];
        size_t count = 0;
        while (*at == '/') at++;
        for (const char *slash; (slash = strchr(at, '/')) && count < COUNTOF(names); at = slash + 1) {
            const char *equals = memchr(at, '=', (size_t)(slash - at));
            if (!equals) continue;
            struct buffer name = {0}, value = {0};
            partition_unescape(&name, at, (size_t)(equals - at));
            partition_unescape(&value, equals + 1, (size_t)(slash - equals - 1));
            names[count] = arena_strdup(arena, buffer_string(&name));
            values[count++] = strcmp(buffer_string(&value), HIVE_DEFAULT_PARTITION) == 0 ? NULL : arena_strdup(arena, buffer_string(&value));
            buffer_free(&name);
            buffer_free(&value);
        }
        if (i == 0) {
            out->partition_count = count;
            out->partition_columns = ARENA_ARRAY(arena, const char *, count + 1);
            memcpy(out->partition_columns, names, count * sizeof *names);
        }
        out->files[i].partition_values = ARENA_ARRAY(arena, const char *, out->partition_count + 1);
        for (size_t j = 0; j < out->partition_count && j < count; j++) out->files[i].partition_values[j] = values[j];
    }
}

static bool find_delta(const char *path, struct arena *arena, struct inlet_context *context, struct shown_output *out, struct error *err)
{
    struct delta_snapshot snapshot;
    if (!delta_snapshot_load(path, -1, true, arena, context, &snapshot, err) || !delta_check_readable(&snapshot, err)) return false;
    out->format = SHOWN_PARQUET;
    out->schema = snapshot.metadata.schema;
    out->partition_columns = snapshot.metadata.partition_columns;
    out->partition_count = snapshot.metadata.partition_count;
    out->count = snapshot.add_count;
    out->files = ARENA_ARRAY(arena, struct shown_file, out->count + 1);
    for (size_t i = 0; i < out->count; i++) {
        const char *relative = path_from_uri(arena, arena_printf(arena, "file:/%s", snapshot.adds[i].path));
        bool absolute = snapshot.adds[i].path[0] == '/' || strncmp(snapshot.adds[i].path, "file:", 5) == 0;
        out->files[i].path = absolute ? path_from_uri(arena, snapshot.adds[i].path) : path_join(arena, path, relative + 1);
        out->files[i].partition_values = snapshot.adds[i].partition_values;
    }
    return true;
}

static bool find_logged(const char *path, struct arena *arena, struct shown_output *out, struct error *err)
{
    struct sink_log_entry *entries;
    size_t count;
    struct collector to = {.arena = arena};
    if (!sink_log_files(path, arena, &entries, &count, err)) return false;
    for (size_t i = 0; i < count; i++) collect(&to, path_from_uri(arena, entries[i].path));
    out->files = to.files;
    out->count = to.count;
    return true;
}

static bool settle_format(const char *path, struct shown_output *out, struct error *err)
{
    size_t parquet = 0, json = 0, kept = 0;
    for (size_t i = 0; i < out->count; i++) {
        const char *name = path_basename(out->files[i].path);
        parquet += has_ending(name, ".parquet");
        json += strstr(name, ".json") != NULL || has_ending(name, ".ndjson");
    }
    if (!parquet && !json && out->count) {
        error_set(err, COND_INLET_NOT_SUPPORTED_YET, "\"%s\" holds no Parquet, JSON or Delta output", path);
        return error_hint(err, "CSV and text outputs are for any text viewer.");
    }
    out->format = parquet ? SHOWN_PARQUET : SHOWN_JSON;
    for (size_t i = 0; i < out->count; i++) {
        const char *name = path_basename(out->files[i].path);
        bool wanted = parquet ? has_ending(name, ".parquet") : strstr(name, ".json") || has_ending(name, ".ndjson");
        if (wanted) out->files[kept++] = out->files[i];
    }
    out->count = kept;
    return true;
}

bool find_shown_files(const char *path, struct arena *arena, struct inlet_context *context, struct shown_output *out, struct error *err)
{
    memset(out, 0, sizeof *out);
    char *real = realpath(path, NULL);
    if (!real) return error_errno(err, "could not open \"%s\"", path);
    const char *root = arena_strdup(arena, real);
    free(real);
    if (is_folder(path_join(arena, root, "_delta_log"))) return find_delta(root, arena, context, out, err);
    struct collector to = {.arena = arena};
    if (!is_folder(root)) {
        collect(&to, root);
        out->files = to.files;
        out->count = to.count;
        return settle_format(path, out, err);
    }
    if (is_folder(path_join(arena, root, "_spark_metadata"))) {
        if (!find_logged(root, arena, out, err)) return false;
    } else {
        if (!collect_tree(&to, root, 0, err)) return false;
        out->files = to.files;
        out->count = to.count;
    }
    if (out->count) qsort(out->files, out->count, sizeof *out->files, by_path);
    read_partitions(arena, root, out);
    return settle_format(path, out, err);
}
