/* sql_lexer -- cutting SQL text into tokens. */
#include "engine/sql_lexer.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

static bool is_word_byte(char byte)
{
    return isalnum((unsigned char)byte) || byte == '_' || (unsigned char)byte >= 0x80;
}

/* Behind blanks, line comments and (nested) block comments. NULL: a block comment is not closed. */
static const char *skip_blanks(const char *p)
{
    for (;;) {
        while (*p && isspace((unsigned char)*p)) p++;
        if (p[0] == '-' && p[1] == '-') {
            p += strcspn(p, "\n");
            continue;
        }
        if (p[0] != '/' || p[1] != '*') return p;
        int open = 0;
        do {
            if (!*p) return NULL;
            if (p[0] == '/' && p[1] == '*') open++, p += 2;
            else if (p[0] == '*' && p[1] == '/') open--, p += 2;
            else p++;
        } while (open);
    }
}

static void take_quoted(struct sql_lexer *lexer, struct sql_token *token)
{
    const char *p = lexer->p + 1;
    size_t count = 0;
    char *name = arena_alloc(lexer->arena, strlen(p) + 1);
    for (; *p && (*p != '`' || p[1] == '`'); p++) {
        if (*p == '`') p++;
        name[count++] = *p;
    }
    if (!*p) return;
    token->kind = SQL_QUOTED;
    token->name = name;
    lexer->p = p + 1;
}

static void take_text(struct sql_lexer *lexer, struct sql_token *token)
{
    char quote = *lexer->p;
    const char *p = lexer->p + 1;
    for (; *p && *p != quote; p++)
        if (*p == '\\' && p[1]) p++;
    if (!*p) return;
    token->kind = SQL_TEXT;
    lexer->p = p + 1;
}

static void take_word(struct sql_lexer *lexer, struct sql_token *token)
{
    bool is_number = true;
    for (; is_word_byte(*lexer->p); lexer->p++) is_number = is_number && isdigit((unsigned char)*lexer->p);
    size_t size = (size_t)(lexer->p - token->start);
    token->kind = is_number ? SQL_NUMBER : SQL_WORD;
    token->name = arena_strndup(lexer->arena, token->start, size);
}

struct sql_token sql_next(struct sql_lexer *lexer)
{
    const char *p = skip_blanks(lexer->p);
    struct sql_token token = {.kind = SQL_OPEN, .start = p ? p : lexer->p};
    if (p) {
        lexer->p = p;
        if (!*p) token.kind = SQL_END;
        else if (is_word_byte(*p)) take_word(lexer, &token);
        else if (*p == '`') take_quoted(lexer, &token);
        else if (*p == '\'' || *p == '"') take_text(lexer, &token);
        else token.kind = SQL_SIGN, lexer->p++;
    }
    if (token.kind == SQL_OPEN) lexer->p = token.start + strlen(token.start);
    token.size = (size_t)(lexer->p - token.start);
    return token;
}

bool sql_is_word(const struct sql_token *token, const char *word)
{
    return token->kind == SQL_WORD && token->size == strlen(word) && strncasecmp(token->start, word, token->size) == 0;
}

bool sql_is_sign(const struct sql_token *token, char sign)
{
    return token->kind == SQL_SIGN && *token->start == sign;
}
