/* rows -- finished files read back as chunks: for `inlet show`, for appending to tables of others, for checks.
 *
 * Not the ingestion path (that is reader_ops): these know their own schema. Streamed, in bounded memory. */
#pragma once
#include "columns/chunk.h"
#include "formats/format.h"

struct parquet_file;
struct parquet_file *parquet_open(const char *path, struct arena *arena, struct error *err) MUST_CHECK;
/* Only what lies under the dotted names (NULL-terminated: "add.path", "txn"); the rest is neither converted nor read. */
struct parquet_file *parquet_open_columns(const char *path, const char *const *names, struct arena *arena, struct error *err) MUST_CHECK;
const struct type *parquet_schema(const struct parquet_file *file); /* From the physical schema (format-semantics 10.2); row.metadata where present. */
int64_t parquet_rows(const struct parquet_file *file);
const char *parquet_key_value(const struct parquet_file *file, const char *key); /* NULL where absent. */
/* All columns, next rows. The chunk is initialised with parquet_schema(). */
enum pull parquet_next(struct parquet_file *file, struct chunk *chunk, struct inlet_context *context, struct error *err);
void parquet_close(struct parquet_file *file);
/* Row count of a footer only: conservation checks (L6). */
bool parquet_count_rows(const char *path, int64_t *rows, struct error *err) MUST_CHECK;
