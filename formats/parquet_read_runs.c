/* parquet_read_runs -- Parquet's hybrid of runs and bit-packed groups: levels, dictionary indexes, booleans. */
#include "formats/parquet_read.h"

void run_decoder_init(struct run_decoder *decoder, struct slice bytes, unsigned width)
{
    *decoder = (struct run_decoder){.at = bytes.data, .end = bytes.data + bytes.size, .width = width};
}

void run_decoder_init_packed(struct run_decoder *decoder, struct slice bytes, unsigned width)
{
    *decoder = (struct run_decoder){.width = width, .high_first = true, .packed = bytes.data, .packed_end = bytes.data + bytes.size};
    decoder->packed_left = width ? (uint64_t)bytes.size * 8 / width : UINT64_MAX;
}

static bool read_varint(struct run_decoder *decoder, uint32_t *out)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 35 && decoder->at < decoder->end; shift += 7) {
        uint8_t byte = *decoder->at++;
        value |= (uint64_t)(byte & 0x7F) << shift;
        if (byte < 0x80) {
            *out = (uint32_t)value;
            return value <= UINT32_MAX;
        }
    }
    return false;
}

/* The next run or stretch of groups. A last group may be cut short by the end of the page. */
static bool next_stretch(struct run_decoder *decoder)
{
    uint32_t header;
    if (decoder->high_first || !read_varint(decoder, &header)) return false;
    size_t left = (size_t)(decoder->end - decoder->at);
    if (header & 1) {
        uint64_t count = (uint64_t)(header >> 1) * 8, size = (uint64_t)(header >> 1) * decoder->width;
        if (size > left) {
            size = left;
            count = (uint64_t)left * 8 / decoder->width;
        }
        decoder->packed = decoder->at;
        decoder->packed_end = decoder->at += size;
        decoder->packed_left = count;
        decoder->bit = 0;
        return true;
    }
    size_t width = (decoder->width + 7) / 8;
    if (width > left) return false;
    decoder->value = 0;
    for (size_t i = 0; i < width; i++) decoder->value |= (uint32_t)decoder->at[i] << (8 * i);
    decoder->at += width;
    decoder->run_left = header >> 1;
    return true;
}

static uint64_t load_64(const uint8_t *at, const uint8_t *end)
{
    uint64_t word = 0;
    size_t left = (size_t)(end - at);
    memcpy(&word, at, left < sizeof(word) ? left : sizeof(word));
    return word;
}

static void unpack(struct run_decoder *decoder, uint32_t *out, size_t count)
{
    uint64_t mask = (UINT64_C(1) << decoder->width) - 1, bit = decoder->bit;
    for (size_t i = 0; i < count; i++, bit += decoder->width)
        out[i] = (uint32_t)(load_64(decoder->packed + bit / 8, decoder->packed_end) >> (bit % 8) & mask);
    decoder->bit = bit;
}

static void unpack_high_first(struct run_decoder *decoder, uint32_t *out, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint32_t value = 0;
        for (unsigned k = 0; k < decoder->width; k++, decoder->bit++)
            value = value << 1 | (decoder->packed[decoder->bit / 8] >> (7 - decoder->bit % 8) & 1);
        out[i] = value;
    }
}

bool run_decode(struct run_decoder *decoder, uint32_t *out, size_t count)
{
    while (count > 0) {
        size_t take;
        if (decoder->run_left > 0) {
            take = decoder->run_left < count ? (size_t)decoder->run_left : count;
            for (size_t i = 0; i < take; i++) out[i] = decoder->value;
            decoder->run_left -= take;
        } else if (decoder->packed_left > 0) {
            take = decoder->packed_left < count ? (size_t)decoder->packed_left : count;
            if (decoder->width == 0) memset(out, 0, take * sizeof(*out));
            else if (decoder->high_first) unpack_high_first(decoder, out, take);
            else unpack(decoder, out, take);
            decoder->packed_left -= take;
        } else {
            if (!next_stretch(decoder)) return false;
            continue;
        }
        out += take;
        count -= take;
    }
    return true;
}
