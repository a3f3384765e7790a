/* delta_stats -- add.stats: the bounds and null counts by which Delta's readers skip files.
 *
 * Wrong statistics lose rows for every reader, missing ones only cost time: whatever cannot be said
 * exactly (NaN, infinities, years outside 1..9999, text that is not UTF-8) is left out. */
#include "base/civil.h"
#include "base/number.h"
#include "base/utf8.h"
#include "formats/delta_parts.h"
#include <inttypes.h>
#include <math.h>

enum { STATS_CHARACTERS_MAX = 32 };

enum part { PART_MINIMUM, PART_MAXIMUM, PART_NULLS };

struct printer {
    struct buffer *out;
    const struct leaf_stats *stats;
    size_t count, next;  /* Leaves of the schema, in order. */
    int indexed, left;   /* Columns that get statistics (an array or map counts as one). */
    enum part part;
};

static int64_t integer_of(const struct buffer *value, size_t width)
{
    int64_t result = 0;
    if (value->size < width) return 0;
    switch (width) {
    case 1: return (int8_t)value->data[0];
    case 2: { int16_t v; memcpy(&v, value->data, 2); return v; }
    case 4: { int32_t v; memcpy(&v, value->data, 4); return v; }
    default: memcpy(&result, value->data, 8); return result;
    }
}

static bool print_real(double value, struct buffer *out)
{
    char text[DOUBLE_TEXT_MAX];
    if (!isfinite(value)) return false;
    buffer_append(out, text, print_double_json(value, text));
    return true;
}

static bool print_day(int32_t days, struct buffer *out)
{
    int64_t year;
    int month, day;
    civil_from_days(days, &year, &month, &day);
    if (year < 1 || year > 9999) return false;
    buffer_printf(out, "%04d-%02d-%02d", (int)year, month, day);
    return true;
}

/* Cut down to milliseconds, the minimum and the maximum (readers add one to the maximum). */
static bool print_instant(int64_t us, bool utc, struct buffer *out)
{
    int64_t days = us / 86400000000, rest = us % 86400000000;
    if (rest < 0) days--, rest += 86400000000;
    size_t start = out->size;
    buffer_byte(out, '"');
    if (!print_day((int32_t)days, out)) {
        out->size = start;
        return false;
    }
    int64_t ms = rest / 1000;
    buffer_printf(out, "T%02d:%02d:%02d.%03d%s\"", (int)(ms / 3600000), (int)(ms / 60000 % 60), (int)(ms / 1000 % 60),
                  (int)(ms % 1000), utc ? "Z" : "");
    return true;
}

/* Bytes of the first `characters` characters of valid UTF-8. */
static size_t prefix_size(const uint8_t *text, size_t size, size_t characters)
{
    size_t at = 0;
    while (at < size && characters > 0) {
        at++;
        while (at < size && (text[at] & 0xC0) == 0x80) at++;
        characters--;
    }
    return at;
}

/* A prefix that was cut by bytes may end inside a character. */
static size_t whole_characters(const uint8_t *text, size_t size)
{
    size_t start = size;
    while (start > 0 && size - start < 4 && (text[start - 1] & 0xC0) == 0x80) start--;
    if (start == 0) return size;
    uint8_t lead = text[start - 1];
    size_t needed = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC0 ? 2 : 1;
    return size - (start - 1) < needed ? start - 1 : size;
}

static bool print_minimum_text(const struct leaf_stats *stats, struct buffer *out)
{
    const uint8_t *text = stats->minimum.data;
    size_t size = stats->minimum_cut ? whole_characters(text, stats->minimum.size) : stats->minimum.size;
    if (!utf8_valid(text, size)) return false;
    buffer_json_string(out, text, prefix_size(text, size, STATS_CHARACTERS_MAX));
    return true;
}

/* A cut maximum gets a character that sorts behind everything it stands for. */
static bool print_maximum_text(const struct leaf_stats *stats, struct buffer *out)
{
    const uint8_t *text = stats->maximum.data;
    size_t size = stats->maximum.size;
    if (!utf8_valid(text, size)) return false;
    size_t cut = prefix_size(text, size, STATS_CHARACTERS_MAX);
    if (cut == size) {
        buffer_json_string(out, text, size);
        return true;
    }
    if (size - cut >= 4 && memcmp(text + cut, "\xF4\x8F\xBF\xBF", 4) == 0) return false; /* Nothing sorts behind U+10FFFF. */
    struct buffer bound = {0};
    buffer_append(&bound, text, cut);
    buffer_text(&bound, text[cut] < 0x7F ? "\x7F" : "\xF4\x8F\xBF\xBF");
    buffer_json_string(out, bound.data, bound.size);
    buffer_free(&bound);
    return true;
}

static bool print_decimal(const struct buffer *value, int scale, struct buffer *out)
{
    int128 unscaled;
    char text[DECIMAL_TEXT_MAX];
    if (value->size != sizeof(unscaled)) return false;
    memcpy(&unscaled, value->data, sizeof(unscaled));
    buffer_append(out, text, print_decimal_plain(unscaled, scale, text));
    return true;
}

static bool print_float(const struct buffer *value, bool single, struct buffer *out)
{
    float narrow = 0;
    double wide = 0;
    if (value->size < (single ? sizeof(narrow) : sizeof(wide))) return false;
    if (single) memcpy(&narrow, value->data, sizeof(narrow));
    else memcpy(&wide, value->data, sizeof(wide));
    return print_real(single ? (double)narrow : wide, out);
}

static bool print_bound(const struct leaf_stats *stats, bool minimum, struct buffer *out)
{
    const struct buffer *value = minimum ? &stats->minimum : &stats->maximum;
    size_t start = out->size;
    switch (stats->type->kind) {
    case TYPE_TINYINT: case TYPE_SMALLINT: case TYPE_INT: case TYPE_BIGINT:
        buffer_printf(out, "%" PRId64, integer_of(value, type_width(stats->type->kind)));
        return true;
    case TYPE_FLOAT: case TYPE_DOUBLE: return print_float(value, stats->type->kind == TYPE_FLOAT, out);
    case TYPE_DECIMAL: return print_decimal(value, stats->type->scale, out);
    case TYPE_DATE:
        buffer_byte(out, '"');
        if (!print_day((int32_t)integer_of(value, 4), out)) {
            out->size = start;
            return false;
        }
        buffer_byte(out, '"');
        return true;
    case TYPE_TIMESTAMP: case TYPE_TIMESTAMP_NTZ:
        return print_instant(integer_of(value, 8), stats->type->kind == TYPE_TIMESTAMP, out);
    case TYPE_STRING: return minimum ? print_minimum_text(stats, out) : print_maximum_text(stats, out);
    default: return false; /* BOOLEAN and BINARY have null counts only. */
    }
}

/* Both bounds can be said, or neither is. */
static bool has_both_bounds(const struct leaf_stats *stats)
{
    if (!stats->has_bounds) return false;
    struct buffer scratch = {0};
    bool both = print_bound(stats, true, &scratch) && print_bound(stats, false, &scratch);
    buffer_free(&scratch);
    return both;
}

static bool print_leaf(const struct printer *printer, const struct leaf_stats *stats)
{
    if (printer->part == PART_NULLS) {
        buffer_printf(printer->out, "%" PRId64, stats->null_count);
        return true;
    }
    return has_both_bounds(stats) && print_bound(stats, printer->part == PART_MINIMUM, printer->out);
}

static bool print_fields(struct printer *printer, const struct type *type);

/* One field's value; false: nothing was said (and nothing is left in `out`). */
static bool print_field(struct printer *printer, const struct type *type)
{
    if (type->kind == TYPE_STRUCT) return print_fields(printer, type);
    size_t first = printer->next;
    printer->next += type_leaf_count(type);
    if (printer->left <= 0) return false;
    printer->left--;
    if (type_is_nested(type) || type->kind == TYPE_VOID || first >= printer->count) return false;
    return print_leaf(printer, &printer->stats[first]);
}

static bool print_fields(struct printer *printer, const struct type *type)
{
    struct buffer *out = printer->out;
    size_t start = out->size;
    bool any = false;
    buffer_byte(out, '{');
    for (size_t i = 0; i < type->field_count; i++) {
        size_t before = out->size;
        if (any) buffer_byte(out, ',');
        buffer_json_string(out, type->fields[i].name, type->fields[i].name_size);
        buffer_byte(out, ':');
        if (print_field(printer, type->fields[i].type)) any = true;
        else out->size = before;
    }
    buffer_byte(out, '}');
    if (!any) out->size = start;
    return any;
}

static void print_part(struct printer printer, const struct type *schema, enum part part, const char *name)
{
    printer.part = part;
    printer.left = printer.indexed < 0 ? INT32_MAX : printer.indexed;
    buffer_printf(printer.out, ",\"%s\":", name);
    if (!print_fields(&printer, schema)) buffer_text(printer.out, "{}");
}

void delta_print_stats(struct buffer *out, const struct type *schema, int64_t rows, const struct leaf_stats *stats, size_t count, int indexed)
{
    struct printer printer = {.out = out, .stats = stats, .count = count, .indexed = indexed};
    buffer_printf(out, "{\"numRecords\":%" PRId64, rows);
    print_part(printer, schema, PART_MINIMUM, "minValues");
    print_part(printer, schema, PART_MAXIMUM, "maxValues");
    print_part(printer, schema, PART_NULLS, "nullCount");
    buffer_byte(out, '}');
}
