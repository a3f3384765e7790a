/* json_walk -- a token at a time through text that is not JSON, as Jackson walks it.
 *
 * Spark keeps what it had of a record when a value in it proves malformed, and goes on with the next token that its
 * parser gives. So what comes out depends on where that parser stands after an error: this is that state machine, for
 * json_recover.c. A step that fails leaves the walker where Jackson's parser would be left. */
#pragma once
#include "formats/json_tokens.h"
#include "formats/json_values.h"

enum ndjson_walk {
    WALK_NONE, /* Before the first token, behind the last one, and behind a name whose value was malformed. */
    WALK_NAME, WALK_STRING, WALK_INTEGER, WALK_FLOAT, WALK_TRUE, WALK_FALSE, WALK_NULL,
    WALK_OBJECT, WALK_ARRAY, WALK_OBJECT_END, WALK_ARRAY_END
};

struct ndjson_walker {
    struct ndjson_parser *parser;    /* Whose text, settings and buffers these are. */
    const uint8_t *at, *end, *last;  /* last: the first byte behind the blanks that were passed over last. */
    enum ndjson_walk token, behind_name; /* behind_name: the value's, which is looked at along with its name. */
    bool string_open;                /* The token is a string whose text has not been read yet. */
    const uint8_t *start;            /* Of the token. */
    struct slice text;               /* STRING once it is closed: inside its quotes; numbers and words: all of it. */
    struct buffer levels;            /* struct level; the last one is the innermost container. */
    const char *why;                 /* Of the last failure. */
};

void ndjson_walk_begin(struct ndjson_walker *walker, struct ndjson_parser *parser, const uint8_t *at);
void ndjson_walk_end(struct ndjson_walker *walker);
/* A copy that walks on by itself. */
void ndjson_walk_copy(const struct ndjson_walker *walker, struct ndjson_walker *copy);

/* Each of these is false where the text is malformed. */
bool ndjson_walk_next(struct ndjson_walker *walker);
bool ndjson_walk_close_string(struct ndjson_walker *walker); /* Reads an open string to its end. */
bool ndjson_walk_skip_children(struct ndjson_walker *walker); /* From an opening bracket to the closing one; else nothing. */
enum ndjson_base64 ndjson_walk_base64(struct ndjson_walker *walker, struct buffer *out); /* OVERRUN: malformed. */

/* The field that the token belongs to; false: none. Lives until the next call and has 8 readable bytes. */
bool ndjson_walk_name(struct ndjson_walker *walker, struct slice *name);
