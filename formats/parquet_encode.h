/* parquet_encode -- one column chunk while it grows: levels and values in, compressed pages out.
 *
 * Values start in a dictionary; when that does not pay, the rest (or all) is PLAIN. A page is
 * compressed as soon as it is full, so a writer holds one open page, its dictionary and compressed bytes.
 * One writer belongs to one thread. */
#pragma once
#include "formats/input.h"
#include "formats/parquet_levels.h"
#include "formats/parquet_values.h"

struct page_settings {
    enum page_codec codec;
    int codec_level;
    size_t page_size;   /* Bytes of values before compression at which a page is closed. */
    bool dictionary;
    enum isa isa;
};

/* Buffers that the columns of one piece share. */
struct page_scratch {
    struct buffer gather, page, compressed, header, levels;
    struct hybrid indices;
};
void page_scratch_free(struct page_scratch *scratch);

struct column_writer {
    const struct parquet_leaf *leaf;
    const struct page_settings *settings;
    struct page_scratch *scratch;
    struct hybrid definitions, repetitions; /* Of the open page. */
    struct buffer values;                   /* Of the open page, PLAIN. */
    size_t bit_count;                       /* Values in `values`, BOOLEAN. */
    struct buffer indices;                  /* Of the open page, uint16: while use_dictionary. */
    size_t indexed_size;                    /* What the values behind `indices` would take as PLAIN. */
    bool use_dictionary;
    struct dictionary dictionary;
    uint32_t page_slots;
    uint64_t values_seen;                   /* Given to the dictionary. */
    struct bounds bounds;
    struct buffer pages;                    /* Finished before the last one, with their headers. */
    uint32_t dictionary_page_count, plain_page_count; /* Data pages by encoding. */
    int64_t slot_count, null_count;
    int64_t raw_size;                       /* Finished pages with headers, before compression. */
    size_t dictionary_page_size, stored_size; /* Once finished: of the column chunk. */
};

void column_writer_init(struct column_writer *writer, const struct parquet_leaf *leaf, const struct page_settings *settings, struct page_scratch *scratch);
void column_writer_free(struct column_writer *writer);
/* As levels_leaf_fn gives them. */
bool column_writer_add(struct column_writer *writer, const struct column *column, uint32_t row_start, uint32_t row_count,
                       const struct leaf_levels *levels, struct error *err) MUST_CHECK;
/* A top-level column of few runs goes in as it is: a key and a run of indices each. *taken false: the dictionary is full
 * and nothing was added; the caller flattens. */
bool column_writer_takes_runs(const struct column_writer *writer, const struct column *column);
bool column_writer_add_runs(struct column_writer *writer, const struct column *column, bool *taken, struct error *err) MUST_CHECK;
/* About what the column chunk will take at most, before its last page is closed. */
size_t column_writer_stored_max(const struct column_writer *writer);
/* Closes the last page and appends the column chunk to `out`: the dictionary page, then the data pages. */
bool column_writer_finish(struct column_writer *writer, struct buffer *out, struct error *err) MUST_CHECK;
size_t column_writer_memory(const struct column_writer *writer); /* Before compression, with what is open. */
