/* parquet_bounds -- the smallest and the largest value of a leaf, while it is written.
 *
 * Signed order for numbers, bytewise for text. A reader that skips by these bounds must never lose a
 * row: -0 and +0 count as equal (the minimum is written as -0, the maximum as +0), a NaN anywhere means
 * no bounds, cut text is rounded outwards. */
#include "formats/parquet_levels.h"
#include "formats/parquet_values.h"
#include "base/panic.h"

#include <math.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

/* Four chains, so that a compare need not wait for the one before. */
#define RANGE(name, element, wide)                                                              \
    static void name(const element *values, size_t count, wide *minimum, wide *maximum)         \
    {                                                                                           \
        element low[4], high[4];                                                                \
        for (int k = 0; k < 4; k++) low[k] = high[k] = values[0];                               \
        size_t i = 0;                                                                           \
        for (; i + 4 <= count; i += 4) {                                                        \
            for (int k = 0; k < 4; k++) {                                                       \
                element value = values[i + (size_t)k];                                          \
                low[k] = value < low[k] ? value : low[k];                                       \
                high[k] = value > high[k] ? value : high[k];                                    \
            }                                                                                   \
        }                                                                                       \
        for (; i < count; i++) {                                                                \
            low[0] = values[i] < low[0] ? values[i] : low[0];                                   \
            high[0] = values[i] > high[0] ? values[i] : high[0];                                \
        }                                                                                       \
        for (int k = 1; k < 4; k++) {                                                           \
            low[0] = low[k] < low[0] ? low[k] : low[0];                                         \
            high[0] = high[k] > high[0] ? high[k] : high[0];                                    \
        }                                                                                       \
        *minimum = low[0];                                                                      \
        *maximum = high[0];                                                                     \
    }
RANGE(range_int32, int32_t, int64_t)
RANGE(range_int64, int64_t, int64_t)
RANGE(range_float, float, double)
RANGE(range_double, double, double)
#undef RANGE

static bool has_nan_float(const float *values, size_t count)
{
    bool found = false;
    for (size_t i = 0; i < count; i++) found |= values[i] != values[i];
    return found;
}

static bool has_nan_double(const double *values, size_t count)
{
    bool found = false;
    for (size_t i = 0; i < count; i++) found |= values[i] != values[i];
    return found;
}

#if defined(__x86_64__)
#define TARGET_AVX512 __attribute__((target("avx512f,avx512vl,avx512dq,avx512bw")))

/* The same with eight values at a time; the last ones come with eight that are known already. */
TARGET_AVX512 static void range_int64_avx512(const int64_t *values, size_t count, int64_t *minimum, int64_t *maximum)
{
    __m512i low = _mm512_set1_epi64(values[0]), high = low;
    for (size_t i = 0; i < count; i += 8) {
        __mmask8 there = count - i < 8 ? (__mmask8)((1u << (count - i)) - 1) : 0xff;
        __m512i some = _mm512_mask_loadu_epi64(low, there, values + i);
        low = _mm512_min_epi64(low, some);
        high = _mm512_max_epi64(high, some);
    }
    *minimum = _mm512_reduce_min_epi64(low);
    *maximum = _mm512_reduce_max_epi64(high);
}

/* True: there is a NaN, and the range means nothing. */
TARGET_AVX512 static bool range_double_avx512(const double *values, size_t count, double *minimum, double *maximum)
{
    __m512d low = _mm512_set1_pd(values[0]), high = low;
    __mmask8 odd = 0;
    for (size_t i = 0; i < count; i += 8) {
        __mmask8 there = count - i < 8 ? (__mmask8)((1u << (count - i)) - 1) : 0xff;
        __m512d some = _mm512_mask_loadu_pd(low, there, values + i);
        odd |= _mm512_cmp_pd_mask(some, some, _CMP_UNORD_Q);
        low = _mm512_min_pd(low, some);
        high = _mm512_max_pd(high, some);
    }
    *minimum = _mm512_reduce_min_pd(low);
    *maximum = _mm512_reduce_max_pd(high);
    return odd != 0;
}
#else
static void range_int64_avx512(const int64_t *values, size_t count, int64_t *minimum, int64_t *maximum) { range_int64(values, count, minimum, maximum); }
static bool range_double_avx512(const double *values, size_t count, double *minimum, double *maximum)
{
    range_double(values, count, minimum, maximum);
    return has_nan_double(values, count);
}
#endif

static void merge_integer(struct bounds *bounds, int64_t minimum, int64_t maximum)
{
    if (!bounds->any || minimum < bounds->integer.minimum) bounds->integer.minimum = minimum;
    if (!bounds->any || maximum > bounds->integer.maximum) bounds->integer.maximum = maximum;
}

static void add_real(struct bounds *bounds, const struct parquet_leaf *leaf, const void *values, uint32_t start, uint32_t count)
{
    double minimum, maximum;
    if (leaf->physical == PARQUET_FLOAT) {
        bounds->unordered |= has_nan_float((const float *)values + start, count);
        range_float((const float *)values + start, count, &minimum, &maximum);
    } else if (bounds->isa == ISA_AVX512) {
        bounds->unordered |= range_double_avx512((const double *)values + start, count, &minimum, &maximum);
    } else {
        bounds->unordered |= has_nan_double((const double *)values + start, count);
        range_double((const double *)values + start, count, &minimum, &maximum);
    }
    if (!bounds->any || minimum < bounds->real.minimum) bounds->real.minimum = minimum;
    if (!bounds->any || maximum > bounds->real.maximum) bounds->real.maximum = maximum;
}

static void add_integers(struct bounds *bounds, const struct dense *dense, uint32_t start, uint32_t count)
{
    int64_t minimum, maximum;
    if (dense->kind == DENSE_4) range_int32((const int32_t *)dense->values + start, count, &minimum, &maximum);
    else if (bounds->isa == ISA_AVX512) range_int64_avx512((const int64_t *)dense->values + start, count, &minimum, &maximum);
    else range_int64((const int64_t *)dense->values + start, count, &minimum, &maximum);
    merge_integer(bounds, minimum, maximum);
}

static void add_wide(struct bounds *bounds, const int128 *values, uint32_t count)
{
    int128 minimum = bounds->any ? bounds->wide.minimum : values[0], maximum = bounds->any ? bounds->wide.maximum : values[0];
    for (uint32_t i = 0; i < count; i++) {
        minimum = values[i] < minimum ? values[i] : minimum;
        maximum = values[i] > maximum ? values[i] : maximum;
    }
    bounds->wide.minimum = minimum;
    bounds->wide.maximum = maximum;
}

static void add_bits(struct bounds *bounds, const uint8_t *bits, uint32_t start, uint32_t count)
{
    size_t set = bits_count(bits, start, count);
    merge_integer(bounds, set == count, set > 0);
}

/* ---- text ---- */

static uint64_t prefix_of(const uint8_t *bytes, size_t size)
{
    uint64_t word = 0;
    memcpy(&word, bytes, size < 8 ? size : 8);
    return __builtin_bswap64(word);
}

/* Order of the value's first BOUND_SIZE_MAX bytes against the bound's. */
static int compare_bytes(const uint8_t *bytes, size_t size, const struct bound_bytes *bound)
{
    if (size > BOUND_SIZE_MAX) size = BOUND_SIZE_MAX;
    size_t common = size < bound->size ? size : bound->size;
    int order = common ? memcmp(bytes, bound->bytes, common) : 0;
    return order ? order : (size > bound->size) - (size < bound->size);
}

static void keep_bytes(struct bound_bytes *bound, const uint8_t *bytes, size_t size, uint64_t prefix)
{
    bound->cut = size > BOUND_SIZE_MAX;
    bound->size = (uint32_t)(bound->cut ? BOUND_SIZE_MAX : size);
    bound->prefix = prefix;
    if (bound->size) memcpy(bound->bytes, bytes, bound->size);
}

static ALWAYS_INLINE void add_text(struct bounds *bounds, const uint8_t *bytes, size_t size, uint64_t prefix)
{
    struct bound_bytes *minimum = &bounds->bytes.minimum, *maximum = &bounds->bytes.maximum;
    if (UNLIKELY(prefix <= minimum->prefix)) {
        int order = prefix < minimum->prefix ? -1 : compare_bytes(bytes, size, minimum);
        if (order < 0) keep_bytes(minimum, bytes, size, prefix);
    }
    if (UNLIKELY(prefix >= maximum->prefix)) {
        int order = prefix > maximum->prefix ? 1 : compare_bytes(bytes, size, maximum);
        if (order > 0) keep_bytes(maximum, bytes, size, prefix);
        else if (order == 0) maximum->cut |= size > BOUND_SIZE_MAX; /* Same kept bytes, but this one goes on. */
    }
}

void bounds_add_bytes(struct bounds *bounds, const uint8_t *bytes, size_t size)
{
    uint64_t prefix = prefix_of(bytes, size);
    if (!bounds->any) {
        keep_bytes(&bounds->bytes.minimum, bytes, size, prefix);
        keep_bytes(&bounds->bytes.maximum, bytes, size, prefix);
        bounds->any = true;
    }
    add_text(bounds, bytes, size, prefix);
}

static void add_texts(struct bounds *bounds, const struct dense *dense, uint32_t start, uint32_t count)
{
    const int32_t *offsets = dense->offsets + start;
    bounds_add_bytes(bounds, dense->data + offsets[0], (size_t)(offsets[1] - offsets[0]));
    for (uint32_t i = 1; i < count; i++) {
        const uint8_t *bytes = dense->data + offsets[i];
        size_t size = (size_t)(offsets[i + 1] - offsets[i]);
        uint64_t word; /* 64 bytes behind the text are readable. */
        memcpy(&word, bytes, 8);
        word = __builtin_bswap64(word);
        if (size < 8) word = size ? word & ~(UINT64_MAX >> (8 * size)) : 0;
        add_text(bounds, bytes, size, word);
    }
}

void bounds_add(struct bounds *bounds, const struct parquet_leaf *leaf, const struct dense *dense, uint32_t start, uint32_t count)
{
    if (count == 0) return;
    switch (dense->kind) {
    case DENSE_VOID: return;
    case DENSE_BITS: add_bits(bounds, dense->values, start, count); break;
    case DENSE_4:
    case DENSE_8:
        if (leaf->physical == PARQUET_FLOAT || leaf->physical == PARQUET_DOUBLE) add_real(bounds, leaf, dense->values, start, count);
        else add_integers(bounds, dense, start, count);
        break;
    case DENSE_16: add_wide(bounds, (const int128 *)dense->values + start, count); break;
    case DENSE_BYTES: add_texts(bounds, dense, start, count); break;
    }
    bounds->any = true;
}

/* ---- what is kept of them ---- */

static void set_buffer(struct buffer *buffer, const void *value, size_t size)
{
    buffer_clear(buffer);
    buffer_append(buffer, value, size);
}

static void finish_integer(const struct bounds *bounds, const struct parquet_leaf *leaf, struct leaf_stats *stats)
{
    int64_t unit = leaf->transfer == PARQUET_TRANSFER_MILLIS ? 1000 : 1;
    int128 minimum = (int128)bounds->integer.minimum * unit, maximum = (int128)bounds->integer.maximum * unit;
    if (minimum < INT64_MIN) minimum = INT64_MIN; /* Rounding down to milliseconds at the very end of time. */
    size_t width = leaf->type->kind == TYPE_BOOLEAN ? 1 : type_width(leaf->type->kind);
    set_buffer(&stats->minimum, &minimum, width); /* Little-endian: the low bytes are the narrower value. */
    set_buffer(&stats->maximum, &maximum, width);
}

static void finish_real(const struct bounds *bounds, const struct parquet_leaf *leaf, struct leaf_stats *stats)
{
    double minimum = bounds->real.minimum == 0 ? -0.0 : bounds->real.minimum;
    double maximum = bounds->real.maximum == 0 ? 0.0 : bounds->real.maximum;
    if (leaf->physical == PARQUET_DOUBLE) {
        set_buffer(&stats->minimum, &minimum, 8);
        set_buffer(&stats->maximum, &maximum, 8);
        return;
    }
    float low = (float)minimum, high = (float)maximum;
    set_buffer(&stats->minimum, &low, 4);
    set_buffer(&stats->maximum, &high, 4);
}

static bool is_continuation(uint8_t byte) { return (byte & 0xC0) == 0x80; }

/* Where a prefix ends between characters: drops a character that the cut went through. */
static size_t whole_characters(const uint8_t *text, size_t size)
{
    size_t start = size;
    while (start > 0 && size - start < 3 && is_continuation(text[start - 1])) start--;
    if (start == 0 || text[start - 1] < 0xC0) return size;
    size_t length = text[start - 1] >= 0xF0 ? 4 : text[start - 1] >= 0xE0 ? 3 : 2;
    return size - start + 1 == length ? size : start - 1;
}

/* The character at the end of `text`, or false where there is none of well-formed UTF-8. */
static bool last_character(const uint8_t *text, size_t size, size_t *start, uint32_t *code)
{
    size_t at = size - 1;
    while (at > 0 && size - at < 4 && is_continuation(text[at])) at--;
    size_t length = size - at;
    uint8_t lead = text[at];
    *start = at;
    if (length == 1 && lead < 0x80) *code = lead;
    else if (length == 2 && (lead & 0xE0) == 0xC0) *code = lead & 0x1Fu;
    else if (length == 3 && (lead & 0xF0) == 0xE0) *code = lead & 0x0Fu;
    else if (length == 4 && (lead & 0xF8) == 0xF0) *code = lead & 0x07u;
    else return false;
    for (size_t i = at + 1; i < size; i++) *code = *code << 6 | (text[i] & 0x3Fu);
    return true;
}

static size_t put_character(uint8_t *at, uint32_t code)
{
    if (code < 0x80) {
        at[0] = (uint8_t)code;
        return 1;
    }
    if (code < 0x800) {
        at[0] = (uint8_t)(0xC0 | code >> 6);
        at[1] = (uint8_t)(0x80 | (code & 0x3F));
        return 2;
    }
    if (code < 0x10000) {
        at[0] = (uint8_t)(0xE0 | code >> 12);
        at[1] = (uint8_t)(0x80 | (code >> 6 & 0x3F));
        at[2] = (uint8_t)(0x80 | (code & 0x3F));
        return 3;
    }
    at[0] = (uint8_t)(0xF0 | code >> 18);
    at[1] = (uint8_t)(0x80 | (code >> 12 & 0x3F));
    at[2] = (uint8_t)(0x80 | (code >> 6 & 0x3F));
    at[3] = (uint8_t)(0x80 | (code & 0x3F));
    return 4;
}

/* The smallest text of whole characters above everything that starts with `text`; 0: there is none. */
static size_t round_up_text(uint8_t *text, size_t size)
{
    while (size > 0) {
        size_t start;
        uint32_t code;
        if (!last_character(text, size, &start, &code)) return 0;
        code = code + 1 == 0xD800 ? 0xE000 : code + 1; /* Surrogates are no characters. */
        uint8_t bytes[4];
        if (code <= 0x10FFFF && start + put_character(bytes, code) <= BOUND_SIZE_MAX) return start + put_character(text + start, code);
        size = start;
    }
    return 0;
}

static size_t round_up_bytes(uint8_t *bytes, size_t size)
{
    while (size > 0 && bytes[size - 1] == 0xFF) size--;
    if (size > 0) bytes[size - 1]++;
    return size;
}

static bool finish_bytes(const struct bounds *bounds, const struct parquet_leaf *leaf, struct leaf_stats *stats)
{
    const struct bound_bytes *minimum = &bounds->bytes.minimum;
    struct bound_bytes maximum = bounds->bytes.maximum;
    size_t low = minimum->size, high = maximum.size;
    if (minimum->cut && leaf->is_text) low = whole_characters(minimum->bytes, low);
    if (maximum.cut) {
        if (leaf->is_text) high = round_up_text(maximum.bytes, whole_characters(maximum.bytes, high));
        else high = round_up_bytes(maximum.bytes, high);
        if (high == 0) return false;
    }
    set_buffer(&stats->minimum, minimum->bytes, low);
    set_buffer(&stats->maximum, maximum.bytes, high);
    stats->minimum_cut = minimum->cut;
    stats->maximum_cut = maximum.cut;
    return true;
}

void bounds_finish(const struct bounds *bounds, const struct parquet_leaf *leaf, struct leaf_stats *stats)
{
    stats->has_bounds = bounds->any && !bounds->unordered;
    stats->minimum_cut = stats->maximum_cut = false;
    if (!stats->has_bounds) return;
    if (leaf->transfer == PARQUET_TRANSFER_BYTES) {
        stats->has_bounds = finish_bytes(bounds, leaf, stats);
    } else if (leaf->transfer == PARQUET_TRANSFER_FIXED) {
        set_buffer(&stats->minimum, &bounds->wide.minimum, 16);
        set_buffer(&stats->maximum, &bounds->wide.maximum, 16);
    } else if (leaf->physical == PARQUET_FLOAT || leaf->physical == PARQUET_DOUBLE) {
        finish_real(bounds, leaf, stats);
    } else {
        finish_integer(bounds, leaf, stats);
    }
}

/* Sign-extends a bound of 1 to 16 bytes. */
static int128 bound_integer(const struct buffer *bound)
{
    uint128 value = 0;
    invariant(bound->size >= 1 && bound->size <= 16);
    memcpy(&value, bound->data, bound->size);
    unsigned unused = 128 - 8 * (unsigned)bound->size;
    return (int128)(value << unused) >> unused;
}

static double bound_real(const struct buffer *bound)
{
    float single;
    double real;
    if (bound->size == 4) {
        memcpy(&single, bound->data, 4);
        return (double)single;
    }
    memcpy(&real, bound->data, 8);
    return real;
}

void bound_print(const struct parquet_leaf *leaf, const struct buffer *bound, struct buffer *out)
{
    if (leaf->transfer == PARQUET_TRANSFER_BYTES || leaf->transfer == PARQUET_TRANSFER_BITS || leaf->transfer == PARQUET_TRANSFER_SAME) {
        buffer_append(out, bound->data, bound->size);
        return;
    }
    int128 value = bound_integer(bound);
    if (leaf->transfer == PARQUET_TRANSFER_FIXED) {
        for (int32_t i = leaf->type_length - 1; i >= 0; i--) buffer_byte(out, (uint8_t)(value >> (8 * i)));
        return;
    }
    if (leaf->transfer == PARQUET_TRANSFER_MILLIS) value = value / 1000 - (value % 1000 < 0);
    buffer_append(out, &value, plain_width(leaf));
}

int bound_compare(const struct parquet_leaf *leaf, const struct buffer *a, const struct buffer *b)
{
    if (leaf->transfer == PARQUET_TRANSFER_BYTES) {
        size_t common = a->size < b->size ? a->size : b->size;
        int order = common ? memcmp(a->data, b->data, common) : 0;
        return order ? order : (a->size > b->size) - (a->size < b->size);
    }
    if (leaf->physical == PARQUET_FLOAT || leaf->physical == PARQUET_DOUBLE) {
        double x = bound_real(a), y = bound_real(b);
        return (x > y) - (x < y);
    }
    int128 x = bound_integer(a), y = bound_integer(b);
    return (x > y) - (x < y);
}
