/* Parquet writer: hybrid runs, Thrift, schema, levels, bounds, dictionaries, pieces and files.
 *
 * Whole files are held against other readers by tests/pipelines/parquet_crosscheck.t; here are the parts
 * and the edges. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "formats/format.h"
#include "formats/parquet_encode.h"
#include "formats/thrift.h"

static uint64_t random_state = 1;
static uint64_t random_next(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

/* ---- the hybrid ---- */

/* The specification, one value at a time. */
static size_t hybrid_decode(struct slice bytes, unsigned width, uint16_t *out, size_t count)
{
    size_t at = 0, done = 0;
    while (done < count && at < bytes.size) {
        uint64_t header = 0;
        for (unsigned shift = 0;; shift += 7) {
            header |= (uint64_t)(bytes.data[at] & 0x7F) << shift;
            if (bytes.data[at++] < 0x80) break;
        }
        if (header & 1) {
            size_t bit = at * 8;
            for (uint64_t i = 0; i < (header >> 1) * 8; i++) {
                uint16_t value = 0;
                for (unsigned k = 0; k < width; k++, bit++) value = (uint16_t)(value | bit_get(bytes.data, bit) << k);
                if (done < count) out[done++] = value;
            }
            at += (header >> 1) * width;
        } else {
            uint16_t value = bytes.data[at++];
            if (width > 8) value = (uint16_t)(value | bytes.data[at++] << 8);
            for (uint64_t i = 0; i < header >> 1; i++) {
                if (done < count) out[done++] = value;
            }
        }
    }
    assert_int_equal(at, bytes.size);
    return done;
}

static void hybrid_gives_back_what_went_in(void **state)
{
    (void)state;
    enum { COUNT = 5000 };
    uint16_t *in = malloc(COUNT * 2), *out = malloc(COUNT * 2);
    struct hybrid hybrid = {0};
    for (unsigned round = 0; round < 400; round++) {
        unsigned width = 1 + round % 16;
        size_t count = random_next() % COUNT, filled = 0;
        hybrid_start(&hybrid, width);
        while (filled < count) {
            size_t length = random_next() % (round % 3 ? 30 : 700) + 1;
            if (length > count - filled) length = count - filled;
            uint16_t value = (uint16_t)(random_next() & ((1u << width) - 1));
            bool run = random_next() % 2;
            for (size_t i = 0; i < length; i++) in[filled + i] = run ? value : (uint16_t)(random_next() & ((1u << width) - 1));
            if (run) hybrid_run(&hybrid, value, length);
            else hybrid_values(&hybrid, in + filled, length);
            filled += length;
        }
        hybrid_finish(&hybrid);
        assert_int_equal(hybrid_decode(slice_of(hybrid.out.data, hybrid.out.size), width, out, count), count);
        if (count) assert_memory_equal(in, out, count * 2);
    }
    hybrid_free(&hybrid);
    free(in);
    free(out);
}

static void validity_bits_become_the_same_levels_from_any_bit(void **state)
{
    (void)state;
    uint8_t bits[200];
    uint16_t out[1600];
    struct hybrid hybrid = {0};
    for (unsigned round = 0; round < 200; round++) {
        for (size_t i = 0; i < sizeof bits; i++) bits[i] = random_next() % 3 ? 0xFF : (uint8_t)random_next();
        size_t start = random_next() % 70, count = random_next() % 1500;
        hybrid_start(&hybrid, 1);
        hybrid_run(&hybrid, 1, round % 5);
        hybrid_bits(&hybrid, bits, start, count);
        hybrid_finish(&hybrid);
        assert_int_equal(hybrid_decode(slice_of(hybrid.out.data, hybrid.out.size), 1, out, count + round % 5), count + round % 5);
        for (size_t i = 0; i < count; i++) assert_int_equal(out[round % 5 + i], bit_get(bits, start + i));
        size_t set = 0;
        for (size_t i = 0; i < count; i++) set += bit_get(bits, start + i);
        assert_int_equal(bits_count(bits, start, count), set);
    }
    hybrid_free(&hybrid);
}

static void one_value_takes_one_run(void **state)
{
    (void)state;
    struct hybrid hybrid = {0};
    hybrid_start(&hybrid, 1);
    for (int i = 0; i < 1000; i++) hybrid_run(&hybrid, 1, 37);
    hybrid_finish(&hybrid);
    assert_int_equal(hybrid.out.size, 4); /* 37000 << 1 takes three bytes, the value one. */
    hybrid_start(&hybrid, 1);
    hybrid_finish(&hybrid);
    assert_int_equal(hybrid.out.size, 0);
    hybrid_free(&hybrid);
}

/* ---- Thrift ---- */

static void write_sample(struct buffer *out)
{
    struct thrift_writer writer;
    thrift_writer_init(&writer, out);
    thrift_struct_begin(&writer);
    thrift_field_i32(&writer, 1, INT32_MIN);
    thrift_field_i64(&writer, 2, INT64_MAX);
    thrift_field_bool(&writer, 40, true); /* A step of more than 15. */
    thrift_field_list(&writer, 41, THRIFT_BINARY, 20);
    for (int i = 0; i < 20; i++) thrift_element_binary(&writer, slice_text("name"));
    thrift_field_struct(&writer, 42);
    thrift_field_byte(&writer, 1, -3);
    thrift_field_i16(&writer, 2, -300);
    thrift_struct_end(&writer);
    thrift_field_binary(&writer, 43, slice_text(""));
    thrift_struct_end(&writer);
}

struct sample { int64_t numbers[4]; bool flag; unsigned names; size_t empty; };

static void read_sample(struct thrift_reader *reader, struct sample *out)
{
    struct thrift_field field, inner;
    uint32_t count;
    thrift_read_struct_begin(reader);
    while (thrift_read_field(reader, &field)) {
        switch (field.id) {
        case 1: out->numbers[0] = thrift_read_i32(reader, &field); break;
        case 2: out->numbers[1] = thrift_read_i64(reader, &field); break;
        case 40: out->flag = thrift_read_bool(reader, &field); break;
        case 41:
            thrift_read_list(reader, &field, THRIFT_BINARY, &count);
            for (uint32_t i = 0; i < count; i++) out->names += slice_equal(thrift_read_element_binary(reader), slice_text("name"));
            break;
        case 42:
            if (!thrift_read_struct(reader, &field)) break;
            while (thrift_read_field(reader, &inner)) out->numbers[inner.id == 1 ? 2 : 3] = thrift_read_i64(reader, &inner);
            break;
        default: thrift_read_skip(reader, &field);
        }
    }
}

static void thrift_reads_what_it_wrote(void **state)
{
    (void)state;
    struct buffer bytes = {0};
    struct sample sample = {0};
    struct thrift_reader reader;
    write_sample(&bytes);
    thrift_reader_init(&reader, slice_of(bytes.data, bytes.size));
    read_sample(&reader, &sample);
    assert_true(thrift_read_ok(&reader, "sample", NULL));
    assert_int_equal(thrift_read_size(&reader), bytes.size);
    assert_int_equal(sample.numbers[0], INT32_MIN);
    assert_true(sample.numbers[1] == INT64_MAX);
    assert_int_equal(sample.numbers[2], -3);
    assert_int_equal(sample.numbers[3], -300);
    assert_true(sample.flag);
    assert_int_equal(sample.names, 20);
    buffer_free(&bytes);
}

static void thrift_survives_cut_and_random_bytes(void **state)
{
    (void)state;
    struct buffer bytes = {0};
    struct thrift_reader reader;
    struct error err;
    write_sample(&bytes);
    for (size_t size = 0; size < bytes.size; size++) {
        struct sample sample = {0};
        uint8_t *exact = malloc(size ? size : 1); /* So that a sanitizer sees a read past the end. */
        memcpy(exact, bytes.data, size);
        thrift_reader_init(&reader, slice_of(exact, size));
        read_sample(&reader, &sample);
        assert_false(thrift_read_ok(&reader, "sample", &err));
        assert_int_equal(err.condition, COND_INLET_DAMAGED_FILE);
        free(exact);
    }
    for (int round = 0; round < 20000; round++) {
        uint8_t noise[24];
        struct sample sample = {0};
        for (size_t i = 0; i < sizeof noise; i++) noise[i] = (uint8_t)random_next();
        thrift_reader_init(&reader, slice_of(noise, sizeof noise));
        read_sample(&reader, &sample);
    }
    const uint8_t long_list[] = {0x19, 0xFC, 0xFF, 0xFF, 0xFF, 0xFF, 0x07}; /* A list of 2^31 - 1 structs in no bytes. */
    struct thrift_field field;
    uint32_t count;
    thrift_reader_init(&reader, slice_of(long_list, sizeof long_list));
    thrift_read_struct_begin(&reader);
    assert_true(thrift_read_field(&reader, &field));
    thrift_read_list(&reader, &field, THRIFT_STRUCT, &count);
    assert_int_equal(count, 0);
    assert_true(reader.failed);
    buffer_free(&bytes);
}

/* ---- schema ---- */

static struct parquet_layout *layout_of(struct arena *arena, const char *ddl, struct parquet_layout_options options, struct error *err)
{
    const struct type *schema = schema_parse_ddl(arena, ddl, err);
    assert_non_null(schema);
    return parquet_layout_new(schema, &options, arena, err);
}

static void types_have_the_physical_form_that_spark_gives_them(void **state)
{
    (void)state;
    static const struct { const char *ddl; int physical, length, converted, logical; } rows[] = {
        {"a BOOLEAN", PARQUET_BOOLEAN, 0, -1, 0},
        {"a TINYINT", PARQUET_INT32, 0, PARQUET_CONVERTED_INT_8, PARQUET_LOGICAL_INTEGER},
        {"a SMALLINT", PARQUET_INT32, 0, PARQUET_CONVERTED_INT_16, PARQUET_LOGICAL_INTEGER},
        {"a INT", PARQUET_INT32, 0, -1, 0},
        {"a BIGINT", PARQUET_INT64, 0, -1, 0},
        {"a FLOAT", PARQUET_FLOAT, 0, -1, 0},
        {"a DOUBLE", PARQUET_DOUBLE, 0, -1, 0},
        {"a STRING", PARQUET_BYTE_ARRAY, 0, PARQUET_CONVERTED_UTF8, PARQUET_LOGICAL_STRING},
        {"a BINARY", PARQUET_BYTE_ARRAY, 0, -1, 0},
        {"a DATE", PARQUET_INT32, 0, PARQUET_CONVERTED_DATE, PARQUET_LOGICAL_DATE},
        {"a TIMESTAMP", PARQUET_INT64, 0, PARQUET_CONVERTED_TIMESTAMP_MICROS, PARQUET_LOGICAL_TIMESTAMP},
        {"a TIMESTAMP_NTZ", PARQUET_INT64, 0, -1, PARQUET_LOGICAL_TIMESTAMP},
        {"a DECIMAL(9,2)", PARQUET_INT32, 0, PARQUET_CONVERTED_DECIMAL, PARQUET_LOGICAL_DECIMAL},
        {"a DECIMAL(18,2)", PARQUET_INT64, 0, PARQUET_CONVERTED_DECIMAL, PARQUET_LOGICAL_DECIMAL},
        {"a DECIMAL(19,2)", PARQUET_FIXED, 9, PARQUET_CONVERTED_DECIMAL, PARQUET_LOGICAL_DECIMAL},
        {"a DECIMAL(30,2)", PARQUET_FIXED, 13, PARQUET_CONVERTED_DECIMAL, PARQUET_LOGICAL_DECIMAL},
        {"a DECIMAL(38,2)", PARQUET_FIXED, 16, PARQUET_CONVERTED_DECIMAL, PARQUET_LOGICAL_DECIMAL},
        {"a VOID", PARQUET_BOOLEAN, 0, -1, PARQUET_LOGICAL_UNKNOWN},
    };
    struct arena *arena = arena_new("test");
    struct error err;
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        struct parquet_layout *layout = layout_of(arena, rows[i].ddl, (struct parquet_layout_options){0}, &err);
        const struct parquet_schema_element *element = &layout->elements[1];
        assert_int_equal(layout->element_count, 2);
        assert_int_equal(element->physical, rows[i].physical);
        assert_int_equal(element->type_length, rows[i].length);
        assert_int_equal(element->converted, rows[i].converted);
        assert_int_equal(element->logical.kind, rows[i].logical);
        assert_int_equal(element->repetition, PARQUET_OPTIONAL);
    }
    arena_free(arena);
}

static void assert_elements(const struct parquet_layout *layout, const char *expected)
{
    struct buffer text = {0};
    for (uint32_t i = 1; i < layout->element_count; i++) {
        const struct parquet_schema_element *element = &layout->elements[i];
        buffer_printf(&text, "%s%c%.*s", i > 1 ? " " : "", "!?*"[element->repetition], (int)element->name.size, (const char *)element->name.data);
        if (element->child_count) buffer_printf(&text, "(%d)", element->child_count);
    }
    assert_string_equal(buffer_string(&text), expected);
    buffer_free(&text);
}

static void lists_and_maps_have_three_levels_or_the_legacy_ones(void **state)
{
    (void)state;
    struct arena *arena = arena_new("test");
    struct error err;
    const char *ddl = "l ARRAY<INT>, m MAP<STRING, DECIMAL(5,1)> NOT NULL";
    struct parquet_layout *layout = layout_of(arena, ddl, (struct parquet_layout_options){0}, &err);
    assert_elements(layout, "?l(1) *list(1) ?element !m(1) *key_value(2) !key ?value");
    assert_int_equal(layout->leaves[0].definition, 3);
    assert_int_equal(layout->leaves[0].repetition, 1);
    assert_int_equal(layout->leaves[1].definition, 1);
    assert_int_equal(layout->leaves[2].definition, 2);
    assert_int_equal(layout->leaves[2].path_count, 3);
    assert_string_equal(layout->leaves[2].path[1], "key_value");
    layout = layout_of(arena, ddl, (struct parquet_layout_options){.legacy = true}, &err);
    assert_elements(layout, "?l(1) *bag(1) ?array !m(1) *key_value(2) !key ?value");
    assert_int_equal(layout->elements[7].physical, PARQUET_FIXED);
    const struct field field = {.name = "l", .name_size = 1, .nullable = true, .type = type_array(arena, type_primitive(TYPE_INT), false)};
    struct parquet_layout_options legacy = {.legacy = true};
    layout = parquet_layout_new(type_struct(arena, &field, 1), &legacy, arena, &err);
    assert_elements(layout, "?l(1) *array");
    assert_int_equal(layout->leaves[0].definition, 2);
    arena_free(arena);
}

static void empty_structs_are_refused(void **state)
{
    (void)state;
    struct arena *arena = arena_new("test");
    struct error err;
    assert_null(layout_of(arena, "a INT, b ARRAY<STRUCT<>>", (struct parquet_layout_options){0}, &err));
    assert_int_equal(err.condition, COND_EMPTY_SCHEMA_NOT_SUPPORTED);
    arena_free(arena);
}

static void field_ids_come_from_the_metadata(void **state)
{
    (void)state;
    struct arena *arena = arena_new("test");
    const struct field field = {.name = "a", .name_size = 1, .nullable = true, .type = type_primitive(TYPE_INT),
                                .metadata_json = "{\"parquet.field.id\":7}"};
    struct parquet_layout_options options = {.write_field_ids = true};
    struct parquet_layout *layout = parquet_layout_new(type_struct(arena, &field, 1), &options, arena, NULL);
    assert_true(layout->elements[1].has_field_id);
    assert_int_equal(layout->elements[1].field_id, 7);
    arena_free(arena);
}

/* ---- bounds ---- */

static void text_bounds(const char *first, size_t first_size, const char *second, size_t second_size, bool text, struct leaf_stats *stats)
{
    struct bounds bounds = {0};
    struct parquet_leaf leaf = {.type = type_primitive(text ? TYPE_STRING : TYPE_BINARY), .physical = PARQUET_BYTE_ARRAY,
                                .transfer = PARQUET_TRANSFER_BYTES, .is_text = text};
    bounds_add_bytes(&bounds, (const uint8_t *)first, first_size);
    bounds_add_bytes(&bounds, (const uint8_t *)second, second_size);
    bounds_finish(&bounds, &leaf, stats);
}

static void assert_bound(const struct buffer *bound, const char *text)
{
    assert_int_equal(bound->size, strlen(text));
    if (bound->size) assert_memory_equal(bound->data, text, bound->size);
}

static void long_text_has_rounded_bounds(void **state)
{
    (void)state;
    struct leaf_stats stats = {0};
    char text[400], expected[400];
    text_bounds("b", 1, "", 0, true, &stats);
    assert_bound(&stats.minimum, "");
    assert_bound(&stats.maximum, "b");
    assert_false(stats.minimum_cut || stats.maximum_cut);

    memset(text, 'x', sizeof text);
    text_bounds(text, 300, text, 128, true, &stats);
    memset(expected, 'x', sizeof expected);
    expected[127] = 'y';
    expected[128] = 0;
    assert_bound(&stats.maximum, expected);
    assert_true(stats.maximum_cut);

    for (int i = 0; i < 100; i++) memcpy(text + 1 + 3 * i, "\xE4\xB8\xAD", 3); /* The cut at 128 goes through a character. */
    text_bounds(text, 301, text, 301, true, &stats);
    assert_int_equal(stats.minimum.size, 127);
    assert_int_equal(stats.maximum.size, 127);
    assert_int_equal(stats.maximum.data[126], 0xAE);

    for (int i = 0; i < 100; i++) memcpy(text + 4 * i, "\xF4\x8F\xBF\xBF", 4);
    text_bounds(text, 400, "a", 1, true, &stats);
    assert_false(stats.has_bounds); /* Nothing is above U+10FFFF. */
    text[0] = 'a';
    memcpy(text + 1, "\xED\x9F\xBF", 3); /* U+D7FF: the next character is U+E000. */
    text_bounds(text, 400, text, 400, true, &stats);
    assert_bound(&stats.maximum, "a\xEE\x80\x80");

    memset(text, 0xFF, sizeof text);
    text_bounds(text, 200, "a", 1, false, &stats);
    assert_false(stats.has_bounds);
    text[3] = 5;
    text_bounds(text, 200, "a", 1, false, &stats);
    assert_bound(&stats.maximum, "\xFF\xFF\xFF\x06");
    buffer_free(&stats.minimum);
    buffer_free(&stats.maximum);
}

static void floating_bounds_know_zeros_and_nans(void **state)
{
    (void)state;
    struct parquet_leaf leaf = {.type = type_primitive(TYPE_DOUBLE), .physical = PARQUET_DOUBLE, .transfer = PARQUET_TRANSFER_SAME};
    struct leaf_stats stats = {0};
    const double zeros[] = {0.0, 0.0}, nans[] = {1.0, NAN, 2.0, 3.0, 4.0};
    struct bounds bounds = {0};
    bounds_add(&bounds, &leaf, &(struct dense){.kind = DENSE_8, .count = 2, .values = zeros}, 0, 2);
    bounds_finish(&bounds, &leaf, &stats);
    assert_true(stats.has_bounds);
    assert_true(signbit(*(double *)(void *)stats.minimum.data));
    assert_false(signbit(*(double *)(void *)stats.maximum.data));
    bounds_add(&bounds, &leaf, &(struct dense){.kind = DENSE_8, .count = 5, .values = nans}, 0, 5);
    bounds_finish(&bounds, &leaf, &stats);
    assert_false(stats.has_bounds);
    buffer_free(&stats.minimum);
    buffer_free(&stats.maximum);
}

static void integer_bounds_are_found_at_every_place(void **state)
{
    (void)state;
    struct parquet_leaf leaf = {.type = type_primitive(TYPE_INT), .physical = PARQUET_INT32, .transfer = PARQUET_TRANSFER_SAME};
    for (uint32_t count = 1; count < 12; count++) {
        for (uint32_t place = 0; place < count; place++) {
            int32_t values[12] = {0};
            struct bounds bounds = {0};
            values[place] = INT32_MIN;
            values[(place + 1) % count] = count > 1 ? INT32_MAX : INT32_MIN;
            bounds_add(&bounds, &leaf, &(struct dense){.kind = DENSE_4, .count = count, .values = values}, 0, count);
            assert_int_equal(bounds.integer.minimum, INT32_MIN);
            assert_int_equal(bounds.integer.maximum, count > 1 ? INT32_MAX : INT32_MIN);
        }
    }
}

/* Eight bytes wide, every count and place, with each instruction set: what lies at the place decides, what lies behind the values does not. */
static void wide_bounds_are_the_same_with_vectors(void **state)
{
    (void)state;
    struct parquet_leaf integer = {.type = type_primitive(TYPE_BIGINT), .physical = PARQUET_INT64, .transfer = PARQUET_TRANSFER_SAME};
    struct parquet_leaf real = {.type = type_primitive(TYPE_DOUBLE), .physical = PARQUET_DOUBLE, .transfer = PARQUET_TRANSFER_SAME};
    for (int isa = ISA_SCALAR; isa <= (int)isa_choose(); isa++) {
        for (uint32_t count = 1; count < 36; count++) {
            for (uint32_t place = 0; place < count; place++) {
                int64_t integers[40];
                double reals[40];
                for (uint32_t i = 0; i < 40; i++) integers[i] = i < count ? (int64_t)(i * 7 % 5) : i % 2 ? INT64_MIN : INT64_MAX;
                for (uint32_t i = 0; i < 40; i++) reals[i] = i < count ? (double)(i * 7 % 5) / 8 : NAN;
                struct bounds low = {.isa = (enum isa)isa}, high = low, numbers = low, nan = low;
                integers[place] = INT64_MIN;
                bounds_add(&low, &integer, &(struct dense){.kind = DENSE_8, .count = count, .values = integers}, 0, count);
                assert_true(low.integer.minimum == INT64_MIN && low.integer.maximum < 5);
                integers[place] = INT64_MAX;
                bounds_add(&high, &integer, &(struct dense){.kind = DENSE_8, .count = count, .values = integers}, 0, count);
                assert_true(high.integer.maximum == INT64_MAX && (count == 1 || high.integer.minimum >= 0));
                reals[place] = -1e300;
                bounds_add(&numbers, &real, &(struct dense){.kind = DENSE_8, .count = count, .values = reals}, 0, count);
                reals[place] = 1e300;
                bounds_add(&numbers, &real, &(struct dense){.kind = DENSE_8, .count = count, .values = reals}, 0, count);
                assert_true(numbers.real.minimum == -1e300 && numbers.real.maximum == 1e300 && !numbers.unordered);
                reals[place] = NAN;
                bounds_add(&nan, &real, &(struct dense){.kind = DENSE_8, .count = count, .values = reals}, 0, count);
                assert_true(nan.unordered);
            }
        }
    }
}

/* ---- encoder ---- */

struct fixture {
    struct arena *arena;
    struct encoder *encoder;
    const struct type *schema;
    struct error err;
};

static void setup(struct fixture *fixture, const char *ddl, const char *codec)
{
    *fixture = (struct fixture){.arena = arena_new("test")};
    struct options *options = ARENA_NEW(fixture->arena, struct options);
    struct option_input input = {.name = "compression", .text = codec};
    assert_true(options_parse(fixture->arena, "parquet", &parquet_encoder.options, 1, &input, codec != NULL, ".", options, &fixture->err));
    fixture->schema = schema_parse_ddl(fixture->arena, ddl, &fixture->err);
    struct encoder_spec spec = {.schema = fixture->schema, .options = options};
    fixture->encoder = parquet_encoder.open(&spec, fixture->arena, &fixture->err);
}

static void make_bigints(struct column *column, uint32_t count, uint64_t distinct, unsigned null_every)
{
    struct error err;
    assert_true(column_reserve(column, NULL, count, &err));
    column->length = count;
    for (uint32_t i = 0; i < count; i++) {
        bool null = null_every && i % null_every == 0;
        ((int64_t *)column->values)[i] = null ? 0 : (int64_t)(random_next() % distinct);
        if (!null) continue;
        bit_clear(column->validity, i);
        column->null_count++;
    }
}

static struct piece *finished_piece(struct fixture *fixture, const struct chunk *chunk)
{
    struct piece *piece = parquet_encoder.piece_new(fixture->encoder, NULL, &fixture->err);
    assert_true(parquet_encoder.piece_add(piece, chunk, &fixture->err));
    assert_true(parquet_encoder.piece_memory(piece) > 0);
    assert_true(parquet_encoder.piece_finish(piece, &fixture->err));
    return piece;
}

static void codecs_have_sparks_names_and_suffixes(void **state)
{
    (void)state;
    static const char *const names[][2] = {{NULL, ".snappy.parquet"}, {"NONE", ".parquet"}, {"uncompressed", ".parquet"}, {"gzip", ".gz.parquet"},
                                           {"zstd", ".zstd.parquet"}, {"lz4", ".lz4hadoop.parquet"}, {"lz4_raw", ".lz4raw.parquet"}};
    struct fixture fixture;
    for (size_t i = 0; i < COUNTOF(names); i++) {
        setup(&fixture, "a INT", names[i][0]);
        assert_string_equal(parquet_encoder.suffix(fixture.encoder), names[i][1]);
        arena_free(fixture.arena);
    }
    static const char *const refused[] = {"nope", "brotli", "lzo", ""};
    for (size_t i = 0; i < COUNTOF(refused); i++) {
        setup(&fixture, "a INT", refused[i]);
        assert_null(fixture.encoder);
        assert_int_equal(fixture.err.condition, COND_CODEC_NOT_AVAILABLE);
        arena_free(fixture.arena);
    }
}

static void a_file_without_rows_is_magic_and_footer(void **state)
{
    (void)state;
    struct fixture fixture;
    struct buffer out = {0};
    struct slice bytes;
    struct chunk chunk;
    setup(&fixture, "a INT, s STRUCT<b: ARRAY<STRING>>", NULL);
    struct encoder_file *file = parquet_encoder.file_new(fixture.encoder, &fixture.err);
    assert_true(parquet_encoder.file_head(file, &out, &fixture.err));
    chunk_init(&chunk, fixture.schema);
    struct piece *piece = parquet_encoder.piece_new(fixture.encoder, NULL, &fixture.err);
    assert_true(parquet_encoder.piece_add(piece, &chunk, &fixture.err));
    assert_true(parquet_encoder.piece_finish(piece, &fixture.err));
    assert_true(parquet_encoder.file_piece(file, piece, &bytes, &fixture.err));
    assert_int_equal(bytes.size, 0);
    assert_true(parquet_encoder.file_tail(file, &out, &fixture.err));
    assert_memory_equal(out.data, "PAR1", 4);
    assert_memory_equal(out.data + out.size - 4, "PAR1", 4);
    uint32_t size;
    memcpy(&size, out.data + out.size - 8, 4);
    assert_int_equal(size, out.size - 12);
    assert_int_equal(parquet_encoder.file_rows(file), 0);
    parquet_encoder.piece_free(piece);
    parquet_encoder.file_free(file);
    chunk_fini(&chunk);
    buffer_free(&out);
    arena_free(fixture.arena);
}

static void statistics_are_merged_over_the_row_groups(void **state)
{
    (void)state;
    struct fixture fixture;
    struct slice bytes;
    setup(&fixture, "a BIGINT", NULL);
    struct encoder_file *file = parquet_encoder.file_new(fixture.encoder, &fixture.err);
    for (int group = 0; group < 3; group++) { /* The second has only nulls. */
        struct chunk chunk;
        chunk_init(&chunk, fixture.schema);
        chunk.row_count = 1000;
        make_bigints(&chunk.columns[0], 1000, group == 0 ? 1 : 100, group == 1 ? 1 : 10);
        if (group == 2) ((int64_t *)chunk.columns[0].values)[7] = -5;
        if (group == 2) ((int64_t *)chunk.columns[0].values)[8] = 500;
        struct piece *piece = finished_piece(&fixture, &chunk);
        assert_int_equal(parquet_encoder.piece_rows(piece), 1000);
        assert_true(parquet_encoder.file_piece(file, piece, &bytes, &fixture.err));
        assert_int_equal(bytes.size, parquet_encoder.piece_bytes(piece));
        parquet_encoder.piece_free(piece);
        chunk_fini(&chunk);
    }
    size_t count;
    const struct leaf_stats *stats = parquet_encoder.file_stats(file, &count);
    assert_int_equal(count, 1);
    assert_int_equal(stats->null_count, 1200);
    assert_true(stats->has_bounds);
    assert_int_equal(*(int64_t *)(void *)stats->minimum.data, -5);
    assert_int_equal(*(int64_t *)(void *)stats->maximum.data, 500);
    assert_int_equal(parquet_encoder.file_rows(file), 3000);
    parquet_encoder.file_free(file);
    arena_free(fixture.arena);
}

static void a_dictionary_is_kept_only_where_it_pays(void **state)
{
    (void)state;
    static const struct { uint64_t distinct; size_t size_min, size_max; } rows[] = {
        {2, 8000, 9500},                  /* A bit each, and two keys. */
        {1000, 80000, 92000},             /* Ten bits. */
        {UINT64_MAX, 65536 * 8, 65536 * 8 + 200}, /* As they stand. */
    };
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        struct fixture fixture;
        struct chunk chunk;
        setup(&fixture, "a BIGINT", "none");
        chunk_init(&chunk, fixture.schema);
        chunk.row_count = 65536;
        make_bigints(&chunk.columns[0], 65536, rows[i].distinct, 0);
        struct piece *piece = finished_piece(&fixture, &chunk);
        assert_in_range(parquet_encoder.piece_bytes(piece), rows[i].size_min, rows[i].size_max);
        parquet_encoder.piece_free(piece);
        chunk_fini(&chunk);
        arena_free(fixture.arena);
    }
}

static void nulls_in_not_null_columns_are_refused(void **state)
{
    (void)state;
    static const char *const schemas[] = {"a BIGINT NOT NULL", "s STRUCT<a: BIGINT NOT NULL>", "s STRUCT<a: BIGINT NOT NULL> NOT NULL"};
    for (size_t i = 0; i < COUNTOF(schemas); i++) {
        struct fixture fixture;
        struct chunk chunk;
        setup(&fixture, schemas[i], NULL);
        chunk_init(&chunk, fixture.schema);
        chunk.row_count = 100;
        struct column *column = &chunk.columns[0], *leaf = i ? &column->children[0] : column;
        if (i) {
            assert_true(column_reserve(column, NULL, 100, &fixture.err));
            column->length = 100;
        }
        make_bigints(leaf, 100, 10, 99);
        struct piece *piece = parquet_encoder.piece_new(fixture.encoder, NULL, &fixture.err);
        assert_false(parquet_encoder.piece_add(piece, &chunk, &fixture.err));
        assert_int_equal(fixture.err.condition, COND_TASK_WRITE_FAILED);
        parquet_encoder.piece_free(piece);
        chunk_fini(&chunk);
        arena_free(fixture.arena);
    }
}

/* A thousand levels, all present in one row, all null in the next. */
static void nesting_goes_a_thousand_levels_deep(void **state)
{
    (void)state;
    struct arena *arena = arena_new("test");
    struct error err = {0};
    const struct type *type = type_primitive(TYPE_BIGINT);
    for (int depth = 0; depth < 998; depth++) {
        struct field field = {.name = "f", .name_size = 1, .type = type, .nullable = true};
        type = depth % 2 ? type_struct(arena, &field, 1) : type_array(arena, type, true);
    }
    struct field top = {.name = "a", .name_size = 1, .type = type, .nullable = true};
    struct encoder_spec spec = {.schema = type_struct(arena, &top, 1)};
    struct encoder *encoder = parquet_encoder.open(&spec, arena, &err);
    assert_non_null(encoder);
    struct chunk chunk;
    chunk_init(&chunk, spec.schema);
    chunk.row_count = 2;
    uint32_t rows = 2;
    for (struct column *column = &chunk.columns[0];; column = &column->children[0]) {
        assert_true(column_reserve(column, NULL, rows, &err));
        column->length = rows;
        if (column->values) ((int64_t *)column->values)[0] = 7;
        if (rows == 2) bit_clear(column->validity, 1);
        column->null_count = rows == 2;
        if (column->type->kind == TYPE_ARRAY) {
            column->offsets[0] = 0;
            for (uint32_t i = 0; i < rows; i++) column->offsets[i + 1] = 1;
            rows = 1;
        }
        if (column->child_count == 0) break;
    }
    struct fixture fixture = {.arena = arena, .encoder = encoder};
    struct piece *piece = finished_piece(&fixture, &chunk);
    struct encoder_file *file = parquet_encoder.file_new(encoder, &err);
    struct buffer out = {0};
    struct slice bytes;
    assert_true(parquet_encoder.file_piece(file, piece, &bytes, &err));
    assert_true(parquet_encoder.file_tail(file, &out, &err));
    size_t count;
    assert_int_equal(parquet_encoder.file_stats(file, &count)->null_count, 1);
    assert_int_equal(count, 1);
    parquet_encoder.piece_free(piece);
    parquet_encoder.file_free(file);
    chunk_fini(&chunk);
    buffer_free(&out);
    arena_free(arena);
}

/* One value of 40 MB between short ones, and repeated: it never enters a dictionary, and pages end around it. */
static void huge_text_gets_through(void **state)
{
    (void)state;
    enum { HUGE = 40 << 20, ROWS = 100 };
    struct fixture fixture;
    struct chunk chunk;
    setup(&fixture, "a STRING", "none");
    chunk_init(&chunk, fixture.schema);
    chunk.row_count = ROWS;
    struct column *column = &chunk.columns[0];
    assert_true(column_reserve(column, NULL, ROWS, &fixture.err));
    assert_true(column_reserve_data(column, NULL, HUGE + ROWS, &fixture.err));
    memset(column->data, 'h', HUGE + ROWS);
    column->length = ROWS;
    for (int i = 0; i < ROWS; i++) column->offsets[i + 1] = column->offsets[i] + (i == 50 ? HUGE : 1);
    struct piece *piece = finished_piece(&fixture, &chunk);
    assert_in_range(parquet_encoder.piece_bytes(piece), HUGE, HUGE + 2000);
    parquet_encoder.piece_free(piece);
    chunk_fini(&chunk);
    arena_free(fixture.arena);
}

static void a_full_dictionary_gives_way_to_plain_pages(void **state)
{
    (void)state;
    struct parquet_leaf leaf = {.type = type_primitive(TYPE_BIGINT), .physical = PARQUET_INT64, .transfer = PARQUET_TRANSFER_SAME};
    struct dictionary dictionary;
    enum { COUNT = 70000 };
    int64_t *values = malloc(COUNT * 8);
    uint16_t *indices = malloc(COUNT * 2);
    for (int i = 0; i < COUNT; i++) values[i] = i;
    struct dense dense = {.kind = DENSE_8, .count = COUNT, .values = values};
    dictionary_init(&dictionary, DENSE_8);
    assert_int_equal(dictionary_add(&dictionary, &dense, 0, COUNT, indices), DICTIONARY_COUNT_MAX);
    assert_int_equal(dictionary_add(&dictionary, &dense, 0, DICTIONARY_COUNT_MAX, indices), DICTIONARY_COUNT_MAX);
    for (int i = 0; i < DICTIONARY_COUNT_MAX; i++) assert_int_equal(indices[i], i);
    struct buffer out = {0}, scratch = {0};
    dictionary_expand(&dictionary, &leaf, indices, DICTIONARY_COUNT_MAX, &out, &scratch);
    assert_memory_equal(out.data, values, DICTIONARY_COUNT_MAX * 8);
    dictionary_free(&dictionary);
    buffer_free(&out);
    buffer_free(&scratch);
    free(values);
    free(indices);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hybrid_gives_back_what_went_in),
        cmocka_unit_test(validity_bits_become_the_same_levels_from_any_bit),
        cmocka_unit_test(one_value_takes_one_run),
        cmocka_unit_test(thrift_reads_what_it_wrote),
        cmocka_unit_test(thrift_survives_cut_and_random_bytes),
        cmocka_unit_test(types_have_the_physical_form_that_spark_gives_them),
        cmocka_unit_test(lists_and_maps_have_three_levels_or_the_legacy_ones),
        cmocka_unit_test(empty_structs_are_refused),
        cmocka_unit_test(field_ids_come_from_the_metadata),
        cmocka_unit_test(long_text_has_rounded_bounds),
        cmocka_unit_test(floating_bounds_know_zeros_and_nans),
        cmocka_unit_test(integer_bounds_are_found_at_every_place),
        cmocka_unit_test(wide_bounds_are_the_same_with_vectors),
        cmocka_unit_test(codecs_have_sparks_names_and_suffixes),
        cmocka_unit_test(a_file_without_rows_is_magic_and_footer),
        cmocka_unit_test(statistics_are_merged_over_the_row_groups),
        cmocka_unit_test(a_dictionary_is_kept_only_where_it_pays),
        cmocka_unit_test(nulls_in_not_null_columns_are_refused),
        cmocka_unit_test(nesting_goes_a_thousand_levels_deep),
        cmocka_unit_test(huge_text_gets_through),
        cmocka_unit_test(a_full_dictionary_gives_way_to_plain_pages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
