/* codecs_hadoop -- Hadoop's block framing, both ways. */
#include "formats/codecs_hadoop.h"

/* Hadoop's codecs decode a chunk into 256 KiB, less what incompressible data could add. */
enum { HADOOP_BLOCK_SIZE = 192 << 10 };

static void take(struct slice *in, size_t size)
{
    in->data += size;
    in->size -= size;
}

static uint32_t big_endian(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

/* Collects a size field; true when *word is complete. */
static bool read_word(struct hadoop_state *state, struct slice *in, uint32_t *word)
{
    while (state->word_size < 4 && in->size) {
        state->word[state->word_size++] = in->data[0];
        take(in, 1);
    }
    if (state->word_size < 4) return false;
    state->word_size = 0;
    *word = big_endian(state->word);
    return true;
}

/* Reads the sizes in front of the next chunk. False: more input is needed, or the chunk is refused (*reason). */
static bool open_chunk(struct hadoop_state *state, struct slice *in, const char **reason)
{
    uint32_t word;
    while (state->block_left == 0) {
        if (!read_word(state, in, &word)) return false;
        state->block_left = word; /* 0 is what Hadoop writes for no data at all. */
    }
    if (!read_word(state, in, &word)) return false;
    if (word == 0 || word > HADOOP_CHUNK_MAX) {
        *reason = "a block's size is not possible";
        return false;
    }
    state->chunk_size = word;
    state->in_chunk = true;
    buffer_clear(&state->chunk);
    return true;
}

static bool collect_chunk(struct hadoop_state *state, struct slice *in)
{
    size_t missing = state->chunk_size - state->chunk.size;
    size_t size = missing < in->size ? missing : in->size;
    buffer_append(&state->chunk, in->data, size);
    take(in, size);
    return size == missing;
}

static bool decode_chunk(struct hadoop_state *state, block_decode_fn *decode)
{
    size_t capacity = (size_t)state->chunk_size * HADOOP_EXPANSION_MAX + 64;
    if (capacity > state->block_left) capacity = state->block_left;
    if (capacity > HADOOP_CHUNK_MAX) capacity = HADOOP_CHUNK_MAX;
    buffer_clear(&state->plain);
    buffer_reserve(&state->plain, capacity);
    size_t size = 0;
    if (!decode((struct slice){state->chunk.data, state->chunk.size}, state->plain.data, capacity, &size)) return false;
    state->plain.size = size;
    state->plain_at = 0;
    state->block_left -= (uint32_t)size;
    state->in_chunk = false;
    return true;
}

static void hand_out(struct hadoop_state *state, uint8_t *out, size_t size, size_t *written)
{
    size_t left = state->plain.size - state->plain_at, room = size - *written;
    size_t count = left < room ? left : room;
    if (count) memcpy(out + *written, state->plain.data + state->plain_at, count);
    state->plain_at += count;
    *written += count;
}

enum decode hadoop_step(struct hadoop_state *state, block_decode_fn *decode, struct slice *in, bool in_end, uint8_t *out, size_t size,
                        size_t *written, const char **reason)
{
    *written = 0;
    for (;;) {
        hand_out(state, out, size, written);
        if (*written == size) return DECODE_MORE;
        if (!state->in_chunk && !open_chunk(state, in, reason)) {
            if (*reason) return DECODE_DAMAGED;
            return in_end && state->word_size == 0 && state->block_left == 0 ? DECODE_END : DECODE_MORE;
        }
        if (!collect_chunk(state, in)) return DECODE_MORE;
        if (!decode_chunk(state, decode)) {
            *reason = "a block does not decode";
            return DECODE_DAMAGED;
        }
    }
}

void hadoop_fini(struct hadoop_state *state)
{
    buffer_free(&state->chunk);
    buffer_free(&state->plain);
}

static void put_word(struct buffer *out, size_t at, uint32_t word)
{
    for (unsigned i = 0; i < 4; i++) out->data[at + i] = (uint8_t)(word >> (24 - 8 * i));
}

bool hadoop_compress(block_encode_fn *encode, struct slice bytes, struct buffer *out)
{
    while (bytes.size) {
        size_t size = bytes.size < HADOOP_BLOCK_SIZE ? bytes.size : HADOOP_BLOCK_SIZE;
        size_t start = out->size;
        buffer_reserve(out, 8);
        out->size += 8;
        if (!encode((struct slice){bytes.data, size}, out)) return false;
        put_word(out, start, (uint32_t)size);
        put_word(out, start + 4, (uint32_t)(out->size - start - 8));
        bytes.data += size;
        bytes.size -= size;
    }
    return true;
}
