/* parquet_random -- writes a Parquet file of random rows, and the same rows as JSON for other readers to be held against.
 *
 *   parquet_random SEED ROWS FILE [OPTION=VALUE | spark.CONF=VALUE]...
 *
 * Standard output: first {"schema": Spark's JSON, "rows": N, "nulls": [per leaf]}, then one JSON array per row. Numbers stand as
 * numbers, floating point and decimals as text, dates and timestamps as their integers, bytes as hex,
 * structs and map entries as arrays. Types, nullability, nesting, null density, distribution of the
 * values, chunk sizes, selections, column encodings and row groups all follow from the seed. */
#include "base/number.h"
#include "formats/format.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

struct random { uint64_t state; };

static uint64_t random_next(struct random *random)
{
    uint64_t z = random->state += UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}
static uint64_t random_below(struct random *random, uint64_t bound) { return random_next(random) % bound; }
static bool random_chance(struct random *random, unsigned percent) { return random_below(random, 100) < percent; }

static void die(const struct error *err)
{
    char text[4096];
    error_format(err, text, sizeof text);
    fprintf(stderr, "parquet_random: %s\n", text);
    exit(1);
}

static void must(bool ok, const struct error *err)
{
    if (!ok) die(err);
}

/* ---- a schema ---- */

static const struct type *random_type(struct random *random, struct arena *arena, int depth);

static const struct type *random_struct(struct random *random, struct arena *arena, int depth, size_t count)
{
    struct field *fields = ARENA_ARRAY(arena, struct field, count);
    for (size_t i = 0; i < count; i++) {
        const char *name = arena_printf(arena, "%s%zu", i % 3 ? "c" : "f.,;{}() \xC3\xA9", i);
        fields[i] = (struct field){.name = name, .name_size = strlen(name), .type = random_type(random, arena, depth)};
        fields[i].nullable = random_chance(random, 85);
    }
    return type_struct(arena, fields, count);
}

static const struct type *random_type(struct random *random, struct arena *arena, int depth)
{
    uint64_t pick = random_below(random, depth > 0 ? 20 : 15);
    if (pick == TYPE_DECIMAL) {
        int precision = 1 + (int)random_below(random, 38);
        return type_decimal(arena, precision, (int)random_below(random, (uint64_t)precision + 1));
    }
    if (pick < TYPE_ARRAY) return type_primitive((enum type_kind)pick);
    if (pick < 15) return type_primitive(random_chance(random, 20) ? TYPE_VOID : TYPE_STRING);
    if (pick == 15) return type_array(arena, random_type(random, arena, depth - 1), random_chance(random, 70));
    if (pick == 16) return type_array(arena, random_struct(random, arena, depth - 1, 1 + random_below(random, 3)), random_chance(random, 70));
    if (pick == 17) return type_map(arena, type_primitive(random_chance(random, 70) ? TYPE_STRING : TYPE_INT), random_type(random, arena, depth - 1), random_chance(random, 70));
    return random_struct(random, arena, depth - 1, 1 + random_below(random, 4));
}

/* ---- values ---- */

enum spread { SPREAD_CONSTANT, SPREAD_FEW, SPREAD_SOME, SPREAD_UNIQUE, SPREAD_EDGES, SPREAD_COUNT };

/* How one column is filled; drawn anew for each chunk now and then, so that habits change within a row group. */
struct habit {
    enum spread spread;
    unsigned null_percent;
    uint64_t base;
};

static struct habit random_habit(struct random *random, bool nullable)
{
    static const unsigned percents[] = {0, 0, 0, 1, 10, 50, 95, 100};
    struct habit habit = {(enum spread)random_below(random, SPREAD_COUNT), 0, random_below(random, 1000)};
    if (nullable) habit.null_percent = percents[random_below(random, 8)];
    return habit;
}

static uint64_t random_key(struct random *random, const struct habit *habit, uint32_t row)
{
    switch (habit->spread) {
    case SPREAD_CONSTANT: return habit->base;
    case SPREAD_FEW: return habit->base + random_below(random, 5);
    case SPREAD_SOME: return habit->base + random_below(random, 3000);
    case SPREAD_EDGES: return random_chance(random, 50) ? random_next(random) : (random_chance(random, 50) ? UINT64_C(0x7FFFFFFFFFFFFFFF) : UINT64_C(1) << 63);
    default: return habit->base * 1000003 + row;
    }
}

static double key_to_double(struct random *random, const struct habit *habit, uint64_t key)
{
    static const double edges[] = {0.0, -0.0, NAN, INFINITY, -INFINITY, 1e300, -1e-300, 1.5};
    return habit->spread == SPREAD_EDGES ? edges[random_below(random, 8)] : (double)(int64_t)key / 7;
}

static int128 key_to_decimal(const struct habit *habit, uint64_t key, int precision)
{
    int128 bound = 1;
    for (int i = 0; i < precision; i++) bound *= 10;
    int128 value = (int128)((uint128)key * (habit->spread == SPREAD_EDGES ? key : 1) >> 1) % bound;
    return key & 1 ? -value : value;
}

/* Only years 1 to 9999, which all readers can show. */
static int64_t key_to_micros(uint64_t key) { return (int64_t)(key % UINT64_C(315537897600000000)) - INT64_C(62135596800000000); }

static void put_fixed(struct random *random, const struct habit *habit, struct column *column, uint32_t row)
{
    uint64_t key = random_key(random, habit, row);
    uint8_t *at = (uint8_t *)column->values + row * type_width(column->type->kind);
    double real = key_to_double(random, habit, key);
    float single = (float)real;
    int128 wide = column->type->kind == TYPE_DECIMAL ? key_to_decimal(habit, key, column->type->precision) : 0;
    int64_t micros = habit->spread == SPREAD_EDGES ? key_to_micros(key) : (int64_t)key * 1000003;
    int32_t days = (int32_t)(key % 3652059) - 719162;
    switch (column->type->kind) {
    case TYPE_FLOAT: memcpy(at, &single, 4); break;
    case TYPE_DOUBLE: memcpy(at, &real, 8); break;
    case TYPE_DECIMAL: memcpy(at, &wide, 16); break;
    case TYPE_DATE: memcpy(at, &days, 4); break;
    case TYPE_TIMESTAMP:
    case TYPE_TIMESTAMP_NTZ: memcpy(at, &micros, 8); break;
    default: memcpy(at, &key, type_width(column->type->kind));
    }
}

static size_t make_text(struct random *random, const struct habit *habit, uint32_t row, char *text, size_t size_max)
{
    static const char *pieces[] = {"a", "\xC3\xA9", "\xE4\xB8\xAD", "\xF0\x9F\x98\x80", "\xF4\x8F\xBF\xBF", "z", "\"", "0"};
    uint64_t key = random_key(random, habit, row);
    if (key == habit->base + 1) return 0;
    size_t size = (size_t)snprintf(text, size_max, "%s%llu", key % 3 ? "" : "https://example.org/a/rather/long/path/", (unsigned long long)key);
    if (habit->spread != SPREAD_EDGES) return size;
    size = 0;
    size_t pieces_count = random_chance(random, 20) ? random_below(random, 200) : random_below(random, 10);
    const char *same = random_chance(random, 30) ? pieces[4] : NULL;
    for (size_t i = 0; i < pieces_count; i++) {
        const char *piece = same ? same : pieces[random_below(random, 8)];
        memcpy(text + size, piece, strlen(piece));
        size += strlen(piece);
    }
    return size;
}

static void fill_bytes(struct random *random, const struct habit *habit, struct column *column, struct error *err)
{
    char text[1024];
    size_t used = 0;
    must(column_reserve_data(column, NULL, 64, err), err);
    column->offsets[0] = 0;
    for (uint32_t row = 0; row < column->length; row++) {
        size_t size = bit_get(column->validity, row) ? make_text(random, habit, row, text, sizeof text) : 0;
        if (column->type->kind == TYPE_BINARY) {
            for (size_t i = 0; i < size; i++) text[i] = (char)(habit->spread == SPREAD_EDGES && size > 130 ? 0xFF : text[i] * 3);
        }
        must(column_reserve_data(column, NULL, used + size + 1, err), err);
        memcpy(column->data + used, text, size);
        used += size;
        column->offsets[row + 1] = (int32_t)used;
    }
}

enum fill_kind { FILL_REQUIRED, FILL_NULLABLE, FILL_MAP_KEYS };

static void fill(struct random *random, struct column *column, enum fill_kind how, uint32_t length, const uint8_t *above, struct error *err);

static void fill_lists(struct random *random, struct column *column, struct error *err)
{
    uint32_t longest = random_chance(random, 20) ? 40 : 4;
    unsigned empty = random_chance(random, 50) ? 30 : 0;
    int32_t total = 0;
    column->offsets[0] = 0;
    for (uint32_t row = 0; row < column->length; row++) {
        if (bit_get(column->validity, row) && !random_chance(random, empty)) total += 1 + (int32_t)random_below(random, longest);
        column->offsets[row + 1] = total;
    }
    for (uint32_t i = 0; i < column->child_count; i++) {
        enum fill_kind how = column->type->fields[i].nullable ? FILL_NULLABLE : FILL_REQUIRED;
        if (column->type->kind == TYPE_MAP && i == 0) how = FILL_MAP_KEYS;
        fill(random, &column->children[i], how, (uint32_t)total, NULL, err);
    }
}

/* `above`: validity of the struct around it, or NULL. */
static void fill(struct random *random, struct column *column, enum fill_kind how, uint32_t length, const uint8_t *above, struct error *err)
{
    struct habit habit = random_habit(random, how == FILL_NULLABLE);
    if (how == FILL_MAP_KEYS) habit.spread = SPREAD_UNIQUE;
    enum type_kind kind = column->type->kind;
    must(column_reserve(column, NULL, length, err), err);
    column->length = length;
    column->null_count = 0;
    if (kind == TYPE_VOID) {
        column->null_count = length;
        return;
    }
    for (uint32_t row = 0; row < length; row++) {
        bool valid = (!above || bit_get(above, row)) && !random_chance(random, habit.null_percent);
        if (valid) continue;
        bit_clear(column->validity, row);
        column->null_count++;
    }
    if (kind == TYPE_STRUCT) {
        for (uint32_t i = 0; i < column->child_count; i++) {
            fill(random, &column->children[i], column->type->fields[i].nullable ? FILL_NULLABLE : FILL_REQUIRED, length, column->validity, err);
        }
    } else if (kind == TYPE_ARRAY || kind == TYPE_MAP) {
        fill_lists(random, column, err);
    } else if (type_is_bytes(column->type)) {
        fill_bytes(random, &habit, column, err);
    } else {
        for (uint32_t row = 0; row < length; row++) {
            bool valid = bit_get(column->validity, row);
            if (kind == TYPE_BOOLEAN) valid && random_key(random, &habit, row) & 1 ? bit_set(column->values, row) : bit_clear(column->values, row);
            else if (valid) put_fixed(random, &habit, column, row);
            else memset((uint8_t *)column->values + row * type_width(kind), 0, type_width(kind));
        }
    }
}

/* ---- other encodings ---- */

static void encode_dictionary(struct random *random, struct column *column, uint32_t length, struct error *err)
{
    struct column encoded = {.type = column->type, .encoding = COLUMN_DICTIONARY, .length = length, .child_count = 1};
    int32_t *indices = block_alloc(NULL, (size_t)length * 4 + 4, err);
    for (uint32_t i = 0; i < length; i++) indices[i] = (int32_t)random_below(random, column->length);
    encoded.values = indices;
    encoded.children = malloc(sizeof *encoded.children);
    encoded.children[0] = *column;
    *column = encoded;
}

static void encode_runs(struct random *random, struct column *column, uint32_t length, struct error *err)
{
    struct column encoded = {.type = column->type, .encoding = COLUMN_RUNS, .length = length, .run_count = column->length, .child_count = 1};
    int32_t *ends = block_alloc(NULL, (size_t)column->length * 4 + 4, err);
    uint32_t at = 0;
    for (uint32_t i = 0; i < column->length; i++) {
        at += 1 + (uint32_t)random_below(random, 2 * (length - column->length) / column->length + 1);
        if (at > length - (column->length - i - 1) || i + 1 == column->length) at = length - (column->length - i - 1);
        ends[i] = (int32_t)at;
    }
    encoded.values = ends;
    encoded.children = malloc(sizeof *encoded.children);
    encoded.children[0] = *column;
    *column = encoded;
}

static void fill_top(struct random *random, struct column *column, enum fill_kind how, uint32_t length, struct error *err)
{
    uint32_t entries = 1 + (uint32_t)random_below(random, length);
    switch (random_below(random, 6)) {
    case 0:
        fill(random, column, how, entries, NULL, err);
        encode_dictionary(random, column, length, err);
        break;
    case 1:
        fill(random, column, how, random_chance(random, 50) ? 1 : entries, NULL, err);
        encode_runs(random, column, length, err);
        break;
    default: fill(random, column, how, length, NULL, err);
    }
}

static void select_rows(struct random *random, struct chunk *chunk, struct error *err)
{
    if (!random_chance(random, 30)) return;
    unsigned keep = (unsigned)random_below(random, 100);
    chunk->selection = block_alloc(NULL, (size_t)chunk->row_count * 4 + 4, err);
    for (uint32_t row = 0; row < chunk->row_count; row++) {
        if (random_chance(random, keep)) chunk->selection[chunk->selection_count++] = row;
    }
}

/* ---- the expected rows ---- */

static void print_value(const struct column *column, size_t row, struct buffer *out);

static void print_list(const struct column *column, size_t row, struct buffer *out)
{
    buffer_text(out, "[");
    for (int32_t i = column->offsets[row]; i < column->offsets[row + 1]; i++) {
        if (i > column->offsets[row]) buffer_text(out, ",");
        if (column->type->kind == TYPE_MAP) buffer_text(out, "[");
        print_value(&column->children[0], (size_t)i, out);
        if (column->type->kind == TYPE_ARRAY) continue;
        buffer_text(out, ",");
        print_value(&column->children[1], (size_t)i, out);
        buffer_text(out, "]");
    }
    buffer_text(out, "]");
}

static void print_hex(const struct column *column, size_t row, struct buffer *out)
{
    buffer_text(out, "\"");
    for (int32_t i = column->offsets[row]; i < column->offsets[row + 1]; i++) buffer_printf(out, "%02x", column->data[i]);
    buffer_text(out, "\"");
}

static void print_value(const struct column *column, size_t row, struct buffer *out)
{
    char text[DECIMAL_TEXT_MAX + 1];
    const uint8_t *at = (const uint8_t *)column->values + row * type_width(column->type->kind);
    if (!column_is_valid(column, row)) {
        buffer_text(out, "null");
        return;
    }
    switch (column->type->kind) {
    case TYPE_BOOLEAN: buffer_text(out, bit_get(column->values, row) ? "true" : "false"); break;
    case TYPE_TINYINT: buffer_printf(out, "%d", *(const int8_t *)at); break;
    case TYPE_SMALLINT: buffer_printf(out, "%d", *(const int16_t *)(const void *)at); break;
    case TYPE_INT:
    case TYPE_DATE: buffer_printf(out, "%d", *(const int32_t *)(const void *)at); break;
    case TYPE_FLOAT: buffer_printf(out, "\"%.9g\"", (double)*(const float *)(const void *)at); break;
    case TYPE_DOUBLE: buffer_printf(out, "\"%.17g\"", *(const double *)(const void *)at); break;
    case TYPE_DECIMAL:
        text[print_decimal_plain(*(const int128 *)(const void *)at, column->type->scale, text)] = 0;
        buffer_printf(out, "\"%s\"", text);
        break;
    case TYPE_STRING: buffer_json_string(out, column->data + column->offsets[row], (size_t)(column->offsets[row + 1] - column->offsets[row])); break;
    case TYPE_BINARY: print_hex(column, row, out); break;
    case TYPE_ARRAY:
    case TYPE_MAP: print_list(column, row, out); break;
    case TYPE_STRUCT:
        for (uint32_t i = 0; i < column->child_count; i++) {
            buffer_text(out, i ? "," : "[");
            print_value(&column->children[i], row, out);
        }
        buffer_text(out, "]");
        break;
    default: buffer_printf(out, "%lld", (long long)*(const int64_t *)(const void *)at);
    }
}

static void print_rows(const struct chunk *chunk, struct buffer *out, struct error *err)
{
    uint32_t rows = chunk_selected(chunk);
    size_t count = chunk->schema->field_count;
    struct column *columns = calloc(count, sizeof *columns);
    for (size_t i = 0; i < count; i++) must(column_take(&columns[i], &chunk->columns[i], chunk->selection, rows, NULL, err), err);
    for (uint32_t row = 0; row < rows; row++) {
        for (size_t i = 0; i < count; i++) {
            buffer_text(out, i ? "," : "[");
            print_value(&columns[i], row, out);
        }
        buffer_text(out, "]\n");
    }
    for (size_t i = 0; i < count; i++) column_fini(&columns[i]);
    free(columns);
}

/* ---- the file ---- */

struct output {
    struct encoder *encoder;
    struct encoder_file *file;
    struct piece *piece;
    FILE *stream;
};

static void write_piece(struct output *output, struct error *err)
{
    struct slice bytes;
    if (!output->piece) return;
    must(parquet_encoder.piece_finish(output->piece, err), err);
    must(parquet_encoder.file_piece(output->file, output->piece, &bytes, err), err);
    if (bytes.size) fwrite(bytes.data, 1, bytes.size, output->stream);
    parquet_encoder.piece_free(output->piece);
    output->piece = NULL;
}

static void write_chunks(struct random *random, struct output *output, const struct type *schema, uint64_t rows, struct buffer *expected, struct error *err)
{
    struct chunk chunk;
    while (rows > 0) {
        uint64_t most = random_chance(random, 30) ? 40 : CHUNK_ROWS_MAX;
        if (most > rows) most = rows;
        chunk_init(&chunk, schema);
        chunk.row_count = 1 + (uint32_t)random_below(random, most);
        for (size_t i = 0; i < schema->field_count; i++) {
            fill_top(random, &chunk.columns[i], schema->fields[i].nullable ? FILL_NULLABLE : FILL_REQUIRED, chunk.row_count, err);
        }
        select_rows(random, &chunk, err);
        if (!output->piece) output->piece = parquet_encoder.piece_new(output->encoder, NULL, err);
        must(parquet_encoder.piece_add(output->piece, &chunk, err), err);
        if (expected) print_rows(&chunk, expected, err);
        rows -= chunk.row_count;
        chunk_fini(&chunk);
        if (random_chance(random, 10)) write_piece(output, err);
    }
    write_piece(output, err);
}

static void parse_settings(struct arena *arena, int argc, char **argv, struct options *options, struct session *session, struct error *err)
{
    struct option_input *conf = ARENA_ARRAY(arena, struct option_input, argc + 1), *given = ARENA_ARRAY(arena, struct option_input, argc + 1);
    size_t conf_count = 0, given_count = 0;
    for (int i = 0; i < argc; i++) {
        char *equals = strchr(argv[i], '=');
        if (!equals) continue;
        struct option_input input = {.name = arena_strndup(arena, argv[i], (size_t)(equals - argv[i])), .text = equals + 1};
        if (strncmp(input.name, "spark.", 6) == 0) conf[conf_count++] = input;
        else given[given_count++] = input;
    }
    struct buffer warnings = {0};
    must(session_parse(arena, conf, conf_count, session, &warnings, err), err);
    buffer_free(&warnings);
    must(options_parse(arena, "parquet", &parquet_encoder.options, 1, given, given_count, ".", options, err), err);
}

int main(int argc, char **argv)
{
    struct error err = {0};
    struct options options;
    struct session session;
    if (argc < 4) {
        fputs("usage: parquet_random SEED ROWS FILE [OPTION=VALUE]...\n", stderr);
        return 2;
    }
    struct random random = {strtoull(argv[1], NULL, 10) * 7919 + 1};
    struct arena *arena = arena_new("parquet_random");
    parse_settings(arena, argc - 4, argv + 4, &options, &session, &err);
    const struct type *schema = random_struct(&random, arena, 3, 1 + random_below(&random, 6));
    struct encoder_spec spec = {.schema = schema, .options = &options, .session = &session};
    struct output output = {.encoder = parquet_encoder.open(&spec, arena, &err), .stream = fopen(argv[3], "wb")};
    must(output.encoder != NULL, &err);
    if (!output.stream) return perror(argv[3]), 1;
    output.file = parquet_encoder.file_new(output.encoder, &err);
    struct buffer bytes = {0}, expected = {0}, head = {0};
    must(parquet_encoder.file_head(output.file, &bytes, &err), &err);
    fwrite(bytes.data, 1, bytes.size, output.stream);
    write_chunks(&random, &output, schema, strtoull(argv[2], NULL, 10), &expected, &err);
    buffer_clear(&bytes);
    must(parquet_encoder.file_tail(output.file, &bytes, &err), &err);
    fwrite(bytes.data, 1, bytes.size, output.stream);
    if (fclose(output.stream) != 0) return perror(argv[3]), 1;
    size_t leaf_count;
    const struct leaf_stats *stats = parquet_encoder.file_stats(output.file, &leaf_count);
    buffer_text(&head, "{\"schema\":");
    type_print_json(schema, &head);
    buffer_printf(&head, ",\"rows\":%lld,\"nulls\":[", (long long)parquet_encoder.file_rows(output.file));
    for (size_t i = 0; i < leaf_count; i++) buffer_printf(&head, "%s%lld", i ? "," : "", (long long)stats[i].null_count);
    buffer_text(&head, "]}\n");
    fwrite(head.data, 1, head.size, stdout);
    if (expected.size) fwrite(expected.data, 1, expected.size, stdout);
    buffer_free(&bytes);
    buffer_free(&expected);
    buffer_free(&head);
    parquet_encoder.file_free(output.file);
    arena_free(arena);
    return 0;
}
