/* parquet_encode -- one column chunk while it grows: dictionary or PLAIN, pages, compression. */
#include "formats/parquet_encode.h"
#include "base/panic.h"
#include "formats/thrift.h"

#include <math.h>

enum {
    BATCH_VALUES = 4096,             /* Values between two looks at the dictionary's worth. */
    INDICES_PER_PAGE_MAX = 1 << 18,
    SLOTS_PER_PAGE_MAX = 1 << 20,
    TRIAL_VALUES = 2048,             /* After which a dictionary is judged, mildly; with some more values, strictly. */
    STRICT_VALUES = 8192
};

void page_scratch_free(struct page_scratch *scratch)
{
    buffer_free(&scratch->gather);
    buffer_free(&scratch->page);
    buffer_free(&scratch->compressed);
    buffer_free(&scratch->header);
    buffer_free(&scratch->levels);
    hybrid_free(&scratch->indices);
}

static void start_page(struct column_writer *writer)
{
    hybrid_start(&writer->definitions, hybrid_width(writer->leaf->definition));
    hybrid_start(&writer->repetitions, hybrid_width(writer->leaf->repetition));
    buffer_clear(&writer->values);
    buffer_clear(&writer->indices);
    writer->bit_count = 0;
    writer->indexed_size = 0;
    writer->page_slots = 0;
}

void column_writer_init(struct column_writer *writer, const struct parquet_leaf *leaf, const struct page_settings *settings, struct page_scratch *scratch)
{
    enum dense_kind kind = dense_kind_of(leaf);
    *writer = (struct column_writer){.leaf = leaf, .settings = settings, .scratch = scratch, .bounds.isa = settings->isa};
    writer->use_dictionary = settings->dictionary && kind != DENSE_BITS && kind != DENSE_VOID;
    dictionary_init(&writer->dictionary, kind);
    start_page(writer);
}

/* What was needed to grow; finished pages stay. */
static void free_open(struct column_writer *writer)
{
    hybrid_free(&writer->definitions);
    hybrid_free(&writer->repetitions);
    buffer_free(&writer->values);
    buffer_free(&writer->indices);
    dictionary_free(&writer->dictionary);
}

void column_writer_free(struct column_writer *writer)
{
    free_open(writer);
    buffer_free(&writer->pages);
}

size_t column_writer_memory(const struct column_writer *writer)
{
    return (size_t)writer->raw_size + writer->definitions.out.size + writer->repetitions.out.size + writer->values.size + writer->indices.size +
           dictionary_memory(&writer->dictionary);
}

/* ---- pages ---- */

/* Spark's `lz4` is Hadoop's framing: both sizes, big-endian, before a raw block. */
static bool compress_hadoop_lz4(struct slice bytes, struct buffer *out, struct error *err)
{
    size_t start = out->size;
    buffer_reserve(out, 8);
    out->size += 8;
    if (!page_compress(PAGE_LZ4_RAW, 0, bytes, out, err)) return false;
    uint32_t sizes[2] = {__builtin_bswap32((uint32_t)bytes.size), __builtin_bswap32((uint32_t)(out->size - start - 8))};
    memcpy(out->data + start, sizes, 8);
    return true;
}

/* Zstandard's matchers above level 1 mostly find nothing in integers, and seek long: where they make a sample from the
 * middle of the page no smaller, the page takes level 1. *level is that of the settings before. */
static bool choose_level(const struct column_writer *writer, struct slice bytes, int *level, struct error *err)
{
    enum { SAMPLE_SIZE = 32 << 10 };
    struct buffer *out = &writer->scratch->compressed;
    bool integers = writer->leaf->physical == PARQUET_INT32 || writer->leaf->physical == PARQUET_INT64;
    if (writer->settings->codec != PAGE_ZSTD || *level <= 1 || !integers || bytes.size < 4 * SAMPLE_SIZE) return true;
    struct slice sample = slice_of(bytes.data + bytes.size / 2, SAMPLE_SIZE);
    buffer_clear(out);
    if (!page_compress(PAGE_ZSTD, *level, sample, out, err)) return false;
    size_t slow = out->size;
    if (!page_compress(PAGE_ZSTD, 1, sample, out, err)) return false;
    if (out->size - slow <= slow + slow / 200) *level = 1;
    return true;
}

/* Behind what is in `out`. */
static bool compress(struct column_writer *writer, struct slice bytes, struct buffer *out, struct error *err)
{
    const struct page_settings *settings = writer->settings;
    int level = settings->codec_level;
    if (!choose_level(writer, bytes, &level, err)) return false;
    return settings->codec == PAGE_LZ4_HADOOP ? compress_hadoop_lz4(bytes, out, err) : page_compress(settings->codec, level, bytes, out, err);
}

struct page {
    enum parquet_page_type type;
    uint32_t value_count; /* Slots, or keys of a dictionary page. */
    enum parquet_encoding encoding;
};

static void put_header(const struct page *page, size_t raw, size_t stored, struct buffer *out)
{
    struct thrift_writer writer;
    bool data = page->type == PARQUET_DATA_PAGE;
    thrift_writer_init(&writer, out);
    thrift_struct_begin(&writer);
    thrift_field_i32(&writer, 1, (int32_t)page->type);
    thrift_field_i32(&writer, 2, (int32_t)raw);
    thrift_field_i32(&writer, 3, (int32_t)stored);
    thrift_field_struct(&writer, data ? 5 : 7);
    thrift_field_i32(&writer, 1, (int32_t)page->value_count);
    thrift_field_i32(&writer, 2, (int32_t)page->encoding);
    if (data) thrift_field_i32(&writer, 3, PARQUET_RLE);
    if (data) thrift_field_i32(&writer, 4, PARQUET_RLE);
    thrift_struct_end(&writer);
    thrift_struct_end(&writer);
}

/* The header with the size that the page has taken, in place of the guess. Its own size. */
static size_t replace_header(struct column_writer *writer, const struct page *page, size_t raw, size_t stored, struct buffer *out, size_t start, size_t guessed)
{
    struct buffer *header = &writer->scratch->header;
    buffer_clear(header);
    put_header(page, raw, stored, header);
    if (header->size != guessed) {
        buffer_reserve(out, header->size);
        memmove(out->data + start + header->size, out->data + start + guessed, stored);
        out->size = start + header->size + stored;
    }
    memcpy(out->data + start, header->data, header->size);
    return header->size;
}

static bool put_page(struct column_writer *writer, const struct page *page, struct slice bytes, struct buffer *out, struct error *err)
{
    if (bytes.size > INT32_MAX) {
        return error_set(err, COND_TASK_WRITE_FAILED, "a page of %zu bytes is larger than Parquet can hold", bytes.size);
    }
    size_t start = out->size;
    put_header(page, bytes.size, bytes.size, out); /* A guess, nearly always as long as the true one. */
    size_t guessed = out->size - start;
    if (!compress(writer, bytes, out, err)) return false;
    size_t stored = out->size - start - guessed, real = replace_header(writer, page, bytes.size, stored, out, start, guessed);
    writer->raw_size += (int64_t)(real + bytes.size);
    return true;
}

static void put_levels(struct hybrid *hybrid, struct buffer *page)
{
    hybrid_finish(hybrid);
    uint32_t size = (uint32_t)hybrid->out.size;
    buffer_append(page, &size, 4);
    buffer_append(page, hybrid->out.data, size);
}

static void put_indices(struct column_writer *writer, struct buffer *page)
{
    struct hybrid *hybrid = &writer->scratch->indices;
    hybrid_start(hybrid, hybrid_width(writer->dictionary.count - 1));
    hybrid_values(hybrid, (const uint16_t *)(const void *)writer->indices.data, writer->indices.size / 2);
    hybrid_finish(hybrid);
    buffer_byte(page, (uint8_t)hybrid->width);
    buffer_append(page, hybrid->out.data, hybrid->out.size);
}

/* The bytes of the open page before compression. */
static struct slice page_bytes(struct column_writer *writer, bool dictionary)
{
    const struct parquet_leaf *leaf = writer->leaf;
    struct buffer *page = &writer->scratch->page;
    if (!dictionary && leaf->definition == 0 && leaf->repetition == 0) return slice_of(writer->values.data, writer->values.size);
    buffer_clear(page);
    if (leaf->repetition > 0) put_levels(&writer->repetitions, page);
    if (leaf->definition > 0) put_levels(&writer->definitions, page);
    if (dictionary) put_indices(writer, page);
    else buffer_append(page, writer->values.data, writer->values.size);
    return slice_of(page->data, page->size);
}

static bool flush_page(struct column_writer *writer, struct buffer *out, struct error *err)
{
    if (writer->page_slots == 0) return true;
    bool dictionary = writer->use_dictionary && writer->indices.size > 0;
    struct page page = {PARQUET_DATA_PAGE, writer->page_slots, dictionary ? PARQUET_PLAIN_DICTIONARY : PARQUET_PLAIN};
    if (!put_page(writer, &page, page_bytes(writer, dictionary), out, err)) return false;
    if (dictionary) writer->dictionary_page_count++;
    else writer->plain_page_count++;
    start_page(writer);
    return true;
}

static bool page_is_full(const struct column_writer *writer)
{
    return writer->values.size >= writer->settings->page_size || writer->indices.size / 2 >= INDICES_PER_PAGE_MAX || writer->page_slots >= SLOTS_PER_PAGE_MAX;
}

/* ---- dictionary or PLAIN ---- */

/* Looks as if there were no more than `distinct` distinct values: so many different ones show up among the
 * first n draws. Judges early, so that a column of unique values costs few look-ups; so few draws say
 * little, so the first limit is a wide one. */
static bool dictionary_promises(const struct column_writer *writer)
{
    if (writer->values_seen < TRIAL_VALUES) return true;
    const double distinct = writer->values_seen < STRICT_VALUES ? 200000 : 60000;
    return writer->dictionary.count <= -expm1(-(double)writer->values_seen / distinct) * distinct;
}

/* The open page's values as PLAIN, and no dictionary: it served no page yet. */
static void expand_open_page(struct column_writer *writer)
{
    const uint16_t *indices = (const uint16_t *)(const void *)writer->indices.data;
    dictionary_expand(&writer->dictionary, writer->leaf, indices, writer->indices.size / 2, &writer->values, &writer->scratch->levels);
    buffer_clear(&writer->indices);
    dictionary_bounds(&writer->dictionary, writer->leaf, &writer->bounds);
    dictionary_free(&writer->dictionary);
}

/* Bytes with and without dictionary, of what is in the open page. */
static bool dictionary_pays(const struct column_writer *writer, unsigned percent)
{
    size_t count = writer->indices.size / 2;
    if (count == 0) return false;
    size_t with = dictionary_size(&writer->dictionary, writer->leaf) + count * hybrid_width(writer->dictionary.count - 1) / 8;
    return with * 100 < writer->indexed_size * percent;
}

static bool leave_dictionary(struct column_writer *writer, struct error *err)
{
    if (writer->dictionary_page_count == 0 && !dictionary_pays(writer, 80)) expand_open_page(writer);
    else if (!flush_page(writer, &writer->pages, err)) return false;
    writer->use_dictionary = false;
    buffer_free(&writer->indices);
    return true;
}

/* False: not all of them were taken, and none is kept. */
static bool add_indices(struct column_writer *writer, const struct dense *dense, uint32_t start, uint32_t count)
{
    uint16_t *to = (uint16_t *)(void *)buffer_reserve(&writer->indices, (size_t)count * 2);
    uint32_t taken = dictionary_add(&writer->dictionary, dense, start, count, to);
    if (taken < count) return false;
    writer->values_seen += count;
    writer->indices.size += (size_t)count * 2;
    writer->indexed_size += plain_size(writer->leaf, dense, start, count);
    return true;
}

/* ---- slots ---- */

static uint32_t values_among(const struct leaf_levels *levels, uint32_t start, uint32_t count)
{
    if (levels->bits) return (uint32_t)bits_count(levels->bits, levels->bit_start + start, count);
    if (!levels->definitions) return levels->level == levels->full ? count : 0;
    uint32_t found = 0;
    for (uint32_t i = start; i < start + count; i++) found += levels->definitions[i] == levels->full;
    return found;
}

/* Validity bits as levels full - 1 and full, where a level takes more than a bit. */
static void add_wide_bits(struct column_writer *writer, const struct leaf_levels *levels, uint32_t start, uint32_t count)
{
    struct buffer *scratch = &writer->scratch->levels;
    buffer_clear(scratch);
    uint16_t *to = (uint16_t *)(void *)buffer_reserve(scratch, (size_t)count * 2);
    for (uint32_t i = 0; i < count; i++) to[i] = (uint16_t)(levels->full - 1 + bit_get(levels->bits, levels->bit_start + start + i));
    hybrid_values(&writer->definitions, to, count);
}

static void add_levels(struct column_writer *writer, const struct leaf_levels *levels, uint32_t start, uint32_t count)
{
    const struct parquet_leaf *leaf = writer->leaf;
    if (leaf->definition > 0) {
        if (levels->definitions) hybrid_values(&writer->definitions, levels->definitions + start, count);
        else if (!levels->bits) hybrid_run(&writer->definitions, levels->level, count);
        else if (leaf->definition == 1) hybrid_bits(&writer->definitions, levels->bits, levels->bit_start + start, count);
        else add_wide_bits(writer, levels, start, count);
    }
    if (leaf->repetition > 0) {
        if (levels->repetitions) hybrid_values(&writer->repetitions, levels->repetitions + start, count);
        else hybrid_run(&writer->repetitions, 0, count);
    }
    writer->page_slots += count;
}

/* Slots for one step: as many as should fill the page, up to where a row begins. */
static uint32_t choose_slots(const struct column_writer *writer, const struct leaf_levels *levels, const struct dense *dense, uint32_t slot, uint32_t value)
{
    uint32_t left = levels->slot_count - slot, wanted = SLOTS_PER_PAGE_MAX - writer->page_slots;
    if (value < dense->count) {
        size_t average = plain_size(writer->leaf, dense, value, dense->count - value) / (dense->count - value) + 1;
        size_t room = writer->settings->page_size > writer->values.size ? writer->settings->page_size - writer->values.size : 0;
        size_t fitting = !writer->use_dictionary ? room / average + 1 : writer->values_seen < TRIAL_VALUES ? TRIAL_VALUES : BATCH_VALUES;
        if (dense->kind == DENSE_BITS) fitting = room * 8 + 8;
        if (fitting < wanted) wanted = (uint32_t)fitting;
    }
    if (wanted >= left) return left;
    if (levels->repetitions) {
        while (wanted < left && levels->repetitions[slot + wanted] != 0) wanted++;
    }
    return wanted;
}

static bool add_batch(struct column_writer *writer, const struct leaf_levels *levels, const struct dense *dense, uint32_t slot, uint32_t slots,
                      uint32_t value, uint32_t values, struct error *err)
{
    bool indexed = writer->use_dictionary && values > 0 && add_indices(writer, dense, value, values);
    if (writer->use_dictionary && values > 0 && !indexed && !leave_dictionary(writer, err)) return false;
    add_levels(writer, levels, slot, slots);
    if (indexed) {
        if (!dictionary_promises(writer) && !leave_dictionary(writer, err)) return false;
    } else if (values > 0) {
        plain_append(writer->leaf, dense, value, values, &writer->values, &writer->bit_count);
        bounds_add(&writer->bounds, writer->leaf, dense, value, values);
    }
    return !page_is_full(writer) || flush_page(writer, &writer->pages, err);
}

bool column_writer_add(struct column_writer *writer, const struct column *column, uint32_t row_start, uint32_t row_count,
                       const struct leaf_levels *levels, struct error *err)
{
    struct dense dense = dense_gather(writer->leaf, column, row_start, row_count, levels->value_count, &writer->scratch->gather);
    uint32_t slot = 0, value = 0;
    while (slot < levels->slot_count) {
        uint32_t slots = choose_slots(writer, levels, &dense, slot, value);
        uint32_t values = values_among(levels, slot, slots);
        if (!add_batch(writer, levels, &dense, slot, slots, value, values, err)) return false;
        slot += slots;
        value += values;
    }
    invariant(value == dense.count);
    writer->slot_count += levels->slot_count;
    writer->null_count += levels->slot_count - levels->value_count;
    return true;
}

/* ---- columns of runs ---- */

/* One run of the column: `index` is its key, -1 for null. */
static void add_run(struct column_writer *writer, int32_t index, size_t key_size, uint32_t rows)
{
    const struct parquet_leaf *leaf = writer->leaf;
    bool null = index < 0;
    if (leaf->definition > 0) hybrid_run(&writer->definitions, (uint16_t)(leaf->definition - null), rows);
    writer->page_slots += rows;
    writer->slot_count += rows;
    if (null) {
        writer->null_count += rows;
        return;
    }
    uint16_t *to = (uint16_t *)(void *)buffer_reserve(&writer->indices, (size_t)rows * 2);
    for (uint32_t i = 0; i < rows; i++) to[i] = (uint16_t)index;
    writer->indices.size += (size_t)rows * 2;
    writer->indexed_size += key_size * rows;
    writer->values_seen += rows;
}

bool column_writer_takes_runs(const struct column_writer *writer, const struct column *column)
{
    const struct column *values = &column->children[0];
    bool nulls_fit = writer->leaf->definition == 1 || values->null_count == 0;
    return writer->use_dictionary && writer->leaf->repetition == 0 && writer->leaf->definition <= 1 && nulls_fit &&
           column->run_count <= column->length / 4 && column->run_count <= BATCH_VALUES;
}

bool column_writer_add_runs(struct column_writer *writer, const struct column *column, bool *taken, struct error *err)
{
    const struct column *values = &column->children[0];
    const int32_t *ends = column->values;
    uint32_t runs = column->run_count, count = runs - values->null_count, key = 0;
    uint16_t keys[BATCH_VALUES];
    struct dense dense = dense_gather(writer->leaf, values, 0, runs, count, &writer->scratch->gather);
    *taken = count == 0 || dictionary_add(&writer->dictionary, &dense, 0, count, keys) == count;
    if (!*taken) return true;
    for (uint32_t run = 0; run < runs; run++) {
        uint32_t rows = (uint32_t)(ends[run] - (run ? ends[run - 1] : 0));
        bool valid = column_is_valid(values, run);
        add_run(writer, valid ? keys[key] : -1, valid ? plain_size(writer->leaf, &dense, key, 1) : 0, rows);
        key += valid;
    }
    return !page_is_full(writer) || flush_page(writer, &writer->pages, err);
}

/* ---- the end ---- */

size_t column_writer_stored_max(const struct column_writer *writer)
{
    return writer->pages.size + dictionary_size(&writer->dictionary, writer->leaf) + writer->indices.size + writer->values.size +
           writer->definitions.out.size + writer->repetitions.out.size;
}

static bool put_dictionary_page(struct column_writer *writer, struct buffer *out, struct error *err)
{
    struct buffer *bytes = &writer->scratch->page;
    struct page page = {PARQUET_DICTIONARY_PAGE, writer->dictionary.count, PARQUET_PLAIN_DICTIONARY};
    buffer_clear(bytes);
    dictionary_print(&writer->dictionary, writer->leaf, bytes);
    return put_page(writer, &page, slice_of(bytes->data, bytes->size), out, err);
}

bool column_writer_finish(struct column_writer *writer, struct buffer *out, struct error *err)
{
    bool whole = writer->use_dictionary && writer->dictionary_page_count == 0; /* The decision is still free. */
    if (whole && writer->indices.size > 0 && !dictionary_pays(writer, 100)) {
        expand_open_page(writer);
        writer->use_dictionary = false;
    }
    bool last_is_indexed = writer->use_dictionary && writer->indices.size > 0;
    size_t start = out->size;
    if (writer->dictionary_page_count > 0 || last_is_indexed) {
        dictionary_bounds(&writer->dictionary, writer->leaf, &writer->bounds);
        if (!put_dictionary_page(writer, out, err)) return false;
    }
    writer->dictionary_page_size = out->size - start;
    buffer_append(out, writer->pages.data, writer->pages.size);
    if (!flush_page(writer, out, err)) return false;
    writer->stored_size = out->size - start;
    free_open(writer);
    return true;
}
