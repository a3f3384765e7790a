/* parquet_levels -- levels of nested columns, and the RLE / bit-packed hybrid encoding. */
#include "formats/parquet_levels.h"
#include "base/panic.h"

#include <stdlib.h>

/* ---- the hybrid ----
 *
 * A packed run costs a header byte and `width` bytes per group of 8; a run costs a header and the value. A
 * short run between packed groups is cheaper packed too. One header byte holds 63 groups; its place is
 * kept open until the run of groups ends. */

/* Room for whatever `count` more values become: a group takes at most a header, its bits and a run before it.
 * So nothing below needs to look at the buffer's end; 16 bytes may be written where `width` count. */
static void reserve_values(struct hybrid *hybrid, size_t count)
{
    size_t groups = count / 8 + 4;
    buffer_reserve(&hybrid->out, groups * (hybrid->width + 8) + 64);
}

static void put_run(struct hybrid *hybrid, uint16_t value, size_t count)
{
    uint8_t *at = hybrid->out.data + hybrid->out.size;
    size_t size = 0;
    uint64_t header = (uint64_t)count << 1;
    while (header >= 0x80) {
        at[size++] = (uint8_t)(header | 0x80);
        header >>= 7;
    }
    at[size++] = (uint8_t)header;
    if (hybrid->width > 0) at[size++] = (uint8_t)value;
    if (hybrid->width > 8) at[size++] = (uint8_t)(value >> 8);
    hybrid->out.size += size;
}

static void close_packed(struct hybrid *hybrid)
{
    if (hybrid->header == 0) return;
    hybrid->out.data[hybrid->header - 1] = (uint8_t)(hybrid->packed_groups << 1 | 1);
    hybrid->header = 0;
}

static uint8_t *open_group(struct hybrid *hybrid)
{
    if (hybrid->header != 0 && hybrid->packed_groups == 63) close_packed(hybrid);
    if (hybrid->header == 0) {
        hybrid->header = ++hybrid->out.size;
        hybrid->packed_groups = 0;
    }
    hybrid->packed_groups++;
    uint8_t *at = hybrid->out.data + hybrid->out.size;
    hybrid->out.size += hybrid->width;
    return at;
}

/* Eight values of at most 16 bits, least significant first: two halves of 4 * width bits. */
static ALWAYS_INLINE void pack_group(uint8_t *at, const uint16_t *values, unsigned width)
{
    uint64_t low = (uint64_t)values[0] | (uint64_t)values[1] << width | (uint64_t)values[2] << (2 * width) | (uint64_t)values[3] << (3 * width);
    uint64_t high = (uint64_t)values[4] | (uint64_t)values[5] << width | (uint64_t)values[6] << (2 * width) | (uint64_t)values[7] << (3 * width);
    unsigned __int128 both = (unsigned __int128)high << (4 * width) | low;
    memcpy(at, &both, sizeof both);
}

static void put_group(struct hybrid *hybrid, const uint16_t *values) { pack_group(open_group(hybrid), values, hybrid->width); }

static void flush_run(struct hybrid *hybrid)
{
    if (hybrid->run_groups == 0) return;
    size_t cost_of_run = 2 + (hybrid->width > 8) + (hybrid->header != 0);
    if (hybrid->run_groups * hybrid->width <= cost_of_run && hybrid->header != 0) {
        uint16_t group[8];
        for (int i = 0; i < 8; i++) group[i] = hybrid->run_value;
        for (size_t i = 0; i < hybrid->run_groups; i++) put_group(hybrid, group);
    } else {
        close_packed(hybrid);
        put_run(hybrid, hybrid->run_value, hybrid->run_groups * 8);
    }
    hybrid->run_groups = 0;
}

static void add_run_groups(struct hybrid *hybrid, uint16_t value, size_t groups)
{
    if (hybrid->run_groups != 0 && hybrid->run_value != value) flush_run(hybrid);
    hybrid->run_value = value;
    hybrid->run_groups += groups;
}

static ALWAYS_INLINE bool group_is_uniform(const uint16_t *values)
{
    uint64_t a, b;
    memcpy(&a, values, 8);
    memcpy(&b, values + 4, 8);
    return a == b && a == (a & 0xFFFF) * UINT64_C(0x0001000100010001);
}

static void add_group(struct hybrid *hybrid, const uint16_t *values)
{
    if (group_is_uniform(values)) {
        add_run_groups(hybrid, values[0], 1);
        return;
    }
    flush_run(hybrid);
    put_group(hybrid, values);
}

void hybrid_start(struct hybrid *hybrid, unsigned width)
{
    invariant(width <= 16);
    buffer_clear(&hybrid->out);
    hybrid->width = width;
    hybrid->carry_count = 0;
    hybrid->run_groups = 0;
    hybrid->header = 0;
    hybrid->packed_groups = 0;
}

static void add_carry(struct hybrid *hybrid, uint16_t value)
{
    hybrid->carry[hybrid->carry_count++] = value;
    if (hybrid->carry_count < 8) return;
    hybrid->carry_count = 0;
    add_group(hybrid, hybrid->carry);
}

void hybrid_run(struct hybrid *hybrid, uint16_t value, size_t count)
{
    reserve_values(hybrid, 16);
    while (count > 0 && hybrid->carry_count > 0) {
        add_carry(hybrid, value);
        count--;
    }
    if (count >= 8) add_run_groups(hybrid, value, count / 8);
    for (count %= 8; count > 0; count--) add_carry(hybrid, value);
}

void hybrid_values(struct hybrid *hybrid, const uint16_t *values, size_t count)
{
    reserve_values(hybrid, count);
    while (count > 0 && hybrid->carry_count > 0) {
        add_carry(hybrid, *values++);
        count--;
    }
    for (; count >= 8; count -= 8, values += 8) add_group(hybrid, values);
    for (; count > 0; count--) add_carry(hybrid, *values++);
}

/* A byte of validity is a packed group of width 1 as it stands. */
static void add_bit_group(struct hybrid *hybrid, uint8_t byte)
{
    if (byte == 0 || byte == 0xFF) {
        add_run_groups(hybrid, byte & 1, 1);
        return;
    }
    flush_run(hybrid);
    *open_group(hybrid) = byte;
}

void hybrid_bits(struct hybrid *hybrid, const uint8_t *bits, size_t bit_start, size_t count)
{
    invariant(hybrid->width == 1);
    reserve_values(hybrid, count);
    size_t at = bit_start, end = bit_start + count;
    while (at < end && hybrid->carry_count > 0) add_carry(hybrid, bit_get(bits, at++));
    unsigned shift = at & 7;
    for (; end - at >= 8; at += 8) {
        const uint8_t *byte = bits + (at >> 3);
        uint8_t group = shift == 0 ? *byte : (uint8_t)(byte[0] >> shift | byte[1] << (8 - shift));
        add_bit_group(hybrid, group);
    }
    while (at < end) add_carry(hybrid, bit_get(bits, at++));
}

static bool carry_is(const struct hybrid *hybrid, uint16_t value)
{
    for (unsigned i = 0; i < hybrid->carry_count; i++) {
        if (hybrid->carry[i] != value) return false;
    }
    return true;
}

void hybrid_finish(struct hybrid *hybrid)
{
    unsigned count = hybrid->carry_count;
    reserve_values(hybrid, 16);
    if (count > 0 && hybrid->run_groups > 0 && carry_is(hybrid, hybrid->run_value)) {
        close_packed(hybrid);
        put_run(hybrid, hybrid->run_value, hybrid->run_groups * 8 + count);
        count = 0;
        hybrid->run_groups = 0;
    }
    flush_run(hybrid);
    if (count > 0 && hybrid->header == 0 && carry_is(hybrid, hybrid->carry[0])) {
        put_run(hybrid, hybrid->carry[0], count);
    } else if (count > 0) {
        memset(hybrid->carry + count, 0, (8 - count) * sizeof(uint16_t));
        put_group(hybrid, hybrid->carry);
    }
    close_packed(hybrid);
    hybrid->carry_count = 0;
}

void hybrid_free(struct hybrid *hybrid) { buffer_free(&hybrid->out); }

unsigned hybrid_width(uint32_t value_max) { return value_max == 0 ? 1 : 32 - (unsigned)__builtin_clz(value_max); }

/* ---- levels ---- */

/* The slots at one node. definitions NULL: every slot stands for a row and has level `full`. */
struct slots {
    uint32_t count;
    uint32_t row_start, rows;      /* Range of the column at this node; slots of level >= floor stand for its rows, in order. */
    uint16_t full;                 /* Level of a slot where everything down to here is present. */
    uint16_t floor;                /* Level at which a slot stands for a row. */
    const uint16_t *definitions, *repetitions;
};

size_t bits_count(const uint8_t *bits, size_t start, size_t count)
{
    size_t total = 0, at = start, end = start + count;
    for (; at < end && (at & 63); at++) total += bit_get(bits, at);
    for (; end - at >= 64; at += 64) {
        uint64_t word;
        memcpy(&word, bits + (at >> 3), 8);
        total += (size_t)__builtin_popcountll(word);
    }
    for (; at < end; at++) total += bit_get(bits, at);
    return total;
}

static uint16_t *push_array(struct level_walk *walk, size_t count)
{
    if (walk->scratch_count == walk->scratch_capacity) {
        size_t capacity = walk->scratch_capacity ? walk->scratch_capacity * 2 : 8;
        struct buffer *larger = realloc(walk->scratch, capacity * sizeof *larger);
        if (!larger) panic_out_of_memory(capacity * sizeof *larger);
        memset(larger + walk->scratch_capacity, 0, (capacity - walk->scratch_capacity) * sizeof *larger);
        walk->scratch = larger;
        walk->scratch_capacity = capacity;
    }
    struct buffer *array = &walk->scratch[walk->scratch_count++];
    buffer_clear(array);
    return (uint16_t *)(void *)buffer_reserve(array, count * sizeof(uint16_t) + 16);
}

static bool has_nulls(const struct column *column) { return column->type->kind == TYPE_VOID ? column->length > 0 : column->null_count > 0; }

static size_t count_valid(const struct column *column, uint32_t row_start, uint32_t rows)
{
    if (!has_nulls(column)) return rows;
    return column->validity ? bits_count(column->validity, row_start, rows) : 0;
}

static bool row_is_valid(const struct column *column, size_t row) { return column->validity && bit_get(column->validity, row); }

/* A NOT NULL column may be null only where something above it is. */
static bool check_required(const struct slots *slots, const struct column *column, const char *name, struct error *err)
{
    if (!has_nulls(column)) return true;
    size_t row = slots->row_start;
    for (uint32_t i = 0; i < slots->count; i++) {
        uint16_t level = slots->definitions ? slots->definitions[i] : slots->full;
        if (level < slots->floor) continue;
        if (level == slots->full && !row_is_valid(column, row)) {
            return error_set(err, COND_TASK_WRITE_FAILED, "column %s is NOT NULL, but a row has no value for it", name);
        }
        row++;
    }
    return true;
}

/* One level more for the slots whose row is valid. */
static void define_optional(const struct slots *above, const struct column *column, uint16_t *out)
{
    const uint16_t full = above->full;
    size_t row = above->row_start;
    if (!has_nulls(column)) {
        for (uint32_t i = 0; i < above->count; i++) out[i] = (uint16_t)(above->definitions[i] + (above->definitions[i] == full));
        return;
    }
    for (uint32_t i = 0; i < above->count; i++) {
        uint16_t level = above->definitions ? above->definitions[i] : full;
        if (level >= above->floor) {
            bool valid = row_is_valid(column, row++);
            level = (uint16_t)(level + (valid & (level == full)));
        }
        out[i] = level;
    }
}

static struct slots enter_optional(struct level_walk *walk, const struct slots *above, const struct column *column)
{
    struct slots slots = *above;
    slots.full++;
    if (!above->definitions && !has_nulls(column)) {
        slots.floor++; /* Uniform: every slot stands for a row at the new level too. */
        return slots;
    }
    uint16_t *out = push_array(walk, above->count);
    define_optional(above, column, out);
    slots.definitions = out;
    return slots;
}

static uint32_t count_level(const uint16_t *levels, uint32_t count, uint16_t wanted)
{
    uint32_t total = 0;
    for (uint32_t i = 0; i < count; i++) total += levels[i] == wanted;
    return total;
}

/* The leaf's own bit is not expanded where the whole chunk above is present: validity is the level stream. */
static bool emit_leaf(struct level_walk *walk, const struct parquet_node *node, const struct slots *above, const struct column *column, struct error *err)
{
    struct slots slots = *above;
    struct leaf_levels levels = {.slot_count = above->count, .full = node->definition, .level = above->full, .repetitions = above->repetitions};
    uint32_t valid = (uint32_t)count_valid(column, above->row_start, above->rows);
    levels.value_count = valid;
    if (!node->optional) {
        if (!check_required(above, column, node->name, err)) return false;
    } else if (above->definitions) {
        slots = enter_optional(walk, above, column);
    } else if (valid == above->rows) {
        levels.level = node->definition;
    } else if (valid > 0) {
        levels.bits = column->validity;
        levels.bit_start = above->row_start;
    }
    if (slots.definitions) {
        levels.definitions = slots.definitions;
        uint32_t present = count_level(slots.definitions, slots.count, node->definition);
        if (present != valid) {
            return error_set(err, COND_INLET_INTERNAL, "column %s holds %u values where its parents have room for %u", node->name, valid, present);
        }
    }
    return walk->leaf(walk->user, node->leaf, column, above->row_start, above->rows, &levels, err);
}

static bool walk_node(struct level_walk *walk, const struct parquet_node *node, const struct slots *above, const struct column *column, struct error *err);

static void set_levels(uint16_t *levels, uint16_t level, size_t count)
{
    for (size_t i = 0; i < count; i++) levels[i] = level;
}

/* The slots of a list's elements: one for each element, one for each list that is null or empty. All are
 * first taken for further elements; then each list puts its own level where it begins. */
static bool expand_list(struct level_walk *walk, const struct parquet_node *node, const struct slots *list, const struct column *column,
                        struct slots *out, struct error *err)
{
    bool has_rows = list->rows > 0 && column->offsets; /* No offsets: nothing but nulls. */
    const int32_t *offsets = has_rows ? column->offsets + list->row_start : NULL;
    uint32_t elements = has_rows ? (uint32_t)(offsets[list->rows] - offsets[0]) : 0;
    size_t most = (size_t)list->count + elements;
    uint16_t *definitions = push_array(walk, most), *repetitions = push_array(walk, most);
    const uint16_t element_level = (uint16_t)(list->full + 1);
    set_levels(definitions, element_level, most);
    set_levels(repetitions, (uint16_t)(node->repetition + 1), most);
    uint32_t at = 0, row = 0;
    for (uint32_t i = 0; i < list->count; i++) {
        uint16_t level = list->definitions ? list->definitions[i] : list->full;
        uint32_t length = 0;
        if (level >= list->floor && has_rows) {
            length = (uint32_t)(offsets[row + 1] - offsets[row]);
            row++;
        }
        if (level != list->full && length != 0) return error_set(err, COND_INLET_INTERNAL, "a null in column %s has elements", node->name);
        repetitions[at] = list->repetitions ? list->repetitions[i] : 0;
        definitions[at] = length ? element_level : level;
        at += length ? length : 1;
    }
    *out = (struct slots){.count = at, .row_start = has_rows ? (uint32_t)offsets[0] : 0, .rows = elements, .full = element_level,
                          .floor = element_level, .definitions = at == elements ? NULL : definitions, .repetitions = repetitions};
    return true;
}

static bool walk_children(struct level_walk *walk, const struct parquet_node *node, const struct slots *slots, const struct column *column, struct error *err)
{
    for (uint32_t i = 0; i < node->child_count; i++) {
        if (!walk_node(walk, &node->children[i], slots, &column->children[i], err)) return false;
    }
    return true;
}

static bool walk_group(struct level_walk *walk, const struct parquet_node *node, const struct slots *above, const struct column *column, struct error *err)
{
    struct slots slots = *above;
    if (node->optional) slots = enter_optional(walk, above, column);
    else if (!check_required(above, column, node->name, err)) return false;
    if (node->type->kind == TYPE_STRUCT) return walk_children(walk, node, &slots, column, err);
    struct slots elements;
    return expand_list(walk, node, &slots, column, &elements, err) && walk_children(walk, node, &elements, column, err);
}

static bool walk_node(struct level_walk *walk, const struct parquet_node *node, const struct slots *above, const struct column *column, struct error *err)
{
    size_t mark = walk->scratch_count;
    bool ok = type_is_nested(node->type) ? walk_group(walk, node, above, column, err) : emit_leaf(walk, node, above, column, err);
    walk->scratch_count = mark;
    return ok;
}

bool levels_walk(struct level_walk *walk, const struct parquet_node *node, const struct column *column, uint32_t rows, struct error *err)
{
    struct slots top = {.count = rows, .rows = rows};
    return walk_node(walk, node, &top, column, err);
}

void level_walk_free(struct level_walk *walk)
{
    for (size_t i = 0; i < walk->scratch_capacity; i++) buffer_free(&walk->scratch[i]);
    free(walk->scratch);
    *walk = (struct level_walk){0};
}
