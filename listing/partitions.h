/* partitions -- key=value folders as columns: their names, types and values (Spark's PartitioningUtils).
 *
 * Walking up from a file's folder, key=value names give columns, outermost first; the walk ends at the base path, or at the first
 * other name once a column was found. Names and values are percent-decoded. __HIVE_DEFAULT_PARTITION__ is null. */
#pragma once
#include "base/session.h"
#include "columns/column.h"

struct partition_rules {
    const char *const *base_paths;     /* basePath, or the load paths' literal folders; a column above them does not count. */
    size_t base_path_count;
    bool base_given;                   /* basePath: a folder that does not lie in it is an error. */
    bool infer_types;                  /* spark.sql.sources.partitionColumnTypeInference.enabled; false: STRING. */
    const char *const *columns;        /* cloudFiles.partitionColumns: only these, in this order; NULL: all found. */
    size_t column_count;
    bool lenient;                      /* Auto Loader: conflicting names mean no partition columns instead of an error. */
    const struct type *user_schema;    /* Types of columns that are in it; NULL: none. */
    const struct session *session;     /* Zone of timestamps, case sensitivity. */
};

/* The columns of these folders (of files, absolute; repeats are cheap when neighbours): a STRUCT, perhaps without fields. Folders without
 * any key=value are passed over (their files get nulls). CONFLICTING_DIRECTORY_STRUCTURES (below one base path the columns begin at different
 * folders), CONFLICTING_PARTITION_COLUMN_NAMES, EMPTY_PARTITION_COLUMN_NAME, EMPTY_PARTITION_COLUMN_VALUE. */
const struct type *partitions_discover(const struct partition_rules *rules, const char *const *directories, size_t count, struct arena *arena,
                                       struct error *err) MUST_CHECK;

/* Appends the folder's values, one row, to columns[0..field_count) of the schema's types. INVALID_PARTITION_VALUE where one
 * cannot be cast. `row` is the columns' current length. */
bool partitions_append(const struct partition_rules *rules, const struct type *schema, const char *directory, struct column *columns,
                       struct budget *budget, struct error *err) MUST_CHECK;

struct partition_value {
    const char *name, *value; /* Decoded; value NULL: null. */
    const char *raw;          /* The value as the folder spells it: what numbers and dates are read from, as in Spark. */
    size_t value_size;
};
/* The raw columns of one folder, outermost first. */
bool partitions_of(const struct partition_rules *rules, const char *directory, struct arena *arena, struct partition_value **values, size_t *count,
                   struct error *err) MUST_CHECK;
