/* csv_tokenize -- the careful CSV tokenizer. See csv_tokenize.h.
 *
 * The functions that read on return false where the text ends (or a failure is noted): the callers unwind
 * and csv_tokenize() decides what the end means, as the original does with an exception. So no function
 * may change `ch` at the end of the text: what is kept then depends on it. */
#include "formats/csv_tokenize.h"
#include "base/panic.h"

#include <stdlib.h>
#include <string.h>

static void *grown(void *array, size_t *capacity, size_t needed, size_t size)
{
    size_t wanted = *capacity ? *capacity * 2 : 64;
    if (wanted < needed) wanted = needed;
    void *bigger = realloc(array, wanted * size);
    if (!bigger) panic_out_of_memory(wanted * size);
    *capacity = wanted;
    return bigger;
}

void csv_tokenizer_init(struct csv_tokenizer *tokenizer, const struct csv_settings *settings)
{
    *tokenizer = (struct csv_tokenizer){.settings = settings, .newline_size = 1, .newline_is_feed = true,
                                        .delimiter = settings->separator_count == 1 ? settings->separator[0] : CSV_OFF};
}

void csv_tokenizer_fini(struct csv_tokenizer *tokenizer)
{
    free(tokenizer->fields);
    free(tokenizer->row_ends);
    free(tokenizer->value);
    free(tokenizer->blanks);
    buffer_free(&tokenizer->text);
}

void csv_decode(struct slice text, uint32_t **units, size_t *count, size_t *capacity)
{
    if (*capacity - *count < text.size) *units = grown(*units, capacity, *count + text.size, sizeof **units);
    uint32_t *to = *units + *count;
    const uint8_t *at = text.data, *end = text.data + text.size;
    while (at < end) {
        if (*at < 0x80) {
            *to++ = *at++;
        } else if (*at < 0xE0) {
            *to++ = (uint32_t)(at[0] & 0x1F) << 6 | (at[1] & 0x3F);
            at += 2;
        } else if (*at < 0xF0) {
            *to++ = (uint32_t)(at[0] & 0x0F) << 12 | (uint32_t)(at[1] & 0x3F) << 6 | (at[2] & 0x3F);
            at += 3;
        } else {
            uint32_t point = (uint32_t)(at[0] & 0x07) << 18 | (uint32_t)(at[1] & 0x3F) << 12 | (uint32_t)(at[2] & 0x3F) << 6 | (at[3] & 0x3F);
            *to++ = 0xD800 | (point - 0x10000) >> 10;
            *to++ = 0xDC00 | (point & 0x3FF);
            at += 4;
        }
    }
    *count = (size_t)(to - *units);
}

/* ---- the field being built --------------------------------------------------------------------- */

static bool is_blank(uint32_t ch) { return ch <= ' ' || ch == CSV_FEED; }

static bool fail(struct csv_tokenizer *t, enum csv_parse failure)
{
    t->failure = failure;
    return false;
}

static bool append(struct csv_tokenizer *t, uint32_t ch)
{
    int64_t limit = t->settings->chars_max;
    if (limit >= 0 && t->value_size >= (size_t)limit) return fail(t, CSV_TOO_LONG);
    if (t->value_size == t->value_capacity) t->value = grown(t->value, &t->value_capacity, 0, sizeof *t->value);
    t->value[t->value_size++] = ch;
    return true;
}

static bool append_all(struct csv_tokenizer *t, const uint32_t *text, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!append(t, text[i])) return false;
    return true;
}

static bool prepend(struct csv_tokenizer *t, uint32_t ch)
{
    if (!append(t, ch)) return false;
    memmove(t->value + 1, t->value, (t->value_size - 1) * sizeof *t->value);
    t->value[0] = ch;
    return true;
}

static void remove_front(struct csv_tokenizer *t, size_t count)
{
    t->value_size -= count;
    memmove(t->value, t->value + count, t->value_size * sizeof *t->value);
}

/* A pair, or `?` for a half of one that an odd record tore off. Returns the units taken beside the first. */
static size_t encode_surrogate(struct csv_tokenizer *t, const uint32_t *text, size_t count)
{
    bool pair = count > 1 && text[0] < 0xDC00 && (text[1] & 0xFFFFFC00u) == 0xDC00;
    uint32_t point = pair ? 0x10000 + ((text[0] & 0x3FF) << 10 | (text[1] & 0x3FF)) : '?';
    t->text.size += utf8_encode(point, t->text.data + t->text.size);
    return pair;
}

static void encode(struct csv_tokenizer *t, const uint32_t *text, size_t count)
{
    const struct slice feed = slice_text("\n"), given = t->settings->line_separator;
    buffer_reserve(&t->text, count * 4 + 4);
    for (size_t i = 0; i < count; i++) {
        if (text[i] < 0x80) t->text.data[t->text.size++] = (uint8_t)text[i];
        else if ((text[i] & 0xFFFFF800u) == 0xD800) i += encode_surrogate(t, text + i, count - i);
        else if (!csv_is_newline(text[i])) t->text.size += utf8_encode(text[i], t->text.data + t->text.size);
        else {
            struct slice line_end = text[i] == CSV_NEWLINE && given.size ? given : feed;
            buffer_append(&t->text, line_end.data, line_end.size);
            buffer_reserve(&t->text, (count - i) * 4 + 4);
        }
    }
}

static struct csv_field *add_field(struct csv_tokenizer *t)
{
    if ((int64_t)t->field_count >= t->settings->columns_max) {
        fail(t, CSV_TOO_MANY);
        return NULL;
    }
    if (t->field_count == t->fields_capacity) t->fields = grown(t->fields, &t->fields_capacity, 0, sizeof *t->fields);
    struct csv_field *field = &t->fields[t->field_count++];
    *field = (struct csv_field){.start = t->text.size};
    return field;
}

static void clear_value(struct csv_tokenizer *t)
{
    t->value_size = 0;
    t->skipped = false;
}

/* The null token. */
static bool put_null(struct csv_tokenizer *t)
{
    struct csv_field *field = add_field(t);
    if (field) field->null = true;
    return field != NULL;
}

static bool put_text(struct csv_tokenizer *t, const uint32_t *text, size_t count)
{
    struct csv_field *field = add_field(t);
    if (!field) return false;
    encode(t, text, count);
    field->size = t->text.size - field->start;
    return true;
}

static bool put_empty_value(struct csv_tokenizer *t)
{
    struct csv_field *field = add_field(t);
    if (!field) return false;
    buffer_append(&t->text, t->settings->empty_value.data, t->settings->empty_value.size);
    field->size = t->settings->empty_value.size;
    return true;
}

/* What was built becomes a field; nothing at all is the empty value. */
static bool put_value(struct csv_tokenizer *t)
{
    size_t size = t->value_size;
    if (t->trim)
        while (size && is_blank(t->value[size - 1])) size--;
    bool ok = t->skipped ? put_null(t) : size ? put_text(t, t->value, size) : put_empty_value(t);
    clear_value(t);
    return ok;
}

/* ---- reading on -------------------------------------------------------------------------------- */

static bool next(struct csv_tokenizer *t)
{
    if (t->at == t->count) return false;
    t->ch = t->units[t->at++];
    return true;
}

static bool at_end_of_field(const struct csv_tokenizer *t) { return t->ch == t->delimiter || csv_is_newline(t->ch); }

/* Appends ch and what follows up to a quote or escape, which becomes ch. At the end of the text ch stays what it was. */
static bool append_quoted(struct csv_tokenizer *t)
{
    const struct csv_settings *s = t->settings;
    uint32_t ch = t->ch;
    while (ch != s->quote && ch != s->escape && ch != s->escape_escape) {
        if (!append(t, ch)) return false;
        if (t->at == t->count) return false;
        ch = t->units[t->at++];
    }
    t->ch = ch;
    return true;
}

/* The same up to the delimiter or the end of the record. */
static bool append_field(struct csv_tokenizer *t)
{
    uint32_t ch = t->ch;
    while (ch != t->delimiter && !csv_is_newline(ch)) {
        if (!t->skipped && !append(t, ch)) return false;
        if (t->at == t->count) return false;
        ch = t->units[t->at++];
    }
    t->ch = ch;
    return true;
}

/* ---- separators of several characters ---------------------------------------------------------- */

static bool save_match(struct csv_tokenizer *t)
{
    size_t match = t->match;
    t->match = 0;
    return match == 0 || match >= t->settings->separator_count || append_all(t, t->settings->separator, match);
}

/* Is the separator here? A part of it that was read is kept for the field where `save`. */
static bool match_separator(struct csv_tokenizer *t, bool save, bool *found)
{
    size_t count = t->settings->separator_count;
    *found = false;
    while (t->ch == t->settings->separator[t->match]) {
        if (++t->match == count) break;
        if (!next(t)) return false;
    }
    if (t->match == count) {
        t->match = 0;
        *found = true;
        return true;
    }
    return !save || save_match(t);
}

static bool append_until_separator(struct csv_tokenizer *t)
{
    size_t count = t->settings->separator_count;
    while (t->match < count && !csv_is_newline(t->ch)) {
        if (t->settings->separator[t->match] == t->ch) {
            if (++t->match == count) break;
        } else if (t->match > 0) {
            if (!save_match(t)) return false;
            continue;
        } else if (!t->skipped && !append(t, t->ch)) {
            return false;
        }
        if (!next(t)) return false;
    }
    return save_match(t);
}

static bool skip_blanks(struct csv_tokenizer *t)
{
    bool found;
    if (t->settings->separator_count == 1) {
        while (is_blank(t->ch) && !at_end_of_field(t) && t->ch != t->settings->quote)
            if (!next(t)) return false;
        return true;
    }
    while (is_blank(t->ch) && !csv_is_newline(t->ch) && t->ch != t->settings->quote) {
        if (!next(t)) return false;
        if (t->settings->separator[t->match] != t->ch) continue;
        if (!match_separator(t, true, &found)) return false;
        if (found && (!put_null(t) || !next(t))) return false;
    }
    return save_match(t);
}

/* ---- unescaped quotes -------------------------------------------------------------------------- */

/* SKIP_VALUE: nothing of the field counts. */
static bool skip_value(struct csv_tokenizer *t)
{
    clear_value(t);
    t->skipped = true;
    return t->settings->separator_count == 1 ? append_field(t) : append_until_separator(t);
}

static bool skip_or_raise(struct csv_tokenizer *t)
{
    return t->settings->unescaped == UNESCAPED_SKIP_VALUE ? skip_value(t) : fail(t, CSV_UNESCAPED);
}

static bool process_escape(struct csv_tokenizer *t, bool *unescaped);

/* Reads on as in a field without quotes, but with escapes. Each further unescaped quote opens a level, and the end of a field closes one. */
static bool value_with_escapes(struct csv_tokenizer *t)
{
    size_t levels = 0;
    bool bad = true; /* Entered for an unescaped quote. */
    for (;;) {
        if (bad) {
            if (t->settings->unescaped == UNESCAPED_SKIP_VALUE || t->settings->unescaped == UNESCAPED_RAISE_ERROR) return skip_or_raise(t);
            if (!append(t, t->settings->quote)) return false;
            t->prev = t->ch;
            bad = false;
        }
        if (at_end_of_field(t)) {
            if (levels == 0) return true;
            levels--;
        } else if (t->ch != t->settings->quote && t->ch != t->settings->escape) {
            bad = t->prev == t->settings->quote; /* The same level goes on. */
            if (bad) continue;
            if (!append(t, t->ch)) return false;
        } else {
            if (!process_escape(t, &bad)) return false;
            levels += bad;
            if (bad) continue;
        }
        t->prev = t->ch;
        if (!next(t)) return false;
    }
}

/* ch is a quote or an escape inside a field. *unescaped: the quote before it was not escaped. */
static bool process_escape(struct csv_tokenizer *t, bool *unescaped)
{
    const struct csv_settings *s = t->settings;
    *unescaped = false;
    if (t->ch == s->escape && t->prev == s->escape_escape && t->prev != CSV_NONE) {
        if (!append(t, s->escape)) return false;
        t->ch = CSV_NONE;
    } else if (t->prev == s->escape) {
        if (t->ch != s->quote) return append(t, t->prev);
        if (!append(t, s->quote)) return false;
        t->ch = CSV_NONE;
    } else if (t->prev == s->quote) {
        if (t->ch == s->quote) return append(t, s->quote);
        *unescaped = true;
    }
    return true;
}

/* Position of the first separator or line end in the field being built; SIZE_MAX: none. */
static size_t next_separator(const struct csv_tokenizer *t, size_t *size)
{
    size_t count = t->settings->separator_count;
    for (size_t i = 0; i < t->value_size; i++) {
        *size = 1;
        if (csv_is_newline(t->value[i])) return i;
        *size = count;
        if (i + count <= t->value_size && memcmp(t->value + i, t->settings->separator, count * sizeof *t->value) == 0) return i;
    }
    return SIZE_MAX;
}

static void end_row(struct csv_tokenizer *t)
{
    if (t->row_count == t->rows_capacity) t->row_ends = grown(t->row_ends, &t->rows_capacity, 0, sizeof *t->row_ends);
    t->row_ends[t->row_count++] = t->field_count;
}

/* BACK_TO_DELIMITER: what was taken for one field is split again. */
static bool split_again(struct csv_tokenizer *t)
{
    size_t at, size;
    while ((at = next_separator(t, &size)) != SIZE_MAX) {
        if (!put_text(t, t->value, at)) return false;
        if (csv_is_newline(t->value[at])) end_row(t);
        remove_front(t, at + size);
    }
    return append(t, t->ch);
}

/* ---- quoted fields ----------------------------------------------------------------------------- */

static bool stops_at_delimiter(const struct csv_settings *s)
{
    return s->unescaped != UNESCAPED_STOP_AT_CLOSING_QUOTE && s->unescaped != UNESCAPED_RAISE_ERROR;
}

/* After an unescaped quote in the modes that stop at a separator: the rest is raw, and the opening quote comes back. */
static bool rest_is_raw(struct csv_tokenizer *t, bool many)
{
    if (t->settings->unescaped == UNESCAPED_SKIP_VALUE) return skip_value(t);
    if (!prepend(t, t->settings->quote) || !next(t)) return false;
    t->trim = t->settings->ignore_trailing;
    return many ? append_until_separator(t) : append_field(t);
}

enum quoted { QUOTED_STOP, QUOTED_CLOSED, QUOTED_AGAIN, QUOTED_DONE };

/* The quote before ch was not escaped: what `unescapedQuoteHandling` makes of it. */
static enum quoted unescaped_quote(struct csv_tokenizer *t)
{
    t->unescaped = true;
    switch (t->settings->unescaped) {
    case UNESCAPED_BACK_TO_DELIMITER:
        if (!split_again(t)) return QUOTED_STOP;
        t->prev = CSV_NONE;
        return QUOTED_AGAIN;
    case UNESCAPED_STOP_AT_CLOSING_QUOTE:
    case UNESCAPED_STOP_AT_DELIMITER:
        if (!append(t, t->settings->quote) || !append(t, t->ch)) return QUOTED_STOP;
        t->prev = t->ch;
        return QUOTED_AGAIN;
    default:
        return skip_or_raise(t) ? QUOTED_DONE : QUOTED_STOP;
    }
}

/* Inside the quotes, up to the closing one: ch is then what stands behind it. */
static enum quoted inside_quotes(struct csv_tokenizer *t, bool many)
{
    const struct csv_settings *s = t->settings;
    bool found, bad;
    for (;;) {
        if (t->prev == s->quote) {
            if (is_blank(t->ch) || at_end_of_field(t)) return QUOTED_CLOSED;
            if (many) {
                if (!match_separator(t, true, &found)) return QUOTED_STOP;
                if (found) return QUOTED_DONE;
            }
        }
        if (t->ch != s->quote && t->ch != s->escape) {
            if (t->prev == s->quote) return unescaped_quote(t);
            if (t->prev == s->escape && t->prev != CSV_NONE && !append(t, s->escape)) return QUOTED_STOP;
            if (!append_quoted(t)) return QUOTED_STOP;
            t->prev = t->ch;
            if (!next(t)) return QUOTED_STOP;
            continue;
        }
        if (!process_escape(t, &bad) || (bad && !value_with_escapes(t))) return QUOTED_STOP;
        t->prev = t->ch;
        if (!next(t)) return QUOTED_STOP;
        if (!t->unescaped) continue;
        if (at_end_of_field(t)) return QUOTED_DONE;
        if (!many) continue;
        if (!match_separator(t, true, &found)) return QUOTED_STOP;
        if (found) return QUOTED_DONE;
    }
}

/* Blanks behind the closing quote are dropped; anything else behind them makes the quote an unescaped one (QUOTED_AGAIN). */
static enum quoted behind_quotes(struct csv_tokenizer *t, bool many)
{
    const struct csv_settings *s = t->settings;
    bool found;
    if (at_end_of_field(t) || !is_blank(t->ch)) return QUOTED_DONE;
    if (many) {
        if (!match_separator(t, false, &found)) return QUOTED_STOP;
        if (found) return QUOTED_DONE;
    }
    t->blanks_size = 0;
    do {
        if (t->blanks_size == t->blanks_capacity) t->blanks = grown(t->blanks, &t->blanks_capacity, 0, sizeof *t->blanks);
        t->blanks[t->blanks_size++] = t->ch;
        if (!next(t)) return QUOTED_STOP;
        if (csv_is_newline(t->ch)) return QUOTED_DONE;
        if (many) {
            if (!match_separator(t, false, &found)) return QUOTED_STOP;
            if (found) return QUOTED_DONE;
        }
    } while (is_blank(t->ch) && t->ch != t->delimiter);
    if (t->ch == t->delimiter) return QUOTED_DONE;
    if (s->unescaped == UNESCAPED_RAISE_ERROR) return fail(t, CSV_UNESCAPED) ? QUOTED_DONE : QUOTED_STOP;
    if (!append(t, s->quote) || !append_all(t, t->blanks, t->blanks_size)) return QUOTED_STOP;
    if ((stops_at_delimiter(s) || (t->ch != s->quote && t->ch != s->escape)) && !append(t, t->ch)) return QUOTED_STOP;
    t->prev = t->ch;
    return QUOTED_AGAIN;
}

/* ch is the opening quote. Afterwards ch is the (last character of the) separator, or the line end. */
static bool quoted_value(struct csv_tokenizer *t)
{
    bool many = t->settings->separator_count > 1;
    for (;;) {
        if (t->prev != CSV_NONE && stops_at_delimiter(t->settings)) return rest_is_raw(t, many);
        if (!next(t)) return false;
        enum quoted state = inside_quotes(t, many);
        if (state == QUOTED_AGAIN) many = t->settings->separator_count > 1;
        if (state == QUOTED_CLOSED) {
            state = behind_quotes(t, many);
            if (state == QUOTED_AGAIN) many = false; /* As in the original: a separator of several characters is none here. */
        }
        if (state != QUOTED_AGAIN) return state != QUOTED_STOP;
    }
}

/* The common case: nothing is escaped, and a separator or line end stands right behind the closing quote. Takes the field and the
 * quote, or nothing. */
static bool simple_quoted(struct csv_tokenizer *t, bool *taken)
{
    const struct csv_settings *s = t->settings;
    *taken = false;
    size_t i = t->at;
    for (; i < t->count && t->units[i] != s->quote; i++) {
        if (csv_is_newline(t->units[i]) && s->line_separator.size == 0) return true;
        if (t->units[i] != s->escape || i + 1 == t->count) continue;
        if (t->units[i + 1] == s->quote || t->units[i + 1] == s->escape_escape) return true;
    }
    if (i + 1 >= t->count) return t->final; /* Else what follows decides. */
    if (t->units[i - 1] == s->escape) return true;
    uint32_t behind = t->units[i + 1];
    bool ends = behind == t->delimiter || behind == CSV_FEED || (behind == CSV_NEWLINE && t->newline_is_feed);
    if (!ends) return true;
    size_t size = i - t->at;
    if (s->chars_max >= 0 && size > (size_t)s->chars_max) return true;
    *taken = true;
    if (!(size ? put_text(t, t->units + t->at, size) : put_empty_value(t))) return false;
    t->at = i + 1;
    return true;
}

/* ---- fields without quotes --------------------------------------------------------------------- */

/* Trims what was built where asked for, without a mark that lasts. */
static bool put_trimmed(struct csv_tokenizer *t)
{
    bool before = t->trim;
    t->trim = t->settings->ignore_trailing;
    bool ok = put_value(t);
    t->trim = before;
    return ok;
}

/* The common case: the separator or the end of the record is in sight. A \n beside a longer line end is text then, and a field that
 * is trimmed away is null. Takes the field, or nothing. */
static bool simple_unquoted(struct csv_tokenizer *t, bool *taken)
{
    size_t start = t->at - 1, end = t->at;
    *taken = false;
    while (end < t->count && t->units[end] != t->delimiter && t->units[end] != CSV_NEWLINE) end++;
    if (end == t->count || (t->units[end] == CSV_NEWLINE && t->newline_size == 1 && end + 1 == t->count)) return t->final;
    size_t size = end - start;
    if (t->settings->chars_max >= 0 && size > (size_t)t->settings->chars_max) return true;
    while (t->settings->ignore_trailing && size && is_blank(t->units[start + size - 1])) size--;
    *taken = true;
    t->ch = t->units[end];
    t->at = end + 1;
    return size ? put_text(t, t->units + start, size) : put_null(t);
}

static bool unquoted_value(struct csv_tokenizer *t)
{
    bool taken = false;
    if (t->settings->separator_count > 1) return append_until_separator(t) && put_trimmed(t);
    if (t->value_size == 0 && !simple_unquoted(t, &taken)) return false;
    if (taken) return true;
    t->trim = t->settings->ignore_trailing;
    return append_field(t) && put_value(t);
}

/* ---- records ----------------------------------------------------------------------------------- */

enum field_step { FIELD_DONE, FIELD_CONTINUE, FIELD_RECORD_DONE, FIELD_STOP };

/* Behind a simple quoted field. */
static enum field_step after_simple(struct csv_tokenizer *t)
{
    if (!next(t)) return t->final ? FIELD_RECORD_DONE : FIELD_STOP;
    if (t->ch != t->delimiter) return FIELD_CONTINUE;
    if (!next(t)) {
        if (!t->final) return FIELD_STOP;
        return put_null(t) ? FIELD_RECORD_DONE : FIELD_STOP;
    }
    if (csv_is_newline(t->ch) && !put_null(t)) return FIELD_STOP;
    return FIELD_CONTINUE;
}

static enum field_step field(struct csv_tokenizer *t)
{
    bool empty = at_end_of_field(t), taken = false;
    if (t->settings->separator_count > 1 && !empty && !match_separator(t, true, &empty)) return FIELD_STOP;
    if (empty) return put_null(t) ? FIELD_DONE : FIELD_STOP;
    t->unescaped = false;
    t->prev = CSV_NONE;
    if (t->ch != t->settings->quote || t->value_size) return unquoted_value(t) ? FIELD_DONE : FIELD_STOP;
    if (t->settings->separator_count == 1) {
        if (!simple_quoted(t, &taken)) return FIELD_STOP;
        if (taken) return after_simple(t);
    }
    t->trim = false;
    if (!quoted_value(t)) return FIELD_STOP;
    bool split_away = t->unescaped && t->settings->unescaped == UNESCAPED_BACK_TO_DELIMITER && t->value_size == 0;
    return split_away || put_value(t) ? FIELD_DONE : FIELD_STOP;
}

/* From ch on. False: the text ended first, or a failure. */
static bool record(struct csv_tokenizer *t)
{
    bool skip = t->settings->ignore_leading;
    if (skip && is_blank(t->ch) && !skip_blanks(t)) return false;
    while (!csv_is_newline(t->ch)) {
        if (skip && is_blank(t->ch) && !skip_blanks(t)) return false;
        enum field_step step = field(t);
        if (step == FIELD_STOP) return false;
        if (step == FIELD_RECORD_DONE) return true;
        if (step == FIELD_CONTINUE || csv_is_newline(t->ch)) continue;
        if (!next(t)) return false;
        if (csv_is_newline(t->ch) && !put_null(t)) return false;
    }
    return true;
}

/* Was a field being read when the text ended? */
static bool value_open_at_end(struct csv_tokenizer *t)
{
    const struct csv_settings *s = t->settings;
    if (t->ch == s->quote) {
        if (t->prev == s->quote) return true;
        if (!t->unescaped && !append(t, s->quote)) return false;
    }
    bool open = t->prev != CSV_NONE && !at_end_of_field(t) && t->ch != (s->comment == CSV_OFF ? '#' : s->comment);
    if (t->match == 0) return open;
    save_match(t);
    return true;
}

static bool finish_at_end(struct csv_tokenizer *t)
{
    bool open = value_open_at_end(t);
    if (t->failure != CSV_ROW) return false;
    bool has_text = t->at > t->record_start;
    bool has_value = t->value_size > 0 && !t->skipped;
    if (t->field_count != 0 || open) {
        if (has_value || open) return put_value(t);
        return !has_text || put_null(t);
    }
    if (has_value) return put_value(t);
    return !has_text || put_null(t);
}

/* Only the file's own line end ends a comment. */
static bool skip_comment(struct csv_tokenizer *t)
{
    while (t->ch != CSV_NEWLINE)
        if (!next(t)) return false;
    return true;
}

static void begin(struct csv_tokenizer *t)
{
    t->record_start = t->at;
    t->field_count = t->row_count = t->match = 0;
    t->text.size = 0;
    t->failure = CSV_ROW;
    t->trim = t->unescaped = false;
    t->ch = t->prev = CSV_NONE;
    clear_value(t);
}

static enum csv_parse finished(struct csv_tokenizer *t)
{
    t->record_end = t->at;
    memset(buffer_reserve(&t->text, 64), 0, 64); /* Fields are looked at by whole words. */
    if (t->failure != CSV_ROW) return t->failure;
    if (t->field_count > (t->row_count ? t->row_ends[t->row_count - 1] : 0)) end_row(t);
    return t->row_count ? CSV_ROW : CSV_EMPTY;
}

enum csv_parse csv_tokenize(struct csv_tokenizer *t, const uint32_t *units, size_t start, size_t count, bool final)
{
    t->units = units;
    t->at = start;
    t->count = count;
    t->final = final;
    for (;;) {
        begin(t);
        bool ended = !next(t);
        bool comment = !ended && t->ch == t->settings->comment;
        if (comment) ended = !skip_comment(t);
        else if (!ended) ended = !record(t);
        if (t->failure != CSV_ROW) return finished(t);
        if (ended) {
            if (!final) return CSV_MORE;
            if (!comment && t->at > t->record_start) finish_at_end(t);
            return finished(t);
        }
        enum csv_parse result = comment ? CSV_EMPTY : finished(t);
        if (result != CSV_EMPTY || t->at == count) {
            if (result == CSV_EMPTY && !final) return CSV_MORE;
            t->record_end = t->at;
            return result;
        }
    }
}
