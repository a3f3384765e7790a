/* type_ddl -- schemas as SQL text: `a INT, b STRUCT<c: STRING NOT NULL> COMMENT 'text'`.
 *
 * A recursive descent over one line of text; positions in messages count bytes from 0, as Spark's do. */
#include "base/options.h"
#include "base/tree.h"
#include "base/utf8.h"
#include "columns/type.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum token_kind { TOKEN_END, TOKEN_WORD, TOKEN_QUOTED, TOKEN_NUMBER, TOKEN_TEXT, TOKEN_SIGN, TOKEN_BAD };

struct token {
    enum token_kind kind;
    const char *start; /* In the source text. */
    size_t size;
    const char *text;  /* Decoded: words as written, quoted names and texts without quotes and escapes. */
    size_t text_size;
};

struct ddl {
    struct arena *arena;
    const char *source, *p;
    struct token token; /* The one to look at. */
    enum type_kind timestamp;
    int depth;
    struct error *err;
    size_t reached; /* Position of the error. */
};

/* ---- tokens ------------------------------------------------------------------------------------ */

static bool is_word_byte(unsigned char byte)
{
    return isalnum(byte) || byte == '_' || byte >= 0x80;
}

static const char *skip_blanks_and_comments(const char *p)
{
    for (;;) {
        while (*p && isspace((unsigned char)*p)) p++;
        if (p[0] == '-' && p[1] == '-') {
            p += strcspn(p, "\n");
        } else if (p[0] == '/' && p[1] == '*') {
            const char *end = strstr(p + 2, "*/");
            if (!end) return p;
            p = end + 2;
        } else {
            return p;
        }
    }
}

/* `name` with doubled back quotes. */
static void take_quoted(struct ddl *ddl, struct token *token)
{
    const char *p = ddl->p + 1;
    char *text = arena_alloc(ddl->arena, strlen(p) + 1);
    for (;; p++) {
        if (!*p) return; /* Stays TOKEN_BAD. */
        if (*p == '`' && *++p != '`') break;
        text[token->text_size++] = *p;
    }
    token->kind = TOKEN_QUOTED;
    token->text = text;
    ddl->p = p;
}

static char unescape(char escaped)
{
    switch (escaped) {
    case 'n': return '\n';
    case 't': return '\t';
    case 'r': return '\r';
    case 'b': return '\b';
    case '0': return '\0';
    default: return escaped;
    }
}

/* 'text' or "text" with backslash escapes and doubled quotes. */
static void take_text(struct ddl *ddl, struct token *token)
{
    char quote = *ddl->p;
    const char *p = ddl->p + 1;
    char *text = arena_alloc(ddl->arena, strlen(p) + 1);
    while (*p && (*p != quote || p[1] == quote)) {
        if (*p == '\\' && p[1]) text[token->text_size++] = unescape(*++p);
        else if (*p == quote) text[token->text_size++] = *++p;
        else text[token->text_size++] = *p;
        p++;
    }
    if (!*p++) return; /* Not closed: stays TOKEN_BAD. */
    token->kind = TOKEN_TEXT;
    token->text = text;
    ddl->p = p;
}

static void next_token(struct ddl *ddl)
{
    struct token token = {.kind = TOKEN_BAD};
    ddl->p = skip_blanks_and_comments(ddl->p);
    token.start = ddl->p;
    unsigned char byte = (unsigned char)*ddl->p;
    if (!byte) {
        token.kind = TOKEN_END;
    } else if (is_word_byte(byte)) {
        bool is_number = true;
        for (; is_word_byte((unsigned char)*ddl->p); ddl->p++) is_number = is_number && isdigit((unsigned char)*ddl->p);
        token.kind = is_number ? TOKEN_NUMBER : TOKEN_WORD;
        token.text = token.start;
        token.text_size = (size_t)(ddl->p - token.start);
    } else if (byte == '`') {
        take_quoted(ddl, &token);
    } else if (byte == '\'' || byte == '"') {
        take_text(ddl, &token);
    } else {
        token.kind = strchr("<>(),:", byte) ? TOKEN_SIGN : TOKEN_BAD;
        ddl->p++;
    }
    if (ddl->p == token.start && byte) ddl->p += strlen(ddl->p); /* An open quote: the rest is the token. */
    token.size = (size_t)(ddl->p - token.start);
    ddl->token = token;
}

static bool at_sign(const struct ddl *ddl, char sign)
{
    return ddl->token.kind == TOKEN_SIGN && *ddl->token.start == sign;
}

static bool at_word(const struct ddl *ddl, const char *word)
{
    return ddl->token.kind == TOKEN_WORD && ddl->token.size == strlen(word) &&
        strncasecmp(ddl->token.start, word, ddl->token.size) == 0;
}

static bool accept_sign(struct ddl *ddl, char sign)
{
    if (!at_sign(ddl, sign)) return false;
    next_token(ddl);
    return true;
}

static bool accept_word(struct ddl *ddl, const char *word)
{
    if (!at_word(ddl, word)) return false;
    next_token(ddl);
    return true;
}

static bool fail_at(struct ddl *ddl, enum condition condition, const char *text)
{
    ddl->reached = (size_t)(ddl->token.start - ddl->source);
    return error_set(ddl->err, condition, "%s (at position %zu of \"%.400s\")", text, ddl->reached, ddl->source);
}

static bool fail_syntax(struct ddl *ddl, const char *wanted)
{
    if (ddl->token.kind == TOKEN_END)
        return fail_at(ddl, COND_PARSE_SYNTAX_ERROR,
                       arena_printf(ddl->arena, "syntax error at or near end of input: expected %s", wanted));
    return fail_at(ddl, COND_PARSE_SYNTAX_ERROR,
                   arena_printf(ddl->arena, "syntax error at or near '%.*s': expected %s",
                                (int)(ddl->token.size > 60 ? 60 : ddl->token.size), ddl->token.start, wanted));
}

static bool expect_sign(struct ddl *ddl, char sign)
{
    char wanted[] = {'\'', sign, '\'', '\0'};
    return accept_sign(ddl, sign) || fail_syntax(ddl, wanted);
}

/* ---- types ------------------------------------------------------------------------------------- */

static const struct type *parse_type(struct ddl *ddl);

/* A number in parentheses; INT_MAX where it is beyond int. */
static bool parse_number(struct ddl *ddl, int *out)
{
    if (ddl->token.kind != TOKEN_NUMBER) return fail_syntax(ddl, "a number");
    long number = ddl->token.size > 9 ? INT32_MAX : strtol(ddl->token.start, NULL, 10);
    *out = (int)number;
    next_token(ddl);
    return true;
}

static const struct type *parse_decimal(struct ddl *ddl)
{
    int precision = 10, scale = 0;
    if (accept_sign(ddl, '(')) {
        if (!parse_number(ddl, &precision)) return NULL;
        if (accept_sign(ddl, ',') && !parse_number(ddl, &scale)) return NULL;
        if (!expect_sign(ddl, ')')) return NULL;
    }
    if (precision > 38)
        return fail_at(ddl, COND_DECIMAL_PRECISION,
                       arena_printf(ddl->arena, "decimal precision %d exceeds max precision 38", precision)), NULL;
    if (precision < 1)
        return fail_at(ddl, COND_UNSUPPORTED_DATATYPE, "a decimal precision must be between 1 and 38"), NULL;
    if (scale > precision)
        return fail_at(ddl, COND_UNSUPPORTED_DATATYPE,
                       arena_printf(ddl->arena, "decimal scale (%d) cannot be greater than precision (%d)", scale,
                                    precision)), NULL;
    return type_decimal(ddl->arena, precision, scale);
}

static const struct type *parse_array(struct ddl *ddl)
{
    if (!accept_sign(ddl, '<'))
        return fail_at(ddl, COND_INCOMPLETE_TYPE_ARRAY,
                       "the definition of ARRAY type is incomplete. Provide an element type, such as ARRAY<elementType>"), NULL;
    const struct type *element = parse_type(ddl);
    if (!element || !expect_sign(ddl, '>')) return NULL;
    return type_array(ddl->arena, element, true);
}

static const struct type *parse_map(struct ddl *ddl)
{
    if (!accept_sign(ddl, '<'))
        return fail_at(ddl, COND_INCOMPLETE_TYPE_MAP,
                       "the definition of MAP type is incomplete. Provide a key type and a value type, such as MAP<TIMESTAMP, INT>"), NULL;
    const struct type *key = parse_type(ddl);
    if (!key || !expect_sign(ddl, ',')) return NULL;
    const struct type *value = parse_type(ddl);
    if (!value || !expect_sign(ddl, '>')) return NULL;
    return type_map(ddl->arena, key, value, true);
}

static const char *comment_metadata(struct arena *arena, const struct token *token)
{
    struct buffer out = {0};
    buffer_text(&out, "{\"comment\":");
    buffer_json_string(&out, token->text, token->text_size);
    buffer_text(&out, "}");
    const char *text = arena_strndup(arena, (const char *)out.data, out.size);
    buffer_free(&out);
    return text;
}

/* [NOT NULL] [COMMENT 'text'], in either order. */
static bool parse_field_tails(struct ddl *ddl, struct field *field)
{
    for (;;) {
        if (accept_word(ddl, "NOT")) {
            if (!accept_word(ddl, "NULL")) return fail_syntax(ddl, "NULL");
            field->nullable = false;
        } else if (accept_word(ddl, "COMMENT")) {
            if (ddl->token.kind != TOKEN_TEXT) return fail_syntax(ddl, "a quoted comment");
            field->metadata_json = comment_metadata(ddl->arena, &ddl->token);
            next_token(ddl);
        } else {
            return true;
        }
    }
}

static bool parse_field(struct ddl *ddl, struct field *field)
{
    if (ddl->token.kind != TOKEN_WORD && ddl->token.kind != TOKEN_QUOTED) return fail_syntax(ddl, "a column name");
    if (!ddl->token.text_size) return fail_syntax(ddl, "a column name that is not empty");
    *field = (struct field){.name = arena_strndup(ddl->arena, ddl->token.text, ddl->token.text_size), .name_size = ddl->token.text_size, .nullable = true};
    next_token(ddl);
    accept_sign(ddl, ':');
    field->type = parse_type(ddl);
    return field->type && parse_field_tails(ddl, field);
}

/* field ("," field)* up to `end` ('\0': the end of the text). NULL: error. */
static const struct type *parse_fields(struct ddl *ddl, char end)
{
    struct buffer fields = {0};
    const struct type *type = NULL;
    bool more = end ? !at_sign(ddl, end) : ddl->token.kind != TOKEN_END;
    while (more) {
        struct field field;
        if (!parse_field(ddl, &field)) goto fail;
        buffer_append(&fields, &field, sizeof field);
        more = accept_sign(ddl, ',');
    }
    if (end ? expect_sign(ddl, end) : ddl->token.kind == TOKEN_END || fail_syntax(ddl, "',' or the end"))
        type = type_struct(ddl->arena, (const struct field *)(const void *)fields.data,
                           fields.size / sizeof(struct field));
fail:
    buffer_free(&fields);
    return type;
}

static const struct type *parse_struct(struct ddl *ddl)
{
    if (!accept_sign(ddl, '<'))
        return fail_at(ddl, COND_INCOMPLETE_TYPE_STRUCT,
                       "the definition of STRUCT type is incomplete. Provide at least one field type, such as STRUCT<name: STRING>"), NULL;
    return parse_fields(ddl, '>');
}

/* TIMESTAMP [(WITH | WITHOUT) [LOCAL] TIME ZONE] */
static const struct type *parse_timestamp(struct ddl *ddl)
{
    bool with = accept_word(ddl, "WITH"), without = !with && accept_word(ddl, "WITHOUT");
    if (!with && !without) return type_primitive(ddl->timestamp);
    accept_word(ddl, "LOCAL");
    if (!accept_word(ddl, "TIME") || !accept_word(ddl, "ZONE")) return fail_syntax(ddl, "TIME ZONE"), NULL;
    return type_primitive(with ? TYPE_TIMESTAMP : TYPE_TIMESTAMP_NTZ);
}

static const struct type *parse_string(struct ddl *ddl)
{
    if (!accept_word(ddl, "COLLATE")) return type_primitive(TYPE_STRING);
    if (ddl->token.kind != TOKEN_WORD && ddl->token.kind != TOKEN_QUOTED) return fail_syntax(ddl, "a collation"), NULL;
    bool is_binary = at_word(ddl, "UTF8_BINARY");
    if (!is_binary)
        return fail_at(ddl, COND_INLET_NOT_SUPPORTED_YET,
                       "collations other than UTF8_BINARY are not supported yet"), NULL;
    next_token(ddl);
    return type_primitive(TYPE_STRING);
}

static const struct type *refuse_char(struct ddl *ddl)
{
    int size;
    if (!accept_sign(ddl, '('))
        return fail_at(ddl, COND_DATATYPE_MISSING_SIZE,
                       "a CHAR or VARCHAR type needs a length, such as VARCHAR(10)"), NULL;
    if (!parse_number(ddl, &size) || !expect_sign(ddl, ')')) return NULL;
    return fail_at(ddl, COND_UNSUPPORTED_CHAR_OR_VARCHAR,
                   "the char/varchar type cannot be used in a schema. Use STRING instead"), NULL;
}

struct type_word {
    const char *word;
    enum type_kind kind;
};

static const struct type_word type_words[] = {
    {"boolean", TYPE_BOOLEAN}, {"tinyint", TYPE_TINYINT}, {"byte", TYPE_TINYINT},       {"smallint", TYPE_SMALLINT},
    {"short", TYPE_SMALLINT},  {"int", TYPE_INT},         {"integer", TYPE_INT},        {"bigint", TYPE_BIGINT},
    {"long", TYPE_BIGINT},     {"float", TYPE_FLOAT},     {"real", TYPE_FLOAT},         {"double", TYPE_DOUBLE},
    {"binary", TYPE_BINARY},   {"date", TYPE_DATE},       {"timestamp_ltz", TYPE_TIMESTAMP},
    {"timestamp_ntz", TYPE_TIMESTAMP_NTZ},                {"void", TYPE_VOID},
};

/* Types of Spark that inlet does not have. */
static const char *const later_types[] = {"interval", "variant", "geometry", "geography"};

static const struct type *refuse_word(struct ddl *ddl, const struct token *word)
{
    ddl->token = *word; /* The message points at it. */
    for (size_t i = 0; i < COUNTOF(later_types); i++)
        if (at_word(ddl, later_types[i]))
            return fail_at(ddl, COND_INLET_NOT_SUPPORTED_YET,
                           arena_printf(ddl->arena, "type %s is not supported yet", later_types[i])), NULL;
    if (at_word(ddl, "time"))
        return fail_at(ddl, COND_UNSUPPORTED_TIME_TYPE, "the data type TIME is not supported"), NULL;
    fail_at(ddl, COND_UNSUPPORTED_DATATYPE, arena_printf(ddl->arena, "unsupported data type \"%.*s\"",
                                                         (int)word->size, word->start));
    const char *names[COUNTOF(type_words) + 7] = {"string", "decimal", "timestamp", "array", "map", "struct"};
    for (size_t i = 0; i < COUNTOF(type_words); i++) names[6 + i] = type_words[i].word;
    const char *nearest = nearest_name(arena_strndup(ddl->arena, word->start, word->size), names);
    if (nearest) error_hint(ddl->err, "Did you mean '%s'?", nearest);
    return NULL;
}

static const struct type *parse_named(struct ddl *ddl)
{
    struct token word = ddl->token;
    for (size_t i = 0; i < COUNTOF(type_words); i++)
        if (accept_word(ddl, type_words[i].word)) return type_primitive(type_words[i].kind);
    if (accept_word(ddl, "string")) return parse_string(ddl);
    if (accept_word(ddl, "timestamp")) return parse_timestamp(ddl);
    if (accept_word(ddl, "decimal") || accept_word(ddl, "dec") || accept_word(ddl, "numeric"))
        return parse_decimal(ddl);
    if (accept_word(ddl, "array")) return parse_array(ddl);
    if (accept_word(ddl, "map")) return parse_map(ddl);
    if (accept_word(ddl, "struct")) return parse_struct(ddl);
    if (accept_word(ddl, "char") || accept_word(ddl, "character") || accept_word(ddl, "varchar"))
        return refuse_char(ddl);
    return refuse_word(ddl, &word);
}

static const struct type *parse_type(struct ddl *ddl)
{
    if (ddl->token.kind != TOKEN_WORD) return fail_syntax(ddl, "a data type"), NULL;
    if (++ddl->depth > TYPE_DEPTH_MAX + 1)
        return fail_at(ddl, COND_TOO_COMPLEX, "the type is nested more than 1,000 levels deep"), NULL;
    const struct type *type = parse_named(ddl);
    ddl->depth--;
    return type;
}

/* ---- entry points ------------------------------------------------------------------------------ */

static struct ddl ddl_start(struct arena *arena, const char *text, enum type_kind timestamp, struct error *err)
{
    struct ddl ddl = {.arena = arena, .source = text, .p = text, .timestamp = timestamp, .err = err};
    next_token(&ddl);
    return ddl;
}

static const struct type *parse_ddl(struct arena *arena, const char *text, enum type_kind timestamp, struct error *err)
{
    struct error type_error, list_error;
    if (!utf8_valid((const uint8_t *)text, strlen(text))) {
        error_set(err, COND_PARSE_SYNTAX_ERROR, "the schema text is not valid UTF-8");
        return NULL;
    }
    error_clear(&type_error);
    error_clear(&list_error);
    struct ddl ddl = ddl_start(arena, text, timestamp, &type_error);
    const struct type *type = parse_type(&ddl);
    if (type && ddl.token.kind == TOKEN_END) return type;
    if (type) fail_syntax(&ddl, "the end");
    size_t reached = ddl.reached;
    ddl = ddl_start(arena, text, timestamp, &list_error);
    type = parse_fields(&ddl, '\0');
    if (!type && err) *err = reached > ddl.reached ? type_error : list_error; /* The reading that came further. */
    return type;
}

const struct type *type_parse_ddl(struct arena *arena, const char *text, struct error *err)
{
    return parse_ddl(arena, text, TYPE_TIMESTAMP, err);
}

const struct type *schema_parse_ddl_as(struct arena *arena, const char *text, enum type_kind timestamp,
                                       struct error *err)
{
    const struct type *type = parse_ddl(arena, text, timestamp, err);
    if (!type || type->kind == TYPE_STRUCT) return type;
    struct buffer shown = {0};
    type_print_ddl(type, &shown);
    error_set(err, COND_INVALID_SCHEMA_NON_STRUCT, "the input schema \"%.400s\" is not a valid schema string. The input expression should be evaluated to struct type, but got \"%.400s\"",
              text, buffer_string(&shown));
    buffer_free(&shown);
    return NULL;
}

const struct type *schema_parse_ddl(struct arena *arena, const char *text, struct error *err)
{
    return schema_parse_ddl_as(arena, text, TYPE_TIMESTAMP, err);
}

/* ---- printing ---------------------------------------------------------------------------------- */

static const char *const ddl_names[] = {
    [TYPE_BOOLEAN] = "BOOLEAN", [TYPE_TINYINT] = "TINYINT",   [TYPE_SMALLINT] = "SMALLINT",   [TYPE_INT] = "INT",
    [TYPE_BIGINT] = "BIGINT",   [TYPE_FLOAT] = "FLOAT",       [TYPE_DOUBLE] = "DOUBLE",
    [TYPE_DECIMAL] = "DECIMAL",
    [TYPE_STRING] = "STRING",   [TYPE_BINARY] = "BINARY",     [TYPE_DATE] = "DATE",
    [TYPE_TIMESTAMP] = "TIMESTAMP",
    [TYPE_TIMESTAMP_NTZ] = "TIMESTAMP_NTZ", [TYPE_ARRAY] = "ARRAY", [TYPE_MAP] = "MAP", [TYPE_STRUCT] = "STRUCT",
    [TYPE_VOID] = "VOID",
};

void type_print_name(const struct field *field, struct buffer *out)
{
    bool is_plain = field->name_size > 0 && !isdigit((unsigned char)field->name[0]);
    for (size_t i = 0; i < field->name_size && is_plain; i++) {
        unsigned char byte = (unsigned char)field->name[i];
        is_plain = byte < 0x80 && (isalnum(byte) || byte == '_');
    }
    if (is_plain) {
        buffer_append(out, field->name, field->name_size);
        return;
    }
    buffer_byte(out, '`');
    for (size_t i = 0; i < field->name_size; i++) {
        if (field->name[i] == '`') buffer_byte(out, '`');
        buffer_byte(out, (uint8_t)field->name[i]);
    }
    buffer_byte(out, '`');
}

static void print_comment(const struct field *field, struct buffer *out)
{
    if (!field->metadata_json || !strstr(field->metadata_json, "\"comment\"")) return;
    struct arena *scratch = arena_new("comment");
    const char *comment = tree_get_text(tree_parse_json(scratch, slice_text(field->metadata_json), NULL), "comment",
                                        NULL);
    if (comment) {
        buffer_text(out, " COMMENT '");
        for (; *comment; comment++) {
            if (*comment == '\'' || *comment == '\\') buffer_byte(out, '\\');
            buffer_byte(out, (uint8_t)*comment);
        }
        buffer_byte(out, '\'');
    }
    arena_free(scratch);
}

static void print_field(const struct field *field, const char *between, struct buffer *out)
{
    type_print_name(field, out);
    buffer_text(out, between);
    type_print_ddl(field->type, out);
    if (!field->nullable) buffer_text(out, " NOT NULL");
    print_comment(field, out);
}

void type_print_ddl(const struct type *type, struct buffer *out)
{
    buffer_text(out, ddl_names[type->kind]);
    if (type->kind == TYPE_DECIMAL) buffer_printf(out, "(%d,%d)", type->precision, type->scale);
    if (!type_is_nested(type)) return;
    buffer_byte(out, '<');
    for (size_t i = 0; i < type->field_count; i++) {
        if (i) buffer_text(out, ", ");
        if (type->kind == TYPE_STRUCT) print_field(&type->fields[i], ": ", out);
        else type_print_ddl(type->fields[i].type, out);
    }
    buffer_byte(out, '>');
}

void schema_print_ddl(const struct type *schema, struct buffer *out)
{
    for (size_t i = 0; i < schema->field_count; i++) {
        if (i) buffer_byte(out, ',');
        print_field(&schema->fields[i], " ", out);
    }
}

void type_print_simple(const struct type *type, struct buffer *out)
{
    for (const char *p = ddl_names[type->kind]; *p; p++) buffer_byte(out, (uint8_t)tolower((unsigned char)*p));
    if (type->kind == TYPE_DECIMAL) buffer_printf(out, "(%d,%d)", type->precision, type->scale);
    if (!type_is_nested(type)) return;
    buffer_byte(out, '<');
    for (size_t i = 0; i < type->field_count; i++) {
        if (i) buffer_byte(out, ',');
        if (type->kind == TYPE_STRUCT) {
            buffer_append(out, type->fields[i].name, type->fields[i].name_size);
            buffer_byte(out, ':');
        }
        type_print_simple(type->fields[i].type, out);
    }
    buffer_byte(out, '>');
}
