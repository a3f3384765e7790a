/* utf8 -- validation (scalar, SSSE3, AVX2), counting, repair and encoding of UTF-8.
 *
 * The scalar validator is the specification. The vector ones are the look-up method of Keiser and Lemire
 * ("Validating UTF-8 in less than one instruction per byte"): three 16-entry tables classify each
 * pair of neighbouring bytes, their common bits are the errors. The processor is asked once per
 * call (two loads and a compare); utf8_valid_with() lets a test force a variant. */
#include "base/utf8.h"
#include "base/utf8_internal.h"

/* Size of the well-formed sequence at p (left > 0 bytes), or 0; *bad is then the length of the maximal ill-formed part. */
static size_t sequence_at(const uint8_t *p, size_t left, size_t *bad)
{
    uint8_t lead = p[0];
    *bad = 1;
    if (lead < 0x80)
        return 1;
    if (lead < 0xC2 || lead > 0xF4)
        return 0;
    size_t size = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    uint8_t low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
    uint8_t high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
    if (left >= 2 && lead == 0xED && p[1] > high && p[1] <= 0xBF) /* Java takes a surrogate for one ill-formed part. */
        *bad = left >= 3 && (p[2] & 0xC0) == 0x80 ? 3 : 2;
    if (left < 2 || p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < size; i++) {
        *bad = i;
        if (left <= i || (p[i] & 0xC0) != 0x80)
            return 0;
    }
    return size;
}

static bool valid_scalar(const uint8_t *text, size_t size)
{
    size_t i = 0, bad;
    while (i < size) {
        uint64_t word;
        if (size - i >= 8 && (memcpy(&word, text + i, 8), (word & 0x8080808080808080u) == 0)) {
            i += 8;
            continue;
        }
        size_t step = sequence_at(text + i, size - i, &bad);
        if (step == 0)
            return false;
        i += step;
    }
    return true;
}

#if defined(__x86_64__)
#include <immintrin.h>

/* Bits of the tables: what a pair of bytes may be guilty of. */
enum {
    TOO_SHORT = 1 << 0,      /* 11______ 0_______ or 11______ 11______ */
    TOO_LONG = 1 << 1,       /* 0_______ 10______ */
    OVERLONG_3 = 1 << 2,     /* 11100000 100_____ */
    TOO_LARGE = 1 << 3,      /* 11110100 1001____ and above */
    SURROGATE = 1 << 4,      /* 11101101 101_____ */
    OVERLONG_2 = 1 << 5,     /* 1100000_ 10______ */
    TOO_LARGE_1000 = 1 << 6, /* 11110101 1000____ and above */
    OVERLONG_4 = 1 << 6,     /* 11110000 1000____ */
    TWO_CONTINUATIONS = 1 << 7,
    CARRY = TOO_SHORT | TOO_LONG | TWO_CONTINUATIONS
};

#define FIRST_HIGH \
    TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, (char)TWO_CONTINUATIONS, \
        (char)TWO_CONTINUATIONS, (char)TWO_CONTINUATIONS, (char)TWO_CONTINUATIONS, TOO_SHORT | OVERLONG_2, TOO_SHORT, \
        TOO_SHORT | OVERLONG_3 | SURROGATE, TOO_SHORT | TOO_LARGE | TOO_LARGE_1000 | OVERLONG_4
#define FIRST_LOW \
    (char)(CARRY | OVERLONG_3 | OVERLONG_2 | OVERLONG_4), (char)(CARRY | OVERLONG_2), (char)CARRY, (char)CARRY, \
        (char)(CARRY | TOO_LARGE), (char)(CARRY | TOO_LARGE | TOO_LARGE_1000), (char)(CARRY | TOO_LARGE | TOO_LARGE_1000), \
        (char)(CARRY | TOO_LARGE | TOO_LARGE_1000), (char)(CARRY | TOO_LARGE | TOO_LARGE_1000), \
        (char)(CARRY | TOO_LARGE | TOO_LARGE_1000), (char)(CARRY | TOO_LARGE | TOO_LARGE_1000), \
        (char)(CARRY | TOO_LARGE | TOO_LARGE_1000), (char)(CARRY | TOO_LARGE | TOO_LARGE_1000), \
        (char)(CARRY | TOO_LARGE | TOO_LARGE_1000 | SURROGATE), (char)(CARRY | TOO_LARGE | TOO_LARGE_1000), \
        (char)(CARRY | TOO_LARGE | TOO_LARGE_1000)
#define SECOND_HIGH \
    TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT, \
        (char)(TOO_LONG | OVERLONG_2 | TWO_CONTINUATIONS | OVERLONG_3 | TOO_LARGE_1000 | OVERLONG_4), \
        (char)(TOO_LONG | OVERLONG_2 | TWO_CONTINUATIONS | OVERLONG_3 | TOO_LARGE), \
        (char)(TOO_LONG | OVERLONG_2 | TWO_CONTINUATIONS | SURROGATE | TOO_LARGE), \
        (char)(TOO_LONG | OVERLONG_2 | TWO_CONTINUATIONS | SURROGATE | TOO_LARGE), TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT

/* The last three bytes of a block may start a sequence that goes on in the next block. */
#define LAST_THREE (char)0xEF, (char)0xDF, (char)0xBF

__attribute__((target("ssse3"))) static __m128i errors_ssse3(__m128i input, __m128i previous)
{
    const __m128i nibble = _mm_set1_epi8(0x0F), top = _mm_set1_epi8((char)0x80);
    const __m128i first_high = _mm_setr_epi8(FIRST_HIGH), first_low = _mm_setr_epi8(FIRST_LOW);
    const __m128i second_high = _mm_setr_epi8(SECOND_HIGH);
    __m128i one_back = _mm_alignr_epi8(input, previous, 15);
    __m128i special = _mm_and_si128(
        _mm_and_si128(_mm_shuffle_epi8(first_high, _mm_and_si128(_mm_srli_epi16(one_back, 4), nibble)),
                      _mm_shuffle_epi8(first_low, _mm_and_si128(one_back, nibble))),
        _mm_shuffle_epi8(second_high, _mm_and_si128(_mm_srli_epi16(input, 4), nibble)));
    __m128i third = _mm_subs_epu8(_mm_alignr_epi8(input, previous, 14), _mm_set1_epi8(0xE0 - 0x80));
    __m128i fourth = _mm_subs_epu8(_mm_alignr_epi8(input, previous, 13), _mm_set1_epi8(0xF0 - 0x80));
    return _mm_xor_si128(_mm_and_si128(_mm_or_si128(third, fourth), top), special);
}

__attribute__((target("ssse3"))) static bool valid_ssse3(const uint8_t *text, size_t size)
{
    const __m128i last = _mm_setr_epi8(-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, LAST_THREE);
    __m128i error = _mm_setzero_si128(), previous = _mm_setzero_si128(), incomplete = _mm_setzero_si128();
    uint8_t tail[16] = {0};
    size_t whole = size & ~(size_t)15;
    memcpy(tail, text + whole, size - whole);
    for (size_t i = 0; i <= whole; i += 16) {
        __m128i input = _mm_loadu_si128((const __m128i *)(const void *)(i < whole ? text + i : tail));
        if (_mm_movemask_epi8(input) == 0) {
            error = _mm_or_si128(error, incomplete);
            incomplete = _mm_setzero_si128();
        } else {
            error = _mm_or_si128(error, errors_ssse3(input, previous));
            incomplete = _mm_subs_epu8(input, last);
        }
        previous = input;
    }
    error = _mm_or_si128(error, incomplete);
    return _mm_movemask_epi8(_mm_cmpeq_epi8(error, _mm_setzero_si128())) == 0xFFFF;
}

__attribute__((target("avx2"))) static __m256i errors_avx2(__m256i input, __m256i previous)
{
    const __m256i nibble = _mm256_set1_epi8(0x0F), top = _mm256_set1_epi8((char)0x80);
    const __m256i first_high = _mm256_setr_epi8(FIRST_HIGH, FIRST_HIGH), first_low = _mm256_setr_epi8(FIRST_LOW, FIRST_LOW);
    const __m256i second_high = _mm256_setr_epi8(SECOND_HIGH, SECOND_HIGH);
    __m256i joint = _mm256_permute2x128_si256(previous, input, 0x21);
    __m256i one_back = _mm256_alignr_epi8(input, joint, 15);
    __m256i special = _mm256_and_si256(
        _mm256_and_si256(_mm256_shuffle_epi8(first_high, _mm256_and_si256(_mm256_srli_epi16(one_back, 4), nibble)),
                         _mm256_shuffle_epi8(first_low, _mm256_and_si256(one_back, nibble))),
        _mm256_shuffle_epi8(second_high, _mm256_and_si256(_mm256_srli_epi16(input, 4), nibble)));
    __m256i third = _mm256_subs_epu8(_mm256_alignr_epi8(input, joint, 14), _mm256_set1_epi8(0xE0 - 0x80));
    __m256i fourth = _mm256_subs_epu8(_mm256_alignr_epi8(input, joint, 13), _mm256_set1_epi8(0xF0 - 0x80));
    return _mm256_xor_si256(_mm256_and_si256(_mm256_or_si256(third, fourth), top), special);
}

__attribute__((target("avx2"))) static bool valid_avx2(const uint8_t *text, size_t size)
{
    const __m256i last = _mm256_setr_epi8(-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
                                          -1, -1, -1, -1, -1, -1, -1, LAST_THREE);
    __m256i error = _mm256_setzero_si256(), previous = error, incomplete = error;
    uint8_t tail[32] = {0};
    size_t whole = size & ~(size_t)31;
    memcpy(tail, text + whole, size - whole);
    for (size_t i = 0; i <= whole; i += 32) {
        __m256i input = _mm256_loadu_si256((const __m256i *)(const void *)(i < whole ? text + i : tail));
        if (_mm256_movemask_epi8(input) == 0) {
            error = _mm256_or_si256(error, incomplete);
            incomplete = _mm256_setzero_si256();
        } else {
            error = _mm256_or_si256(error, errors_avx2(input, previous));
            incomplete = _mm256_subs_epu8(input, last);
        }
        previous = input;
    }
    error = _mm256_or_si256(error, incomplete);
    return _mm256_testz_si256(error, error);
}

static bool supported(enum utf8_variant variant)
{
    if (variant == UTF8_AVX2)
        return __builtin_cpu_supports("avx2") != 0;
    return variant == UTF8_SCALAR || __builtin_cpu_supports("ssse3") != 0;
}
#else
static bool supported(enum utf8_variant variant) { return variant == UTF8_SCALAR; }
static bool valid_ssse3(const uint8_t *text, size_t size) { return valid_scalar(text, size); }
static bool valid_avx2(const uint8_t *text, size_t size) { return valid_scalar(text, size); }
#endif

bool utf8_valid_with(enum utf8_variant variant, const uint8_t *text, size_t size, bool *valid)
{
    if (!supported(variant))
        return false;
    *valid = variant == UTF8_AVX2 ? valid_avx2(text, size) : variant == UTF8_SSSE3 ? valid_ssse3(text, size) : valid_scalar(text, size);
    return true;
}

bool utf8_valid(const uint8_t *text, size_t size)
{
    if (size < 32)
        return valid_scalar(text, size);
    if (LIKELY(supported(UTF8_AVX2)))
        return valid_avx2(text, size);
    return supported(UTF8_SSSE3) ? valid_ssse3(text, size) : valid_scalar(text, size);
}

bool utf8_is_ascii(const uint8_t *text, size_t size)
{
    uint64_t all = 0, word;
    size_t i = 0;
    for (; i + 8 <= size; i += 8) {
        memcpy(&word, text + i, 8);
        all |= word;
    }
    for (; i < size; i++)
        all |= (uint64_t)text[i];
    return (all & 0x8080808080808080u) == 0;
}

size_t utf8_count(const uint8_t *text, size_t size)
{
    size_t count = 0;
    for (size_t i = 0; i < size; i++)
        count += (text[i] & 0xC0) != 0x80;
    return count;
}

void utf8_repair(struct buffer *out, const uint8_t *text, size_t size)
{
    size_t i = 0, start = 0, bad;
    while (i < size) {
        size_t step = sequence_at(text + i, size - i, &bad);
        if (step) {
            i += step;
            continue;
        }
        buffer_append(out, text + start, i - start);
        buffer_append(out, "\xEF\xBF\xBD", 3);
        i += bad;
        start = i;
    }
    buffer_append(out, text + start, i - start);
}

size_t utf8_encode(uint32_t code_point, uint8_t out[4])
{
    if (code_point < 0x80) {
        out[0] = (uint8_t)code_point;
        return 1;
    }
    size_t size = code_point < 0x800 ? 2 : code_point < 0x10000 ? 3 : 4;
    for (size_t i = size - 1; i > 0; i--) {
        out[i] = (uint8_t)(0x80 | (code_point & 0x3F));
        code_point >>= 6;
    }
    out[0] = (uint8_t)(0xF00 >> size | code_point);
    return size;
}

uint32_t utf8_next(const uint8_t **at, const uint8_t *end)
{
    const uint8_t *p = *at;
    size_t bad, size = sequence_at(p, (size_t)(end - p), &bad);
    *at += size ? size : bad;
    switch (size) {
    case 0:
        return 0xFFFD;
    case 1:
        return p[0];
    case 2:
        return (uint32_t)(p[0] & 0x1F) << 6 | (p[1] & 0x3F);
    case 3:
        return (uint32_t)(p[0] & 0x0F) << 12 | (uint32_t)(p[1] & 0x3F) << 6 | (p[2] & 0x3F);
    default:
        return (uint32_t)(p[0] & 0x07) << 18 | (uint32_t)(p[1] & 0x3F) << 12 | (uint32_t)(p[2] & 0x3F) << 6 | (p[3] & 0x3F);
    }
}
