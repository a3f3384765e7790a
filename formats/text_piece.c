/* text_piece -- see the header. */
#include "formats/text_piece.h"
#include "base/panic.h"
#include <stdlib.h>
#include <strings.h>

struct piece {
    const struct encoder *encoder;
    struct inlet_context *context;
    struct column *flat;        /* One per column: where a chunk's column is not plain. */
    struct buffer text;         /* UTF-8 of the rows. */
    struct buffer packed;       /* In the file's encoding and compressed, where either is asked for. */
    bool is_packed;             /* `packed` holds the result, not `text`. */
    int64_t rows;
};

struct encoder_file {
    const struct encoder *encoder;
    struct buffer held;         /* Codecs that do not concatenate: everything, until the tail. */
    bool has_bytes;             /* Something was written or held. */
    int64_t rows;
};

static void *allocate(size_t count, size_t size)
{
    void *memory = calloc(count ? count : 1, size);
    if (!memory)
        panic_out_of_memory(count * size);
    return memory;
}

/* --- options ---------------------------------------------------------------------------------------- */

static bool find_codec(struct encoder *encoder, const struct options *options, struct error *err)
{
    const char *name = options_text(options, "compression");
    if (!name || codec_find(name, &encoder->codec))
        return true;
    if (strcasecmp(name, "zstd") == 0) { /* Not among Spark's names for text, but its readers take the files. */
        encoder->codec = CODEC_ZSTD;
        return true;
    }
    return error_set(err, COND_CODEC_NOT_AVAILABLE,
                     "the codec %s is not available. Available codecs are none, uncompressed, bzip2, deflate, gzip, lz4, snappy, zstd",
                     name);
}

static bool find_charset(struct encoder *encoder, const struct options *options, struct error *err)
{
    encoder->charset = CHARSET_UTF8;
    const char *name = options_has(options, "encoding") ? options_text(options, "encoding") : NULL;
    if (!name)
        return true;
    encoder->charset = charset_find(name);
    if (encoder->charset != CHARSET_UNKNOWN)
        return true;
    return error_set(err, COND_INVALID_PARAMETER_CHARSET,
                     "the value of parameter 'encoding' is invalid: expects one of the charsets 'iso-8859-1', 'us-ascii', 'utf-16', "
                     "'utf-16be', 'utf-16le', 'utf-32', 'utf-32be', 'utf-32le', 'utf-8', but got %s",
                     name);
}

bool text_encoder_init(struct encoder *encoder, const struct encoder_spec *spec, const char *extension, struct arena *arena,
                       struct error *err)
{
    encoder->schema = spec->schema;
    if (!find_codec(encoder, spec->options, err) || !find_charset(encoder, spec->options, err))
        return false;
    encoder->suffix = arena_printf(arena, "%s%s", extension, codec_suffix(encoder->codec));
    return true;
}

bool text_line_separator(const struct options *options, struct slice *out, struct error *err)
{
    const char *text = options_text(options, "lineSep");
    *out = slice_text(text ? text : "\n");
    return out->size > 0 || error_set(err, COND_INLET_BAD_OPTION_VALUE, "option 'lineSep' cannot be an empty string");
}

/* --- dates and times -------------------------------------------------------------------------------- */

static const struct datetime_pattern *compile_pattern(const struct options *options, const char *name, struct arena *arena,
                                                      struct error *err)
{
    struct datetime_pattern *pattern =
        datetime_pattern_compile(arena, options_text(options, name), options_text(options, "locale"), DATETIME_PRINT, err);
    if (!pattern)
        error_context(err, "while reading option '%s'", name);
    return pattern;
}

static bool lacks_field(const struct options *options, const char *name, const char *what, struct error *err)
{
    return error_set(err, COND_INLET_BAD_OPTION_VALUE, "option '%s' cannot be '%s': a %s has no such field", name,
                     options_text(options, name), what);
}

bool text_times_init(struct text_times *times, const struct options *options, const struct session *session, struct arena *arena,
                     struct error *err)
{
    *times = (struct text_times){.zone = session->zone};
    if (!options)
        return true;
    const char *zone = options_text(options, "timeZone");
    if (zone && !(times->zone = time_zone_option(zone, err)))
        return error_context(err, "while reading option 'timeZone'");
    struct {
        const char *name;
        const struct datetime_pattern **pattern;
    } rows[] = {{"dateFormat", &times->date}, {"timestampFormat", &times->timestamp}, {"timestampNTZFormat", &times->timestamp_ntz}};
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        if (options_given(options, rows[i].name) && !(*rows[i].pattern = compile_pattern(options, rows[i].name, arena, err)))
            return false;
    }
    struct buffer trial = {0};
    bool date = !times->date || datetime_print_date(times->date, 0, &trial);
    bool ntz = !times->timestamp_ntz || datetime_print_timestamp_ntz(times->timestamp_ntz, 0, &trial);
    buffer_free(&trial);
    return (date || lacks_field(options, "dateFormat", "date", err)) &&
           (ntz || lacks_field(options, "timestampNTZFormat", "timestamp without zone", err));
}

static bool append_date(const struct text_times *times, int32_t days, struct buffer *out)
{
    if (times->date)
        return datetime_print_date(times->date, days, out);
    out->size += print_date(days, (char *)buffer_reserve(out, DATE_TEXT_MAX));
    return true;
}

static bool append_timestamp(const struct text_times *times, int64_t us, struct buffer *out)
{
    if (times->timestamp)
        return datetime_print_timestamp(times->timestamp, us, times->zone, out);
    out->size += print_timestamp_millis(us, times->zone, (char *)buffer_reserve(out, TIMESTAMP_TEXT_MAX));
    return true;
}

static bool append_timestamp_ntz(const struct text_times *times, int64_t us, struct buffer *out)
{
    if (times->timestamp_ntz)
        return datetime_print_timestamp_ntz(times->timestamp_ntz, us, out);
    out->size += print_timestamp_ntz_millis(us, (char *)buffer_reserve(out, TIMESTAMP_TEXT_MAX));
    return true;
}

bool text_times_append(const struct text_times *times, const struct column *column, size_t row, struct buffer *out, struct error *err)
{
    bool printed;
    if (column->type->kind == TYPE_DATE)
        printed = append_date(times, ((const int32_t *)column->values)[row], out);
    else if (column->type->kind == TYPE_TIMESTAMP)
        printed = append_timestamp(times, ((const int64_t *)column->values)[row], out);
    else
        printed = append_timestamp_ntz(times, ((const int64_t *)column->values)[row], out);
    return printed || error_set(err, COND_TASK_WRITE_FAILED, "a date or timestamp cannot be written by the pattern of the writer");
}

/* --- pieces ----------------------------------------------------------------------------------------- */

const char *text_suffix(const struct encoder *encoder) { return encoder->suffix; }

struct piece *text_piece_new(const struct encoder *encoder, struct inlet_context *context, struct error *err)
{
    (void)err;
    struct piece *piece = allocate(1, sizeof *piece);
    piece->encoder = encoder;
    piece->context = context;
    piece->flat = allocate(encoder->schema->field_count, sizeof *piece->flat);
    return piece;
}

/* Shares plain columns and flattens others into piece->flat; *made counts those to give back. */
static bool flatten(struct piece *piece, const struct chunk *chunk, size_t *made, struct error *err)
{
    for (*made = 0; *made < chunk->schema->field_count; (*made)++) {
        if (!column_plain(&piece->flat[*made], &chunk->columns[*made], piece->context->budget, err))
            return false;
    }
    return true;
}

static bool has_encoded_column(const struct chunk *chunk)
{
    for (size_t i = 0; i < chunk->schema->field_count; i++) {
        if (chunk->columns[i].encoding != COLUMN_PLAIN)
            return true;
    }
    return false;
}

bool text_piece_add(struct piece *piece, const struct chunk *chunk, struct error *err)
{
    const struct encoder *encoder = piece->encoder;
    uint32_t count = chunk_selected(chunk);
    size_t made = 0;
    bool encoded = has_encoded_column(chunk), good = !encoded || flatten(piece, chunk, &made, err);
    if (good)
        good = encoder->append(encoder->settings, encoded ? piece->flat : chunk->columns, chunk->selection, count, &piece->text, err);
    for (size_t i = 0; i < made; i++)
        column_fini(&piece->flat[i]);
    if (good)
        piece->rows += count;
    return good;
}

size_t text_piece_memory(const struct piece *piece) { return piece->text.size; }

/* Into the file's encoding; the bytes stay in *converted or, where nothing is to do, in `text`. */
static struct slice encode(const struct encoder *encoder, struct slice text, struct buffer *converted)
{
    if (encoder->charset == CHARSET_UTF8)
        return text;
    charset_from_utf8(encoder->charset, converted, text.data, text.size);
    return slice_of(converted->data, converted->size);
}

bool text_piece_finish(struct piece *piece, struct error *err)
{
    const struct encoder *encoder = piece->encoder;
    bool compress = encoder->codec != CODEC_NONE && codec_concatenates(encoder->codec) && piece->text.size > 0;
    piece->is_packed = compress || encoder->charset != CHARSET_UTF8;
    if (!piece->is_packed)
        return true;
    struct slice text = slice_of(piece->text.data, piece->text.size);
    struct buffer converted = {0};
    bool good = true;
    if (compress)
        good = codec_compress(encoder->codec, encode(encoder, text, &converted), &piece->packed, err);
    else
        encode(encoder, text, &piece->packed);
    buffer_free(&converted);
    buffer_free(&piece->text);
    return good;
}

static struct slice piece_result(const struct piece *piece)
{
    const struct buffer *result = piece->is_packed ? &piece->packed : &piece->text;
    return slice_of(result->data, result->size);
}

int64_t text_piece_rows(const struct piece *piece) { return piece->rows; }

size_t text_piece_bytes(const struct piece *piece) { return piece_result(piece).size; }

void text_piece_free(struct piece *piece)
{
    if (!piece)
        return;
    buffer_free(&piece->text);
    buffer_free(&piece->packed);
    free(piece->flat);
    free(piece);
}

/* --- files ------------------------------------------------------------------------------------------ */

struct encoder_file *text_file_new(const struct encoder *encoder, struct error *err)
{
    (void)err;
    struct encoder_file *file = allocate(1, sizeof *file);
    file->encoder = encoder;
    return file;
}

static bool must_hold(const struct encoder *encoder) { return encoder->codec != CODEC_NONE && !codec_concatenates(encoder->codec); }

bool text_file_head(struct encoder_file *file, struct buffer *out, struct error *err)
{
    const struct encoder *encoder = file->encoder;
    struct buffer head = {0};
    if (encoder->charset == CHARSET_UTF16)
        buffer_append(&head, "\xFE\xFF", 2); /* As Java's encoder: big-endian with a mark. */
    charset_from_utf8(encoder->charset, &head, encoder->head.data, encoder->head.size);
    bool good = true;
    if (head.size == 0)
        return true;
    file->has_bytes = true;
    if (must_hold(encoder))
        buffer_append(&file->held, head.data, head.size);
    else if (encoder->codec == CODEC_NONE)
        buffer_append(out, head.data, head.size);
    else
        good = codec_compress(encoder->codec, slice_of(head.data, head.size), out, err);
    buffer_free(&head);
    return good;
}

bool text_file_piece(struct encoder_file *file, struct piece *piece, struct slice *bytes, struct error *err)
{
    (void)err;
    file->rows += piece->rows;
    *bytes = piece_result(piece);
    file->has_bytes |= bytes->size > 0;
    if (must_hold(file->encoder)) {
        buffer_append(&file->held, bytes->data, bytes->size);
        *bytes = (struct slice){0};
    }
    return true;
}

bool text_file_tail(struct encoder_file *file, struct buffer *out, struct error *err)
{
    enum codec codec = file->encoder->codec;
    if (codec == CODEC_NONE || (file->has_bytes && !must_hold(file->encoder)))
        return true;
    return codec_compress(codec, slice_of(file->held.data, file->held.size), out, err); /* An empty file is an empty stream. */
}

int64_t text_file_rows(const struct encoder_file *file) { return file->rows; }

const struct leaf_stats *text_file_stats(const struct encoder_file *file, size_t *count)
{
    (void)file;
    *count = 0;
    return NULL;
}

void text_file_free(struct encoder_file *file)
{
    if (!file)
        return;
    buffer_free(&file->held);
    free(file);
}
