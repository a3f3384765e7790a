/* file_options -- options that all file readers share. */
#include "formats/format.h"

#include <stdio.h>

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

bool range_check_as_planned(const struct file_range *range, const struct object_stat *opened, struct error *err)
{
    const char *what = range->size >= 0 && range->size != opened->size             ? "its size changed"
                       : range->mtime_us >= 0 && range->mtime_us != opened->mtime_us ? "its modification time changed"
                       : range->inode && opened->inode && range->inode != opened->inode ? "another file stands under its name"
                                                                                        : NULL;
    return !what || error_set(err, COND_INLET_FILE_CHANGED, "file %s is not as it was planned: %s", range->path, what);
}

bool range_ignore_damage(const struct file_range *range, struct range_outcome *outcome, bool ignore, struct error *err)
{
    bool damage = err->condition == COND_INLET_DAMAGED_FILE;
    if ((damage || err->condition == COND_INLET_IO) && ignore) {
        outcome->ignored_corrupt = true;
        snprintf(outcome->damage, sizeof outcome->damage, "%.255s", err->message);
        error_clear(err);
        return true;
    }
    if (damage) {
        int64_t byte = err->byte;
        error_wrap(err, COND_FAILED_READ_FILE, "encountered error while reading file %s", range->path);
        return error_at(err, range->path, outcome->records_framed + 1, byte);
    }
    if (!err->file[0]) error_at(err, range->path, 0, -1);
    return false;
}
