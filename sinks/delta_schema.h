/* delta_schema -- how a batch's columns fit a Delta table (file-source.md 9.6).
 *
 * Names match without regard to case and take the table's spelling; a type may be narrower than the table's
 * (it is widened when written); columns that the table lacks are added at the end with mergeSchema, else refused. */
#pragma once
#include "columns/chunk.h"
#include "formats/delta_log.h"

struct delta_fit {
    const struct type *written;           /* The batch's columns, in their order, as they go into files: table's spelling and types. */
    const struct type *table;             /* What the table's schema is to be. */
    bool changes;                         /* `table` is not what it is now (or there is no table yet). */
    bool widens;                          /* Some column's type differs from the batch's. */
    const char **partition_columns;       /* With the table's spelling. */
    size_t partition_count;
    const char *const *required;          /* NULL-terminated names of NOT NULL columns. */
};

/* partition_by count 0: as the table is partitioned. Errors: DELTA_METADATA_MISMATCH with the differences, column names that
 * Delta cannot hold, NOT NULL columns that the batch lacks. */
bool delta_schema_fit(struct arena *arena, const struct delta_snapshot *snapshot, const struct type *batch, const char *const *partition_by,
                      size_t partition_count, bool merge, struct delta_fit *out, struct error *err) MUST_CHECK;

/* *out (initialised with fit->written) shares or widens the columns of the chunk; rows that break NOT NULL are
 * DELTA_NOT_NULL_CONSTRAINT_VIOLATED. Segments and selection are borrowed. */
bool delta_schema_adapt(const struct delta_fit *fit, const struct chunk *chunk, struct chunk *out, struct budget *budget, struct error *err) MUST_CHECK;
