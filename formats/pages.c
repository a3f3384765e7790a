/* pages -- compression of Parquet pages: whole blocks in memory, exact sizes. */
#include "formats/codecs.h"
#include "formats/input.h"

#include <stdlib.h>

/* Parquet's deprecated LZ4 codec: Hadoop's framing, or a raw block from writers that got it wrong. */
static bool lz4_hadoop_decompress(struct slice bytes, uint8_t *out, size_t out_size, size_t *size)
{
    void *state = calloc(1, lz4_decoder.state_size);
    if (!state) return false;
    struct slice in = bytes;
    const char *reason = NULL;
    enum decode result = lz4_decoder.step(state, &in, true, out, out_size, size, &reason);
    lz4_decoder.fini(state);
    free(state);
    if (result != DECODE_DAMAGED && *size == out_size && in.size == 0) return true;
    return codec_lz4_block(bytes, out, out_size, size);
}

bool page_compress(enum page_codec codec, int level, struct slice bytes, struct buffer *out, struct error *err)
{
    bool ok = false;
    switch (codec) {
    case PAGE_UNCOMPRESSED: buffer_append(out, bytes.data, bytes.size); return true;
    case PAGE_SNAPPY: ok = codec_snappy_compress(bytes, out); break;
    case PAGE_GZIP: ok = codec_gzip_compress(bytes, level, out); break;
    case PAGE_ZSTD: ok = codec_zstd_compress(bytes, level, out); break;
    case PAGE_LZ4_RAW: ok = codec_lz4_compress(bytes, out); break;
    case PAGE_LZ4_HADOOP: return error_set(err, COND_INLET_NOT_SUPPORTED_YET, "cannot write Parquet pages with the deprecated LZ4 codec");
    }
    return ok || error_set(err, COND_INLET_RESOURCE, "could not compress a page of %zu bytes with codec %d", bytes.size, (int)codec);
}

bool page_decompress(enum page_codec codec, struct slice bytes, void *out, size_t out_size, struct error *err)
{
    size_t size = 0;
    bool ok = false;
    switch (codec) {
    case PAGE_UNCOMPRESSED:
        size = bytes.size;
        ok = size == out_size;
        if (ok && size) memcpy(out, bytes.data, size);
        break;
    case PAGE_SNAPPY: ok = codec_snappy_block(bytes, out, out_size, &size); break;
    case PAGE_GZIP: ok = codec_gzip_block(bytes, out, out_size, &size); break;
    case PAGE_ZSTD: ok = codec_zstd_block(bytes, out, out_size, &size); break;
    case PAGE_LZ4_RAW: ok = codec_lz4_block(bytes, out, out_size, &size); break;
    case PAGE_LZ4_HADOOP: ok = lz4_hadoop_decompress(bytes, out, out_size, &size); break;
    default: return error_set(err, COND_INLET_NOT_SUPPORTED_YET, "Parquet codec %d is not supported", (int)codec);
    }
    if (ok && size == out_size) return true;
    return error_set(err, COND_INLET_DAMAGED_FILE, "a compressed page does not decode to its %zu bytes", out_size);
}
