/* partitions -- reading key=value folders, inferring their types, casting their values. */
#include "listing/partitions.h"
#include "base/number.h"
#include "base/uri.h"

#include <ctype.h>
#include <strings.h>

static bool same_name(const struct partition_rules *rules, const char *a, const char *b)
{
    return rules->session->case_sensitive ? strcmp(a, b) == 0 : strcasecmp(a, b) == 0;
}

static bool is_wanted(const struct partition_rules *rules, const char *name)
{
    if (!rules->columns) return true;
    for (size_t i = 0; i < rules->column_count; i++)
        if (same_name(rules, rules->columns[i], name)) return true;
    return false;
}

static const char *unescape(struct arena *arena, const char *text, size_t size)
{
    struct buffer out = {0};
    partition_unescape(&out, text, size);
    const char *copy = arena_strndup(arena, (const char *)out.data, out.size);
    buffer_free(&out);
    return copy;
}

static bool read_segment(const char *segment, size_t size, struct arena *arena, struct partition_value *out, struct error *err)
{
    const char *equals = memchr(segment, '=', size);
    size_t name_size = (size_t)(equals - segment), value_size = size - name_size - 1;
    if (name_size == 0) {
        error_set(err, COND_EMPTY_PARTITION_COLUMN_NAME, "found an empty partition column name in the path segment '%.*s'", (int)size, segment);
        return error_hint(err, "Each partition directory must have a non-empty column name before the '=' sign (e.g., 'col=value').");
    }
    if (value_size == 0) {
        error_set(err, COND_EMPTY_PARTITION_COLUMN_VALUE, "found an empty partition column value in the path segment '%.*s'", (int)size, segment);
        return error_hint(err, "Each partition directory must have a non-empty value after the '=' sign (e.g., 'col=value').");
    }
    out->name = unescape(arena, segment, name_size);
    out->value = unescape(arena, equals + 1, value_size);
    out->value_size = strlen(out->value);
    out->raw = arena_strndup(arena, equals + 1, value_size);
    if (strcmp(out->value, HIVE_DEFAULT_PARTITION) == 0) out->value = NULL;
    return true;
}

/* Where key=value starts to count: the end of the longest base path that the folder lies in; SIZE_MAX: in none. */
static size_t base_of(const struct partition_rules *rules, const char *directory)
{
    size_t longest = SIZE_MAX;
    for (size_t i = 0; i < rules->base_path_count; i++) {
        const char *path = rules->base_paths[i];
        size_t base = strlen(path);
        while (base && path[base - 1] == '/') base--;
        if (strncmp(directory, path, base) != 0 || (directory[base] && directory[base] != '/')) continue;
        if (longest == SIZE_MAX || base > longest) longest = base;
    }
    return longest;
}

/* What one folder says: its columns, and the table's folder, which holds the outermost. */
struct reading {
    struct partition_value *values;
    size_t count;
    size_t base, table;            /* Sizes of the parts of the path; base: SIZE_MAX where it lies in no base path. */
};

static bool read_folder(const struct partition_rules *rules, const char *directory, struct arena *arena, struct reading *out, struct error *err)
{
    size_t base = base_of(rules, directory), end = strlen(directory), found = 0, capacity = 1;
    *out = (struct reading){.base = base};
    if (base == SIZE_MAX && rules->base_given && rules->base_path_count)
        return error_set(err, COND_INLET_BAD_OPTION_VALUE, "wrong basePath \"%s\" for the root path \"%s\"", rules->base_paths[0], directory);
    if (base == SIZE_MAX) return true;
    for (size_t i = base; i < end; i++) capacity += directory[i] == '/';
    struct partition_value *list = ARENA_ARRAY(arena, struct partition_value, capacity);
    while (end > base) { /* From the leaf upwards: values are collected innermost first. */
        size_t start = end;
        while (start > base && directory[start - 1] != '/') start--;
        size_t size = end - start;
        if (memchr(directory + start, '=', size)) {
            if (!read_segment(directory + start, size, arena, &list[found], err)) return false;
            if (is_wanted(rules, list[found].name)) out->table = start - 1, found++;
        } else if (found) {
            break;
        }
        end = start > base ? start - 1 : base;
    }
    for (size_t i = 0; i < found / 2; i++) {
        struct partition_value swap = list[i];
        list[i] = list[found - 1 - i];
        list[found - 1 - i] = swap;
    }
    out->values = list;
    out->count = found;
    return true;
}

bool partitions_of(const struct partition_rules *rules, const char *directory, struct arena *arena, struct partition_value **values, size_t *count,
                   struct error *err)
{
    struct reading reading;
    bool ok = read_folder(rules, directory, arena, &reading, err);
    *values = reading.values;
    *count = reading.count;
    return ok;
}

/* --- Types ----------------------------------------------------------------------------------------------- */

static const struct type *infer_decimal(struct arena *arena, const char *text, size_t size)
{
    int128 unscaled;
    bool overflow;
    if (!parse_decimal(text, size, 38, 0, &unscaled, &overflow)) return NULL;
    double value;
    char digits[DECIMAL_TEXT_MAX];
    int precision = (int)print_decimal_plain(unscaled < 0 ? -unscaled : unscaled, 0, digits);
    if (memchr(text, '.', size) || !parse_double_java(text, size, &value)) return NULL; /* Only whole numbers: scale <= 0. */
    const char *exponent = memchr(text, 'e', size);
    if (!exponent) exponent = memchr(text, 'E', size);
    if (exponent && exponent + 1 < text + size && exponent[1] == '-') return NULL;
    return type_decimal(arena, precision, 0);
}

/* yyyy-MM-dd HH:mm:ss[.S], no more and no less. */
static bool is_timestamp(const char *text, size_t size, const struct time_zone *zone)
{
    static const char shape[] = "0000-00-00 00:00:00.0";
    int64_t ignored;
    if (size != 19 && size != 21) return false;
    for (size_t i = 0; i < size; i++)
        if (shape[i] == '0' ? text[i] < '0' || text[i] > '9' : text[i] != shape[i]) return false;
    return cast_timestamp(text, size, zone, &ignored);
}

static const struct type *infer_value(const struct partition_rules *rules, struct arena *arena, const struct partition_value *value)
{
    const char *text = value->raw;
    size_t size = strlen(text);
    int64_t integer;
    double real;
    int32_t days;
    if (!rules->infer_types) return type_primitive(TYPE_STRING);
    if (parse_int64_java(text, size, &integer)) return type_primitive(integer >= INT32_MIN && integer <= INT32_MAX ? TYPE_INT : TYPE_BIGINT);
    const struct type *decimal = infer_decimal(arena, text, size);
    if (decimal) return decimal;
    if (parse_double_java(text, size, &real)) return type_primitive(TYPE_DOUBLE);
    if (is_timestamp(value->value, value->value_size, rules->session->zone)) return type_primitive(TYPE_TIMESTAMP);
    if (size == 10 && text[4] == '-' && text[7] == '-' && cast_date(text, size, &days)) return type_primitive(TYPE_DATE);
    return type_primitive(TYPE_STRING);
}

/* The conflict table of PartitioningUtils: NULL yields; what does not widen is STRING. */
static const struct type *merge_types(struct arena *arena, const struct type *a, const struct type *b)
{
    if (!a) return b;
    if (type_equal(a, b, false)) return a;
    if (a->kind > b->kind) {
        const struct type *swap = a;
        a = b;
        b = swap;
    }
    if (a->kind == TYPE_INT && (b->kind == TYPE_BIGINT || b->kind == TYPE_DOUBLE)) return b;
    if ((a->kind == TYPE_INT || a->kind == TYPE_BIGINT) && b->kind == TYPE_DECIMAL) {
        int needed = a->kind == TYPE_INT ? 10 : 20;
        return type_decimal(arena, b->precision > needed ? b->precision : needed, 0);
    }
    if (a->kind == TYPE_DECIMAL && b->kind == TYPE_DECIMAL) return type_decimal(arena, a->precision > b->precision ? a->precision : b->precision, 0);
    if (a->kind == TYPE_DATE && b->kind == TYPE_TIMESTAMP) return b;
    return type_primitive(TYPE_STRING);
}

static const struct type *user_type(const struct partition_rules *rules, const char *name)
{
    const struct type *user = rules->user_schema;
    for (size_t i = 0; user && i < user->field_count; i++)
        if (same_name(rules, user->fields[i].name, name)) return user->fields[i].type;
    return NULL;
}

static bool same_names(const struct partition_rules *rules, const struct partition_value *a, size_t a_count, const struct partition_value *b, size_t b_count)
{
    if (a_count != b_count) return false;
    for (size_t i = 0; i < a_count; i++)
        if (!same_name(rules, a[i].name, b[i].name)) return false;
    return true;
}

static void join_names(struct buffer *out, const struct partition_value *values, size_t count)
{
    for (size_t i = 0; i < count; i++) buffer_printf(out, "%s%s", i ? ", " : "", values[i].name);
}

static bool conflict(const struct partition_value *a, size_t a_count, const struct partition_value *b, size_t b_count, const char *first,
                     const char *second, struct error *err)
{
    struct buffer left = {0}, right = {0};
    join_names(&left, a, a_count);
    join_names(&right, b, b_count);
    error_set(err, COND_CONFLICTING_PARTITION_COLUMN_NAMES, "conflicting partition column names detected: (%s) in \"%s\", (%s) in \"%s\"",
              buffer_string(&left), first, buffer_string(&right), second);
    error_hint(err, "Directories at the same level should have the same partition column name; data files should only live in leaf directories.");
    buffer_free(&left);
    buffer_free(&right);
    return false;
}

static const struct type *no_columns(struct arena *arena) { return type_struct(arena, NULL, 0); }

/* cloudFiles.partitionColumns: exactly these, whatever the folders have. */
static size_t named_columns(const struct partition_rules *rules, struct arena *arena, struct partition_value **names)
{
    *names = ARENA_ARRAY(arena, struct partition_value, rules->column_count + 1);
    for (size_t i = 0; i < rules->column_count; i++) (*names)[i].name = rules->columns[i];
    return rules->column_count;
}

struct names {
    struct partition_value *values;
    size_t count;
    const struct type **types;
    const char *first;             /* The folder that gave them; NULL: none yet, or they were given by name. */
    size_t base, table;            /* Of that folder. */
};

static bool conflicting_tables(const struct names *names, const char *directory, size_t table, struct error *err)
{
    error_set(err, COND_CONFLICTING_DIRECTORY_STRUCTURES, "conflicting directory structures detected: key=value folders lie in \"%.*s\" and in \"%.*s\"",
              (int)names->table, names->first, (int)table, directory);
    return error_hint(err, "Folders of several tables are loaded separately, each by a load path of its own.");
}

/* Spark's rule: one table, and in all its folders the same columns. False: Auto Loader then has none. */
static bool fits(const struct partition_rules *rules, const struct names *names, const struct reading *reading, const char *directory, struct error *err)
{
    bool same_table = reading->base != names->base || (reading->table == names->table && strncmp(directory, names->first, names->table) == 0);
    if (!rules->lenient && !same_table) return conflicting_tables(names, directory, reading->table, err);
    if (same_names(rules, names->values, names->count, reading->values, reading->count)) return true;
    return rules->lenient ? false : conflict(names->values, names->count, reading->values, reading->count, names->first, directory, err);
}

/* Widens the types by one folder's values. */
static void merge_values(const struct partition_rules *rules, struct names *names, const struct partition_value *values, size_t count, struct arena *arena)
{
    for (size_t i = 0; i < names->count; i++)
        for (size_t j = 0; j < count; j++)
            if (values[j].value && same_name(rules, names->values[i].name, values[j].name))
                names->types[i] = merge_types(arena, names->types[i], infer_value(rules, arena, &values[j]));
}

static const struct type *names_schema(const struct partition_rules *rules, const struct names *names, struct arena *arena)
{
    struct field *fields = ARENA_ARRAY(arena, struct field, names->count + 1);
    for (size_t i = 0; i < names->count; i++) {
        const char *name = names->values[i].name;
        const struct type *given = user_type(rules, name);
        const struct type *type = given ? given : names->types[i] ? names->types[i] : type_primitive(TYPE_STRING);
        fields[i] = (struct field){.name = name, .name_size = strlen(name), .type = type, .nullable = true};
    }
    return type_struct(arena, fields, names->count);
}

const struct type *partitions_discover(const struct partition_rules *rules, const char *const *directories, size_t count, struct arena *arena,
                                       struct error *err)
{
    struct names names = {0};
    if (rules->columns) {
        names.count = named_columns(rules, arena, &names.values);
        names.types = ARENA_ARRAY(arena, const struct type *, names.count + 1);
    }
    for (size_t i = 0; i < count; i++) {
        struct reading reading;
        if (i && strcmp(directories[i], directories[i - 1]) == 0) continue;
        if (!read_folder(rules, directories[i], arena, &reading, err)) return NULL;
        if (!reading.count) continue;
        if (!rules->columns && !names.first) {
            names = (struct names){reading.values, reading.count, ARENA_ARRAY(arena, const struct type *, reading.count + 1), directories[i], reading.base,
                                   reading.table};
        } else if (!rules->columns && !fits(rules, &names, &reading, directories[i], err)) {
            return rules->lenient ? no_columns(arena) : NULL;
        }
        merge_values(rules, &names, reading.values, reading.count, arena);
    }
    return names_schema(rules, &names, arena);
}

/* --- Values ---------------------------------------------------------------------------------------------- */

enum cast { CAST_BAD, CAST_NULL, CAST_DONE };

static enum cast done(bool ok) { return ok ? CAST_DONE : CAST_BAD; }

/* Java's parseInt, cut to the type: what does not fit TINYINT or SMALLINT wraps, as in Spark. */
static bool cast_integer(const char *text, size_t size, enum type_kind kind, void *values, uint32_t row)
{
    int64_t value;
    if (!parse_int64_java(text, size, &value)) return false;
    if (kind != TYPE_BIGINT && (value < INT32_MIN || value > INT32_MAX)) return false;
    switch (kind) {
    case TYPE_TINYINT: ((int8_t *)values)[row] = (int8_t)value; return true;
    case TYPE_SMALLINT: ((int16_t *)values)[row] = (int16_t)value; return true;
    case TYPE_INT: ((int32_t *)values)[row] = (int32_t)value; return true;
    default: ((int64_t *)values)[row] = value; return true;
    }
}

static bool cast_boolean(const char *text, uint8_t *bits, uint32_t row)
{
    if (strcasecmp(text, "true") == 0) bit_set(bits, row);
    else if (strcasecmp(text, "false") == 0) bit_clear(bits, row);
    else return false;
    return true;
}

/* By way of DOUBLE, as in Spark. */
static bool cast_float(const char *text, size_t size, float *out)
{
    double value;
    if (!parse_double_java(text, size, &value)) return false;
    *out = (float)value;
    return true;
}

static enum cast cast_value(const struct type *type, const struct partition_value *value, const struct time_zone *zone, struct column *column, uint32_t row)
{
    const char *text = value->raw;
    size_t size = strlen(text);
    bool overflow = false;
    switch (type->kind) {
    case TYPE_BOOLEAN: return done(cast_boolean(text, column->values, row));
    case TYPE_TINYINT: case TYPE_SMALLINT: case TYPE_INT: case TYPE_BIGINT: return done(cast_integer(text, size, type->kind, column->values, row));
    case TYPE_FLOAT: return done(cast_float(text, size, (float *)column->values + row));
    case TYPE_DOUBLE: return done(parse_double_java(text, size, (double *)column->values + row));
    case TYPE_DECIMAL:
        if (parse_decimal(text, size, type->precision, type->scale, (int128 *)column->values + row, &overflow)) return CAST_DONE;
        return overflow ? CAST_NULL : CAST_BAD;
    case TYPE_DATE: return done(cast_date(text, size, (int32_t *)column->values + row));
    case TYPE_TIMESTAMP: return done(cast_timestamp(value->value, value->value_size, zone, (int64_t *)column->values + row));
    case TYPE_TIMESTAMP_NTZ: return done(cast_timestamp_ntz(value->value, value->value_size, true, (int64_t *)column->values + row));
    default: return CAST_BAD;
    }
}

static void append_null(struct column *column)
{
    uint32_t row = column->length++;
    bit_clear(column->validity, row);
    column->null_count++;
    size_t width = type_width(column->type->kind);
    if (width) memset((uint8_t *)column->values + row * width, 0, width);
    if (column->offsets) column->offsets[row + 1] = column->offsets[row];
}

static bool append_text(struct column *column, const char *text, struct budget *budget, struct error *err)
{
    uint32_t row = column->length;
    size_t size = strlen(text), at = (size_t)column->offsets[row];
    if (!column_reserve_data(column, budget, at + size + 1, err)) return false;
    memcpy(column->data + at, text, size);
    column->offsets[row + 1] = (int32_t)(at + size);
    column->length++;
    return true;
}

static bool bad_value(const struct column *column, const char *name, const char *text, struct error *err)
{
    struct buffer type = {0};
    type_print_ddl(column->type, &type);
    error_set(err, COND_INVALID_PARTITION_VALUE, "failed to cast value '%s' to data type \"%s\" for partition column `%s`", text, buffer_string(&type), name);
    buffer_free(&type);
    return error_hint(err, "Ensure the value matches the expected data type for this partition column.");
}

static bool append_one(const struct partition_rules *rules, const struct partition_value *values, size_t count, const char *name,
                       struct column *column, struct budget *budget, struct error *err)
{
    const struct partition_value *value = NULL;
    for (size_t i = 0; i < count; i++)
        if (same_name(rules, values[i].name, name)) value = &values[i];
    if (!column_reserve(column, budget, (size_t)column->length + 1, err)) return false;
    if (!value || !value->value) {
        append_null(column);
        return true;
    }
    if (type_is_bytes(column->type)) return append_text(column, column->type->kind == TYPE_BINARY ? value->raw : value->value, budget, err);
    enum cast cast = cast_value(column->type, value, rules->session->zone, column, column->length);
    if (cast == CAST_DONE) {
        column->length++;
        return true;
    }
    if (cast == CAST_BAD && options_bool(&rules->session->conf, "spark.sql.sources.validatePartitionColumns")) return bad_value(column, name, value->raw, err);
    append_null(column);
    return true;
}

bool partitions_append(const struct partition_rules *rules, const struct type *schema, const char *directory, struct column *columns,
                       struct budget *budget, struct error *err)
{
    struct arena *arena = arena_new("partition values");
    struct partition_value *values;
    size_t count;
    bool ok = partitions_of(rules, directory, arena, &values, &count, err);
    for (size_t i = 0; ok && i < schema->field_count; i++)
        ok = append_one(rules, values, count, schema->fields[i].name, &columns[i], budget, err);
    arena_free(arena);
    return ok;
}
