/* parquet_metadata -- the writer's half of a footer. Field ids are those of parquet.thrift. */
#include "formats/parquet_metadata.h"

#define SPARK_VERSION "4.2.0" /* Whose rules the file follows: readers of org.apache.spark.version ask for it. */

/* ---- schema ---- */

static void put_logical(struct thrift_writer *writer, const struct parquet_logical *logical)
{
    thrift_field_struct(writer, 10);
    thrift_field_struct(writer, (int16_t)logical->kind);
    if (logical->kind == PARQUET_LOGICAL_DECIMAL) {
        thrift_field_i32(writer, 1, logical->scale);
        thrift_field_i32(writer, 2, logical->precision);
    } else if (logical->kind == PARQUET_LOGICAL_TIMESTAMP) {
        thrift_field_bool(writer, 1, logical->adjusted_to_utc);
        thrift_field_struct(writer, 2);
        thrift_field_struct(writer, (int16_t)logical->unit);
        thrift_struct_end(writer);
        thrift_struct_end(writer);
    } else if (logical->kind == PARQUET_LOGICAL_INTEGER) {
        thrift_field_byte(writer, 1, (int8_t)logical->bit_width);
        thrift_field_bool(writer, 2, logical->is_signed);
    }
    thrift_struct_end(writer);
    thrift_struct_end(writer);
}

static void put_element(struct thrift_writer *writer, const struct parquet_schema_element *element)
{
    thrift_struct_begin(writer);
    if (element->physical >= 0) thrift_field_i32(writer, 1, element->physical);
    if (element->physical == PARQUET_FIXED) thrift_field_i32(writer, 2, element->type_length);
    if (element->repetition >= 0) thrift_field_i32(writer, 3, element->repetition);
    thrift_field_binary(writer, 4, element->name);
    if (element->physical < 0) thrift_field_i32(writer, 5, element->child_count);
    if (element->converted != PARQUET_CONVERTED_NONE) thrift_field_i32(writer, 6, element->converted);
    if (element->logical.kind == PARQUET_LOGICAL_DECIMAL) {
        thrift_field_i32(writer, 7, element->scale);
        thrift_field_i32(writer, 8, element->precision);
    }
    if (element->has_field_id) thrift_field_i32(writer, 9, element->field_id);
    if (element->logical.kind != PARQUET_LOGICAL_NONE) put_logical(writer, &element->logical);
    thrift_struct_end(writer);
}

/* ---- row groups ---- */

static void put_bound(struct thrift_writer *writer, int16_t id, const struct parquet_leaf *leaf, const struct buffer *bound)
{
    struct buffer bytes = {0};
    bound_print(leaf, bound, &bytes);
    thrift_field_binary(writer, id, slice_of(bytes.data, bytes.size));
    buffer_free(&bytes);
}

/* INT96 has no order that readers agree on, so its bounds stay out. */
static void put_statistics(struct thrift_writer *writer, const struct column_summary *column)
{
    const struct leaf_stats *stats = &column->stats;
    bool bounds = stats->has_bounds && column->leaf->physical != PARQUET_INT96;
    thrift_field_struct(writer, 12);
    thrift_field_i64(writer, 3, stats->null_count);
    if (bounds) {
        put_bound(writer, 5, column->leaf, &stats->maximum);
        put_bound(writer, 6, column->leaf, &stats->minimum);
        thrift_field_bool(writer, 7, !stats->maximum_cut);
        thrift_field_bool(writer, 8, !stats->minimum_cut);
    }
    thrift_struct_end(writer);
}

static void put_page_count(struct thrift_writer *writer, enum parquet_page_type type, enum parquet_encoding encoding, uint32_t count)
{
    thrift_struct_begin(writer);
    thrift_field_i32(writer, 1, (int32_t)type);
    thrift_field_i32(writer, 2, (int32_t)encoding);
    thrift_field_i32(writer, 3, (int32_t)count);
    thrift_struct_end(writer);
}

static void put_page_counts(struct thrift_writer *writer, const struct column_summary *column)
{
    bool dictionary = column->dictionary_page_count > 0, plain = column->plain_page_count > 0;
    thrift_field_list(writer, 13, THRIFT_STRUCT, (dictionary ? 2u : 0u) + plain);
    if (dictionary) put_page_count(writer, PARQUET_DICTIONARY_PAGE, PARQUET_PLAIN_DICTIONARY, 1);
    if (dictionary) put_page_count(writer, PARQUET_DATA_PAGE, PARQUET_PLAIN_DICTIONARY, column->dictionary_page_count);
    if (plain) put_page_count(writer, PARQUET_DATA_PAGE, PARQUET_PLAIN, column->plain_page_count);
}

static void put_encodings(struct thrift_writer *writer, const struct column_summary *column)
{
    bool dictionary = column->dictionary_page_count > 0, plain = column->plain_page_count > 0 || !dictionary;
    thrift_field_list(writer, 2, THRIFT_I32, 1u + dictionary + plain);
    if (dictionary) thrift_element_i32(writer, PARQUET_PLAIN_DICTIONARY);
    if (plain) thrift_element_i32(writer, PARQUET_PLAIN);
    thrift_element_i32(writer, PARQUET_RLE);
}

static void put_column_metadata(struct thrift_writer *writer, const struct column_summary *column, enum page_codec codec, int64_t offset)
{
    const struct parquet_leaf *leaf = column->leaf;
    thrift_field_struct(writer, 3);
    thrift_field_i32(writer, 1, (int32_t)leaf->physical);
    put_encodings(writer, column);
    thrift_field_list(writer, 3, THRIFT_BINARY, leaf->path_count);
    for (uint32_t i = 0; i < leaf->path_count; i++) thrift_element_binary(writer, slice_text(leaf->path[i]));
    thrift_field_i32(writer, 4, (int32_t)codec);
    thrift_field_i64(writer, 5, column->slot_count);
    thrift_field_i64(writer, 6, column->raw_size);
    thrift_field_i64(writer, 7, column->stored_size);
    thrift_field_i64(writer, 9, offset + column->dictionary_size);
    if (column->dictionary_size > 0) thrift_field_i64(writer, 11, offset);
    put_statistics(writer, column);
    put_page_counts(writer, column);
    thrift_struct_end(writer);
}

static void put_column_chunk(struct thrift_writer *writer, const struct column_summary *column, enum page_codec codec, int64_t group_offset)
{
    int64_t offset = group_offset + column->offset;
    thrift_struct_begin(writer);
    thrift_field_i64(writer, 2, offset);
    put_column_metadata(writer, column, codec, offset);
    thrift_struct_end(writer);
}

void row_group_print(const struct row_group_summary *group, int64_t file_offset, size_t ordinal, struct buffer *out)
{
    struct thrift_writer writer;
    int64_t raw_size = 0, stored_size = 0;
    thrift_writer_init(&writer, out);
    thrift_struct_begin(&writer);
    thrift_field_list(&writer, 1, THRIFT_STRUCT, group->column_count);
    for (uint32_t i = 0; i < group->column_count; i++) {
        put_column_chunk(&writer, &group->columns[i], group->codec, file_offset);
        raw_size += group->columns[i].raw_size;
        stored_size += group->columns[i].stored_size;
    }
    thrift_field_i64(&writer, 2, raw_size);
    thrift_field_i64(&writer, 3, group->row_count);
    thrift_field_i64(&writer, 5, file_offset);
    thrift_field_i64(&writer, 6, stored_size);
    if (ordinal <= INT16_MAX) thrift_field_i16(&writer, 7, (int16_t)ordinal);
    thrift_struct_end(&writer);
}

/* ---- the file ---- */

static void put_key_value(struct thrift_writer *writer, const char *key, const char *value)
{
    thrift_struct_begin(writer);
    thrift_field_binary(writer, 1, slice_text(key));
    thrift_field_binary(writer, 2, slice_text(value));
    thrift_struct_end(writer);
}

/* TYPE_ORDER for every leaf: without it readers do not use min_value and max_value. */
static void put_column_orders(struct thrift_writer *writer, uint32_t count)
{
    thrift_field_list(writer, 7, THRIFT_STRUCT, count);
    for (uint32_t i = 0; i < count; i++) {
        thrift_struct_begin(writer);
        thrift_field_struct(writer, 1);
        thrift_struct_end(writer);
        thrift_struct_end(writer);
    }
}

void footer_print(const struct file_summary *file, struct buffer *out)
{
    struct thrift_writer writer;
    size_t start = out->size;
    thrift_writer_init(&writer, out);
    thrift_struct_begin(&writer);
    thrift_field_i32(&writer, 1, 1);
    thrift_field_list(&writer, 2, THRIFT_STRUCT, file->layout->element_count);
    for (uint32_t i = 0; i < file->layout->element_count; i++) put_element(&writer, &file->layout->elements[i]);
    thrift_field_i64(&writer, 3, file->row_count);
    thrift_field_list(&writer, 4, THRIFT_STRUCT, file->row_group_count);
    buffer_append(out, file->row_groups.data, file->row_groups.size);
    thrift_field_list(&writer, 5, THRIFT_STRUCT, 2);
    put_key_value(&writer, "org.apache.spark.version", SPARK_VERSION);
    put_key_value(&writer, "org.apache.spark.sql.parquet.row.metadata", file->row_metadata);
    thrift_field_binary(&writer, 6, slice_text("inlet version " INLET_VERSION));
    put_column_orders(&writer, file->layout->leaf_count);
    thrift_struct_end(&writer);
    uint32_t size = (uint32_t)(out->size - start);
    buffer_append(out, &size, 4);
    buffer_append(out, PARQUET_MAGIC, 4);
}
