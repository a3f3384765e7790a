/* codecs_lz4 -- lz4: raw blocks, Hadoop's framing around them, and LZ4 frames as the lz4 tool writes them.
 *
 * Both kinds of file have the suffix .lz4; the first four bytes tell. */
#include "formats/codecs_hadoop.h"

#include <limits.h>
#include <lz4.h>
#include <lz4frame.h>

bool codec_lz4_compress(struct slice bytes, struct buffer *out)
{
    if (bytes.size > LZ4_MAX_INPUT_SIZE) return false;
    int bound = LZ4_compressBound((int)bytes.size);
    char *to = (char *)buffer_reserve(out, (size_t)bound);
    int size = LZ4_compress_default((const char *)bytes.data, to, (int)bytes.size, bound);
    if (size <= 0) return false;
    out->size += (size_t)size;
    return true;
}

bool codec_lz4_block(struct slice bytes, uint8_t *out, size_t capacity, size_t *size)
{
    if (bytes.size > INT_MAX) return false;
    int room = capacity > INT_MAX ? INT_MAX : (int)capacity;
    int got = LZ4_decompress_safe((const char *)bytes.data, (char *)out, (int)bytes.size, room);
    *size = got < 0 ? 0 : (size_t)got;
    return got >= 0;
}

enum lz4_kind { LZ4_KIND_UNKNOWN, LZ4_KIND_HADOOP, LZ4_KIND_FRAMES };

enum { FRAME_HEADER_MIN = 7 };

struct lz4_state {
    enum lz4_kind kind;
    uint8_t magic[4];
    unsigned magic_size;
    unsigned magic_given;          /* Bytes of it already passed on. */
    struct hadoop_state hadoop;
    LZ4F_dctx *frames;
    bool between;                  /* FRAMES: no frame is open. */
    size_t wanted;                 /* FRAMES: bytes of the next part (a header, a block); 0: a frame begins. */
};

static bool is_frame_magic(const uint8_t *bytes)
{
    uint32_t magic = (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
    return magic == 0x184D2204u || (magic & 0xFFFFFFF0u) == 0x184D2A50u;
}

/* False: four bytes are not there yet, or the library refuses (*reason). */
static bool recognise(struct lz4_state *state, struct slice *in, const char **reason)
{
    while (state->magic_size < 4 && in->size) {
        state->magic[state->magic_size++] = in->data[0];
        in->data++;
        in->size--;
    }
    if (state->magic_size < 4) return false;
    state->kind = is_frame_magic(state->magic) ? LZ4_KIND_FRAMES : LZ4_KIND_HADOOP;
    if (state->kind == LZ4_KIND_FRAMES && LZ4F_isError(LZ4F_createDecompressionContext(&state->frames, LZ4F_VERSION))) {
        *reason = "no memory for an lz4 decoder";
        return false;
    }
    return true;
}

static enum decode frames_step(struct lz4_state *state, struct slice *in, bool in_end, uint8_t *out, size_t size, size_t *written, const char **reason)
{
    size_t given = size;
    if (in->size == 0 && in_end && state->between) return DECODE_END;
    /* One part at a time: where the next one is damaged, the library does not tell what it decoded before. */
    size_t part = state->wanted ? state->wanted : FRAME_HEADER_MIN, taken = part < in->size ? part : in->size;
    size_t result = LZ4F_decompress(state->frames, out, &given, in->data, &taken, NULL);
    if (LZ4F_isError(result)) {
        *reason = LZ4F_getErrorName(result);
        return DECODE_DAMAGED;
    }
    state->between = result == 0;
    state->wanted = result;
    in->data += taken;
    in->size -= taken;
    *written = given;
    return DECODE_MORE;
}

static enum decode run(struct lz4_state *state, struct slice *in, bool in_end, uint8_t *out, size_t size, size_t *written, const char **reason)
{
    if (state->kind == LZ4_KIND_HADOOP) return hadoop_step(&state->hadoop, codec_lz4_block, in, in_end, out, size, written, reason);
    return frames_step(state, in, in_end, out, size, written, reason);
}

static enum decode lz4_step(void *memory, struct slice *in, bool in_end, uint8_t *out, size_t size, size_t *written, const char **reason)
{
    struct lz4_state *state = memory;
    *written = 0;
    if (state->kind == LZ4_KIND_UNKNOWN && !recognise(state, in, reason)) {
        if (*reason) return DECODE_DAMAGED;
        return in_end && state->magic_size == 0 ? DECODE_END : DECODE_MORE;
    }
    if (state->magic_given < 4) {
        struct slice magic = {state->magic + state->magic_given, 4 - state->magic_given};
        enum decode result = run(state, &magic, false, out, size, written, reason);
        state->magic_given = 4 - (unsigned)magic.size;
        if (result != DECODE_MORE || *written) return result;
    }
    return run(state, in, in_end, out, size, written, reason);
}

static void lz4_fini(void *memory)
{
    struct lz4_state *state = memory;
    hadoop_fini(&state->hadoop);
    LZ4F_freeDecompressionContext(state->frames);
}

const struct decoder_ops lz4_decoder = {"lz4", sizeof(struct lz4_state), lz4_step, lz4_fini};
