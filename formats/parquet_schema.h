/* parquet_schema -- from Spark's types to Parquet's physical schema (format-semantics 10.1).
 *
 * A layout is immutable and lives in the arena it was made in. Nodes mirror the type tree (LIST and
 * MAP wrapper groups exist in `elements` only); leaves are numbered depth first. Level arithmetic:
 *
 *   struct (optional)   definition = parent's + 1
 *   array (optional)    definition = parent's + 1, its elements live one higher still, repetition + 1
 *   leaf (optional)     definition = parent's + 1
 *
 * so `definition` of a node is the level of a slot in which the node is present. */
#pragma once
#include "columns/type.h"
#include "formats/parquet_format.h"

enum parquet_timestamps { PARQUET_TIMESTAMP_MICROS, PARQUET_TIMESTAMP_MILLIS, PARQUET_TIMESTAMP_INT96 };

struct parquet_layout_options {
    enum parquet_timestamps timestamps;
    bool legacy;          /* spark.sql.parquet.writeLegacyFormat */
    bool write_field_ids; /* spark.sql.parquet.fieldId.write.enabled */
};

/* How a leaf's values go from a column into pages. */
enum parquet_transfer {
    PARQUET_TRANSFER_BITS,   /* BOOLEAN. */
    PARQUET_TRANSFER_SAME,   /* 4 or 8 bytes, as they stand. */
    PARQUET_TRANSFER_WIDEN,  /* TINYINT, SMALLINT -> INT32. */
    PARQUET_TRANSFER_NARROW, /* DECIMAL's int128 -> INT32, INT64. */
    PARQUET_TRANSFER_MILLIS, /* Microseconds -> milliseconds, rounded down. */
    PARQUET_TRANSFER_INT96,  /* Microseconds -> Julian day and nanoseconds. */
    PARQUET_TRANSFER_FIXED,  /* DECIMAL's int128 -> big-endian bytes. */
    PARQUET_TRANSFER_BYTES,  /* STRING, BINARY. */
    PARQUET_TRANSFER_VOID    /* There are no values. */
};

struct parquet_leaf {
    const struct type *type;
    enum parquet_physical physical;
    enum parquet_transfer transfer;
    int32_t type_length;              /* FIXED. */
    uint16_t definition, repetition;  /* Maximum levels. */
    bool is_text;                     /* Bounds must stay UTF-8. */
    const char **path;                /* path_in_schema. */
    uint32_t path_count;
};

struct parquet_node {
    const struct type *type;
    const char *name;
    bool optional;
    uint16_t definition;  /* Level of a slot in which the node is present. */
    uint16_t repetition;  /* Of slots at the node. */
    uint32_t leaf;        /* Leaves: index into layout->leaves. */
    struct parquet_node *children; /* STRUCT: fields; ARRAY: element; MAP: key, value. */
    uint32_t child_count;
};

struct parquet_layout {
    struct parquet_node root;                 /* The schema STRUCT, required, level 0. */
    struct parquet_leaf *leaves;
    uint32_t leaf_count;
    struct parquet_schema_element *elements;  /* Root first. Names borrow from the type. */
    uint32_t element_count;
};

/* Refuses empty structs (EMPTY_SCHEMA_NOT_SUPPORTED_FOR_DATASOURCE). `schema` outlives the arena's data. */
struct parquet_layout *parquet_layout_new(const struct type *schema, const struct parquet_layout_options *options,
                                          struct arena *arena, struct error *err) MUST_CHECK;
int parquet_decimal_bytes(int precision); /* Fewest bytes that hold any decimal of the precision. */
