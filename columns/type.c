/* type -- making, comparing and measuring types. Spellings are in type_ddl.c and type_json.c.
 *
 * Recursion is safe everywhere: the parsers bound nesting to TYPE_DEPTH_MAX. */
#include "columns/type.h"

#include <string.h>
#include <strings.h>

static const struct type primitives[] = {
    [TYPE_BOOLEAN] = {.kind = TYPE_BOOLEAN},   [TYPE_TINYINT] = {.kind = TYPE_TINYINT},
    [TYPE_SMALLINT] = {.kind = TYPE_SMALLINT}, [TYPE_INT] = {.kind = TYPE_INT},
    [TYPE_BIGINT] = {.kind = TYPE_BIGINT},     [TYPE_FLOAT] = {.kind = TYPE_FLOAT},
    [TYPE_DOUBLE] = {.kind = TYPE_DOUBLE},     [TYPE_STRING] = {.kind = TYPE_STRING},
    [TYPE_BINARY] = {.kind = TYPE_BINARY},     [TYPE_DATE] = {.kind = TYPE_DATE},
    [TYPE_TIMESTAMP] = {.kind = TYPE_TIMESTAMP}, [TYPE_TIMESTAMP_NTZ] = {.kind = TYPE_TIMESTAMP_NTZ},
    [TYPE_VOID] = {.kind = TYPE_VOID},
};

const struct type *type_primitive(enum type_kind kind)
{
    return &primitives[kind];
}

const struct type *type_decimal(struct arena *arena, int precision, int scale)
{
    struct type *type = ARENA_NEW(arena, struct type);
    *type = (struct type){.kind = TYPE_DECIMAL, .precision = precision, .scale = scale};
    return type;
}

static struct field child_field(const char *name, const struct type *type, bool nullable)
{
    return (struct field){.name = name, .name_size = strlen(name), .type = type, .nullable = nullable};
}

const struct type *type_array(struct arena *arena, const struct type *element, bool contains_null)
{
    struct type *type = ARENA_NEW(arena, struct type);
    type->kind = TYPE_ARRAY;
    type->field_count = 1;
    type->fields = ARENA_NEW(arena, struct field);
    type->fields[0] = child_field("element", element, contains_null);
    return type;
}

const struct type *type_map(struct arena *arena, const struct type *key, const struct type *value,
                            bool value_contains_null)
{
    struct type *type = ARENA_NEW(arena, struct type);
    type->kind = TYPE_MAP;
    type->field_count = 2;
    type->fields = ARENA_ARRAY(arena, struct field, 2);
    type->fields[0] = child_field("key", key, false);
    type->fields[1] = child_field("value", value, value_contains_null);
    return type;
}

static const char *copy_name(struct arena *arena, const struct field *field)
{
    return arena_strndup(arena, field->name, field->name_size);
}

const struct type *type_struct(struct arena *arena, const struct field *fields, size_t count)
{
    struct type *type = ARENA_NEW(arena, struct type);
    type->kind = TYPE_STRUCT;
    type->field_count = count;
    type->fields = ARENA_ARRAY(arena, struct field, count);
    for (size_t i = 0; i < count; i++) {
        type->fields[i] = fields[i];
        type->fields[i].name = copy_name(arena, &fields[i]);
        if (fields[i].metadata_json) type->fields[i].metadata_json = arena_strdup(arena, fields[i].metadata_json);
    }
    return type;
}

static const struct type *copy(struct arena *arena, const struct type *type, bool all_nullable)
{
    if (type->kind != TYPE_DECIMAL && !type_is_nested(type)) return type_primitive(type->kind);
    struct type *result = ARENA_NEW(arena, struct type);
    *result = *type;
    if (!type_is_nested(type)) return result;
    result->fields = ARENA_ARRAY(arena, struct field, type->field_count);
    for (size_t i = 0; i < type->field_count; i++) {
        const struct field *from = &type->fields[i];
        struct field *to = &result->fields[i];
        *to = *from;
        to->name = copy_name(arena, from);
        to->type = copy(arena, from->type, all_nullable);
        if (from->metadata_json) to->metadata_json = arena_strdup(arena, from->metadata_json);
        if (all_nullable && !(type->kind == TYPE_MAP && i == 0)) to->nullable = true; /* Keys never are. */
    }
    return result;
}

const struct type *type_copy(struct arena *arena, const struct type *type)
{
    return copy(arena, type, false);
}

const struct type *type_as_nullable(struct arena *arena, const struct type *type)
{
    return copy(arena, type, true);
}

bool type_equal(const struct type *a, const struct type *b, bool compare_nullability)
{
    if (a == b) return true;
    if (a->kind != b->kind || a->field_count != b->field_count) return false;
    if (a->kind == TYPE_DECIMAL) return a->precision == b->precision && a->scale == b->scale;
    for (size_t i = 0; i < a->field_count; i++) {
        const struct field *x = &a->fields[i], *y = &b->fields[i];
        if (compare_nullability && x->nullable != y->nullable) return false;
        if (a->kind == TYPE_STRUCT && (x->name_size != y->name_size || memcmp(x->name, y->name, x->name_size) != 0))
            return false;
        if (!type_equal(x->type, y->type, compare_nullability)) return false;
    }
    return true;
}

int schema_find(const struct type *schema, const char *name, size_t size, bool case_sensitive)
{
    int found = -1;
    for (size_t i = 0; i < schema->field_count; i++) {
        const struct field *field = &schema->fields[i];
        if (field->name_size != size) continue;
        if (case_sensitive ? memcmp(field->name, name, size) != 0 : strncasecmp(field->name, name, size) != 0) continue;
        if (found >= 0) return -2;
        found = (int)i;
    }
    return found;
}

size_t type_width(enum type_kind kind)
{
    switch (kind) {
    case TYPE_TINYINT: return 1;
    case TYPE_SMALLINT: return 2;
    case TYPE_INT: case TYPE_FLOAT: case TYPE_DATE: return 4;
    case TYPE_BIGINT: case TYPE_DOUBLE: case TYPE_TIMESTAMP: case TYPE_TIMESTAMP_NTZ: return 8;
    case TYPE_DECIMAL: return 16;
    default: return 0;
    }
}

size_t type_leaf_count(const struct type *type)
{
    if (!type_is_nested(type)) return 1;
    size_t count = 0;
    for (size_t i = 0; i < type->field_count; i++) count += type_leaf_count(type->fields[i].type);
    return count;
}
