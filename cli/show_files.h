/* show_files -- the data files of an output: of a Delta table, of a folder with Spark's log, of any folder, or one file. */
#pragma once
#include "base/arena.h"
#include "base/context.h"
#include "base/error.h"
#include "columns/type.h"

enum shown_format { SHOWN_PARQUET, SHOWN_JSON };

struct shown_file {
    const char *path;
    const char **partition_values; /* Text, one per partition column; NULL: null. */
};

struct shown_output {
    enum shown_format format;
    struct shown_file *files;
    size_t count;
    const char **partition_columns;
    size_t partition_count;
    const struct type *schema;     /* Delta: the table's; else NULL: that of the files. */
};

/* Live files in the order of their names; hidden ones and those that no log names are left out. */
bool find_shown_files(const char *path, struct arena *arena, struct inlet_context *context, struct shown_output *out, struct error *err) MUST_CHECK;
