/* parquet_schema -- from Spark's types to Parquet's physical schema: elements, leaves, levels. */
#include "formats/parquet_schema.h"
#include "base/panic.h"
#include "base/tree.h"

struct builder {
    struct parquet_layout *layout;
    const struct parquet_layout_options *options;
    struct arena *arena;
    uint32_t element_capacity, leaf_capacity;
    const char **path; /* Names from below the root down to here. */
    uint32_t path_count, path_capacity;
};

/* A place in the tree: what the next element is called and which levels hold above it. */
struct place {
    const char *name;
    enum parquet_repetition repetition;
    uint16_t definition_above, repetition_above;
    const char *metadata_json;
};

int parquet_decimal_bytes(int precision)
{
    static const uint8_t sizes[39] = {0, 1, 1, 2, 2, 3, 3, 4, 4, 4, 5, 5, 6, 6, 6, 7, 7, 8, 8, 9,
                                      9, 9, 10, 10, 11, 11, 11, 12, 12, 13, 13, 13, 14, 14, 15, 15, 16, 16, 16};
    invariant(precision >= 1 && precision <= 38);
    return sizes[precision];
}

/* Doubles an arena array; the old copy dies with the arena. */
static void *grown(struct arena *arena, const void *old, uint32_t count, uint32_t *capacity, size_t width)
{
    *capacity = *capacity ? *capacity * 2 : 32;
    void *larger = arena_alloc(arena, *capacity * width);
    if (count) memcpy(larger, old, count * width);
    return larger;
}

static struct parquet_schema_element *add_element(struct builder *builder, const char *name, int32_t repetition)
{
    struct parquet_layout *layout = builder->layout;
    if (layout->element_count == builder->element_capacity) {
        layout->elements = grown(builder->arena, layout->elements, layout->element_count, &builder->element_capacity, sizeof(*layout->elements));
    }
    struct parquet_schema_element *element = &layout->elements[layout->element_count++];
    element->physical = -1;
    element->repetition = repetition;
    element->converted = PARQUET_CONVERTED_NONE;
    element->name = slice_text(name);
    return element;
}

static void push_name(struct builder *builder, const char *name)
{
    if (builder->path_count == builder->path_capacity) {
        builder->path = grown(builder->arena, builder->path, builder->path_count, &builder->path_capacity, sizeof(char *));
    }
    builder->path[builder->path_count++] = name;
}

static void set_field_id(struct builder *builder, struct parquet_schema_element *element, const char *metadata_json)
{
    if (!metadata_json || !builder->options->write_field_ids) return;
    const struct tree *metadata = tree_parse_json(builder->arena, slice_text(metadata_json), NULL);
    const struct tree *id = metadata ? tree_get(metadata, "parquet.field.id") : NULL;
    if (!id || id->kind != TREE_INT || id->integer < INT32_MIN || id->integer > INT32_MAX) return;
    element->has_field_id = true;
    element->field_id = (int32_t)id->integer;
}

static void annotate(struct parquet_schema_element *element, enum parquet_converted converted, enum parquet_logical_kind kind)
{
    element->converted = converted;
    element->logical.kind = kind;
}

static void annotate_integer(struct parquet_schema_element *element, enum parquet_converted converted, int bits)
{
    annotate(element, converted, PARQUET_LOGICAL_INTEGER);
    element->logical.bit_width = bits;
    element->logical.is_signed = true;
}

static void annotate_timestamp(struct parquet_schema_element *element, bool utc, enum parquet_time_unit unit)
{
    enum parquet_converted converted = unit == PARQUET_MILLIS ? PARQUET_CONVERTED_TIMESTAMP_MILLIS : PARQUET_CONVERTED_TIMESTAMP_MICROS;
    annotate(element, utc ? converted : PARQUET_CONVERTED_NONE, PARQUET_LOGICAL_TIMESTAMP);
    element->logical.adjusted_to_utc = utc;
    element->logical.unit = unit;
}

static void set_physical(struct parquet_leaf *leaf, enum parquet_physical physical, enum parquet_transfer transfer)
{
    leaf->physical = physical;
    leaf->transfer = transfer;
}

static void define_decimal(struct builder *builder, struct parquet_leaf *leaf, struct parquet_schema_element *element)
{
    const struct type *type = leaf->type;
    annotate(element, PARQUET_CONVERTED_DECIMAL, PARQUET_LOGICAL_DECIMAL);
    element->precision = element->logical.precision = type->precision;
    element->scale = element->logical.scale = type->scale;
    if (type->precision <= 9 && !builder->options->legacy) {
        set_physical(leaf, PARQUET_INT32, PARQUET_TRANSFER_NARROW);
    } else if (type->precision <= 18 && !builder->options->legacy) {
        set_physical(leaf, PARQUET_INT64, PARQUET_TRANSFER_NARROW);
    } else {
        set_physical(leaf, PARQUET_FIXED, PARQUET_TRANSFER_FIXED);
        leaf->type_length = element->type_length = parquet_decimal_bytes(type->precision);
    }
}

static void define_timestamp(struct builder *builder, struct parquet_leaf *leaf, struct parquet_schema_element *element)
{
    switch (builder->options->timestamps) {
    case PARQUET_TIMESTAMP_INT96: set_physical(leaf, PARQUET_INT96, PARQUET_TRANSFER_INT96); break;
    case PARQUET_TIMESTAMP_MILLIS:
        set_physical(leaf, PARQUET_INT64, PARQUET_TRANSFER_MILLIS);
        annotate_timestamp(element, true, PARQUET_MILLIS);
        break;
    case PARQUET_TIMESTAMP_MICROS:
        set_physical(leaf, PARQUET_INT64, PARQUET_TRANSFER_SAME);
        annotate_timestamp(element, true, PARQUET_MICROS);
        break;
    }
}

static void define_leaf(struct builder *builder, struct parquet_leaf *leaf, struct parquet_schema_element *element)
{
    switch (leaf->type->kind) {
    case TYPE_BOOLEAN: set_physical(leaf, PARQUET_BOOLEAN, PARQUET_TRANSFER_BITS); break;
    case TYPE_TINYINT:
        set_physical(leaf, PARQUET_INT32, PARQUET_TRANSFER_WIDEN);
        annotate_integer(element, PARQUET_CONVERTED_INT_8, 8);
        break;
    case TYPE_SMALLINT:
        set_physical(leaf, PARQUET_INT32, PARQUET_TRANSFER_WIDEN);
        annotate_integer(element, PARQUET_CONVERTED_INT_16, 16);
        break;
    case TYPE_INT: set_physical(leaf, PARQUET_INT32, PARQUET_TRANSFER_SAME); break;
    case TYPE_BIGINT: set_physical(leaf, PARQUET_INT64, PARQUET_TRANSFER_SAME); break;
    case TYPE_FLOAT: set_physical(leaf, PARQUET_FLOAT, PARQUET_TRANSFER_SAME); break;
    case TYPE_DOUBLE: set_physical(leaf, PARQUET_DOUBLE, PARQUET_TRANSFER_SAME); break;
    case TYPE_DECIMAL: define_decimal(builder, leaf, element); break;
    case TYPE_STRING:
        set_physical(leaf, PARQUET_BYTE_ARRAY, PARQUET_TRANSFER_BYTES);
        annotate(element, PARQUET_CONVERTED_UTF8, PARQUET_LOGICAL_STRING);
        leaf->is_text = true;
        break;
    case TYPE_BINARY: set_physical(leaf, PARQUET_BYTE_ARRAY, PARQUET_TRANSFER_BYTES); break;
    case TYPE_DATE:
        set_physical(leaf, PARQUET_INT32, PARQUET_TRANSFER_SAME);
        annotate(element, PARQUET_CONVERTED_DATE, PARQUET_LOGICAL_DATE);
        break;
    case TYPE_TIMESTAMP: define_timestamp(builder, leaf, element); break;
    case TYPE_TIMESTAMP_NTZ:
        set_physical(leaf, PARQUET_INT64, PARQUET_TRANSFER_SAME);
        annotate_timestamp(element, false, PARQUET_MICROS);
        break;
    default:
        invariant(leaf->type->kind == TYPE_VOID);
        set_physical(leaf, PARQUET_BOOLEAN, PARQUET_TRANSFER_VOID);
        annotate(element, PARQUET_CONVERTED_NONE, PARQUET_LOGICAL_UNKNOWN);
    }
    element->physical = (int32_t)leaf->physical;
}

static void add_leaf(struct builder *builder, struct parquet_node *node, struct parquet_schema_element *element)
{
    struct parquet_layout *layout = builder->layout;
    if (layout->leaf_count == builder->leaf_capacity) {
        layout->leaves = grown(builder->arena, layout->leaves, layout->leaf_count, &builder->leaf_capacity, sizeof(*layout->leaves));
    }
    struct parquet_leaf *leaf = &layout->leaves[layout->leaf_count];
    node->leaf = layout->leaf_count++;
    leaf->type = node->type;
    leaf->definition = node->definition;
    leaf->repetition = node->repetition;
    leaf->path_count = builder->path_count;
    leaf->path = ARENA_ARRAY(builder->arena, const char *, leaf->path_count);
    memcpy(leaf->path, builder->path, leaf->path_count * sizeof(char *));
    define_leaf(builder, leaf, element);
}

static bool add_node(struct builder *builder, struct parquet_node *node, const struct type *type, const struct place *place, struct error *err);

static struct parquet_node *add_children(struct builder *builder, struct parquet_node *node, uint32_t count)
{
    node->children = ARENA_ARRAY(builder->arena, struct parquet_node, count);
    node->child_count = count;
    return node->children;
}

static bool add_struct(struct builder *builder, struct parquet_node *node, uint32_t element, struct error *err)
{
    const struct type *type = node->type;
    if (type->field_count == 0) {
        return error_set(err, COND_EMPTY_SCHEMA_NOT_SUPPORTED,
                         "the parquet datasource does not support writing empty or nested empty schemas; "
                         "make sure that the data schema has at least one column");
    }
    builder->layout->elements[element].child_count = (int32_t)type->field_count;
    struct parquet_node *children = add_children(builder, node, (uint32_t)type->field_count);
    for (size_t i = 0; i < type->field_count; i++) {
        const struct field *field = &type->fields[i];
        struct place place = {field->name, field->nullable || field->type->kind == TYPE_VOID ? PARQUET_OPTIONAL : PARQUET_REQUIRED, node->definition,
                              node->repetition, field->metadata_json};
        if (!add_node(builder, &children[i], field->type, &place, err)) return false;
    }
    return true;
}

/* Standard: group (LIST) { repeated group list { element } }. Legacy: { repeated group bag { optional array } }, and
 * where elements cannot be null { repeated array } without a group between, which changes no level. */
static bool add_array(struct builder *builder, struct parquet_node *node, uint32_t element, struct error *err)
{
    const struct field *field = &node->type->fields[0];
    bool nullable = field->nullable || field->type->kind == TYPE_VOID;
    bool legacy = builder->options->legacy;
    annotate(&builder->layout->elements[element], PARQUET_CONVERTED_LIST, PARQUET_LOGICAL_LIST);
    builder->layout->elements[element].child_count = 1;
    struct parquet_node *child = add_children(builder, node, 1);
    struct place place = {legacy ? "array" : "element", nullable ? PARQUET_OPTIONAL : PARQUET_REQUIRED,
                          (uint16_t)(node->definition + 1), (uint16_t)(node->repetition + 1), NULL};
    if (legacy && !nullable) {
        place.repetition = PARQUET_REPEATED;
        return add_node(builder, child, field->type, &place, err);
    }
    const char *wrapper = legacy ? "bag" : "list";
    add_element(builder, wrapper, PARQUET_REPEATED)->child_count = 1;
    push_name(builder, wrapper);
    if (!add_node(builder, child, field->type, &place, err)) return false;
    builder->path_count--;
    return true;
}

static bool add_map(struct builder *builder, struct parquet_node *node, uint32_t element, struct error *err)
{
    annotate(&builder->layout->elements[element], PARQUET_CONVERTED_MAP, PARQUET_LOGICAL_MAP);
    builder->layout->elements[element].child_count = 1;
    struct parquet_schema_element *entries = add_element(builder, "key_value", PARQUET_REPEATED);
    entries->child_count = 2;
    if (builder->options->legacy) entries->converted = PARQUET_CONVERTED_MAP_KEY_VALUE;
    push_name(builder, "key_value");
    struct parquet_node *children = add_children(builder, node, 2);
    for (size_t i = 0; i < 2; i++) {
        const struct field *field = &node->type->fields[i];
        bool nullable = i == 1 && (field->nullable || field->type->kind == TYPE_VOID);
        struct place place = {i ? "value" : "key", nullable ? PARQUET_OPTIONAL : PARQUET_REQUIRED, (uint16_t)(node->definition + 1),
                              (uint16_t)(node->repetition + 1), NULL};
        if (!add_node(builder, &children[i], field->type, &place, err)) return false;
    }
    builder->path_count--;
    return true;
}

static bool add_node(struct builder *builder, struct parquet_node *node, const struct type *type, const struct place *place, struct error *err)
{
    node->type = type;
    node->name = place->name;
    node->optional = place->repetition == PARQUET_OPTIONAL;
    node->definition = (uint16_t)(place->definition_above + node->optional);
    node->repetition = place->repetition_above;
    uint32_t index = builder->layout->element_count;
    struct parquet_schema_element *element = add_element(builder, place->name, (int32_t)place->repetition);
    set_field_id(builder, element, place->metadata_json);
    push_name(builder, place->name);
    bool ok = true;
    if (type->kind == TYPE_STRUCT) ok = add_struct(builder, node, index, err);
    else if (type->kind == TYPE_ARRAY) ok = add_array(builder, node, index, err);
    else if (type->kind == TYPE_MAP) ok = add_map(builder, node, index, err);
    else add_leaf(builder, node, element);
    builder->path_count--;
    return ok;
}

struct parquet_layout *parquet_layout_new(const struct type *schema, const struct parquet_layout_options *options,
                                          struct arena *arena, struct error *err)
{
    invariant(schema->kind == TYPE_STRUCT);
    struct parquet_layout *layout = ARENA_NEW(arena, struct parquet_layout);
    struct builder builder = {.layout = layout, .options = options, .arena = arena};
    layout->root.type = schema;
    layout->root.name = "spark_schema";
    add_element(&builder, layout->root.name, -1);
    return add_struct(&builder, &layout->root, 0, err) ? layout : NULL;
}
