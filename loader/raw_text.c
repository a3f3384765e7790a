/* raw_text -- columns that hold bytes as the file had them, on their way into formats that take UTF-8 only. */
#include "loader/raw_text.h"
#include "base/utf8.h"

#include <string.h>

static struct slice value_at(const struct column *column, size_t row)
{
    return slice_of(column->data + column->offsets[row], (size_t)(column->offsets[row + 1] - column->offsets[row]));
}

static bool is_good(const struct column *column)
{
    for (size_t row = 0; row < column->length; row++) {
        struct slice value = value_at(column, row);
        if (value.size && !utf8_valid(value.data, value.size)) return false;
    }
    return true;
}

/* Null rows are empty texts, so they need no look of their own. */
static bool repair_column(struct column *column, struct budget *budget, struct error *err)
{
    struct buffer text = {0};
    struct column good;
    column_init(&good, column->type);
    bool ok = column_reserve(&good, budget, column->length, err);
    for (size_t row = 0; ok && row < column->length; row++) {
        struct slice value = value_at(column, row);
        good.offsets[row] = (int32_t)text.size;
        utf8_repair(&text, value.data, value.size);
        if (text.size > INT32_MAX) ok = error_set(err, COND_INLET_NO_MEMORY, "a column of text that is no UTF-8 grows beyond 2 GiB");
    }
    ok = ok && column_reserve_data(&good, budget, text.size + 1, err);
    if (ok) {
        good.offsets[column->length] = (int32_t)text.size;
        if (text.size) memcpy(good.data, text.data, text.size);
        if (column->validity) memcpy(good.validity, column->validity, (column->length + 7) / 8);
        good.length = column->length;
        good.null_count = column->null_count;
        column_fini(column);
        *column = good;
    } else {
        column_fini(&good);
    }
    buffer_free(&text);
    return ok;
}

bool raw_text_repair(struct chunk *chunk, const uint32_t *which, size_t count, struct budget *budget, struct error *err)
{
    for (size_t i = 0; i < count; i++) {
        struct column *column = &chunk->columns[which[i]];
        if (column->encoding != COLUMN_PLAIN || !column->length || is_good(column)) continue;
        if (!repair_column(column, budget, err)) return false;
    }
    return true;
}
