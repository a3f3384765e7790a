/* parquet_dictionary -- the distinct values of one leaf in one row group, by open addressing.
 *
 * A slot is eight bytes: 28 bits of the hash, so that other keys are told apart without a look at them, where the
 * key stands, and its index. The table is at most half full. Values are looked up in groups: first all are
 * hashed and their slots asked for, then their keys, then they are compared, so that the waits for memory overlap. */
#include "formats/parquet_values.h"
#include "base/panic.h"

#include <stdlib.h>

enum { SLOT_BITS_FIRST = 8, SLOT_BITS_MAX = 17, GROUP = 128, SLOT_BITS_NEAR = 11 /* Tables up to here are in the nearest cache. */ };

static ALWAYS_INLINE uint64_t mix(uint64_t a, uint64_t b)
{
    unsigned __int128 product = (unsigned __int128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static ALWAYS_INLINE uint64_t load_8(const uint8_t *at)
{
    uint64_t word;
    memcpy(&word, at, 8);
    return word;
}

#define HASH_A UINT64_C(0x9E3779B97F4A7C15)
#define HASH_B UINT64_C(0xD6E8FEB86659FD93)

static ALWAYS_INLINE uint64_t hash_word(uint64_t key) { return mix(key ^ HASH_B, HASH_A); }

/* Texts of up to SHORT bytes are taken as words, what lies behind their end masked out: all of a group as many words as its longest
 * has, so that no branch depends on a text's size. */
enum { SHORT = 32, SHORT_WORDS = SHORT / 8 };
struct words {
    uint64_t word[SHORT_WORDS];
};

static ALWAYS_INLINE struct words masked(const uint8_t *bytes, size_t size, unsigned count)
{
    static const uint8_t masks[2 * SHORT] = {
        255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
    };
    struct words words = {{0}};
    for (unsigned i = 0; i < count; i++) words.word[i] = load_8(bytes + 8 * i) & load_8(masks + SHORT - size + 8 * i);
    return words;
}

/* The same for any count that holds the text. */
static ALWAYS_INLINE uint64_t hash_words(const struct words *words, size_t size, unsigned count)
{
    uint64_t hash = mix(words->word[0] ^ HASH_A, words->word[1] ^ (size * HASH_B));
    if (count > 2) hash ^= mix(words->word[2] ^ HASH_B, words->word[3] ^ HASH_A);
    else hash ^= mix(HASH_B, HASH_A);
    return hash;
}

static uint64_t hash_long(const uint8_t *bytes, size_t size)
{
    uint64_t hash = size * HASH_B;
    for (; size > 8; size -= 8, bytes += 8) hash = mix(hash ^ load_8(bytes), HASH_A);
    hash = mix(hash ^ masked(bytes, size, 1).word[0], HASH_A);
    return mix(hash, HASH_B);
}

static ALWAYS_INLINE uint64_t hash_bytes(const uint8_t *bytes, size_t size, unsigned count)
{
    if (count > SHORT_WORDS && size > SHORT) return hash_long(bytes, size);
    struct words words = masked(bytes, size, count > SHORT_WORDS ? SHORT_WORDS : count);
    return hash_words(&words, size, count);
}

static bool equal_long(const uint8_t *a, const uint8_t *b, size_t size)
{
    for (; size > 8; size -= 8, a += 8, b += 8) {
        if (load_8(a) != load_8(b)) return false;
    }
    return masked(a, size, 1).word[0] == masked(b, size, 1).word[0];
}

/* Both have SHORT readable bytes past their start and 8 past their end. */
static ALWAYS_INLINE bool equal_bytes(const uint8_t *a, const uint8_t *b, size_t size, unsigned count)
{
    if (count > SHORT_WORDS) return equal_long(a, b, size);
    struct words one = masked(a, size, count), other = masked(b, size, count);
    uint64_t differs = 0;
    for (unsigned i = 0; i < count; i++) differs |= one.word[i] ^ other.word[i];
    return differs == 0;
}

void dictionary_init(struct dictionary *dictionary, enum dense_kind kind)
{
    *dictionary = (struct dictionary){.kind = kind};
}

void dictionary_free(struct dictionary *dictionary)
{
    free(dictionary->slots);
    free(dictionary->key_offsets);
    buffer_free(&dictionary->keys);
    *dictionary = (struct dictionary){.kind = dictionary->kind};
}

static void *checked(void *memory, size_t size)
{
    if (!memory) panic_out_of_memory(size);
    return memory;
}

static size_t key_width(enum dense_kind kind) { return kind == DENSE_4 ? 4 : kind == DENSE_8 ? 8 : 16; }

static uint64_t hash_of_key(const struct dictionary *dictionary, uint32_t index)
{
    const uint8_t *keys = dictionary->keys.data;
    if (dictionary->kind == DENSE_BYTES) {
        const uint8_t *key = keys + dictionary->key_offsets[index];
        uint32_t size;
        memcpy(&size, key, 4);
        return hash_bytes(key + 4, size, SHORT_WORDS + 1);
    }
    if (dictionary->kind == DENSE_4) {
        uint32_t key;
        memcpy(&key, keys + 4 * (size_t)index, 4);
        return hash_word(key);
    }
    if (dictionary->kind == DENSE_8) return hash_word(load_8(keys + 8 * (size_t)index));
    return hash_bytes(keys + 16 * (size_t)index, 16, 2);
}

static ALWAYS_INLINE uint64_t slot_value(uint64_t hash, size_t offset, uint32_t index) { return hash << 36 | (uint64_t)offset << 16 | (index + 1); }
static ALWAYS_INLINE bool slot_may_be(uint64_t slot, uint64_t hash) { return (slot ^ hash << 36) >> 36 == 0; }
static ALWAYS_INLINE size_t slot_offset(uint64_t slot) { return slot >> 16 & 0xFFFFF; }
static ALWAYS_INLINE uint16_t slot_index(uint64_t slot) { return (uint16_t)((slot & 0xFFFF) - 1); }

static size_t offset_of_key(const struct dictionary *dictionary, uint32_t index)
{
    return dictionary->kind == DENSE_BYTES ? dictionary->key_offsets[index] : index * key_width(dictionary->kind);
}

static void grow_slots(struct dictionary *dictionary)
{
    dictionary->slot_bits = dictionary->slots ? dictionary->slot_bits + 2 : SLOT_BITS_FIRST;
    if (dictionary->slot_bits > SLOT_BITS_MAX) dictionary->slot_bits = SLOT_BITS_MAX;
    free(dictionary->slots);
    size_t size = (size_t)1 << dictionary->slot_bits;
    dictionary->slots = checked(calloc(size, sizeof *dictionary->slots), size * sizeof *dictionary->slots);
    uint32_t mask = (uint32_t)size - 1;
    for (uint32_t index = 0; index < dictionary->count; index++) {
        uint64_t hash = hash_of_key(dictionary, index);
        uint32_t at = (uint32_t)(hash >> (64 - dictionary->slot_bits));
        while (dictionary->slots[at]) at = (at + 1) & mask;
        dictionary->slots[at] = slot_value(hash, offset_of_key(dictionary, index), index);
    }
}

/* Room for one more key. False: the dictionary is full. */
static bool make_room(struct dictionary *dictionary, size_t key_size)
{
    if (dictionary->count == DICTIONARY_COUNT_MAX || dictionary->keys.size + key_size > DICTIONARY_BYTES_MAX) return false;
    if (dictionary->kind == DENSE_BYTES && dictionary->count == dictionary->key_capacity) {
        dictionary->key_capacity = dictionary->key_capacity ? dictionary->key_capacity * 2 : 64;
        size_t size = dictionary->key_capacity * sizeof(uint32_t);
        dictionary->key_offsets = checked(realloc(dictionary->key_offsets, size), size);
    }
    buffer_reserve(&dictionary->keys, key_size + SHORT);
    return true;
}

static void insert(struct dictionary *dictionary, uint32_t at, uint64_t hash, size_t offset)
{
    dictionary->slots[at] = slot_value(hash, offset, dictionary->count++);
    if (dictionary->count * 2 > (1u << dictionary->slot_bits)) grow_slots(dictionary);
}

static NO_INLINE bool insert_fixed(struct dictionary *dictionary, uint32_t at, uint64_t hash, const void *key, size_t width)
{
    size_t offset = dictionary->keys.size;
    if (!make_room(dictionary, width)) return false;
    buffer_append(&dictionary->keys, key, width);
    insert(dictionary, at, hash, offset);
    return true;
}

static NO_INLINE bool insert_bytes(struct dictionary *dictionary, uint32_t at, uint64_t hash, const uint8_t *bytes, uint32_t size)
{
    size_t offset = dictionary->keys.size;
    if (!make_room(dictionary, 4 + (size_t)size)) return false;
    dictionary->key_offsets[dictionary->count] = (uint32_t)offset;
    buffer_append(&dictionary->keys, &size, 4);
    buffer_append(&dictionary->keys, bytes, size);
    insert(dictionary, at, hash, offset);
    return true;
}

static ALWAYS_INLINE uint32_t home_of(const struct dictionary *dictionary, uint64_t hash) { return (uint32_t)(hash >> (64 - dictionary->slot_bits)); }

/* The keys of a group's values come nearer, where the table is a large one. */
static ALWAYS_INLINE void prefetch_keys(const struct dictionary *dictionary, const uint64_t *hashes, uint32_t count)
{
    if (dictionary->slot_bits <= SLOT_BITS_NEAR) return;
    for (uint32_t i = 0; i < count; i++) __builtin_prefetch(dictionary->keys.data + slot_offset(dictionary->slots[home_of(dictionary, hashes[i])]));
}

static ALWAYS_INLINE uint64_t hash_fixed(const uint8_t *value, size_t width)
{
    uint32_t narrow = 0;
    if (width == 4) memcpy(&narrow, value, 4);
    return width == 4 ? hash_word(narrow) : width == 8 ? hash_word(load_8(value)) : hash_bytes(value, 16, 2);
}

/* One value of a fixed width. False: the dictionary is full. */
static ALWAYS_INLINE bool find_fixed(struct dictionary *dictionary, uint64_t hash, const uint8_t *value, size_t width, uint16_t *index)
{
    uint32_t at = home_of(dictionary, hash), mask = (1u << dictionary->slot_bits) - 1;
    for (;; at = (at + 1) & mask) {
        uint64_t slot = dictionary->slots[at];
        if (slot == 0) {
            *index = (uint16_t)dictionary->count;
            return insert_fixed(dictionary, at, hash, value, width);
        }
        if (slot_may_be(slot, hash) && memcmp(dictionary->keys.data + slot_offset(slot), value, width) == 0) {
            *index = slot_index(slot);
            return true;
        }
    }
}

/* The loop of all fixed widths; `width` is a constant where it is inlined. */
static ALWAYS_INLINE uint32_t add_fixed(struct dictionary *dictionary, const uint8_t *values, uint32_t count, uint16_t *indices, size_t width)
{
    uint64_t hashes[GROUP];
    for (uint32_t done = 0; done < count; done += GROUP, values += GROUP * width) {
        uint32_t group = count - done < GROUP ? count - done : GROUP;
        for (uint32_t i = 0; i < group; i++) {
            hashes[i] = hash_fixed(values + i * width, width);
            __builtin_prefetch(&dictionary->slots[home_of(dictionary, hashes[i])]);
        }
        prefetch_keys(dictionary, hashes, group);
        for (uint32_t i = 0; i < group; i++) {
            if (UNLIKELY(!find_fixed(dictionary, hashes[i], values + i * width, width, &indices[done + i]))) return done + i;
        }
    }
    return count;
}

static ALWAYS_INLINE bool key_is(const uint8_t *key, const uint8_t *bytes, uint32_t size, unsigned words)
{
    uint32_t key_size;
    memcpy(&key_size, key, 4);
    return key_size == size && equal_bytes(key + 4, bytes, size, words);
}

static ALWAYS_INLINE bool find_bytes(struct dictionary *dictionary, uint64_t hash, const uint8_t *bytes, uint32_t size, unsigned words, uint16_t *index)
{
    uint32_t at = home_of(dictionary, hash), mask = (1u << dictionary->slot_bits) - 1;
    for (;; at = (at + 1) & mask) {
        uint64_t slot = dictionary->slots[at];
        if (slot == 0) {
            *index = (uint16_t)dictionary->count;
            return insert_bytes(dictionary, at, hash, bytes, size);
        }
        if (slot_may_be(slot, hash) && key_is(dictionary->keys.data + slot_offset(slot), bytes, size, words)) {
            *index = slot_index(slot);
            return true;
        }
    }
}

/* The values between count + 1 offsets, none longer than `words` words; of SHORT_WORDS + 1: any. How many were taken. */
static ALWAYS_INLINE uint32_t add_group(struct dictionary *dictionary, const uint8_t *data, const int32_t *offsets, uint32_t count, uint16_t *indices, unsigned words)
{
    uint64_t hashes[GROUP];
    for (uint32_t i = 0; i < count; i++) {
        hashes[i] = hash_bytes(data + offsets[i], (uint32_t)(offsets[i + 1] - offsets[i]), words);
        __builtin_prefetch(&dictionary->slots[home_of(dictionary, hashes[i])]);
    }
    prefetch_keys(dictionary, hashes, count);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t size = (uint32_t)(offsets[i + 1] - offsets[i]);
        if (UNLIKELY(!find_bytes(dictionary, hashes[i], data + offsets[i], size, words, &indices[i]))) return i;
    }
    return count;
}

static ALWAYS_INLINE uint32_t longest(const int32_t *offsets, uint32_t count)
{
    uint32_t longest = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t size = (uint32_t)(offsets[i + 1] - offsets[i]);
        longest = size > longest ? size : longest;
    }
    return longest;
}

static uint32_t add_bytes(struct dictionary *dictionary, const struct dense *dense, uint32_t start, uint32_t count, uint16_t *indices)
{
    const int32_t *offsets = dense->offsets + start;
    for (uint32_t done = 0; done < count; done += GROUP, offsets += GROUP) {
        uint32_t group = count - done < GROUP ? count - done : GROUP, taken, most = longest(offsets, group);
        if (UNLIKELY(most > DICTIONARY_BYTES_MAX)) return done;
        if (most <= 8) taken = add_group(dictionary, dense->data, offsets, group, indices + done, 1);
        else if (most <= 16) taken = add_group(dictionary, dense->data, offsets, group, indices + done, 2);
        else if (most <= SHORT) taken = add_group(dictionary, dense->data, offsets, group, indices + done, SHORT_WORDS);
        else taken = add_group(dictionary, dense->data, offsets, group, indices + done, SHORT_WORDS + 1);
        if (UNLIKELY(taken < group)) return done + taken;
    }
    return count;
}

uint32_t dictionary_add(struct dictionary *dictionary, const struct dense *dense, uint32_t start, uint32_t count, uint16_t *indices)
{
    if (!dictionary->slots) grow_slots(dictionary);
    const uint8_t *values = dense->values;
    switch (dictionary->kind) {
    case DENSE_4: return add_fixed(dictionary, values + 4 * (size_t)start, count, indices, 4);
    case DENSE_8: return add_fixed(dictionary, values + 8 * (size_t)start, count, indices, 8);
    case DENSE_16: return add_fixed(dictionary, values + 16 * (size_t)start, count, indices, 16);
    default: invariant(dictionary->kind == DENSE_BYTES); return add_bytes(dictionary, dense, start, count, indices);
    }
}

static struct dense fixed_keys(const struct dictionary *dictionary)
{
    return (struct dense){.kind = dictionary->kind, .count = dictionary->count, .values = dictionary->keys.data};
}

void dictionary_print(const struct dictionary *dictionary, const struct parquet_leaf *leaf, struct buffer *out)
{
    size_t bit_count = 0;
    struct dense keys = fixed_keys(dictionary);
    if (dictionary->kind == DENSE_BYTES) buffer_append(out, dictionary->keys.data, dictionary->keys.size);
    else plain_append(leaf, &keys, 0, keys.count, out, &bit_count);
}

size_t dictionary_size(const struct dictionary *dictionary, const struct parquet_leaf *leaf)
{
    return dictionary->kind == DENSE_BYTES ? dictionary->keys.size : plain_width(leaf) * dictionary->count;
}

void dictionary_bounds(const struct dictionary *dictionary, const struct parquet_leaf *leaf, struct bounds *bounds)
{
    struct dense keys = fixed_keys(dictionary);
    if (dictionary->kind != DENSE_BYTES) {
        bounds_add(bounds, leaf, &keys, 0, keys.count);
        return;
    }
    for (uint32_t i = 0; i < dictionary->count; i++) {
        const uint8_t *key = dictionary->keys.data + dictionary->key_offsets[i];
        uint32_t size;
        memcpy(&size, key, 4);
        bounds_add_bytes(bounds, key + 4, size);
    }
}

static size_t key_size_plain(const struct dictionary *dictionary, uint32_t index)
{
    size_t end = index + 1 == dictionary->count ? dictionary->keys.size : dictionary->key_offsets[index + 1];
    return end - dictionary->key_offsets[index];
}

void dictionary_expand(const struct dictionary *dictionary, const struct parquet_leaf *leaf, const uint16_t *indices, size_t count,
                       struct buffer *out, struct buffer *scratch)
{
    if (dictionary->kind == DENSE_BYTES) {
        for (size_t i = 0; i < count; i++) {
            buffer_append(out, dictionary->keys.data + dictionary->key_offsets[indices[i]], key_size_plain(dictionary, indices[i]));
        }
        return;
    }
    size_t width = key_width(dictionary->kind), bit_count = 0;
    buffer_clear(scratch);
    uint8_t *values = buffer_reserve(scratch, count * width + 16);
    for (size_t i = 0; i < count; i++) memcpy(values + i * width, dictionary->keys.data + indices[i] * width, width);
    struct dense dense = {.kind = dictionary->kind, .count = (uint32_t)count, .values = values};
    plain_append(leaf, &dense, 0, dense.count, out, &bit_count);
}

size_t dictionary_memory(const struct dictionary *dictionary)
{
    size_t slots = dictionary->slots ? sizeof *dictionary->slots << dictionary->slot_bits : 0;
    return slots + dictionary->keys.capacity + dictionary->key_capacity * sizeof(uint32_t);
}
