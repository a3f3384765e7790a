/* codecs -- what input.c and pages.c need of each compression library; one codecs_*.c includes each.
 *
 * Streams are decoded step by step into the caller's memory, so a small file that claims to be huge
 * costs time, never memory. */
#pragma once
#include "base/bytes.h"
#include "base/error.h"

enum decode { DECODE_MORE, DECODE_END, DECODE_DAMAGED };

struct decoder_ops {
    const char *name;
    size_t state_size; /* The caller allocates it, zeroed. */
    /* Takes what it can from the front of *in and writes up to `size` bytes to `out`. in_end: no bytes follow *in.
     * END: the stream ended where it may. DAMAGED: *reason says why; *written bytes before it are good. */
    enum decode (*step)(void *state, struct slice *in, bool in_end, uint8_t *out, size_t size, size_t *written, const char **reason);
    void (*fini)(void *state);
};

extern const struct decoder_ops gzip_decoder, deflate_decoder, bzip2_decoder, zstd_decoder, snappy_decoder, lz4_decoder;

/* Appends the compressed form of `bytes` to `out`. level 0: the library's default. False: the bytes are too many for one block. */
bool codec_gzip_compress(struct slice bytes, int level, struct buffer *out);
bool codec_deflate_compress(struct slice bytes, int level, struct buffer *out);
bool codec_bzip2_compress(struct slice bytes, struct buffer *out);
bool codec_zstd_compress(struct slice bytes, int level, struct buffer *out);
bool codec_snappy_compress(struct slice bytes, struct buffer *out);   /* One raw block. */
bool codec_lz4_compress(struct slice bytes, struct buffer *out);      /* One raw block. */

/* Decode a whole raw block; false: damaged, or more than `capacity` bytes. */
bool codec_gzip_block(struct slice bytes, uint8_t *out, size_t capacity, size_t *size);
bool codec_zstd_block(struct slice bytes, uint8_t *out, size_t capacity, size_t *size);
bool codec_snappy_block(struct slice bytes, uint8_t *out, size_t capacity, size_t *size);
bool codec_lz4_block(struct slice bytes, uint8_t *out, size_t capacity, size_t *size);
