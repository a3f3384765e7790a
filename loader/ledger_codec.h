/* ledger_codec -- bytes of the ledger's keys and values: big-endian keys, varint values, checksums.
 *
 * Every value ends in a CRC32C of table, key and payload, so that a flipped bit or a value under the wrong key is seen
 * (LMDB checks nothing). A checksum that does not fit is INLET_CHECKPOINT_DAMAGED. */
#pragma once
#include "base/arena.h"
#include "base/kv.h"

struct key {
    size_t size;
    uint8_t bytes[512];
};

static inline struct slice key_slice(const struct key *key) { return slice_of(key->bytes, key->size); }
static inline void key_big_endian(struct key *key, uint64_t value, unsigned width)
{
    for (unsigned i = 0; i < width; i++) key->bytes[key->size++] = (uint8_t)(value >> (8 * (width - 1 - i)));
}
static inline uint64_t key_read(struct slice key, size_t offset, unsigned width)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < width && offset + i < key.size; i++) value = value << 8 | key.data[offset + i];
    return value;
}

/* Writing: into a buffer. */
void put_unsigned(struct buffer *out, uint64_t value);
void put_signed(struct buffer *out, int64_t value); /* Zigzag. */
void put_text(struct buffer *out, const char *text); /* NULL is kept apart from "". */
void put_bytes(struct buffer *out, struct slice bytes);

/* Reading: `bad` is set, and zero returned, once the bytes run out or make no sense. */
struct unpack {
    const uint8_t *at, *end;
    bool bad;
};
static inline struct unpack unpack_of(struct slice bytes) { return (struct unpack){bytes.data, bytes.data + bytes.size, false}; }
uint64_t get_unsigned(struct unpack *in);
int64_t get_signed(struct unpack *in);
const char *get_text(struct unpack *in, struct arena *arena); /* NULL, or a copy. */
struct slice get_bytes(struct unpack *in);                    /* Borrowed from the value. */
/* A count that is followed by at least `least` bytes for each item; larger ones are bad. */
size_t get_count(struct unpack *in, size_t least);

/* Adds the checksum to *payload and stores it. */
bool put_checked(struct kv_txn *txn, unsigned table, const struct key *key, struct buffer *payload, enum kv_put_flags flags, struct error *err) MUST_CHECK;
/* The payload without its checksum; *found false: no such row. */
bool get_checked(struct kv_txn *txn, unsigned table, const struct key *key, struct slice *payload, bool *found, struct error *err) MUST_CHECK;
/* Checks a row that a cursor gave. */
bool check_row(unsigned table, struct slice key, struct slice value, struct slice *payload, struct error *err) MUST_CHECK;
bool damaged(struct error *err, const char *format, ...) PRINTF_LIKE(2, 3); /* INLET_CHECKPOINT_DAMAGED; false. */
