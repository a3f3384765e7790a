/* json_shape -- builds the tree of columns, level by level. */
#include "formats/json_shape.h"

#include <string.h>
#include <strings.h>

struct builder {
    struct ndjson_shape *shape;
    struct arena *arena;
    struct error *err;
    bool case_sensitive;
};

static bool refuse(struct builder *builder, const char *name, const struct type *type)
{
    struct buffer text = {0};
    type_print_ddl(type, &text);
    error_set(builder->err, COND_UNSUPPORTED_DATA_TYPE_FOR_DATASOURCE, "the JSON datasource doesn't support the column `%s` of the type \"%s\"", name, buffer_string(&text));
    buffer_free(&text);
    return error_hint(builder->err, "Keys of a JSON object are strings: declare the map's key as STRING.");
}

static uint32_t count_nodes(const struct type *type)
{
    uint32_t count = 1;
    if (type_is_nested(type))
        for (size_t i = 0; i < type->field_count; i++) count += count_nodes(type->fields[i].type);
    return count;
}

static bool check_names(struct builder *builder, const struct type *type)
{
    for (size_t i = 0; i < type->field_count; i++) {
        const struct field *field = &type->fields[i];
        int found = schema_find(type, field->name, field->name_size, builder->case_sensitive);
        if (found == (int)i) continue;
        return error_set(builder->err, COND_COLUMN_ALREADY_EXISTS, "the column `%s` already exists; choose another name or rename the existing column", field->name);
    }
    return true;
}

static void make_table(struct builder *builder, struct ndjson_node *node)
{
    uint32_t size = 8;
    while (size < node->child_count * 2 + 2) size *= 2;
    uint32_t *table = ARENA_ARRAY(builder->arena, uint32_t, size);
    for (uint32_t i = 0; i < node->child_count; i++) {
        const struct ndjson_node *child = &builder->shape->nodes[node->children[i]];
        uint32_t at = ndjson_name_hash((const uint8_t *)child->name, child->name_size) & (size - 1);
        while (table[at]) at = (at + 1) & (size - 1);
        table[at] = i + 1;
    }
    node->table = table;
    node->table_mask = size - 1;
}

static uint32_t add_node(struct builder *builder, const struct type *type, const struct field *field)
{
    uint32_t index = builder->shape->node_count++;
    struct ndjson_node *node = &builder->shape->nodes[index];
    node->type = type;
    node->kind = type->kind;
    node->index = index;
    if (!field) return index;
    char *name = arena_alloc(builder->arena, field->name_size + 16);
    memcpy(name, field->name, field->name_size);
    node->name = name;
    node->name_size = field->name_size;
    return index;
}

static bool fill_node(struct builder *builder, uint32_t index, int skipped, uint32_t depth);

static bool fill_children(struct builder *builder, uint32_t index, int skipped, uint32_t depth)
{
    struct ndjson_node *node = &builder->shape->nodes[index];
    const struct type *type = node->type;
    uint32_t *children = ARENA_ARRAY(builder->arena, uint32_t, type->field_count + 1);
    node->children = children;
    for (size_t i = 0; i < type->field_count; i++) {
        if ((int)i == skipped) continue;
        children[node->child_count++] = add_node(builder, type->fields[i].type, &type->fields[i]);
    }
    for (uint32_t i = 0; i < node->child_count; i++)
        if (!fill_node(builder, children[i], -1, depth)) return false;
    return true;
}

static bool fill_node(struct builder *builder, uint32_t index, int skipped, uint32_t depth)
{
    struct ndjson_node *node = &builder->shape->nodes[index];
    node->depth = depth - 1;
    if (!type_is_nested(node->type)) return true;
    if (depth > builder->shape->depth) builder->shape->depth = depth;
    if (node->kind == TYPE_MAP && node->type->fields[0].type->kind != TYPE_STRING) return refuse(builder, node->name, node->type);
    if (node->kind == TYPE_STRUCT && !check_names(builder, node->type)) return false;
    if (!fill_children(builder, index, skipped, depth + 1)) return false;
    if (node->kind == TYPE_STRUCT) make_table(builder, node);
    return true;
}

static void add_columns(struct builder *builder, const struct type *schema, int corrupt_column)
{
    uint32_t *columns = ARENA_ARRAY(builder->arena, uint32_t, schema->field_count + 1);
    uint32_t count = 0;
    for (size_t i = 0; i < schema->field_count; i++)
        if ((int)i != corrupt_column) columns[count++] = (uint32_t)i;
    builder->shape->columns = columns;
    if (corrupt_column < 0) return;
    builder->shape->corrupt_column = (uint32_t)corrupt_column;
    builder->shape->corrupt_node = add_node(builder, schema->fields[corrupt_column].type, &schema->fields[corrupt_column]);
}

const struct ndjson_shape *ndjson_shape_new(const struct type *schema, int corrupt_column, bool case_sensitive, struct arena *arena, struct error *err)
{
    struct builder builder = {.shape = ARENA_NEW(arena, struct ndjson_shape), .arena = arena, .err = err, .case_sensitive = case_sensitive};
    builder.shape->nodes = ARENA_ARRAY(arena, struct ndjson_node, count_nodes(schema) + 1);
    if (corrupt_column >= 0 && schema->fields[corrupt_column].type->kind != TYPE_STRING) {
        struct buffer text = {0};
        type_print_ddl(schema->fields[corrupt_column].type, &text);
        error_set(err, COND_INVALID_CORRUPT_RECORD_TYPE, "the column `%s` for corrupt records must have the nullable STRING type, but got \"%s\"",
                  schema->fields[corrupt_column].name, buffer_string(&text));
        buffer_free(&text);
        return NULL;
    }
    uint32_t root = add_node(&builder, schema, NULL);
    if (!fill_node(&builder, root, corrupt_column, 1)) return NULL;
    add_columns(&builder, schema, corrupt_column);
    return builder.shape;
}
