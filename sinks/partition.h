/* partition -- partitionBy: which columns, their folder names, and a chunk's rows sorted by their values.
 *
 * A layout is made once per stream and shared by all workers. A split is the scratch of one task: it gives every
 * combination of values a number in order of first appearance and sorts the rows of each chunk by it. Keys
 * are the raw values (an empty text counts as null, as in Spark), so that they mean the same in every
 * task; text is made of them once per combination, never per row. */
#pragma once
#include "base/session.h"
#include "columns/chunk.h"

struct partition_layout {
    const struct session *session;
    const struct type *schema;      /* All columns. */
    size_t count;                   /* Partition columns; 0: not partitioned. */
    uint32_t *columns;              /* Their indexes in schema, in the order of partitionBy. */
    const char **prefixes;          /* "name=", escaped, with the schema's spelling. */
    const struct type *data_schema; /* The other columns. */
    uint32_t *data_columns;         /* Their indexes in schema. */
    /* NULL, or how a value is kept beside the folder name (Delta's partitionValues). False: null. */
    bool (*print_value)(const struct column *column, size_t row, struct buffer *out);
};

/* Resolves names as the session's case rule says. Errors: INLET_PARTITION_COLUMN (unknown, ambiguous),
 * INVALID_PARTITION_COLUMN_DATA_TYPE, COLUMN_ALREADY_EXISTS (given twice). */
bool partition_layout_make(struct arena *arena, const struct type *schema, const char *const *names, size_t count,
                           const struct session *session, struct partition_layout *out, struct error *err) MUST_CHECK;

/* Refuses a layout whose files have no column: ALL_PARTITION_COLUMNS_NOT_ALLOWED. JSON alone can hold such rows. */
bool partition_layout_needs_data(const struct partition_layout *layout, struct error *err) MUST_CHECK;

struct partition_key {
    const uint8_t *raw;
    size_t raw_size;
    uint64_t hash;
    uint32_t id;                    /* In its map, from 0. */
    const char *folder;             /* "a=1/b=x"; "" where not partitioned. */
    const char *values;             /* JSON list of print_value's texts, or "[]". */
};

/* Keys by raw value. Zeroed with an arena to start; slots are malloc'ed. */
struct partition_map {
    struct arena *arena;
    struct partition_key **slots;   /* Open addressing; capacity is a power of two. */
    struct partition_key **keys;    /* By id. */
    uint32_t capacity, count;
};
struct partition_key *partition_map_find(const struct partition_map *map, const void *raw, size_t raw_size, uint64_t hash);
struct partition_key *partition_map_add(struct partition_map *map, const void *raw, size_t raw_size, uint64_t hash);
void partition_map_fini(struct partition_map *map);

struct partition_rows {             /* The rows of a chunk that belong to one partition, ascending. */
    uint32_t partition;
    const uint32_t *rows;
    uint32_t count;
};

struct partition_split;
struct partition_split *partition_split_new(const struct partition_layout *layout);
void partition_split_free(struct partition_split *split);
/* Sorts the selected rows of the chunk. *out is valid until the next call. */
bool partition_split_chunk(struct partition_split *split, const struct chunk *chunk, struct budget *budget,
                           const struct partition_rows **out, size_t *count, struct error *err) MUST_CHECK;
const struct partition_key *partition_split_key(const struct partition_split *split, uint32_t partition);
