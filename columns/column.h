/* column -- values of one type in the Arrow C data layout.
 *
 *   kind                    values                    offsets        data      children
 *   BOOLEAN                 bitmap, LSB first
 *   TINYINT..DOUBLE, DATE,
 *   TIMESTAMP(_NTZ)         1/2/4/8-byte little endian
 *   DECIMAL                 16-byte two's complement (all precisions)
 *   STRING, BINARY                                    int32 n + 1    bytes
 *   ARRAY                                             int32 n + 1              [element]
 *   MAP                                               int32 n + 1              [key, value]
 *   STRUCT                                                                     one per field, same length
 *   VOID                    (none; all null)
 *
 * Each buffer is a block (base/blocks.h) or NULL where it is not needed: 64-byte aligned, 64 bytes
 * readable past the end, reference-counted. validity NULL: no nulls. Bits and bytes of null slots
 * are defined (zero; an empty string) so that output does not depend on history. A child of a null STRUCT
 * row is null as well; a null ARRAY or MAP row is empty.
 *
 * Encodings other than PLAIN are produced by projection and readers of dictionary files:
 *   DICTIONARY  values = int32 index per row, children[0] = the dictionary (PLAIN)
 *   RUNS        values = int32 end row of each run, run_count of them, children[0] = one value per run (PLAIN)
 * column_plain() flattens; kernels that gain from an encoding look at it first. */
#pragma once
#include "base/blocks.h"
#include "columns/type.h"

enum column_encoding { COLUMN_PLAIN, COLUMN_DICTIONARY, COLUMN_RUNS };

struct column {
    const struct type *type;
    enum column_encoding encoding;
    uint32_t length;             /* Rows. */
    uint32_t null_count;         /* Exact. */
    uint32_t run_count;          /* RUNS only. */
    uint8_t *validity;           /* Bit set: the value is there. */
    void *values;
    int32_t *offsets;
    uint8_t *data;
    struct column *children;     /* malloc'ed array, owned. */
    uint32_t child_count;
};

static inline bool bit_get(const uint8_t *bits, size_t i) { return (bits[i >> 3] >> (i & 7)) & 1; }
static inline void bit_set(uint8_t *bits, size_t i) { bits[i >> 3] = (uint8_t)(bits[i >> 3] | (1u << (i & 7))); }
static inline void bit_clear(uint8_t *bits, size_t i) { bits[i >> 3] = (uint8_t)(bits[i >> 3] & ~(1u << (i & 7))); }
static inline bool column_is_valid(const struct column *column, size_t row)
{
    return column->encoding == COLUMN_PLAIN ? (column->type->kind != TYPE_VOID && (!column->validity || bit_get(column->validity, row)))
                                            : true; /* Other encodings: flatten first. */
}

/* Zeroes *column and allocates the children for `type`, recursively; no buffers yet. */
void column_init(struct column *column, const struct type *type);
void column_fini(struct column *column); /* Releases buffers and children, recursively. */
/* Length 0 again, recursively. Buffers which nobody else holds are kept for reuse, shared ones released. */
void column_reset(struct column *column);
/* Another reference to the same buffers (deep: children arrays are copied). */
void column_share(struct column *to, const struct column *from);
/* Ensures room for `rows` rows in values/offsets/validity of this level (children grow on their own); validity is
 * allocated too and new bits are set (valid). Grows in place; contents are kept. */
bool column_reserve(struct column *column, struct budget *budget, size_t rows, struct error *err) MUST_CHECK;
bool column_reserve_data(struct column *column, struct budget *budget, size_t bytes, struct error *err) MUST_CHECK; /* Total bytes of `data`. */

/* A PLAIN column of `length` nulls. */
bool column_make_null(struct column *out, const struct type *type, uint32_t length, struct budget *budget, struct error *err) MUST_CHECK;
/* PLAIN copy (or share, where it is PLAIN and no selection) of the selected rows. selection NULL: all rows. */
bool column_take(struct column *out, const struct column *from, const uint32_t *selection, uint32_t count, struct budget *budget, struct error *err) MUST_CHECK;
static inline bool column_plain(struct column *out, const struct column *from, struct budget *budget, struct error *err)
{
    return column_take(out, from, NULL, from->length, budget, err);
}
size_t column_memory(const struct column *column); /* Bytes of used buffers, recursively. */
/* Layout, offsets order, null counts: for tests and after foreign readers. */
bool column_check(const struct column *column, struct error *err) MUST_CHECK;
