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
