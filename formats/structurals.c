/* structurals -- scanners in scalar, AVX2 and AVX-512 form, and the choice between them. */
#include "formats/structurals.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

static size_t line_end_scalar(const uint8_t *text, size_t from, size_t size)
{
    while (from < size && text[from] != '\n' && text[from] != '\r') from++;
    return from;
}

static size_t string_end_scalar(const uint8_t *text, size_t from, size_t size)
{
    while (from < size && text[from] != '"' && text[from] != '\\' && text[from] >= 0x20) from++;
    return from;
}

#if defined(__x86_64__)
#define TARGET_AVX2 __attribute__((target("avx2,bmi,bmi2,lzcnt,popcnt")))
#define TARGET_AVX512 __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,bmi,bmi2,lzcnt,popcnt")))

TARGET_AVX2 static size_t line_end_avx2(const uint8_t *text, size_t from, size_t size)
{
    const __m256i feed = _mm256_set1_epi8('\n'), carriage = _mm256_set1_epi8('\r');
    for (; from < size; from += 32) {
        __m256i bytes = _mm256_loadu_si256((const __m256i *)(const void *)(text + from));
        __m256i hits = _mm256_or_si256(_mm256_cmpeq_epi8(bytes, feed), _mm256_cmpeq_epi8(bytes, carriage));
        unsigned mask = (unsigned)_mm256_movemask_epi8(hits);
        if (!mask) continue;
        size_t found = from + (size_t)__builtin_ctz(mask);
        return found < size ? found : size;
    }
    return size;
}

TARGET_AVX2 static size_t string_end_avx2(const uint8_t *text, size_t from, size_t size)
{
    const __m256i quote = _mm256_set1_epi8('"'), backslash = _mm256_set1_epi8('\\'), control = _mm256_set1_epi8(0x1f);
    for (; from < size; from += 32) {
        __m256i bytes = _mm256_loadu_si256((const __m256i *)(const void *)(text + from));
        __m256i hits = _mm256_or_si256(_mm256_cmpeq_epi8(bytes, quote), _mm256_cmpeq_epi8(bytes, backslash));
        hits = _mm256_or_si256(hits, _mm256_cmpeq_epi8(_mm256_min_epu8(bytes, control), bytes));
        unsigned mask = (unsigned)_mm256_movemask_epi8(hits);
        if (!mask) continue;
        size_t found = from + (size_t)__builtin_ctz(mask);
        return found < size ? found : size;
    }
    return size;
}

TARGET_AVX512 static size_t line_end_avx512(const uint8_t *text, size_t from, size_t size)
{
    const __m512i feed = _mm512_set1_epi8('\n'), carriage = _mm512_set1_epi8('\r');
    for (; from < size; from += 64) {
        __m512i bytes = _mm512_loadu_si512(text + from);
        uint64_t mask = _mm512_cmpeq_epi8_mask(bytes, feed) | _mm512_cmpeq_epi8_mask(bytes, carriage);
        if (!mask) continue;
        size_t found = from + (size_t)__builtin_ctzll(mask);
        return found < size ? found : size;
    }
    return size;
}

TARGET_AVX512 static size_t string_end_avx512(const uint8_t *text, size_t from, size_t size)
{
    const __m512i quote = _mm512_set1_epi8('"'), backslash = _mm512_set1_epi8('\\'), space = _mm512_set1_epi8(0x20);
    for (; from < size; from += 64) {
        __m512i bytes = _mm512_loadu_si512(text + from);
        uint64_t mask = _mm512_cmpeq_epi8_mask(bytes, quote) | _mm512_cmpeq_epi8_mask(bytes, backslash) | _mm512_cmplt_epu8_mask(bytes, space);
        if (!mask) continue;
        size_t found = from + (size_t)__builtin_ctzll(mask);
        return found < size ? found : size;
    }
    return size;
}

static enum isa best_of_processor(void)
{
    __builtin_cpu_init();
    bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
    bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                  __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
    return avx512 ? ISA_AVX512 : avx2 ? ISA_AVX2 : ISA_SCALAR;
}

line_end_fn line_end_scanner(enum isa isa)
{
    return isa == ISA_AVX512 ? line_end_avx512 : isa == ISA_AVX2 ? line_end_avx2 : line_end_scalar;
}

string_end_fn string_end_scanner(enum isa isa)
{
    return isa == ISA_AVX512 ? string_end_avx512 : isa == ISA_AVX2 ? string_end_avx2 : string_end_scalar;
}
#else
static enum isa best_of_processor(void) { return ISA_SCALAR; }
line_end_fn line_end_scanner(enum isa isa) { (void)isa; return line_end_scalar; }
string_end_fn string_end_scanner(enum isa isa) { (void)isa; return string_end_scalar; }
#endif

const char *isa_name(enum isa isa)
{
    static const char *const names[] = {"scalar", "avx2", "avx512"};
    return names[isa];
}

enum isa isa_choose(void)
{
    enum isa best = best_of_processor();
    const char *wanted = getenv("INLET_ISA");
    if (!wanted) return best;
    for (int isa = ISA_SCALAR; isa <= (int)best; isa++)
        if (strcasecmp(wanted, isa_name((enum isa)isa)) == 0) return (enum isa)isa;
    return best;
}
