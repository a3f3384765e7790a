/* roots -- literal folders of load paths, and the rules of partition columns that follow from them. */
#include "loader/roots.h"
#include "base/uri.h"

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
        .lenient = reader->settings.is_cloud_files, .user_schema = reader->schema, .session = &pipeline->session};
}
