/* ledger_codec -- varints, texts and checksums of the ledger's rows. */
#include "loader/ledger_codec.h"
#include "base/panic.h"
#include "base/uuid.h"

#include <stdarg.h>

void put_unsigned(struct buffer *out, uint64_t value)
{
    while (value >= 0x80) {
        buffer_byte(out, (uint8_t)(value | 0x80));
        value >>= 7;
    }
    buffer_byte(out, (uint8_t)value);
}

void put_signed(struct buffer *out, int64_t value)
{
    put_unsigned(out, (uint64_t)value << 1 ^ (uint64_t)(value >> 63));
}

void put_bytes(struct buffer *out, struct slice bytes)
{
    put_unsigned(out, bytes.size);
    buffer_append(out, bytes.data, bytes.size);
}

void put_text(struct buffer *out, const char *text)
{
    if (!text) {
        put_unsigned(out, 0);
        return;
    }
    size_t size = strlen(text);
    put_unsigned(out, size + 1);
    buffer_append(out, text, size);
}

uint64_t get_unsigned(struct unpack *in)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        if (in->bad || in->at == in->end) break;
        uint8_t byte = *in->at++;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) return value;
    }
    in->bad = true;
    return 0;
}

int64_t get_signed(struct unpack *in)
{
    uint64_t value = get_unsigned(in);
    return (int64_t)(value >> 1 ^ (~(value & 1) + 1));
}

struct slice get_bytes(struct unpack *in)
{
    uint64_t size = get_unsigned(in);
    if (in->bad || size > (uint64_t)(in->end - in->at)) {
        in->bad = true;
        return (struct slice){NULL, 0};
    }
    struct slice bytes = slice_of(in->at, (size_t)size);
    in->at += size;
    return bytes;
}

const char *get_text(struct unpack *in, struct arena *arena)
{
    uint64_t size = get_unsigned(in);
    if (size == 0) return NULL;
    size--;
    if (in->bad || size > (uint64_t)(in->end - in->at)) {
        in->bad = true;
        return NULL;
    }
    const char *text = arena_strndup(arena, (const char *)in->at, (size_t)size);
    in->at += size;
    return text;
}

size_t get_count(struct unpack *in, size_t least)
{
    uint64_t count = get_unsigned(in);
    if (in->bad || count > (uint64_t)(in->end - in->at) / least) {
        in->bad = true;
        return 0;
    }
    return (size_t)count;
}

bool damaged(struct error *err, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    error_set_va(err, COND_INLET_CHECKPOINT_DAMAGED, format, arguments);
    va_end(arguments);
    return error_hint(err, "Restore the checkpoint folder from a backup; inlet never starts again from nothing by itself.");
}

static uint32_t checksum(unsigned table, struct slice key, struct slice payload)
{
    uint8_t number = (uint8_t)table;
    uint32_t crc = crc32c(0, &number, 1);
    crc = crc32c(crc, key.data, key.size);
    return payload.size ? crc32c(crc, payload.data, payload.size) : crc;
}

bool put_checked(struct kv_txn *txn, unsigned table, const struct key *key, struct buffer *payload, enum kv_put_flags flags, struct error *err)
{
    uint32_t crc = checksum(table, key_slice(key), slice_of(payload->data, payload->size));
    size_t size = payload->size;
    for (unsigned i = 0; i < 4; i++) buffer_byte(payload, (uint8_t)(crc >> (8 * i)));
    bool ok = kv_put(txn, table, key_slice(key), slice_of(payload->data, payload->size), flags, err);
    payload->size = size;
    return ok;
}

bool check_row(unsigned table, struct slice key, struct slice value, struct slice *payload, struct error *err)
{
    if (value.size < 4) return damaged(err, "a row of table %u of the ledger is %zu bytes long", table, value.size);
    *payload = slice_of(value.data, value.size - 4);
    const uint8_t *tail = value.data + value.size - 4;
    uint32_t stored = (uint32_t)tail[0] | (uint32_t)tail[1] << 8 | (uint32_t)tail[2] << 16 | (uint32_t)tail[3] << 24;
    if (stored == checksum(table, key, *payload)) return true;
    return damaged(err, "the checksum of a row of table %u of the ledger does not fit its content", table);
}

bool get_checked(struct kv_txn *txn, unsigned table, const struct key *key, struct slice *payload, bool *found, struct error *err)
{
    struct slice value;
    if (!kv_get(txn, table, key_slice(key), &value, found, err)) return false;
    return !*found || check_row(table, key_slice(key), value, payload, err);
}
