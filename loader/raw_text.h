/* raw_text -- columns that hold bytes as the file had them, on their way into formats that take UTF-8 only.
 *
 * Records that are no UTF-8 are kept byte for byte in the corrupt record column, and so are lines of text files. A
 * Parquet file with such a STRING is refused as a whole by most readers, so there each bad part becomes U+FFFD. */
#pragma once
#include "columns/chunk.h"

/* Repairs columns[which[i]] of the chunk where they need it; what is good already is not copied. */
bool raw_text_repair(struct chunk *chunk, const uint32_t *which, size_t count, struct budget *budget, struct error *err) MUST_CHECK;
