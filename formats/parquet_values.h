/* parquet_values -- the values of one leaf, without the nulls: gathered from a column, kept in a dictionary,
 * laid down as PLAIN, and their bounds.
 *
 * A `dense` run is what all of this works on: values that are there, side by side, still in the column's own
 * width (32-bit, 64-bit, int128, bits) or as offsets into the column's text. Where a column has no
 * nulls and needs no conversion, it is the column's own memory. */
#pragma once
#include "columns/column.h"
#include "base/number.h"
#include "formats/format.h"
#include "formats/parquet_schema.h"
#include "formats/structurals.h"

enum dense_kind { DENSE_VOID, DENSE_BITS, DENSE_4, DENSE_8, DENSE_16, DENSE_BYTES };

struct dense {
    enum dense_kind kind;
    uint32_t count;
    const void *values;     /* DENSE_4, _8, _16; DENSE_BITS: bit 0 is the first value. */
    const int32_t *offsets; /* DENSE_BYTES: count + 1, into data. */
    const uint8_t *data;    /* DENSE_BYTES: 64 readable bytes follow the last one. */
};

size_t plain_width(const struct parquet_leaf *leaf); /* One value of fixed width as PLAIN. */
enum dense_kind dense_kind_of(const struct parquet_leaf *leaf);
/* The valid ones among `rows` rows; `count` says how many there are. Borrows from the column and from `scratch`. */
struct dense dense_gather(const struct parquet_leaf *leaf, const struct column *column, uint32_t row_start, uint32_t rows,
                          uint32_t count, struct buffer *scratch);
/* Bytes that values start .. start + count take as PLAIN. */
size_t plain_size(const struct parquet_leaf *leaf, const struct dense *dense, uint32_t start, uint32_t count);
/* Appends them. *bit_count: values in `out` so far (BOOLEAN is packed across calls). */
void plain_append(const struct parquet_leaf *leaf, const struct dense *dense, uint32_t start, uint32_t count, struct buffer *out, size_t *bit_count);

/* ---- bounds ---- */

/* Longer text is cut: a prefix for the minimum, a rounded-up prefix for the maximum. */
#define BOUND_SIZE_MAX 128

struct bound_bytes {
    uint8_t bytes[BOUND_SIZE_MAX];
    uint64_t prefix; /* First 8 bytes, big-endian, zero-filled: decides most comparisons. */
    uint32_t size;
    bool cut;
};

struct bounds {
    enum isa isa;  /* What the processor may be asked for; given before the first value. */
    bool any;      /* Some value was seen. */
    bool unordered; /* A NaN was seen: Spark sorts it above everything, other readers do not; so there are no bounds. */
    union {
        struct { int64_t minimum, maximum; } integer; /* Also BOOLEAN. */
        struct { double minimum, maximum; } real;
        struct { int128 minimum, maximum; } wide;
        struct { struct bound_bytes minimum, maximum; } bytes;
    };
};

void bounds_add(struct bounds *bounds, const struct parquet_leaf *leaf, const struct dense *dense, uint32_t start, uint32_t count);
void bounds_add_bytes(struct bounds *bounds, const uint8_t *bytes, size_t size);
/* As leaf_stats has them: in the column's own type. Buffers of `stats` are overwritten. has_bounds is false where there are none. */
void bounds_finish(const struct bounds *bounds, const struct parquet_leaf *leaf, struct leaf_stats *stats);
/* One bound as Parquet's statistics have it (PLAIN, without a length). */
void bound_print(const struct parquet_leaf *leaf, const struct buffer *bound, struct buffer *out);
/* <0, 0, >0 in the column's order. */
int bound_compare(const struct parquet_leaf *leaf, const struct buffer *a, const struct buffer *b);

/* ---- dictionary ---- */

enum { DICTIONARY_COUNT_MAX = 65535, DICTIONARY_BYTES_MAX = 1 << 20 };

/* Open addressing; a slot is (tag << 36 | offset in keys << 16 | index + 1), 0 is empty. Keys lie dense, in order of first appearance;
 * for DENSE_BYTES they are the PLAIN dictionary page itself (length, bytes). */
struct dictionary {
    enum dense_kind kind;
    uint64_t *slots;
    uint32_t slot_bits;
    uint32_t count;
    struct buffer keys;
    uint32_t *key_offsets; /* DENSE_BYTES: where each key's length stands in keys. */
    uint32_t key_capacity;
};

void dictionary_init(struct dictionary *dictionary, enum dense_kind kind);
void dictionary_free(struct dictionary *dictionary);
/* Indices of values start.. into `indices`; returns how many were taken: fewer than count when it is full. */
uint32_t dictionary_add(struct dictionary *dictionary, const struct dense *dense, uint32_t start, uint32_t count, uint16_t *indices);
/* Appends the PLAIN form of all keys: the dictionary page. */
void dictionary_print(const struct dictionary *dictionary, const struct parquet_leaf *leaf, struct buffer *out);
/* The keys' bounds are those of the values. */
void dictionary_bounds(const struct dictionary *dictionary, const struct parquet_leaf *leaf, struct bounds *bounds);
/* Appends the PLAIN form of the values that `indices` name. */
void dictionary_expand(const struct dictionary *dictionary, const struct parquet_leaf *leaf, const uint16_t *indices, size_t count,
                       struct buffer *out, struct buffer *scratch);
size_t dictionary_size(const struct dictionary *dictionary, const struct parquet_leaf *leaf); /* Bytes of its page. */
size_t dictionary_memory(const struct dictionary *dictionary);
