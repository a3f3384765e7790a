/* csv_records -- records into rows: the fast path, the careful one, and what becomes of bad records (format-semantics 1.2, 6.5). */
#include "formats/csv_read.h"
#include "base/panic.h"

#include <stdlib.h>
#include <string.h>

/* ---- bad records ------------------------------------------------------------------------------- */

static int shown(struct slice text) { return text.size > 700 ? 700 : (int)text.size; }

static bool fail_read(struct scan *scan, struct error *err)
{
    const char *path = range_cursor_path(&scan->files);
    error_wrap(err, COND_FAILED_READ_FILE, "encountered error while reading file %s", path);
    return error_at(err, path, scan->record.number + 1, scan->record.byte);
}

enum bad { GOOD, BAD_VALUE, BAD_WIDTH, BAD_SIZE };

/* FAILED_READ_FILE around MALFORMED_RECORD_IN_PARSING around what was wrong. */
static bool fail_fast(struct scan *scan, enum bad bad, struct error *err)
{
    struct slice text = scan->record.text;
    const char *start = text.data ? (const char *)text.data : "";
    static const char message[] = "malformed records are detected in record parsing: %.*s. Parse Mode: FAILFAST; "
                                  "to process malformed records as null result, try setting the option 'mode' as 'PERMISSIVE'";
    if (bad == BAD_VALUE) {
        if (scan->rows.bad == COND_NONE || scan->rows.bad == COND_MALFORMED_RECORD) {
            error_set(err, COND_MALFORMED_RECORD, message, shown(text), start);
        } else {
            error_set(err, scan->rows.bad, "a field's text cannot be read as the type of its column, or is too large for it");
            error_wrap(err, COND_MALFORMED_RECORD, message, shown(text), start);
        }
    } else {
        error_set(err, COND_MALFORMED_CSV_RECORD, bad == BAD_SIZE ? "malformed CSV record: it is too long%.*s" : "malformed CSV record: %.*s", shown(text), start);
        error_wrap(err, COND_MALFORMED_RECORD, message, shown(text), start);
    }
    return fail_read(scan, err);
}

bool csv_take_refused(struct scan *scan, struct chunk *chunk, enum csv_parse why, struct error *err)
{
    const struct csv_settings *settings = &scan->reader->settings;
    struct slice text = scan->record.text;
    const char *start = text.data ? (const char *)text.data : "";
    switch (why) {
    case CSV_TOO_MANY:
        error_set(err, COND_MALFORMED_CSV_RECORD, "malformed CSV record: %.*s", shown(text), start);
        error_hint(err, "It has more fields than maxColumns = %lld.", (long long)settings->columns_max);
        return fail_read(scan, err);
    case CSV_TOO_LONG:
        error_set(err, COND_MALFORMED_CSV_RECORD, "malformed CSV record: %.*s", shown(text), start);
        error_hint(err, "It has a field longer than maxCharsPerColumn = %lld.", (long long)settings->chars_max);
        return fail_read(scan, err);
    case CSV_UNESCAPED:
        error_set(err, COND_MALFORMED_CSV_RECORD, "an unescaped quote inside a quoted field: %.*s", shown(text), start);
        error_hint(err, "unescapedQuoteHandling is RAISE_ERROR; the other modes take such a field.");
        return fail_read(scan, err);
    default: break;
    }
    /* Too long to keep: a bad record without a text. In a header: there is no chunk, and it is skipped. */
    if (!chunk) return true;
    scan->tokenizer.field_count = 0;
    scan->tokenizer.row_count = 0;
    return csv_take_tokens(scan, chunk, err);
}

/* ---- rows -------------------------------------------------------------------------------------- */

static void take_back(struct scan *scan)
{
    for (uint32_t i = 0; i < scan->reader->spec.schema->field_count; i++) csv_take_back(&scan->rows, i);
    scan->rows.bad = COND_NONE;
}

static bool put_corrupt_text(struct scan *scan, bool bad)
{
    int column = scan->reader->spec.corrupt_column;
    if (column < 0) return true;
    if (bad && scan->record.text.data) return csv_put_text(&scan->rows, (uint32_t)column, scan->record.text.data, scan->record.text.size);
    csv_put_null(&scan->rows, (uint32_t)column);
    return true;
}

/* The row's fields are in their columns: what becomes of it. */
static ALWAYS_INLINE bool finish_row(struct scan *scan, struct chunk *chunk, enum bad bad, struct error *err)
{
    struct range_outcome *outcome = scan_outcome(scan);
    outcome->records_framed++;
    if (UNLIKELY(bad != GOOD)) {
        outcome->records_bad++;
        if (scan->reader->settings.mode == MODE_FAILFAST) return fail_fast(scan, bad, err);
        if (scan->reader->settings.mode == MODE_DROPMALFORMED) {
            take_back(scan);
            outcome->records_dropped++;
            return true;
        }
    }
    if (UNLIKELY(!put_corrupt_text(scan, bad != GOOD))) return false;
    if (UNLIKELY(scan->files.segment_due)) {
        chunk_add_segment(chunk, scan->rows.row, (uint32_t)scan->files.index, scan->record.byte, scan->record.number);
        scan->files.segment_due = false;
    }
    scan->rows.row++;
    scan->text += scan->record.text.size;
    outcome->rows++;
    return true;
}

/* Positions that the record did not have. */
static void put_missing(struct scan *scan, size_t from)
{
    const struct reader *reader = scan->reader;
    for (size_t i = from; i < reader->used_count; i++)
        if (reader->targets[i].kind != CSV_SKIP) csv_put_null(&scan->rows, reader->targets[i].column);
}

static ALWAYS_INLINE enum bad check_width(const struct reader *reader, size_t count, bool values_good)
{
    if (!reader->pruned && count != reader->field_count) return BAD_WIDTH;
    return values_good ? GOOD : BAD_VALUE;
}

/* ---- the careful path -------------------------------------------------------------------------- */

enum csv_parse csv_tokenize_line(struct scan *scan)
{
    size_t count = 0;
    csv_decode(scan->record.text, &scan->units, &count, &scan->unit_capacity);
    return csv_tokenize(&scan->tokenizer, scan->units, 0, count, true);
}

static bool take_row(struct scan *scan, struct chunk *chunk, size_t first, size_t count, struct error *err)
{
    const struct reader *reader = scan->reader;
    const struct csv_tokenizer *t = &scan->tokenizer;
    bool good = true;
    size_t used = count < reader->used_count ? count : reader->used_count;
    for (size_t i = 0; i < used; i++) {
        const struct csv_field *field = &t->fields[first + i];
        const struct csv_target *target = &reader->targets[i];
        if (!field->null) good &= csv_put(&scan->rows, target, t->text.data + field->start, field->size);
        else if (target->kind != CSV_SKIP) csv_put_null(&scan->rows, target->column);
    }
    if (UNLIKELY(scan->rows.no_memory)) return false;
    put_missing(scan, used);
    enum bad bad = check_width(reader, count, good);
    return finish_row(scan, chunk, count ? bad : BAD_SIZE, err);
}

bool csv_take_tokens(struct scan *scan, struct chunk *chunk, struct error *err)
{
    const struct csv_tokenizer *t = &scan->tokenizer;
    if (t->row_count == 0) return take_row(scan, chunk, 0, 0, err);
    size_t first = 0;
    for (size_t i = 0; i < t->row_count; i++) {
        if (!take_row(scan, chunk, first, t->row_ends[i] - first, err)) return false;
        first = t->row_ends[i];
    }
    return true;
}

static NO_INLINE bool take_carefully(struct scan *scan, struct chunk *chunk, struct error *err)
{
    enum csv_parse result = csv_tokenize_line(scan);
    if (result == CSV_EMPTY) return true;
    if (result != CSV_ROW) return csv_take_refused(scan, chunk, result, err);
    return csv_take_tokens(scan, chunk, err);
}

/* A lineSep of two characters, and a \n in the line: that ends a record too, where it is not quoted. */
static NO_INLINE bool take_several(struct scan *scan, struct chunk *chunk, struct error *err)
{
    size_t count = 0, start = 0;
    csv_decode(scan->record.text, &scan->units, &count, &scan->unit_capacity);
    for (size_t i = 0; i < count; i++)
        if (scan->units[i] == '\n') scan->units[i] = CSV_FEED;
    for (;;) {
        enum csv_parse result = csv_tokenize(&scan->tokenizer, scan->units, start, count, true);
        if (result == CSV_EMPTY) return true;
        if (result != CSV_ROW) return csv_take_refused(scan, chunk, result, err);
        if (!csv_take_tokens(scan, chunk, err)) return false;
        scan->record.number = scan_outcome(scan)->records_framed;
        start = scan->tokenizer.record_end;
    }
}

/* ---- the fast path ----------------------------------------------------------------------------- */

/* The marks of one record, found a stretch at a time; behind the last one stands its size. */
struct marks {
    struct scan *scan;
    const uint8_t *text;
    size_t size, looked, count, at;
};

static NO_INLINE void more_marks(struct marks *m)
{
    uint32_t *positions = m->scan->positions;
    m->at = m->count = 0;
    while (m->count == 0 && m->looked < m->size)
        m->looked = m->scan->find_marks(m->text, m->looked, m->size, &m->scan->reader->marks, positions, CSV_POSITIONS - 64, &m->count);
    if (m->looked >= m->size) positions[m->count++] = (uint32_t)m->size;
}

static ALWAYS_INLINE size_t mark(struct marks *m)
{
    if (UNLIKELY(m->at == m->count)) more_marks(m);
    return m->scan->positions[m->at];
}

static ALWAYS_INLINE bool is_separator(const struct csv_settings *s, const uint8_t *text, size_t at, size_t size)
{
    if (s->separator_size == 1) return text[at] == s->separator_bytes[0];
    return text[at] == s->separator_bytes[0] && size - at >= s->separator_size && memcmp(text + at, s->separator_bytes, s->separator_size) == 0;
}

/* Where a quoted field ends. */
enum closing { CLOSING_FOUND, CLOSING_OPEN, CLOSING_ODD };
struct quoted {
    size_t close;    /* The closing quote. */
    bool escapes;    /* Something before it is escaped. */
};

/* The closing quote of the field whose opening quote is at `open`: with the separator or the end behind it. ODD: the careful path must look. */
static ALWAYS_INLINE enum closing closing_quote(struct marks *m, const struct csv_settings *s, size_t open, struct quoted *out)
{
    const uint8_t *text = m->text;
    const size_t size = m->size;
    out->escapes = false;
    while (mark(m) <= open) m->at++;
    for (;; m->at++) {
        size_t at = mark(m);
        if (at >= size) return CLOSING_OPEN;
        uint8_t byte = text[at];
        if (byte == s->quote) {
            size_t behind = at + 1;
            if (s->escape == s->quote && behind < size && text[behind] == byte) { /* Two quotes are one. */
                out->escapes = true;
                m->at++;
                (void)mark(m);
                continue;
            }
            if (behind < size && !is_separator(s, text, behind, size)) return CLOSING_ODD;
            out->close = at;
            /* Without an escape character a quoted nothing at the end of a record is an odd one. */
            return at == open + 1 && behind == size && s->escape == CSV_NONE ? CLOSING_ODD : CLOSING_FOUND;
        }
        if (byte == s->escape) {
            if (s->escape != s->escape_escape) return CLOSING_ODD;
            if (at + 1 >= size) return CLOSING_OPEN;
            if (text[at + 1] != s->quote && text[at + 1] != s->escape) continue;
            out->escapes = true;
            m->at++;
            (void)mark(m);
        } else if (byte == s->escape_escape) {
            return CLOSING_ODD;
        }
    }
}

/* The field without its escapes: an escape stands before a quote or an escape. */
static NO_INLINE struct slice without_escapes(struct scan *scan, struct slice value)
{
    const struct csv_settings *s = &scan->reader->settings;
    struct buffer *plain = &scan->plain;
    buffer_clear(plain);
    uint8_t *to = buffer_reserve(plain, value.size + 64);
    size_t size = 0;
    for (size_t i = 0; i < value.size; i++) {
        bool escaped = value.data[i] == s->escape && i + 1 < value.size && (value.data[i + 1] == s->quote || value.data[i + 1] == s->escape);
        i += escaped;
        to[size++] = value.data[i];
    }
    memset(to + size, 0, 64);
    return slice_of(to, size);
}

static ALWAYS_INLINE size_t trimmed_end(const uint8_t *text, size_t start, size_t end)
{
    while (end > start && text[end - 1] <= ' ') end--;
    return end;
}

/* csv_put, whose way for text is here: half the fields are, and a call costs as much. */
static ALWAYS_INLINE bool put_field(struct csv_rows *rows, const struct csv_target *target, const uint8_t *text, size_t size)
{
    bool fits = target->kind == CSV_TEXT && size <= CSV_TEXT_SHORT && size != rows->settings->null_value.size;
    if (fits && csv_put_short_text(rows, target->column, text, size)) return true;
    return csv_put(rows, target, text, size);
}

enum fast { FAST_GOOD, FAST_BAD, FAST_OPEN, FAST_ODD };

/* Fields without quotes, and quoted ones, straight into the columns. OPEN: the record ends inside quotes. ODD: the careful path must
 * read it. The row must be taken back then. `usual`, a constant where this is inlined: see reader.usual. */
static ALWAYS_INLINE enum fast fast_fields_of(struct scan *scan, size_t *count, bool usual)
{
    const struct reader *reader = scan->reader;
    const struct csv_settings *s = &reader->settings;
    const uint8_t *text = scan->record.text.data;
    const size_t size = scan->record.text.size, separator_size = usual ? 1 : s->separator_size;
    const size_t used = reader->used_count;
    const bool stops_early = reader->stops_early && (int64_t)size < s->columns_max && s->chars_max < 0;
    const size_t chars_max = usual || s->chars_max < 0 ? SIZE_MAX : (size_t)s->chars_max;
    struct marks m = {.scan = scan, .text = text, .size = size};
    const uint8_t separator = s->separator_bytes[0];
    bool good = true;
    size_t start = 0, index = 0;
    for (;; index++) {
        const struct csv_target *target = &reader->targets[index < used ? index : reader->field_count];
        size_t end;
        if (!usual && s->ignore_leading)
            while (start < size && text[start] <= ' ' && text[start] != s->quote && !is_separator(s, text, start, size)) start++;
        if (start < size && text[start] == s->quote) {
            struct quoted quoted;
            enum closing closing = closing_quote(&m, s, start, &quoted);
            if (UNLIKELY(closing != CLOSING_FOUND)) return closing == CLOSING_OPEN ? FAST_OPEN : FAST_ODD;
            if (UNLIKELY(quoted.close - start - 1 > chars_max)) return FAST_ODD;
            m.at++;
            end = quoted.close + 1;
            struct slice value = {text + start + 1, quoted.close - start - 1};
            if (UNLIKELY(quoted.escapes)) value = without_escapes(scan, value);
            if (value.size == 0) value = s->empty_value;
            good &= put_field(&scan->rows, target, value.data, value.size);
        } else {
            while ((end = mark(&m)) < size && (end < start || !(usual ? text[end] == separator : is_separator(s, text, end, size)))) m.at++;
            size_t stop = !usual && s->ignore_trailing ? trimmed_end(text, start, end) : end;
            if (UNLIKELY(end - start > chars_max)) return FAST_ODD;
            if (UNLIKELY(separator_size > 1 && end == size && end > start && text[end - 1] == s->quote)) return FAST_ODD; /* Spark doubles it. */
            if (stop > start) {
                good &= put_field(&scan->rows, target, text + start, stop - start);
            } else if (end > start && end == size) { /* Trimmed away at the end of a record: the empty value. */
                good &= csv_put(&scan->rows, target, s->empty_value.data, s->empty_value.size);
            } else if (target->kind != CSV_SKIP) {
                csv_put_null(&scan->rows, target->column);
            }
        }
        if (end >= size) break;
        start = end + separator_size;
        m.at += mark(&m) == end;
        if (stops_early && index + 1 >= used) break;
    }
    *count = index + 1;
    if ((int64_t)*count > s->columns_max) return FAST_ODD;
    return good ? FAST_GOOD : FAST_BAD;
}

static ALWAYS_INLINE enum fast fast_fields(struct scan *scan, size_t *count)
{
    return LIKELY(scan->reader->usual) ? fast_fields_of(scan, count, true) : fast_fields_of(scan, count, false);
}

/* The row's values are in the columns. */
static ALWAYS_INLINE bool finish_fast(struct scan *scan, struct chunk *chunk, size_t count, enum fast result, struct error *err)
{
    const struct reader *reader = scan->reader;
    if (UNLIKELY(count < reader->used_count)) put_missing(scan, count);
    if (UNLIKELY(scan->rows.no_memory)) return false;
    return finish_row(scan, chunk, check_width(reader, count, result == FAST_GOOD), err);
}

bool csv_take_line(struct scan *scan, struct chunk *chunk, struct error *err)
{
    const struct reader *reader = scan->reader;
    if (reader->rows_only) return finish_row(scan, chunk, GOOD, err);
    if (UNLIKELY(reader->settings.feed_ends) && memchr(scan->record.text.data, '\n', scan->record.text.size)) return take_several(scan, chunk, err);
    if (UNLIKELY(!reader->fast)) return take_carefully(scan, chunk, err);
    size_t count = 0;
    enum fast result = fast_fields(scan, &count);
    if (LIKELY(result <= FAST_BAD)) return finish_fast(scan, chunk, count, result, err);
    take_back(scan);
    return !scan->rows.no_memory && take_carefully(scan, chunk, err);
}

enum csv_taken csv_try_line(struct scan *scan, struct chunk *chunk, struct error *err)
{
    size_t count = 0;
    enum fast result = fast_fields(scan, &count);
    if (LIKELY(result <= FAST_BAD)) return finish_fast(scan, chunk, count, result, err) ? CSV_TAKEN : CSV_TAKEN_FAILED;
    take_back(scan);
    if (scan->rows.no_memory) return CSV_TAKEN_FAILED;
    return result == FAST_OPEN ? CSV_TAKEN_OPEN : CSV_TAKEN_ODD;
}

/* ---- headers ----------------------------------------------------------------------------------- */

static void append_field(const struct csv_tokenizer *t, size_t index, struct buffer *out)
{
    if (index >= t->field_count || t->fields[index].null) buffer_text(out, "null");
    else buffer_append(out, t->text.data + t->fields[index].start, t->fields[index].size);
}

static bool same_name(const struct scan *scan, const struct field *field, size_t index)
{
    const struct csv_tokenizer *t = &scan->tokenizer;
    if (index >= t->field_count || t->fields[index].null) return false;
    struct field given = {.name_size = t->fields[index].size};
    char *name = strndup((const char *)t->text.data + t->fields[index].start, given.name_size);
    if (!name) panic_out_of_memory(given.name_size);
    given.name = name;
    struct type one = {.kind = TYPE_STRUCT, .fields = &given, .field_count = 1};
    bool same = schema_find(&one, field->name, field->name_size, scan->reader->spec.session->case_sensitive) == 0;
    free(name);
    return same;
}

static bool header_differs(struct scan *scan, size_t position, struct error *err)
{
    const struct reader *reader = scan->reader;
    const struct csv_tokenizer *t = &scan->tokenizer;
    struct buffer header = {0}, schema = {0}, found = {0};
    for (size_t i = 0; i < reader->field_count; i++) {
        if (reader->pruned && reader->targets[i].kind == CSV_SKIP) continue;
        if (schema.size) buffer_text(&schema, ", ");
        if (header.size) buffer_text(&header, ", ");
        buffer_text(&schema, reader->spec.file_schema->fields[i].name);
        append_field(t, i, &header);
    }
    append_field(t, position, &found);
    error_set(err, COND_MALFORMED_CSV_RECORD, "CSV header does not conform to the schema.\n Header: %s\n Schema: %s\nExpected: %s but found: %s",
              buffer_string(&header), buffer_string(&schema), reader->spec.file_schema->fields[position].name, buffer_string(&found));
    error_hint(err, "With enforceSchema=true (the default) names in a header are ignored and columns go by position.");
    buffer_free(&header);
    buffer_free(&schema);
    buffer_free(&found);
    return fail_read(scan, err);
}

bool csv_check_header(struct scan *scan, struct error *err)
{
    const struct reader *reader = scan->reader;
    size_t count = scan->tokenizer.field_count;
    if (!reader->pruned && count != reader->field_count) {
        error_set(err, COND_MALFORMED_CSV_RECORD, "number of column in CSV header is not equal to number of fields in the schema:\n"
                  " Header length: %zu, schema size: %zu", count, reader->field_count);
        return fail_read(scan, err);
    }
    for (size_t i = 0; i < reader->field_count; i++) {
        if (reader->pruned && reader->targets[i].kind == CSV_SKIP) continue;
        if (!same_name(scan, &reader->spec.file_schema->fields[i], i)) return header_differs(scan, i, err);
    }
    return true;
}
