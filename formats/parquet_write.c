/* parquet_write -- the Parquet encoder: options, row groups built by workers, files put together from them.
 *
 * A piece is one row group. Its bytes do not depend on where in the file it will stand; the offsets of
 * its column chunks are made absolute when a file takes it. So row groups are encoded and compressed in
 * parallel, and a file is: magic, row groups, footer. */
#include "formats/format.h"
#include "base/panic.h"
#include "formats/parquet_metadata.h"

#include <stdlib.h>
#include <strings.h>

enum { ZSTD_LEVEL = 3, GZIP_LEVEL = 6, PAGE_SIZE = 1 << 20 };

static const struct option_spec parquet_options[] = {
    {.name = "compression", .kind = OPTION_TEXT,
     .help = "Codec: none, uncompressed, snappy, gzip, zstd, lz4_raw or lz4 (Hadoop's framing). Default: spark.sql.parquet.compression.codec, which is snappy."},
    {.name = "parquet.compression", .kind = OPTION_TEXT, .help = "Codec, where the option compression is not given."},
    {.name = "parquet.compression.codec.zstd.level", .kind = OPTION_INT, .fallback = "3", .minimum = 1, .maximum = 22,
     .help = "Level of zstd: higher is smaller and slower."},
    {.name = "parquet.enable.dictionary", .kind = OPTION_BOOL, .fallback = "true", .help = "Dictionary encoding where it makes a column smaller."},
    {.name = "parquet.page.size", .kind = OPTION_BYTES, .fallback = "1048576", .minimum = 1024, .maximum = 1 << 30,
     .help = "Size of a data page before compression."},
    {0},
};

/* ---- settings ---- */

struct encoder {
    struct parquet_layout *layout;
    struct page_settings pages;
    const char *suffix;
    const char *row_metadata;
};

struct codec_name {
    const char *name;
    enum page_codec codec;
    const char *suffix;
};

static const struct codec_name codec_names[] = {
    {"snappy", PAGE_SNAPPY, ".snappy.parquet"},   {"none", PAGE_UNCOMPRESSED, ".parquet"}, {"uncompressed", PAGE_UNCOMPRESSED, ".parquet"},
    {"gzip", PAGE_GZIP, ".gz.parquet"},           {"zstd", PAGE_ZSTD, ".zstd.parquet"},    {"lz4", PAGE_LZ4_HADOOP, ".lz4hadoop.parquet"},
    {"lz4_raw", PAGE_LZ4_RAW, ".lz4raw.parquet"},
};

static const char *given_text(const struct options *options, const char *name)
{
    return options && options_has(options, name) ? options_text(options, name) : NULL;
}

static bool given_bool(const struct options *options, const char *name, bool otherwise)
{
    return options && options_has(options, name) && options_text(options, name) ? options_bool(options, name) : otherwise;
}

static int64_t given_int(const struct options *options, const char *name, int64_t otherwise)
{
    return options && options_has(options, name) && options_text(options, name) ? options_int(options, name) : otherwise;
}

static const struct options *conf_of(const struct encoder_spec *spec) { return spec->session ? &spec->session->conf : NULL; }

static bool choose_codec(const struct encoder_spec *spec, struct encoder *encoder, struct error *err)
{
    const char *name = given_text(spec->options, "compression");
    if (!name) name = given_text(spec->options, "parquet.compression");
    if (!name) name = given_text(conf_of(spec), "spark.sql.parquet.compression.codec");
    if (!name) name = "snappy";
    for (size_t i = 0; i < COUNTOF(codec_names); i++) {
        if (strcasecmp(name, codec_names[i].name) != 0) continue;
        encoder->pages.codec = codec_names[i].codec;
        encoder->suffix = codec_names[i].suffix;
        int64_t zstd_level = given_int(spec->options, "parquet.compression.codec.zstd.level", ZSTD_LEVEL);
        encoder->pages.codec_level = encoder->pages.codec == PAGE_ZSTD ? (int)zstd_level : GZIP_LEVEL;
        return true;
    }
    return error_set(err, COND_CODEC_NOT_AVAILABLE,
                     "the codec %s is not available. Available codecs are none, uncompressed, snappy, gzip, zstd, lz4, lz4_raw", name);
}

static enum parquet_timestamps choose_timestamps(const struct encoder_spec *spec)
{
    const char *name = given_text(conf_of(spec), "spark.sql.parquet.outputTimestampType");
    if (name && strcasecmp(name, "INT96") == 0) return PARQUET_TIMESTAMP_INT96;
    if (name && strcasecmp(name, "TIMESTAMP_MILLIS") == 0) return PARQUET_TIMESTAMP_MILLIS;
    return PARQUET_TIMESTAMP_MICROS; /* Not Spark's default INT96, which is deprecated and has no statistics. */
}

static const char *row_metadata(const struct encoder_spec *spec, struct arena *arena)
{
    if (spec->footer_schema_json) return spec->footer_schema_json;
    struct buffer json = {0};
    type_print_json(spec->schema, &json);
    const char *text = arena_strndup(arena, (const char *)json.data, json.size);
    buffer_free(&json);
    return text;
}

static struct encoder *parquet_encoder_open(const struct encoder_spec *spec, struct arena *arena, struct error *err)
{
    struct encoder *encoder = ARENA_NEW(arena, struct encoder);
    struct parquet_layout_options layout = {
        .timestamps = choose_timestamps(spec),
        .legacy = given_bool(conf_of(spec), "spark.sql.parquet.writeLegacyFormat", false),
        .write_field_ids = given_bool(conf_of(spec), "spark.sql.parquet.fieldId.write.enabled", true),
    };
    if (!choose_codec(spec, encoder, err)) return NULL;
    encoder->pages.dictionary = given_bool(spec->options, "parquet.enable.dictionary", true);
    encoder->pages.page_size = (size_t)given_int(spec->options, "parquet.page.size", PAGE_SIZE);
    encoder->pages.isa = isa_choose();
    encoder->row_metadata = row_metadata(spec, arena);
    encoder->layout = parquet_layout_new(spec->schema, &layout, arena, err);
    return encoder->layout ? encoder : NULL;
}

static const char *parquet_suffix(const struct encoder *encoder) { return encoder->suffix; }

/* ---- pieces ---- */

struct piece {
    const struct encoder *encoder;
    struct budget *budget;
    struct column_writer *writers;     /* One per leaf, until finished. */
    struct column_summary *summaries;  /* One per leaf, once finished. */
    struct page_scratch scratch;
    struct level_walk walk;
    struct buffer bytes;               /* The row group. */
    int64_t row_count;
    bool finished;
};

static void *zeroed(size_t count, size_t size)
{
    void *memory = calloc(count, size);
    if (!memory) panic_out_of_memory(count * size);
    return memory;
}

static bool add_leaf(void *user, uint32_t leaf, const struct column *column, uint32_t row_start, uint32_t row_count,
                     const struct leaf_levels *levels, struct error *err)
{
    struct piece *piece = user;
    return column_writer_add(&piece->writers[leaf], column, row_start, row_count, levels, err);
}

static struct piece *parquet_piece_new(const struct encoder *encoder, struct inlet_context *context, struct error *err)
{
    (void)err;
    const struct parquet_layout *layout = encoder->layout;
    struct piece *piece = zeroed(1, sizeof *piece);
    piece->encoder = encoder;
    piece->budget = context ? context->budget : NULL;
    piece->walk.leaf = add_leaf;
    piece->walk.user = piece;
    piece->writers = zeroed(layout->leaf_count, sizeof *piece->writers);
    piece->summaries = zeroed(layout->leaf_count, sizeof *piece->summaries);
    for (uint32_t i = 0; i < layout->leaf_count; i++) {
        column_writer_init(&piece->writers[i], &layout->leaves[i], &encoder->pages, &piece->scratch);
    }
    return piece;
}

static void free_writers(struct piece *piece)
{
    for (uint32_t i = 0; piece->writers && i < piece->encoder->layout->leaf_count; i++) column_writer_free(&piece->writers[i]);
    free(piece->writers);
    piece->writers = NULL;
    page_scratch_free(&piece->scratch);
    level_walk_free(&piece->walk);
}

static void leaf_stats_free(struct leaf_stats *stats)
{
    buffer_free(&stats->minimum);
    buffer_free(&stats->maximum);
}

static void parquet_piece_free(struct piece *piece)
{
    if (!piece) return;
    free_writers(piece);
    for (uint32_t i = 0; i < piece->encoder->layout->leaf_count; i++) leaf_stats_free(&piece->summaries[i].stats);
    free(piece->summaries);
    buffer_free(&piece->bytes);
    free(piece);
}

/* *taken: the column went in without being flattened. */
static bool add_as_runs(struct piece *piece, const struct parquet_node *node, const struct column *column, bool *taken, struct error *err)
{
    *taken = false;
    if (column->encoding != COLUMN_RUNS || type_is_nested(node->type)) return true;
    struct column_writer *writer = &piece->writers[node->leaf];
    return !column_writer_takes_runs(writer, column) || column_writer_add_runs(writer, column, taken, err);
}

static bool add_column(struct piece *piece, const struct parquet_node *node, const struct column *column, const struct chunk *chunk, struct error *err)
{
    uint32_t rows = chunk_selected(chunk);
    bool taken;
    if (!chunk->selection) {
        if (column->encoding == COLUMN_PLAIN) return levels_walk(&piece->walk, node, column, rows, err);
        if (!add_as_runs(piece, node, column, &taken, err)) return false;
        if (taken) return true;
    }
    struct column plain;
    if (!column_take(&plain, column, chunk->selection, rows, piece->budget, err)) return false;
    bool ok = levels_walk(&piece->walk, node, &plain, rows, err);
    column_fini(&plain);
    return ok;
}

static bool parquet_piece_add(struct piece *piece, const struct chunk *chunk, struct error *err)
{
    const struct parquet_node *root = &piece->encoder->layout->root;
    invariant(!piece->finished);
    if (chunk_selected(chunk) == 0) return true;
    for (uint32_t i = 0; i < root->child_count; i++) {
        if (!add_column(piece, &root->children[i], &chunk->columns[i], chunk, err)) return false;
    }
    piece->row_count += chunk_selected(chunk);
    return true;
}

static size_t parquet_piece_memory(const struct piece *piece)
{
    if (piece->finished) return piece->bytes.size;
    size_t size = piece->encoder->layout->leaf_count * sizeof(struct column_writer);
    for (uint32_t i = 0; i < piece->encoder->layout->leaf_count; i++) size += column_writer_memory(&piece->writers[i]);
    return size;
}

/* The column's pages go into the row group: the last one is compressed to where it stays. */
static bool append_column(struct piece *piece, struct column_writer *writer, struct column_summary *summary, struct error *err)
{
    int64_t offset = (int64_t)piece->bytes.size;
    if (!column_writer_finish(writer, &piece->bytes, err)) return false;
    *summary = (struct column_summary){
        .leaf = writer->leaf,
        .offset = offset,
        .dictionary_size = (int64_t)writer->dictionary_page_size,
        .stored_size = (int64_t)writer->stored_size,
        .raw_size = writer->raw_size,
        .slot_count = writer->slot_count,
        .dictionary_page_count = writer->dictionary_page_count,
        .plain_page_count = writer->plain_page_count,
        .stats = {.type = writer->leaf->type, .null_count = writer->null_count},
    };
    bounds_finish(&writer->bounds, writer->leaf, &summary->stats);
    summary->unbounded = writer->bounds.any && !summary->stats.has_bounds;
    column_writer_free(writer);
    return true;
}

static bool parquet_piece_finish(struct piece *piece, struct error *err)
{
    uint32_t count = piece->encoder->layout->leaf_count;
    size_t room = 0;
    invariant(!piece->finished);
    for (uint32_t i = 0; i < count; i++) room += column_writer_stored_max(&piece->writers[i]);
    buffer_reserve(&piece->bytes, room);
    for (uint32_t i = 0; i < count; i++)
        if (!append_column(piece, &piece->writers[i], &piece->summaries[i], err)) return false;
    free_writers(piece);
    piece->finished = true;
    return true;
}

static int64_t parquet_piece_rows(const struct piece *piece) { return piece->row_count; }
static size_t parquet_piece_bytes(const struct piece *piece) { return piece->bytes.size; }

/* ---- files ---- */

struct encoder_file {
    const struct encoder *encoder;
    int64_t size, row_count;
    struct buffer row_groups; /* Thrift bytes. */
    size_t row_group_count;
    struct leaf_stats *stats;
    bool *unbounded;          /* Some row group has values without bounds: so has the file. */
};

static struct encoder_file *parquet_file_new(const struct encoder *encoder, struct error *err)
{
    (void)err;
    uint32_t count = encoder->layout->leaf_count;
    struct encoder_file *file = zeroed(1, sizeof *file);
    file->encoder = encoder;
    file->stats = zeroed(count, sizeof *file->stats);
    file->unbounded = zeroed(count, sizeof *file->unbounded);
    for (uint32_t i = 0; i < count; i++) file->stats[i].type = encoder->layout->leaves[i].type;
    return file;
}

static bool parquet_file_head(struct encoder_file *file, struct buffer *out, struct error *err)
{
    (void)err;
    buffer_append(out, PARQUET_MAGIC, 4);
    file->size = 4;
    return true;
}

static void copy_bound(struct buffer *to, const struct buffer *from)
{
    buffer_clear(to);
    buffer_append(to, from->data, from->size);
}

/* Bounds of a column below a list are Parquet's business only: file_stats leaves them out. */
static void merge_stats(struct encoder_file *file, uint32_t index, const struct column_summary *column)
{
    struct leaf_stats *to = &file->stats[index];
    const struct leaf_stats *from = &column->stats;
    to->null_count += from->null_count;
    file->unbounded[index] |= column->unbounded || column->leaf->repetition > 0;
    if (file->unbounded[index]) to->has_bounds = false;
    if (file->unbounded[index] || !from->has_bounds) return;
    if (!to->has_bounds || bound_compare(column->leaf, &from->minimum, &to->minimum) < 0) {
        copy_bound(&to->minimum, &from->minimum);
        to->minimum_cut = from->minimum_cut;
    }
    if (!to->has_bounds || bound_compare(column->leaf, &from->maximum, &to->maximum) > 0) {
        copy_bound(&to->maximum, &from->maximum);
        to->maximum_cut = from->maximum_cut;
    }
    to->has_bounds = true;
}

static bool parquet_file_piece(struct encoder_file *file, struct piece *piece, struct slice *bytes, struct error *err)
{
    (void)err;
    uint32_t count = file->encoder->layout->leaf_count;
    invariant(piece->finished && piece->encoder == file->encoder);
    *bytes = slice_of(piece->bytes.data, piece->bytes.size);
    if (piece->row_count == 0) return true;
    struct row_group_summary group = {piece->summaries, count, piece->row_count, file->encoder->pages.codec};
    row_group_print(&group, file->size, file->row_group_count++, &file->row_groups);
    for (uint32_t i = 0; i < count; i++) merge_stats(file, i, &piece->summaries[i]);
    file->row_count += piece->row_count;
    file->size += (int64_t)piece->bytes.size;
    return true;
}

static bool parquet_file_tail(struct encoder_file *file, struct buffer *out, struct error *err)
{
    struct file_summary summary = {
        .layout = file->encoder->layout,
        .row_count = file->row_count,
        .row_groups = slice_of(file->row_groups.data, file->row_groups.size),
        .row_group_count = file->row_group_count,
        .row_metadata = file->encoder->row_metadata,
    };
    size_t start = out->size;
    footer_print(&summary, out);
    if (out->size - start <= INT32_MAX) return true;
    return error_set(err, COND_TASK_WRITE_FAILED, "the footer of a Parquet file would take %zu bytes", out->size - start);
}

static int64_t parquet_file_rows(const struct encoder_file *file) { return file->row_count; }

static const struct leaf_stats *parquet_file_stats(const struct encoder_file *file, size_t *count)
{
    *count = file->encoder->layout->leaf_count;
    return file->stats;
}

static void parquet_file_free(struct encoder_file *file)
{
    if (!file) return;
    for (uint32_t i = 0; i < file->encoder->layout->leaf_count; i++) leaf_stats_free(&file->stats[i]);
    free(file->stats);
    free(file->unbounded);
    buffer_free(&file->row_groups);
    free(file);
}

const struct encoder_ops parquet_encoder = {
    .name = "parquet",
    .options = parquet_options,
    .open = parquet_encoder_open,
    .suffix = parquet_suffix,
    .piece_new = parquet_piece_new,
    .piece_add = parquet_piece_add,
    .piece_memory = parquet_piece_memory,
    .piece_finish = parquet_piece_finish,
    .piece_rows = parquet_piece_rows,
    .piece_bytes = parquet_piece_bytes,
    .piece_free = parquet_piece_free,
    .file_new = parquet_file_new,
    .file_head = parquet_file_head,
    .file_piece = parquet_file_piece,
    .file_tail = parquet_file_tail,
    .file_rows = parquet_file_rows,
    .file_stats = parquet_file_stats,
    .file_free = parquet_file_free,
};
