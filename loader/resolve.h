/* resolve -- the pipeline's query against what the landing zone has: partition columns, pruning, projection.
 *
 * Input of the query: the user's columns in order (one that is a partition column of the path takes the path's value and
 * the user's type), then partition columns that the schema lacks, then the hidden `_metadata`. */
#pragma once
#include "engine/project.h"
#include "loader/ledger.h"
#include "loader/pipeline.h"

struct resolved {
    const struct type *partition_schema;  /* STRUCT of the path's columns, typed. */
    const struct type *read_schema;       /* What the reader is asked for. */
    struct reader *reader;
    struct projection projection;
    struct project_plan plan;
    bool passes_through;                  /* The reader's chunks are the output as they are. */
    bool uses_constants;
    const struct type *constants_schema;  /* partition_schema's fields, then `_metadata`. */
    const struct type *output_schema;
    uint32_t *raw_text;                   /* Output columns that may hold text which is no UTF-8. */
    size_t raw_text_count;
};

/* partition_schema: names and types of the path's columns (types of those in the user's schema are the user's already). */
bool resolve_query(const struct pipeline *pipeline, const struct type *partition_schema, struct arena *arena, struct resolved *out,
                   struct error *err) MUST_CHECK;
/* One row per file: partition values and `_metadata`. */
bool resolve_constants(const struct pipeline *pipeline, const struct resolved *resolved, const struct ledger_input *files, size_t count,
                       struct chunk *out, struct budget *budget, struct error *err) MUST_CHECK;
