/* parquet_read_values -- values of a page, or of its dictionary, into the slots of a column.
 *
 * Values lie dense in a page: a null has none. They are decoded dense, converted on the way, and then
 * spread over the slots from the back. A dictionary is converted once. */
#include "base/number.h"
#include "base/panic.h"
#include "formats/parquet_read.h"
#include <inttypes.h>

static bool too_short(const struct read_leaf *leaf, struct error *err)
{
    return error_set(err, COND_INLET_DAMAGED_FILE, "a page of column [%s] holds fewer values than it says", leaf->path);
}

static bool out_of_range(const struct read_leaf *leaf, int64_t value, struct error *err)
{
    return error_set(err, COND_INLET_DAMAGED_FILE, "column [%s] has the value %" PRId64 ", which its type cannot hold", leaf->path, value);
}

/* --- conversion of fixed-size values --- */

static int32_t load_i32(const uint8_t *bytes)
{
    int32_t value;
    memcpy(&value, bytes, sizeof(value));
    return value;
}

static int64_t load_i64(const uint8_t *bytes)
{
    int64_t value;
    memcpy(&value, bytes, sizeof(value));
    return value;
}

/* Big-endian two's complement of any length; false where it needs more than 16 bytes. */
static bool load_big_endian(const uint8_t *bytes, size_t size, int128 *out)
{
    uint128 value = size > 0 && bytes[0] & 0x80 ? ~(uint128)0 : 0;
    uint8_t sign = (uint8_t)value;
    while (size > 16) {
        if (*bytes != sign) return false;
        bytes++, size--;
    }
    if (size == 16 && (bytes[0] & 0x80) != (sign & 0x80)) return false;
    for (size_t i = 0; i < size; i++) value = value << 8 | bytes[i];
    *out = (int128)value;
    return true;
}

static bool convert_narrow(const struct read_leaf *leaf, const uint8_t *from, size_t count, void *out, struct error *err)
{
    for (size_t i = 0; i < count; i++) {
        int32_t value = load_i32(from + 4 * i);
        bool fits = true;
        switch (leaf->transfer) {
        case READ_TINYINT: fits = value == (int8_t)value; ((int8_t *)out)[i] = (int8_t)value; break;
        case READ_SMALLINT: fits = value == (int16_t)value; ((int16_t *)out)[i] = (int16_t)value; break;
        case READ_UINT8: fits = value == (uint8_t)value; ((int16_t *)out)[i] = (int16_t)value; break;
        default: fits = value == (uint16_t)value; ((int32_t *)out)[i] = value; break;
        }
        if (!fits) return out_of_range(leaf, value, err);
    }
    return true;
}

static bool convert_millis(const struct read_leaf *leaf, const uint8_t *from, size_t count, int64_t *out, struct error *err)
{
    for (size_t i = 0; i < count; i++) {
        int64_t value = load_i64(from + 8 * i);
        if (__builtin_mul_overflow(value, 1000, &out[i])) return out_of_range(leaf, value, err);
    }
    return true;
}

static bool convert_int96(const struct read_leaf *leaf, const uint8_t *from, size_t count, int64_t *out, struct error *err)
{
    for (size_t i = 0; i < count; i++) {
        int64_t nanos = load_i64(from + 12 * i), day = (int64_t)(uint32_t)load_i32(from + 12 * i + 8) - PARQUET_JULIAN_EPOCH;
        int64_t micros = nanos / 1000 - (nanos % 1000 < 0), midnight;
        if (__builtin_mul_overflow(day, INT64_C(86400000000), &midnight) || __builtin_add_overflow(midnight, micros, &out[i]))
            return out_of_range(leaf, day, err);
    }
    return true;
}

static bool convert_decimal(const struct read_leaf *leaf, const uint8_t *from, size_t count, int128 *out, struct error *err)
{
    for (size_t i = 0; i < count; i++) {
        const uint8_t *at = from + i * leaf->physical_width;
        if (leaf->transfer == READ_DECIMAL_INT32) out[i] = load_i32(at);
        else if (leaf->transfer == READ_DECIMAL_INT64) out[i] = load_i64(at);
        else if (leaf->transfer == READ_UINT64) out[i] = (int128)(uint64_t)load_i64(at);
        else if (!load_big_endian(at, leaf->physical_width, &out[i]))
            return error_set(err, COND_INLET_DAMAGED_FILE, "column [%s] has a decimal of more than 128 bits", leaf->path);
    }
    return true;
}

/* `count` values of leaf->physical_width bytes into values of leaf->width bytes. */
static bool convert(const struct read_leaf *leaf, const uint8_t *from, size_t count, void *out, struct error *err)
{
    switch (leaf->transfer) {
    case READ_SAME:
        invariant(leaf->width == leaf->physical_width);
        if (count) memcpy(out, from, count * leaf->width);
        return true;
    case READ_TINYINT: case READ_SMALLINT: case READ_UINT8: case READ_UINT16: return convert_narrow(leaf, from, count, out, err);
    case READ_UINT32:
        for (size_t i = 0; i < count; i++) ((int64_t *)out)[i] = (uint32_t)load_i32(from + 4 * i);
        return true;
    case READ_MILLIS: return convert_millis(leaf, from, count, out, err);
    case READ_INT96: return convert_int96(leaf, from, count, out, err);
    default: return convert_decimal(leaf, from, count, out, err);
    }
}

/* --- reading of BYTE_ARRAY and FIXED values --- */

static bool next_bytes(const struct read_leaf *leaf, const uint8_t **at, const uint8_t *end, struct slice *out)
{
    size_t size = leaf->physical_width;
    if (size == 0) {
        if (end - *at < 4) return false;
        size = (uint32_t)load_i32(*at);
        *at += 4;
    }
    if (size > (size_t)(end - *at)) return false;
    *out = slice_of(*at, size);
    *at += size;
    return true;
}

static bool is_bytes(const struct read_leaf *leaf) { return leaf->transfer == READ_BYTES || leaf->transfer == READ_FIXED; }

static bool bytes_to_decimal(const struct read_leaf *leaf, struct slice value, int128 *out, struct error *err)
{
    if (load_big_endian(value.data, value.size, out)) return true;
    return error_set(err, COND_INLET_DAMAGED_FILE, "column [%s] has a decimal of more than 128 bits", leaf->path);
}

/* --- dictionaries --- */

static bool dictionary_of_bytes(struct value_reader *reader, const struct read_leaf *leaf, struct slice bytes, uint32_t count, struct error *err)
{
    const uint8_t *at = bytes.data, *end = bytes.data + bytes.size;
    for (uint32_t i = 0; i < count; i++) {
        struct slice value;
        if (!next_bytes(leaf, &at, end, &value)) return too_short(leaf, err);
        if (is_bytes(leaf)) ((struct slice *)reader->dictionary)[i] = value;
        else if (!bytes_to_decimal(leaf, value, &((int128 *)reader->dictionary)[i], err)) return false;
    }
    return true;
}

bool value_reader_dictionary(struct value_reader *reader, const struct read_leaf *leaf, struct slice bytes, uint32_t count,
                             struct budget *budget, struct error *err)
{
    reader->dictionary_count = 0;
    bool by_value = is_bytes(leaf) || leaf->transfer == READ_DECIMAL_BYTES;
    if (leaf->transfer == READ_BITS || leaf->transfer == READ_VOID)
        return leaf->transfer == READ_VOID || error_set(err, COND_INLET_DAMAGED_FILE, "boolean column [%s] has a dictionary", leaf->path);
    if (count > bytes.size / (leaf->physical_width ? leaf->physical_width : 4)) return too_short(leaf, err);
    size_t each = is_bytes(leaf) ? sizeof(struct slice) : leaf->width;
    if (!block_grow(budget, &reader->dictionary, (size_t)count * each + 1, err)) return false;
    bool done = by_value ? dictionary_of_bytes(reader, leaf, bytes, count, err) : convert(leaf, bytes.data, count, reader->dictionary, err);
    if (done) reader->dictionary_count = count;
    return done;
}

/* The next `count` indexes, each within the dictionary. */
static bool next_indexes(struct value_reader *reader, const struct read_leaf *leaf, uint32_t *out, size_t count, struct error *err)
{
    if (!run_decode(&reader->runs, out, count)) return too_short(leaf, err);
    for (size_t i = 0; i < count; i++)
        if (out[i] >= reader->dictionary_count)
            return error_set(err, COND_INLET_DAMAGED_FILE, "column [%s] refers to value %" PRIu32 " of a dictionary of %" PRIu32, leaf->path,
                             out[i], reader->dictionary_count);
    return true;
}

/* --- fixed-width columns --- */

static void gather(const void *dictionary, size_t width, const uint32_t *indexes, size_t count, void *out)
{
    for (size_t i = 0; i < count; i++)
        switch (width) {
        case 1: ((uint8_t *)out)[i] = ((const uint8_t *)dictionary)[indexes[i]]; break;
        case 2: ((uint16_t *)out)[i] = ((const uint16_t *)dictionary)[indexes[i]]; break;
        case 4: ((uint32_t *)out)[i] = ((const uint32_t *)dictionary)[indexes[i]]; break;
        case 8: ((uint64_t *)out)[i] = ((const uint64_t *)dictionary)[indexes[i]]; break;
        default: ((uint128 *)out)[i] = ((const uint128 *)dictionary)[indexes[i]]; break;
        }
}

static bool decode_fixed(struct value_reader *reader, const struct read_leaf *leaf, void *out, size_t count, struct error *err)
{
    uint32_t indexes[READ_BLOCK];
    if (reader->encoding == VALUES_DICTIONARY) {
        if (!next_indexes(reader, leaf, indexes, count, err)) return false;
        gather(reader->dictionary, leaf->width, indexes, count, out);
        return true;
    }
    if (leaf->transfer == READ_DECIMAL_BYTES) {
        for (size_t i = 0; i < count; i++) {
            struct slice value;
            if (!next_bytes(leaf, &reader->at, reader->end, &value)) return too_short(leaf, err);
            if (!bytes_to_decimal(leaf, value, &((int128 *)out)[i], err)) return false;
        }
        return true;
    }
    size_t size = count * leaf->physical_width;
    if (size > (size_t)(reader->end - reader->at)) return too_short(leaf, err);
    const uint8_t *from = reader->at;
    reader->at += size;
    return convert(leaf, from, count, out, err);
}

/* Dense values to their slots, from the back; null slots become zero. */
static void spread(uint8_t *values, size_t width, const uint8_t *valid, size_t slots, size_t present)
{
    for (size_t slot = slots; slot-- > 0;) {
        if (valid[slot]) {
            present--;
            if (present == slot) return; /* All in front are where they belong. */
            memcpy(values + slot * width, values + present * width, width);
        } else {
            memset(values + slot * width, 0, width);
        }
    }
}

/* --- booleans --- */

static bool append_bits(struct value_reader *reader, const struct read_leaf *leaf, struct column *column, const uint8_t *valid, size_t slots,
                        size_t present, struct error *err)
{
    uint32_t bits[READ_BLOCK];
    if (reader->encoding == VALUES_RUNS) {
        if (!run_decode(&reader->runs, bits, present)) return too_short(leaf, err);
    } else {
        if (present > (size_t)(reader->end - reader->at) * 8 - reader->bit) return too_short(leaf, err);
        for (size_t i = 0; i < present; i++) {
            bits[i] = *reader->at >> reader->bit & 1;
            reader->bit = (reader->bit + 1) & 7;
            reader->at += reader->bit == 0;
        }
    }
    uint8_t *values = column->values;
    for (size_t slot = 0, next = 0; slot < slots; slot++) {
        bool set = valid[slot] && bits[next++];
        if (set) bit_set(values, column->length + slot);
        else bit_clear(values, column->length + slot);
    }
    return true;
}

/* --- text --- */

static bool next_slices(struct value_reader *reader, const struct read_leaf *leaf, struct slice *out, size_t count, struct error *err)
{
    if (reader->encoding != VALUES_DICTIONARY) {
        for (size_t i = 0; i < count; i++)
            if (!next_bytes(leaf, &reader->at, reader->end, &out[i])) return too_short(leaf, err);
        return true;
    }
    uint32_t indexes[READ_BLOCK];
    if (!next_indexes(reader, leaf, indexes, count, err)) return false;
    for (size_t i = 0; i < count; i++) out[i] = ((const struct slice *)reader->dictionary)[indexes[i]];
    return true;
}

static bool append_bytes(struct value_reader *reader, const struct read_leaf *leaf, struct column *column, const uint8_t *valid, size_t slots,
                         size_t present, struct budget *budget, struct error *err)
{
    struct slice values[READ_BLOCK];
    if (!next_slices(reader, leaf, values, present, err)) return false;
    size_t end = (size_t)column->offsets[column->length], total = end;
    for (size_t i = 0; i < present; i++) total += values[i].size;
    if (!column_reserve_data(column, budget, total, err)) return false;
    int32_t *offsets = column->offsets + column->length + 1;
    for (size_t slot = 0, next = 0; slot < slots; slot++) {
        if (valid[slot]) {
            if (values[next].size) memcpy(column->data + end, values[next].data, values[next].size);
            end += values[next++].size;
        }
        offsets[slot] = (int32_t)end;
    }
    return true;
}

/* --- slots --- */

bool value_reader_append(struct value_reader *reader, const struct read_leaf *leaf, struct column *column, const uint8_t *valid,
                         size_t slots, size_t present, struct budget *budget, struct error *err)
{
    invariant(slots <= READ_BLOCK && present <= slots);
    if (slots > INT32_MAX - 1 - (size_t)column->length)
        return error_set(err, COND_INLET_RESOURCE, "the rows of a chunk have too many values in column [%s]", leaf->path);
    if (leaf->transfer == READ_VOID) {
        column->length += (uint32_t)slots;
        column->null_count += (uint32_t)slots;
        return true;
    }
    if (!column_reserve(column, budget, (size_t)column->length + slots, err)) return false;
    if (leaf->transfer == READ_BITS) {
        if (!append_bits(reader, leaf, column, valid, slots, present, err)) return false;
    } else if (is_bytes(leaf)) {
        if (!append_bytes(reader, leaf, column, valid, slots, present, budget, err)) return false;
    } else {
        uint8_t *values = (uint8_t *)column->values + (size_t)column->length * leaf->width;
        if (!decode_fixed(reader, leaf, values, present, err)) return false;
        if (present < slots) spread(values, leaf->width, valid, slots, present);
    }
    if (present < slots)
        for (size_t slot = 0; slot < slots; slot++)
            if (!valid[slot]) bit_clear(column->validity, column->length + slot);
    column->length += (uint32_t)slots;
    column->null_count += (uint32_t)(slots - present);
    return true;
}
