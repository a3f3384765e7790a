/* json_records -- records to rows: objects, arrays at the root, and what the parse mode makes of bad ones. */
#include "formats/json_read.h"
#include "formats/json_recover.h"
#include "formats/json_values.h"

#include <string.h>

/* Failing ----------------------------------------------------------------------------------- */

enum { SHOWN_TEXT_MAX = 400 };

static int shown(struct slice text)
{
    return text.size > SHOWN_TEXT_MAX ? SHOWN_TEXT_MAX : (int)text.size;
}

static void type_text(const struct ndjson_node *node, struct buffer *out)
{
    type_print_ddl(node->type, out);
}

/* A string in its quotes that would be a DECIMAL, were it not too large: rounded far to the left of the point any number fits. */
static bool is_number_text(const struct ndjson_settings *settings, struct slice quoted)
{
    enum { FAR_LEFT = INT32_MIN / 2 };
    int128 value;
    return parse_decimal_locale((const char *)quoted.data + 1, quoted.size - 2, settings->locale, 38, FAR_LEFT, &value);
}

/* What Spark says is wrong with a value, which depends on where it was met. */
static enum condition cause_of(const struct ndjson_settings *settings, const struct ndjson_fault *fault)
{
    enum type_kind kind = fault->node->kind;
    bool text = strcmp(fault->token, "VALUE_STRING") == 0, number = strncmp(fault->token, "VALUE_NUMBER", 12) == 0;
    if (text && fault->value.size == 2) return COND_EMPTY_JSON_FIELD_VALUE;
    if (text && ((kind == TYPE_DATE && settings->date_fallback) || (kind == TYPE_TIMESTAMP && settings->timestamp_fallback))) return COND_CAST_INVALID_INPUT;
    if (number && kind == TYPE_DECIMAL) return COND_NUMERIC_OUT_OF_RANGE;
    if (text && kind == TYPE_DECIMAL && is_number_text(settings, fault->value)) return COND_NUMERIC_OUT_OF_RANGE;
    return COND_CANNOT_PARSE_JSON_FIELD;
}

static void innermost_cause(const struct ndjson_settings *settings, const struct ndjson_fault *fault, struct error *err)
{
    struct buffer type = {0};
    type_text(fault->node, &type);
    error_set(err, cause_of(settings, fault), "cannot parse the field name `%s` and the value `%.*s` of the JSON token type %s to target Spark data type \"%s\"",
              fault->node->name, shown(fault->value), (const char *)fault->value.data, fault->token, buffer_string(&type));
    buffer_free(&type);
}

static const char null_root[] = "null is no JSON object";

/* FAILED_READ_FILE around MALFORMED_RECORD_IN_PARSING around what the parser met. */
static bool fail_fast(struct scan *scan, struct error *err)
{
    const struct ndjson_record *record = &scan->record;
    const struct ndjson_fault *fault = &scan->parser.fault;
    const char *advice = "Parse Mode: FAILFAST; to process malformed records as null result, try setting the option 'mode' as 'PERMISSIVE'";
    const char *text = record->raw.data ? (const char *)record->raw.data : "";
    int size = record->raw.data ? shown(record->raw) : 0;
    int64_t byte = record->byte;
    if (fault->at && record->text.data == record->raw.data) byte += fault->at - record->text.data;
    error_clear(err);
    if (fault->kind == NDJSON_FAULT_STRING) {
        struct buffer type = {0};
        type_text(fault->node, &type);
        error_set(err, COND_MALFORMED_RECORD_STRING, "malformed records are detected in record parsing: %.*s. Cannot parse the value `%.*s` of the field `%s` as target Spark data type \"%s\" from the input type \"STRING\"",
                  size, text, shown(fault->value), (const char *)fault->value.data, fault->node->name, buffer_string(&type));
        buffer_free(&type);
    } else if (fault->kind == NDJSON_FAULT_FIELD) {
        innermost_cause(&scan->reader->settings, fault, err);
        error_wrap(err, COND_MALFORMED_RECORD, "malformed records are detected in record parsing: %.*s. %s", size, text, advice);
    } else if (fault->kind == NDJSON_FAULT_ROOT && fault->why == null_root) {
        error_set(err, COND_INVALID_JSON_ROOT, "cannot convert JSON root field to target Spark type");
        error_wrap(err, COND_MALFORMED_RECORD, "malformed records are detected in record parsing: %.*s. %s", size, text, advice);
    } else {
        error_set(err, COND_MALFORMED_RECORD, "malformed records are detected in record parsing: %.*s (%s). %s", size, text,
                  fault->why ? fault->why : "not a JSON object", advice);
    }
    const char *path = range_cursor_path(&scan->files);
    error_wrap(err, COND_FAILED_READ_FILE, "encountered error while reading file %s", path);
    return error_at(err, path, record->number + 1, byte);
}

/* Rows -------------------------------------------------------------------------------------- */

/* The row at scan->rows is complete. */
static void accept_row(struct scan *scan)
{
    scan->rows++;
    scan_outcome(scan)->rows++;
}

static void take_back(struct scan *scan, uint32_t row)
{
    ndjson_slots_truncate(&scan->parser.slots, row);
    scan_outcome(scan)->rows -= scan->rows - row;
    scan->rows = row;
}

static bool put_corrupt_text(struct scan *scan, struct slice text)
{
    uint32_t node = scan->reader->shape->corrupt_node;
    if (!node) return true;
    if (text.data) return ndjson_slot_put_bytes(&scan->parser.slots, node, scan->rows, text.data, text.size);
    struct buffer note = {0};
    buffer_printf(&note, "(a record of %lld bytes at byte %lld, too long to be kept)", (long long)(scan->record.byte_end - scan->record.byte), (long long)scan->record.byte);
    bool ok = ndjson_slot_put_bytes(&scan->parser.slots, node, scan->rows, note.data, note.size);
    buffer_free(&note);
    return ok;
}

/* The record is malformed; the row at scan->rows holds what could be read of it, or nothing. */
static bool bad_record(struct scan *scan, struct error *err)
{
    struct range_outcome *outcome = scan_outcome(scan);
    outcome->records_bad++;
    switch (scan->reader->settings.mode) {
    case MODE_FAILFAST: return fail_fast(scan, err);
    case MODE_DROPMALFORMED:
        ndjson_slots_truncate(&scan->parser.slots, scan->rows);
        outcome->records_dropped++;
        return true;
    case MODE_PERMISSIVE: break;
    }
    if (!put_corrupt_text(scan, scan->record.raw)) return false;
    accept_row(scan);
    return true;
}

static bool bad_root(struct scan *scan, const char *why, struct error *err)
{
    ndjson_note_fault(&scan->parser, NDJSON_FAULT_ROOT, why);
    return bad_record(scan, err);
}

/* The record was read; is there anything behind it? Spark does not look; here it is counted. */
static void count_surplus(struct scan *scan)
{
    struct ndjson_parser *parser = &scan->parser;
    if (!ndjson_skip_blanks(parser) || parser->at < parser->end) scan_outcome(scan)->records_surplus++;
}

/* It is not JSON, or Spark would not have read all of it: what Spark keeps counts. */
static bool recover_object(struct scan *scan, const uint8_t *object, struct error *err)
{
    ndjson_slots_truncate(&scan->parser.slots, scan->rows);
    switch (ndjson_recover_object(&scan->parser, object, scan->rows)) {
    case NDJSON_GOOD: accept_row(scan); return true;
    case NDJSON_FAILED: return false;
    default: return bad_record(scan, err);
    }
}

static bool take_object(struct scan *scan, struct error *err)
{
    const uint8_t *object = scan->parser.at;
    enum ndjson_verdict verdict = ndjson_object(&scan->parser, scan->rows);
    if (LIKELY(verdict == NDJSON_GOOD)) {
        accept_row(scan);
        if (UNLIKELY(scan->parser.at != scan->parser.end)) count_surplus(scan);
        return true;
    }
    if (verdict == NDJSON_FAILED) return false;
    if (verdict == NDJSON_SYNTAX || !scan->reader->settings.partial_results) return recover_object(scan, object, err);
    count_surplus(scan);
    return bad_record(scan, err);
}

/* Arrays ------------------------------------------------------------------------------------ */

/* Moves to the next element, which must be an object. */
static enum ndjson_verdict next_object(struct ndjson_parser *parser, bool first, bool *end)
{
    *end = false;
    if (!ndjson_skip_blanks(parser)) return NDJSON_SYNTAX;
    if (*parser->at == ']') {
        parser->at++;
        *end = true;
        return NDJSON_GOOD;
    }
    if (!first) {
        if (*parser->at != ',') return ndjson_note_fault(parser, NDJSON_FAULT_SYNTAX, "expected a comma or the end of the array"), NDJSON_SYNTAX;
        parser->at++;
        if (!ndjson_skip_blanks(parser)) return NDJSON_SYNTAX;
    }
    if (*parser->at == '{') return NDJSON_GOOD;
    ndjson_note_fault(parser, NDJSON_FAULT_ROOT, "an element of the array is not an object");
    return NDJSON_SYNTAX;
}

/* Is the element at parser->at a good one? What it puts into the free row behind the chunk's is taken back. */
static enum ndjson_verdict judge_element(struct scan *scan)
{
    struct ndjson_parser *parser = &scan->parser;
    if (parser->fast && parser->text_valid) {
        enum ndjson_verdict verdict = parser->fast(parser, parser->at, scan->rows);
        ndjson_slots_truncate(&parser->slots, scan->rows);
        if (verdict != NDJSON_ODD) return verdict;
    }
    parser->dry = true;
    enum ndjson_verdict verdict = ndjson_careful_object(parser, 0);
    parser->dry = false;
    return verdict;
}

/* Reads the array from parser->at to its end without keeping anything: GOOD, PARTIAL, SYNTAX or FAILED; counts elements. */
static enum ndjson_verdict judge_array(struct scan *scan, bool first, size_t *elements)
{
    struct ndjson_parser *parser = &scan->parser;
    enum ndjson_verdict worst = NDJSON_GOOD;
    const uint8_t *start = parser->at;
    bool end;
    for (;; first = false) {
        enum ndjson_verdict verdict = next_object(parser, first, &end);
        if (verdict == NDJSON_GOOD && end) break;
        if (verdict == NDJSON_GOOD) verdict = judge_element(scan);
        if (verdict == NDJSON_FAILED) return verdict;
        if (verdict != NDJSON_GOOD) worst = verdict;
        if (verdict == NDJSON_SYNTAX) break;
        ++*elements;
    }
    if (worst != NDJSON_SYNTAX) parser->at = start;
    return worst;
}

/* What a chunk in which an array begins may hold, in usual chunks: most arrays end in it and need not be judged before. */
enum { CHUNKS_FOR_ARRAY = 8 };

/* Puts elements as rows until the array or the chunk ends; a row is left for judge_element(). Anything but GOOD: some element is bad, or *full. */
static enum ndjson_verdict put_elements(struct scan *scan, bool first, size_t chunks, bool *full)
{
    struct ndjson_parser *parser = &scan->parser;
    bool end;
    for (*full = false;; first = false) {
        if (scan->rows >= chunks * CHUNK_ROWS_MAX - 1 || scan->text_size >= chunks * CHUNK_TEXT_MAX) return *full = true, NDJSON_GOOD;
        enum ndjson_verdict verdict = next_object(parser, first, &end);
        if (verdict != NDJSON_GOOD || end) return verdict;
        const uint8_t *start = parser->at;
        verdict = ndjson_object(parser, scan->rows);
        if (verdict != NDJSON_GOOD && (verdict != NDJSON_PARTIAL || !scan->array_bad)) return verdict;
        struct slice own = slice_of(start, (size_t)(parser->at - start));
        if (scan->array_bad && !put_corrupt_text(scan, scan->array_own_text ? own : scan->record.raw)) return NDJSON_FAILED;
        scan->text_size += own.size;
        accept_row(scan);
    }
}

/* Its rows are few; a chunk has room for them. */
static bool put_recovered(struct scan *scan)
{
    uint32_t elements;
    const uint8_t *array = scan->array_odd;
    scan->array_odd = NULL;
    scan->in_array = false;
    if (ndjson_recover_array(&scan->parser, array, scan->rows, false, &elements) == NDJSON_FAILED) return false;
    for (; elements; elements--) {
        if (!put_corrupt_text(scan, scan->record.raw)) return false;
        accept_row(scan);
    }
    return true;
}

/* The array is not JSON: what Spark keeps of it is put, or waits for the next chunk. Where each row's copy of the text came to too much,
 * the record is one bad row. */
static bool recover_array(struct scan *scan, const uint8_t *array, struct error *err)
{
    uint32_t elements;
    enum ndjson_verdict verdict = ndjson_recover_array(&scan->parser, array, scan->rows, true, &elements);
    bool few = elements <= CHUNK_ROWS_MAX && scan->record.raw.size * elements <= CHUNK_TEXT_MAX;
    if (verdict != NDJSON_PARTIAL || !few || scan->reader->settings.mode != MODE_PERMISSIVE) return bad_record(scan, err);
    scan_outcome(scan)->records_bad++;
    scan->array_odd = array;
    scan->in_array = scan->rows + elements > CHUNK_ROWS_MAX;
    return scan->in_array || put_recovered(scan);
}

/* Some element is bad, and nothing has been put: says what becomes of the record. */
static bool begin_bad_array(struct scan *scan, bool *put, struct error *err)
{
    const uint8_t *array = scan->parser.at - 1;
    size_t elements = 0;
    *put = false;
    enum ndjson_verdict verdict = judge_array(scan, true, &elements);
    if (verdict == NDJSON_FAILED) return false;
    if (verdict == NDJSON_SYNTAX) return recover_array(scan, array, err);
    if (scan->reader->settings.mode != MODE_PERMISSIVE || !scan->reader->settings.partial_results) return bad_record(scan, err);
    scan_outcome(scan)->records_bad++;
    scan->array_bad = true;
    scan->array_own_text = scan->record.raw.size * elements > CHUNK_TEXT_MAX;
    *put = true;
    return true;
}

static bool take_array(struct scan *scan, struct error *err)
{
    struct ndjson_parser *parser = &scan->parser;
    uint32_t first_row = scan->rows;
    size_t text_size = scan->text_size;
    const uint8_t *start = ++parser->at;
    size_t rest = 0;
    bool full, put;
    scan->array_bad = scan->array_own_text = false;
    enum ndjson_verdict verdict = put_elements(scan, true, CHUNKS_FOR_ARRAY, &full);
    if (verdict == NDJSON_FAILED) return false;
    /* The chunk is full before the array ends: is the rest good? Every row of a bad record is marked. */
    if (verdict == NDJSON_GOOD && full) verdict = judge_array(scan, parser->at == start, &rest);
    if (verdict == NDJSON_FAILED) return false;
    if (verdict == NDJSON_GOOD) {
        scan->in_array = full;
        if (!full) count_surplus(scan);
        return true;
    }
    take_back(scan, first_row);
    scan->text_size = text_size;
    parser->at = start;
    if (!begin_bad_array(scan, &put, err)) return false;
    if (!put) return true;
    scan->in_array = true;
    return ndjson_continue_array(scan);
}

bool ndjson_continue_array(struct scan *scan)
{
    if (scan->array_odd) return put_recovered(scan);
    bool full, first = scan->parser.at[-1] == '['; /* Nothing but the bracket has been read. */
    if (put_elements(scan, first, 1, &full) == NDJSON_FAILED) return false;
    scan->in_array = full;
    if (!full) count_surplus(scan);
    return true;
}

/* One record -------------------------------------------------------------------------------- */

bool ndjson_take_record(struct scan *scan, struct error *err)
{
    struct ndjson_parser *parser = &scan->parser;
    const struct ndjson_record *record = &scan->record;
    if (!record->text.data) {
        scan_outcome(scan)->records_framed++;
        parser->fault = (struct ndjson_fault){0};
        return bad_root(scan, "the record is too long", err);
    }
    if (record->undecodable) {
        scan_outcome(scan)->records_framed++;
        parser->fault = (struct ndjson_fault){0};
        return bad_root(scan, "bytes that are none in its encoding", err);
    }
    if (!ndjson_record_begin(parser, record->text.data, record->text.size, record->valid)) return true; /* A blank line is no record. */
    scan_outcome(scan)->records_framed++;
    if (*parser->at != '[') scan->text_size += record->raw.size + 1;
    if (LIKELY(*parser->at == '{')) return take_object(scan, err);
    if (*parser->at == '[') return take_array(scan, err);
    return bad_root(scan, strncmp((const char *)parser->at, "null", 4) == 0 ? null_root : "not a JSON object", err);
}
