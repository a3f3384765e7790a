/* column -- buffers of one column: growth, sharing, taking rows, and the check of the layout. */
#include "columns/column.h"
#include "base/panic.h"

#include <stdlib.h>
#include <string.h>

void column_init(struct column *column, const struct type *type)
{
    memset(column, 0, sizeof *column);
    column->type = type;
    if (!type_is_nested(type) || type->field_count == 0) return;
    column->child_count = (uint32_t)type->field_count;
    column->children = calloc(type->field_count, sizeof *column->children);
    if (!column->children) panic_out_of_memory(type->field_count * sizeof *column->children);
    for (size_t i = 0; i < type->field_count; i++) column_init(&column->children[i], type->fields[i].type);
}

static void release_buffers(struct column *column)
{
    block_release(column->validity);
    block_release(column->values);
    block_release(column->offsets);
    block_release(column->data);
    column->validity = NULL;
    column->values = NULL;
    column->offsets = NULL;
    column->data = NULL;
}

void column_fini(struct column *column)
{
    release_buffers(column);
    for (uint32_t i = 0; i < column->child_count; i++) column_fini(&column->children[i]);
    free(column->children);
    memset(column, 0, sizeof *column);
}

static void drop_shared(void **block)
{
    if (!block_is_shared(*block)) return;
    block_release(*block);
    *block = NULL;
}

void column_reset(struct column *column)
{
    if (column->encoding != COLUMN_PLAIN) { /* Its children are not the type's: start over. */
        const struct type *type = column->type;
        column_fini(column);
        column_init(column, type);
        return;
    }
    column->length = 0;
    column->null_count = 0;
    drop_shared((void **)&column->validity);
    drop_shared(&column->values);
    drop_shared((void **)&column->offsets);
    drop_shared((void **)&column->data);
    if (column->validity) memset(column->validity, 0xff, block_size(column->validity));
    for (uint32_t i = 0; i < column->child_count; i++) column_reset(&column->children[i]);
}

void column_share(struct column *to, const struct column *from)
{
    *to = *from;
    block_retain(to->validity);
    block_retain(to->values);
    block_retain(to->offsets);
    block_retain(to->data);
    if (!from->child_count) return;
    to->children = calloc(from->child_count, sizeof *to->children);
    if (!to->children) panic_out_of_memory(from->child_count * sizeof *to->children);
    for (uint32_t i = 0; i < from->child_count; i++) column_share(&to->children[i], &from->children[i]);
}

static bool has_offsets(enum type_kind kind)
{
    return kind == TYPE_STRING || kind == TYPE_BINARY || kind == TYPE_ARRAY || kind == TYPE_MAP;
}

static size_t values_size(enum type_kind kind, size_t rows)
{
    return kind == TYPE_BOOLEAN ? (rows + 7) / 8 : rows * type_width(kind);
}

bool column_reserve(struct column *column, struct budget *budget, size_t rows, struct error *err)
{
    enum type_kind kind = column->type->kind;
    if (kind == TYPE_VOID) return true;
    size_t had = block_size(column->validity);
    if (had * 8 < rows || !column->validity) {
        if (!block_grow(budget, (void **)&column->validity, (rows + 7) / 8, err)) return false;
        size_t has = block_size(column->validity);
        memset(column->validity + had, 0xff, has - had);
    }
    size_t wanted = values_size(kind, rows);
    if (wanted) {
        size_t old = block_size(column->values);
        if (old < wanted && !block_grow(budget, &column->values, wanted, err)) return false;
        /* Bits are ORed in by kernels, so fresh ones must be zero. */
        if (kind == TYPE_BOOLEAN && block_size(column->values) > old)
            memset((uint8_t *)column->values + old, 0, block_size(column->values) - old);
    }
    if (has_offsets(kind)) {
        bool fresh = !column->offsets;
        if (!block_grow(budget, (void **)&column->offsets, (rows + 1) * sizeof(int32_t), err)) return false;
        if (fresh) column->offsets[0] = 0;
    }
    return true;
}

bool column_reserve_data(struct column *column, struct budget *budget, size_t bytes, struct error *err)
{
    if (bytes > INT32_MAX) return error_set(err, COND_INLET_NO_MEMORY, "a column cannot hold %zu bytes of text in one chunk", bytes);
    return block_grow(budget, (void **)&column->data, bytes, err);
}

static void make_all_null(struct column *column, uint32_t length)
{
    column->length = length;
    column->null_count = length;
    if (column->validity) memset(column->validity, 0, ((size_t)length + 7) / 8);
}

bool column_make_null(struct column *out, const struct type *type, uint32_t length, struct budget *budget, struct error *err)
{
    column_init(out, type);
    if (!column_reserve(out, budget, length, err)) goto fail;
    make_all_null(out, length);
    if (out->values) memset(out->values, 0, values_size(type->kind, length));
    if (out->offsets) memset(out->offsets, 0, ((size_t)length + 1) * sizeof(int32_t));
    if (type->kind == TYPE_STRUCT)
        for (uint32_t i = 0; i < out->child_count; i++) {
            column_fini(&out->children[i]);
            if (!column_make_null(&out->children[i], type->fields[i].type, length, budget, err)) goto fail;
        }
    return true;

fail:
    column_fini(out);
    return false;
}

/* Rows to take from one column: rows[i] is a row of `from`, or UINT32_MAX for null. */
static bool gather(struct column *out, const struct column *from, const uint32_t *rows, uint32_t count, struct budget *budget, struct error *err);

static void gather_fixed(struct column *out, const struct column *from, const uint32_t *rows, uint32_t count)
{
    size_t width = type_width(from->type->kind);
    const uint8_t *source = from->values;
    uint8_t *target = out->values;
    for (uint32_t i = 0; i < count; i++) {
        if (rows[i] == UINT32_MAX) memset(target + i * width, 0, width);
        else memcpy(target + i * width, source + rows[i] * width, width);
    }
}

static void gather_bits(uint8_t *target, const uint8_t *source, const uint32_t *rows, uint32_t count)
{
    if (!count) return;
    memset(target, 0, ((size_t)count + 7) / 8);
    for (uint32_t i = 0; i < count; i++)
        if (rows[i] != UINT32_MAX && bit_get(source, rows[i])) bit_set(target, i);
}

static bool gather_text(struct column *out, const struct column *from, const uint32_t *rows, uint32_t count, struct budget *budget, struct error *err)
{
    size_t total = 0;
    for (uint32_t i = 0; i < count; i++)
        if (rows[i] != UINT32_MAX) total += (size_t)(from->offsets[rows[i] + 1] - from->offsets[rows[i]]);
    if (!column_reserve_data(out, budget, total ? total : 1, err)) return false;
    size_t at = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (rows[i] != UINT32_MAX) {
            size_t size = (size_t)(from->offsets[rows[i] + 1] - from->offsets[rows[i]]);
            if (size) memcpy(out->data + at, from->data + from->offsets[rows[i]], size);
            at += size;
        }
        out->offsets[i + 1] = (int32_t)at;
    }
    return true;
}

static bool gather_lists(struct column *out, const struct column *from, const uint32_t *rows, uint32_t count, struct budget *budget, struct error *err)
{
    size_t total = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (rows[i] != UINT32_MAX) total += (size_t)(from->offsets[rows[i] + 1] - from->offsets[rows[i]]);
        out->offsets[i + 1] = (int32_t)total;
    }
    uint32_t *inner = block_alloc(budget, (total + 1) * sizeof *inner, err);
    if (!inner) return false;
    size_t at = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (rows[i] == UINT32_MAX) continue;
        for (int32_t j = from->offsets[rows[i]]; j < from->offsets[rows[i] + 1]; j++) inner[at++] = (uint32_t)j;
    }
    bool ok = true;
    for (uint32_t child = 0; ok && child < from->child_count; child++) {
        column_fini(&out->children[child]);
        ok = gather(&out->children[child], &from->children[child], inner, (uint32_t)total, budget, err);
    }
    block_release(inner);
    return ok;
}

/* The row of each run or dictionary entry, so that other encodings are gathered from their child. */
static uint32_t *resolve_rows(const struct column *from, const uint32_t *rows, uint32_t count, struct budget *budget, struct error *err)
{
    uint32_t *resolved = block_alloc(budget, ((size_t)count + 1) * sizeof *resolved, err);
    if (!resolved) return NULL;
    const int32_t *values = from->values;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t row = rows[i];
        if (row == UINT32_MAX) { resolved[i] = row; continue; }
        if (from->encoding == COLUMN_DICTIONARY) {
            resolved[i] = from->validity && !bit_get(from->validity, row) ? UINT32_MAX : (uint32_t)values[row];
            continue;
        }
        uint32_t low = 0, high = from->run_count - 1;
        while (low < high) {
            uint32_t middle = (low + high) / 2;
            if ((uint32_t)values[middle] > row) high = middle;
            else low = middle + 1;
        }
        resolved[i] = low;
    }
    return resolved;
}

static bool gather(struct column *out, const struct column *from, const uint32_t *rows, uint32_t count, struct budget *budget, struct error *err)
{
    if (from->encoding != COLUMN_PLAIN) {
        uint32_t *resolved = resolve_rows(from, rows, count, budget, err);
        if (!resolved) {
            column_init(out, from->type);
            return false;
        }
        bool ok = gather(out, &from->children[0], resolved, count, budget, err);
        block_release(resolved);
        return ok;
    }
    enum type_kind kind = from->type->kind;
    column_init(out, from->type);
    if (!column_reserve(out, budget, count, err)) goto fail;
    out->length = count;
    if (kind == TYPE_VOID) {
        out->null_count = count;
        return true;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (rows[i] != UINT32_MAX && column_is_valid(from, rows[i])) continue;
        bit_clear(out->validity, i);
        out->null_count++;
    }
    bool ok = true;
    if (kind == TYPE_BOOLEAN) gather_bits(out->values, from->values, rows, count);
    else if (type_is_bytes(from->type)) ok = gather_text(out, from, rows, count, budget, err);
    else if (kind == TYPE_ARRAY || kind == TYPE_MAP) ok = gather_lists(out, from, rows, count, budget, err);
    else if (kind != TYPE_STRUCT) gather_fixed(out, from, rows, count);
    else
        for (uint32_t child = 0; ok && child < from->child_count; child++) {
            column_fini(&out->children[child]);
            ok = gather(&out->children[child], &from->children[child], rows, count, budget, err);
        }
    if (ok) return true;

fail:
    column_fini(out);
    return false;
}

bool column_take(struct column *out, const struct column *from, const uint32_t *selection, uint32_t count, struct budget *budget, struct error *err)
{
    if (!selection && from->encoding == COLUMN_PLAIN && count == from->length) {
        column_share(out, from);
        return true;
    }
    if (selection) return gather(out, from, selection, count, budget, err);
    uint32_t *rows = block_alloc(budget, ((size_t)count + 1) * sizeof *rows, err);
    if (!rows) {
        column_init(out, from->type);
        return false;
    }
    for (uint32_t i = 0; i < count; i++) rows[i] = i;
    bool ok = gather(out, from, rows, count, budget, err);
    block_release(rows);
    return ok;
}

size_t column_memory(const struct column *column)
{
    enum type_kind kind = column->type->kind;
    size_t rows = column->length, size = (rows + 7) / 8;
    if (column->encoding == COLUMN_DICTIONARY) size += rows * sizeof(int32_t);
    else if (column->encoding == COLUMN_RUNS) size = column->run_count * sizeof(int32_t);
    else {
        size += values_size(kind, rows);
        if (has_offsets(kind)) size += (rows + 1) * sizeof(int32_t);
        if (type_is_bytes(column->type) && column->offsets) size += (size_t)column->offsets[rows];
    }
    for (uint32_t i = 0; i < column->child_count; i++) size += column_memory(&column->children[i]);
    return size;
}

static bool check_offsets(const struct column *column, struct error *err)
{
    if (!column->offsets) return column->length == 0 || error_set(err, COND_INLET_INTERNAL, "a column of %u rows lacks offsets", column->length);
    if (column->offsets[0] < 0) return error_set(err, COND_INLET_INTERNAL, "offsets start below zero");
    for (uint32_t i = 0; i < column->length; i++) {
        if (column->offsets[i + 1] < column->offsets[i]) return error_set(err, COND_INLET_INTERNAL, "offsets fall at row %u", i);
        if (!column_is_valid(column, i) && column->offsets[i + 1] != column->offsets[i])
            return error_set(err, COND_INLET_INTERNAL, "null row %u is not empty", i);
    }
    return true;
}

bool column_check(const struct column *column, struct error *err)
{
    enum type_kind kind = column->type->kind;
    if (column->encoding != COLUMN_PLAIN) {
        if (column->child_count != 1) return error_set(err, COND_INLET_INTERNAL, "an encoded column has %u children", column->child_count);
        return column_check(&column->children[0], err);
    }
    uint32_t nulls = 0;
    for (uint32_t i = 0; i < column->length; i++) nulls += !column_is_valid(column, i);
    if (nulls != column->null_count) return error_set(err, COND_INLET_INTERNAL, "null count is %u, not %u", nulls, column->null_count);
    if (values_size(kind, column->length) > block_size(column->values))
        return error_set(err, COND_INLET_INTERNAL, "values are shorter than %u rows", column->length);
    if (has_offsets(kind) && !check_offsets(column, err)) return false;
    int32_t last = column->offsets && column->length ? column->offsets[column->length] : 0;
    if (type_is_bytes(column->type) && (size_t)last > block_size(column->data))
        return error_set(err, COND_INLET_INTERNAL, "text is shorter than its offsets");
    for (uint32_t i = 0; i < column->child_count; i++) {
        uint32_t wanted = kind == TYPE_STRUCT ? column->length : (uint32_t)last;
        if (column->children[i].length != wanted)
            return error_set(err, COND_INLET_INTERNAL, "child %u has %u rows, not %u", i, column->children[i].length, wanted);
        if (!column_check(&column->children[i], err)) return false;
    }
    return true;
}
