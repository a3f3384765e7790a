/* json_recover -- records that are not JSON: what Spark keeps of them.
 *
 * A value that proves malformed below the top level costs that value only; the fields before it stay, and what Spark's
 * parser still finds behind it is taken (format-semantics 5.6). Here its conversion of objects, maps and arrays is
 * repeated, over json_walk.c. It is slow and seldom called: the careful path has refused the record. */
#include "formats/json_recover.h"
#include "formats/json_walk.h"

#include <string.h>

/* VALUE: perhaps none, that is null. PARTIAL: a value, but something inside it was bad. THROWN: none, it was bad. */
enum outcome { OUTCOME_VALUE, OUTCOME_PARTIAL, OUTCOME_THROWN, OUTCOME_FAILED };

struct recovery {
    struct ndjson_parser *parser;
    struct ndjson_walker walker;
};

static enum outcome convert(struct recovery *r, const struct ndjson_node *node, uint32_t row);

static const struct ndjson_node *child_of(const struct recovery *r, const struct ndjson_node *node, uint32_t child)
{
    return &r->parser->shape->nodes[node->children[child]];
}

static struct ndjson_slot *slot_of(const struct recovery *r, const struct ndjson_node *node)
{
    return &r->parser->slots.slots[node->index];
}

/* The text is malformed: that is the first thing wrong, unless something was before. */
static enum outcome malformed(struct recovery *r)
{
    struct ndjson_fault *fault = &r->parser->fault;
    if (fault->kind == NDJSON_FAULT_NONE) *fault = (struct ndjson_fault){.kind = NDJSON_FAULT_SYNTAX, .why = r->walker.why, .at = r->walker.at};
    return OUTCOME_THROWN;
}

static enum outcome unfit(struct recovery *r, const struct ndjson_node *node, enum ndjson_token_kind kind)
{
    struct ndjson_fault *fault = &r->parser->fault;
    const uint8_t *start = r->walker.start;
    if (fault->kind == NDJSON_FAULT_NONE)
        *fault = (struct ndjson_fault){.kind = NDJSON_FAULT_FIELD, .node = node, .value = slice_of(start, (size_t)(r->walker.at - start)),
                                       .token = ndjson_token_name(kind), .at = start};
    return OUTCOME_THROWN;
}

/* Scalars ----------------------------------------------------------------------------------- */

static enum outcome of_verdict(struct recovery *r, const struct ndjson_node *node, enum ndjson_token_kind kind, enum ndjson_verdict verdict)
{
    if (verdict == NDJSON_GOOD) return OUTCOME_VALUE;
    if (verdict == NDJSON_FAILED) return OUTCOME_FAILED;
    return unfit(r, node, kind);
}

static enum outcome convert_binary(struct recovery *r, const struct ndjson_node *node, uint32_t row)
{
    struct buffer *bytes = &r->parser->rewritten;
    enum ndjson_base64 result = ndjson_walk_base64(&r->walker, bytes);
    if (result == NDJSON_BASE64_OVERRUN) return malformed(r);
    if (result == NDJSON_BASE64_BAD) return unfit(r, node, NDJSON_STRING);
    if (r->parser->dry) return OUTCOME_VALUE;
    return ndjson_slot_put_bytes(&r->parser->slots, node->index, row, bytes->data, bytes->size) ? OUTCOME_VALUE : OUTCOME_FAILED;
}

/* Whatever the token is, a STRING column takes its text. */
static enum outcome convert_to_text(struct recovery *r, const struct ndjson_node *node, uint32_t row)
{
    struct ndjson_walker *walker = &r->walker;
    const uint8_t *start = walker->start;
    bool closing = walker->token == WALK_OBJECT_END || walker->token == WALK_ARRAY_END;
    if (closing && !r->parser->exact_strings) return malformed(r); /* It is written anew, and that is refused. */
    if (!ndjson_walk_skip_children(walker)) return malformed(r);
    r->parser->at = walker->at;
    return of_verdict(r, node, NDJSON_OBJECT, ndjson_put_text_of(r->parser, node, row, start));
}

static enum ndjson_token_kind kind_of(enum ndjson_walk token)
{
    switch (token) {
    case WALK_STRING: return NDJSON_STRING;
    case WALK_INTEGER: return NDJSON_INTEGER;
    case WALK_FLOAT: return NDJSON_FLOAT;
    case WALK_TRUE: return NDJSON_TRUE;
    case WALK_FALSE: return NDJSON_FALSE;
    case WALK_ARRAY: case WALK_ARRAY_END: return NDJSON_ARRAY;
    default: return NDJSON_OBJECT;
    }
}

static enum outcome convert_scalar(struct recovery *r, const struct ndjson_node *node, uint32_t row)
{
    struct ndjson_walker *walker = &r->walker;
    enum ndjson_token_kind kind = kind_of(walker->token);
    if (walker->token == WALK_STRING && node->kind == TYPE_BINARY) return convert_binary(r, node, row);
    if (walker->token == WALK_STRING && !ndjson_walk_close_string(walker)) return malformed(r);
    if (walker->token != WALK_STRING && node->kind == TYPE_STRING) return convert_to_text(r, node, row);
    if (kind == NDJSON_OBJECT || kind == NDJSON_ARRAY) return unfit(r, node, kind);
    struct ndjson_token token = {.kind = kind, .text = walker->text.data, .size = walker->text.size, .plain = kind != NDJSON_STRING};
    r->parser->at = walker->at;
    return of_verdict(r, node, kind, ndjson_put_scalar(r->parser, node, row, &token, walker->start));
}

/* Containers -------------------------------------------------------------------------------- */

/* A field that has had a value: only one that converts takes its place, so it is tried dry first. */
static enum outcome convert_again(struct recovery *r, const struct ndjson_node *node, uint32_t row)
{
    struct ndjson_walker before, after;
    struct ndjson_fault fault = r->parser->fault;
    ndjson_walk_copy(&r->walker, &before);
    r->parser->dry = true;
    enum outcome outcome = convert(r, node, row);
    r->parser->dry = false;
    if (outcome != OUTCOME_VALUE && outcome != OUTCOME_PARTIAL) {
        ndjson_walk_end(&before);
        return outcome;
    }
    after = r->walker;
    r->walker = before;
    r->parser->fault = fault;
    ndjson_walk_end(&after);
    ndjson_slot_truncate(&r->parser->slots, node->index, row);
    return convert(r, node, row);
}

static enum outcome convert_field(struct recovery *r, const struct ndjson_node *node, uint32_t row)
{
    if (!r->parser->dry && slot_of(r, node)->length > row) return convert_again(r, node, row);
    enum outcome outcome = convert(r, node, row);
    if (outcome == OUTCOME_THROWN && !r->parser->dry) ndjson_slot_truncate(&r->parser->slots, node->index, row);
    return outcome;
}

/* The fields of an object, from behind its opening brace, into the children of a STRUCT node. */
static enum outcome convert_fields(struct recovery *r, const struct ndjson_node *node, uint32_t row, bool root)
{
    struct ndjson_walker *walker = &r->walker;
    bool marked = false, goes_on = root || r->parser->settings->partial_results;
    struct slice name;
    for (;;) {
        if (!ndjson_walk_next(walker)) return malformed(r);
        if (walker->token == WALK_NONE || walker->token == WALK_OBJECT_END) return marked ? OUTCOME_PARTIAL : OUTCOME_VALUE;
        int32_t child = ndjson_walk_name(walker, &name) ? ndjson_find_field(r->parser->shape, node, name.data, name.size) : -1;
        if (child < 0) {
            if (!ndjson_walk_skip_children(walker)) return malformed(r);
            continue;
        }
        enum outcome outcome = convert_field(r, child_of(r, node, (uint32_t)child), row);
        if (outcome == OUTCOME_VALUE) continue;
        if (outcome == OUTCOME_FAILED || !goes_on) return outcome;
        marked = true;
        if (outcome == OUTCOME_THROWN && !ndjson_walk_skip_children(walker)) return malformed(r);
    }
}

static enum outcome convert_struct(struct recovery *r, const struct ndjson_node *node, uint32_t row)
{
    if (!r->parser->dry) {
        if (!ndjson_slot_open(&r->parser->slots, node->index, row)) return OUTCOME_FAILED;
        slot_of(r, node)->length = row + 1;
    }
    return convert_fields(r, node, row, false);
}

static bool open_list(struct recovery *r, const struct ndjson_node *node, uint32_t row, uint32_t *at)
{
    *at = 0;
    if (r->parser->dry) return true;
    if (!ndjson_slot_open(&r->parser->slots, node->index, row)) return false;
    *at = (uint32_t)slot_of(r, node)->offsets[row];
    return true;
}

static void close_list(struct recovery *r, const struct ndjson_node *node, uint32_t row, uint32_t at)
{
    if (r->parser->dry) return;
    slot_of(r, node)->offsets[row + 1] = (int32_t)at;
    slot_of(r, node)->length = row + 1;
}

/* One bad element is the end of an array; what is left of it is for the object around it to read. */
static enum outcome convert_array(struct recovery *r, const struct ndjson_node *node, uint32_t row)
{
    bool marked = false;
    uint32_t at;
    if (!open_list(r, node, row, &at)) return OUTCOME_FAILED;
    for (;; at++) {
        if (!ndjson_walk_next(&r->walker)) return malformed(r);
        if (r->walker.token == WALK_NONE || r->walker.token == WALK_ARRAY_END) break;
        enum outcome outcome = convert(r, child_of(r, node, 0), at);
        if (outcome == OUTCOME_THROWN || outcome == OUTCOME_FAILED) return outcome;
        if (outcome == OUTCOME_PARTIAL) marked = true;
    }
    close_list(r, node, row, at);
    return marked ? OUTCOME_PARTIAL : OUTCOME_VALUE;
}

static enum outcome convert_entry(struct recovery *r, const struct ndjson_node *node, uint32_t at)
{
    struct slice name;
    if (ndjson_walk_name(&r->walker, &name) && !r->parser->dry &&
        !ndjson_slot_put_bytes(&r->parser->slots, child_of(r, node, 0)->index, at, name.data, name.size)) return OUTCOME_FAILED;
    return convert(r, child_of(r, node, 1), at);
}

/* A bad value makes the whole map bad, but the map is read to its end first. */
static enum outcome convert_map(struct recovery *r, const struct ndjson_node *node, uint32_t row)
{
    bool marked = false, bad = false, was_dry = r->parser->dry;
    uint32_t at;
    enum outcome outcome = OUTCOME_VALUE;
    if (!open_list(r, node, row, &at)) return OUTCOME_FAILED;
    for (;; at++) {
        if (!ndjson_walk_next(&r->walker)) outcome = malformed(r);
        if (outcome == OUTCOME_THROWN || r->walker.token == WALK_NONE || r->walker.token == WALK_OBJECT_END) break;
        outcome = convert_entry(r, node, at);
        if (outcome == OUTCOME_FAILED) break;
        if (outcome == OUTCOME_PARTIAL) marked = true;
        if (outcome != OUTCOME_THROWN) continue;
        if (!r->parser->settings->partial_results) break;
        bad = r->parser->dry = true;
        if (!ndjson_walk_skip_children(&r->walker)) break;
        outcome = OUTCOME_VALUE;
    }
    r->parser->dry = was_dry;
    if (outcome == OUTCOME_THROWN || outcome == OUTCOME_FAILED || bad) return outcome == OUTCOME_FAILED ? outcome : OUTCOME_THROWN;
    close_list(r, node, row, at);
    return marked ? OUTCOME_PARTIAL : OUTCOME_VALUE;
}

/* The value at the token, or behind it where that is a name. */
static enum outcome convert(struct recovery *r, const struct ndjson_node *node, uint32_t row)
{
    struct ndjson_walker *walker = &r->walker;
    while (walker->token == WALK_NAME)
        if (!ndjson_walk_next(walker)) return malformed(r);
    if (walker->token == WALK_NONE || walker->token == WALK_NULL) return OUTCOME_VALUE;
    if (walker->token == WALK_OBJECT && node->kind == TYPE_STRUCT) return convert_struct(r, node, row);
    if (walker->token == WALK_OBJECT && node->kind == TYPE_MAP) return convert_map(r, node, row);
    if (walker->token == WALK_ARRAY && node->kind == TYPE_ARRAY) return convert_array(r, node, row);
    if (node->kind == TYPE_VOID) return ndjson_walk_skip_children(walker) ? OUTCOME_VALUE : malformed(r);
    return convert_scalar(r, node, row);
}

/* Records ----------------------------------------------------------------------------------- */

static void begin(struct recovery *r, struct ndjson_parser *parser, const uint8_t *at)
{
    *r = (struct recovery){.parser = parser};
    parser->fault = (struct ndjson_fault){0};
    ndjson_walk_begin(&r->walker, parser, at);
}

/* Nothing is kept of a record that was THROWN: then the fault of the careful path is the one to tell. */
static enum ndjson_verdict finish(struct recovery *r, enum outcome outcome, const struct ndjson_fault *fault)
{
    r->parser->at = r->walker.at;
    ndjson_walk_end(&r->walker);
    switch (outcome) {
    case OUTCOME_VALUE: return NDJSON_GOOD;
    case OUTCOME_PARTIAL: return NDJSON_PARTIAL;
    case OUTCOME_FAILED: return NDJSON_FAILED;
    case OUTCOME_THROWN: break;
    }
    if (fault->kind != NDJSON_FAULT_NONE) r->parser->fault = *fault;
    return NDJSON_SYNTAX;
}

enum ndjson_verdict ndjson_recover_object(struct ndjson_parser *parser, const uint8_t *object, uint32_t row)
{
    struct recovery r;
    struct ndjson_fault fault = parser->fault;
    begin(&r, parser, object);
    enum outcome outcome = ndjson_walk_next(&r.walker) ? convert_fields(&r, &parser->shape->nodes[0], row, true) : OUTCOME_THROWN;
    if (outcome == OUTCOME_THROWN) ndjson_slots_truncate(&parser->slots, row);
    return finish(&r, outcome, &fault);
}

static enum outcome convert_elements(struct recovery *r, uint32_t row, uint32_t *elements)
{
    bool marked = false;
    const struct ndjson_node *root = &r->parser->shape->nodes[0];
    for (*elements = 0;; ++*elements) {
        if (!ndjson_walk_next(&r->walker)) return OUTCOME_THROWN;
        if (r->walker.token == WALK_NONE || r->walker.token == WALK_ARRAY_END) return marked ? OUTCOME_PARTIAL : OUTCOME_VALUE;
        if (r->walker.token != WALK_OBJECT) return OUTCOME_THROWN;
        enum outcome outcome = convert_fields(r, root, row + *elements, false);
        if (outcome == OUTCOME_THROWN || outcome == OUTCOME_FAILED) return outcome;
        if (outcome == OUTCOME_PARTIAL) marked = true;
    }
}

enum ndjson_verdict ndjson_recover_array(struct ndjson_parser *parser, const uint8_t *array, uint32_t row, bool dry, uint32_t *elements)
{
    struct recovery r;
    struct ndjson_fault fault = parser->fault;
    begin(&r, parser, array);
    *elements = 0;
    parser->dry = dry;
    enum outcome outcome = ndjson_walk_next(&r.walker) ? convert_elements(&r, row, elements) : OUTCOME_THROWN;
    parser->dry = false;
    if (outcome == OUTCOME_THROWN && !dry) ndjson_slots_truncate(&parser->slots, row);
    return finish(&r, outcome, &fault);
}
