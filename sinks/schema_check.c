/* schema_check -- types and names that a format cannot hold. */
#include "sinks/schema_check.h"
#include "base/bytes.h"

#include <strings.h>
#include <string.h>

static void print_quoted(struct buffer *out, const char *name)
{
    buffer_byte(out, '`');
    for (; *name; name++) {
        if (*name == '`') buffer_byte(out, '`');
        buffer_byte(out, (uint8_t)*name);
    }
    buffer_byte(out, '`');
}

static bool refuse_type(const struct field *field, const char *label, struct error *err)
{
    struct buffer name = {0}, type = {0};
    print_quoted(&name, field->name);
    type_print_ddl(field->type, &type);
    error_set(err, COND_UNSUPPORTED_DATA_TYPE_FOR_DATASOURCE, "The %s datasource doesn't support the column %s of the type \"%s\"", label,
              buffer_string(&name), buffer_string(&type));
    buffer_free(&name);
    buffer_free(&type);
    return false;
}

static bool has_kind(const struct type *type, enum type_kind kind)
{
    if (type->kind == kind) return true;
    for (size_t i = 0; i < type->field_count; i++)
        if (has_kind(type->fields[i].type, kind)) return true;
    return false;
}

static bool has_empty_struct(const struct type *type)
{
    if (type->kind == TYPE_STRUCT && type->field_count == 0) return true;
    for (size_t i = 0; i < type->field_count; i++)
        if (has_empty_struct(type->fields[i].type)) return true;
    return false;
}

static bool is_supported(const struct type *type, enum type_support support)
{
    switch (support) {
    case SUPPORT_ATOMIC: return !type_is_nested(type) && type->kind != TYPE_VOID;
    case SUPPORT_STRING: return type->kind == TYPE_STRING;
    case SUPPORT_DELTA: return !has_kind(type, TYPE_VOID);
    case SUPPORT_ALL:
    case SUPPORT_PARQUET: break;
    }
    return true;
}

bool schema_check_types(const struct type *schema, enum type_support support, const char *label, struct error *err)
{
    for (size_t i = 0; i < schema->field_count; i++)
        if (!is_supported(schema->fields[i].type, support)) return refuse_type(&schema->fields[i], label, err);
    if ((support == SUPPORT_PARQUET || support == SUPPORT_DELTA) && has_empty_struct(schema))
        return error_set(err, COND_EMPTY_SCHEMA_NOT_SUPPORTED,
                         "The %s datasource does not support writing empty or nested empty schemas. Please make sure the data schema has at least one or more column(s)",
                         label);
    return true;
}

static bool same_name(const struct field *a, const struct field *b, bool case_sensitive)
{
    if (a->name_size != b->name_size) return false;
    return case_sensitive ? memcmp(a->name, b->name, a->name_size) == 0 : strcasecmp(a->name, b->name) == 0;
}

static bool check_fields(const struct type *type, bool case_sensitive, struct error *err)
{
    for (size_t i = 0; i < type->field_count; i++)
        for (size_t j = 0; j < i; j++) {
            if (!same_name(&type->fields[i], &type->fields[j], case_sensitive)) continue;
            struct buffer name = {0};
            print_quoted(&name, type->fields[i].name);
            error_set(err, COND_COLUMN_ALREADY_EXISTS, "The column %s already exists. Choose another name or rename the existing column",
                      buffer_string(&name));
            buffer_free(&name);
            return false;
        }
    return true;
}

bool schema_check_duplicates(const struct type *schema, bool case_sensitive, struct error *err)
{
    if (schema->kind == TYPE_STRUCT && !check_fields(schema, case_sensitive, err)) return false;
    for (size_t i = 0; i < schema->field_count; i++)
        if (!schema_check_duplicates(schema->fields[i].type, case_sensitive, err)) return false;
    return true;
}
