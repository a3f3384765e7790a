/* input -- opens files and ranges, picks the codec, delivers plain bytes. */
#include "formats/input.h"
#include "base/panic.h"
#include "formats/codecs_hadoop.h"
#include "formats/read_ahead.h"

#include <stdlib.h>
#include <strings.h>

struct codec_row {
    const char *name, *suffix, *hadoop; /* Class of org.apache.hadoop.io.compress. */
    const struct decoder_ops *decoder;
    bool concatenates;
    bool text_option; /* Spark knows it as `compression` of text writers. */
};

static const struct codec_row codecs[] = {
    [CODEC_NONE] = {"none", "", NULL, NULL, true, true},
    [CODEC_GZIP] = {"gzip", ".gz", "GzipCodec", &gzip_decoder, true, true},
    [CODEC_BZIP2] = {"bzip2", ".bz2", "BZip2Codec", &bzip2_decoder, true, true},
    [CODEC_DEFLATE] = {"deflate", ".deflate", "DeflateCodec", &deflate_decoder, false, true},
    [CODEC_SNAPPY] = {"snappy", ".snappy", "SnappyCodec", &snappy_decoder, true, true},
    [CODEC_LZ4] = {"lz4", ".lz4", "Lz4Codec", &lz4_decoder, true, true},
    [CODEC_ZSTD] = {"zstd", ".zst", "ZStandardCodec", &zstd_decoder, true, false},
};

enum codec codec_of_path(const char *path)
{
    const char *dot = strrchr(path, '.');
    if (!dot) return CODEC_NONE;
    for (enum codec i = CODEC_GZIP; i < COUNTOF(codecs); i++)
        if (strcasecmp(dot, codecs[i].suffix) == 0) return i;
    return strcasecmp(dot, ".gzip") == 0 ? CODEC_GZIP : strcasecmp(dot, ".zstd") == 0 ? CODEC_ZSTD : CODEC_NONE;
}

bool codec_find(const char *name, enum codec *out)
{
    static const char package[] = "org.apache.hadoop.io.compress.";
    bool is_class = strncmp(name, package, sizeof package - 1) == 0;
    *out = CODEC_NONE;
    if (strcasecmp(name, "uncompressed") == 0) return true;
    for (enum codec i = CODEC_NONE; i < COUNTOF(codecs); i++) {
        bool short_name = codecs[i].text_option && strcasecmp(name, codecs[i].name) == 0;
        bool class_name = is_class && codecs[i].hadoop && strcmp(name + sizeof package - 1, codecs[i].hadoop) == 0;
        if (!short_name && !class_name) continue;
        *out = i;
        return true;
    }
    return false;
}

const char *codec_suffix(enum codec codec) { return codecs[codec].suffix; }
bool codec_concatenates(enum codec codec) { return codecs[codec].concatenates; }

enum { STORED_SIZE = 256 << 10 };

struct input {
    /* Where the bytes come from: a store's file, or memory. */
    const struct store_ops *store;
    struct store_file *file;
    struct slice memory;
    const struct cancel *cancel;
    char *name;
    struct object_stat opened;
    int64_t position;          /* Offset of the next byte to take from the store. */
    int64_t end;               /* Of the range; INT64_MAX: none. */
    int64_t taken;             /* Bytes taken so far. */
    /* Decoding. */
    const struct decoder_ops *decoder; /* NULL: plain bytes. */
    void *state;
    uint8_t *stored;           /* STORED_SIZE bytes of the file. */
    struct slice pending;      /* What of them is not decoded yet. */
    bool stored_end, ended;
    const char *damage;        /* Told by the next read: the bytes before it come first. */
    struct read_ahead *ahead;  /* Its thread has the store and the decoder. */
    /* Conversion to UTF-8. */
    bool convert;
    enum charset charset;      /* Without a mark: that was looked at. */
    bool started;
    struct buffer raw;         /* Not converted yet: less than a character, or just read. */
    struct buffer text;        /* Converted, handed out from text_at. */
    size_t text_at;
};

static void *allocate(size_t size)
{
    void *memory = calloc(1, size);
    if (!memory) panic_out_of_memory(size);
    return memory;
}

struct input *input_open(const struct store_ops *store, const char *path, int64_t start, int64_t end,
                         const struct cancel *cancel, struct object_stat *stat, struct error *err)
{
    enum codec codec = codec_of_path(path);
    invariant(codec == CODEC_NONE || (start == 0 && end == -1));
    struct object_stat opened;
    struct store_file *file = store->open(path, &opened, err);
    if (!file) return NULL;
    struct input *input = allocate(sizeof *input);
    *input = (struct input){.store = store, .file = file, .cancel = cancel, .name = strdup(path), .opened = opened,
                            .position = start, .end = end < 0 ? INT64_MAX : end, .decoder = codecs[codec].decoder};
    if (input->decoder) {
        input->state = allocate(input->decoder->state_size);
        input->stored = allocate(STORED_SIZE);
    }
    if (stat) *stat = opened;
    return input;
}

struct input *input_memory(struct slice bytes, int64_t byte_start)
{
    struct input *input = allocate(sizeof *input);
    *input = (struct input){.memory = bytes, .position = byte_start, .end = INT64_MAX};
    return input;
}

static bool take(struct input *input, void *buffer, size_t size, size_t *got, struct error *err)
{
    if (!input->file) {
        *got = size < input->memory.size ? size : input->memory.size;
        if (*got) memcpy(buffer, input->memory.data, *got);
        input->memory.data += *got;
        input->memory.size -= *got;
    } else if (!input->store->read_at(input->file, input->position, buffer, size, got, input->cancel, err)) {
        return false;
    }
    input->position += (int64_t)*got;
    input->taken += (int64_t)*got;
    return true;
}

/* The file had an end when it was opened; what grew behind it since is input_check_unchanged's business. (Size 0 may mean "not known".) */
static bool at_known_end(const struct input *input) { return input->file && input->opened.size > 0 && input->position >= input->opened.size; }

static bool read_plain(struct input *input, void *buffer, size_t size, bool past_end, size_t *got, struct error *err)
{
    int64_t left = past_end ? INT64_MAX : input->end - input->position;
    if (left <= 0 || at_known_end(input)) return true;
    if ((int64_t)size > left) size = (size_t)left;
    return take(input, buffer, size, got, err);
}

static bool refill(struct input *input, struct error *err)
{
    size_t got = 0;
    if (!at_known_end(input) && !take(input, input->stored, STORED_SIZE, &got, err)) return false;
    input->pending = slice_of(input->stored, got);
    input->stored_end = got == 0;
    return true;
}

static bool tell_damage(const struct input *input, struct error *err)
{
    int64_t byte = input->position - (int64_t)input->pending.size;
    error_set(err, COND_INLET_DAMAGED_FILE, "the %s data is damaged at compressed byte %lld: %s", input->decoder->name, (long long)byte, input->damage);
    return error_at(err, input->name, 0, byte);
}

/* Until a byte is there, the stream ends, or it proves damaged. */
static bool read_decoded(struct input *input, void *buffer, size_t size, size_t *got, struct error *err)
{
    unsigned stuck = 0; /* Once may mean that a member's end was recognised from bytes taken before. */
    while (*got == 0 && size && !input->ended && !input->damage) {
        if (input->pending.size == 0 && !input->stored_end && !refill(input, err)) return false;
        size_t before = input->pending.size;
        enum decode result = input->decoder->step(input->state, &input->pending, input->stored_end, buffer, size, got, &input->damage);
        if (result == DECODE_END) input->ended = true;
        stuck = result == DECODE_MORE && *got == 0 && input->pending.size == before ? stuck + 1 : 0;
        if (stuck > 1) input->damage = input->stored_end ? "the stream is cut short" : "the decoder does not go on";
    }
    return *got || !input->damage || tell_damage(input, err);
}

static bool read_decoded_ahead(void *source, void *buffer, size_t size, size_t *got, struct error *err)
{
    struct input *input = source;
    *got = 0;
    if (cancel_now(input->cancel)) return error_set(err, COND_INLET_CANCELLED, "reading \"%s\" was stopped", input->name);
    return read_decoded(input, buffer, size, got, err);
}

void input_read_ahead(struct input *input)
{
    if (input->decoder) input->ahead = read_ahead_start(read_decoded_ahead, input);
}

static bool read_raw(struct input *input, void *buffer, size_t size, bool past_end, size_t *got, struct error *err)
{
    *got = 0;
    if (cancel_now(input->cancel)) return error_set(err, COND_INLET_CANCELLED, "reading \"%s\" was stopped", input->name ? input->name : "");
    if (input->ahead) return read_ahead_take(input->ahead, buffer, size, got, err);
    return input->decoder ? read_decoded(input, buffer, size, got, err) : read_plain(input, buffer, size, past_end, got, err);
}

/* ---- conversion to UTF-8 ----------------------------------------------------------------------- */

void input_convert(struct input *input, enum charset charset)
{
    input->convert = true;
    input->charset = charset;
}

/* Bytes of a character that may be cut off at the end of UTF-8 text. */
static size_t utf8_tail(const uint8_t *text, size_t size)
{
    for (size_t back = 1; back <= 3 && back <= size; back++) {
        uint8_t byte = text[size - back];
        if ((byte & 0xC0) == 0x80) continue;
        size_t length = byte < 0xC0 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
        return length > back ? back : 0;
    }
    return 0;
}

/* How much of `text` is whole characters. */
static size_t whole_characters(enum charset charset, const uint8_t *text, size_t size)
{
    switch (charset) {
    case CHARSET_UTF8: return size - utf8_tail(text, size);
    case CHARSET_UTF16LE: case CHARSET_UTF16BE:
        size &= ~(size_t)1;
        bool split = size >= 2 && (text[size - (charset == CHARSET_UTF16LE ? 1 : 2)] & 0xFC) == 0xD8;
        return split ? size - 2 : size;
    case CHARSET_UTF32LE: case CHARSET_UTF32BE: return size & ~(size_t)3;
    default: return size;
    }
}

/* Drops the mark at the start and settles the byte order: big endian without one, as Java does. */
static void take_byte_order_mark(struct input *input)
{
    static const struct mark { enum charset of, means; const char *bytes; size_t size; } marks[] = {
        {CHARSET_UTF8, CHARSET_UTF8, "\xEF\xBB\xBF", 3},
        {CHARSET_UTF32, CHARSET_UTF32LE, "\xFF\xFE\0\0", 4}, {CHARSET_UTF32LE, CHARSET_UTF32LE, "\xFF\xFE\0\0", 4},
        {CHARSET_UTF32, CHARSET_UTF32BE, "\0\0\xFE\xFF", 4}, {CHARSET_UTF32BE, CHARSET_UTF32BE, "\0\0\xFE\xFF", 4},
        {CHARSET_UTF16, CHARSET_UTF16LE, "\xFF\xFE", 2}, {CHARSET_UTF16LE, CHARSET_UTF16LE, "\xFF\xFE", 2},
        {CHARSET_UTF16, CHARSET_UTF16BE, "\xFE\xFF", 2}, {CHARSET_UTF16BE, CHARSET_UTF16BE, "\xFE\xFF", 2},
    };
    input->started = true;
    for (size_t i = 0; i < COUNTOF(marks); i++) {
        if (marks[i].of != input->charset || input->raw.size < marks[i].size) continue;
        if (memcmp(input->raw.data, marks[i].bytes, marks[i].size) != 0) continue;
        input->charset = marks[i].means;
        input->raw.size -= marks[i].size;
        memmove(input->raw.data, input->raw.data + marks[i].size, input->raw.size);
        return;
    }
    if (input->charset == CHARSET_UTF16) input->charset = CHARSET_UTF16BE;
    if (input->charset == CHARSET_UTF32) input->charset = CHARSET_UTF32BE;
}

static void convert_text(struct input *input, size_t size)
{
    buffer_clear(&input->text);
    input->text_at = 0;
    if (input->charset == CHARSET_UTF8 && utf8_valid(input->raw.data, size)) buffer_append(&input->text, input->raw.data, size);
    else charset_to_utf8(input->charset, &input->text, input->raw.data, size);
    input->raw.size -= size;
    memmove(input->raw.data, input->raw.data + size, input->raw.size);
}

static bool read_converted(struct input *input, void *buffer, size_t size, size_t *got, struct error *err)
{
    while (input->text_at == input->text.size) {
        size_t read;
        if (!read_raw(input, buffer_reserve(&input->raw, STORED_SIZE), STORED_SIZE, false, &read, err)) return false;
        input->raw.size += read;
        if (!input->started && input->raw.size < 4 && read) continue;
        if (!input->started) take_byte_order_mark(input);
        if (input->raw.size == 0 && read == 0) return true;
        convert_text(input, read ? whole_characters(input->charset, input->raw.data, input->raw.size) : input->raw.size);
    }
    size_t left = input->text.size - input->text_at;
    *got = left < size ? left : size;
    memcpy(buffer, input->text.data + input->text_at, *got);
    input->text_at += *got;
    return true;
}

bool input_read(struct input *input, void *buffer, size_t size, bool past_end, size_t *got, struct error *err)
{
    *got = 0;
    return input->convert ? read_converted(input, buffer, size, got, err) : read_raw(input, buffer, size, past_end, got, err);
}

int64_t input_bytes_stored(const struct input *input) { return input->taken; }

bool input_check_unchanged(struct input *input, struct error *err)
{
    struct object_stat now;
    if (!input->file) return true;
    if (!input->store->stat(input->file, &now, err)) return false;
    if (now.size == input->opened.size && now.mtime_us == input->opened.mtime_us && strcmp(now.etag, input->opened.etag) == 0) return true;
    error_set(err, COND_INLET_FILE_CHANGED, "file \"%s\" was changed while it was read (size %lld, now %lld)", input->name,
              (long long)input->opened.size, (long long)now.size);
    return error_at(err, input->name, 0, -1);
}

void input_close(struct input *input)
{
    if (!input) return;
    read_ahead_stop(input->ahead);
    if (input->state) input->decoder->fini(input->state);
    if (input->file) input->store->close(input->file);
    free(input->state);
    free(input->stored);
    buffer_free(&input->raw);
    buffer_free(&input->text);
    free(input->name);
    free(input);
}

bool codec_compress(enum codec codec, struct slice bytes, struct buffer *out, struct error *err)
{
    bool ok = false;
    switch (codec) {
    case CODEC_NONE: buffer_append(out, bytes.data, bytes.size); return true;
    case CODEC_GZIP: ok = codec_gzip_compress(bytes, 0, out); break;
    case CODEC_BZIP2: ok = codec_bzip2_compress(bytes, out); break;
    case CODEC_DEFLATE: ok = codec_deflate_compress(bytes, 0, out); break;
    case CODEC_ZSTD: ok = codec_zstd_compress(bytes, 0, out); break;
    case CODEC_SNAPPY: ok = hadoop_compress(codec_snappy_compress, bytes, out); break;
    case CODEC_LZ4: ok = hadoop_compress(codec_lz4_compress, bytes, out); break;
    }
    return ok || error_set(err, COND_INLET_RESOURCE, "could not compress %zu bytes with %s", bytes.size, codecs[codec].name);
}
