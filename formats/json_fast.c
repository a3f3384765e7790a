/* json_fast -- the fast path's variants, the keys it learns, and which variant runs.
 *
 * It takes strict JSON only, which means the same under every option. */
#include "base/civil.h"
#include "formats/digits_vector.h"
#include "formats/json_fast.h"
#include "base/panic.h"

#include <stdlib.h>
#include <string.h>

/* Scalar: the specification of the others. */

#define FAST(name) name##_scalar
#define FAST_TARGET
#define FAST_WIDTH 8
static inline uint64_t specials_scalar(const uint8_t *p)
{
    uint64_t mask = 0;
    for (unsigned i = 0; i < 8; i++) mask |= (uint64_t)(p[i] == '"' || p[i] == '\\' || p[i] < 0x20) << i;
    return mask;
}
static ALWAYS_INLINE const uint8_t *number_scalar(const uint8_t *p, struct fast_number *number) { return fast_number(p, number); }
static inline void copy_scalar(uint8_t *to, const uint8_t *from) { memcpy(to, from, 8); }
static inline bool same_scalar(const uint8_t *p, const struct ndjson_key *key)
{
    if (memcmp(p, key->text, key->size < NDJSON_KEY_BYTES ? key->size : NDJSON_KEY_BYTES) != 0) return false;
    return key->size <= NDJSON_KEY_BYTES || memcmp(p, key->rest, key->size) == 0;
}
#include "formats/json_fast.inc"

#if defined(__x86_64__)
#define FAST(name) name##_avx2
#define FAST_TARGET __attribute__((target("avx2,bmi,bmi2,lzcnt,popcnt")))
#define FAST_WIDTH 32
FAST_TARGET static ALWAYS_INLINE uint64_t specials_avx2(const uint8_t *p)
{
    __m256i bytes = _mm256_loadu_si256((const __m256i *)(const void *)p);
    __m256i hits = _mm256_or_si256(_mm256_cmpeq_epi8(bytes, _mm256_set1_epi8('"')), _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8('\\')));
    hits = _mm256_or_si256(hits, _mm256_cmpeq_epi8(_mm256_min_epu8(bytes, _mm256_set1_epi8(0x1f)), bytes));
    return (uint32_t)_mm256_movemask_epi8(hits);
}
FAST_TARGET static ALWAYS_INLINE void copy_avx2(uint8_t *to, const uint8_t *from)
{
    _mm256_storeu_si256((__m256i *)(void *)to, _mm256_loadu_si256((const __m256i *)(const void *)from));
}
FAST_TARGET static ALWAYS_INLINE bool same_avx2(const uint8_t *p, const struct ndjson_key *key)
{
    __m256i text = _mm256_loadu_si256((const __m256i *)(const void *)p), wanted = _mm256_loadu_si256((const __m256i *)(const void *)key->text);
    uint32_t equal = (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(text, wanted));
    return !(~equal & key->mask) && (LIKELY(key->size <= NDJSON_KEY_BYTES) || memcmp(p, key->rest, key->size) == 0);
}
#include "formats/json_fast.inc"

#define FAST(name) name##_avx512
#define FAST_TARGET __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,bmi,bmi2,lzcnt,popcnt")))
#define FAST_WIDTH 64
FAST_TARGET static ALWAYS_INLINE uint64_t specials_avx512(const uint8_t *p)
{
    __m512i bytes = _mm512_loadu_si512(p);
    return _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8('"')) | _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8('\\')) |
           _mm512_cmplt_epu8_mask(bytes, _mm512_set1_epi8(0x20));
}
FAST_TARGET static ALWAYS_INLINE void copy_avx512(uint8_t *to, const uint8_t *from)
{
    _mm512_storeu_si512(to, _mm512_loadu_si512(from));
}
FAST_TARGET static ALWAYS_INLINE bool same_avx512(const uint8_t *p, const struct ndjson_key *key)
{
    __m256i text = _mm256_loadu_si256((const __m256i *)(const void *)p), wanted = _mm256_loadu_si256((const __m256i *)(const void *)key->text);
    return !_mm256_mask_cmpneq_epi8_mask(key->mask, text, wanted) && (LIKELY(key->size <= NDJSON_KEY_BYTES) || memcmp(p, key->rest, key->size) == 0);
}
#include "formats/json_fast.inc"
#endif

/* Keys -------------------------------------------------------------------------------------- */

/* Matches nothing, for 0xff is no byte of UTF-8. */
static void make_never(struct ndjson_key *key)
{
    *key = (struct ndjson_key){.text = {0xff}, .mask = 1, .size = 1, .node = -1, .next = {key, key}};
}

static void make_key(struct ndjson_guess *guess, struct ndjson_key *key, const uint8_t *name, size_t size, int32_t node)
{
    *key = (struct ndjson_key){.size = (uint32_t)size + 1, .node = node, .next = {&guess->never, &guess->never}};
    size_t head = size + 1 < NDJSON_KEY_BYTES ? size + 1 : NDJSON_KEY_BYTES;
    memcpy(key->text, name, head <= size ? head : size);
    if (head > size) key->text[size] = '"';
    key->mask = head == 32 ? UINT32_MAX : ((uint32_t)1 << head) - 1;
    if (size + 1 <= NDJSON_KEY_BYTES) return;
    key->rest = malloc(size + 1);
    if (!key->rest) panic_out_of_memory(size + 1);
    memcpy(key->rest, name, size);
    key->rest[size] = '"';
}

static struct ndjson_key *learn_unknown(struct ndjson_guess *guess, uint32_t fields, const uint8_t *name, size_t size)
{
    for (uint32_t i = fields; i < guess->count; i++) {
        const struct ndjson_key *key = &guess->keys[i];
        if (key->size == size + 1 && memcmp(key->rest ? key->rest : key->text, name, size) == 0) return &guess->keys[i];
    }
    if (guess->count < guess->capacity) {
        make_key(guess, &guess->keys[guess->count], name, size, -1);
        return &guess->keys[guess->count++];
    }
    guess->unlearnt.size = (uint32_t)size + 1;
    return &guess->unlearnt;
}

struct ndjson_key *ndjson_key_find(struct ndjson_parser *parser, const struct ndjson_node *node, struct ndjson_key *previous, const uint8_t *p)
{
    struct ndjson_guess *guess = &parser->guesses[node->index];
    size_t size = 0;
    while (p[size] != '"' && p[size] != '\\' && p[size] >= 0x20) size++;
    if (p[size] != '"' || (int64_t)size > parser->settings->string_size_max) return NULL;
    int32_t child = ndjson_find_field(parser->shape, node, p, size);
    struct ndjson_key *key = child >= 0 ? &guess->keys[child] : learn_unknown(guess, node->child_count, p, size);
    if (key == &guess->unlearnt || previous == &guess->unlearnt) return key;
    previous->next[1] = previous->next[0];
    previous->next[0] = key;
    return key;
}

static void init_guess(struct ndjson_guess *guess, const struct ndjson_shape *shape, const struct ndjson_node *node)
{
    make_never(&guess->never);
    guess->start = guess->unlearnt = guess->never;
    guess->capacity = node->child_count + NDJSON_KEYS_LEARNT_MAX;
    guess->keys = calloc(guess->capacity, sizeof *guess->keys);
    if (!guess->keys) panic_out_of_memory(guess->capacity * sizeof *guess->keys);
    for (uint32_t i = 0; i < node->child_count; i++) {
        const struct ndjson_node *child = &shape->nodes[node->children[i]];
        make_key(guess, &guess->keys[i], (const uint8_t *)child->name, child->name_size, (int32_t)child->index);
    }
    guess->count = node->child_count;
}

/* Limits below these would have to be looked at where the fast path does not. */
static bool fast_will_do(const struct ndjson_settings *settings, const struct ndjson_shape *shape)
{
    return settings->number_size_max >= 64 && settings->string_size_max >= 64 && shape->depth <= settings->depth_max;
}

void ndjson_fast_init(struct ndjson_parser *parser)
{
    const struct ndjson_shape *shape = parser->shape;
    if (!fast_will_do(parser->settings, shape)) return;
    parser->guesses = calloc(shape->node_count, sizeof *parser->guesses);
    if (!parser->guesses) panic_out_of_memory(shape->node_count * sizeof *parser->guesses);
    for (uint32_t i = 0; i < shape->node_count; i++)
        if (shape->nodes[i].kind == TYPE_STRUCT) init_guess(&parser->guesses[i], shape, &shape->nodes[i]);
    ndjson_fast_use(parser, isa_choose());
}

void ndjson_fast_use(struct ndjson_parser *parser, enum isa isa)
{
    parser->fast = object_scalar;
#if defined(__x86_64__)
    if (isa == ISA_AVX2) parser->fast = object_avx2;
    if (isa == ISA_AVX512) parser->fast = object_avx512;
#endif
}

void ndjson_fast_fini(struct ndjson_parser *parser)
{
    for (uint32_t i = 0; parser->guesses && i < parser->shape->node_count; i++) {
        struct ndjson_guess *guess = &parser->guesses[i];
        for (uint32_t k = 0; k < guess->count; k++) free(guess->keys[k].rest);
        free(guess->keys);
    }
    free(parser->guesses);
    parser->guesses = NULL;
}
