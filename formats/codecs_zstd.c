/* codecs_zstd -- Zstandard, any number of frames after each other. */
#include "formats/codecs.h"

#include <zstd.h>
#include <zstd_errors.h>

struct zstd_state {
    ZSTD_DStream *stream;
    bool in_frame;
};

static enum decode zstd_step(void *memory, struct slice *in, bool in_end, uint8_t *out, size_t size, size_t *written, const char **reason)
{
    struct zstd_state *state = memory;
    *written = 0;
    if (in->size == 0 && in_end && !state->in_frame) return DECODE_END;
    if (!state->stream && !(state->stream = ZSTD_createDStream())) {
        *reason = "no memory for a zstd decoder";
        return DECODE_DAMAGED;
    }
    ZSTD_inBuffer from = {in->data, in->size, 0};
    ZSTD_outBuffer to = {out, size, 0};
    size_t result = ZSTD_decompressStream(state->stream, &to, &from);
    in->data += from.pos;
    in->size -= from.pos;
    *written = to.pos;
    if (ZSTD_isError(result)) {
        *reason = ZSTD_getErrorName(result);
        return DECODE_DAMAGED;
    }
    if (result == 0) state->in_frame = false;
    else if (from.pos || to.pos) state->in_frame = true;
    return DECODE_MORE;
}

static void zstd_fini(void *memory)
{
    struct zstd_state *state = memory;
    ZSTD_freeDStream(state->stream);
}

const struct decoder_ops zstd_decoder = {"zstd", sizeof(struct zstd_state), zstd_step, zstd_fini};

enum { ZSTD_LEVEL = 3 };

bool codec_zstd_compress(struct slice bytes, int level, struct buffer *out)
{
    size_t bound = ZSTD_compressBound(bytes.size);
    size_t size = ZSTD_compress(buffer_reserve(out, bound), bound, bytes.data, bytes.size, level ? level : ZSTD_LEVEL);
    if (ZSTD_isError(size)) return false;
    out->size += size;
    return true;
}

bool codec_zstd_block(struct slice bytes, uint8_t *out, size_t capacity, size_t *size)
{
    size_t got = ZSTD_decompress(out, capacity, bytes.data, bytes.size);
    *size = ZSTD_isError(got) ? 0 : got;
    return !ZSTD_isError(got);
}
