/* writer_fixture -- JSON records in, the bytes of an encoder's file out. */
#pragma once
#include "formats/format.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

struct writer {
    struct arena *arena;
    struct session session;
    struct inlet_context context;
    struct error err;
    const struct type *schema;
    struct chunk chunk;
};

static inline void writer_read(struct writer *writer, const char *records)
{
    struct options options;
    const struct option_spec *tables[] = {json_reader.options};
    assert_true(options_parse(writer->arena, "json", tables, 1, NULL, 0, "/", &options, &writer->err));
    struct read_spec spec = {.schema = writer->schema, .file_schema = writer->schema, .corrupt_column = -1, .options = &options, .session = &writer->session};
    struct reader *reader = json_reader.open(&spec, writer->arena, &writer->err);
    assert_non_null(reader);
    char path[] = "/tmp/inlet-writer-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, records, strlen(records)), strlen(records));
    close(fd);
    struct file_range range = {.path = path, .end = -1, .size = -1, .mtime_us = -1};
    struct range_outcome outcome;
    struct scan *scan = json_reader.scan_new(reader, &writer->context, &writer->err);
    json_reader.scan_begin(scan, &range, 1, &outcome);
    assert_int_equal(json_reader.scan_next(scan, &writer->chunk, &writer->err), *records ? PULL_CHUNK : PULL_END);
    json_reader.scan_free(scan);
    unlink(path);
}

static inline void writer_open(struct writer *writer, const char *zone, const char *ddl, const char *records)
{
    memset(writer, 0, sizeof *writer);
    error_clear(&writer->err);
    inlet_context_init(&writer->context);
    writer->arena = arena_new("test");
    struct option_input conf = {.name = "spark.sql.session.timeZone", .text = zone};
    struct buffer warnings = {0};
    assert_true(session_parse(writer->arena, &conf, 1, &writer->session, &warnings, &writer->err));
    buffer_free(&warnings);
    writer->schema = schema_parse_ddl(writer->arena, ddl, &writer->err);
    assert_non_null(writer->schema);
    chunk_init(&writer->chunk, writer->schema);
    if (records)
        writer_read(writer, records);
}

static inline void writer_close(struct writer *writer)
{
    chunk_fini(&writer->chunk);
    arena_free(writer->arena);
    inlet_context_fini(&writer->context);
}

/* options: "name", "value", ..., NULL. NULL: writer->err. */
static inline struct encoder *writer_encoder(struct writer *writer, const struct encoder_ops *ops, const char *const *options)
{
    struct option_input inputs[8] = {{0}};
    size_t count = 0;
    for (; options && options[0]; options += 2)
        inputs[count++] = (struct option_input){.name = options[0], .text = options[1], .line = 1};
    struct options *parsed = ARENA_NEW(writer->arena, struct options);
    const struct option_spec *tables[] = {ops->options};
    if (!options_parse(writer->arena, ops->name, tables, 1, inputs, count, "/", parsed, &writer->err))
        return NULL;
    struct encoder_spec spec = {.schema = writer->schema, .options = parsed, .session = &writer->session};
    return ops->open(&spec, writer->arena, &writer->err);
}

/* A file of `pieces` pieces, each with the whole chunk. */
static inline void writer_file(struct writer *writer, const struct encoder_ops *ops, const struct encoder *encoder, int pieces, struct buffer *out)
{
    struct encoder_file *file = ops->file_new(encoder, &writer->err);
    assert_true(ops->file_head(file, out, &writer->err));
    for (int i = 0; i < pieces; i++) {
        struct piece *piece = ops->piece_new(encoder, &writer->context, &writer->err);
        struct slice bytes;
        assert_true(ops->piece_add(piece, &writer->chunk, &writer->err));
        assert_true(ops->piece_finish(piece, &writer->err));
        assert_int_equal(ops->piece_rows(piece), chunk_selected(&writer->chunk));
        size_t expected = ops->piece_bytes(piece);
        assert_true(ops->file_piece(file, piece, &bytes, &writer->err));
        assert_true(bytes.size == expected || bytes.size == 0);
        buffer_append(out, bytes.data, bytes.size);
        ops->piece_free(piece);
    }
    assert_true(ops->file_tail(file, out, &writer->err));
    assert_int_equal(ops->file_rows(file), pieces * (int)chunk_selected(&writer->chunk));
    ops->file_free(file);
}

static inline void assert_written(const struct encoder_ops *ops, const char *zone, const char *ddl, const char *records, const char *const *options,
                                  const char *wanted)
{
    struct writer writer;
    struct buffer out = {0};
    writer_open(&writer, zone, ddl, records);
    struct encoder *encoder = writer_encoder(&writer, ops, options);
    if (!encoder)
        fail_msg("%s", writer.err.message);
    writer_file(&writer, ops, encoder, 1, &out);
    assert_string_equal(buffer_string(&out), wanted);
    buffer_free(&out);
    writer_close(&writer);
}

static inline void assert_refused(const struct encoder_ops *ops, const char *ddl, const char *const *options, enum condition condition)
{
    struct writer writer;
    writer_open(&writer, "UTC", ddl, NULL);
    assert_null(writer_encoder(&writer, ops, options));
    assert_string_equal(condition_name(writer.err.condition), condition_name(condition));
    writer_close(&writer);
}

/* Written with each codec in two pieces, then read back through its input: the same bytes as without one. */
static inline void assert_every_codec_reads_back(const struct encoder_ops *ops, const char *ddl, const char *records, const char *header)
{
    static const char *const codecs[] = {"none", "gzip", "bzip2", "deflate", "lz4", "snappy", "zstd"};
    for (int pieces = 0; pieces < 3; pieces++) {
        struct writer writer;
        struct buffer plain = {0};
        writer_open(&writer, "UTC", ddl, records);
        for (size_t i = 0; i < COUNTOF(codecs); i++) {
            const char *const options[] = {"compression", codecs[i], header, "true", NULL};
            struct encoder *encoder = writer_encoder(&writer, ops, options);
            if (!encoder)
                fail_msg("%s: %s", codecs[i], writer.err.message);
            struct buffer bytes = {0}, back = {0};
            writer_file(&writer, ops, encoder, pieces, &bytes);
            char path[64];
            snprintf(path, sizeof path, "/tmp/inlet-writer-%d%s", (int)getpid(), ops->suffix(encoder));
            FILE *file = fopen(path, "wb");
            assert_true(bytes.size == 0 || fwrite(bytes.data, 1, bytes.size, file) == bytes.size);
            fclose(file);
            struct input *input = input_open(&local_store, path, 0, -1, NULL, NULL, &writer.err);
            assert_non_null(input);
            size_t got;
            while (input_read(input, buffer_reserve(&back, 4096), 4096, false, &got, &writer.err) && got)
                back.size += got;
            assert_false(error_is_set(&writer.err));
            input_close(input);
            unlink(path);
            if (i == 0 && back.size)
                buffer_append(&plain, back.data, back.size);
            assert_int_equal(back.size, plain.size);
            assert_true(plain.size == 0 || memcmp(back.data, plain.data, plain.size) == 0);
            buffer_free(&bytes);
            buffer_free(&back);
        }
        buffer_free(&plain);
        writer_close(&writer);
    }
}
