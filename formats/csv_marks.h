/* csv_marks -- where the bytes stand that may matter in a CSV record: separators, quotes, escapes.
 *
 * The scalar version is the specification of the vector ones. */
#pragma once
#include "formats/structurals.h"

struct csv_marks {
    uint8_t bytes[4]; /* What is looked for; may repeat. */
};

/* Writes the positions in text[from, size) of any of the bytes, ascending, and returns how far it looked: at least one block of
 * 64 bytes, and on to `size` while there is room for 64 more positions. May load (not use) up to 64 bytes behind size. */
typedef size_t (*csv_marks_fn)(const uint8_t *text, size_t from, size_t size, const struct csv_marks *marks,
                               uint32_t *positions, size_t capacity, size_t *count);
csv_marks_fn csv_marks_scanner(enum isa isa);
