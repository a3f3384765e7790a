/* fuzz_reader -- files through a reader, and what came out as text, so that two ways of reading can be compared. */
#pragma once
#include "columns/show.h"
#include "formats/format.h"
#include "tests/fuzz/fuzz.h"

struct fuzz_setup {
    const char *schema;
    const char *options[8][2];
};

struct fuzz_reader {
    struct options options;
    struct read_spec spec;
    struct reader *reader;
};

/* Compiled at the first use; the fields of the schema but `_corrupt_record` are those of the file. */
UNUSED static struct fuzz_reader *fuzz_reader_of(struct fuzz_reader *out, const struct reader_ops *ops, const struct fuzz_setup *setup)
{
    if (out->reader) return out;
    struct error err = {0};
    struct arena *arena = fuzz_arena();
    const struct type *all = schema_parse_ddl(arena, setup->schema, &err);
    fuzz_check(all, "%s", err.message);
    struct field *file = ARENA_ARRAY(arena, struct field, all->field_count + 1);
    size_t count = 0, given = 0;
    out->spec.corrupt_column = -1;
    for (size_t i = 0; i < all->field_count; i++)
        if (strcmp(all->fields[i].name, "_corrupt_record") == 0) out->spec.corrupt_column = (int)i;
        else file[count++] = all->fields[i];
    struct option_input inputs[8];
    for (; given < 8 && setup->options[given][0]; given++)
        inputs[given] = (struct option_input){setup->options[given][0], setup->options[given][1], 1, false};
    const struct option_spec *tables[] = {ops->options, file_options};
    fuzz_check(options_parse(arena, ops->name, tables, 2, inputs, given, "/", &out->options, &err), "%s", err.message);
    out->spec.file_schema = type_struct(arena, file, count);
    out->spec.schema = all;
    out->spec.options = &out->options;
    out->spec.session = fuzz_session();
    out->reader = ops->open(&out->spec, arena, &err);
    fuzz_check(out->reader, "%s", err.message);
    return out;
}

static void fuzz_print_chunk(const struct chunk *chunk, struct buffer *out)
{
    struct error err = {0};
    for (size_t c = 0; c < chunk->schema->field_count; c++) {
        fuzz_check(chunk->columns[c].length == chunk->row_count, "column %zu has %u rows of %u", c, chunk->columns[c].length, chunk->row_count);
        fuzz_check(column_check(&chunk->columns[c], &err), "column %zu: %s", c, err.message);
    }
    for (uint32_t row = 0; row < chunk->row_count; row++) {
        for (size_t c = 0; c < chunk->schema->field_count; c++) {
            buffer_text(out, c ? "|" : "");
            show_value(&chunk->columns[c], row, fuzz_session(), out);
        }
        buffer_text(out, "\n");
    }
}

/* Reads ranges of files. An error ends the text as "! CONDITION". Whatever the input, the counts add up. */
UNUSED static void fuzz_read_ranges(const struct reader_ops *ops, const struct fuzz_reader *reader, const struct file_range *ranges, size_t count,
                                    struct range_outcome *outcomes, struct buffer *out)
{
    struct error err = {0};
    size_t used = budget_used(fuzz_context()->budget);
    struct scan *scan = ops->scan_new(reader->reader, fuzz_context(), &err);
    struct chunk chunk;
    enum pull pull;
    int64_t rows = 0, told = 0;
    fuzz_check(scan, "%s", err.message);
    chunk_init(&chunk, reader->spec.schema);
    ops->scan_begin(scan, ranges, count, outcomes);
    while ((pull = ops->scan_next(scan, &chunk, &err)) == PULL_CHUNK) {
        fuzz_print_chunk(&chunk, out);
        rows += chunk.row_count;
    }
    if (pull == PULL_FAILED) {
        fuzz_check_error(&err);
        buffer_printf(out, "! %s\n", condition_name(err.condition));
    } else {
        for (size_t i = 0; i < count; i++) told += outcomes[i].rows;
        fuzz_check(told == rows, "%lld rows were told, %lld given", (long long)told, (long long)rows);
    }
    chunk_fini(&chunk);
    ops->scan_free(scan);
    fuzz_check(budget_used(fuzz_context()->budget) == used, "%zu bytes of columns were left behind", budget_used(fuzz_context()->budget) - used);
}

UNUSED static void fuzz_read_file(const struct reader_ops *ops, const struct fuzz_reader *reader, const char *path, struct range_outcome *outcome, struct buffer *out)
{
    struct file_range range = {.path = path, .end = -1, .size = -1, .mtime_us = -1};
    fuzz_read_ranges(ops, reader, &range, 1, outcome, out);
}

/* The file cut in two ranges gives the same rows as in one. */
UNUSED static void fuzz_read_halves(const struct reader_ops *ops, const struct fuzz_reader *reader, const char *path, int64_t cut, struct range_outcome *sum, struct buffer *out)
{
    struct file_range ranges[] = {{.path = path, .end = cut, .size = -1, .mtime_us = -1}, {.path = path, .start = cut, .end = INT64_MAX, .size = -1, .mtime_us = -1}};
    struct range_outcome outcomes[2];
    fuzz_read_ranges(ops, reader, ranges, 2, outcomes, out);
    *sum = (struct range_outcome){.rows = outcomes[0].rows + outcomes[1].rows, .records_bad = outcomes[0].records_bad + outcomes[1].records_bad,
                                  .records_framed = outcomes[0].records_framed + outcomes[1].records_framed};
}

UNUSED static void fuzz_check_same(const struct buffer *a, const struct buffer *b, const char *what)
{
    if (a->size == b->size && (a->size == 0 || memcmp(a->data, b->data, a->size) == 0)) return;
    fprintf(stderr, "%s\n--- one\n%.*s--- other\n%.*s", what, (int)a->size, (const char *)a->data, (int)b->size, (const char *)b->data);
    abort();
}
