/* codecs_words -- see the header; the elements are those of snappy's format_description.txt. */
#include "formats/codecs_words.h"
#include "formats/digits.h"

enum {
    SAMPLE_SIZE = 2 << 10,
    FRAGMENT_SIZE = 64 << 10,  /* Positions in it fit 16 bits, and so do distances. */
    TABLE_BITS = 11,
    MARGIN = 32,               /* Looks end before the last bytes, which are read ahead. */
    LITERAL_SHORT = 16,
    COPY_MAX = 64, COPY_NEAR_MAX = 11, NEAR = 2048
};

/* Up to 60 bytes say their length in the tag, more in the bytes behind it. */
static NO_INLINE uint8_t *put_literal(uint8_t *to, const uint8_t *from, size_t size)
{
    if (size == 0) return to;
    size_t less = size - 1;
    if (less < 60) {
        *to++ = (uint8_t)(less << 2);
    } else {
        uint8_t *tag = to++;
        unsigned count = 0;
        for (; less; less >>= 8, count++) *to++ = (uint8_t)less;
        *tag = (uint8_t)((59 + count) << 2);
    }
    memcpy(to, from, size);
    return to + size;
}

/* 4 to COPY_MAX bytes. Near and short ones take two bytes, others three. */
static ALWAYS_INLINE uint8_t *put_copy(uint8_t *to, uint32_t distance, uint32_t size)
{
    bool near = (distance < NEAR) & (size <= COPY_NEAR_MAX);
    uint32_t two = 1 | (size - 4) << 2 | (distance >> 8) << 5 | (distance & 0xff) << 8, three = 2 | (size - 1) << 2 | distance << 8;
    uint32_t element = near ? two : three;
    memcpy(to, &element, 4);
    return to + 3 - near;
}

static NO_INLINE uint8_t *put_long_copy(uint8_t *to, uint32_t distance, size_t size)
{
    while (size > COPY_MAX) {
        uint32_t part = size >= COPY_MAX + 4 ? COPY_MAX : COPY_MAX - 4; /* What is left is 4 bytes at least. */
        to = put_copy(to, distance, part);
        size -= part;
    }
    return put_copy(to, distance, (uint32_t)size);
}

/* How far the same bytes stand at p and `before`, of which the first eight have been compared. `end` is not passed by more than 7. */
static NO_INLINE size_t long_match(const uint8_t *p, const uint8_t *before, const uint8_t *end)
{
    size_t size = 8;
    while (p + size < end) {
        uint64_t differ = load_64(p + size) ^ load_64(before + size);
        if (differ) return size + (size_t)__builtin_ctzll(differ) / 8;
        size += 8;
    }
    return size;
}

/* Room for 16 bytes behind what is written. */
static uint8_t *put_fragment(const uint8_t *start, size_t size, unsigned phase, uint8_t *to)
{
    uint16_t table[1 << TABLE_BITS] = {0}; /* Where a word with this hash was met last; 0: the first bytes will do. */
    const uint8_t *end = start + size, *looks_end = size > MARGIN ? end - MARGIN : start, *open = start, *p = start + 8 + phase;
    while (p < looks_end) {
        uint32_t key = load_32(p), hash = (key * UINT32_C(2654435761)) >> (32 - TABLE_BITS);
        const uint8_t *before = start + table[hash];
        table[hash] = (uint16_t)(p - start);
        if (load_32(before) != key) {
            p += 8;
            continue;
        }
        size_t literal = (size_t)(p - open);
        if (LIKELY(literal <= LITERAL_SHORT)) {
            *to = (uint8_t)((literal - 1) << 2);
            memcpy(to + 1, open, LITERAL_SHORT);
            to += literal + (literal > 0);
        } else {
            to = put_literal(to, open, literal);
        }
        uint64_t differ = load_64(p) ^ load_64(before);
        uint32_t distance = (uint32_t)(p - before);
        if (LIKELY(differ)) { /* The next look is not made to wait for the length of this match. */
            uint32_t same = (uint32_t)__builtin_ctzll(differ) / 8;
            to = put_copy(to, distance, same);
            open = p + same;
            p += 8;
        } else {
            size_t same = long_match(p, before, looks_end);
            to = put_long_copy(to, distance, same);
            open = p + same;
            p += (same + 7) / 8 * 8;
        }
    }
    return put_literal(to, open, (size_t)(end - open));
}

/* No element is longer than what it stands for, but for the heads of literals of more than 60 bytes and of the last one. */
static size_t size_max(size_t size) { return size + size / 32 + MARGIN; }

void snappy_words_put(struct slice bytes, unsigned phase, struct buffer *out)
{
    for (size_t at = 0; at < bytes.size; at += FRAGMENT_SIZE) {
        size_t left = bytes.size - at, size = left < FRAGMENT_SIZE ? left : FRAGMENT_SIZE;
        uint8_t *to = buffer_reserve(out, size_max(size));
        out->size += (size_t)(put_fragment(bytes.data + at, size, phase, to) - to);
    }
}

unsigned snappy_words_phase(struct slice bytes)
{
    uint8_t elements[SAMPLE_SIZE + SAMPLE_SIZE / 32 + MARGIN];
    size_t least = SIZE_MAX, size = bytes.size < SAMPLE_SIZE ? bytes.size : SAMPLE_SIZE;
    unsigned best = 0;
    for (unsigned phase = 0; phase < 8; phase++) {
        size_t found = (size_t)(put_fragment(bytes.data, size, phase, elements) - elements);
        if (found < least) least = found, best = phase;
    }
    return best;
}
