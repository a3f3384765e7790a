/* json_write -- rows of columns as JSON objects, the way Spark writes them (format-semantics 5.8). */
#pragma once
#include "formats/format.h"

struct json_rows; /* A schema and options, compiled; immutable. */

/* Spark's defaults: one line a row, null fields left out unless the session says otherwise. */
const struct json_rows *json_rows_compile(const struct type *schema, const struct session *session, struct arena *arena,
                                          struct error *err) MUST_CHECK;
/* Appends row `row` of the schema's columns (PLAIN) as one object, without a line end. */
bool json_rows_append(const struct json_rows *rows, const struct column *columns, size_t row, struct buffer *out,
                      struct error *err) MUST_CHECK;
/* Appends `text` as a JSON string with its quotes, escaped as Spark does. ascii: what is beyond ASCII becomes \uXXXX. */
void json_append_string(struct buffer *out, const uint8_t *text, size_t size, bool ascii);
