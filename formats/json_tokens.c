/* json_tokens -- scanning with every switch looked at; bounded by the NUL byte behind the record. */
#include "formats/json_tokens.h"
#include "formats/json_values.h"

#include <string.h>

const char *ndjson_token_name(enum ndjson_token_kind kind)
{
    static const char *const names[] = {"VALUE_STRING", "VALUE_NUMBER_INT", "VALUE_NUMBER_FLOAT", "VALUE_TRUE",
                                        "VALUE_FALSE",  "VALUE_NULL",       "START_OBJECT",       "START_ARRAY"};
    return names[kind];
}

void ndjson_note_fault(struct ndjson_parser *parser, enum ndjson_fault_kind kind, const char *why)
{
    if (parser->fault.kind != NDJSON_FAULT_NONE && kind != NDJSON_FAULT_SYNTAX) return;
    parser->fault = (struct ndjson_fault){.kind = kind, .why = why, .at = parser->at};
}

bool ndjson_syntax_error(struct ndjson_parser *parser, const char *why)
{
    ndjson_note_fault(parser, NDJSON_FAULT_SYNTAX, why);
    return false;
}

/* Blanks ------------------------------------------------------------------------------------ */

static bool skip_comment(struct ndjson_parser *parser)
{
    const uint8_t *p = parser->at + 1, *end = parser->end;
    if (*p == '/') {
        while (p < end && *p != '\n' && *p != '\r') p++;
    } else if (*p == '*') {
        const uint8_t *close = memmem(p + 1, (size_t)(end - p - 1), "*/", 2);
        if (!close) return ndjson_syntax_error(parser, "unfinished comment");
        p = close + 2;
    } else {
        return ndjson_syntax_error(parser, "unexpected character '/'");
    }
    parser->at = p;
    return true;
}

bool ndjson_skip_blanks(struct ndjson_parser *parser)
{
    for (;;) {
        uint8_t c = *parser->at;
        if (c == ' ' || c == '\t' || c == '\n' || c == '\r') parser->at++;
        else if (c == '/' && parser->settings->allow_comments) {
            if (!skip_comment(parser)) return false;
        } else return true;
    }
}

/* Strings ----------------------------------------------------------------------------------- */

/* Length of the UTF-8 sequence at p as Jackson checks it (lead and continuation bytes only), 0 where it refuses. */
static size_t sequence_size(const uint8_t *p)
{
    size_t size = (*p & 0xe0) == 0xc0 ? 2 : (*p & 0xf0) == 0xe0 ? 3 : (*p & 0xf8) == 0xf0 ? 4 : 0;
    for (size_t i = 1; i < size; i++)
        if ((p[i] & 0xc0) != 0x80) return 0;
    return size;
}

/* p is behind a backslash; returns behind the escape. */
static const uint8_t *check_escape(struct ndjson_parser *parser, const uint8_t *p)
{
    uint8_t ignored[8], *out = ignored;
    if (p >= parser->end) return NULL;
    const uint8_t *behind = ndjson_unescape(p, &out);
    if (behind) return behind;
    if (*p == 'u') return NULL;
    if (*p == '\'' && parser->settings->allow_single_quotes) return p + 1;
    if (!parser->settings->allow_backslash_any || (*p < 0x20 && !parser->settings->allow_control_chars)) return NULL;
    return *p >= 0x80 ? p : p + 1;
}

/* parser->at is behind the opening quote. */
static bool read_string(struct ndjson_parser *parser, uint8_t quote, struct ndjson_token *token)
{
    const uint8_t *p = parser->at, *start = p;
    token->kind = NDJSON_STRING;
    token->plain = true;
    for (;;) {
        if (quote == '"' && parser->text_valid) p = parser->text + parser->find_string_end(parser->text, (size_t)(p - parser->text), (size_t)(parser->end - parser->text));
        if (p >= parser->end) return parser->at = p, ndjson_syntax_error(parser, "unexpected end of input in a string");
        uint8_t c = *p;
        if (c == quote) break;
        if (c == '\\') {
            const uint8_t *behind = check_escape(parser, p + 1);
            if (!behind) return parser->at = p, ndjson_syntax_error(parser, "unrecognized character escape");
            token->plain = false;
            p = behind;
        } else if (c >= 0x80 && !parser->text_valid) {
            size_t size = sequence_size(p);
            if (!size) return parser->at = p, ndjson_syntax_error(parser, "invalid UTF-8");
            token->plain = false;
            p += size;
        } else if (c < 0x20 && !parser->settings->allow_control_chars) {
            return parser->at = p, ndjson_syntax_error(parser, "unescaped control character in a string");
        } else {
            p++;
        }
    }
    token->text = start;
    token->size = (size_t)(p - start);
    parser->at = p + 1;
    if ((int64_t)token->size > parser->settings->string_size_max) return ndjson_syntax_error(parser, "string longer than maxStringLen");
    return true;
}

static struct slice decoded(const struct ndjson_token *token, struct buffer *into)
{
    if (token->plain) return slice_of(token->text, token->size);
    buffer_clear(into);
    uint8_t *out = buffer_reserve(into, token->size + 16);
    into->size = ndjson_decode(token->text, token->size, out);
    memset(out + into->size, 0, 8);
    return slice_of(out, into->size);
}

struct slice ndjson_token_text(struct ndjson_parser *parser, const struct ndjson_token *token)
{
    return decoded(token, &parser->scratch);
}

/* Numbers and words ------------------------------------------------------------------------- */

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static const uint8_t *skip_digits(const uint8_t *p)
{
    while (is_digit(*p)) p++;
    return p;
}

static bool end_token(struct ndjson_parser *parser, struct ndjson_token *token, enum ndjson_token_kind kind, const uint8_t *behind)
{
    token->kind = kind;
    token->text = parser->at;
    token->size = (size_t)(behind - parser->at);
    parser->at = behind;
    return true;
}

static bool read_word(struct ndjson_parser *parser, const char *word, enum ndjson_token_kind kind, struct ndjson_token *token)
{
    size_t size = strlen(word);
    if (strncmp((const char *)parser->at, word, size) != 0) return ndjson_syntax_error(parser, "unrecognized token");
    return end_token(parser, token, kind, parser->at + size);
}

static bool read_number_word(struct ndjson_parser *parser, struct ndjson_token *token)
{
    static const char *const words[] = {"NaN", "Infinity", "-Infinity", "+Infinity", "-INF", "+INF"};
    if (parser->settings->allow_nonnumeric)
        for (size_t i = 0; i < COUNTOF(words); i++)
            if (strncmp((const char *)parser->at, words[i], strlen(words[i])) == 0) return read_word(parser, words[i], NDJSON_FLOAT, token);
    return ndjson_syntax_error(parser, "unexpected character in place of a value");
}

static bool read_number(struct ndjson_parser *parser, struct ndjson_token *token)
{
    const uint8_t *p = parser->at;
    size_t digits = 0;
    bool integer = true;
    if (*p == '-') p++;
    if (!is_digit(*p)) return read_number_word(parser, token);
    if (*p == '0' && is_digit(p[1])) {
        if (!parser->settings->allow_leading_zeros) return ndjson_syntax_error(parser, "leading zeroes not allowed");
        while (*p == '0' && is_digit(p[1])) p++;
    }
    const uint8_t *start = p;
    p = skip_digits(p);
    digits += (size_t)(p - start);
    if (*p == '.') {
        start = ++p;
        p = skip_digits(p);
        if (p == start) return ndjson_syntax_error(parser, "decimal point not followed by a digit");
        digits += (size_t)(p - start);
        integer = false;
    }
    if (*p == 'e' || *p == 'E') {
        p++;
        if (*p == '+' || *p == '-') p++;
        start = p;
        p = skip_digits(p);
        if (p == start) return ndjson_syntax_error(parser, "exponent indicator not followed by a digit");
        digits += (size_t)(p - start);
        integer = false;
    }
    if ((int64_t)digits > parser->settings->number_size_max) return ndjson_syntax_error(parser, "number longer than maxNumLen");
    return end_token(parser, token, integer ? NDJSON_INTEGER : NDJSON_FLOAT, p);
}

bool ndjson_read_token(struct ndjson_parser *parser, struct ndjson_token *token)
{
    uint8_t c = *parser->at;
    token->plain = true;
    switch (c) {
    case '{': return end_token(parser, token, NDJSON_OBJECT, parser->at + 1);
    case '[': return end_token(parser, token, NDJSON_ARRAY, parser->at + 1);
    case 't': return read_word(parser, "true", NDJSON_TRUE, token);
    case 'f': return read_word(parser, "false", NDJSON_FALSE, token);
    case 'n': return read_word(parser, "null", NDJSON_NULL, token);
    case '\'':
        if (!parser->settings->allow_single_quotes) break;
        /* fall through */
    case '"':
        parser->at++;
        return read_string(parser, c, token);
    case '-': case '0': case '1': case '2': case '3': case '4': case '5': case '6': case '7': case '8': case '9':
        return read_number(parser, token);
    case 'N': case 'I': case '+':
        return read_number_word(parser, token);
    default: break;
    }
    return ndjson_syntax_error(parser, parser->at >= parser->end ? "unexpected end of input" : "unexpected character in place of a value");
}

/* Containers -------------------------------------------------------------------------------- */

enum ndjson_step ndjson_next_element(struct ndjson_parser *parser, bool first)
{
    if (!ndjson_skip_blanks(parser)) return NDJSON_STEP_SYNTAX;
    if (*parser->at == ']') return parser->at++, NDJSON_STEP_END;
    if (first) return NDJSON_STEP_ITEM;
    if (*parser->at != ',') return ndjson_syntax_error(parser, "expected a comma or the end of the array"), NDJSON_STEP_SYNTAX;
    parser->at++;
    return ndjson_skip_blanks(parser) ? NDJSON_STEP_ITEM : NDJSON_STEP_SYNTAX;
}

/* Bytes that Jackson takes in a name without quotes: of those beyond ASCII the ones that, taken for Latin-1, are part
 * of a Java identifier; é (C3 A9) is refused for its second byte. */
bool ndjson_is_name_byte(uint8_t c)
{
    if (c < 0x7f) return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c && strchr("_$@#*+-", c));
    if (c < 0xa0 || c >= 0xc0) return c != 0xd7 && c != 0xf7;
    return (c >= 0xa2 && c <= 0xa5) || c == 0xaa || c == 0xad || c == 0xb5 || c == 0xba;
}

static bool read_bare_name(struct ndjson_parser *parser, struct ndjson_token *token)
{
    const uint8_t *p = parser->at;
    while (ndjson_is_name_byte(*p)) {
        size_t size = *p < 0x80 ? 1 : parser->text_valid ? 1 : sequence_size(p);
        if (!size) return ndjson_syntax_error(parser, "invalid UTF-8");
        p += size;
    }
    if (p == parser->at) return ndjson_syntax_error(parser, "expected a field name");
    return end_token(parser, token, NDJSON_STRING, p);
}

static bool read_name(struct ndjson_parser *parser, struct slice *name)
{
    struct ndjson_token token = {.plain = true};
    uint8_t c = *parser->at;
    if (c == '"' || (c == '\'' && parser->settings->allow_single_quotes)) {
        parser->at++;
        if (!read_string(parser, c, &token)) return false;
    } else if (!parser->settings->allow_unquoted_names) {
        return ndjson_syntax_error(parser, "expected a double quote to start a field name");
    } else if (!read_bare_name(parser, &token)) {
        return false;
    }
    if (!parser->text_valid && !ndjson_name_is_decodable(token.text, token.size)) return ndjson_syntax_error(parser, "invalid UTF-8");
    *name = decoded(&token, &parser->name);
    return true;
}

enum ndjson_step ndjson_next_field(struct ndjson_parser *parser, bool first, struct slice *name)
{
    if (!ndjson_skip_blanks(parser)) return NDJSON_STEP_SYNTAX;
    if (*parser->at == '}') return parser->at++, NDJSON_STEP_END;
    if (!first) {
        if (*parser->at != ',') return ndjson_syntax_error(parser, "expected a comma or the end of the object"), NDJSON_STEP_SYNTAX;
        parser->at++;
        if (!ndjson_skip_blanks(parser)) return NDJSON_STEP_SYNTAX;
    }
    if (!read_name(parser, name) || !ndjson_skip_blanks(parser)) return NDJSON_STEP_SYNTAX;
    if (*parser->at != ':') return ndjson_syntax_error(parser, "expected a colon behind a field name"), NDJSON_STEP_SYNTAX;
    parser->at++;
    return ndjson_skip_blanks(parser) ? NDJSON_STEP_ITEM : NDJSON_STEP_SYNTAX;
}

/* The next item of the innermost open container, or its end. */
static enum ndjson_step step(struct ndjson_parser *parser, bool first)
{
    struct slice name;
    if (parser->levels.data[parser->levels.size - 1] == '[') return ndjson_next_element(parser, first);
    return ndjson_next_field(parser, first, &name);
}

bool ndjson_skip_value(struct ndjson_parser *parser, int64_t depth)
{
    struct ndjson_token token;
    buffer_clear(&parser->levels);
    for (;;) {
        uint8_t c = *parser->at;
        if (!ndjson_read_token(parser, &token)) return false;
        bool opened = token.kind == NDJSON_OBJECT || token.kind == NDJSON_ARRAY;
        if (opened) {
            buffer_byte(&parser->levels, c);
            if (depth + (int64_t)parser->levels.size > parser->settings->depth_max) return ndjson_syntax_error(parser, "nested deeper than maxNestingDepth");
        }
        for (;;) { /* Ends of containers, until there is another value. */
            if (parser->levels.size == 0) return true;
            enum ndjson_step next = step(parser, opened);
            if (next == NDJSON_STEP_SYNTAX) return false;
            if (next == NDJSON_STEP_ITEM) break;
            parser->levels.size--;
            opened = false;
        }
    }
}
