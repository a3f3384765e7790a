/* csv_read -- the CSV reader: files and ranges into lines, headers, encodings (format-semantics 6.2). */
#include "formats/csv_read.h"
#include "base/panic.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the reader -------------------------------------------------------------------------------- */

static bool check_types(const struct read_spec *spec, struct error *err)
{
    const struct type *schemas[] = {spec->file_schema, spec->schema};
    for (size_t s = 0; s < COUNTOF(schemas); s++)
        for (size_t i = 0; i < schemas[s]->field_count; i++) {
            const struct field *field = &schemas[s]->fields[i];
            struct csv_target target;
            if (csv_target_of(field->type, &target)) continue;
            struct buffer type = {0};
            type_print_ddl(field->type, &type);
            error_set(err, COND_UNSUPPORTED_DATA_TYPE_FOR_DATASOURCE, "the CSV datasource doesn't support the column `%s` of the type \"%s\"",
                      field->name, buffer_string(&type));
            buffer_free(&type);
            return false;
        }
    if (spec->corrupt_column < 0 || spec->schema->fields[spec->corrupt_column].type->kind == TYPE_STRING) return true;
    return error_set(err, COND_INVALID_CORRUPT_RECORD_TYPE, "the column `%s` for corrupt records must have the nullable STRING type",
                     spec->schema->fields[spec->corrupt_column].name);
}

/* Columns go by position: that of the name in the user's schema. */
static bool map_columns(struct reader *reader, struct arena *arena, struct error *err)
{
    const struct read_spec *spec = &reader->spec;
    reader->field_count = spec->file_schema->field_count;
    reader->targets = ARENA_ARRAY(arena, struct csv_target, reader->field_count + 1);
    size_t count = 0;
    for (size_t i = 0; i < spec->schema->field_count; i++) {
        const struct field *field = &spec->schema->fields[i];
        if ((int)i == spec->corrupt_column) continue;
        int position = schema_find(spec->file_schema, field->name, field->name_size, true);
        if (position < 0) position = schema_find(spec->file_schema, field->name, field->name_size, spec->session->case_sensitive);
        if (position < 0) return error_set(err, COND_INLET_INTERNAL, "column `%s` is not in the file's schema", field->name);
        (void)csv_target_of(field->type, &reader->targets[position]);
        reader->targets[position].column = (uint32_t)i;
        count++;
        if ((size_t)position >= reader->used_count) reader->used_count = (size_t)position + 1;
    }
    reader->pruned = reader->settings.column_pruning && count < reader->field_count;
    reader->rows_only = reader->settings.column_pruning && count == 0;
    return true;
}

static bool looks_like_number(struct slice word)
{
    size_t sign = word.size > 1 && word.data[0] == '-';
    return word.size == 0 || (word.data[sign] >= '0' && word.data[sign] <= '9');
}

static bool is_ascii(uint32_t character) { return character < 0x80; }

/* The fast path works on bytes: quote and escape must be ASCII, and a separator must not begin inside itself. */
static void prepare_fast_path(struct reader *reader)
{
    const struct csv_settings *s = &reader->settings;
    uint8_t first = s->separator_bytes[0];
    reader->plain_words = !looks_like_number(s->nan_value) && !looks_like_number(s->positive_inf) && !looks_like_number(s->negative_inf);
    uint8_t others[3] = {first, first, first};
    const uint32_t characters[3] = {s->quote, s->escape, s->escape_escape};
    bool plain = s->unescaped <= UNESCAPED_RAISE_ERROR;
    for (size_t i = 0; i < COUNTOF(characters); i++) {
        if (characters[i] == CSV_OFF || characters[i] == CSV_NONE) continue;
        plain &= is_ascii(characters[i]) && characters[i] != first;
        others[i] = (uint8_t)characters[i];
    }
    for (size_t i = 1; i < s->separator_size; i++) plain &= s->separator_bytes[i] != first && s->separator_bytes[i] != others[0];
    if (s->separator_count > 1 && (s->ignore_leading || s->ignore_trailing)) plain = false;
    reader->marks = (struct csv_marks){{first, others[0], others[1], others[2]}};
    reader->fast = plain;
    reader->usual = s->separator_size == 1 && !s->ignore_leading && !s->ignore_trailing && s->chars_max < 0;
    reader->fast_stream = plain && s->multi_line && !s->ignore_leading && !s->ignore_trailing;
    reader->stops_early = reader->pruned && !s->multi_line && s->unescaped != UNESCAPED_RAISE_ERROR;
}

static struct reader *csv_open(const struct read_spec *spec, struct arena *arena, struct error *err)
{
    struct reader *reader = ARENA_NEW(arena, struct reader);
    reader->spec = *spec;
    if (!refuse_only_corrupt_column(spec, err) || !csv_settings_compile(spec, arena, &reader->settings, err)) return NULL;
    if (!check_types(spec, err) || !map_columns(reader, arena, err)) return NULL;
    prepare_fast_path(reader);
    return reader;
}

static bool csv_splittable(const struct reader *reader, const char *path)
{
    const struct csv_settings *s = &reader->settings;
    return !s->multi_line && s->skip_rows == 0 && charset_is_ascii_like(s->charset) && codec_of_path(path) == CODEC_NONE &&
           lines_splittable(&s->lines);
}

/* ---- scans ------------------------------------------------------------------------------------- */

static struct scan *csv_scan_new(const struct reader *reader, struct inlet_context *context, struct error *err)
{
    (void)err;
    struct scan *scan = calloc(1, sizeof *scan);
    size_t *room = calloc(reader->spec.schema->field_count + 1, sizeof *room);
    if (!scan || !room) panic_out_of_memory(sizeof *scan);
    scan->reader = reader;
    scan->context = context;
    scan->rows = (struct csv_rows){.settings = &reader->settings, .budget = context->budget, .room = room, .plain_words = reader->plain_words};
    scan->find_marks = csv_marks_scanner(isa_choose());
    csv_tokenizer_init(&scan->tokenizer, &reader->settings);
    range_cursor_init(&scan->files, reader->settings.multi_line ? NULL : &reader->settings.lines, &reader->spec, context);
    return scan;
}

static void csv_scan_free(struct scan *scan)
{
    if (!scan) return;
    range_cursor_fini(&scan->files);
    csv_stream_fini(&scan->stream);
    csv_tokenizer_fini(&scan->tokenizer);
    buffer_free(&scan->converted);
    buffer_free(&scan->plain);
    free(scan->units);
    free(scan->rows.room);
    free(scan->stored);
    free(scan);
}

static void csv_scan_begin(struct scan *scan, const struct file_range *ranges, size_t count, struct range_outcome *outcomes)
{
    range_cursor_begin(&scan->files, ranges, count, outcomes);
}

/* ---- ranges ------------------------------------------------------------------------------------ */

static bool open_range(struct scan *scan, struct error *err)
{
    struct range_cursor *files = &scan->files;
    const struct csv_settings *settings = &scan->reader->settings;
    struct object_stat stat;
    if (!range_cursor_open(files, &stat, err)) return false;
    const struct file_range *range = &files->ranges[files->index];
    if (!files->lines || !charset_is_ascii_like(settings->charset)) input_convert(files->input, settings->charset);
    if (!files->lines) csv_stream_begin(scan);
    scan->first_line = range->start == 0;
    scan->header_due = settings->header && range->start == 0;
    scan->skip_due = range->start == 0 ? settings->skip_rows : 0;
    return true;
}

/* ---- lines ------------------------------------------------------------------------------------- */

/* The record's text as valid UTF-8. */
static struct slice text_of_line(struct scan *scan, const uint8_t *data, size_t size)
{
    enum charset charset = scan->reader->settings.charset;
    bool ready;
    if (charset == CHARSET_ISO_8859_1 || charset == CHARSET_US_ASCII) {
        ready = utf8_is_ascii(data, size);
    } else { /* Wide encodings arrive converted. */
        ready = range_cursor_valid(&scan->files, data, size);
        charset = CHARSET_UTF8;
    }
    if (LIKELY(ready)) return slice_of(data, size);
    buffer_clear(&scan->converted);
    charset_to_utf8(charset, &scan->converted, data, size);
    memset(buffer_reserve(&scan->converted, 128), 0, 128);
    return slice_of(scan->converted.data, scan->converted.size);
}

/* Java's String.trim() leaves nothing. */
static bool is_blank_line(const uint8_t *data, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (data[i] > ' ') return false;
    return true;
}

static bool begins_with_comment(const struct csv_settings *settings, struct slice text)
{
    uint8_t mark[4];
    if (settings->comment == CSV_OFF) return false;
    size_t size = utf8_encode(settings->comment, mark);
    return text.size >= size && memcmp(text.data, mark, size) == 0;
}

/* In front of the header blanks before the comment character do not count. */
static bool is_comment_before_header(const struct csv_settings *settings, struct slice text)
{
    while (text.size && *text.data <= ' ') {
        text.data++;
        text.size--;
    }
    return begins_with_comment(settings, text);
}

static bool take_header(struct scan *scan, struct error *err)
{
    scan->header_due = false;
    if (scan->reader->settings.enforce_schema) return true;
    enum csv_parse result = csv_tokenize_line(scan);
    if (result == CSV_EMPTY) return true;
    if (result != CSV_ROW) return csv_take_refused(scan, NULL, result, err);
    return csv_check_header(scan, err);
}

static bool take_line(struct scan *scan, struct chunk *chunk, struct line *line, struct error *err)
{
    const struct csv_settings *settings = &scan->reader->settings;
    struct csv_record *record = &scan->record;
    bool first = scan->first_line;
    scan->first_line = false;
    record->byte = line->byte;
    record->number = scan_outcome(scan)->records_framed;
    if (scan->skip_due > 0) {
        scan->skip_due--;
        return true;
    }
    if (UNLIKELY(line->oversize)) {
        record->text = (struct slice){NULL, 0};
        return csv_take_refused(scan, chunk, CSV_MORE, err);
    }
    if (first && line->size >= 3 && memcmp(line->data, "\xEF\xBB\xBF", 3) == 0) {
        line->data += 3;
        line->size -= 3;
    }
    if (UNLIKELY(line->size == 0 || (line->data[0] <= ' ' && is_blank_line(line->data, line->size)))) return true;
    record->text = text_of_line(scan, line->data, line->size);
    if (UNLIKELY(scan->header_due)) return is_comment_before_header(settings, record->text) || take_header(scan, err);
    if (begins_with_comment(settings, record->text)) return true;
    return csv_take_line(scan, chunk, err);
}

/* ---- chunks ------------------------------------------------------------------------------------ */

static bool advance_line(struct scan *scan, struct chunk *chunk, struct error *err)
{
    struct line line;
    switch (lines_next(scan->files.lines, &line, err)) {
    case LINES_RECORD: return take_line(scan, chunk, &line, err);
    case LINES_END: return range_cursor_end(&scan->files, err);
    default: return range_cursor_ignores(&scan->files, err) && range_cursor_end(&scan->files, err);
    }
}

enum { LINES_TRIED = 6 };

/* The next record of a multiLine file as some lines. False: the tokenizer must look, or *failed. */
static bool take_as_lines(struct scan *scan, struct chunk *chunk, bool *failed, struct error *err)
{
    scan->record.number = scan_outcome(scan)->records_framed;
    for (int i = 0; i < LINES_TRIED; i++) {
        if (!csv_stream_line(scan, i > 0) || begins_with_comment(&scan->reader->settings, scan->record.text)) return false;
        enum csv_taken taken = csv_try_line(scan, chunk, err);
        if (taken == CSV_TAKEN) csv_stream_took_line(scan);
        if (taken == CSV_TAKEN_OPEN) continue;
        *failed = taken == CSV_TAKEN_FAILED;
        return taken == CSV_TAKEN;
    }
    return false;
}

static bool advance_stream(struct scan *scan, struct chunk *chunk, struct error *err)
{
    enum csv_parse why;
    bool failed = false;
    if (scan->reader->fast_stream && !scan->header_due && take_as_lines(scan, chunk, &failed, err)) return true;
    if (failed) return false;
    enum csv_frame frame = csv_stream_next(scan, &why, err);
    if (frame == CSV_FRAMED_FAILED) return range_cursor_ignores(&scan->files, err) && range_cursor_end(&scan->files, err);
    if (frame == CSV_FRAMED_END) return range_cursor_end(&scan->files, err);
    scan->record.number = scan_outcome(scan)->records_framed;
    bool header = scan->header_due;
    scan->header_due = false;
    if (frame == CSV_FRAMED_REFUSED) return csv_take_refused(scan, chunk, why, err);
    if (header) return scan->reader->settings.enforce_schema || csv_check_header(scan, err);
    return csv_take_tokens(scan, chunk, err);
}

/* A record failed the read with MALFORMED_CSV_RECORD: to Spark that is a corrupt file too. */
static bool ignore_refused(struct scan *scan, struct error *err)
{
    if (!scan->files.input || !scan->files.ignore_corrupt || !strstr(err->cause, "[MALFORMED_CSV_RECORD]")) return false;
    if (strstr(err->cause, "[MALFORMED_RECORD_IN_PARSING")) return false; /* FAILFAST is meant. */
    struct range_outcome *outcome = scan_outcome(scan);
    outcome->ignored_corrupt = true;
    snprintf(outcome->damage, sizeof outcome->damage, "%.255s", err->cause);
    error_clear(err);
    return range_cursor_end(&scan->files, err);
}

/* One step: a record of the range at hand, or the range's opening or end. */
static bool advance(struct scan *scan, struct chunk *chunk, struct error *err)
{
    if (!scan->files.input) return open_range(scan, err) || range_cursor_skip(&scan->files, err);
    if (scan->files.lines ? advance_line(scan, chunk, err) : advance_stream(scan, chunk, err)) return true;
    return ignore_refused(scan, err);
}

static bool bind_chunk(struct scan *scan, struct chunk *chunk, struct error *err)
{
    chunk_reset(chunk);
    scan->rows.columns = chunk->columns;
    scan->rows.row = 0;
    scan->rows.err = err;
    scan->rows.no_memory = false;
    scan->text = 0;
    scan->files.segment_due = true;
    for (size_t i = 0; i < scan->reader->spec.schema->field_count; i++) {
        struct column *column = &chunk->columns[i];
        if (!column_reserve(column, scan->context->budget, CHUNK_ROWS_MAX, err)) return false;
        scan->rows.room[i] = block_size(column->data);
        if (!type_is_bytes(column->type)) continue;
        column->offsets[0] = 0;
        if (!column->data && !column_reserve_data(column, scan->context->budget, 1, err)) return false;
        scan->rows.room[i] = block_size(column->data);
    }
    return true;
}

static enum pull csv_scan_next(struct scan *scan, struct chunk *chunk, struct error *err)
{
    do {
        if (!bind_chunk(scan, chunk, err)) return PULL_FAILED;
        while (range_cursor_more(&scan->files) && scan->rows.row < CHUNK_ROWS_MAX && scan->text < CHUNK_TEXT_MAX)
            if (!advance(scan, chunk, err)) return PULL_FAILED;
    } while (scan->rows.row == 0 && range_cursor_more(&scan->files));
    if (scan->rows.row == 0) return PULL_END;
    for (size_t i = 0; i < scan->reader->spec.schema->field_count; i++) chunk->columns[i].length = scan->rows.row;
    chunk->row_count = scan->rows.row;
    return PULL_CHUNK;
}

const struct reader_ops csv_reader = {
    .name = "csv",
    .options = csv_options,
    .open = csv_open,
    .splittable = csv_splittable,
    .scan_new = csv_scan_new,
    .scan_begin = csv_scan_begin,
    .scan_next = csv_scan_next,
    .scan_free = csv_scan_free,
};
