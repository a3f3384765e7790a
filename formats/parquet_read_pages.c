/* parquet_read_pages -- one column chunk, page after page: headers, decompression, levels.
 *
 * Entries (one per value, null or empty list) are taken in blocks of READ_BLOCK; a block ends with its
 * page. A row may go on in the next page. Buffers are kept from chunk to chunk. */
#include "base/panic.h"
#include "formats/parquet_read.h"
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

enum { HEADER_SIZE_FIRST = 512, HEADER_SIZE_MAX = 16 << 20 };
enum { LEVELS_MAX = 1 << 26 }; /* Entries of one column in one chunk of rows. */

static bool damaged(const struct page_reader *reader, struct error *err, const char *what)
{
    return error_set(err, COND_INLET_DAMAGED_FILE, "column [%s], page before byte %" PRId64 ": %s", reader->leaf->path, reader->position, what);
}

/* --- bytes --- */

/* Reads up to `size` bytes at `offset`; *got is less only at the end of the file. */
static bool read_at(const struct page_reader *reader, int64_t offset, void *out, size_t size, size_t *got, struct error *err)
{
    *got = 0;
    while (*got < size) {
        ssize_t count = pread(reader->fd, (uint8_t *)out + *got, size - *got, offset + (int64_t)*got);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return error_errno(err, "could not read the file");
        if (count == 0) break;
        *got += (size_t)count;
    }
    return true;
}

static bool read_whole(const struct page_reader *reader, int64_t offset, void *out, size_t size, struct error *err)
{
    size_t got;
    if (!read_at(reader, offset, out, size, &got, err)) return false;
    return got == size || error_set(err, COND_INLET_FILE_CHANGED, "the file ended while it was read");
}

/* Headers may hold statistics of any size, so the buffer grows until the header is whole. */
static bool read_header(struct page_reader *reader, struct parquet_page_header *out, struct error *err)
{
    uint8_t small[HEADER_SIZE_FIRST], *bytes = small, *large = NULL;
    int64_t left = reader->data_end - reader->position;
    size_t size = 0, capacity = sizeof(small);
    bool done = false;
    for (;;) {
        size_t got, wanted = left < (int64_t)capacity ? (size_t)left : capacity;
        if (!read_at(reader, reader->position, bytes, wanted, &got, err)) break;
        done = parquet_page_header_parse(slice_of(bytes, got), out, &size);
        if (done) break;
        if (got < capacity || capacity >= HEADER_SIZE_MAX) {
            damaged(reader, err, "the page header is damaged");
            break;
        }
        capacity *= 8;
        free(large);
        bytes = large = malloc(capacity);
        if (!large) panic_out_of_memory(capacity);
    }
    free(large);
    if (done) reader->position += (int64_t)size;
    return done;
}

/* The best that each codec can do, so that a small lie cannot ask for a large buffer. */
static bool ratio_is_possible(enum page_codec codec, size_t compressed, size_t size)
{
    static const size_t ratios[] = {[PAGE_UNCOMPRESSED] = 1, [PAGE_SNAPPY] = 32, [PAGE_GZIP] = 1040,
                                    [PAGE_LZ4_HADOOP] = 256, [PAGE_ZSTD] = 50000, [PAGE_LZ4_RAW] = 256};
    size_t ratio = (size_t)codec < COUNTOF(ratios) ? ratios[codec] : 0;
    return size / (ratio ? ratio : 1) <= compressed + 64;
}

/* `stored` bytes at the position into *block, `size` of them when decompressed. */
static bool read_body(struct page_reader *reader, int64_t offset, size_t stored, size_t size, bool is_compressed, void **block, size_t at,
                      struct error *err)
{
    enum page_codec codec = is_compressed ? reader->codec : PAGE_UNCOMPRESSED;
    if (!ratio_is_possible(codec, stored, size) || (codec == PAGE_UNCOMPRESSED && stored != size))
        return damaged(reader, err, "its sizes contradict each other");
    if (!block_grow(reader->budget, block, at + size + 1, err)) return false;
    uint8_t *out = (uint8_t *)*block + at;
    if (codec == PAGE_UNCOMPRESSED) return read_whole(reader, offset, out, size, err);
    if (size == 0) return true;
    if (!block_grow(reader->budget, &reader->compressed, stored + 1, err)) return false;
    return read_whole(reader, offset, reader->compressed, stored, err) &&
           page_decompress(codec, slice_of(reader->compressed, stored), out, size, err);
}

/* --- levels --- */

static unsigned level_width(uint16_t maximum) { return maximum ? 32 - (unsigned)__builtin_clz(maximum) : 0; }

/* The levels in front of a page v1: a length and runs, or packed bits in old files. */
static bool levels_v1(struct page_reader *reader, struct run_decoder *runs, int32_t encoding, uint16_t maximum, int64_t count,
                      struct slice *bytes, struct error *err)
{
    unsigned width = level_width(maximum);
    if (maximum == 0) return true;
    size_t size, head = 0;
    if (encoding == PARQUET_RLE) {
        if (bytes->size < 4) return damaged(reader, err, "there is no room for its levels");
        uint32_t length;
        memcpy(&length, bytes->data, 4);
        size = length;
        head = 4;
    } else if (encoding == PARQUET_BIT_PACKED) {
        size = (size_t)(((uint64_t)count * width + 7) / 8);
    } else {
        return damaged(reader, err, "its levels have an unknown encoding");
    }
    if (size > bytes->size - head) return damaged(reader, err, "its levels do not fit");
    struct slice levels = slice_of(bytes->data + head, size);
    if (encoding == PARQUET_RLE) run_decoder_init(runs, levels, width);
    else run_decoder_init_packed(runs, levels, width);
    *bytes = slice_of(bytes->data + head + size, bytes->size - head - size);
    return true;
}

/* --- values --- */

static const char *encoding_name(int32_t encoding)
{
    static const char *const names[] = {"PLAIN", "GROUP_VAR_INT", "PLAIN_DICTIONARY", "RLE", "BIT_PACKED", "DELTA_BINARY_PACKED",
                                        "DELTA_LENGTH_BYTE_ARRAY", "DELTA_BYTE_ARRAY", "RLE_DICTIONARY", "BYTE_STREAM_SPLIT"};
    return encoding >= 0 && (size_t)encoding < COUNTOF(names) ? names[encoding] : "unknown";
}

static bool refuse_encoding(const struct page_reader *reader, int32_t encoding, struct error *err)
{
    return error_set(err, COND_FAILED_READ_FILE, "column [%s] has pages of the encoding %s (%" PRId32 "), which is not supported yet",
                     reader->leaf->path, encoding_name(encoding), encoding);
}

static bool values_of_indexes(struct page_reader *reader, struct slice bytes, struct error *err)
{
    struct value_reader *values = &reader->values;
    if (reader->leaf->transfer == READ_BITS) return damaged(reader, err, "booleans have no dictionary");
    values->encoding = VALUES_DICTIONARY;
    if (bytes.size == 0) { /* A page of nulls. */
        run_decoder_init(&values->runs, bytes, 0);
        return true;
    }
    if (bytes.data[0] > 32) return damaged(reader, err, "its indexes have more than 32 bits");
    run_decoder_init(&values->runs, slice_of(bytes.data + 1, bytes.size - 1), bytes.data[0]);
    return true;
}

static bool is_delta(int32_t encoding)
{
    return encoding == PARQUET_DELTA_BINARY_PACKED || encoding == PARQUET_DELTA_LENGTH_BYTE_ARRAY || encoding == PARQUET_DELTA_BYTE_ARRAY ||
           encoding == PARQUET_BYTE_STREAM_SPLIT;
}

static bool values_begin(struct page_reader *reader, int32_t encoding, struct slice bytes, int64_t most, struct error *err)
{
    struct value_reader *values = &reader->values;
    if (is_delta(encoding) && reader->leaf->transfer != READ_VOID) {
        size_t size;
        if (!plain_from_delta(reader->leaf, encoding, bytes, most, reader->budget, &reader->plain, &size, err)) return false;
        encoding = PARQUET_PLAIN;
        bytes = slice_of(size ? reader->plain : "", size);
    }
    if (encoding == PARQUET_PLAIN) {
        values->encoding = VALUES_PLAIN;
        values->at = bytes.data;
        values->end = bytes.data + bytes.size;
        values->bit = 0;
        return true;
    }
    if (encoding == PARQUET_PLAIN_DICTIONARY || encoding == PARQUET_RLE_DICTIONARY) return values_of_indexes(reader, bytes, err);
    if (reader->leaf->transfer == READ_VOID) return true;
    if (encoding != PARQUET_RLE || reader->leaf->physical != PARQUET_BOOLEAN) return refuse_encoding(reader, encoding, err);
    values->encoding = VALUES_RUNS;
    uint32_t length = 0;
    if (bytes.size >= 4) memcpy(&length, bytes.data, 4);
    if (bytes.size && (bytes.size < 4 || length > bytes.size - 4)) return damaged(reader, err, "its booleans do not fit");
    run_decoder_init(&values->runs, slice_of(bytes.data + (bytes.size ? 4 : 0), length), 1);
    return true;
}

/* --- pages --- */

static bool load_dictionary(struct page_reader *reader, const struct parquet_page_header *header, struct error *err)
{
    struct value_reader *values = &reader->values;
    size_t size = (size_t)header->uncompressed_size;
    if (header->encoding != PARQUET_PLAIN && header->encoding != PARQUET_PLAIN_DICTIONARY) return refuse_encoding(reader, header->encoding, err);
    if (header->value_count < 0) return damaged(reader, err, "its dictionary has a negative count");
    if (!read_body(reader, reader->position, (size_t)header->compressed_size, size, true, &values->dictionary_page, 0, err)) return false;
    return value_reader_dictionary(values, reader->leaf, slice_of(values->dictionary_page, size), (uint32_t)header->value_count, reader->budget, err);
}

static bool load_data_v1(struct page_reader *reader, const struct parquet_page_header *header, struct error *err)
{
    size_t size = (size_t)header->uncompressed_size;
    if (!read_body(reader, reader->position, (size_t)header->compressed_size, size, true, &reader->page, 0, err)) return false;
    struct slice bytes = slice_of(reader->page, size);
    const struct read_leaf *leaf = reader->leaf;
    return levels_v1(reader, &reader->repetition_runs, header->repetition_encoding, leaf->repetition, header->value_count, &bytes, err) &&
           levels_v1(reader, &reader->definition_runs, header->definition_encoding, leaf->definition, header->value_count, &bytes, err) &&
           values_begin(reader, header->encoding, bytes, header->value_count, err);
}

/* Levels lie in front, never compressed; the sizes of both count in the page's. */
static bool load_data_v2(struct page_reader *reader, const struct parquet_page_header *header, struct error *err)
{
    int64_t levels = (int64_t)header->repetition_size + header->definition_size;
    if (header->repetition_size < 0 || header->definition_size < 0 || levels > header->compressed_size || levels > header->uncompressed_size)
        return damaged(reader, err, "its levels do not fit");
    size_t front = (size_t)levels, size = (size_t)header->uncompressed_size - front;
    if (!block_grow(reader->budget, &reader->page, front + 1, err) || !read_whole(reader, reader->position, reader->page, front, err) ||
        !read_body(reader, reader->position + levels, (size_t)header->compressed_size - front, size, header->is_compressed, &reader->page, front, err))
        return false;
    const uint8_t *page = reader->page;
    run_decoder_init(&reader->repetition_runs, slice_of(page, (size_t)header->repetition_size), level_width(reader->leaf->repetition));
    run_decoder_init(&reader->definition_runs, slice_of(page + header->repetition_size, (size_t)header->definition_size),
                     level_width(reader->leaf->definition));
    return values_begin(reader, header->encoding, slice_of(page + front, size), header->value_count, err);
}

/* One page, of whatever kind. */
static bool load_page(struct page_reader *reader, struct error *err)
{
    struct parquet_page_header header;
    if (reader->position >= reader->data_end) return damaged(reader, err, "the column ends before all of its values");
    if (!read_header(reader, &header, err)) return false;
    if (header.compressed_size < 0 || header.uncompressed_size < 0 || header.compressed_size > reader->data_end - reader->position)
        return damaged(reader, err, "its size reaches behind the data");
    bool done = true, is_data = header.type == PARQUET_DATA_PAGE || header.type == PARQUET_DATA_PAGE_V2;
    if (is_data && (header.value_count < 0 || header.value_count > reader->entries_in_chunk))
        return damaged(reader, err, "it has more values than its column");
    if (header.type == PARQUET_DICTIONARY_PAGE) done = load_dictionary(reader, &header, err);
    else if (header.type == PARQUET_DATA_PAGE) done = load_data_v1(reader, &header, err);
    else if (header.type == PARQUET_DATA_PAGE_V2) done = load_data_v2(reader, &header, err);
    reader->position += header.compressed_size;
    if (!done || !is_data) return done;
    reader->entries_in_page = header.value_count;
    reader->entries_in_chunk -= header.value_count;
    return true;
}

/* --- blocks of entries --- */

static bool decode_levels(struct page_reader *reader, struct run_decoder *runs, uint16_t maximum, uint16_t *out, size_t count, struct error *err)
{
    uint32_t levels[READ_BLOCK];
    if (maximum == 0) {
        memset(out, 0, count * sizeof(*out));
        return true;
    }
    if (!run_decode(runs, levels, count)) return damaged(reader, err, "it holds fewer levels than it says");
    for (size_t i = 0; i < count; i++) {
        if (levels[i] > maximum) return damaged(reader, err, "a level is higher than the schema allows");
        out[i] = (uint16_t)levels[i];
    }
    return true;
}

/* The next block; its entries are all of one page. False with no entries left is damage: rows are missing. */
static bool next_block(struct page_reader *reader, struct error *err)
{
    while (reader->entries_in_page == 0) {
        if (reader->entries_in_chunk == 0) return damaged(reader, err, "the column has fewer rows than its row group");
        if (!load_page(reader, err)) return false;
    }
    size_t count = reader->entries_in_page < READ_BLOCK ? (size_t)reader->entries_in_page : READ_BLOCK;
    if (!decode_levels(reader, &reader->repetition_runs, reader->leaf->repetition, reader->repetition, count, err) ||
        !decode_levels(reader, &reader->definition_runs, reader->leaf->definition, reader->definition, count, err))
        return false;
    reader->entries_in_page -= (int64_t)count;
    reader->block_at = 0;
    reader->block_count = count;
    return true;
}

static bool keep_levels(struct page_reader *reader, size_t start, size_t count, struct error *err)
{
    struct read_levels *levels = &reader->levels;
    if (levels->count + count > LEVELS_MAX)
        return error_set(err, COND_INLET_RESOURCE, "a few rows have more than %d values in column [%s]", LEVELS_MAX, reader->leaf->path);
    size_t size = (levels->count + count) * sizeof(uint16_t);
    if (!block_grow(reader->budget, (void **)&levels->definition, size, err) || !block_grow(reader->budget, (void **)&levels->repetition, size, err))
        return false;
    memcpy(levels->definition + levels->count, reader->definition + start, count * sizeof(uint16_t));
    memcpy(levels->repetition + levels->count, reader->repetition + start, count * sizeof(uint16_t));
    levels->count += count;
    return true;
}

/* Entries [start, start + count) of the block go to the column. */
static bool take_entries(struct page_reader *reader, struct column *column, size_t count, struct error *err)
{
    const struct read_leaf *leaf = reader->leaf;
    uint8_t valid[READ_BLOCK];
    size_t slots = 0, present = 0, start = reader->block_at;
    for (size_t i = start; i < start + count; i++) {
        if (reader->definition[i] < leaf->slot_definition) continue;
        valid[slots] = reader->definition[i] == leaf->definition;
        present += valid[slots++];
    }
    if (leaf->keep_levels && !keep_levels(reader, start, count, err)) return false;
    reader->block_at += count;
    return slots == 0 || value_reader_append(&reader->values, leaf, column, valid, slots, present, reader->budget, err);
}

/* How many entries of the block belong to the rows that are wanted. *begun counts rows. */
static size_t entries_of_rows(const struct page_reader *reader, uint32_t rows, uint32_t *begun)
{
    size_t left = reader->block_count - reader->block_at;
    if (reader->leaf->repetition == 0) {
        size_t take = left < rows - *begun ? left : rows - *begun;
        *begun += (uint32_t)take;
        return take;
    }
    size_t take = 0;
    for (; take < left; take++) {
        if (reader->repetition[reader->block_at + take] != 0) continue;
        if (*begun == rows) break;
        ++*begun;
    }
    return take;
}

bool page_reader_at_end(const struct page_reader *reader)
{
    return reader->block_at == reader->block_count && reader->entries_in_page == 0 && reader->entries_in_chunk == 0;
}

bool page_reader_rows(struct page_reader *reader, struct column *column, uint32_t rows, struct error *err)
{
    uint32_t begun = 0;
    for (bool first = true;; first = false) {
        if (reader->block_at == reader->block_count) {
            if (begun == rows && (reader->leaf->repetition == 0 || page_reader_at_end(reader))) return true;
            if (!next_block(reader, err)) return false;
        }
        if (first && reader->repetition[reader->block_at] != 0) return damaged(reader, err, "a row begins inside a list");
        size_t count = entries_of_rows(reader, rows, &begun);
        if (count && !take_entries(reader, column, count, err)) return false;
        if (reader->block_at < reader->block_count) return true; /* The next row begins here. */
    }
}

/* --- column chunks --- */

bool page_reader_begin(struct page_reader *reader, const struct parquet_column_chunk *chunk, struct error *err)
{
    const struct parquet_column_metadata *metadata = &chunk->metadata;
    const char *path = reader->leaf->path;
    if (chunk->is_encrypted) return error_set(err, COND_FAILED_READ_FILE, "column [%s] is encrypted, which is not supported", path);
    if (!chunk->has_metadata) return error_set(err, COND_INLET_DAMAGED_FILE, "column [%s] has no metadata", path);
    if (chunk->file_path.size)
        return error_set(err, COND_FAILED_READ_FILE, "column [%s] lies in another file, which is not supported", path);
    if (metadata->physical != reader->leaf->physical)
        return error_set(err, COND_INLET_DAMAGED_FILE, "column [%s] is of another type in its row group than in the schema", path);
    if (metadata->codec < 0 || metadata->codec > PAGE_LZ4_RAW || metadata->codec == 3 || metadata->codec == 4)
        return error_set(err, COND_FAILED_READ_FILE, "column [%s] is compressed with the codec %s, which is not supported", path,
                         metadata->codec == 3 ? "LZO" : metadata->codec == 4 ? "BROTLI" : "of an unknown number");
    int64_t start = metadata->data_page_offset;
    if (metadata->has_dictionary_page && metadata->dictionary_page_offset >= 4 && metadata->dictionary_page_offset < start)
        start = metadata->dictionary_page_offset;
    if (start < 4 || start > reader->data_end || metadata->value_count < 0)
        return error_set(err, COND_INLET_DAMAGED_FILE, "column [%s] is said to start at byte %" PRId64, path, start);
    reader->codec = (enum page_codec)metadata->codec;
    reader->position = start;
    reader->entries_in_chunk = metadata->value_count;
    reader->entries_in_page = 0;
    reader->block_at = reader->block_count = 0;
    reader->values.dictionary_count = 0;
    return true;
}

void page_reader_fini(struct page_reader *reader)
{
    block_release(reader->page);
    block_release(reader->compressed);
    block_release(reader->plain);
    block_release(reader->levels.definition);
    block_release(reader->levels.repetition);
    block_release(reader->values.dictionary);
    block_release(reader->values.dictionary_page);
}
