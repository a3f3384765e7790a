/* roots -- literal folders of load paths, and the rules of partition columns that follow from them. */
#include "loader/roots.h"
#include "base/uri.h"

#include <string.h>
#include <sys/stat.h>

const char *load_root(struct arena *arena, const char *load)
{
    char *root = arena_strdup(arena, load);
    size_t size = strcspn(root, "*?[{\\");
    struct stat info;
    bool cut = root[size] != 0;
    if (!cut && stat(root, &info) == 0 && S_ISREG(info.st_mode)) cut = true;
    while (cut && size && root[size - 1] != '/') size--;
    while (size > 1 && root[size - 1] == '/') size--;
    root[size] = 0;
    return root;
}

static bool lies_in(const char *path, const char *folder)
{
    size_t size = strlen(folder);
    while (size && folder[size - 1] == '/') size--;
    return strncmp(path, folder, size) == 0 && (path[size] == '/' || path[size] == 0);
}

static bool refuse_base(const struct pipeline_reader *reader, struct error *err, const char *text)
{
    error_set(err, COND_INLET_BAD_OPTION_VALUE, "%s", text);
    if (err) err->line = options_get(&reader->options, "basePath")->line;
    return error_hint(err, "basePath is the root folder of the table whose key=value folders the load path selects from.");
}

bool load_base_check(const struct pipeline_reader *reader, struct error *err)
{
    const char *base = reader->settings.base_path;
    struct stat info;
    if (!base || !reader->settings.discover_partitions) return true;
    struct arena *arena = arena_new("base path");
    bool ok = true;
    if (stat(base, &info) != 0) ok = refuse_base(reader, err, arena_printf(arena, "option 'basePath' not found: \"%s\" does not exist", base));
    else if (!S_ISDIR(info.st_mode)) ok = refuse_base(reader, err, arena_printf(arena, "option 'basePath' must be a directory: \"%s\"", base));
    for (size_t i = 0; ok && i < reader->load_count; i++) {
        const char *root = load_root(arena, reader->load[i]);
        bool may_match = strcmp(root, reader->load[i]) != 0 && lies_in(base, root); /* It may be among what the wildcards match. */
        if (!may_match && !lies_in(root, base))
            ok = refuse_base(reader, err, arena_printf(arena, "wrong basePath \"%s\" for the root path \"%s\"", base, reader->load[i]));
    }
    arena_free(arena);
    return ok;
}

struct partition_rules load_partition_rules(struct arena *arena, const struct pipeline *pipeline)
{
    const struct pipeline_reader *reader = &pipeline->reader;
    const char **bases = ARENA_ARRAY(arena, const char *, reader->load_count + 1);
    size_t count = 0;
    if (reader->settings.base_path) bases[count++] = reader->settings.base_path;
    for (size_t i = 0; !reader->settings.base_path && i < reader->load_count; i++) bases[count++] = load_root(arena, reader->load[i]);
    return (struct partition_rules){
        .base_paths = bases, .base_path_count = reader->settings.discover_partitions ? count : 0,
        .infer_types = options_bool(&pipeline->session.conf, "spark.sql.sources.partitionColumnTypeInference.enabled"),
        .columns = reader->settings.partition_columns, .column_count = reader->settings.partition_column_count,
        .lenient = reader->settings.is_cloud_files, .base_given = reader->settings.base_path != NULL, .user_schema = reader->schema, .session = &pipeline->session};
}
