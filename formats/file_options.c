/* file_options -- options that all file readers share. */
#include "formats/format.h"

const struct option_spec file_options[] = {
    {.name = "path", .kind = OPTION_TEXT, .help = "The load path, where the reader has no `load`."},
    {.name = "basePath", .kind = OPTION_PATH, .help = "Folder below which key=value folder names are partition columns. Default: the load path before its first glob."},
    {.name = "pathGlobFilter", .kind = OPTION_TEXT, .help = "Only files whose name matches this glob."},
    {.name = "fileNamePattern", .kind = OPTION_TEXT, .help = "Another name of pathGlobFilter.", .alias_of = "pathGlobFilter"},
    {.name = "recursiveFileLookup", .kind = OPTION_BOOL, .fallback = "false", .help = "Read all subfolders, and take no partition columns from their names."},
    {.name = "ignoreCorruptFiles", .kind = OPTION_BOOL, .help = "Keep the rows before the damage of a broken file and go on. Default: spark.sql.files.ignoreCorruptFiles."},
    {.name = "ignoreMissingFiles", .kind = OPTION_BOOL, .help = "Skip files that vanished after they were found. Default: spark.sql.files.ignoreMissingFiles."},
    {.name = "modifiedBefore", .kind = OPTION_TEXT, .help = "Only files modified before this time (zone: timeZone, else the session). cloudFiles only: Spark refuses it in a plain file stream."},
    {.name = "modifiedAfter", .kind = OPTION_TEXT, .help = "Only files modified after this time (zone: timeZone, else the session). cloudFiles only: Spark refuses it in a plain file stream."},
    {.name = NULL},
};

bool refuse_only_corrupt_column(const struct read_spec *spec, struct error *err)
{
    if (spec->schema->field_count != 1 || spec->corrupt_column != 0) return true;
    return error_set(err, COND_QUERY_ONLY_CORRUPT, "the feature is not supported: queries from raw JSON/CSV files are disallowed when the referenced columns only include the corrupt record column (`%s`). "
                     "Select another column as well", spec->schema->fields[0].name);
}
