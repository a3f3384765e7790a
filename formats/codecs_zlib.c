/* codecs_zlib -- gzip (any number of members) and deflate (zlib streams, as Hadoop's DefaultCodec writes them). */
#include "base/panic.h"
#include "formats/codecs.h"

#include <limits.h>
#include <zlib.h>

enum { WINDOW_ZLIB = 15, WINDOW_GZIP = 15 + 16 };

struct zlib_state {
    z_stream stream;
    bool ready;
    bool between; /* No member is open. */
};

static uInt clamp(size_t size) { return size > UINT_MAX ? UINT_MAX : (uInt)size; }

static bool open_member(struct zlib_state *state, int window)
{
    int result = state->ready ? inflateReset(&state->stream) : inflateInit2(&state->stream, window);
    state->ready = true;
    state->between = false;
    return result == Z_OK;
}

/* One call decodes within one member; the next begins the following one. */
static enum decode zlib_step(struct zlib_state *state, int window, struct slice *in, bool in_end, uint8_t *out, size_t size,
                             size_t *written, const char **reason)
{
    *written = 0;
    if (!state->ready || state->between) {
        if (in->size == 0) return in_end ? DECODE_END : DECODE_MORE;
        if (!open_member(state, window)) {
            *reason = "no memory for a zlib decoder";
            return DECODE_DAMAGED;
        }
    }
    z_stream *stream = &state->stream;
    uInt given = clamp(in->size), room = clamp(size);
    stream->next_in = (Bytef *)in->data;
    stream->avail_in = given;
    stream->next_out = out;
    stream->avail_out = room;
    int result = inflate(stream, Z_NO_FLUSH);
    in->data += given - stream->avail_in;
    in->size -= given - stream->avail_in;
    *written = room - stream->avail_out;
    if (result == Z_STREAM_END) state->between = true;
    if (result == Z_OK || result == Z_STREAM_END || result == Z_BUF_ERROR) return DECODE_MORE;
    *reason = stream->msg ? stream->msg : "the zlib stream is damaged";
    return DECODE_DAMAGED;
}

static enum decode gzip_step(void *state, struct slice *in, bool in_end, uint8_t *out, size_t size, size_t *written, const char **reason)
{
    return zlib_step(state, WINDOW_GZIP, in, in_end, out, size, written, reason);
}

static enum decode deflate_step(void *state, struct slice *in, bool in_end, uint8_t *out, size_t size, size_t *written, const char **reason)
{
    return zlib_step(state, WINDOW_ZLIB, in, in_end, out, size, written, reason);
}

static void zlib_fini(void *memory)
{
    struct zlib_state *state = memory;
    if (state->ready) inflateEnd(&state->stream);
}

const struct decoder_ops gzip_decoder = {"gzip", sizeof(struct zlib_state), gzip_step, zlib_fini};
const struct decoder_ops deflate_decoder = {"deflate", sizeof(struct zlib_state), deflate_step, zlib_fini};

enum { ZLIB_PART = 1 << 20 };

static bool zlib_compress(struct slice bytes, int level, int window, struct buffer *out)
{
    z_stream stream = {0};
    if (deflateInit2(&stream, level ? level : Z_DEFAULT_COMPRESSION, Z_DEFLATED, window, 8, Z_DEFAULT_STRATEGY) != Z_OK) panic_out_of_memory(256 << 10);
    int result = Z_OK;
    stream.next_in = (Bytef *)bytes.data;
    while (result == Z_OK) {
        if (stream.avail_in == 0) {
            stream.avail_in = clamp(bytes.size);
            bytes.size -= stream.avail_in;
        }
        uInt room = clamp(deflateBound(&stream, stream.avail_in));
        if (room > ZLIB_PART) room = ZLIB_PART;
        stream.next_out = buffer_reserve(out, room);
        stream.avail_out = room;
        result = deflate(&stream, bytes.size ? Z_NO_FLUSH : Z_FINISH);
        out->size += room - stream.avail_out;
    }
    deflateEnd(&stream);
    return result == Z_STREAM_END;
}

bool codec_gzip_compress(struct slice bytes, int level, struct buffer *out) { return zlib_compress(bytes, level, WINDOW_GZIP, out); }
bool codec_deflate_compress(struct slice bytes, int level, struct buffer *out) { return zlib_compress(bytes, level, WINDOW_ZLIB, out); }

bool codec_gzip_block(struct slice bytes, uint8_t *out, size_t capacity, size_t *size)
{
    struct zlib_state state = {0};
    enum decode result = DECODE_MORE;
    const char *reason = NULL;
    uint8_t beyond; /* A byte that arrives here is one too many. */
    *size = 0;
    while (result == DECODE_MORE) {
        size_t written, before = bytes.size;
        bool full = *size == capacity;
        result = zlib_step(&state, WINDOW_GZIP, &bytes, true, full ? &beyond : out + *size, full ? 1 : capacity - *size, &written, &reason);
        if (full && written) result = DECODE_DAMAGED;
        else *size += written;
        if (result == DECODE_MORE && written == 0 && bytes.size == before && !state.between) result = DECODE_DAMAGED;
    }
    zlib_fini(&state);
    return result == DECODE_END;
}
