/* codecs_hadoop -- Hadoop's block framing around raw snappy and lz4 blocks.
 *
 * A file is a row of blocks: big-endian u32 size of the block's plain bytes, then chunks until they are
 * complete; a chunk is a big-endian u32 size and one raw compressed block. */
#pragma once
#include "formats/codecs.h"

typedef bool block_decode_fn(struct slice bytes, uint8_t *out, size_t capacity, size_t *size);
typedef bool block_encode_fn(struct slice bytes, struct buffer *out);

enum { HADOOP_CHUNK_MAX = 64 << 20, HADOOP_EXPANSION_MAX = 255 };

struct hadoop_state {
    struct buffer chunk;      /* Compressed bytes collected so far. */
    struct buffer plain;      /* A decoded chunk, handed out from plain_at. */
    size_t plain_at;
    uint32_t block_left;      /* Plain bytes of the open block that are still to come. */
    uint32_t chunk_size;      /* Of the open chunk. */
    bool in_chunk;
    uint8_t word[4];          /* A size field that is being collected. */
    unsigned word_size;
};

enum decode hadoop_step(struct hadoop_state *state, block_decode_fn *decode, struct slice *in, bool in_end, uint8_t *out, size_t size,
                        size_t *written, const char **reason);
void hadoop_fini(struct hadoop_state *state);
/* Appends `bytes` as blocks which Hadoop's own buffers can hold. No bytes: nothing, since a block of size 0 reads as the end. */
bool hadoop_compress(block_encode_fn *encode, struct slice bytes, struct buffer *out);
