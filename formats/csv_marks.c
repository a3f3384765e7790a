/* csv_marks -- the scanner in scalar, AVX2 and AVX-512 form. */
#include "formats/csv_marks.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

static size_t marks_scalar(const uint8_t *text, size_t from, size_t size, const struct csv_marks *marks,
                           uint32_t *positions, size_t capacity, size_t *count)
{
    size_t found = 0;
    while (from < size && found + 64 <= capacity) {
        size_t stop = size - from < 64 ? size : from + 64;
        for (; from < stop; from++) {
            uint8_t byte = text[from];
            bool hit = byte == marks->bytes[0] || byte == marks->bytes[1] || byte == marks->bytes[2] || byte == marks->bytes[3];
            positions[found] = (uint32_t)from;
            found += hit;
        }
    }
    *count = found;
    return from;
}

#if defined(__x86_64__)
#define TARGET_AVX2 __attribute__((target("avx2,bmi,bmi2,lzcnt,popcnt")))
#define TARGET_AVX512 __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,bmi,bmi2,lzcnt,popcnt")))

/* Bits of the block that lie in the text. */
static ALWAYS_INLINE uint64_t within(uint64_t mask, size_t from, size_t size)
{
    return size - from < 64 ? mask & ((UINT64_C(1) << (size - from)) - 1) : mask;
}

/* Unrolled so that short runs cost no branch per position. The room for 64 positions is there. */
static ALWAYS_INLINE size_t put_positions(uint64_t mask, size_t from, uint32_t *positions)
{
    size_t count = (size_t)__builtin_popcountll(mask);
    for (size_t done = 0; done < count; done += 4)
        for (size_t i = 0; i < 4; i++) {
            positions[done + i] = (uint32_t)from + (mask ? (uint32_t)__builtin_ctzll(mask) : 0);
            mask &= mask - 1;
        }
    return count;
}

TARGET_AVX2 static size_t marks_avx2(const uint8_t *text, size_t from, size_t size, const struct csv_marks *marks,
                                     uint32_t *positions, size_t capacity, size_t *count)
{
    const __m256i a = _mm256_set1_epi8((char)marks->bytes[0]), b = _mm256_set1_epi8((char)marks->bytes[1]);
    const __m256i c = _mm256_set1_epi8((char)marks->bytes[2]), d = _mm256_set1_epi8((char)marks->bytes[3]);
    size_t found = 0;
    for (; from < size && found + 64 <= capacity; from += 64) {
        uint64_t mask = 0;
        for (unsigned half = 0; half < 2; half++) {
            __m256i bytes = _mm256_loadu_si256((const __m256i *)(const void *)(text + from + 32 * half));
            __m256i ab = _mm256_or_si256(_mm256_cmpeq_epi8(bytes, a), _mm256_cmpeq_epi8(bytes, b));
            __m256i cd = _mm256_or_si256(_mm256_cmpeq_epi8(bytes, c), _mm256_cmpeq_epi8(bytes, d));
            mask |= (uint64_t)(uint32_t)_mm256_movemask_epi8(_mm256_or_si256(ab, cd)) << (32 * half);
        }
        found += put_positions(within(mask, from, size), from, positions + found);
    }
    *count = found;
    return from < size ? from : size;
}

/* The same without a branch on how many there are. */
TARGET_AVX512 static ALWAYS_INLINE size_t put_positions_wide(uint64_t mask, size_t from, uint32_t *positions)
{
    size_t count = 0;
    __m512i at = _mm512_add_epi32(_mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15), _mm512_set1_epi32((int)from));
    for (unsigned part = 0; part < 4; part++) {
        __mmask16 hits = (__mmask16)(mask >> (16 * part));
        _mm512_storeu_si512(positions + count, _mm512_maskz_compress_epi32(hits, at));
        count += (size_t)__builtin_popcount(hits);
        at = _mm512_add_epi32(at, _mm512_set1_epi32(16));
    }
    return count;
}

TARGET_AVX512 static size_t marks_avx512(const uint8_t *text, size_t from, size_t size, const struct csv_marks *marks,
                                         uint32_t *positions, size_t capacity, size_t *count)
{
    const __m512i a = _mm512_set1_epi8((char)marks->bytes[0]), b = _mm512_set1_epi8((char)marks->bytes[1]);
    const __m512i c = _mm512_set1_epi8((char)marks->bytes[2]), d = _mm512_set1_epi8((char)marks->bytes[3]);
    size_t found = 0;
    for (; from < size && found + 64 <= capacity; from += 64) {
        __m512i bytes = _mm512_loadu_si512(text + from);
        uint64_t mask = _mm512_cmpeq_epi8_mask(bytes, a) | _mm512_cmpeq_epi8_mask(bytes, b) |
                        _mm512_cmpeq_epi8_mask(bytes, c) | _mm512_cmpeq_epi8_mask(bytes, d);
        found += put_positions_wide(within(mask, from, size), from, positions + found);
    }
    *count = found;
    return from < size ? from : size;
}
#endif

csv_marks_fn csv_marks_scanner(enum isa isa)
{
#if defined(__x86_64__)
    if (isa == ISA_AVX512) return marks_avx512;
    if (isa == ISA_AVX2) return marks_avx2;
#endif
    (void)isa;
    return marks_scalar;
}
