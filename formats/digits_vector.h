/* digits_vector -- fast_number() by vectors: one load finds where the parts of a number end, another gives sixteen digits their value.
 *
 * They report what fast_number() (digits.h) reports, their specification, and leave to it what is longer than they see. Reads past the
 * number, never more than 64 bytes behind the text. */
#pragma once
#include "formats/digits.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define DIGITS_AVX2 __attribute__((target("avx2,bmi,bmi2,lzcnt,popcnt")))
#define DIGITS_AVX512 __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,bmi,bmi2,lzcnt,popcnt")))

enum { DIGITS_AT_ONCE = 16, DIGITS_SEEN_MAX = 19 };

/* From `count` on: moves that many bytes to the end of the vector, and zeros before them. */
static UNUSED const uint8_t digits_slide[2 * DIGITS_AT_ONCE] = {
    0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};

/* One bit for each of the 32 bytes at p that is no digit. */
DIGITS_AVX2 static ALWAYS_INLINE uint32_t no_digits_avx2(const uint8_t *p)
{
    __m256i digits = _mm256_sub_epi8(_mm256_loadu_si256((const __m256i *)(const void *)p), _mm256_set1_epi8('0'));
    return ~(uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(_mm256_min_epu8(digits, _mm256_set1_epi8(9)), digits));
}

DIGITS_AVX512 static ALWAYS_INLINE uint32_t no_digits_avx512(const uint8_t *p)
{
    __m256i digits = _mm256_sub_epi8(_mm256_loadu_si256((const __m256i *)(const void *)p), _mm256_set1_epi8('0'));
    return _mm256_cmpgt_epu8_mask(digits, _mm256_set1_epi8(9));
}

/* The bytes at p without the point at `whole`. */
DIGITS_AVX2 static ALWAYS_INLINE __m128i without_point(const uint8_t *p, unsigned whole)
{
    const __m128i places = _mm_setr_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    __m128i before = _mm_loadu_si128((const __m128i *)(const void *)p), behind = _mm_loadu_si128((const __m128i *)(const void *)(p + 1));
    return _mm_blendv_epi8(behind, before, _mm_cmpgt_epi8(_mm_set1_epi8((char)whole), places));
}

/* The value of the first `count` bytes, which are digits. */
DIGITS_AVX2 static ALWAYS_INLINE uint64_t digits_value(__m128i text, unsigned count)
{
    __m128i digits = _mm_sub_epi8(text, _mm_set1_epi8('0'));
    __m128i aligned = _mm_shuffle_epi8(digits, _mm_loadu_si128((const __m128i *)(const void *)(digits_slide + count)));
    __m128i twos = _mm_maddubs_epi16(aligned, _mm_set1_epi16(10 | 1 << 8));
    __m128i fours = _mm_madd_epi16(twos, _mm_set1_epi32(100 | 1 << 16));
    __m128i eights = _mm_madd_epi16(_mm_packus_epi32(fours, fours), _mm_set1_epi32(10000 | 1 << 16));
    uint64_t halves = (uint64_t)_mm_cvtsi128_si64(eights);
    return (halves & UINT32_MAX) * 100000000 + (halves >> 32);
}

/* Too long for the vectors, or no number. */
static NO_INLINE UNUSED const uint8_t *other_number(const uint8_t *p, struct fast_number *number) { return fast_number(p, number); }

/* `others`: of the bytes from the first digit on, those that are none. Inlined under either instruction set. */
DIGITS_AVX2 static ALWAYS_INLINE const uint8_t *vector_number(const uint8_t *p, bool negative, uint32_t others, struct fast_number *number)
{
    unsigned whole = _tzcnt_u32(others), all = whole;
    if (UNLIKELY(whole == 0 || whole > DIGITS_SEEN_MAX - 1)) return other_number(p - negative, number);
    if (UNLIKELY(*p == '0' && whole > 1)) return NULL;
    const uint8_t *end = p + whole, *rest = p + DIGITS_AT_ONCE;
    __m128i text;
    bool integer = *end != '.';
    if (integer) {
        text = _mm_loadu_si128((const __m128i *)(const void *)p);
    } else {
        all = _tzcnt_u32(others & (others - 1)) - 1;
        if (UNLIKELY(all == whole)) return NULL;
        if (UNLIKELY(all > DIGITS_SEEN_MAX || whole > DIGITS_AT_ONCE)) return other_number(p - negative, number);
        text = without_point(p, whole);
        rest++;
        end = p + all + 1;
    }
    uint64_t mantissa, last;
    if (all <= DIGITS_AT_ONCE) {
        mantissa = digits_value(text, all);
    } else {
        unsigned count = leading_digits(load_64(rest), &last);
        mantissa = digits_value(text, DIGITS_AT_ONCE) * powers_of_ten[count] + last;
    }
    *number = (struct fast_number){.mantissa = mantissa, .exponent = (int32_t)whole - (int32_t)all, .digits = all, .negative = negative, .integer = integer, .big = all > 18};
    return UNLIKELY((*end | 0x20) == 'e') ? add_exponent(end, number) : end;
}

DIGITS_AVX2 static ALWAYS_INLINE const uint8_t *number_avx2(const uint8_t *p, struct fast_number *number)
{
    bool negative = *p == '-';
    return vector_number(p + negative, negative, no_digits_avx2(p) >> negative, number);
}

DIGITS_AVX512 static ALWAYS_INLINE const uint8_t *number_avx512(const uint8_t *p, struct fast_number *number)
{
    bool negative = *p == '-';
    return vector_number(p + negative, negative, no_digits_avx512(p) >> negative, number);
}
#endif
