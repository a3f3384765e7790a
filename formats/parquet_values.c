/* parquet_values -- gathering the values that are there, and laying them down as PLAIN. */
#include "formats/parquet_values.h"
#include "base/panic.h"

enum dense_kind dense_kind_of(const struct parquet_leaf *leaf)
{
    switch (leaf->transfer) {
    case PARQUET_TRANSFER_VOID: return DENSE_VOID;
    case PARQUET_TRANSFER_BITS: return DENSE_BITS;
    case PARQUET_TRANSFER_BYTES: return DENSE_BYTES;
    case PARQUET_TRANSFER_FIXED: return DENSE_16;
    case PARQUET_TRANSFER_WIDEN: return DENSE_4;
    default: break;
    }
    return leaf->physical == PARQUET_INT32 || leaf->physical == PARQUET_FLOAT ? DENSE_4 : DENSE_8;
}

/* ---- gathering ---- */

/* Keeps the values of valid rows; a word of 64 valid rows is copied at once. `to` may be `from`, and one value more
 * than is kept may be written. */
#define COMPACT(name, element)                                                                                  \
    static void name(element *to, const element *from, const uint8_t *valid, size_t row_start, size_t rows)     \
    {                                                                                                           \
        size_t i = 0, kept = 0;                                                                                 \
        for (; i < rows && ((row_start + i) & 63); i++) {                                                       \
            to[kept] = from[i];                                                                                 \
            kept += bit_get(valid, row_start + i);                                                              \
        }                                                                                                       \
        for (; i + 64 <= rows; i += 64) {                                                                       \
            uint64_t word;                                                                                      \
            memcpy(&word, valid + ((row_start + i) >> 3), 8);                                                   \
            if (word == UINT64_MAX) {                                                                           \
                memmove(to + kept, from + i, 64 * sizeof(element));                                             \
                kept += 64;                                                                                     \
            } else if (word != 0) {                                                                             \
                for (size_t k = 0; k < 64; k++) {                                                               \
                    to[kept] = from[i + k];                                                                     \
                    kept += word >> k & 1;                                                                      \
                }                                                                                               \
            }                                                                                                   \
        }                                                                                                       \
        for (; i < rows; i++) {                                                                                 \
            to[kept] = from[i];                                                                                 \
            kept += bit_get(valid, row_start + i);                                                              \
        }                                                                                                       \
    }
COMPACT(compact_4, uint32_t)
COMPACT(compact_8, uint64_t)
COMPACT(compact_16, uint128)
#undef COMPACT

static void widen(int32_t *to, const struct column *column, size_t row_start, size_t rows)
{
    if (column->type->kind == TYPE_TINYINT) {
        const int8_t *from = (const int8_t *)column->values + row_start;
        for (size_t i = 0; i < rows; i++) to[i] = from[i];
    } else {
        const int16_t *from = (const int16_t *)column->values + row_start;
        for (size_t i = 0; i < rows; i++) to[i] = from[i];
    }
}

static void narrow_4(int32_t *to, const int128 *from, size_t rows)
{
    for (size_t i = 0; i < rows; i++) to[i] = (int32_t)from[i];
}

static void narrow_8(int64_t *to, const int128 *from, size_t rows)
{
    for (size_t i = 0; i < rows; i++) to[i] = (int64_t)from[i];
}

static void to_millis(int64_t *to, const int64_t *from, size_t rows)
{
    for (size_t i = 0; i < rows; i++) to[i] = from[i] / 1000 - (from[i] % 1000 < 0);
}

/* Values of all rows in the width that pages are made from; the column's own memory where nothing changes. */
static const void *convert(const struct parquet_leaf *leaf, const struct column *column, size_t row_start, size_t rows, struct buffer *scratch)
{
    void *to = scratch->data;
    switch (leaf->transfer) {
    case PARQUET_TRANSFER_WIDEN: widen(to, column, row_start, rows); return to;
    case PARQUET_TRANSFER_NARROW: {
        const int128 *from = (const int128 *)column->values + row_start;
        if (leaf->physical == PARQUET_INT32) narrow_4(to, from, rows);
        else narrow_8(to, from, rows);
        return to;
    }
    case PARQUET_TRANSFER_MILLIS: to_millis(to, (const int64_t *)column->values + row_start, rows); return to;
    default: return (const uint8_t *)column->values + row_start * type_width(column->type->kind);
    }
}

static const uint8_t *gather_bits(const struct column *column, size_t row_start, size_t rows, bool nulls, struct buffer *scratch)
{
    const uint8_t *from = column->values;
    if (!nulls && (row_start & 7) == 0) return from + (row_start >> 3);
    uint8_t *to = scratch->data;
    memset(to, 0, rows / 8 + 1);
    size_t kept = 0;
    for (size_t i = row_start; i < row_start + rows; i++) {
        bool valid = !nulls || bit_get(column->validity, i);
        to[kept >> 3] |= (uint8_t)((bit_get(from, i) & valid) << (kept & 7));
        kept += valid;
    }
    return to;
}

/* Null rows are empty strings, so the offsets of the others are still where each ends and the next begins. */
static const int32_t *gather_offsets(const struct column *column, size_t row_start, size_t rows, uint32_t count, struct buffer *scratch)
{
    const int32_t *from = column->offsets + row_start;
    if (count == rows) return from;
    int32_t *to = (int32_t *)(void *)scratch->data;
    compact_4((uint32_t *)to, (const uint32_t *)from, column->validity, row_start, rows);
    to[count] = from[rows];
    return to;
}

static size_t gather_width(enum dense_kind kind)
{
    return kind == DENSE_16 ? 16 : kind == DENSE_8 ? 8 : 4;
}

struct dense dense_gather(const struct parquet_leaf *leaf, const struct column *column, uint32_t row_start, uint32_t rows,
                          uint32_t count, struct buffer *scratch)
{
    struct dense dense = {.kind = dense_kind_of(leaf), .count = count};
    if (count == 0 || dense.kind == DENSE_VOID) return dense;
    buffer_clear(scratch);
    buffer_reserve(scratch, ((size_t)rows + 4) * gather_width(dense.kind));
    bool nulls = count != rows;
    if (dense.kind == DENSE_BITS) {
        dense.values = gather_bits(column, row_start, rows, nulls, scratch);
        return dense;
    }
    if (dense.kind == DENSE_BYTES) {
        static const uint8_t nothing[64];
        dense.offsets = gather_offsets(column, row_start, rows, count, scratch);
        dense.data = column->data ? column->data : nothing;
        return dense;
    }
    const void *all = convert(leaf, column, row_start, rows, scratch);
    dense.values = all;
    if (!nulls) return dense;
    void *to = scratch->data;
    if (dense.kind == DENSE_4) compact_4(to, all, column->validity, row_start, rows);
    else if (dense.kind == DENSE_8) compact_8(to, all, column->validity, row_start, rows);
    else compact_16(to, all, column->validity, row_start, rows);
    dense.values = to;
    return dense;
}

/* ---- PLAIN ---- */

size_t plain_width(const struct parquet_leaf *leaf)
{
    switch (leaf->physical) {
    case PARQUET_INT32:
    case PARQUET_FLOAT: return 4;
    case PARQUET_INT96: return 12;
    case PARQUET_FIXED: return (size_t)leaf->type_length;
    default: return 8;
    }
}

size_t plain_size(const struct parquet_leaf *leaf, const struct dense *dense, uint32_t start, uint32_t count)
{
    switch (dense->kind) {
    case DENSE_VOID: return 0;
    case DENSE_BITS: return ((size_t)count + 7) / 8;
    case DENSE_BYTES: return (size_t)(dense->offsets[start + count] - dense->offsets[start]) + 4 * (size_t)count;
    default: return plain_width(leaf) * count;
    }
}

static void put_int96(uint8_t *to, const int64_t *micros, size_t count)
{
    const int64_t day_us = INT64_C(86400000000);
    for (size_t i = 0; i < count; i++, to += 12) {
        int64_t day = micros[i] / day_us, rest = micros[i] % day_us;
        if (rest < 0) {
            rest += day_us;
            day--;
        }
        int64_t nanos = rest * 1000;
        int32_t julian = (int32_t)(day + PARQUET_JULIAN_EPOCH);
        memcpy(to, &nanos, 8);
        memcpy(to + 8, &julian, 4);
    }
}

static void put_fixed(uint8_t *to, const uint8_t *values, size_t count, size_t width)
{
    for (size_t i = 0; i < count; i++, values += 16, to += width) {
        uint64_t low, high;
        memcpy(&low, values, 8);
        memcpy(&high, values + 8, 8);
        uint8_t bytes[16];
        low = __builtin_bswap64(low);
        high = __builtin_bswap64(high);
        memcpy(bytes, &high, 8);
        memcpy(bytes + 8, &low, 8);
        memcpy(to, bytes + 16 - width, width);
    }
}

/* Most text is short: 32 bytes are copied whatever the length, which both ends have room for. */
static void put_bytes(uint8_t *to, const struct dense *dense, uint32_t start, uint32_t count)
{
    const int32_t *offsets = dense->offsets + start;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t size = (uint32_t)(offsets[i + 1] - offsets[i]);
        const uint8_t *from = dense->data + offsets[i];
        memcpy(to, &size, 4);
        if (LIKELY(size <= 32)) memcpy(to + 4, from, 32);
        else memcpy(to + 4, from, size);
        to += 4 + (size_t)size;
    }
}

static void put_bits(struct buffer *out, size_t *bit_count, const uint8_t *bits, uint32_t start, uint32_t count)
{
    size_t at = *bit_count;
    size_t size = (at + count + 7) / 8;
    buffer_reserve(out, size - out->size + 1);
    memset(out->data + out->size, 0, size - out->size);
    out->size = size;
    uint32_t i = 0;
    for (; i < count && ((at + i) & 7); i++) out->data[(at + i) >> 3] |= (uint8_t)(bit_get(bits, start + i) << ((at + i) & 7));
    unsigned shift = (start + i) & 7;
    for (; i + 8 <= count; i += 8) {
        const uint8_t *from = bits + ((start + i) >> 3);
        out->data[(at + i) >> 3] = shift == 0 ? *from : (uint8_t)(from[0] >> shift | from[1] << (8 - shift));
    }
    for (; i < count; i++) out->data[(at + i) >> 3] |= (uint8_t)(bit_get(bits, start + i) << ((at + i) & 7));
    *bit_count = at + count;
}

void plain_append(const struct parquet_leaf *leaf, const struct dense *dense, uint32_t start, uint32_t count, struct buffer *out, size_t *bit_count)
{
    if (count == 0 || dense->kind == DENSE_VOID) return;
    if (dense->kind == DENSE_BITS) {
        put_bits(out, bit_count, dense->values, start, count);
        return;
    }
    size_t size = plain_size(leaf, dense, start, count);
    uint8_t *to = buffer_reserve(out, size + 64);
    if (dense->kind == DENSE_BYTES) put_bytes(to, dense, start, count);
    else if (leaf->physical == PARQUET_INT96) put_int96(to, (const int64_t *)dense->values + start, count);
    else if (leaf->physical == PARQUET_FIXED) put_fixed(to, (const uint8_t *)dense->values + 16 * (size_t)start, count, size / count);
    else memcpy(to, (const uint8_t *)dense->values + (size_t)start * (size / count), size);
    out->size += size;
}
