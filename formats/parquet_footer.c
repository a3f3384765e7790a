/* parquet_footer -- footers and page headers: Thrift bytes into the structs of parquet_format.h.
 *
 * Row groups are found at first and parsed one at a time later: a file may have a million column
 * chunks, a reader needs those of one group. */
#include "formats/parquet_read.h"
#include "formats/thrift.h"
#include <errno.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <unistd.h>

/* Fewest bytes that a well-formed element takes: bounds the memory that a lying count can ask for. */
enum { SCHEMA_ELEMENT_MIN = 4, ROW_GROUP_MIN = 4, COLUMN_CHUNK_MIN = 4, KEY_VALUE_MIN = 3 };

static bool count_is_honest(struct thrift_reader *reader, uint32_t count, size_t each)
{
    if (count <= (size_t)(reader->end - reader->at) / each) return true;
    reader->failed = true;
    return false;
}

static void parse_time_unit(struct thrift_reader *reader, const struct thrift_field *field, enum parquet_time_unit *out)
{
    struct thrift_field unit;
    if (!thrift_read_struct(reader, field)) return;
    while (thrift_read_field(reader, &unit)) {
        if (unit.id >= PARQUET_MILLIS && unit.id <= PARQUET_NANOS) *out = (enum parquet_time_unit)unit.id;
        thrift_read_skip(reader, &unit);
    }
}

static void parse_logical_member(struct thrift_reader *reader, struct parquet_logical *out)
{
    struct thrift_field field;
    while (thrift_read_field(reader, &field)) {
        bool is_time = out->kind == PARQUET_LOGICAL_TIME || out->kind == PARQUET_LOGICAL_TIMESTAMP;
        if (out->kind == PARQUET_LOGICAL_DECIMAL && field.id == 1) out->scale = thrift_read_i32(reader, &field);
        else if (out->kind == PARQUET_LOGICAL_DECIMAL && field.id == 2) out->precision = thrift_read_i32(reader, &field);
        else if (is_time && field.id == 1) out->adjusted_to_utc = thrift_read_bool(reader, &field);
        else if (is_time && field.id == 2) parse_time_unit(reader, &field, &out->unit);
        else if (out->kind == PARQUET_LOGICAL_INTEGER && field.id == 1) out->bit_width = thrift_read_i32(reader, &field);
        else if (out->kind == PARQUET_LOGICAL_INTEGER && field.id == 2) out->is_signed = thrift_read_bool(reader, &field);
        else thrift_read_skip(reader, &field);
    }
}

static void parse_logical(struct thrift_reader *reader, const struct thrift_field *field, struct parquet_logical *out)
{
    struct thrift_field member;
    if (!thrift_read_struct(reader, field)) return;
    while (thrift_read_field(reader, &member)) {
        out->kind = (enum parquet_logical_kind)member.id;
        if (thrift_read_struct(reader, &member)) parse_logical_member(reader, out);
    }
}

static void parse_schema_element(struct thrift_reader *reader, struct parquet_schema_element *out)
{
    struct thrift_field field;
    *out = (struct parquet_schema_element){.physical = -1, .repetition = -1, .converted = PARQUET_CONVERTED_NONE};
    thrift_read_struct_begin(reader);
    while (thrift_read_field(reader, &field)) {
        switch (field.id) {
        case 1: out->physical = thrift_read_i32(reader, &field); break;
        case 2: out->type_length = thrift_read_i32(reader, &field); break;
        case 3: out->repetition = thrift_read_i32(reader, &field); break;
        case 4: out->name = thrift_read_binary(reader, &field); break;
        case 5: out->child_count = thrift_read_i32(reader, &field); break;
        case 6: out->converted = thrift_read_i32(reader, &field); break;
        case 7: out->scale = thrift_read_i32(reader, &field); break;
        case 8: out->precision = thrift_read_i32(reader, &field); break;
        case 9: out->has_field_id = true; out->field_id = thrift_read_i32(reader, &field); break;
        case 10: parse_logical(reader, &field, &out->logical); break;
        default: thrift_read_skip(reader, &field);
        }
    }
}

static void parse_schema(struct thrift_reader *reader, const struct thrift_field *field, struct arena *arena, struct parquet_file_metadata *out)
{
    uint32_t count;
    thrift_read_list(reader, field, THRIFT_STRUCT, &count);
    if (!count_is_honest(reader, count, SCHEMA_ELEMENT_MIN)) return;
    out->schema = ARENA_ARRAY(arena, struct parquet_schema_element, count);
    for (uint32_t i = 0; i < count; i++) parse_schema_element(reader, &out->schema[i]);
    out->schema_count = count;
}

static void parse_key_values(struct thrift_reader *reader, const struct thrift_field *field, struct arena *arena, struct parquet_file_metadata *out)
{
    uint32_t count;
    thrift_read_list(reader, field, THRIFT_STRUCT, &count);
    if (!count_is_honest(reader, count, KEY_VALUE_MIN)) return;
    out->key_values = ARENA_ARRAY(arena, struct parquet_key_value, count);
    for (uint32_t i = 0; i < count; i++) {
        struct thrift_field member;
        thrift_read_struct_begin(reader);
        while (thrift_read_field(reader, &member)) {
            if (member.id == 1) out->key_values[i].key = thrift_read_binary(reader, &member);
            else if (member.id == 2) out->key_values[i].value = thrift_read_binary(reader, &member);
            else thrift_read_skip(reader, &member);
        }
    }
    out->key_value_count = count;
}

/* Finds each group's bytes and row count; its columns are parsed when the group is read. */
static void parse_row_groups(struct thrift_reader *reader, const struct thrift_field *field, struct arena *arena, struct parquet_footer *out)
{
    uint32_t count;
    thrift_read_list(reader, field, THRIFT_STRUCT, &count);
    if (!count_is_honest(reader, count, ROW_GROUP_MIN)) return;
    out->metadata.row_groups = ARENA_ARRAY(arena, struct parquet_row_group, count);
    out->groups = ARENA_ARRAY(arena, struct slice, count);
    for (uint32_t i = 0; i < count && !reader->failed; i++) {
        struct thrift_field member;
        const uint8_t *start = reader->at;
        thrift_read_struct_begin(reader);
        while (thrift_read_field(reader, &member)) {
            if (member.id == 2) out->metadata.row_groups[i].byte_size = thrift_read_i64(reader, &member);
            else if (member.id == 3) out->metadata.row_groups[i].row_count = thrift_read_i64(reader, &member);
            else thrift_read_skip(reader, &member);
        }
        out->groups[i] = slice_of(start, (size_t)(reader->at - start));
    }
    out->metadata.row_group_count = count;
}

static bool parse_footer(struct slice bytes, struct arena *arena, struct parquet_footer *out, struct error *err)
{
    struct thrift_reader reader;
    struct thrift_field field;
    struct parquet_file_metadata *metadata = &out->metadata;
    thrift_reader_init(&reader, bytes);
    thrift_read_struct_begin(&reader);
    while (thrift_read_field(&reader, &field)) {
        switch (field.id) {
        case 1: metadata->version = thrift_read_i32(&reader, &field); break;
        case 2: parse_schema(&reader, &field, arena, metadata); break;
        case 3: metadata->row_count = thrift_read_i64(&reader, &field); break;
        case 4: parse_row_groups(&reader, &field, arena, out); break;
        case 5: parse_key_values(&reader, &field, arena, metadata); break;
        case 6: metadata->created_by = thrift_read_binary(&reader, &field); break;
        case 8: metadata->is_encrypted = true; thrift_read_skip(&reader, &field); break;
        default: thrift_read_skip(&reader, &field);
        }
    }
    return thrift_read_ok(&reader, "Parquet footer", err);
}

static bool check_rows(const struct parquet_footer *footer, struct error *err)
{
    int64_t rows = 0;
    for (uint32_t i = 0; i < footer->metadata.row_group_count; i++) {
        int64_t more = footer->metadata.row_groups[i].row_count;
        if (more < 0 || __builtin_add_overflow(rows, more, &rows))
            return error_set(err, COND_INLET_DAMAGED_FILE, "row group %" PRIu32 " says it has %" PRId64 " rows", i, more);
    }
    if (rows == footer->metadata.row_count) return true;
    return error_set(err, COND_INLET_DAMAGED_FILE, "the footer tells of %" PRId64 " rows, its row groups of %" PRId64,
                     footer->metadata.row_count, rows);
}

static bool read_exactly(int fd, int64_t offset, void *out, size_t size, struct error *err)
{
    uint8_t *to = out;
    while (size > 0) {
        ssize_t got = pread(fd, to, size, offset);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return error_errno(err, "could not read the file");
        if (got == 0) return error_set(err, COND_INLET_FILE_CHANGED, "the file ended while it was read");
        to += got;
        offset += got;
        size -= (size_t)got;
    }
    return true;
}

static uint32_t little_endian_32(const uint8_t *bytes)
{
    return bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

static bool footer_bytes(int fd, struct arena *arena, struct parquet_footer *out, struct slice *bytes, struct error *err)
{
    struct stat status;
    uint8_t head[4], tail[8];
    if (fstat(fd, &status) != 0) return error_errno(err, "could not look at the file");
    if (S_ISDIR(status.st_mode)) return error_set(err, COND_INLET_DAMAGED_FILE, "it is a directory");
    if (status.st_size < 12)
        return error_set(err, COND_INLET_DAMAGED_FILE, "%jd bytes are too few for a Parquet file", (intmax_t)status.st_size);
    if (!read_exactly(fd, 0, head, 4, err) || !read_exactly(fd, status.st_size - 8, tail, 8, err)) return false;
    if (memcmp(tail + 4, "PARE", 4) == 0)
        return error_set(err, COND_INLET_NOT_SUPPORTED_YET, "the Parquet footer is encrypted; encryption is not supported");
    if (memcmp(head, PARQUET_MAGIC, 4) != 0 || memcmp(tail + 4, PARQUET_MAGIC, 4) != 0)
        return error_set(err, COND_INLET_DAMAGED_FILE, "it is not a Parquet file: no PAR1 at both ends");
    uint32_t size = little_endian_32(tail);
    if (size > status.st_size - 12)
        return error_set(err, COND_INLET_DAMAGED_FILE, "the footer is said to have %" PRIu32 " bytes, the file has %jd", size, (intmax_t)status.st_size);
    out->data_end = status.st_size - 8 - (int64_t)size;
    uint8_t *data = arena_alloc(arena, size);
    *bytes = slice_of(data, size);
    return read_exactly(fd, out->data_end, data, size, err);
}

bool parquet_footer_read(int fd, const char *path, struct arena *arena, struct parquet_footer *out, struct error *err)
{
    struct slice bytes;
    *out = (struct parquet_footer){0};
    bool done = footer_bytes(fd, arena, out, &bytes, err) && parse_footer(bytes, arena, out, err) && check_rows(out, err);
    if (done && out->metadata.is_encrypted)
        done = error_set(err, COND_INLET_NOT_SUPPORTED_YET, "the Parquet file is encrypted; encryption is not supported");
    if (done) return true;
    if (err && (err->condition == COND_INLET_DAMAGED_FILE || err->condition == COND_INLET_NOT_SUPPORTED_YET))
        error_wrap(err, COND_FAILED_READ_FILE_CANNOT_READ_FOOTER, "could not read the footer of file %s, is it a Parquet file", path);
    return false;
}

/* --- row groups --- */

static void parse_i32_list(struct thrift_reader *reader, const struct thrift_field *field, struct arena *arena, const int32_t **out, uint32_t *count)
{
    thrift_read_list(reader, field, THRIFT_I32, count);
    int32_t *values = ARENA_ARRAY(arena, int32_t, *count);
    for (uint32_t i = 0; i < *count; i++) values[i] = thrift_read_element_i32(reader);
    *out = values;
}

static void parse_column_metadata(struct thrift_reader *reader, struct arena *arena, struct parquet_column_metadata *out)
{
    struct thrift_field field;
    while (thrift_read_field(reader, &field)) {
        switch (field.id) {
        case 1: out->physical = thrift_read_i32(reader, &field); break;
        case 2: parse_i32_list(reader, &field, arena, &out->encodings, &out->encoding_count); break;
        case 4: out->codec = thrift_read_i32(reader, &field); break;
        case 5: out->value_count = thrift_read_i64(reader, &field); break;
        case 6: out->uncompressed_size = thrift_read_i64(reader, &field); break;
        case 7: out->compressed_size = thrift_read_i64(reader, &field); break;
        case 9: out->data_page_offset = thrift_read_i64(reader, &field); break;
        case 11: out->has_dictionary_page = true; out->dictionary_page_offset = thrift_read_i64(reader, &field); break;
        default: thrift_read_skip(reader, &field);
        }
    }
}

static void parse_column_chunk(struct thrift_reader *reader, struct arena *arena, struct parquet_column_chunk *out)
{
    struct thrift_field field;
    thrift_read_struct_begin(reader);
    while (thrift_read_field(reader, &field)) {
        switch (field.id) {
        case 1: out->file_path = thrift_read_binary(reader, &field); break;
        case 2: out->file_offset = thrift_read_i64(reader, &field); break;
        case 3:
            out->has_metadata = thrift_read_struct(reader, &field);
            if (out->has_metadata) parse_column_metadata(reader, arena, &out->metadata);
            break;
        case 8: case 9: out->is_encrypted = true; thrift_read_skip(reader, &field); break;
        default: thrift_read_skip(reader, &field);
        }
    }
}

bool parquet_footer_group(const struct parquet_footer *footer, uint32_t group, struct arena *arena, struct parquet_row_group *out, struct error *err)
{
    struct thrift_reader reader;
    struct thrift_field field;
    *out = footer->metadata.row_groups[group];
    thrift_reader_init(&reader, footer->groups[group]);
    thrift_read_struct_begin(&reader);
    while (thrift_read_field(&reader, &field)) {
        if (field.id != 1) {
            thrift_read_skip(&reader, &field);
            continue;
        }
        uint32_t count;
        thrift_read_list(&reader, &field, THRIFT_STRUCT, &count);
        if (!count_is_honest(&reader, count, COLUMN_CHUNK_MIN)) break;
        out->columns = ARENA_ARRAY(arena, struct parquet_column_chunk, count);
        out->column_count = count;
        for (uint32_t i = 0; i < count && !reader.failed; i++) parse_column_chunk(&reader, arena, &out->columns[i]);
    }
    return thrift_read_ok(&reader, "row group in the Parquet footer", err);
}

/* --- page headers --- */

static void parse_data_page(struct thrift_reader *reader, struct parquet_page_header *out, bool is_dictionary)
{
    struct thrift_field field;
    while (thrift_read_field(reader, &field)) {
        if (field.id == 1) out->value_count = thrift_read_i32(reader, &field);
        else if (field.id == 2) out->encoding = thrift_read_i32(reader, &field);
        else if (field.id == 3 && !is_dictionary) out->definition_encoding = thrift_read_i32(reader, &field);
        else if (field.id == 4 && !is_dictionary) out->repetition_encoding = thrift_read_i32(reader, &field);
        else thrift_read_skip(reader, &field);
    }
}

static void parse_data_page_v2(struct thrift_reader *reader, struct parquet_page_header *out)
{
    struct thrift_field field;
    while (thrift_read_field(reader, &field)) {
        switch (field.id) {
        case 1: out->value_count = thrift_read_i32(reader, &field); break;
        case 2: out->null_count = thrift_read_i32(reader, &field); break;
        case 3: out->row_count = thrift_read_i32(reader, &field); break;
        case 4: out->encoding = thrift_read_i32(reader, &field); break;
        case 5: out->definition_size = thrift_read_i32(reader, &field); break;
        case 6: out->repetition_size = thrift_read_i32(reader, &field); break;
        case 7: out->is_compressed = thrift_read_bool(reader, &field); break;
        default: thrift_read_skip(reader, &field);
        }
    }
}

bool parquet_page_header_parse(struct slice bytes, struct parquet_page_header *out, size_t *size)
{
    struct thrift_reader reader;
    struct thrift_field field;
    *out = (struct parquet_page_header){.type = -1, .is_compressed = true, .definition_encoding = PARQUET_RLE, .repetition_encoding = PARQUET_RLE};
    thrift_reader_init(&reader, bytes);
    thrift_read_struct_begin(&reader);
    while (thrift_read_field(&reader, &field)) {
        switch (field.id) {
        case 1: out->type = thrift_read_i32(&reader, &field); break;
        case 2: out->uncompressed_size = thrift_read_i32(&reader, &field); break;
        case 3: out->compressed_size = thrift_read_i32(&reader, &field); break;
        case 4: out->has_crc = true; out->crc = thrift_read_i32(&reader, &field); break;
        case 5: case 7:
            if (thrift_read_struct(&reader, &field)) parse_data_page(&reader, out, field.id == 7);
            break;
        case 8:
            if (thrift_read_struct(&reader, &field)) parse_data_page_v2(&reader, out);
            break;
        default: thrift_read_skip(&reader, &field);
        }
    }
    *size = thrift_read_size(&reader);
    return !reader.failed;
}
