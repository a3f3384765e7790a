/* project -- the rows of a reader's chunk as the query's output columns.
 *
 * Data columns are shared, never copied; what is the same for all rows of a file (partition values, `_metadata`)
 * becomes a RUNS column over the chunk's segments. */
#pragma once
#include "columns/chunk.h"
#include "engine/select.h"

/* Where the columns of the query's input come from. */
struct project_plan {
    const struct projection *projection;
    /* One per input column of the projection: index into the reader's columns (>= 0), or ~index into the
     * constants' columns (< 0). Input columns that the query does not use may hold anything. */
    const int *origin;
};

/* out is initialised with projection->schema. `constants` has one row per file; file_of[i] is the row of the
 * chunk's file i. Selection and segments are carried over. */
bool project_chunk(const struct project_plan *plan, const struct chunk *in, const struct chunk *constants,
                   const uint32_t *file_of, struct chunk *out, struct budget *budget, struct error *err) MUST_CHECK;
