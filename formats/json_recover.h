/* json_recover -- what is kept of a record that is not JSON. */
#pragma once
#include "formats/json_parser.h"

/* The record whose object begins at `object`, of which nothing has been put, as `row`: GOOD (what is wrong is behind all
 * that Spark reads), PARTIAL, SYNTAX (nothing is kept, nothing has been put), FAILED. */
enum ndjson_verdict ndjson_recover_object(struct ndjson_parser *parser, const uint8_t *object, uint32_t row);

/* The same for an array at the root that begins at `array`: its elements become rows from `row` on, *elements of them. With `dry` they
 * are only counted. GOOD, PARTIAL, SYNTAX (nothing is kept; nothing has been put), FAILED. */
enum ndjson_verdict ndjson_recover_array(struct ndjson_parser *parser, const uint8_t *array, uint32_t row, bool dry, uint32_t *elements);
