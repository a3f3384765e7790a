/* show -- rows as text: Spark's console table, and values cast to string. */
#pragma once
#include "base/session.h"
#include "columns/chunk.h"

/* Appends the value of one row as CAST(x AS STRING) gives it: NULL -> "NULL", [1, null], {a -> 1}, {1, null}. PLAIN columns. */
void show_value(const struct column *column, size_t row, const struct session *session, struct buffer *out);

/* Dataset.show(numRows, truncate): collects rows until `limit`, then prints the +---+ table with right-aligned
 * cells cut at `truncate` characters (0: no cut) and "only showing top N rows". */
struct show_table;
struct show_table *show_table_new(const struct type *schema, size_t limit, size_t truncate, const struct session *session);
bool show_table_add(struct show_table *table, const struct chunk *chunk, struct error *err) MUST_CHECK; /* False with no error: full. */
void show_table_print(const struct show_table *table, struct buffer *out);
void show_table_free(struct show_table *table);
