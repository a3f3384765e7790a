/* parquet_read_schema -- physical schemas into Spark's types, and the tree by which levels become columns.
 *
 * The rules are those of Spark (format-semantics 10.2): annotations decide, unsigned types widen, a
 * repeated child of a LIST is the element itself in files of old writers. What has no Spark type is
 * refused by its Parquet name, unless it was not asked for. */
#include "formats/parquet_read.h"
#include <inttypes.h>

enum { PHYSICAL_DEPTH_MAX = 2 * TYPE_DEPTH_MAX + 8, FIXED_LENGTH_MAX = 1 << 20, DECIMAL_LENGTH_MAX = 64 };

struct place {
    uint16_t definition, repetition, slot_definition;
};

struct builder {
    const struct parquet_schema_element *elements;
    uint32_t element_count;
    uint32_t *ends;              /* Index behind each element's subtree. */
    uint32_t *leaves_before;     /* Leaves of the file in front of each element. */
    const char *const *names;    /* NULL: everything. */
    struct arena *arena;
    struct read_leaf *leaves;
    uint32_t leaf_count;
    unsigned depth;
};

enum wanted { WANTED_NOT, WANTED_PARTLY, WANTED_ALL };

static bool is_leaf(const struct parquet_schema_element *element) { return element->physical >= 0; }

/* --- the shape of the element list --- */

static bool measure(struct builder *builder, uint32_t index, unsigned depth, uint32_t *end, uint32_t *leaves, struct error *err)
{
    if (index >= builder->element_count) return error_set(err, COND_INLET_DAMAGED_FILE, "the Parquet schema ends too early");
    const struct parquet_schema_element *element = &builder->elements[index];
    if (depth > PHYSICAL_DEPTH_MAX) return error_set(err, COND_INLET_DAMAGED_FILE, "the Parquet schema is nested too deeply");
    if (element->child_count < 0 || (is_leaf(element) && element->child_count > 0) || element->physical > PARQUET_FIXED ||
        element->physical < -1 || (index > 0 && (element->repetition < 0 || element->repetition > PARQUET_REPEATED)))
        return error_set(err, COND_INLET_DAMAGED_FILE, "element %" PRIu32 " of the Parquet schema is not well-formed", index);
    builder->leaves_before[index] = *leaves;
    uint32_t next = index + 1;
    if (is_leaf(element)) ++*leaves;
    for (int32_t i = 0; i < element->child_count; i++)
        if (!measure(builder, next, depth + 1, &next, leaves, err)) return false;
    builder->ends[index] = *end = next;
    return true;
}

static const char *element_name(const struct builder *builder, uint32_t index)
{
    struct slice name = builder->elements[index].name;
    return arena_strndup(builder->arena, (const char *)name.data, name.size);
}

/* Cut where it is long: paths are for messages and for short names, and must not multiply with the depth. */
static const char *path_of(const struct builder *builder, const char *parent, const char *name)
{
    return *parent ? arena_printf(builder->arena, "%.250s.%.250s", parent, name) : name;
}

/* Is `path` at, below or above one of the names? */
static enum wanted is_wanted(const struct builder *builder, const char *path)
{
    enum wanted wanted = builder->names ? WANTED_NOT : WANTED_ALL;
    size_t size = strlen(path);
    for (size_t i = 0; builder->names && builder->names[i]; i++) {
        const char *name = builder->names[i];
        size_t name_size = strlen(name), common = size < name_size ? size : name_size;
        if (memcmp(path, name, common) != 0) continue;
        if (size == name_size || (size > name_size && path[name_size] == '.')) return WANTED_ALL;
        if (name_size > size && name[size] == '.') wanted = WANTED_PARTLY;
    }
    return wanted;
}

/* --- annotations --- */

static const char *physical_name(int32_t physical)
{
    static const char *const names[] = {"BOOLEAN", "INT32", "INT64", "INT96", "FLOAT", "DOUBLE", "BINARY", "FIXED_LEN_BYTE_ARRAY"};
    return physical >= 0 && (size_t)physical < COUNTOF(names) ? names[physical] : "group";
}

/* The older annotation said in the words of the newer one. */
static struct parquet_logical annotation_of(const struct parquet_schema_element *element)
{
    struct parquet_logical logical = element->logical;
    if (logical.kind != PARQUET_LOGICAL_NONE) return logical;
    switch (element->converted) {
    case PARQUET_CONVERTED_UTF8: logical.kind = PARQUET_LOGICAL_STRING; break;
    case PARQUET_CONVERTED_MAP: case PARQUET_CONVERTED_MAP_KEY_VALUE: logical.kind = PARQUET_LOGICAL_MAP; break;
    case PARQUET_CONVERTED_LIST: logical.kind = PARQUET_LOGICAL_LIST; break;
    case PARQUET_CONVERTED_ENUM: logical.kind = PARQUET_LOGICAL_ENUM; break;
    case PARQUET_CONVERTED_DECIMAL:
        logical = (struct parquet_logical){.kind = PARQUET_LOGICAL_DECIMAL, .scale = element->scale, .precision = element->precision};
        break;
    case PARQUET_CONVERTED_DATE: logical.kind = PARQUET_LOGICAL_DATE; break;
    case PARQUET_CONVERTED_TIME_MILLIS: case PARQUET_CONVERTED_TIME_MICROS: logical.kind = PARQUET_LOGICAL_TIME; break;
    case PARQUET_CONVERTED_TIMESTAMP_MILLIS:
        logical = (struct parquet_logical){.kind = PARQUET_LOGICAL_TIMESTAMP, .adjusted_to_utc = true, .unit = PARQUET_MILLIS};
        break;
    case PARQUET_CONVERTED_TIMESTAMP_MICROS:
        logical = (struct parquet_logical){.kind = PARQUET_LOGICAL_TIMESTAMP, .adjusted_to_utc = true, .unit = PARQUET_MICROS};
        break;
    case PARQUET_CONVERTED_UINT_8: case PARQUET_CONVERTED_UINT_16: case PARQUET_CONVERTED_UINT_32: case PARQUET_CONVERTED_UINT_64:
        logical = (struct parquet_logical){.kind = PARQUET_LOGICAL_INTEGER, .bit_width = 8 << (element->converted - PARQUET_CONVERTED_UINT_8)};
        break;
    case PARQUET_CONVERTED_INT_8: case PARQUET_CONVERTED_INT_16: case PARQUET_CONVERTED_INT_32: case PARQUET_CONVERTED_INT_64:
        logical = (struct parquet_logical){.kind = PARQUET_LOGICAL_INTEGER, .bit_width = 8 << (element->converted - PARQUET_CONVERTED_INT_8),
                                           .is_signed = true};
        break;
    case PARQUET_CONVERTED_JSON: logical.kind = PARQUET_LOGICAL_JSON; break;
    case PARQUET_CONVERTED_BSON: logical.kind = PARQUET_LOGICAL_BSON; break;
    default: break;
    }
    return logical;
}

static const char *annotation_name(const struct parquet_schema_element *element)
{
    static const char *const names[] = {"", "STRING", "MAP", "LIST", "ENUM", "DECIMAL", "DATE", "TIME", "TIMESTAMP", "", "INTEGER",
                                        "UNKNOWN", "JSON", "BSON", "UUID", "FLOAT16", "VARIANT"};
    struct parquet_logical logical = annotation_of(element);
    if (element->converted == PARQUET_CONVERTED_INTERVAL) return "INTERVAL";
    if (logical.kind == PARQUET_LOGICAL_TIMESTAMP && logical.unit == PARQUET_NANOS)
        return logical.adjusted_to_utc ? "TIMESTAMP(NANOS,true)" : "TIMESTAMP(NANOS,false)";
    return logical.kind > 0 && (size_t)logical.kind < COUNTOF(names) ? names[logical.kind] : "";
}

static bool refuse_leaf(const struct parquet_schema_element *element, const char *path, struct error *err)
{
    const char *annotation = annotation_name(element);
    return error_set(err, COND_FAILED_READ_FILE_TYPE_MISMATCH, "Parquet column [%s] has the type %s%s%s%s, which is not supported", path,
                     physical_name(element->physical), *annotation ? " (" : "", annotation, *annotation ? ")" : "");
}

/* --- leaves --- */

static void leaf_is(struct read_leaf *leaf, const struct type *type, enum read_transfer transfer)
{
    leaf->type = type;
    leaf->transfer = transfer;
}

static bool decimal_leaf(struct builder *builder, const struct parquet_schema_element *element, struct parquet_logical logical,
                         struct read_leaf *leaf, struct error *err)
{
    if (logical.precision < 1 || logical.precision > 38 || logical.scale < 0 || logical.scale > logical.precision)
        return error_set(err, COND_FAILED_READ_FILE_TYPE_MISMATCH, "Parquet column [%s] has the type DECIMAL(%" PRId32 ",%" PRId32 "), which is not supported",
                         leaf->path, logical.precision, logical.scale);
    const struct type *type = type_decimal(builder->arena, logical.precision, logical.scale);
    switch (element->physical) {
    case PARQUET_INT32: leaf_is(leaf, type, READ_DECIMAL_INT32); return true;
    case PARQUET_INT64: leaf_is(leaf, type, READ_DECIMAL_INT64); return true;
    case PARQUET_BYTE_ARRAY: leaf_is(leaf, type, READ_DECIMAL_BYTES); return true;
    case PARQUET_FIXED:
        leaf_is(leaf, type, READ_DECIMAL_FIXED);
        return element->type_length <= DECIMAL_LENGTH_MAX || refuse_leaf(element, leaf->path, err);
    default: return refuse_leaf(element, leaf->path, err);
    }
}

static bool int32_leaf(const struct parquet_schema_element *element, struct parquet_logical logical, struct read_leaf *leaf, struct error *err)
{
    leaf_is(leaf, type_primitive(TYPE_INT), READ_SAME);
    if (logical.kind == PARQUET_LOGICAL_NONE) return true;
    if (logical.kind == PARQUET_LOGICAL_DATE) leaf->type = type_primitive(TYPE_DATE);
    else if (logical.kind != PARQUET_LOGICAL_INTEGER) return refuse_leaf(element, leaf->path, err);
    else if (logical.bit_width == 8 && logical.is_signed) leaf_is(leaf, type_primitive(TYPE_TINYINT), READ_TINYINT);
    else if (logical.bit_width == 16 && logical.is_signed) leaf_is(leaf, type_primitive(TYPE_SMALLINT), READ_SMALLINT);
    else if (logical.bit_width == 8) leaf_is(leaf, type_primitive(TYPE_SMALLINT), READ_UINT8);
    else if (logical.bit_width == 16) leaf_is(leaf, type_primitive(TYPE_INT), READ_UINT16);
    else if (logical.bit_width == 32 && !logical.is_signed) leaf_is(leaf, type_primitive(TYPE_BIGINT), READ_UINT32);
    else if (logical.bit_width != 32) return refuse_leaf(element, leaf->path, err);
    return true;
}

static bool int64_leaf(struct builder *builder, const struct parquet_schema_element *element, struct parquet_logical logical,
                       struct read_leaf *leaf, struct error *err)
{
    leaf_is(leaf, type_primitive(TYPE_BIGINT), READ_SAME);
    if (logical.kind == PARQUET_LOGICAL_NONE) return true;
    if (logical.kind == PARQUET_LOGICAL_TIMESTAMP && (logical.unit == PARQUET_MILLIS || logical.unit == PARQUET_MICROS)) {
        leaf_is(leaf, type_primitive(logical.adjusted_to_utc ? TYPE_TIMESTAMP : TYPE_TIMESTAMP_NTZ),
                logical.unit == PARQUET_MILLIS ? READ_MILLIS : READ_SAME);
        return true;
    }
    if (logical.kind != PARQUET_LOGICAL_INTEGER || logical.bit_width != 64) return refuse_leaf(element, leaf->path, err);
    if (!logical.is_signed) leaf_is(leaf, type_decimal(builder->arena, 20, 0), READ_UINT64);
    return true;
}

static bool bytes_leaf(const struct parquet_schema_element *element, struct parquet_logical logical, struct read_leaf *leaf, struct error *err)
{
    switch (logical.kind) {
    case PARQUET_LOGICAL_STRING: case PARQUET_LOGICAL_ENUM: case PARQUET_LOGICAL_JSON:
        leaf_is(leaf, type_primitive(TYPE_STRING), READ_BYTES);
        return true;
    case PARQUET_LOGICAL_NONE: case PARQUET_LOGICAL_BSON:
        leaf_is(leaf, type_primitive(TYPE_BINARY), READ_BYTES);
        return true;
    default: return refuse_leaf(element, leaf->path, err);
    }
}

static bool fixed_leaf(const struct parquet_schema_element *element, struct parquet_logical logical, struct read_leaf *leaf, struct error *err)
{
    if (logical.kind != PARQUET_LOGICAL_NONE && logical.kind != PARQUET_LOGICAL_UUID) return refuse_leaf(element, leaf->path, err);
    if (element->converted == PARQUET_CONVERTED_INTERVAL) return refuse_leaf(element, leaf->path, err);
    leaf_is(leaf, type_primitive(TYPE_BINARY), READ_FIXED);
    return true;
}

static bool leaf_type(struct builder *builder, const struct parquet_schema_element *element, struct read_leaf *leaf, struct error *err)
{
    struct parquet_logical logical = annotation_of(element);
    if (logical.kind == PARQUET_LOGICAL_UNKNOWN) {
        leaf_is(leaf, type_primitive(TYPE_VOID), READ_VOID);
        return true;
    }
    if (logical.kind == PARQUET_LOGICAL_DECIMAL) return decimal_leaf(builder, element, logical, leaf, err);
    switch (element->physical) {
    case PARQUET_BOOLEAN: leaf_is(leaf, type_primitive(TYPE_BOOLEAN), READ_BITS); return true;
    case PARQUET_FLOAT: leaf_is(leaf, type_primitive(TYPE_FLOAT), READ_SAME); return true;
    case PARQUET_DOUBLE: leaf_is(leaf, type_primitive(TYPE_DOUBLE), READ_SAME); return true;
    case PARQUET_INT96: leaf_is(leaf, type_primitive(TYPE_TIMESTAMP), READ_INT96); return true;
    case PARQUET_INT32: return int32_leaf(element, logical, leaf, err);
    case PARQUET_INT64: return int64_leaf(builder, element, logical, leaf, err);
    case PARQUET_BYTE_ARRAY: return bytes_leaf(element, logical, leaf, err);
    default: return fixed_leaf(element, logical, leaf, err);
    }
}

static uint32_t physical_width(const struct parquet_schema_element *element)
{
    switch (element->physical) {
    case PARQUET_INT32: case PARQUET_FLOAT: return 4;
    case PARQUET_INT64: case PARQUET_DOUBLE: return 8;
    case PARQUET_INT96: return 12;
    case PARQUET_FIXED: return (uint32_t)element->type_length;
    default: return 0;
    }
}

static bool build_leaf(struct builder *builder, uint32_t index, const char *path, struct place place, const struct type **type,
                       struct read_node *node, struct error *err)
{
    const struct parquet_schema_element *element = &builder->elements[index];
    if (element->physical == PARQUET_FIXED && (element->type_length < 1 || element->type_length > FIXED_LENGTH_MAX))
        return error_set(err, COND_INLET_DAMAGED_FILE, "Parquet column [%s] has values of %" PRId32 " bytes", path, element->type_length);
    struct read_leaf *leaf = &builder->leaves[builder->leaf_count];
    *leaf = (struct read_leaf){.path = path, .physical = element->physical, .physical_width = physical_width(element),
                               .definition = place.definition, .repetition = place.repetition,
                               .slot_definition = place.slot_definition, .file_column = builder->leaves_before[index]};
    if (!leaf_type(builder, element, leaf, err)) return false;
    leaf->width = (uint32_t)type_width(leaf->type->kind);
    *type = leaf->type;
    node->leaf = builder->leaf_count++;
    return true;
}

/* --- groups --- */

static bool build_field(struct builder *builder, uint32_t index, const char *path, struct place place, bool all, struct field *field,
                        struct read_node *node, struct error *err);
static bool build_value(struct builder *builder, uint32_t index, const char *path, struct place place, bool all, const struct type **type,
                        struct read_node *node, struct error *err);

/* Where the elements of a list stand whose own place is `place`. */
static struct place element_place(struct place place)
{
    uint16_t definition = (uint16_t)(place.definition + 1);
    return (struct place){definition, (uint16_t)(place.repetition + 1), definition};
}

static bool build_struct(struct builder *builder, uint32_t index, const char *path, struct place place, bool all, const struct type **type,
                         struct read_node *node, struct error *err)
{
    const struct parquet_schema_element *element = &builder->elements[index];
    struct field *fields = ARENA_ARRAY(builder->arena, struct field, element->child_count);
    node->children = ARENA_ARRAY(builder->arena, struct read_node, element->child_count);
    uint32_t child = index + 1;
    for (int32_t i = 0; i < element->child_count; i++, child = builder->ends[child]) {
        const char *name = path_of(builder, path, element_name(builder, child));
        enum wanted wanted = all ? WANTED_ALL : is_wanted(builder, name);
        if (wanted == WANTED_NOT) continue;
        uint32_t leaves = builder->leaf_count;
        if (!build_field(builder, child, name, place, wanted == WANTED_ALL, &fields[node->child_count], &node->children[node->child_count], err))
            return false;
        if (builder->leaf_count > leaves) node->child_count++;
    }
    if (index > 0 && node->child_count == 0 && all)
        return error_set(err, COND_FAILED_READ_FILE_TYPE_MISMATCH, "Parquet column [%s] is a group without fields, which is not supported", path);
    *type = type_struct(builder->arena, fields, node->child_count);
    return true;
}

static bool names_equal(struct slice name, const char *text) { return slice_equal(name, slice_text(text)); }

/* Rule 3 of format-semantics 10.2; and a repeated group that is itself a list is an element. */
static bool repeated_is_element(const struct builder *builder, uint32_t list, uint32_t repeated)
{
    const struct parquet_schema_element *element = &builder->elements[repeated];
    if (is_leaf(element) || element->child_count != 1 || names_equal(element->name, "array")) return true;
    enum parquet_logical_kind kind = annotation_of(element).kind;
    if (kind == PARQUET_LOGICAL_LIST || kind == PARQUET_LOGICAL_MAP) return true;
    if (builder->elements[repeated + 1].repetition == PARQUET_REPEATED) return true;
    struct slice name = builder->elements[list].name;
    return element->name.size == name.size + 6 && memcmp(element->name.data, name.data, name.size) == 0 &&
           memcmp(element->name.data + name.size, "_tuple", 6) == 0;
}

static bool list_like(const struct builder *builder, uint32_t index)
{
    return builder->elements[index].child_count == 1 && builder->elements[index + 1].repetition == PARQUET_REPEATED;
}

static bool build_list(struct builder *builder, uint32_t index, const char *path, struct place place, const struct type **type,
                       struct read_node *node, struct error *err)
{
    if (!list_like(builder, index)) return error_set(err, COND_INLET_DAMAGED_FILE, "Parquet column [%s] is annotated LIST but has no repeated child", path);
    struct place inner = element_place(place);
    struct field element = {.nullable = false};
    node->element_definition = inner.definition;
    node->children = ARENA_ARRAY(builder->arena, struct read_node, 1);
    node->child_count = 1;
    node->children[0] = (struct read_node){.slot_definition = inner.slot_definition, .repetition = inner.repetition, .definition = inner.definition};
    bool direct = repeated_is_element(builder, index, index + 1);
    const char *name = path_of(builder, path, "element");
    bool done = direct ? build_value(builder, index + 1, name, inner, true, &element.type, &node->children[0], err)
                       : build_field(builder, index + 2, name, inner, true, &element, &node->children[0], err);
    if (done) *type = type_array(builder->arena, element.type, element.nullable);
    return done;
}

static bool build_map(struct builder *builder, uint32_t index, const char *path, struct place place, const struct type **type,
                      struct read_node *node, struct error *err)
{
    if (!list_like(builder, index) || builder->elements[index + 1].child_count != 2)
        return error_set(err, COND_FAILED_READ_FILE_TYPE_MISMATCH, "Parquet column [%s] is annotated MAP but has no repeated group of key and value, "
                         "which is not supported", path);
    struct place inner = element_place(place);
    struct field key = {0}, value = {0};
    node->element_definition = inner.definition;
    node->children = ARENA_ARRAY(builder->arena, struct read_node, 2);
    node->child_count = 2;
    uint32_t key_index = index + 2, value_index = builder->ends[key_index];
    if (!build_field(builder, key_index, path_of(builder, path, "key"), inner, true, &key, &node->children[0], err) ||
        !build_field(builder, value_index, path_of(builder, path, "value"), inner, true, &value, &node->children[1], err))
        return false;
    *type = type_map(builder->arena, key.type, value.type, value.nullable);
    return true;
}

/* An element whose repetition has been dealt with. */
static bool build_value(struct builder *builder, uint32_t index, const char *path, struct place place, bool all, const struct type **type,
                        struct read_node *node, struct error *err)
{
    const struct parquet_schema_element *element = &builder->elements[index];
    enum parquet_logical_kind annotation = annotation_of(element).kind;
    if (is_leaf(element)) {
        if (!build_leaf(builder, index, path, place, type, node, err)) return false;
        node->kind = (*type)->kind;
        return true;
    }
    if (builder->depth >= TYPE_DEPTH_MAX)
        return error_set(err, COND_FAILED_READ_FILE_TYPE_MISMATCH, "Parquet column [%.200s...] is nested too deeply", path);
    builder->depth++;
    node->leaf = builder->leaf_count;
    bool done;
    if (annotation == PARQUET_LOGICAL_LIST) done = build_list(builder, index, path, place, type, node, err);
    else if (annotation == PARQUET_LOGICAL_MAP) done = build_map(builder, index, path, place, type, node, err);
    else done = build_struct(builder, index, path, place, all, type, node, err);
    builder->depth--;
    if (!done) return false;
    node->kind = (*type)->kind;
    if (builder->leaf_count > node->leaf) builder->leaves[node->leaf].keep_levels = true;
    return true;
}

/* A repeated field outside of LIST and MAP is an array of it: never null, nor its elements. */
static bool build_repeated(struct builder *builder, uint32_t index, const char *path, struct place place, struct field *field,
                           struct read_node *node, struct error *err)
{
    struct place inner = element_place(place);
    const struct type *element;
    node->kind = TYPE_ARRAY;
    node->element_definition = inner.definition;
    node->leaf = builder->leaf_count;
    node->children = ARENA_ARRAY(builder->arena, struct read_node, 1);
    node->child_count = 1;
    node->children[0] = (struct read_node){.slot_definition = inner.slot_definition, .repetition = inner.repetition, .definition = inner.definition};
    if (!build_value(builder, index, path, inner, true, &element, &node->children[0], err)) return false;
    if (builder->leaf_count > node->leaf) builder->leaves[node->leaf].keep_levels = true;
    field->type = type_array(builder->arena, element, false);
    field->nullable = false;
    return true;
}

static bool build_field(struct builder *builder, uint32_t index, const char *path, struct place place, bool all, struct field *field,
                        struct read_node *node, struct error *err)
{
    const struct parquet_schema_element *element = &builder->elements[index];
    *field = (struct field){.name = element_name(builder, index)};
    field->name_size = strlen(field->name);
    field->nullable = element->repetition == PARQUET_OPTIONAL;
    if (field->nullable) place.definition++;
    *node = (struct read_node){.definition = place.definition, .slot_definition = place.slot_definition, .repetition = place.repetition};
    if (element->repetition == PARQUET_REPEATED) return build_repeated(builder, index, path, place, field, node, err);
    return build_value(builder, index, path, place, all, &field->type, node, err);
}

/* --- Spark's own schema --- */

static bool same_layout(enum type_kind a, enum type_kind b)
{
    if (a == b) return true;
    if ((a == TYPE_STRING && b == TYPE_BINARY) || (a == TYPE_BINARY && b == TYPE_STRING)) return true;
    return (a == TYPE_TIMESTAMP && b == TYPE_TIMESTAMP_NTZ) || (a == TYPE_TIMESTAMP_NTZ && b == TYPE_TIMESTAMP);
}

/* The physical type with Spark's names for it: kinds and column metadata; NULL where they contradict each other. */
static const struct type *reconcile(struct arena *arena, const struct type *physical, const struct type *spark)
{
    if (!same_layout(physical->kind, spark->kind) || physical->field_count != spark->field_count) return NULL;
    if (physical->kind == TYPE_DECIMAL && (physical->precision != spark->precision || physical->scale != spark->scale)) return NULL;
    if (!type_is_nested(physical)) return spark;
    struct field *fields = ARENA_ARRAY(arena, struct field, physical->field_count);
    for (size_t i = 0; i < physical->field_count; i++) {
        fields[i] = spark->fields[i];
        fields[i].nullable = physical->fields[i].nullable;
        if (physical->kind == TYPE_STRUCT && strcmp(physical->fields[i].name, spark->fields[i].name) != 0) return NULL;
        fields[i].type = reconcile(arena, physical->fields[i].type, spark->fields[i].type);
        if (!fields[i].type) return NULL;
    }
    if (physical->kind == TYPE_ARRAY) return type_array(arena, fields[0].type, fields[0].nullable);
    if (physical->kind == TYPE_MAP) return type_map(arena, fields[0].type, fields[1].type, fields[1].nullable);
    return type_struct(arena, fields, physical->field_count);
}

bool read_schema_build(const struct parquet_file_metadata *metadata, const char *const *names, const char *spark_json,
                       struct arena *arena, struct read_schema *out, struct error *err)
{
    struct builder builder = {.elements = metadata->schema, .element_count = metadata->schema_count, .names = names, .arena = arena};
    builder.ends = ARENA_ARRAY(arena, uint32_t, metadata->schema_count + 1);
    builder.leaves_before = ARENA_ARRAY(arena, uint32_t, metadata->schema_count + 1);
    uint32_t end = 0, leaves = 0;
    if (!measure(&builder, 0, 0, &end, &leaves, err)) return false;
    if (end != metadata->schema_count || is_leaf(&metadata->schema[0]))
        return error_set(err, COND_INLET_DAMAGED_FILE, "the Parquet schema is not one tree");
    builder.leaves = ARENA_ARRAY(arena, struct read_leaf, leaves + 1);
    struct read_node root = {0};
    const struct type *type;
    if (!build_struct(&builder, 0, "", (struct place){0}, names == NULL, &type, &root, err)) return false;
    const struct type *spark = spark_json && !names ? type_parse_json(arena, slice_text(spark_json), NULL) : NULL;
    const struct type *agreed = spark ? reconcile(arena, type, spark) : NULL;
    *out = (struct read_schema){.type = agreed ? agreed : type, .fields = root.children, .leaves = builder.leaves,
                                .leaf_count = builder.leaf_count, .file_leaf_count = leaves};
    return true;
}
