/* json_shape -- the columns that a JSON reader fills, as a tree with names to look up.
 *
 * Immutable, shared by all scans. Node 0 is the record; its children are the columns, without the
 * corrupt record column, which is the last node and nobody's child. Each node has a slot
 * (json_slots.h) of the same index. */
#pragma once
#include "columns/type.h"

struct ndjson_node {
    const struct type *type;
    enum type_kind kind;
    uint32_t index;            /* Of this node, and of its slot. */
    uint32_t depth;            /* Containers around a value of this node; 0 for the record. */
    uint32_t child_count;      /* STRUCT: fields; ARRAY: 1; MAP: 2 (key, value). */
    const uint32_t *children;  /* Their indices. */
    const char *name;          /* As a field of a STRUCT: its name, followed by at least 8 zero bytes. */
    size_t name_size;
    const uint32_t *table;     /* STRUCT: open hash table of child number + 1; 0: free. */
    uint32_t table_mask;
};

struct ndjson_shape {
    struct ndjson_node *nodes;
    uint32_t node_count;
    const uint32_t *columns;   /* Column of the chunk for child i of node 0. */
    uint32_t corrupt_node;     /* Index of the corrupt record column's node, or 0. */
    uint32_t corrupt_column;
    uint32_t depth;            /* Levels of nesting, 1 for a flat record. */
};

/* Refuses types that JSON cannot fill, and names that clash. */
const struct ndjson_shape *ndjson_shape_new(const struct type *schema, int corrupt_column, bool case_sensitive, struct arena *arena, struct error *err) MUST_CHECK;

/* Needs 8 readable bytes at name. */
static ALWAYS_INLINE uint32_t ndjson_name_hash(const uint8_t *name, size_t size)
{
    uint64_t first, last = 0;
    memcpy(&first, name, 8);
    if (size >= 8) memcpy(&last, name + size - 8, 8);
    else first &= ((uint64_t)1 << (8 * size)) - 1;
    uint64_t mixed = (first ^ (last << 1) ^ size) * UINT64_C(0x9E3779B97F4A7C15);
    return (uint32_t)(mixed >> 32);
}

/* Child number of the field of that name, or -1. Exact, case-sensitive. Needs 8 readable bytes at name. */
static inline int32_t ndjson_find_field(const struct ndjson_shape *shape, const struct ndjson_node *node, const uint8_t *name, size_t size)
{
    for (uint32_t i = ndjson_name_hash(name, size);; i++) {
        uint32_t entry = node->table[i & node->table_mask];
        if (!entry) return -1;
        const struct ndjson_node *child = &shape->nodes[node->children[entry - 1]];
        if (child->name_size == size && memcmp(child->name, name, size) == 0) return (int32_t)entry - 1;
    }
}
