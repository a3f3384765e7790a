/* parquet_read_delta -- pages of the DELTA encodings and BYTE_STREAM_SPLIT, rewritten as PLAIN ones.
 *
 *   DELTA_BINARY_PACKED      header; blocks of a smallest delta, the widths of their miniblocks, bit-packed deltas
 *   DELTA_LENGTH_BYTE_ARRAY  lengths (as above), all bytes
 *   DELTA_BYTE_ARRAY         lengths of prefixes shared with the value before (as above), suffixes (as above)
 *   BYTE_STREAM_SPLIT        the first bytes of all values, the second ones, ...
 *
 * Spark writes them in pages v2, Arrow where asked to. A page at a time is rewritten, so all that follows knows one
 * encoding. The counts are the page's own; more than its header allows is damage. */
#include "formats/parquet_read.h"

enum { MINIBLOCKS_MAX = 1 << 12, BLOCK_VALUES_MAX = 1 << 20 };
enum { PLAIN_VALUES_MAX = 1 << 24, PLAIN_BYTES_MAX = 1 << 28 }; /* Of one page: a few bytes may stand for very many. */

static bool broken(const struct read_leaf *leaf, struct error *err)
{
    return error_set(err, COND_INLET_DAMAGED_FILE, "a page of column [%s] is not what its encoding asks for", leaf->path);
}

static bool take_varint(struct slice *in, uint64_t *out)
{
    *out = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        if (in->size == 0) return false;
        uint8_t byte = *in->data++;
        in->size--;
        *out |= (uint64_t)(byte & 0x7F) << shift;
        if (!(byte & 0x80)) return true;
    }
    return false;
}

static uint64_t unzigzag(uint64_t value) { return value >> 1 ^ (0 - (value & 1)); }

/* `width` bits from bit `at` on, lowest first. The bytes are there. */
static uint64_t bits_at(const uint8_t *bytes, uint64_t at, unsigned width)
{
    uint64_t value = 0;
    for (unsigned got = 0; got < width;) {
        unsigned skip = (unsigned)(at & 7), step = 8 - skip < width - got ? 8 - skip : width - got;
        value |= (uint64_t)(bytes[at >> 3] >> skip & ((1u << step) - 1)) << got;
        got += step;
        at += step;
    }
    return value;
}

struct packed {
    struct slice in;             /* Behind what was taken. */
    uint64_t count;              /* Of values. */
    uint64_t per_miniblock, miniblocks, first;
};

static bool packed_begin(struct packed *packed, struct slice bytes, uint64_t most)
{
    uint64_t block, zigzag;
    packed->in = bytes;
    if (!take_varint(&packed->in, &block) || !take_varint(&packed->in, &packed->miniblocks) || !take_varint(&packed->in, &packed->count) ||
        !take_varint(&packed->in, &zigzag))
        return false;
    if (packed->miniblocks == 0 || packed->miniblocks > MINIBLOCKS_MAX || block == 0 || block > BLOCK_VALUES_MAX || packed->count > most) return false;
    packed->per_miniblock = block / packed->miniblocks;
    packed->first = unzigzag(zigzag);
    return block % packed->miniblocks == 0 && packed->per_miniblock % 8 == 0;
}

/* All values, wrapping as Parquet has it. Only the miniblocks that hold values need to be there. */
static bool packed_decode(struct packed *packed, uint64_t *out)
{
    uint64_t done = 0, value = packed->first;
    if (packed->count) out[done++] = value;
    while (done < packed->count) {
        uint64_t smallest;
        if (!take_varint(&packed->in, &smallest) || packed->in.size < packed->miniblocks) return false;
        smallest = unzigzag(smallest);
        const uint8_t *widths = packed->in.data;
        packed->in = slice_of(packed->in.data + packed->miniblocks, packed->in.size - packed->miniblocks);
        for (uint64_t block = 0; block < packed->miniblocks && done < packed->count; block++) {
            unsigned width = widths[block];
            size_t size = (size_t)(packed->per_miniblock / 8 * width);
            if (width > 64 || size > packed->in.size) return false;
            for (uint64_t i = 0; i < packed->per_miniblock && done < packed->count; i++)
                out[done++] = value += smallest + bits_at(packed->in.data, i * width, width);
            packed->in = slice_of(packed->in.data + size, packed->in.size - size);
        }
    }
    return true;
}

/* Decodes into a block of their own; *rest is what follows. */
static bool integers(struct slice bytes, uint64_t most, struct budget *budget, uint64_t **out, uint64_t *count, struct slice *rest,
                     const struct read_leaf *leaf, struct error *err)
{
    struct packed packed;
    if (!packed_begin(&packed, bytes, most)) return broken(leaf, err);
    if (packed.count > PLAIN_VALUES_MAX)
        return error_set(err, COND_INLET_RESOURCE, "a page of column [%s] has more than %d values", leaf->path, PLAIN_VALUES_MAX);
    if (!block_grow(budget, (void **)out, (size_t)packed.count * sizeof **out + 1, err)) return false;
    if (!packed_decode(&packed, *out)) return broken(leaf, err);
    *count = packed.count;
    *rest = packed.in;
    return true;
}

static bool plain_integers(const struct read_leaf *leaf, const uint64_t *values, uint64_t count, struct budget *budget, void **plain, size_t *size,
                           struct error *err)
{
    size_t width = leaf->physical_width;
    if (leaf->physical != PARQUET_INT32 && leaf->physical != PARQUET_INT64) return broken(leaf, err);
    *size = (size_t)count * width;
    if (!block_grow(budget, plain, *size + 1, err)) return false;
    for (uint64_t i = 0; i < count; i++) memcpy((uint8_t *)*plain + i * width, &values[i], width); /* Little-endian: the low bytes. */
    return true;
}

/* Length and bytes of each value, as PLAIN has it; FIXED has no lengths. `prefixes` NULL: none. */
static bool plain_texts(const struct read_leaf *leaf, const uint64_t *prefixes, const uint64_t *lengths, uint64_t count, struct slice bytes,
                        struct budget *budget, void **plain, size_t *size, struct error *err)
{
    size_t head = leaf->physical_width ? 0 : 4, total = 0, before = 0;
    for (uint64_t i = 0; i < count; i++) {
        uint64_t prefix = prefixes ? prefixes[i] : 0;
        if (prefix > before || lengths[i] > bytes.size) return broken(leaf, err);
        bytes.size -= (size_t)lengths[i];
        before = (size_t)(prefix + lengths[i]);
        total += head + before;
        if (total > PLAIN_BYTES_MAX) return error_set(err, COND_INLET_RESOURCE, "a page of column [%s] has more than %d bytes", leaf->path, PLAIN_BYTES_MAX);
        if (leaf->physical_width && before != leaf->physical_width) return broken(leaf, err);
    }
    if (!block_grow(budget, plain, total + 1, err)) return false;
    uint8_t *at = *plain;
    const uint8_t *last = at;
    for (uint64_t i = 0; i < count; i++) {
        size_t prefix = prefixes ? (size_t)prefixes[i] : 0, suffix = (size_t)lengths[i];
        uint32_t whole = (uint32_t)(prefix + suffix);
        if (head) memcpy(at, &whole, head);
        at += head;
        if (prefix) memcpy(at, last, prefix);
        if (suffix) memcpy(at + prefix, bytes.data, suffix);
        bytes.data += suffix;
        last = at;
        at += whole;
    }
    *size = total;
    return true;
}

static bool plain_split(const struct read_leaf *leaf, struct slice bytes, struct budget *budget, void **plain, size_t *size, struct error *err)
{
    size_t width = leaf->physical_width, count = width ? bytes.size / width : 0;
    if (!width || bytes.size % width) return broken(leaf, err);
    if (!block_grow(budget, plain, bytes.size + 1, err)) return false;
    for (size_t byte = 0; byte < width; byte++)
        for (size_t i = 0; i < count; i++) ((uint8_t *)*plain)[i * width + byte] = bytes.data[byte * count + i];
    *size = bytes.size;
    return true;
}

static bool is_text(const struct read_leaf *leaf) { return leaf->physical == PARQUET_BYTE_ARRAY || leaf->physical == PARQUET_FIXED; }

bool plain_from_delta(const struct read_leaf *leaf, int32_t encoding, struct slice bytes, int64_t most, struct budget *budget, void **plain,
                      size_t *size, struct error *err)
{
    *size = 0;
    if (bytes.size == 0) return true; /* Nulls only. */
    if (encoding == PARQUET_BYTE_STREAM_SPLIT) return plain_split(leaf, bytes, budget, plain, size, err);
    uint64_t *first = NULL, *second = NULL, count = 0, other = 0;
    bool done = integers(bytes, (uint64_t)most, budget, &first, &count, &bytes, leaf, err);
    if (done && encoding == PARQUET_DELTA_BINARY_PACKED) {
        done = plain_integers(leaf, first, count, budget, plain, size, err);
    } else if (done && !is_text(leaf)) {
        done = broken(leaf, err);
    } else if (done && encoding == PARQUET_DELTA_LENGTH_BYTE_ARRAY) {
        done = plain_texts(leaf, NULL, first, count, bytes, budget, plain, size, err);
    } else if (done) {
        done = integers(bytes, (uint64_t)most, budget, &second, &other, &bytes, leaf, err) && (other == count || broken(leaf, err)) &&
               plain_texts(leaf, first, second, count, bytes, budget, plain, size, err);
    }
    block_release(first);
    block_release(second);
    return done;
}
