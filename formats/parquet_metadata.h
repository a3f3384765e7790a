/* parquet_metadata -- the writer's half of a footer: row groups and file metadata as Thrift bytes. */
#pragma once
#include "formats/format.h"
#include "formats/parquet_encode.h"
#include "formats/thrift.h"

/* A finished column chunk, as the footer needs to know it. */
struct column_summary {
    const struct parquet_leaf *leaf;
    int64_t offset;          /* Of its first page, from the start of the row group. */
    int64_t dictionary_size; /* Bytes of the dictionary page with its header; 0: none. */
    int64_t stored_size, raw_size;
    int64_t slot_count;
    uint32_t dictionary_page_count, plain_page_count;
    struct leaf_stats stats;
    bool unbounded;          /* Has values, but no bounds for them. */
};

struct row_group_summary {
    const struct column_summary *columns;
    uint32_t column_count;
    int64_t row_count;
    enum page_codec codec;
};

struct file_summary {
    const struct parquet_layout *layout;
    int64_t row_count;
    struct slice row_groups; /* As row_group_print left them, one behind the other. */
    size_t row_group_count;
    const char *row_metadata; /* Spark's schema JSON. */
};

/* Appends one RowGroup struct. */
void row_group_print(const struct row_group_summary *group, int64_t file_offset, size_t ordinal, struct buffer *out);
/* Appends the footer, its length and the magic. */
void footer_print(const struct file_summary *file, struct buffer *out);
