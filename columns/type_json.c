/* type_json -- schemas in Spark's JSON form (format-semantics 2.2).
 *
 * A parser of its own, since a type of 1,000 levels takes 3,000 levels of JSON. Keys come in any order: an object's
 * members are noted first (where their values lie in the text), then taken by name. */
#include "base/tree.h"
#include "base/utf8.h"
#include "columns/type.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct json_text {
    struct arena *arena;
    const char *start, *end;
    int depth;
    struct error *err;
};

/* Values of the keys that some kind of object has; NULL: not there. */
struct members {
    const char *type, *fields, *name, *nullable, *metadata;
    const char *element_type, *contains_null, *key_type, *value_type, *value_contains_null;
};

static bool refuse(struct json_text *json, const char *at, const char *what)
{
    size_t offset = at ? (size_t)(at - json->start) : 0;
    return error_set(json->err, COND_INVALID_JSON_DATA_TYPE,
                     "failed to convert the JSON text of a schema to a data type: %s at byte %zu", what, offset);
}

/* ---- walking over JSON ------------------------------------------------------------------------- */

static const char *skip_blanks(const struct json_text *json, const char *p)
{
    while (p < json->end && (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r')) p++;
    return p;
}

static const char *skip_string(struct json_text *json, const char *p)
{
    const char *start = p;
    for (p++; p < json->end && *p != '"'; p++) {
        if ((unsigned char)*p < 0x20) return refuse(json, p, "a control character in a string"), NULL;
        if (*p == '\\' && ++p == json->end) break;
    }
    return p < json->end ? p + 1 : (refuse(json, start, "a string that does not end"), NULL);
}

static const char *skip_word(struct json_text *json, const char *p)
{
    const char *start = p;
    while (p < json->end && (((*p | 0x20) >= 'a' && (*p | 0x20) <= 'z') || (*p >= '0' && *p <= '9') || *p == '+' ||
                             *p == '-' || *p == '.'))
        p++;
    return p > start ? p : (refuse(json, p, "an unexpected character"), NULL);
}

/* Past one value of any kind, by counting brackets: strings are the only place where they do not count. Shapes
 * (commas, colons) are checked where a value is taken apart. */
static const char *skip_value(struct json_text *json, const char *p)
{
    const char *start = p = skip_blanks(json, p);
    int64_t open = 0;
    do {
        p = skip_blanks(json, p);
        if (p == json->end) return refuse(json, start, "a value that does not end"), NULL;
        if (*p == '"') p = skip_string(json, p);
        else if (*p == '{' || *p == '[') open++, p++;
        else if (*p == '}' || *p == ']') {
            if (!open) return refuse(json, p, "a value is missing"), NULL;
            open--, p++;
        } else if ((*p == ',' || *p == ':') && open) p++;
        else p = skip_word(json, p);
    } while (p && open);
    return p;
}

static const char *expect(struct json_text *json, const char *p, char sign)
{
    p = skip_blanks(json, p);
    char what[] = "an expected ' '";
    what[13] = sign;
    if (p < json->end && *p == sign) return p + 1;
    return refuse(json, p, what), NULL;
}

static bool at(const struct json_text *json, const char *p, char sign)
{
    p = skip_blanks(json, p);
    return p < json->end && *p == sign;
}

/* ---- strings ----------------------------------------------------------------------------------- */

static int hex4(const char *p, const char *end)
{
    int value = 0;
    if (end - p < 4) return -1;
    for (int i = 0; i < 4; i++) {
        char lower = (char)(p[i] | 0x20);
        int digit = p[i] >= '0' && p[i] <= '9' ? p[i] - '0' : lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
        if (digit < 0) return -1;
        value = value << 4 | digit;
    }
    return value;
}

static void append_point(struct buffer *out, uint32_t point)
{
    if (point < 0x80) {
        buffer_byte(out, (uint8_t)point);
    } else if (point < 0x800) {
        buffer_byte(out, (uint8_t)(0xC0 | point >> 6));
        buffer_byte(out, (uint8_t)(0x80 | (point & 0x3F)));
    } else if (point < 0x10000) {
        buffer_byte(out, (uint8_t)(0xE0 | point >> 12));
        buffer_byte(out, (uint8_t)(0x80 | (point >> 6 & 0x3F)));
        buffer_byte(out, (uint8_t)(0x80 | (point & 0x3F)));
    } else {
        buffer_byte(out, (uint8_t)(0xF0 | point >> 18));
        buffer_byte(out, (uint8_t)(0x80 | (point >> 12 & 0x3F)));
        buffer_byte(out, (uint8_t)(0x80 | (point >> 6 & 0x3F)));
        buffer_byte(out, (uint8_t)(0x80 | (point & 0x3F)));
    }
}

/* One escape behind its backslash; returns the place behind it, NULL where it is none. */
static const char *decode_escape(const char *p, const char *end, struct buffer *out)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    const char *found = *p ? strchr(from, *p) : NULL;
    if (found) {
        buffer_byte(out, (uint8_t)to[found - from]);
        return p + 1;
    }
    int unit = *p == 'u' ? hex4(p + 1, end) : -1;
    if (unit < 0) return NULL;
    p += 5;
    uint32_t point = (uint32_t)unit;
    if (point >= 0xD800 && point < 0xDC00 && end - p >= 6 && p[0] == '\\' && p[1] == 'u') {
        int low = hex4(p + 2, end);
        if (low >= 0xDC00 && low < 0xE000) {
            point = 0x10000 + ((point - 0xD800) << 10) + ((uint32_t)low - 0xDC00);
            p += 6;
        }
    }
    append_point(out, point >= 0xD800 && point < 0xE000 ? '?' : point); /* Java writes a lone surrogate so. */
    return p;
}

/* The string at `p`, decoded into the arena; *size without the NUL. */
static const char *take_string(struct json_text *json, const char *p, size_t *size)
{
    p = skip_blanks(json, p);
    if (p == json->end || *p != '"') return refuse(json, p, "a string was expected"), NULL;
    const char *end = skip_string(json, p);
    if (!end) return NULL;
    struct buffer out = {0};
    const char *q = p + 1, *text = NULL;
    while (q && q < end - 1) {
        if (*q == '\\') q = decode_escape(q + 1, end - 1, &out);
        else buffer_byte(&out, (uint8_t)*q++);
    }
    if (q && (!out.size || !memchr(out.data, 0, out.size)))
        text = arena_strndup(json->arena, out.size ? (const char *)out.data : "", out.size);
    else refuse(json, p, "a string that holds what it cannot");
    *size = out.size;
    buffer_free(&out);
    return text;
}

static bool take_bool(struct json_text *json, const char *p, bool *out)
{
    p = skip_blanks(json, p);
    size_t left = (size_t)(json->end - p);
    *out = left >= 4 && memcmp(p, "true", 4) == 0;
    return *out || (left >= 5 && memcmp(p, "false", 5) == 0) || refuse(json, p, "true or false was expected");
}

/* ---- types ------------------------------------------------------------------------------------- */

static const char **member_of(struct members *members, const char *key)
{
    const struct { const char *name; const char **slot; } known[] = {
        {"type", &members->type},                {"fields", &members->fields},
        {"name", &members->name},                {"nullable", &members->nullable},
        {"metadata", &members->metadata},        {"elementType", &members->element_type},
        {"containsNull", &members->contains_null}, {"keyType", &members->key_type},
        {"valueType", &members->value_type},     {"valueContainsNull", &members->value_contains_null},
    };
    for (size_t i = 0; i < COUNTOF(known); i++)
        if (strcmp(known[i].name, key) == 0) return known[i].slot;
    return NULL;
}

/* The members of the object at `p`; unknown ones are passed over. */
static bool take_members(struct json_text *json, const char *p, struct members *members)
{
    memset(members, 0, sizeof *members);
    if (!(p = expect(json, p, '{'))) return false;
    if (at(json, p, '}')) return true;
    for (;;) {
        size_t size;
        const char *key = take_string(json, p, &size);
        if (!key || !(p = skip_string(json, skip_blanks(json, p))) || !(p = expect(json, p, ':'))) return false;
        const char **slot = member_of(members, key);
        if (slot) *slot = skip_blanks(json, p);
        if (!(p = skip_value(json, p))) return false;
        if (at(json, p, '}')) return true;
        if (!(p = expect(json, p, ','))) return false;
    }
}

static const struct type *parse_type(struct json_text *json, const char *p);

static bool parse_flag(struct json_text *json, const char *p, bool *out)
{
    *out = true;
    return !p || take_bool(json, p, out);
}

/* Kept as it is written; null and {} are none. */
static bool take_metadata(struct json_text *json, const char *p, struct field *field)
{
    const char *end = skip_value(json, p);
    if (!end) return false;
    struct tree *tree = tree_parse_json(json->arena, slice_of(p, (size_t)(end - p)), NULL);
    if (!tree || (tree->kind != TREE_MAP && tree->kind != TREE_NULL))
        return refuse(json, p, "metadata that is not an object");
    if (tree->count) field->metadata_json = arena_strndup(json->arena, p, (size_t)(end - p));
    return true;
}

static bool parse_field(struct json_text *json, const char *p, struct field *field)
{
    struct members members;
    if (!take_members(json, p, &members)) return false;
    if (!members.name || !members.type) return refuse(json, p, "a field needs a name and a type");
    *field = (struct field){0};
    if (!(field->name = take_string(json, members.name, &field->name_size))) return false;
    if (!(field->type = parse_type(json, members.type))) return false;
    if (!parse_flag(json, members.nullable, &field->nullable)) return false;
    return !members.metadata || take_metadata(json, members.metadata, field);
}

static const struct type *parse_struct(struct json_text *json, const struct members *members)
{
    if (!members->fields) return refuse(json, members->type, "a struct needs fields"), NULL;
    const char *p = expect(json, members->fields, '[');
    struct buffer fields = {0};
    const struct type *type = NULL;
    bool more = p && !at(json, p, ']');
    while (p && more) {
        struct field field;
        if (!parse_field(json, p, &field) || !(p = skip_value(json, p))) goto fail;
        buffer_append(&fields, &field, sizeof field);
        more = at(json, p, ',');
        if (more) p = expect(json, p, ',');
    }
    if (p && expect(json, p, ']'))
        type = type_struct(json->arena, (const struct field *)(const void *)fields.data,
                           fields.size / sizeof(struct field));
fail:
    buffer_free(&fields);
    return type;
}

static const struct type *parse_array(struct json_text *json, const struct members *members)
{
    bool contains_null;
    if (!members->element_type) return refuse(json, members->type, "an array needs an elementType"), NULL;
    const struct type *element = parse_type(json, members->element_type);
    if (!element || !parse_flag(json, members->contains_null, &contains_null)) return NULL;
    return type_array(json->arena, element, contains_null);
}

static const struct type *parse_map(struct json_text *json, const struct members *members)
{
    bool contains_null;
    if (!members->key_type || !members->value_type)
        return refuse(json, members->type, "a map needs a keyType and a valueType"), NULL;
    const struct type *key = parse_type(json, members->key_type);
    const struct type *value = key ? parse_type(json, members->value_type) : NULL;
    if (!value || !parse_flag(json, members->value_contains_null, &contains_null)) return NULL;
    return type_map(json->arena, key, value, contains_null);
}

static const struct type *parse_object(struct json_text *json, const char *p)
{
    struct members members;
    size_t size;
    if (!take_members(json, p, &members)) return NULL;
    if (!members.type) return refuse(json, p, "an object without a type"), NULL;
    const char *kind = take_string(json, members.type, &size);
    if (!kind) return NULL;
    if (strcmp(kind, "struct") == 0) return parse_struct(json, &members);
    if (strcmp(kind, "array") == 0) return parse_array(json, &members);
    if (strcmp(kind, "map") == 0) return parse_map(json, &members);
    if (strcmp(kind, "udt") == 0)
        return error_set(json->err, COND_INLET_NOT_SUPPORTED_YET,
                         "user-defined types in a schema are not supported"), NULL;
    return refuse(json, members.type, "a type that is none of struct, array, map"), NULL;
}

static const char *const json_names[] = {
    [TYPE_BOOLEAN] = "boolean", [TYPE_TINYINT] = "byte",  [TYPE_SMALLINT] = "short",      [TYPE_INT] = "integer",
    [TYPE_BIGINT] = "long",     [TYPE_FLOAT] = "float",   [TYPE_DOUBLE] = "double",       [TYPE_DECIMAL] = "decimal",
    [TYPE_STRING] = "string",   [TYPE_BINARY] = "binary", [TYPE_DATE] = "date",
    [TYPE_TIMESTAMP] = "timestamp",
    [TYPE_TIMESTAMP_NTZ] = "timestamp_ntz", [TYPE_ARRAY] = "array", [TYPE_MAP] = "map", [TYPE_STRUCT] = "struct",
    [TYPE_VOID] = "void",
};

/* decimal(p,s), blanks allowed. */
static const struct type *parse_decimal(struct json_text *json, const char *p, const char *word)
{
    int precision, scale, used = -1;
    bool is_decimal = strlen(word) < 24 && sscanf(word, "decimal ( %d , %d )%n", &precision, &scale, &used) == 2 &&
        used == (int)strlen(word);
    if (!is_decimal || precision < 1 || precision > 38 || scale < 0 || scale > precision)
        return refuse(json, p, "a decimal that is not decimal(p,s) with p up to 38"), NULL;
    return type_decimal(json->arena, precision, scale);
}

static const struct type *parse_word(struct json_text *json, const char *p)
{
    size_t size;
    const char *word = take_string(json, p, &size);
    if (!word) return NULL;
    for (int kind = 0; kind <= TYPE_VOID; kind++) {
        bool has_word = kind != TYPE_DECIMAL && kind != TYPE_ARRAY && kind != TYPE_MAP && kind != TYPE_STRUCT;
        if (has_word && strcmp(json_names[kind], word) == 0) return type_primitive((enum type_kind)kind);
    }
    if (strcmp(word, "null") == 0) return type_primitive(TYPE_VOID);
    if (strcmp(word, "decimal") == 0) return type_decimal(json->arena, 10, 0);
    if (strncmp(word, "decimal", 7) == 0) return parse_decimal(json, p, word);
    if (strncmp(word, "char", 4) == 0 || strncmp(word, "varchar", 7) == 0)
        return error_set(json->err, COND_UNSUPPORTED_CHAR_OR_VARCHAR,
                         "the char/varchar type cannot be used in a schema. Use string instead"), NULL;
    if (strncmp(word, "time(", 5) == 0)
        return error_set(json->err, COND_UNSUPPORTED_TIME_TYPE, "the data type TIME is not supported"), NULL;
    if (strcmp(word, "variant") == 0 || strncmp(word, "interval", 8) == 0)
        return error_set(json->err, COND_INLET_NOT_SUPPORTED_YET, "type %s is not supported yet", word), NULL;
    return refuse(json, p, arena_printf(json->arena, "the unknown type '%.100s'", word)), NULL;
}

static const struct type *parse_type(struct json_text *json, const char *p)
{
    if (json->depth > TYPE_DEPTH_MAX)
        return error_set(json->err, COND_TOO_COMPLEX, "the type is nested more than 1,000 levels deep"), NULL;
    json->depth++;
    const struct type *type = at(json, p, '{') ? parse_object(json, p) : parse_word(json, p);
    json->depth--;
    return type;
}

const struct type *type_parse_json(struct arena *arena, struct slice text, struct error *err)
{
    const char *start = text.size ? (const char *)text.data : "";
    struct json_text json = {.arena = arena, .start = start, .end = start + text.size, .err = err};
    if (!utf8_valid((const uint8_t *)start, text.size)) return refuse(&json, NULL, "text that is not valid UTF-8"), NULL;
    const struct type *type = parse_type(&json, start);
    if (!type) return NULL;
    const char *end = skip_value(&json, start);
    if (!end) return NULL;
    if (skip_blanks(&json, end) != json.end) return refuse(&json, end, "text behind the type"), NULL;
    return type;
}

/* ---- printing ---------------------------------------------------------------------------------- */

static void print_flag(struct buffer *out, const char *key, bool value)
{
    buffer_printf(out, ",\"%s\":%s", key, value ? "true" : "false");
}

static void print_struct(const struct type *type, struct buffer *out)
{
    buffer_text(out, "{\"type\":\"struct\",\"fields\":[");
    for (size_t i = 0; i < type->field_count; i++) {
        const struct field *field = &type->fields[i];
        buffer_text(out, i ? ",{\"name\":" : "{\"name\":");
        buffer_json_string(out, field->name, field->name_size);
        buffer_text(out, ",\"type\":");
        type_print_json(field->type, out);
        print_flag(out, "nullable", field->nullable);
        buffer_printf(out, ",\"metadata\":%s}", field->metadata_json ? field->metadata_json : "{}");
    }
    buffer_text(out, "]}");
}

void type_print_json(const struct type *type, struct buffer *out)
{
    switch (type->kind) {
    case TYPE_STRUCT:
        print_struct(type, out);
        return;
    case TYPE_ARRAY:
        buffer_text(out, "{\"type\":\"array\",\"elementType\":");
        type_print_json(type->fields[0].type, out);
        print_flag(out, "containsNull", type->fields[0].nullable);
        buffer_byte(out, '}');
        return;
    case TYPE_MAP:
        buffer_text(out, "{\"type\":\"map\",\"keyType\":");
        type_print_json(type->fields[0].type, out);
        buffer_text(out, ",\"valueType\":");
        type_print_json(type->fields[1].type, out);
        print_flag(out, "valueContainsNull", type->fields[1].nullable);
        buffer_byte(out, '}');
        return;
    case TYPE_DECIMAL:
        buffer_printf(out, "\"decimal(%d,%d)\"", type->precision, type->scale);
        return;
    default:
        buffer_printf(out, "\"%s\"", json_names[type->kind]);
    }
}
