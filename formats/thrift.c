/* thrift -- Thrift's compact protocol: variable-length integers, zigzag, field ids as differences. */
#include "formats/thrift.h"
#include "base/panic.h"

/* ---- writing ---- */

static void put_varint(struct buffer *out, uint64_t value)
{
    uint8_t *at = buffer_reserve(out, 10);
    size_t size = 0;
    while (value >= 0x80) {
        at[size++] = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    at[size++] = (uint8_t)value;
    out->size += size;
}

static void put_zigzag(struct buffer *out, int64_t value)
{
    put_varint(out, ((uint64_t)value << 1) ^ (uint64_t)(value >> 63));
}

static void put_field(struct thrift_writer *writer, int16_t id, enum thrift_type type)
{
    invariant(writer->depth > 0);
    int16_t *last = &writer->last_field[writer->depth - 1];
    int difference = id - *last;
    if (difference > 0 && difference <= 15) {
        buffer_byte(writer->out, (uint8_t)(difference << 4 | (int)type));
    } else {
        buffer_byte(writer->out, (uint8_t)type);
        put_zigzag(writer->out, id);
    }
    *last = id;
}

void thrift_writer_init(struct thrift_writer *writer, struct buffer *out)
{
    writer->out = out;
    writer->depth = 0;
}

void thrift_struct_begin(struct thrift_writer *writer)
{
    invariant(writer->depth < THRIFT_DEPTH_MAX);
    writer->last_field[writer->depth++] = 0;
}

void thrift_struct_end(struct thrift_writer *writer)
{
    invariant(writer->depth > 0);
    writer->depth--;
    buffer_byte(writer->out, THRIFT_STOP);
}

void thrift_field_struct(struct thrift_writer *writer, int16_t id)
{
    put_field(writer, id, THRIFT_STRUCT);
    thrift_struct_begin(writer);
}

void thrift_field_bool(struct thrift_writer *writer, int16_t id, bool value)
{
    put_field(writer, id, value ? THRIFT_TRUE : THRIFT_FALSE);
}

void thrift_field_byte(struct thrift_writer *writer, int16_t id, int8_t value)
{
    put_field(writer, id, THRIFT_BYTE);
    buffer_byte(writer->out, (uint8_t)value);
}

void thrift_field_i16(struct thrift_writer *writer, int16_t id, int16_t value)
{
    put_field(writer, id, THRIFT_I16);
    put_zigzag(writer->out, value);
}

void thrift_field_i32(struct thrift_writer *writer, int16_t id, int32_t value)
{
    put_field(writer, id, THRIFT_I32);
    put_zigzag(writer->out, value);
}

void thrift_field_i64(struct thrift_writer *writer, int16_t id, int64_t value)
{
    put_field(writer, id, THRIFT_I64);
    put_zigzag(writer->out, value);
}

void thrift_field_binary(struct thrift_writer *writer, int16_t id, struct slice value)
{
    put_field(writer, id, THRIFT_BINARY);
    thrift_element_binary(writer, value);
}

void thrift_field_list(struct thrift_writer *writer, int16_t id, enum thrift_type element, size_t count)
{
    put_field(writer, id, THRIFT_LIST);
    if (count < 15) {
        buffer_byte(writer->out, (uint8_t)(count << 4 | element));
        return;
    }
    buffer_byte(writer->out, (uint8_t)(0xF0 | element));
    put_varint(writer->out, count);
}

void thrift_element_i32(struct thrift_writer *writer, int32_t value)
{
    put_zigzag(writer->out, value);
}

void thrift_element_binary(struct thrift_writer *writer, struct slice value)
{
    put_varint(writer->out, value.size);
    buffer_append(writer->out, value.data, value.size);
}

/* ---- reading ---- */

static void fail(struct thrift_reader *reader)
{
    reader->failed = true;
    reader->at = reader->end;
    reader->depth = 0;
}

static uint8_t get_byte(struct thrift_reader *reader)
{
    if (reader->at == reader->end) {
        fail(reader);
        return 0;
    }
    return *reader->at++;
}

static uint64_t get_varint(struct thrift_reader *reader)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        uint8_t byte = get_byte(reader);
        if (shift == 63 && byte > 1) break;
        value |= (uint64_t)(byte & 0x7F) << shift;
        if (byte < 0x80) return reader->failed ? 0 : value;
    }
    fail(reader);
    return 0;
}

static int64_t get_zigzag(struct thrift_reader *reader)
{
    uint64_t value = get_varint(reader);
    return (int64_t)(value >> 1) ^ -(int64_t)(value & 1);
}

static struct slice get_binary(struct thrift_reader *reader)
{
    uint64_t size = get_varint(reader);
    if (size > (uint64_t)(reader->end - reader->at)) fail(reader);
    if (reader->failed) return slice_of(NULL, 0);
    struct slice bytes = slice_of(reader->at, (size_t)size);
    reader->at += size;
    return bytes;
}

/* Every element takes at least one byte, so a longer count is a lie which must not reach an allocator. */
static uint32_t get_count(struct thrift_reader *reader, uint64_t count)
{
    if (count > (uint64_t)(reader->end - reader->at) || count > INT32_MAX) fail(reader);
    return reader->failed ? 0 : (uint32_t)count;
}

static uint32_t get_list_header(struct thrift_reader *reader, enum thrift_type *element)
{
    uint8_t header = get_byte(reader);
    *element = (enum thrift_type)(header & 15);
    uint64_t count = header >> 4;
    if (count == 15) count = get_varint(reader);
    return get_count(reader, count);
}

static bool is_bool(enum thrift_type type) { return type == THRIFT_TRUE || type == THRIFT_FALSE; }
static bool is_integer(enum thrift_type type) { return type == THRIFT_I16 || type == THRIFT_I32 || type == THRIFT_I64; }

static void skip_value(struct thrift_reader *reader, enum thrift_type type, bool in_list, unsigned depth);

static void skip_elements(struct thrift_reader *reader, enum thrift_type type, uint32_t count, unsigned depth)
{
    for (uint32_t i = 0; i < count && !reader->failed; i++) skip_value(reader, type, true, depth);
}

static void skip_map(struct thrift_reader *reader, unsigned depth)
{
    uint32_t count = get_count(reader, get_varint(reader));
    if (count == 0) return;
    uint8_t types = get_byte(reader);
    for (uint32_t i = 0; i < count && !reader->failed; i++) {
        skip_value(reader, (enum thrift_type)(types >> 4), true, depth);
        skip_value(reader, (enum thrift_type)(types & 15), true, depth);
    }
}

static void skip_struct(struct thrift_reader *reader, unsigned depth)
{
    for (;;) {
        uint8_t header = get_byte(reader);
        if (reader->failed || (header & 15) == THRIFT_STOP) return;
        if (header >> 4 == 0) get_zigzag(reader);
        skip_value(reader, (enum thrift_type)(header & 15), false, depth);
    }
}

static void skip_value(struct thrift_reader *reader, enum thrift_type type, bool in_list, unsigned depth)
{
    enum thrift_type element;
    if (depth >= THRIFT_DEPTH_MAX) {
        fail(reader);
        return;
    }
    switch (type) {
    case THRIFT_TRUE:
    case THRIFT_FALSE:
        if (in_list) get_byte(reader);
        break;
    case THRIFT_BYTE: get_byte(reader); break;
    case THRIFT_I16:
    case THRIFT_I32:
    case THRIFT_I64: get_varint(reader); break;
    case THRIFT_DOUBLE:
        if (reader->end - reader->at < 8) fail(reader);
        else reader->at += 8;
        break;
    case THRIFT_BINARY: get_binary(reader); break;
    case THRIFT_LIST:
    case THRIFT_SET: {
        uint32_t count = get_list_header(reader, &element);
        skip_elements(reader, element, count, depth + 1);
        break;
    }
    case THRIFT_MAP: skip_map(reader, depth + 1); break;
    case THRIFT_STRUCT: skip_struct(reader, depth + 1); break;
    default: fail(reader);
    }
}

void thrift_reader_init(struct thrift_reader *reader, struct slice bytes)
{
    static const uint8_t nothing[1];
    reader->start = reader->at = bytes.data ? bytes.data : nothing;
    reader->end = reader->at + bytes.size;
    reader->depth = 0;
    reader->failed = false;
}

void thrift_read_struct_begin(struct thrift_reader *reader)
{
    if (reader->failed) return;
    if (reader->depth == THRIFT_DEPTH_MAX) {
        fail(reader);
        return;
    }
    reader->last_field[reader->depth++] = 0;
}

bool thrift_read_field(struct thrift_reader *reader, struct thrift_field *field)
{
    if (reader->failed) return false;
    invariant(reader->depth > 0);
    int16_t *last = &reader->last_field[reader->depth - 1];
    uint8_t header = get_byte(reader);
    if (reader->failed) return false;
    field->type = (enum thrift_type)(header & 15);
    if (field->type == THRIFT_STOP) {
        reader->depth--;
        return false;
    }
    int64_t id = header >> 4 ? *last + (header >> 4) : get_zigzag(reader);
    if (id < INT16_MIN || id > INT16_MAX) fail(reader);
    if (reader->failed) return false;
    field->id = *last = (int16_t)id;
    return true;
}

void thrift_read_skip(struct thrift_reader *reader, const struct thrift_field *field)
{
    if (!reader->failed) skip_value(reader, field->type, false, reader->depth);
}

bool thrift_read_bool(struct thrift_reader *reader, const struct thrift_field *field)
{
    if (!is_bool(field->type)) thrift_read_skip(reader, field);
    return !reader->failed && field->type == THRIFT_TRUE;
}

int64_t thrift_read_i64(struct thrift_reader *reader, const struct thrift_field *field)
{
    if (field->type == THRIFT_BYTE) return (int8_t)get_byte(reader);
    if (is_integer(field->type)) return get_zigzag(reader);
    thrift_read_skip(reader, field);
    return 0;
}

static int32_t narrow(struct thrift_reader *reader, int64_t value)
{
    if (value >= INT32_MIN && value <= INT32_MAX) return (int32_t)value;
    fail(reader);
    return 0;
}

int32_t thrift_read_i32(struct thrift_reader *reader, const struct thrift_field *field)
{
    return narrow(reader, thrift_read_i64(reader, field));
}

struct slice thrift_read_binary(struct thrift_reader *reader, const struct thrift_field *field)
{
    if (field->type == THRIFT_BINARY) return get_binary(reader);
    thrift_read_skip(reader, field);
    return slice_of(NULL, 0);
}

bool thrift_read_struct(struct thrift_reader *reader, const struct thrift_field *field)
{
    if (field->type != THRIFT_STRUCT) {
        thrift_read_skip(reader, field);
        return false;
    }
    thrift_read_struct_begin(reader);
    return !reader->failed;
}

static bool same_element(enum thrift_type found, enum thrift_type asked)
{
    if (is_bool(asked)) return is_bool(found);
    if (is_integer(asked)) return is_integer(found);
    return found == asked;
}

void thrift_read_list(struct thrift_reader *reader, const struct thrift_field *field, enum thrift_type element, uint32_t *count)
{
    *count = 0;
    if (field->type != THRIFT_LIST && field->type != THRIFT_SET) {
        thrift_read_skip(reader, field);
        return;
    }
    enum thrift_type found;
    uint32_t length = get_list_header(reader, &found);
    if (same_element(found, element)) *count = length;
    else skip_elements(reader, found, length, reader->depth);
}

int32_t thrift_read_element_i32(struct thrift_reader *reader) { return narrow(reader, get_zigzag(reader)); }
int64_t thrift_read_element_i64(struct thrift_reader *reader) { return get_zigzag(reader); }
struct slice thrift_read_element_binary(struct thrift_reader *reader) { return get_binary(reader); }
bool thrift_read_element_bool(struct thrift_reader *reader) { return get_byte(reader) == THRIFT_TRUE; }

bool thrift_read_ok(const struct thrift_reader *reader, const char *what, struct error *err)
{
    if (!reader->failed) return true;
    return error_set(err, COND_INLET_DAMAGED_FILE, "the %s is damaged", what);
}
