/* json_slots -- growth, null filling and taking back of column cursors. */
#include "formats/json_slots.h"
#include "base/panic.h"

#include <stdlib.h>
#include <string.h>

enum { ROWS_AT_FIRST = 1024, DATA_AT_FIRST = 16 << 10 };

void ndjson_slots_init(struct ndjson_slots *slots, const struct ndjson_shape *shape, struct budget *budget)
{
    slots->shape = shape;
    slots->budget = budget;
    slots->err = NULL;
    slots->slots = calloc(shape->node_count, sizeof *slots->slots);
    if (!slots->slots) panic_out_of_memory(shape->node_count * sizeof *slots->slots);
}

void ndjson_slots_fini(struct ndjson_slots *slots)
{
    free(slots->slots);
    slots->slots = NULL;
}

static bool has_offsets(enum type_kind kind)
{
    return kind == TYPE_STRING || kind == TYPE_BINARY || kind == TYPE_ARRAY || kind == TYPE_MAP;
}

/* Buffers may have been handed out larger than asked for: use all of them. */
static uint32_t rows_that_fit(const struct column *column)
{
    enum type_kind kind = column->type->kind;
    if (kind == TYPE_VOID) return UINT32_MAX;
    size_t rows = block_size(column->validity) * 8;
    size_t width = type_width(kind);
    if (width && block_size(column->values) / width < rows) rows = block_size(column->values) / width;
    if (kind == TYPE_BOOLEAN && block_size(column->values) * 8 < rows) rows = block_size(column->values) * 8;
    if (has_offsets(kind) && block_size(column->offsets) / sizeof(int32_t) - 1 < rows) rows = block_size(column->offsets) / sizeof(int32_t) - 1;
    return rows < UINT32_MAX ? (uint32_t)rows : UINT32_MAX;
}

static void load_buffers(struct ndjson_slot *slot)
{
    slot->validity = slot->column->validity;
    slot->values = slot->column->values;
    slot->offsets = slot->column->offsets;
    slot->data = slot->column->data;
    slot->capacity = rows_that_fit(slot->column);
    slot->data_capacity = block_size(slot->column->data);
}

static bool bind_slot(struct ndjson_slots *slots, uint32_t index, struct column *column)
{
    const struct ndjson_node *node = &slots->shape->nodes[index];
    struct ndjson_slot *slot = &slots->slots[index];
    memset(slot, 0, sizeof *slot);
    slot->column = column;
    if (!column_reserve(column, slots->budget, ROWS_AT_FIRST, slots->err)) return false;
    if (type_is_bytes(node->type) && !column_reserve_data(column, slots->budget, DATA_AT_FIRST, slots->err)) return false;
    load_buffers(slot);
    if (slot->offsets) slot->offsets[0] = 0;
    for (uint32_t i = 0; i < node->child_count; i++)
        if (!bind_slot(slots, node->children[i], &column->children[i])) return false;
    return true;
}

bool ndjson_slots_bind(struct ndjson_slots *slots, struct chunk *chunk)
{
    const struct ndjson_shape *shape = slots->shape;
    const struct ndjson_node *root = &shape->nodes[0];
    for (uint32_t i = 0; i < root->child_count; i++)
        if (!bind_slot(slots, root->children[i], &chunk->columns[shape->columns[i]])) return false;
    return !shape->corrupt_node || bind_slot(slots, shape->corrupt_node, &chunk->columns[shape->corrupt_column]);
}

static bool ensure_rows(struct ndjson_slots *slots, struct ndjson_slot *slot, uint32_t rows)
{
    if (rows <= slot->capacity) return true;
    uint32_t wanted = slot->capacity < INT32_MAX / 2 ? slot->capacity * 2 : INT32_MAX;
    if (wanted < rows) wanted = rows;
    if (rows > INT32_MAX) return error_set(slots->err, COND_INLET_NO_MEMORY, "a column cannot hold %u values in one chunk", rows);
    if (!column_reserve(slot->column, slots->budget, wanted, slots->err)) return false;
    load_buffers(slot);
    return true;
}

static void clear_bits(uint8_t *bits, uint32_t from, uint32_t to)
{
    for (; from < to && (from & 7); from++) bit_clear(bits, from);
    uint32_t whole = (to - from) & ~7u;
    if (from < to) memset(bits + from / 8, 0, whole / 8);
    for (from += from < to ? whole : 0; from < to; from++) bit_clear(bits, from);
}

static bool fill_nulls(struct ndjson_slots *slots, uint32_t index, uint32_t row)
{
    struct ndjson_slot *slot = &slots->slots[index];
    enum type_kind kind = slots->shape->nodes[index].kind;
    if (slot->length >= row) return true;
    if (!ensure_rows(slots, slot, row)) return false;
    if (kind != TYPE_VOID) clear_bits(slot->validity, slot->length, row);
    size_t width = type_width(kind);
    if (width) memset((uint8_t *)slot->values + slot->length * width, 0, (row - slot->length) * width);
    if (kind == TYPE_BOOLEAN) clear_bits(slot->values, slot->length, row);
    if (slot->offsets)
        for (uint32_t i = slot->length; i < row; i++) slot->offsets[i + 1] = slot->offsets[slot->length];
    slot->length = row;
    return true;
}

bool ndjson_slot_prepare(struct ndjson_slots *slots, uint32_t index, uint32_t row)
{
    debug_invariant(slots->slots[index].length <= row);
    return fill_nulls(slots, index, row) && ensure_rows(slots, &slots->slots[index], row + 1);
}

bool ndjson_slot_grow_data(struct ndjson_slots *slots, struct ndjson_slot *slot, size_t more)
{
    size_t wanted = slot->data_size + more;
    if (wanted <= slot->data_capacity) return true;
    if (wanted < slot->data_capacity * 2 && slot->data_capacity * 2 <= INT32_MAX) wanted = slot->data_capacity * 2;
    if (!column_reserve_data(slot->column, slots->budget, wanted, slots->err)) return false;
    load_buffers(slot);
    return true;
}

void ndjson_slot_truncate(struct ndjson_slots *slots, uint32_t index, uint32_t row)
{
    const struct ndjson_node *node = &slots->shape->nodes[index];
    struct ndjson_slot *slot = &slots->slots[index];
    if (row < slot->length) {
        if (node->kind != TYPE_VOID)
            for (uint32_t i = row; i < slot->length; i++) bit_set(slot->validity, i);
        slot->length = row;
        if (type_is_bytes(node->type)) slot->data_size = (size_t)slot->offsets[row];
    }
    /* The children of a list go back to what whole rows of it own, be they its own rows or not yet. */
    uint32_t child_row = slot->offsets ? (uint32_t)slot->offsets[slot->length] : row;
    for (uint32_t i = 0; i < node->child_count; i++) ndjson_slot_truncate(slots, node->children[i], child_row);
}

void ndjson_slots_truncate(struct ndjson_slots *slots, uint32_t row)
{
    const struct ndjson_node *root = &slots->shape->nodes[0];
    for (uint32_t i = 0; i < root->child_count; i++) ndjson_slot_truncate(slots, root->children[i], row);
    if (slots->shape->corrupt_node) ndjson_slot_truncate(slots, slots->shape->corrupt_node, row);
}

static uint32_t count_nulls(const uint8_t *validity, uint32_t length)
{
    uint32_t valid = 0, i = 0;
    for (; i + 64 <= length; i += 64) {
        uint64_t word;
        memcpy(&word, validity + i / 8, 8);
        valid += (uint32_t)__builtin_popcountll(word);
    }
    for (; i < length; i++) valid += bit_get(validity, i);
    return length - valid;
}

static bool finish_slot(struct ndjson_slots *slots, uint32_t index, uint32_t rows)
{
    const struct ndjson_node *node = &slots->shape->nodes[index];
    struct ndjson_slot *slot = &slots->slots[index];
    if (!fill_nulls(slots, index, rows)) return false;
    slot->column->length = rows;
    slot->column->null_count = node->kind == TYPE_VOID ? rows : count_nulls(slot->validity, rows);
    uint32_t child_rows = slot->offsets ? (uint32_t)slot->offsets[rows] : rows;
    for (uint32_t i = 0; i < node->child_count; i++)
        if (!finish_slot(slots, node->children[i], child_rows)) return false;
    return true;
}

bool ndjson_slots_finish(struct ndjson_slots *slots, uint32_t rows)
{
    const struct ndjson_node *root = &slots->shape->nodes[0];
    for (uint32_t i = 0; i < root->child_count; i++)
        if (!finish_slot(slots, root->children[i], rows)) return false;
    return !slots->shape->corrupt_node || finish_slot(slots, slots->shape->corrupt_node, rows);
}

bool ndjson_slot_put_bytes(struct ndjson_slots *slots, uint32_t index, uint32_t row, const void *bytes, size_t size)
{
    struct ndjson_slot *slot = &slots->slots[index];
    if (!ndjson_slot_open(slots, index, row)) return false;
    if (slot->data_size + size > slot->data_capacity && !ndjson_slot_grow_data(slots, slot, size)) return false;
    if (size) memcpy(slot->data + slot->data_size, bytes, size);
    slot->data_size += size;
    slot->offsets[row + 1] = (int32_t)slot->data_size;
    slot->length = row + 1;
    return true;
}
