/* parquet_format -- the enums and structs of parquet.thrift, as far as inlet knows them.
 *
 * Field ids stand behind the fields: the reader fills the structs from a footer (formats/thrift.h), the
 * writer knows the same numbers. Slices borrow from the footer's bytes. Numbers found in files
 * are kept as they are; whoever uses an enum checks its range. */
#pragma once
#include "base/bytes.h"

#define PARQUET_MAGIC "PAR1"

enum parquet_physical {
    PARQUET_BOOLEAN = 0,
    PARQUET_INT32 = 1,
    PARQUET_INT64 = 2,
    PARQUET_INT96 = 3,
    PARQUET_FLOAT = 4,
    PARQUET_DOUBLE = 5,
    PARQUET_BYTE_ARRAY = 6,
    PARQUET_FIXED = 7 /* FIXED_LEN_BYTE_ARRAY */
};

enum parquet_repetition { PARQUET_REQUIRED = 0, PARQUET_OPTIONAL = 1, PARQUET_REPEATED = 2 };

enum parquet_encoding {
    PARQUET_PLAIN = 0,
    PARQUET_PLAIN_DICTIONARY = 2, /* Data pages: the same as RLE_DICTIONARY; dictionary pages: as PLAIN. */
    PARQUET_RLE = 3,
    PARQUET_BIT_PACKED = 4, /* Deprecated, levels only. */
    PARQUET_DELTA_BINARY_PACKED = 5,
    PARQUET_DELTA_LENGTH_BYTE_ARRAY = 6,
    PARQUET_DELTA_BYTE_ARRAY = 7,
    PARQUET_RLE_DICTIONARY = 8,
    PARQUET_BYTE_STREAM_SPLIT = 9
};

enum parquet_page_type { PARQUET_DATA_PAGE = 0, PARQUET_INDEX_PAGE = 1, PARQUET_DICTIONARY_PAGE = 2, PARQUET_DATA_PAGE_V2 = 3 };

/* The older annotation. -1 stands for none in the structs below. */
enum parquet_converted {
    PARQUET_CONVERTED_NONE = -1,
    PARQUET_CONVERTED_UTF8 = 0,
    PARQUET_CONVERTED_MAP = 1,
    PARQUET_CONVERTED_MAP_KEY_VALUE = 2,
    PARQUET_CONVERTED_LIST = 3,
    PARQUET_CONVERTED_ENUM = 4,
    PARQUET_CONVERTED_DECIMAL = 5,
    PARQUET_CONVERTED_DATE = 6,
    PARQUET_CONVERTED_TIME_MILLIS = 7,
    PARQUET_CONVERTED_TIME_MICROS = 8,
    PARQUET_CONVERTED_TIMESTAMP_MILLIS = 9,
    PARQUET_CONVERTED_TIMESTAMP_MICROS = 10,
    PARQUET_CONVERTED_UINT_8 = 11,
    PARQUET_CONVERTED_UINT_16 = 12,
    PARQUET_CONVERTED_UINT_32 = 13,
    PARQUET_CONVERTED_UINT_64 = 14,
    PARQUET_CONVERTED_INT_8 = 15,
    PARQUET_CONVERTED_INT_16 = 16,
    PARQUET_CONVERTED_INT_32 = 17,
    PARQUET_CONVERTED_INT_64 = 18,
    PARQUET_CONVERTED_JSON = 19,
    PARQUET_CONVERTED_BSON = 20,
    PARQUET_CONVERTED_INTERVAL = 21
};

/* Field ids of the union LogicalType; 0 stands for none. */
enum parquet_logical_kind {
    PARQUET_LOGICAL_NONE = 0,
    PARQUET_LOGICAL_STRING = 1,
    PARQUET_LOGICAL_MAP = 2,
    PARQUET_LOGICAL_LIST = 3,
    PARQUET_LOGICAL_ENUM = 4,
    PARQUET_LOGICAL_DECIMAL = 5,
    PARQUET_LOGICAL_DATE = 6,
    PARQUET_LOGICAL_TIME = 7,
    PARQUET_LOGICAL_TIMESTAMP = 8,
    PARQUET_LOGICAL_INTEGER = 10,
    PARQUET_LOGICAL_UNKNOWN = 11,
    PARQUET_LOGICAL_JSON = 12,
    PARQUET_LOGICAL_BSON = 13,
    PARQUET_LOGICAL_UUID = 14,
    PARQUET_LOGICAL_FLOAT16 = 15,
    PARQUET_LOGICAL_VARIANT = 16
};

/* Field ids of the union TimeUnit. */
enum parquet_time_unit { PARQUET_UNIT_NONE = 0, PARQUET_MILLIS = 1, PARQUET_MICROS = 2, PARQUET_NANOS = 3 };

struct parquet_logical {
    enum parquet_logical_kind kind;
    int32_t scale, precision;    /* DECIMAL: 1, 2. */
    bool adjusted_to_utc;        /* TIME, TIMESTAMP: 1. */
    enum parquet_time_unit unit; /* TIME, TIMESTAMP: 2. */
    int32_t bit_width;           /* INTEGER: 1 (a byte). */
    bool is_signed;              /* INTEGER: 2. */
};

struct parquet_schema_element {
    int32_t physical;               /* 1; -1: a group. */
    int32_t type_length;            /* 2; FIXED. */
    int32_t repetition;             /* 3; -1: not given (the root). */
    struct slice name;              /* 4 */
    int32_t child_count;            /* 5; 0 for leaves. */
    int32_t converted;              /* 6; -1: none. */
    int32_t scale, precision;       /* 7, 8 */
    bool has_field_id;
    int32_t field_id;               /* 9 */
    struct parquet_logical logical; /* 10 */
};

struct parquet_statistics {
    bool has_min, has_max, has_null_count;
    struct slice max_legacy, min_legacy; /* 1, 2: order undefined but for signed numbers. */
    int64_t null_count;                  /* 3 */
    struct slice max, min;               /* 5, 6: max_value, min_value. */
    bool max_is_exact, min_is_exact;     /* 7, 8 */
};

struct parquet_page_header {
    int32_t type;                   /* 1 */
    int32_t uncompressed_size;      /* 2 */
    int32_t compressed_size;        /* 3 */
    bool has_crc;
    int32_t crc;                    /* 4 */
    int32_t value_count;            /* Of data_page_header (5), dictionary_page_header (7), data_page_header_v2 (8): 1. */
    int32_t encoding;               /* 5: 2; 7: 2; 8: 4. */
    int32_t definition_encoding;    /* 5: 3 */
    int32_t repetition_encoding;    /* 5: 4 */
    int32_t null_count, row_count;  /* 8: 2, 3 */
    int32_t definition_size;        /* 8: 5 */
    int32_t repetition_size;        /* 8: 6 */
    bool is_compressed;             /* 8: 7; true where not given. */
};

struct parquet_column_metadata {
    int32_t physical;                             /* 1 */
    const int32_t *encodings; uint32_t encoding_count; /* 2 */
    const struct slice *path; uint32_t path_count; /* 3 */
    int32_t codec;                                /* 4; enum page_codec of formats/input.h. */
    int64_t value_count;                          /* 5 */
    int64_t uncompressed_size;                    /* 6 */
    int64_t compressed_size;                      /* 7 */
    int64_t data_page_offset;                     /* 9 */
    bool has_dictionary_page;
    int64_t dictionary_page_offset;               /* 11 */
    struct parquet_statistics statistics;         /* 12 */
};

struct parquet_column_chunk {
    struct slice file_path;                  /* 1: the data lie in another file. */
    int64_t file_offset;                     /* 2 */
    bool has_metadata;
    struct parquet_column_metadata metadata; /* 3 */
    bool is_encrypted;                       /* 8, 9: present. */
};

struct parquet_row_group {
    struct parquet_column_chunk *columns; uint32_t column_count; /* 1 */
    int64_t byte_size;                                           /* 2: uncompressed. */
    int64_t row_count;                                           /* 3 */
};

struct parquet_key_value {
    struct slice key;   /* 1 */
    struct slice value; /* 2 */
};

struct parquet_file_metadata {
    int32_t version;                                                   /* 1 */
    struct parquet_schema_element *schema; uint32_t schema_count;      /* 2: depth first, the root leads. */
    int64_t row_count;                                                 /* 3 */
    struct parquet_row_group *row_groups; uint32_t row_group_count;    /* 4 */
    struct parquet_key_value *key_values; uint32_t key_value_count;    /* 5 */
    struct slice created_by;                                           /* 6 */
    bool is_encrypted;                                                 /* 8: encryption_algorithm is present. */
};

/* Day number of 1970-01-01 in INT96 timestamps: 8 bytes nanoseconds of the day, 4 bytes Julian day, little-endian. */
#define PARQUET_JULIAN_EPOCH 2440588
