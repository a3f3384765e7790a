/* parquet_levels -- definition and repetition levels of nested columns, and the RLE / bit-packed hybrid
 * in which levels and dictionary indices are stored.
 *
 * A slot is one entry of a leaf's level streams. Most slots stand for one row of the column below; the
 * slots of null and empty lists do not. Levels are made for a whole chunk at once, from the
 * validity bits and offsets, list by list; where nothing is null they are one run and no array is made. */
#pragma once
#include "columns/column.h"
#include "formats/parquet_schema.h"

/* ---- the hybrid ---- */

/* Works on groups of 8 values: groups of one value become a run, others are packed as they stand. */
struct hybrid {
    struct buffer out;
    unsigned width;           /* Bits of a value, 0..16. */
    unsigned carry_count;     /* Values that do not fill a group yet. */
    uint16_t carry[8];
    uint16_t run_value;       /* Groups of this value seen and not written. */
    size_t run_groups;
    size_t header;            /* Place of the open packed run's header in out; 0: none (offset + 1). */
    unsigned packed_groups;   /* Groups in that run, at most 63. */
};

void hybrid_start(struct hybrid *hybrid, unsigned width); /* Empties it, keeps its memory. */
void hybrid_run(struct hybrid *hybrid, uint16_t value, size_t count);
void hybrid_values(struct hybrid *hybrid, const uint16_t *values, size_t count);
void hybrid_bits(struct hybrid *hybrid, const uint8_t *bits, size_t bit_start, size_t count); /* Width 1. */
void hybrid_finish(struct hybrid *hybrid); /* out is complete. */
void hybrid_free(struct hybrid *hybrid);
unsigned hybrid_width(uint32_t value_max);  /* Bits that hold 0..value_max; at least 1. */

/* ---- levels ---- */

/* The slots which one column adds to a leaf. Exactly one of: definitions (an array), bits (each slot's level is
 * full - 1 + bit), neither (every slot has `level`). */
struct leaf_levels {
    uint32_t slot_count;
    uint16_t full;                /* A slot of this level holds a value. */
    uint16_t level;
    const uint16_t *definitions;
    const uint8_t *bits;
    size_t bit_start;
    const uint16_t *repetitions;  /* NULL: all 0. */
    uint32_t value_count;         /* Slots of level `full`. */
};

/* Called once for each leaf: the values are the valid ones among row_count rows from row_start. */
typedef bool (*levels_leaf_fn)(void *user, uint32_t leaf, const struct column *column, uint32_t row_start, uint32_t row_count,
                               const struct leaf_levels *levels, struct error *err);

struct level_walk {
    levels_leaf_fn leaf;
    void *user;
    struct buffer *scratch; /* A stack of arrays, kept from chunk to chunk. */
    size_t scratch_count, scratch_capacity;
};

/* Walks one top-level column (PLAIN all the way down) of `rows` rows. Refuses nulls in NOT NULL columns. */
bool levels_walk(struct level_walk *walk, const struct parquet_node *node, const struct column *column, uint32_t rows, struct error *err) MUST_CHECK;
void level_walk_free(struct level_walk *walk);

size_t bits_count(const uint8_t *bits, size_t start, size_t count); /* Set bits. */
