/* thrift -- Thrift's compact protocol, both ways: what Parquet's footers and page headers are written in.
 *
 * The writer appends to a buffer and cannot fail. The reader is for bytes that nobody vouches for: it
 * never looks past its end, and after the first fault it is `failed`, every further call gives zero, and
 * field and list loops end; so a parser checks thrift_read_ok() once, at its end. A list is never said
 * to be longer than the bytes that are left. Depth is limited to THRIFT_DEPTH_MAX structs.
 *
 * Writing:                                        Reading:
 *   thrift_struct_begin(&w);                        thrift_read_struct_begin(&r);
 *   thrift_field_i32(&w, 1, version);               while (thrift_read_field(&r, &field))
 *   thrift_field_list(&w, 2, THRIFT_STRUCT, n);         switch (field.id) {
 *   for (...) { thrift_struct_begin ... end }           case 1: version = thrift_read_i32(&r, &field); break;
 *   thrift_struct_end(&w);                              default: thrift_read_skip(&r, &field); } */
#pragma once
#include "base/bytes.h"
#include "base/error.h"

#define THRIFT_DEPTH_MAX 64

/* Type codes of the compact protocol. A boolean field holds its value in the code. */
enum thrift_type {
    THRIFT_STOP = 0,
    THRIFT_TRUE = 1,
    THRIFT_FALSE = 2,
    THRIFT_BYTE = 3,
    THRIFT_I16 = 4,
    THRIFT_I32 = 5,
    THRIFT_I64 = 6,
    THRIFT_DOUBLE = 7,
    THRIFT_BINARY = 8,
    THRIFT_LIST = 9,
    THRIFT_SET = 10,
    THRIFT_MAP = 11,
    THRIFT_STRUCT = 12
};

struct thrift_writer {
    struct buffer *out;
    int16_t last_field[THRIFT_DEPTH_MAX]; /* Of each open struct: ids are written as differences. */
    unsigned depth;
};

void thrift_writer_init(struct thrift_writer *writer, struct buffer *out); /* `out` is borrowed and appended to. */
void thrift_struct_begin(struct thrift_writer *writer);                    /* The top struct, or an element of a list. */
void thrift_struct_end(struct thrift_writer *writer);
void thrift_field_struct(struct thrift_writer *writer, int16_t id); /* Ended by thrift_struct_end. */
void thrift_field_bool(struct thrift_writer *writer, int16_t id, bool value);
void thrift_field_byte(struct thrift_writer *writer, int16_t id, int8_t value);
void thrift_field_i16(struct thrift_writer *writer, int16_t id, int16_t value);
void thrift_field_i32(struct thrift_writer *writer, int16_t id, int32_t value);
void thrift_field_i64(struct thrift_writer *writer, int16_t id, int64_t value);
void thrift_field_binary(struct thrift_writer *writer, int16_t id, struct slice value);
/* `count` elements follow: structs, or thrift_element_*. */
void thrift_field_list(struct thrift_writer *writer, int16_t id, enum thrift_type element, size_t count);
void thrift_element_i32(struct thrift_writer *writer, int32_t value);
void thrift_element_binary(struct thrift_writer *writer, struct slice value);

struct thrift_field {
    int16_t id;
    enum thrift_type type;
};

struct thrift_reader {
    const uint8_t *start, *at, *end;
    int16_t last_field[THRIFT_DEPTH_MAX];
    unsigned depth;
    bool failed;
};

void thrift_reader_init(struct thrift_reader *reader, struct slice bytes); /* Borrowed; slices that are read point into it. */
/* Enters a struct: the top one, an element of a list, or a field of type THRIFT_STRUCT that was just read. */
void thrift_read_struct_begin(struct thrift_reader *reader);
/* The next field of the innermost struct; false at its end (the struct is then left) and after a fault.
 * The caller reads or skips its value before it asks again. */
bool thrift_read_field(struct thrift_reader *reader, struct thrift_field *field);
/* Values of a field. One of another type than asked is skipped and gives zero or an empty slice; the integer calls
 * take any integer width, and fault where the value does not fit. */
bool thrift_read_bool(struct thrift_reader *reader, const struct thrift_field *field);
int32_t thrift_read_i32(struct thrift_reader *reader, const struct thrift_field *field);
int64_t thrift_read_i64(struct thrift_reader *reader, const struct thrift_field *field);
struct slice thrift_read_binary(struct thrift_reader *reader, const struct thrift_field *field);
/* True when the field is a struct, which is then entered; anything else is skipped. */
bool thrift_read_struct(struct thrift_reader *reader, const struct thrift_field *field);
/* Enters a list (or set); *count elements of `element` follow. Lists of another element type are skipped (count 0). */
void thrift_read_list(struct thrift_reader *reader, const struct thrift_field *field, enum thrift_type element, uint32_t *count);
/* Elements of a list: `element` in thrift_read_list was THRIFT_I32 (or I64), THRIFT_BINARY, THRIFT_TRUE (booleans). */
int32_t thrift_read_element_i32(struct thrift_reader *reader);
int64_t thrift_read_element_i64(struct thrift_reader *reader);
struct slice thrift_read_element_binary(struct thrift_reader *reader);
bool thrift_read_element_bool(struct thrift_reader *reader);
void thrift_read_skip(struct thrift_reader *reader, const struct thrift_field *field);

static inline size_t thrift_read_size(const struct thrift_reader *reader) { return (size_t)(reader->at - reader->start); } /* Bytes taken so far. */
/* False, with INLET_DAMAGED_FILE, after a fault; `what` names what was read ("Parquet footer"). */
bool thrift_read_ok(const struct thrift_reader *reader, const char *what, struct error *err) MUST_CHECK;
