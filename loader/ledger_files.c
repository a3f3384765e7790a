/* ledger_files -- the rows of files: found, written, taken away, walked over.
 *
 * A row is written once, at admission; only exceptions rewrite it. Rows of one change are written in key order,
 * so that neighbours share pages.
 *
 * They stand in two tables, which all others see as one. In a ledger of millions of files the rows of a batch are far apart: each costs a leaf
 * of its own and the branch above it. So a small admission writes to TABLE_RECENT, whose pages are few, and ledger_merge moves rows from
 * there to TABLE_FILES, many of a folder at once. L10: a row stands in one of the two; a merge moves it in one transaction. */
#include "base/panic.h"
#include "base/plant.h"
#include "loader/ledger_inner.h"

#include <stdlib.h>

/* --- Bytes of a row ------------------------------------------------------------------------------------------ */

bool row_decode(struct slice payload, struct arena *arena, struct row *row, struct error *err)
{
    struct unpack in = unpack_of(payload);
    uint64_t head = get_unsigned(&in);
    *row = (struct row){.kind = (enum row_kind)(head & 7), .ordinal = (int64_t)(head >> 3) - 1};
    if (row->kind != ROW_ADMITTED) row->mtime_us = get_signed(&in);
    if (row->kind > ROW_ADMITTED_AT) {
        row->size = get_signed(&in);
        row->since_us = get_signed(&in);
        row->seen_us = get_signed(&in);
        row->reason = get_text(&in, arena);
    }
    return (!in.bad && row->kind <= ROW_VANISHED) || damaged(err, "a file's row of the ledger cannot be read");
}

static void row_encode(const struct row *row, struct buffer *payload)
{
    put_unsigned(payload, (uint64_t)(row->ordinal + 1) << 3 | row->kind);
    if (row->kind != ROW_ADMITTED) put_signed(payload, row->mtime_us);
    if (row->kind <= ROW_ADMITTED_AT) return;
    put_signed(payload, row->size);
    put_signed(payload, row->since_us);
    put_signed(payload, row->seen_us);
    put_text(payload, row->reason);
}

/* --- One row --------------------------------------------------------------------------------------------------- */

bool row_get(struct kv_txn *txn, const struct key *key, struct arena *arena, struct row *row, bool *found, struct error *err)
{
    struct slice payload;
    if (!get_checked(txn, TABLE_RECENT, key, &payload, found, err)) return false;
    if (!*found && !get_checked(txn, TABLE_FILES, key, &payload, found, err)) return false;
    return !*found || row_decode(payload, arena, row, err);
}

bool row_of_ordinal(struct kv_txn *txn, uint32_t source_id, uint32_t directory_id, const char *name, int64_t ordinal, struct arena *arena,
                    struct key *key, struct row *row, bool *found, struct error *err)
{
    *key = key_of_file(source_id, directory_id, name);
    if (!row_get(txn, key, arena, row, found, err)) return false;
    if (*found && row->ordinal == ordinal) return true;
    *key = key_of_file(source_id, DIRECTORY_NONE, name);
    if (!row_get(txn, key, arena, row, found, err)) return false;
    *found = *found && row->ordinal == ordinal;
    return true;
}

static bool row_write(struct change *change, enum table table, const struct key *key, const struct row *row, enum kv_put_flags flags, struct error *err)
{
    struct buffer payload = {0};
    row_encode(row, &payload);
    bool ok = put_checked(change->txn, table, key, &payload, flags, err);
    buffer_free(&payload);
    return ok;
}

bool row_put(struct change *change, const struct key *key, const struct row *row, struct error *err)
{
    struct slice value;
    bool recent;
    if (!kv_get(change->txn, TABLE_RECENT, key_slice(key), &value, &recent, err)) return false;
    return row_write(change, recent ? TABLE_RECENT : TABLE_FILES, key, row, KV_PUT_ANY, err);
}

bool row_delete(struct change *change, const struct key *key, struct error *err)
{
    bool found;
    if (!kv_delete(change->txn, TABLE_RECENT, key_slice(key), &found, err)) return false;
    return found || kv_delete(change->txn, TABLE_FILES, key_slice(key), NULL, err);
}

/* --- Many new rows ----------------------------------------------------------------------------------------------- */

static int compare_keys(struct slice a, struct slice b)
{
    int order = memcmp(a.data, b.data, a.size < b.size ? a.size : b.size);
    return order ? order : (a.size > b.size) - (a.size < b.size);
}

static struct key key_of_bytes(struct slice bytes)
{
    struct key key = {.size = bytes.size};
    if (bytes.size) memcpy(key.bytes, bytes.data, bytes.size);
    return key;
}

static bool last_of_files(struct kv_txn *txn, struct key *end, struct error *err)
{
    struct kv_row last;
    struct kv_cursor *cursor = kv_cursor_open(txn, TABLE_FILES, err);
    bool ok = cursor && kv_last(cursor, &last, err);
    if (ok) *end = key_of_bytes(last.key); /* None: empty. */
    kv_cursor_close(cursor);
    return ok;
}

/* One that sorts behind all of TABLE_FILES is appended: such pages are full. */
static enum kv_put_flags way_in(struct key *end, const struct key *key)
{
    if (compare_keys(key_slice(key), key_slice(end)) <= 0) return KV_PUT_ANY;
    *end = *key;
    return KV_PUT_APPEND;
}

/* Many rows at once are many of a folder, as in a first load: to write them twice would gain nothing. */
bool row_writer_begin(struct row_writer *writer, struct change *change, size_t count, struct error *err)
{
    const struct recent_bounds *bounds = &change->ledger->recent;
    int64_t recent;
    if (!kv_count(change->txn, TABLE_RECENT, &recent, err)) return false;
    *writer = (struct row_writer){.change = change, .table = TABLE_RECENT};
    if ((int64_t)count < bounds->straight && recent <= bounds->rows * 2) return true;
    writer->table = TABLE_FILES;
    return last_of_files(change->txn, &writer->end, err);
}

bool row_add(struct row_writer *writer, const struct key *key, const struct row *row, struct error *err)
{
    return row_write(writer->change, writer->table, key, row, writer->table == TABLE_FILES ? way_in(&writer->end, key) : KV_PUT_ANY, err);
}

/* --- Merging ------------------------------------------------------------------------------------------------------- */

enum { SLICES = 8, STRAIGHT_LEAST = 64 };

struct recent_bounds recent_bounds_of(int64_t rows)
{
    if (rows < 1) rows = 1;
    int64_t slice = rows / SLICES ? rows / SLICES : 1;
    return (struct recent_bounds){.rows = rows, .slice = slice, .straight = 2 * slice > STRAIGHT_LEAST ? 2 * slice : STRAIGHT_LEAST};
}

struct moving {
    struct slice key, payload; /* In the arena. */
};

static struct slice copy_slice(struct arena *arena, struct slice bytes) { return slice_of(arena_strndup(arena, (const char *)bytes.data, bytes.size), bytes.size); }

/* The rows behind *from; at the end of the table it goes on from its start. */
static bool next_to_move(struct change *change, const struct key *from, struct moving *rows, int64_t *count, struct error *err)
{
    struct kv_cursor *cursor = kv_cursor_open(change->txn, TABLE_RECENT, err);
    struct kv_row row = {.found = false};
    int64_t wanted = *count;
    bool ok = cursor && (!from->size || kv_seek(cursor, key_slice(from), &row, err)) && (row.found || kv_first(cursor, &row, err));
    for (*count = 0; ok && row.found && *count < wanted; ++*count) {
        struct slice payload;
        ok = check_row(TABLE_RECENT, row.key, row.value, &payload, err);
        if (!ok) break;
        rows[*count] = (struct moving){copy_slice(change->scratch, row.key), copy_slice(change->scratch, payload)};
        ok = kv_next(cursor, &row, err);
    }
    kv_cursor_close(cursor);
    return ok;
}

static bool move_row(struct change *change, const struct moving *row, struct key *end, struct error *err)
{
    struct key key = key_of_bytes(row->key);
    struct buffer payload = {0};
    buffer_append(&payload, row->payload.data, row->payload.size);
    bool ok = put_checked(change->txn, TABLE_FILES, &key, &payload, KV_PUT_NEW | way_in(end, &key), err); /* L10 */
    buffer_free(&payload);
    return ok && (PLANTED(52) || kv_delete(change->txn, TABLE_RECENT, row->key, NULL, err));
}

static struct key key_of_position(void) { return key_of_text("merged"); }

static bool merge_position(struct kv_txn *txn, struct key *position, struct error *err)
{
    struct key key = key_of_position();
    struct slice payload;
    bool found;
    if (!get_checked(txn, TABLE_STATE, &key, &payload, &found, err)) return false;
    if (found && payload.size > sizeof position->bytes) return damaged(err, "the position of the ledger's merging cannot be read");
    *position = key_of_bytes(found ? payload : slice_of(NULL, 0));
    return true;
}

/* The next slice in key order, round and round: each folder has gathered rows since its last turn. */
static bool merge_body(struct change *change, void *user, struct error *err)
{
    (void)user;
    int64_t count = change->ledger->recent.slice;
    struct moving *rows = ARENA_ARRAY(change->scratch, struct moving, (size_t)count);
    struct key position, end, key = key_of_position();
    if (!merge_position(change->txn, &position, err) || !next_to_move(change, &position, rows, &count, err) || !last_of_files(change->txn, &end, err)) return false;
    for (int64_t i = 0; i < count; i++) {
        if (!move_row(change, &rows[i], &end, err)) return false;
    }
    struct buffer payload = {0};
    if (count) buffer_append(&payload, rows[count - 1].key.data, rows[count - 1].key.size);
    bool ok = put_checked(change->txn, TABLE_STATE, &key, &payload, KV_PUT_ANY, err);
    buffer_free(&payload);
    return ok;
}

bool ledger_merge(struct ledger *ledger, struct error *err)
{
    for (;;) {
        int64_t rows;
        struct kv_txn *txn = kv_read_begin(ledger->kv, err);
        if (!txn) return false;
        bool ok = kv_count(txn, TABLE_RECENT, &rows, err);
        kv_read_end(txn);
        if (!ok || rows <= ledger->recent.rows) return ok;
        if (!ledger_change(ledger, merge_body, NULL, err)) return error_context(err, "merging the recent rows of the ledger");
    }
}

/* --- In key order -------------------------------------------------------------------------------------------------- */

struct part {
    enum table table;
    struct kv_cursor *cursor;
    struct kv_row row;
};

struct named_cursor {
    struct part parts[2];
    size_t count;
    struct part *at;           /* The one whose row is shown. */
};

struct named_cursor *named_open(struct kv_txn *txn, enum table table, struct error *err)
{
    struct named_cursor *walk = calloc(1, sizeof *walk);
    if (!walk) panic_out_of_memory(sizeof *walk);
    walk->parts[walk->count++].table = table;
    if (table == TABLE_FILES) walk->parts[walk->count++].table = TABLE_RECENT;
    for (size_t i = 0; i < walk->count; i++) {
        walk->parts[i].cursor = kv_cursor_open(txn, walk->parts[i].table, err);
        if (walk->parts[i].cursor) continue;
        named_close(walk);
        return NULL;
    }
    return walk;
}

void named_close(struct named_cursor *walk)
{
    if (!walk) return;
    for (size_t i = 0; i < walk->count; i++) kv_cursor_close(walk->parts[i].cursor);
    free(walk);
}

/* Chooses the part that is first. */
static bool show(struct named_cursor *walk, struct named_row *row, struct error *err)
{
    walk->at = NULL;
    *row = (struct named_row){.found = false};
    for (size_t i = 0; i < walk->count; i++) {
        struct part *part = &walk->parts[i];
        if (!part->row.found) continue;
        int order = walk->at ? compare_keys(part->row.key, walk->at->row.key) : -1;
        if (order == 0) return damaged(err, "a file has two rows in the ledger, a recent one and one that was merged"); /* L10 */
        if (order < 0) walk->at = part;
    }
    if (!walk->at) return true;
    struct slice key = walk->at->row.key;
    if (key.size <= 6) return damaged(err, "a row of table %u of the ledger has a key of %zu bytes", (unsigned)walk->at->table, key.size);
    row->found = true;
    row->key = key;
    row->name = slice_of(key.data + 6, key.size - 6);
    return check_row(walk->at->table, key, walk->at->row.value, &row->payload, err);
}

bool named_seek(struct named_cursor *walk, struct slice key, struct named_row *row, struct error *err)
{
    for (size_t i = 0; i < walk->count; i++) {
        struct part *part = &walk->parts[i];
        if (!(key.size ? kv_seek(part->cursor, key, &part->row, err) : kv_first(part->cursor, &part->row, err))) return false;
    }
    return show(walk, row, err);
}

bool named_next(struct named_cursor *walk, struct named_row *row, struct error *err)
{
    return kv_next(walk->at->cursor, &walk->at->row, err) && show(walk, row, err);
}
