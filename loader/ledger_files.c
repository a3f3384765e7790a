/* ledger_files -- the rows of files: found, written, taken away, walked over.
 *
 * A row is written once, at admission; only exceptions rewrite it. Rows of one change are written in key order,
 * so that neighbours share pages. */
#include "base/panic.h"
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
    if (!get_checked(txn, TABLE_FILES, key, &payload, found, err)) return false;
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
    return row_write(change, TABLE_FILES, key, row, KV_PUT_ANY, err);
}

bool row_delete(struct change *change, const struct key *key, struct error *err)
{
    return kv_delete(change->txn, TABLE_FILES, key_slice(key), NULL, err);
}

/* --- Many new rows ----------------------------------------------------------------------------------------------- */

static int compare_keys(struct slice a, struct slice b)
{
    int order = memcmp(a.data, b.data, a.size < b.size ? a.size : b.size);
    return order ? order : (a.size > b.size) - (a.size < b.size);
}

bool row_writer_begin(struct row_writer *writer, struct change *change, struct error *err)
{
    struct kv_row last;
    struct kv_cursor *cursor = kv_cursor_open(change->txn, TABLE_FILES, err);
    *writer = (struct row_writer){.change = change};
    bool ok = cursor && kv_last(cursor, &last, err);
    if (ok && last.found) memcpy(writer->end.bytes, last.key.data, writer->end.size = last.key.size);
    kv_cursor_close(cursor);
    return ok;
}

bool row_add(struct row_writer *writer, const struct key *key, const struct row *row, struct error *err)
{
    bool append = compare_keys(key_slice(key), key_slice(&writer->end)) > 0;
    if (append) writer->end = *key;
    return row_write(writer->change, TABLE_FILES, key, row, append ? KV_PUT_APPEND : KV_PUT_ANY, err);
}

/* --- In key order -------------------------------------------------------------------------------------------------- */

struct named_cursor {
    enum table table;
    struct kv_cursor *cursor;
};

struct named_cursor *named_open(struct kv_txn *txn, enum table table, struct error *err)
{
    struct named_cursor *walk = calloc(1, sizeof *walk);
    if (!walk) panic_out_of_memory(sizeof *walk);
    *walk = (struct named_cursor){.table = table, .cursor = kv_cursor_open(txn, table, err)};
    if (walk->cursor) return walk;
    named_close(walk);
    return NULL;
}

void named_close(struct named_cursor *walk)
{
    if (!walk) return;
    kv_cursor_close(walk->cursor);
    free(walk);
}

static bool show(const struct named_cursor *walk, const struct kv_row *from, struct named_row *row, struct error *err)
{
    *row = (struct named_row){.found = from->found};
    if (!from->found) return true;
    if (from->key.size <= 6) return damaged(err, "a row of table %u of the ledger has a key of %zu bytes", (unsigned)walk->table, from->key.size);
    row->key = from->key;
    row->name = slice_of(from->key.data + 6, from->key.size - 6);
    return check_row(walk->table, from->key, from->value, &row->payload, err);
}

bool named_seek(struct named_cursor *walk, struct slice key, struct named_row *row, struct error *err)
{
    struct kv_row first;
    if (!(key.size ? kv_seek(walk->cursor, key, &first, err) : kv_first(walk->cursor, &first, err))) return false;
    return show(walk, &first, row, err);
}

bool named_next(struct named_cursor *walk, struct named_row *row, struct error *err)
{
    struct kv_row next;
    return kv_next(walk->cursor, &next, err) && show(walk, &next, row, err);
}
