/* json_slots -- where values go: one cursor per node of the shape, over the columns of the chunk at hand.
 *
 * Rows are filled lazily: a value is put at the row its parent is at, and the rows that were left out in
 * between (missing fields, nulls, bad values) become null when the next value or the end of the chunk
 * comes. So a field that is absent costs nothing. All values of a record can be taken back by truncating
 * every slot to the row where it began.
 *
 *   length       rows that are there (values or nulls)
 *   data_size    STRING, BINARY: bytes of text; offsets[length] == data_size
 *   offsets[length]  ARRAY, MAP: elements given out to rows so far; the child may lag behind */
#pragma once
#include "columns/chunk.h"
#include "formats/json_shape.h"

struct ndjson_slot {
    uint32_t length, capacity;    /* Rows. */
    uint8_t *validity;            /* All bits from length on are set. */
    void *values;
    int32_t *offsets;
    uint8_t *data;
    size_t data_size, data_capacity; /* 64 bytes behind data_capacity are writable as well. */
    struct column *column;
};

struct ndjson_slots {
    const struct ndjson_shape *shape;
    struct ndjson_slot *slots;    /* shape->node_count. */
    struct budget *budget;
    struct error *err;            /* Of the call at hand: filled when one of these returns false. */
};

void ndjson_slots_init(struct ndjson_slots *slots, const struct ndjson_shape *shape, struct budget *budget);
void ndjson_slots_fini(struct ndjson_slots *slots);
/* Points the cursors at the columns of an empty chunk. */
bool ndjson_slots_bind(struct ndjson_slots *slots, struct chunk *chunk);
/* Makes every column `rows` long and hands the counts to the columns. */
bool ndjson_slots_finish(struct ndjson_slots *slots, uint32_t rows);

/* The slow half of ndjson_slot_open(): fills rows up to `row` with nulls, makes room for one more. */
bool ndjson_slot_prepare(struct ndjson_slots *slots, uint32_t index, uint32_t row) MUST_CHECK;
/* Room for `more` bytes of text behind data_size. */
bool ndjson_slot_grow_data(struct ndjson_slots *slots, struct ndjson_slot *slot, size_t more) MUST_CHECK;
/* Takes back everything at and behind `row`, children too. */
void ndjson_slot_truncate(struct ndjson_slots *slots, uint32_t index, uint32_t row);
/* The same for all columns of the record. */
void ndjson_slots_truncate(struct ndjson_slots *slots, uint32_t row);

/* After this a value can be written at `row`; the caller sets length = row + 1. */
static ALWAYS_INLINE bool ndjson_slot_open(struct ndjson_slots *slots, uint32_t index, uint32_t row)
{
    struct ndjson_slot *slot = &slots->slots[index];
    if (LIKELY(slot->length == row && row < slot->capacity)) return true;
    return ndjson_slot_prepare(slots, index, row);
}

/* Copies bytes as the value of `row` of a STRING or BINARY slot. */
bool ndjson_slot_put_bytes(struct ndjson_slots *slots, uint32_t index, uint32_t row, const void *bytes, size_t size) MUST_CHECK;
