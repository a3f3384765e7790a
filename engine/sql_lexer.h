/* sql_lexer -- Spark SQL text as tokens. Comments and hints are passed over. */
#pragma once
#include "base/arena.h"
#include "base/attr.h"

enum sql_token_kind {
    SQL_END,
    SQL_WORD,    /* A bare identifier or keyword. */
    SQL_QUOTED,  /* A back-quoted identifier. */
    SQL_NUMBER,
    SQL_TEXT,    /* A string literal. */
    SQL_SIGN,    /* One character of punctuation. */
    SQL_OPEN     /* A quote or comment that is not closed. */
};

struct sql_token {
    enum sql_token_kind kind;
    const char *start;   /* In the source. */
    size_t size;
    const char *name;    /* WORD, QUOTED: the identifier, decoded. */
};

struct sql_lexer {
    struct arena *arena;
    const char *source, *p;
};

struct sql_token sql_next(struct sql_lexer *lexer);
bool sql_is_word(const struct sql_token *token, const char *word); /* Any case. */
bool sql_is_sign(const struct sql_token *token, char sign);
