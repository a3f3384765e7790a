/* json_walk -- see the header. What looks odd here is how Jackson's UTF8StreamJsonParser leaves itself after an error. */
#include "formats/json_walk.h"
#include "formats/json_values.h"

#include <string.h>

struct level {
    uint8_t kind;        /* 0: outside; '{' or '['. */
    bool begun;          /* Something was asked for in it: the next item needs a comma. */
    const uint8_t *name; /* The last name in an object, as it stands; NULL: none. */
    size_t name_size;
};

static struct level *level_of(const struct ndjson_walker *walker, size_t above)
{
    return (struct level *)(void *)(walker->levels.data + walker->levels.size) - 1 - above;
}

static size_t level_count(const struct ndjson_walker *walker) { return walker->levels.size / sizeof(struct level); }

static void push(struct ndjson_walker *walker, uint8_t kind)
{
    struct level level = {.kind = kind};
    buffer_append(&walker->levels, &level, sizeof level);
}

void ndjson_walk_begin(struct ndjson_walker *walker, struct ndjson_parser *parser, const uint8_t *at)
{
    *walker = (struct ndjson_walker){.parser = parser, .at = at, .end = parser->end, .start = at};
    push(walker, 0);
}

void ndjson_walk_end(struct ndjson_walker *walker) { buffer_free(&walker->levels); }

void ndjson_walk_copy(const struct ndjson_walker *walker, struct ndjson_walker *copy)
{
    *copy = *walker;
    copy->levels = (struct buffer){0};
    buffer_append(&copy->levels, walker->levels.data, walker->levels.size);
}

static bool fail(struct ndjson_walker *walker, const char *why)
{
    walker->why = why;
    return false;
}

static bool end_of_input(struct ndjson_walker *walker) { return fail(walker, "unexpected end of input"); }

/* Characters -------------------------------------------------------------------------------- */

static bool is_continuation(const struct ndjson_walker *walker, const uint8_t *p) { return p < walker->end && (*p & 0xc0) == 0x80; }

/* The rest of the character whose first byte is before `at`; a byte that does not belong is taken as well. */
static bool take_character(struct ndjson_walker *walker, uint8_t first)
{
    size_t more = (first & 0xe0) == 0xc0 ? 1 : (first & 0xf0) == 0xe0 ? 2 : (first & 0xf8) == 0xf0 ? 3 : 0;
    if (first < 0x80) return true;
    if (!more) return fail(walker, "invalid UTF-8");
    for (; more; more--) {
        bool good = is_continuation(walker, walker->at);
        if (walker->at < walker->end) walker->at++;
        if (!good) return fail(walker, "invalid UTF-8");
    }
    return true;
}

/* The character that ends before `at`, as one UTF-16 unit (of four bytes: the low half of the number). */
static uint32_t character_of(const uint8_t *p)
{
    if (*p < 0x80) return *p;
    if (*p < 0xe0) return (uint32_t)(p[0] & 0x1f) << 6 | (p[1] & 0x3f);
    if (*p < 0xf0) return (uint32_t)(p[0] & 0x0f) << 12 | (uint32_t)(p[1] & 0x3f) << 6 | (p[2] & 0x3f);
    return ((uint32_t)(p[1] & 0x3f) << 12 | (uint32_t)(p[2] & 0x3f) << 6 | (p[3] & 0x3f)) & 0xffff;
}

static bool is_letter_beyond_latin(uint32_t c)
{
    if (c >= 0x2000 && c <= 0x206f) return (c >= 0x200b && c <= 0x200f) || (c >= 0x202a && c <= 0x202e) || c >= 0x2060 || c == 0x203f || c == 0x2040 || c == 0x2054;
    if (c >= 0x2190 && c <= 0x2bff) return false;
    if (c >= 0x3000 && c <= 0x3020) return c >= 0x3005 && c <= 0x3007;
    return c < 0xd800 || c == 0xfeff || (c > 0xf8ff && c < 0xff00) || (c >= 0xff10 && c <= 0xff19) || (c >= 0xff21 && c <= 0xff3a) || (c >= 0xff41 && c <= 0xff5a);
}

/* Java's Character.isJavaIdentifierPart; of the scripts beyond Latin-1 roughly. */
static bool is_identifier_part(uint32_t c)
{
    if (c < 0x80) return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '$' || c <= 8 || (c >= 0x0e && c <= 0x1b) || c == 0x7f;
    if (c < 0xa0 || (c >= 0xc0 && c < 0x100)) return c != 0xd7 && c != 0xf7;
    if (c < 0xc0) return (c >= 0xa2 && c <= 0xa5) || c == 0xaa || c == 0xad || c == 0xb5 || c == 0xba;
    return is_letter_beyond_latin(c);
}

static bool is_identifier_start(uint32_t c)
{
    bool ignorable = c <= 8 || (c >= 0x0e && c <= 0x1b) || (c >= 0x7f && c < 0xa0) || c == 0xad;
    return is_identifier_part(c) && !ignorable && !(c >= '0' && c <= '9');
}

/* A word that is none: what looks like it is passed over, and the character behind it. */
static bool bad_word(struct ndjson_walker *walker)
{
    enum { WORD_MAX = 256 };
    bool keeps_last = walker->parser->settings->charset_given; /* Jackson's parser of characters does not take that one. */
    for (size_t i = 0; i < WORD_MAX && walker->at < walker->end; i++) {
        const uint8_t *p = walker->at++;
        if (!take_character(walker, *p)) return false;
        if (is_identifier_part(character_of(p))) continue;
        if (keeps_last) walker->at = p;
        break;
    }
    return fail(walker, "unrecognized token");
}

/* Blanks ------------------------------------------------------------------------------------ */

static bool skip_line(struct ndjson_walker *walker)
{
    while (walker->at < walker->end) {
        uint8_t c = *walker->at++;
        if (c == '\n' || c == '\r') break;
        if (!take_character(walker, c)) return false;
    }
    return true;
}

static bool skip_comment(struct ndjson_walker *walker)
{
    if (!walker->parser->settings->allow_comments) return fail(walker, "unexpected character '/'");
    if (walker->at >= walker->end) return end_of_input(walker);
    uint8_t c = *walker->at++;
    if (c == '/') return skip_line(walker);
    if (c != '*') return fail(walker, "unexpected character in place of a comment");
    while (walker->at < walker->end) {
        c = *walker->at++;
        if (c == '*' && walker->at < walker->end && *walker->at == '/') {
            walker->at++;
            return true;
        }
        if (!take_character(walker, c)) return false;
    }
    return fail(walker, "unfinished comment");
}

enum blank { BLANK_FOUND, BLANK_END, BLANK_BAD };

/* Where an encoding is named Jackson reads characters, not bytes: the rest of the one whose first byte was taken. */
static void take_rest(struct ndjson_walker *walker)
{
    if (!walker->parser->settings->charset_given) return;
    while (is_continuation(walker, walker->at)) walker->at++;
}

/* The first byte that is no blank, which is taken. */
static enum blank skip_blanks(struct ndjson_walker *walker, uint8_t *c)
{
    while (walker->at < walker->end) {
        walker->last = walker->at++;
        *c = *walker->last;
        if (*c == '/') {
            if (!skip_comment(walker)) return BLANK_BAD;
        } else if (*c > ' ') {
            take_rest(walker);
            return BLANK_FOUND;
        } else if (*c != ' ' && *c != '\t' && *c != '\n' && *c != '\r') {
            (void)fail(walker, "unexpected control character");
            return BLANK_BAD;
        }
    }
    return BLANK_END;
}

/* The same where something has to come. */
static bool next_byte(struct ndjson_walker *walker, uint8_t *c)
{
    enum blank blank = skip_blanks(walker, c);
    return blank == BLANK_FOUND || (blank == BLANK_END && end_of_input(walker));
}

/* Strings ----------------------------------------------------------------------------------- */

static bool take_escape(struct ndjson_walker *walker)
{
    const struct ndjson_settings *settings = walker->parser->settings;
    if (walker->at >= walker->end) return end_of_input(walker);
    uint8_t c = *walker->at++;
    if (c == 'u') {
        for (int i = 0; i < 4; i++) {
            if (walker->at >= walker->end) return end_of_input(walker);
            if (ndjson_hex(*walker->at++) < 0) return fail(walker, "expected a hex digit");
        }
        return true;
    }
    if (c && strchr("\"\\/bfnrt", c)) return true;
    if (!take_character(walker, c)) return false;
    if (settings->allow_backslash_any || (c == '\'' && settings->allow_single_quotes)) return true;
    return fail(walker, "unrecognized character escape");
}

/* From behind the opening quote to behind the closing one. In names only the quotes matter yet. */
static bool take_string(struct ndjson_walker *walker, uint8_t quote, bool is_name, struct slice *text)
{
    const uint8_t *start = walker->at;
    for (;;) {
        if (walker->at >= walker->end) return end_of_input(walker);
        uint8_t c = *walker->at++;
        if (c == quote) break;
        if (c == '\\') {
            if (!take_escape(walker)) return false;
        } else if (c < 0x20) {
            if (!walker->parser->settings->allow_control_chars) return fail(walker, "unescaped control character in a string");
        } else if (c >= 0x80 && !is_name && !take_character(walker, c)) {
            return false;
        }
    }
    *text = slice_of(start, (size_t)(walker->at - 1 - start));
    if (!is_name && (int64_t)text->size > walker->parser->settings->string_size_max) return fail(walker, "string longer than maxStringLen");
    return true;
}

bool ndjson_walk_close_string(struct ndjson_walker *walker)
{
    if (!walker->string_open) return true;
    walker->string_open = false;
    walker->text = (struct slice){0};
    return take_string(walker, '"', false, &walker->text);
}

/* Words and numbers ------------------------------------------------------------------------- */

/* The rest of a word of which `known` letters have been seen. */
static bool take_word(struct ndjson_walker *walker, const char *word, size_t known, enum ndjson_walk *token, enum ndjson_walk kind)
{
    for (const char *p = word + known; *p; p++) {
        if (walker->at >= walker->end || *walker->at != (uint8_t)*p) return bad_word(walker);
        walker->at++;
    }
    *token = kind;
    if (walker->at >= walker->end) return true;
    const uint8_t *p = walker->at;
    if (*p < '0' || *p == ']' || *p == '}') return true;
    if (*p < 0x80) return !is_identifier_part(*p) || bad_word(walker);
    if (walker->parser->settings->charset_given) return !is_identifier_part(character_of(p)) || bad_word(walker);
    walker->at += (*p & 0xc0) == 0xc0 && *p < 0xf8; /* Taken for the second byte of itself. */
    return fail(walker, "invalid UTF-8");
}

static bool take_number_word(struct ndjson_walker *walker, const char *word, size_t known, enum ndjson_walk *token)
{
    if (!take_word(walker, word, known, token, WALK_FLOAT)) return false;
    return walker->parser->settings->allow_nonnumeric || fail(walker, "words for numbers are not allowed");
}

/* `c`, which was taken, follows a sign and is no digit. */
static bool take_signed_word(struct ndjson_walker *walker, uint8_t c, bool negative, enum ndjson_walk *token)
{
    if (c != 'I') return fail(walker, "expected a digit behind the sign");
    if (walker->at >= walker->end) return end_of_input(walker);
    c = *walker->at++;
    if (c == 'N') return take_number_word(walker, negative ? "-INF" : "+INF", 3, token);
    if (c == 'n') return take_number_word(walker, negative ? "-Infinity" : "+Infinity", 3, token);
    return fail(walker, "expected a digit behind the sign");
}

static bool is_digit(uint8_t c) { return c >= '0' && c <= '9'; }

static size_t take_digits(struct ndjson_walker *walker)
{
    const uint8_t *start = walker->at;
    while (walker->at < walker->end && is_digit(*walker->at)) walker->at++;
    return (size_t)(walker->at - start);
}

/* Nothing but digits may stand here; the byte that is none is taken. */
static bool need_digits(struct ndjson_walker *walker, size_t *digits)
{
    size_t count = take_digits(walker);
    *digits += count;
    if (count) return true;
    if (walker->at >= walker->end) return end_of_input(walker);
    walker->at++;
    take_rest(walker);
    return fail(walker, "expected a digit");
}

/* The first digit has been taken. */
static bool take_number(struct ndjson_walker *walker, uint8_t first, enum ndjson_walk *token)
{
    size_t digits = 1;
    *token = WALK_INTEGER;
    if (first == '0' && walker->at < walker->end && is_digit(*walker->at)) {
        if (!walker->parser->settings->allow_leading_zeros) return fail(walker, "leading zeroes not allowed");
        while (walker->at < walker->end && *walker->at == '0') walker->at++;
        digits = 0;
    }
    digits += take_digits(walker);
    if (walker->at < walker->end && *walker->at == '.') {
        walker->at++;
        *token = WALK_FLOAT;
        if (!need_digits(walker, &digits)) return false;
    }
    if (walker->at < walker->end && (*walker->at | 0x20) == 'e') {
        walker->at++;
        *token = WALK_FLOAT;
        if (walker->at < walker->end && (*walker->at == '+' || *walker->at == '-')) walker->at++;
        if (!need_digits(walker, &digits)) return false;
    }
    return (int64_t)digits <= walker->parser->settings->number_size_max || fail(walker, "number longer than maxNumLen");
}

static bool take_negative(struct ndjson_walker *walker, enum ndjson_walk *token)
{
    if (walker->at >= walker->end) return end_of_input(walker);
    uint8_t c = *walker->at++;
    return is_digit(c) ? take_number(walker, c, token) : take_signed_word(walker, c, true, token);
}

/* Values ------------------------------------------------------------------------------------ */

static bool odd_value(struct ndjson_walker *walker, uint8_t c, enum ndjson_walk *token)
{
    switch (c) {
    case ']': case '}': case ',': return fail(walker, "expected a value");
    case '\'':
        if (!walker->parser->settings->allow_single_quotes) break;
        *token = WALK_STRING;
        walker->string_open = false;
        return take_string(walker, '\'', false, &walker->text);
    case 'N': return take_number_word(walker, "NaN", 1, token);
    case 'I': return take_number_word(walker, "Infinity", 1, token);
    case '+':
        if (walker->at >= walker->end) return end_of_input(walker);
        c = *walker->at++;
        return take_signed_word(walker, c, false, token);
    default: break;
    }
    bool whole = c >= 0x80 && walker->parser->settings->charset_given;
    return is_identifier_start(whole ? character_of(walker->start) : c) ? bad_word(walker) : fail(walker, "unexpected character in place of a value");
}

/* The value whose first byte `c` was taken, or the opening bracket. A string in double quotes stays open. */
static bool take_value(struct ndjson_walker *walker, uint8_t c, enum ndjson_walk *token)
{
    const uint8_t *start = walker->start = walker->last;
    bool good;
    *token = WALK_STRING;
    switch (c) {
    case '"': return walker->string_open = true;
    case '{': return *token = WALK_OBJECT, true;
    case '[': return *token = WALK_ARRAY, true;
    case 't': good = take_word(walker, "true", 1, token, WALK_TRUE); break;
    case 'f': good = take_word(walker, "false", 1, token, WALK_FALSE); break;
    case 'n': good = take_word(walker, "null", 1, token, WALK_NULL); break;
    case '-': good = take_negative(walker, token); break;
    default: good = is_digit(c) ? take_number(walker, c, token) : odd_value(walker, c, token); break;
    }
    if (good && *token != WALK_STRING) walker->text = slice_of(start, (size_t)(walker->at - start));
    return good;
}

/* Names ------------------------------------------------------------------------------------- */

static bool take_bare_name(struct ndjson_walker *walker, struct slice *name)
{
    const uint8_t *start = walker->last;
    if (!walker->parser->settings->allow_unquoted_names) return walker->at > start + 1 || take_character(walker, *start) ? fail(walker, "expected a double quote to start a field name") : false;
    if (!ndjson_is_name_byte(*start)) return fail(walker, "expected a field name");
    while (walker->at < walker->end && ndjson_is_name_byte(*walker->at)) walker->at++;
    if (walker->at >= walker->end) return end_of_input(walker);
    *name = slice_of(start, (size_t)(walker->at - start));
    return true;
}

static bool take_name(struct ndjson_walker *walker, uint8_t c)
{
    struct slice name;
    bool quoted = c == '"' || (c == '\'' && walker->parser->settings->allow_single_quotes);
    if (!(quoted ? take_string(walker, c, true, &name) : take_bare_name(walker, &name))) return false;
    if (!ndjson_name_is_decodable(name.data, name.size)) return fail(walker, "invalid UTF-8");
    level_of(walker, 0)->name = name.data;
    level_of(walker, 0)->name_size = name.size;
    return true;
}

static bool take_colon(struct ndjson_walker *walker)
{
    uint8_t c;
    if (!next_byte(walker, &c)) return false;
    return c == ':' || fail(walker, "expected a colon behind a field name");
}

bool ndjson_walk_name(struct ndjson_walker *walker, struct slice *name)
{
    bool opened = walker->token == WALK_OBJECT || walker->token == WALK_ARRAY;
    const struct level *level = level_of(walker, opened && level_count(walker) > 1);
    if (!level->name) return false;
    struct buffer *into = &walker->parser->name;
    buffer_clear(into);
    uint8_t *out = buffer_reserve(into, level->name_size + 16);
    into->size = ndjson_decode(level->name, level->name_size, out);
    memset(out + into->size, 0, 8);
    *name = slice_of(out, into->size);
    return true;
}

/* Steps ------------------------------------------------------------------------------------- */

static bool enter(struct ndjson_walker *walker, enum ndjson_walk token)
{
    if (token == WALK_OBJECT || token == WALK_ARRAY) {
        push(walker, token == WALK_OBJECT ? '{' : '[');
        if ((int64_t)level_count(walker) - 1 > walker->parser->settings->depth_max) return fail(walker, "nested deeper than maxNestingDepth");
    }
    walker->token = token;
    return true;
}

static bool close_level(struct ndjson_walker *walker, uint8_t open, enum ndjson_walk token)
{
    walker->start = walker->last;
    if (level_of(walker, 0)->kind != open) return fail(walker, "a closing bracket of the wrong kind");
    walker->levels.size -= sizeof(struct level);
    walker->token = token;
    return true;
}

/* The name, and the beginning of its value. Once there is a name, a bad value does not undo it. */
static bool next_field(struct ndjson_walker *walker, uint8_t c)
{
    if (!take_name(walker, c)) return false;
    walker->token = WALK_NAME;
    walker->behind_name = WALK_NONE;
    enum ndjson_walk value;
    if (!take_colon(walker) || !next_byte(walker, &c) || !take_value(walker, c, &value)) return false;
    walker->behind_name = value;
    return true;
}

bool ndjson_walk_next(struct ndjson_walker *walker)
{
    uint8_t c;
    enum ndjson_walk value;
    if (walker->token == WALK_NAME) {
        value = walker->behind_name;
        walker->behind_name = WALK_NONE;
        return enter(walker, value);
    }
    if (!ndjson_walk_close_string(walker)) return false;
    struct level *level = level_of(walker, 0);
    enum blank blank = skip_blanks(walker, &c);
    if (blank == BLANK_BAD) return false;
    if (blank == BLANK_END) {
        if (level->kind) return end_of_input(walker);
        walker->token = WALK_NONE;
        return true;
    }
    if (c == ']') return close_level(walker, '[', WALK_ARRAY_END);
    if (c == '}') return close_level(walker, '{', WALK_OBJECT_END);
    bool begun = level->begun;
    level->begun = true;
    if (level->kind && begun) {
        if (c != ',') return fail(walker, "expected a comma");
        if (!next_byte(walker, &c)) return false;
    }
    if (level->kind == '{') return next_field(walker, c);
    return take_value(walker, c, &value) && enter(walker, value);
}

bool ndjson_walk_skip_children(struct ndjson_walker *walker)
{
    size_t open = 1;
    if (walker->token != WALK_OBJECT && walker->token != WALK_ARRAY) return true;
    while (open) {
        if (!ndjson_walk_next(walker)) return false;
        if (walker->token == WALK_NONE) return level_of(walker, 0)->kind == 0 || end_of_input(walker);
        if (walker->token == WALK_OBJECT || walker->token == WALK_ARRAY) open++;
        if (walker->token == WALK_OBJECT_END || walker->token == WALK_ARRAY_END) open--;
    }
    return true;
}

/* Base64 ------------------------------------------------------------------------------------ */

/* An open string is decoded as it is read: from where it is bad on, the rest of it is still to be passed over. */
static enum ndjson_base64 decode_open(struct ndjson_walker *walker, const uint8_t *quote, struct buffer *out)
{
    const uint8_t *stop = walker->at;
    uint8_t *bytes = buffer_reserve(out, (size_t)(quote - walker->at) + 4);
    enum ndjson_base64 result = ndjson_base64_until(walker->at, (size_t)(quote - walker->at), bytes, &out->size, &stop);
    if (result == NDJSON_BASE64_OVERRUN && stop < quote) result = NDJSON_BASE64_BAD;
    walker->at = result == NDJSON_BASE64_BAD ? stop : quote + 1;
    walker->string_open = result != NDJSON_BASE64_GOOD;
    if (result == NDJSON_BASE64_OVERRUN) (void)fail(walker, "unfinished base64");
    return result;
}

enum ndjson_base64 ndjson_walk_base64(struct ndjson_walker *walker, struct buffer *out)
{
    size_t left = (size_t)(walker->end - walker->at);
    const uint8_t *quote = memchr(walker->at, '"', left), *escape = memchr(walker->at, '\\', left);
    buffer_clear(out);
    if (walker->string_open && quote && (!escape || escape > quote)) return decode_open(walker, quote, out);
    if (!ndjson_walk_close_string(walker)) return NDJSON_BASE64_OVERRUN;
    struct buffer *scratch = &walker->parser->scratch;
    buffer_clear(scratch);
    uint8_t *text = buffer_reserve(scratch, walker->text.size + 16), *bytes = buffer_reserve(out, walker->text.size + 4);
    enum ndjson_base64 result = ndjson_base64(text, ndjson_decode(walker->text.data, walker->text.size, text), bytes, &out->size);
    return result == NDJSON_BASE64_OVERRUN ? NDJSON_BASE64_BAD : result;
}
