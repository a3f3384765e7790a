/* select -- the projection a query asks for: SELECT * or a list of columns, FROM input.
 *
 * What is understood: `*`, names, paths through structs and arrays of structs (`b.c AS d`), back-quoted names, `_metadata` and
 * its fields. Everything else that is Spark SQL is refused by name (INLET_NOT_SUPPORTED_YET); what is not SQL
 * at all is PARSE_SYNTAX_ERROR, as in Spark. Parsing needs no schema, so that a pipeline file is
 * checked before anything is listed; resolving needs the schema with the partition columns. */
#pragma once
#include "base/session.h"
#include "columns/type.h"

struct select; /* Parsed; lives in its arena. */

/* NULL for sql: SELECT * FROM input. */
struct select *select_parse(struct arena *arena, const char *sql, struct error *err) MUST_CHECK;

struct projected_column {
    const char *name;        /* Output name: the alias, else the last name of the path as the query spells it (Spark); `*`: the schema's. */
    const struct type *type;
    bool nullable;
    const int *path;         /* Field indexes from the input schema downwards, of an array those of its elements; path_size >= 1. */
    size_t path_size;
};

struct projection {
    struct projected_column *columns;
    size_t count;
    const struct type *schema; /* STRUCT of the output. */
    bool *uses;                /* One per input column: the query reads it (or a part of it). */
    bool is_identity;          /* All visible columns, in order, under their own names. */
};

/* Resolves against `input` (STRUCT: data columns, then partition columns, then hidden ones). Columns from index
 * `visible_count` on are hidden: found by name, but not part of `*`. Errors: UNRESOLVED_COLUMN.WITH_SUGGESTION with
 * the nearest names, FIELD_NOT_FOUND, AMBIGUOUS_REFERENCE. Equal output names are the sink's matter. */
bool select_resolve(const struct select *select, const struct type *input, size_t visible_count,
                    const struct session *session, struct arena *arena, struct projection *out,
                    struct error *err) MUST_CHECK;

/* Type of the hidden `_metadata` column, in this order of fields (see enum). Static. */
enum metadata_field {
    METADATA_FILE_PATH, METADATA_FILE_NAME, METADATA_FILE_SIZE, METADATA_FILE_BLOCK_START,
    METADATA_FILE_BLOCK_LENGTH, METADATA_FILE_MODIFICATION_TIME, METADATA_FIELD_COUNT
};
const struct type *select_metadata_type(void);
#define METADATA_COLUMN "_metadata"
