/* json_parser -- the state of one scan's parser, and its two ways through a record.
 *
 * The careful path is the specification: every option, every odd record, every error text. The fast path
 * takes well-formed records under the default options straight into the columns and gives up
 * (NDJSON_ODD) on anything else; then the record is taken back and goes the careful way. A test holds that
 * both give the same columns. */
#pragma once
#include "formats/json_settings.h"
#include "formats/json_slots.h"
#include "formats/structurals.h"

enum ndjson_verdict {
    NDJSON_GOOD,
    NDJSON_PARTIAL, /* There is a value, but something inside it was bad: the record is malformed. */
    NDJSON_BAD,     /* No value (null); its text has been passed over. The record is malformed. */
    NDJSON_SYNTAX,  /* Not JSON: nothing of the record counts. */
    NDJSON_ODD,     /* Fast path only: ask the careful one. */
    NDJSON_FAILED   /* No memory: slots.err says so. */
};

enum ndjson_fault_kind { NDJSON_FAULT_NONE, NDJSON_FAULT_SYNTAX, NDJSON_FAULT_FIELD, NDJSON_FAULT_STRING, NDJSON_FAULT_ROOT };

/* The first thing that was wrong with a record, for FAILFAST. */
struct ndjson_fault {
    enum ndjson_fault_kind kind;
    const char *why;                /* SYNTAX, ROOT. */
    const struct ndjson_node *node; /* FIELD, STRING: what was to be filled ... */
    struct slice value;             /* ... from this text ... */
    const char *token;              /* ... which is of this kind. */
    const uint8_t *at;
};

struct ndjson_guess; /* json_fast.c: the keys of one STRUCT node and what followed them last time. */

struct ndjson_parser {
    const struct ndjson_shape *shape;
    const struct ndjson_settings *settings;
    struct ndjson_slots slots;
    /* The record at hand; text[size] is a NUL byte and 64 bytes behind it can be read. */
    const uint8_t *text, *end;
    bool text_valid;                /* It is UTF-8. */
    const uint8_t *at;              /* Careful path: the next byte. */
    bool exact_strings;             /* settings->exact_strings, and the file at hand allows it. */
    string_end_fn find_string_end;
    bool dry;                       /* Only find out whether it is good; put nothing. */
    struct ndjson_fault fault;
    struct buffer name, scratch, rewritten, levels;
    struct ndjson_guess *guesses;   /* Fast path: one per node. */
    bool failed;                    /* Fast path: it gave up for want of memory. */
    enum ndjson_verdict (*fast)(struct ndjson_parser *parser, const uint8_t *object, uint32_t row); /* NULL: not with these options. */
};

void ndjson_parser_init(struct ndjson_parser *parser, const struct ndjson_shape *shape, const struct ndjson_settings *settings, struct budget *budget);
void ndjson_parser_fini(struct ndjson_parser *parser);

/* Starts on a record: skips a byte order mark, blanks and comments. False: there is no token in it. */
bool ndjson_record_begin(struct ndjson_parser *parser, const uint8_t *text, size_t size, bool valid);
/* The object at parser->at becomes `row`: GOOD, PARTIAL, SYNTAX (what was put must be taken back), FAILED. Moves `at` behind it. */
enum ndjson_verdict ndjson_object(struct ndjson_parser *parser, uint32_t row);
/* Blanks and comments from parser->at on. False: an unfinished comment. */
bool ndjson_skip_blanks(struct ndjson_parser *parser);
/* The same as ndjson_object, the careful way only. */
enum ndjson_verdict ndjson_careful_object(struct ndjson_parser *parser, uint32_t row);
/* Remembers the first fault. */
void ndjson_note_fault(struct ndjson_parser *parser, enum ndjson_fault_kind kind, const char *why);

/* json_fast.c */
void ndjson_fast_init(struct ndjson_parser *parser);
void ndjson_fast_use(struct ndjson_parser *parser, enum isa isa); /* Tests; INLET_ISA says it otherwise. */
void ndjson_fast_fini(struct ndjson_parser *parser);
