/* json_tokens -- the careful tokenizer: Jackson's grammar with all of its switches (format-semantics 5.2). */
#pragma once
#include "formats/json_parser.h"

enum ndjson_token_kind { NDJSON_STRING, NDJSON_INTEGER, NDJSON_FLOAT, NDJSON_TRUE, NDJSON_FALSE, NDJSON_NULL, NDJSON_OBJECT, NDJSON_ARRAY };

struct ndjson_token {
    enum ndjson_token_kind kind;
    const uint8_t *text;  /* STRING: inside its quotes. */
    size_t size;
    bool plain;           /* STRING: the text needs no decoding. */
};

const char *ndjson_token_name(enum ndjson_token_kind kind); /* As Jackson calls it. */

/* The scalar at parser->at, or the opening bracket of a container. False: a syntax error, noted as the fault. */
bool ndjson_read_token(struct ndjson_parser *parser, struct ndjson_token *token);
/* The decoded text of a STRING token; lives until the next call. */
struct slice ndjson_token_text(struct ndjson_parser *parser, const struct ndjson_token *token);
/* Passes over one whole value; depth is that of the value's parent. */
bool ndjson_skip_value(struct ndjson_parser *parser, int64_t depth);

enum ndjson_step { NDJSON_STEP_ITEM, NDJSON_STEP_END, NDJSON_STEP_SYNTAX };
/* parser->at is behind the opening bracket (first) or behind a value: moves to the next value, or behind the closing bracket. */
enum ndjson_step ndjson_next_element(struct ndjson_parser *parser, bool first);
/* The same in an object; *name lives until the next call and has 8 readable bytes. */
enum ndjson_step ndjson_next_field(struct ndjson_parser *parser, bool first, struct slice *name);
/* Notes a syntax error; false. */
bool ndjson_syntax_error(struct ndjson_parser *parser, const char *why);
/* May this byte stand in a name without quotes? */
bool ndjson_is_name_byte(uint8_t c);

/* json_careful.c: the token, no container, as the value of `row`: GOOD, BAD, SYNTAX (of base64), FAILED. `start` is where it begins. */
enum ndjson_verdict ndjson_put_scalar(struct ndjson_parser *parser, const struct ndjson_node *node, uint32_t row, const struct ndjson_token *token, const uint8_t *start);
/* The text from `start` to parser->at, which is not a string, as the value of a STRING column (5.5). */
enum ndjson_verdict ndjson_put_text_of(struct ndjson_parser *parser, const struct ndjson_node *node, uint32_t row, const uint8_t *start);
