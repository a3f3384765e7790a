/* partitions -- columns that stand in the path: key=value folders (file-source.md 3.2, 3.3).
 *
 * Going up from a file's folder to the base path, folders named `k=v` give columns, outermost first; the walk
 * ends at the base path or at the first other folder above a column. */
#pragma once
#include "base/session.h"
#include "columns/column.h"

struct partition_value {
    const char *name, *value;  /* Unescaped; value NULL: __HIVE_DEFAULT_PARTITION__. */
};

struct partition_rules {
    const char *base_path;     /* Absolute, without a trailing slash. */
    bool case_sensitive;
    bool infer_types;          /* spark.sql.sources.partitionColumnTypeInference.enabled */
    bool validate;             /* spark.sql.sources.validatePartitionColumns */
    bool ignore_conflicts;     /* cloudFiles: folders that do not agree give no partition columns. */
    const char *const *only;   /* cloudFiles.partitionColumns: just these, missing ones null; NULL: whatever is there. */
    size_t only_count;
    const struct session *session;
};

/* The columns of one folder. EMPTY_PARTITION_COLUMN_VALUE for `k=`; `=v` is refused too. A folder outside the base path has none. */
bool partitions_of(const struct partition_rules *rules, const char *directory, struct arena *arena, struct partition_value **values, size_t *count,
                   struct error *err) MUST_CHECK;

/* Names and types of the partition columns that these folders have: the user's type where `user` has the column, else inferred
 * from all values. Folders without any do not count; the others must agree: CONFLICTING_PARTITION_COLUMN_NAMES. */
bool partitions_schema(const struct partition_rules *rules, const char *const *directories, size_t count, const struct type *user,
                       struct arena *arena, const struct type **schema, struct error *err) MUST_CHECK;

/* Appends one row: the folder's value of column `name` cast to the column's type (null where it has none).
 * INVALID_PARTITION_VALUE where the text is not of the type and `validate` is set. The column is PLAIN and has room for the row. */
bool partitions_append(const struct partition_rules *rules, const struct partition_value *values, size_t count, const char *name,
                       struct column *column, struct budget *budget, struct error *err) MUST_CHECK;
