/* codecs_bzip2 -- bzip2, any number of streams after each other; what follows the last and is no stream is left. */
#include "base/panic.h"
#include "formats/codecs.h"

#include <bzlib.h>
#include <limits.h>

struct bzip2_state {
    bz_stream stream;
    bool open;
    bool complete; /* A stream has been read to its end. */
};

static unsigned clamp(size_t size) { return size > UINT_MAX ? UINT_MAX : (unsigned)size; }

static void close_stream(struct bzip2_state *state)
{
    if (state->open) BZ2_bzDecompressEnd(&state->stream);
    state->open = false;
}

static enum decode bzip2_step(void *memory, struct slice *in, bool in_end, uint8_t *out, size_t size, size_t *written, const char **reason)
{
    struct bzip2_state *state = memory;
    *written = 0;
    if (!state->open) {
        if (in->size == 0) return in_end ? DECODE_END : DECODE_MORE;
        state->stream = (bz_stream){0};
        if (BZ2_bzDecompressInit(&state->stream, 0, 0) != BZ_OK) {
            *reason = "no memory for a bzip2 decoder";
            return DECODE_DAMAGED;
        }
        state->open = true;
    }
    bz_stream *stream = &state->stream;
    unsigned given = clamp(in->size), room = clamp(size);
    stream->next_in = (char *)in->data;
    stream->avail_in = given;
    stream->next_out = (char *)out;
    stream->avail_out = room;
    int result = BZ2_bzDecompress(stream);
    in->data += given - stream->avail_in;
    in->size -= given - stream->avail_in;
    *written = room - stream->avail_out;
    if (result == BZ_STREAM_END) {
        close_stream(state);
        state->complete = true;
    }
    if (result == BZ_OK || result == BZ_STREAM_END) return DECODE_MORE;
    if (result == BZ_DATA_ERROR_MAGIC && state->complete) { /* Not another stream: padding or junk, which Spark ignores too. */
        in->size = 0;
        return DECODE_END;
    }
    *reason = result == BZ_DATA_ERROR_MAGIC ? "the bzip2 magic is missing" : "a bzip2 block is damaged";
    return DECODE_DAMAGED;
}

static void bzip2_fini(void *state) { close_stream(state); }

const struct decoder_ops bzip2_decoder = {"bzip2", sizeof(struct bzip2_state), bzip2_step, bzip2_fini};

enum { BZIP2_LEVEL = 9, BZIP2_PART = 1 << 20 };

bool codec_bzip2_compress(struct slice bytes, struct buffer *out)
{
    bz_stream stream = {0};
    if (BZ2_bzCompressInit(&stream, BZIP2_LEVEL, 0, 0) != BZ_OK) panic_out_of_memory(8 << 20);
    int result = BZ_RUN_OK;
    stream.next_in = (char *)bytes.data;
    while (result == BZ_RUN_OK || result == BZ_FINISH_OK) {
        if (stream.avail_in == 0) {
            stream.avail_in = clamp(bytes.size);
            bytes.size -= stream.avail_in;
        }
        stream.next_out = (char *)buffer_reserve(out, BZIP2_PART);
        stream.avail_out = BZIP2_PART;
        result = BZ2_bzCompress(&stream, bytes.size ? BZ_RUN : BZ_FINISH);
        out->size += BZIP2_PART - stream.avail_out;
    }
    BZ2_bzCompressEnd(&stream);
    return result == BZ_STREAM_END;
}
