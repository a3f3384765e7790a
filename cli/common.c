/* common -- errors with their exit status, pipelines and checkpoints by name. */
#include "base/file.h"
#include "base/uri.h"
#include "cli/cli.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int fail_with(const struct error *err)
{
    char text[8192];
    error_format(err, text, sizeof text);
    fprintf(stderr, "%s\n", text);
    return condition_exit_status(err->condition);
}

int usage_error(const struct arguments *arguments, const char *format, ...)
{
    char text[512];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    size_t size = strlen(text);
    fprintf(stderr, "[INLET_USAGE] %s%s Usage: inlet %s\n", text, size && text[size - 1] == '?' ? "" : ".", arguments->verb->synopsis);
    return EXIT_USAGE;
}

const char *flag_value(const struct arguments *arguments, const char *name)
{
    for (size_t i = 0; arguments->verb->flags[i].name; i++)
        if (strcmp(arguments->verb->flags[i].name, name) == 0) return arguments->values[i];
    return NULL;
}

bool flag_int(const struct arguments *arguments, const char *name, int64_t otherwise, int64_t *out)
{
    const char *text = flag_value(arguments, name);
    *out = otherwise;
    if (!text) return true;
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (errno || *end || end == text || value < 0) {
        usage_error(arguments, "--%s takes a whole number, not \"%s\"", name, text);
        return false;
    }
    *out = value;
    return true;
}

void print_warnings(const struct pipeline *pipeline)
{
    if (pipeline->warnings && *pipeline->warnings) fprintf(stderr, "%s", pipeline->warnings);
}

bool has_ending(const char *name, const char *ending)
{
    size_t size = strlen(name), wanted = strlen(ending);
    return size > wanted && strcmp(name + size - wanted, ending) == 0;
}

struct place place_of(struct arguments *arguments, const char *word)
{
    const char *here = getcwd(ARENA_ARRAY(arguments->arena, char, PATH_MAX), PATH_MAX);
    struct place place = {.path = path_absolute(arguments->arena, here ? here : "/", path_from_uri(arguments->arena, word))};
    place.name = path_basename(place.path);
    size_t size = (size_t)(place.name - place.path);
    place.directory = arena_strndup(arguments->arena, place.path, size > 1 ? size - 1 : size);
    return place;
}

static bool mentions_writer(const char *path)
{
    struct buffer text = {0};
    bool found = file_read_all(path, 1 << 20, &text, NULL) && memmem(text.data, text.size, "writeStream", strlen("writeStream"));
    buffer_free(&text);
    return found;
}

/* Pipeline files of a folder: YAML always, JSON only where it says writeStream (data may lie there too). */
static bool is_pipeline_name(const char *folder, const struct dirent *entry)
{
    char path[PATH_MAX];
    if (entry->d_name[0] == '.' || snprintf(path, sizeof path, "%s/%s", folder, entry->d_name) >= (int)sizeof path) return false;
    if (!has_ending(entry->d_name, ".yaml") && !has_ending(entry->d_name, ".yml") && !has_ending(entry->d_name, ".json")) return false;
    return mentions_writer(path);
}

static int by_text(const void *a, const void *b) { return strcmp(*(const char *const *)a, *(const char *const *)b); }

bool expand_pipelines(struct arena *arena, const char *word, const char ***files, size_t *count, struct error *err)
{
    struct stat info;
    *files = ARENA_ARRAY(arena, const char *, 1);
    (*files)[0] = word;
    *count = 1;
    if (stat(word, &info) != 0 || !S_ISDIR(info.st_mode)) return true; /* Loading it says what is wrong. */
    DIR *directory = opendir(word);
    if (!directory) return error_errno(err, "could not read folder \"%s\"", word);
    size_t capacity = 64;
    *files = ARENA_ARRAY(arena, const char *, capacity);
    *count = 0;
    struct dirent *entry;
    while ((entry = readdir(directory))) {
        if (!is_pipeline_name(word, entry)) continue;
        if (*count == capacity) {
            const char **grown = ARENA_ARRAY(arena, const char *, capacity * 2);
            memcpy(grown, *files, capacity * sizeof *grown);
            *files = grown;
            capacity *= 2;
        }
        (*files)[(*count)++] = path_join(arena, word, entry->d_name);
    }
    closedir(directory);
    qsort(*files, *count, sizeof **files, by_text);
    if (*count) return true;
    error_set(err, COND_INLET_NOT_FOUND, "the folder \"%s\" has no pipeline files", word);
    return error_hint(err, "A pipeline file ends in .yaml, .yml or .json and has the key writeStream.");
}

static bool is_checkpoint(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode) && ledger_exists(path);
}

static bool add_targets(struct arguments *arguments, const char *word, struct target **targets, size_t *count, struct error *err)
{
    struct arena *arena = arguments->arena;
    const char **files;
    size_t file_count = 1;
    bool bare = is_checkpoint(word);
    if (!bare && !expand_pipelines(arena, word, &files, &file_count, err)) return false;
    struct target *grown = ARENA_ARRAY(arena, struct target, *count + file_count);
    if (*count) memcpy(grown, *targets, *count * sizeof *grown);
    *targets = grown;
    if (bare) {
        char *real = realpath(word, NULL);
        const char *path = arena_strdup(arena, real ? real : word);
        free(real);
        grown[(*count)++] = (struct target){NULL, path, path_basename(path)};
        return true;
    }
    for (size_t i = 0; i < file_count; i++) {
        const struct pipeline *pipeline = pipeline_load(arena, files[i], err);
        if (!pipeline) return false;
        grown[(*count)++] = (struct target){pipeline, pipeline->writer.checkpoint, pipeline->name};
    }
    return true;
}

bool find_targets(struct arguments *arguments, const char **words, size_t count, struct target **targets, size_t *target_count, struct error *err)
{
    const char *here = ".";
    *targets = NULL;
    *target_count = 0;
    if (!count) return add_targets(arguments, here, targets, target_count, err);
    for (size_t i = 0; i < count; i++)
        if (!add_targets(arguments, words[i], targets, target_count, err)) return false;
    return true;
}
