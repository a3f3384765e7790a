/* json_careful -- records into columns by the letter of format-semantics 5.3 to 5.6.
 *
 * Every function passes over the whole of its value, whatever is wrong with it, so that what follows
 * is found; only a syntax error ends a record. Recursion goes as deep as the schema, not the text. */
#include "base/civil.h"
#include "base/panic.h"
#include "formats/json_tokens.h"
#include "formats/json_values.h"

#include <string.h>

static enum ndjson_verdict convert(struct ndjson_parser *parser, const struct ndjson_node *node, uint32_t row, int64_t depth);

static struct ndjson_slot *slot_of(struct ndjson_parser *parser, const struct ndjson_node *node)
{
    return &parser->slots.slots[node->index];
}

static const struct ndjson_node *child_of(const struct ndjson_parser *parser, const struct ndjson_node *node, uint32_t child)
{
    return &parser->shape->nodes[node->children[child]];
}

/* Faults ------------------------------------------------------------------------------------ */

/* The value from `start` to parser->at does not fit the node. */
static enum ndjson_verdict bad_value(struct ndjson_parser *parser, const struct ndjson_node *node, const uint8_t *start, enum ndjson_token_kind kind)
{
    if (parser->fault.kind == NDJSON_FAULT_NONE) {
        bool text_as_real = kind == NDJSON_STRING && parser->at - start > 2 && (node->kind == TYPE_FLOAT || node->kind == TYPE_DOUBLE);
        parser->fault = (struct ndjson_fault){.kind = text_as_real ? NDJSON_FAULT_STRING : NDJSON_FAULT_FIELD,
                                              .node = node,
                                              .value = slice_of(start, (size_t)(parser->at - start)),
                                              .token = ndjson_token_name(kind),
                                              .at = start};
    }
    return NDJSON_BAD;
}

/* The opening bracket has been read. */
static enum ndjson_verdict wrong_container(struct ndjson_parser *parser, const struct ndjson_node *node, const uint8_t *start, enum ndjson_token_kind kind, int64_t depth)
{
    parser->at = start;
    if (!ndjson_skip_value(parser, depth)) return NDJSON_SYNTAX;
    return bad_value(parser, node, start, kind);
}

/* Scalars ----------------------------------------------------------------------------------- */

/* Opens the slot at `row` for a value of `width` bytes. */
static enum ndjson_verdict put_fixed(struct ndjson_parser *parser, const struct ndjson_node *node, uint32_t row, const void *value, size_t width)
{
    if (parser->dry) return NDJSON_GOOD;
    if (!ndjson_slot_open(&parser->slots, node->index, row)) return NDJSON_FAILED;
    struct ndjson_slot *slot = slot_of(parser, node);
    memcpy((uint8_t *)slot->values + row * width, value, width);
    slot->length = row + 1;
    return NDJSON_GOOD;
}

static enum ndjson_verdict put_boolean(struct ndjson_parser *parser, const struct ndjson_node *node, uint32_t row, bool value)
{
    if (parser->dry) return NDJSON_GOOD;
    if (!ndjson_slot_open(&parser->slots, node->index, row)) return NDJSON_FAILED;
    struct ndjson_slot *slot = slot_of(parser, node);
    if (value) bit_set(slot->values, row);
    else bit_clear(slot->values, row);
    slot->length = row + 1;
    return NDJSON_GOOD;
}

static enum ndjson_verdict put_bytes(struct ndjson_parser *parser, const struct ndjson_node *node, uint32_t row, struct slice bytes)
{
    if (parser->dry) return NDJSON_GOOD;
    return ndjson_slot_put_bytes(&parser->slots, node->index, row, bytes.data, bytes.size) ? NDJSON_GOOD : NDJSON_FAILED;
}

/* Integers of all widths; little endian, so that the low bytes are the value. */
static enum ndjson_verdict put_integer(struct ndjson_parser *parser, const struct ndjson_node *node, uint32_t row, const struct ndjson_token *token)
{
    int64_t value;
    size_t width = type_width(node->kind);
    if (token->kind != NDJSON_INTEGER || !parse_int64((const char *)token->text, token->size, &value)) return NDJSON_BAD;
    int64_t limit = (int64_t)(UINT64_MAX >> (65 - 8 * width));
    if (value > limit || value < -limit - 1) return NDJSON_BAD;
    return put_fixed(parser, node, row, &value, width);
}

static bool real_value(struct ndjson_parser *parser, const struct ndjson_token *token, bool single, double *wide, float *narrow)
{
    const char *text = (const char *)token->text;
    if (token->kind == NDJSON_STRING) {
        struct slice decoded = ndjson_token_text(parser, token);
        if (!parser->settings->allow_nonnumeric || !ndjson_number_word(decoded.data, decoded.size, wide)) return false;
    } else if (token->kind == NDJSON_FLOAT && ndjson_number_word(token->text, token->size, wide)) {
        /* NaN and its like. */
    } else if (token->kind == NDJSON_FLOAT || token->kind == NDJSON_INTEGER) {
        if (single ? !parse_float(text, token->size, narrow) : !parse_double(text, token->size, wide)) return false;
        if (token->kind == NDJSON_INTEGER && (single ? *narrow == 0 : *wide == 0)) *narrow = 0, *wide = 0; /* -0 is an integer: 0. */
        return true;
    } else {
        return false;
    }
    *narrow = (float)*wide;
    return true;
}

static enum ndjson_verdict put_real(struct ndjson_parser *parser, const struct ndjson_node *node, uint32_t row, const struct ndjson_token *token)
{
    double wide = 0;
    float narrow = 0;
    if (!real_value(parser, token, node->kind == TYPE_FLOAT, &wide, &narrow)) return NDJSON_BAD;
    if (node->kind == TYPE_FLOAT) return put_fixed(parser, node, row, &narrow, sizeof narrow);
    return put_fixed(parser, node, row, &wide, sizeof wide);
}

static enum ndjson_verdict put_decimal(struct ndjson_parser *parser, const struct ndjson_node *node, uint32_t row, const struct ndjson_token *token)
{
    int128 value;
    bool overflow, good = false;
    if (token->kind == NDJSON_STRING) {
        struct slice text = ndjson_token_text(parser, token);
        good = ndjson_decimal_text(parser->settings, (const char *)text.data, text.size, node->type, &value);
    } else if (token->kind == NDJSON_INTEGER || token->kind == NDJSON_FLOAT) {
        good = parse_decimal((const char *)token->text, token->size, node->type->precision, node->type->scale, &value, &overflow);
    }
    return good ? put_fixed(parser, node, row, &value, sizeof value) : NDJSON_BAD;
}

static enum ndjson_verdict put_datetime(struct ndjson_parser *parser, const struct ndjson_node *node, uint32_t row, const struct ndjson_token *token)
{
    int64_t value;
    int32_t days;
    if (token->kind == NDJSON_INTEGER && node->kind == TYPE_TIMESTAMP) {
        if (!parse_int64((const char *)token->text, token->size, &value)) return NDJSON_BAD;
        value = (int64_t)((uint64_t)value * 1000000); /* Wraps, as Spark does. */
        return put_fixed(parser, node, row, &value, sizeof value);
    }
    if (token->kind != NDJSON_STRING) return NDJSON_BAD;
    struct slice text = ndjson_token_text(parser, token);
    if (node->kind == TYPE_DATE)
        return ndjson_date(parser->settings, (const char *)text.data, text.size, &days) ? put_fixed(parser, node, row, &days, sizeof days) : NDJSON_BAD;
    bool good = node->kind == TYPE_TIMESTAMP ? ndjson_timestamp(parser->settings, (const char *)text.data, text.size, &value)
                                             : ndjson_timestamp_ntz(parser->settings, (const char *)text.data, text.size, &value);
    return good ? put_fixed(parser, node, row, &value, sizeof value) : NDJSON_BAD;
}

static enum ndjson_verdict put_binary(struct ndjson_parser *parser, const struct ndjson_node *node, uint32_t row, const struct ndjson_token *token)
{
    if (token->kind != NDJSON_STRING) return NDJSON_BAD;
    struct slice text = ndjson_token_text(parser, token);
    size_t size;
    buffer_clear(&parser->rewritten);
    uint8_t *bytes = buffer_reserve(&parser->rewritten, text.size + 1);
    switch (ndjson_base64(text.data, text.size, bytes, &size)) {
    case NDJSON_BASE64_OVERRUN: return ndjson_syntax_error(parser, "unfinished base64"), NDJSON_SYNTAX;
    case NDJSON_BASE64_BAD: return NDJSON_BAD;
    case NDJSON_BASE64_GOOD: break;
    }
    return put_bytes(parser, node, row, slice_of(bytes, size));
}

/* The text from `start` to parser->at, which is not a string, in a STRING column (5.5). */
enum ndjson_verdict ndjson_put_text_of(struct ndjson_parser *parser, const struct ndjson_node *node, uint32_t row, const uint8_t *start)
{
    size_t size = (size_t)(parser->at - start);
    if (parser->exact_strings) return put_bytes(parser, node, row, slice_of(start, size));
    buffer_clear(&parser->rewritten);
    ndjson_rewrite(start, size, &parser->rewritten, &parser->scratch);
    return put_bytes(parser, node, row, slice_of(parser->rewritten.data, parser->rewritten.size));
}

enum ndjson_verdict ndjson_put_scalar(struct ndjson_parser *parser, const struct ndjson_node *node, uint32_t row, const struct ndjson_token *token, const uint8_t *start)
{
    switch (node->kind) {
    case TYPE_BOOLEAN:
        if (token->kind != NDJSON_TRUE && token->kind != NDJSON_FALSE) return NDJSON_BAD;
        return put_boolean(parser, node, row, token->kind == NDJSON_TRUE);
    case TYPE_TINYINT: case TYPE_SMALLINT: case TYPE_INT: case TYPE_BIGINT: return put_integer(parser, node, row, token);
    case TYPE_FLOAT: case TYPE_DOUBLE: return put_real(parser, node, row, token);
    case TYPE_DECIMAL: return put_decimal(parser, node, row, token);
    case TYPE_STRING:
        if (token->kind == NDJSON_STRING) return put_bytes(parser, node, row, ndjson_token_text(parser, token));
        return ndjson_put_text_of(parser, node, row, start);
    case TYPE_BINARY: return put_binary(parser, node, row, token);
    case TYPE_DATE: case TYPE_TIMESTAMP: case TYPE_TIMESTAMP_NTZ: return put_datetime(parser, node, row, token);
    case TYPE_VOID: return NDJSON_GOOD;
    case TYPE_ARRAY: case TYPE_MAP: case TYPE_STRUCT: break;
    }
    return NDJSON_BAD;
}

/* Containers -------------------------------------------------------------------------------- */

/* A field that has had a value in this object already: the last one that converts wins. Trying it dry first keeps the
 * time linear however duplicates are nested. */
static enum ndjson_verdict convert_again(struct ndjson_parser *parser, const struct ndjson_node *node, uint32_t row, int64_t depth)
{
    const uint8_t *start = parser->at;
    parser->dry = true;
    enum ndjson_verdict verdict = convert(parser, node, row, depth);
    parser->dry = false;
    if (verdict != NDJSON_GOOD && verdict != NDJSON_PARTIAL) return verdict;
    ndjson_slot_truncate(&parser->slots, node->index, row);
    parser->at = start;
    return convert(parser, node, row, depth);
}

static enum ndjson_verdict convert_field(struct ndjson_parser *parser, const struct ndjson_node *node, uint32_t row, int64_t depth)
{
    bool again = !parser->dry && slot_of(parser, node)->length > row;
    return again ? convert_again(parser, node, row, depth) : convert(parser, node, row, depth);
}

/* The fields of an object, into the children of a STRUCT node. */
static enum ndjson_verdict convert_fields(struct ndjson_parser *parser, const struct ndjson_node *node, uint32_t row, int64_t depth)
{
    bool marked = false;
    struct slice name;
    for (bool first = true;; first = false) {
        enum ndjson_step step = ndjson_next_field(parser, first, &name);
        if (step == NDJSON_STEP_SYNTAX) return NDJSON_SYNTAX;
        if (step == NDJSON_STEP_END) return marked ? NDJSON_PARTIAL : NDJSON_GOOD;
        int32_t child = ndjson_find_field(parser->shape, node, name.data, name.size);
        if (child < 0) {
            if (!ndjson_skip_value(parser, depth)) return NDJSON_SYNTAX;
            continue;
        }
        enum ndjson_verdict verdict = convert_field(parser, child_of(parser, node, (uint32_t)child), row, depth);
        if (verdict == NDJSON_SYNTAX || verdict == NDJSON_FAILED) return verdict;
        if (verdict == NDJSON_GOOD) continue;
        marked = true;
    }
}

static enum ndjson_verdict convert_struct(struct ndjson_parser *parser, const struct ndjson_node *node, uint32_t row, int64_t depth)
{
    if (!parser->dry) {
        if (!ndjson_slot_open(&parser->slots, node->index, row)) return NDJSON_FAILED;
        slot_of(parser, node)->length = row + 1;
    }
    return convert_fields(parser, node, row, depth);
}

/* Passes over the rest of a list, one of whose elements is bad; such a list is null as a whole. */
static enum ndjson_verdict give_up_list(struct ndjson_parser *parser, const struct ndjson_node *node, uint32_t row, int64_t depth)
{
    bool object = node->kind == TYPE_MAP;
    struct slice name;
    if (!parser->dry) ndjson_slot_truncate(&parser->slots, node->index, row);
    for (;;) {
        enum ndjson_step step = object ? ndjson_next_field(parser, false, &name) : ndjson_next_element(parser, false);
        if (step == NDJSON_STEP_SYNTAX) return NDJSON_SYNTAX;
        if (step == NDJSON_STEP_END) break;
        if (!ndjson_skip_value(parser, depth)) return NDJSON_SYNTAX;
    }
    return NDJSON_BAD;
}

static void close_list(struct ndjson_parser *parser, const struct ndjson_node *node, uint32_t row, uint32_t elements_end)
{
    if (parser->dry) return;
    struct ndjson_slot *slot = slot_of(parser, node);
    slot->offsets[row + 1] = (int32_t)elements_end;
    slot->length = row + 1;
}

/* One entry of a MAP or element of an ARRAY as element `at` of the children. */
static enum ndjson_verdict convert_item(struct ndjson_parser *parser, const struct ndjson_node *node, uint32_t at, struct slice name, int64_t depth)
{
    if (node->kind == TYPE_ARRAY) return convert(parser, child_of(parser, node, 0), at, depth);
    enum ndjson_verdict verdict = put_bytes(parser, child_of(parser, node, 0), at, name);
    return verdict == NDJSON_GOOD ? convert(parser, child_of(parser, node, 1), at, depth) : verdict;
}

static enum ndjson_verdict convert_list(struct ndjson_parser *parser, const struct ndjson_node *node, uint32_t row, int64_t depth)
{
    bool marked = false, object = node->kind == TYPE_MAP;
    uint32_t at = 0;
    struct slice name = {0};
    if (!parser->dry) {
        if (!ndjson_slot_open(&parser->slots, node->index, row)) return NDJSON_FAILED;
        at = (uint32_t)slot_of(parser, node)->offsets[row];
    }
    for (bool first = true;; first = false, at++) {
        enum ndjson_step step = object ? ndjson_next_field(parser, first, &name) : ndjson_next_element(parser, first);
        if (step == NDJSON_STEP_SYNTAX) return NDJSON_SYNTAX;
        if (step == NDJSON_STEP_END) break;
        enum ndjson_verdict verdict = convert_item(parser, node, at, name, depth);
        if (verdict == NDJSON_SYNTAX || verdict == NDJSON_FAILED) return verdict;
        if (verdict == NDJSON_BAD) return give_up_list(parser, node, row, depth);
        if (verdict == NDJSON_PARTIAL) marked = true;
    }
    close_list(parser, node, row, at);
    return marked ? NDJSON_PARTIAL : NDJSON_GOOD;
}

/* parser->at is at a value; depth is that of its parent. */
static enum ndjson_verdict convert(struct ndjson_parser *parser, const struct ndjson_node *node, uint32_t row, int64_t depth)
{
    const uint8_t *start = parser->at;
    struct ndjson_token token;
    if (!ndjson_read_token(parser, &token)) return NDJSON_SYNTAX;
    if (token.kind == NDJSON_NULL) return NDJSON_GOOD;
    if (token.kind != NDJSON_OBJECT && token.kind != NDJSON_ARRAY) {
        enum ndjson_verdict verdict = ndjson_put_scalar(parser, node, row, &token, start);
        return verdict == NDJSON_BAD ? bad_value(parser, node, start, token.kind) : verdict;
    }
    if (depth + 1 > parser->settings->depth_max) return ndjson_syntax_error(parser, "nested deeper than maxNestingDepth"), NDJSON_SYNTAX;
    if (token.kind == NDJSON_OBJECT && node->kind == TYPE_STRUCT) return convert_struct(parser, node, row, depth + 1);
    if (token.kind == NDJSON_OBJECT && node->kind == TYPE_MAP) return convert_list(parser, node, row, depth + 1);
    if (token.kind == NDJSON_ARRAY && node->kind == TYPE_ARRAY) return convert_list(parser, node, row, depth + 1);
    if (node->kind != TYPE_STRING && node->kind != TYPE_VOID) return wrong_container(parser, node, start, token.kind, depth);
    parser->at = start;
    if (!ndjson_skip_value(parser, depth)) return NDJSON_SYNTAX;
    return node->kind == TYPE_VOID ? NDJSON_GOOD : ndjson_put_text_of(parser, node, row, start);
}

/* Records ----------------------------------------------------------------------------------- */

enum ndjson_verdict ndjson_careful_object(struct ndjson_parser *parser, uint32_t row)
{
    invariant(*parser->at == '{');
    parser->at++;
    return convert_fields(parser, &parser->shape->nodes[0], row, 1);
}

bool ndjson_record_begin(struct ndjson_parser *parser, const uint8_t *text, size_t size, bool valid)
{
    parser->text = parser->at = text;
    parser->end = text + size;
    parser->text_valid = valid;
    parser->fault = (struct ndjson_fault){0};
    if (!parser->settings->charset_given && size > 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) parser->at += 3; /* A line of nothing else is not blank. */
    return !ndjson_skip_blanks(parser) || parser->at < parser->end;
}

enum ndjson_verdict ndjson_object(struct ndjson_parser *parser, uint32_t row)
{
    if (parser->fast && parser->text_valid) {
        enum ndjson_verdict verdict = parser->fast(parser, parser->at, row);
        if (verdict != NDJSON_ODD) return verdict;
        ndjson_slots_truncate(&parser->slots, row);
    }
    return ndjson_careful_object(parser, row);
}

void ndjson_parser_init(struct ndjson_parser *parser, const struct ndjson_shape *shape, const struct ndjson_settings *settings, struct budget *budget)
{
    memset(parser, 0, sizeof *parser);
    parser->shape = shape;
    parser->settings = settings;
    parser->exact_strings = settings->exact_strings;
    parser->find_string_end = string_end_scanner(isa_choose());
    ndjson_slots_init(&parser->slots, shape, budget);
    ndjson_fast_init(parser);
}

void ndjson_parser_fini(struct ndjson_parser *parser)
{
    ndjson_fast_fini(parser);
    ndjson_slots_fini(&parser->slots);
    buffer_free(&parser->name);
    buffer_free(&parser->scratch);
    buffer_free(&parser->rewritten);
    buffer_free(&parser->levels);
}
