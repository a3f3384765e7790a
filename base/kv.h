/* kv -- an ordered key-value store in one directory: the only file that includes lmdb.h.
 *
 * Transactions are all or nothing and durable when kv_update returns true. One process opens a directory once
 * (a second open in the same process would break the locks of the first). One writer at a time; readers never
 * wait for it. Read transactions must be short: pages they see cannot be reused. Values stay valid until
 * the transaction ends or, in a write transaction, until the next write. LMDB has no page checksums, so
 * values that matter carry their own.
 *
 * A write that does not fit the address range is run again after the range has grown; a commit that failed is looked at after a
 * re-open, since its outcome is not known before. Threads: any number may read; one writes. */
#pragma once
#include "base/bytes.h"
#include "base/error.h"

struct kv;
struct kv_txn;
struct kv_cursor;

enum kv_mode { KV_READ, KV_WRITE, KV_CREATE, KV_EXTEND };

/* `tables` are names, borrowed for the life of the store; a table is then named by its index. KV_READ and KV_WRITE want every table
 * to exist: INLET_CHECKPOINT_DAMAGED otherwise. KV_CREATE makes them in an empty directory; KV_EXTEND is KV_WRITE, and makes those that
 * are not there. A table behind `table_count` reads as an empty one. */
struct kv *kv_open(const char *directory, enum kv_mode mode, const char *const *tables, size_t table_count, struct error *err) MUST_CHECK;
void kv_close(struct kv *kv); /* NULL is allowed. No transaction may be open. */
/* Copies the live pages into a directory that exists and is empty. */
bool kv_copy(struct kv *kv, const char *directory, struct error *err) MUST_CHECK;
/* Bytes of the pages in use and of the whole file. */
bool kv_sizes(struct kv *kv, int64_t *used, int64_t *total, struct error *err) MUST_CHECK;
/* Frees the slots of readers that have died; *count: how many. */
bool kv_clear_dead_readers(struct kv *kv, int *count, struct error *err) MUST_CHECK;

/* Runs fn in a write transaction and commits it durably. fn may be run more than once: it must only write through
 * the transaction. fn returning false drops everything. */
typedef bool (*kv_update_fn)(struct kv_txn *txn, void *user, struct error *err);
bool kv_update(struct kv *kv, kv_update_fn fn, void *user, struct error *err) MUST_CHECK;

struct kv_txn *kv_read_begin(struct kv *kv, struct error *err) MUST_CHECK;
void kv_read_end(struct kv_txn *txn); /* NULL is allowed. */

enum kv_put_flags { KV_PUT_ANY = 0, KV_PUT_NEW = 1, KV_PUT_APPEND = 2 }; /* NEW: the key must not exist. APPEND: it sorts last. */

bool kv_get(struct kv_txn *txn, unsigned table, struct slice key, struct slice *value, bool *found, struct error *err) MUST_CHECK;
bool kv_put(struct kv_txn *txn, unsigned table, struct slice key, struct slice value, enum kv_put_flags flags, struct error *err) MUST_CHECK;
bool kv_delete(struct kv_txn *txn, unsigned table, struct slice key, bool *found, struct error *err) MUST_CHECK;
bool kv_clear(struct kv_txn *txn, unsigned table, struct error *err) MUST_CHECK; /* Removes every row. */
bool kv_count(struct kv_txn *txn, unsigned table, int64_t *rows, struct error *err) MUST_CHECK;

struct kv_row {
    struct slice key, value;
    bool found; /* false: there is no such row. */
};

struct kv_cursor *kv_cursor_open(struct kv_txn *txn, unsigned table, struct error *err) MUST_CHECK;
void kv_cursor_close(struct kv_cursor *cursor); /* NULL is allowed; before the transaction ends. */
bool kv_seek(struct kv_cursor *cursor, struct slice key, struct kv_row *row, struct error *err) MUST_CHECK;        /* First row >= key. */
bool kv_seek_before(struct kv_cursor *cursor, struct slice key, struct kv_row *row, struct error *err) MUST_CHECK; /* Last row < key. */
bool kv_seek_upto(struct kv_cursor *cursor, struct slice key, struct kv_row *row, struct error *err) MUST_CHECK;   /* Last row <= key. */
bool kv_first(struct kv_cursor *cursor, struct kv_row *row, struct error *err) MUST_CHECK;
bool kv_last(struct kv_cursor *cursor, struct kv_row *row, struct error *err) MUST_CHECK;
bool kv_next(struct kv_cursor *cursor, struct kv_row *row, struct error *err) MUST_CHECK;
bool kv_previous(struct kv_cursor *cursor, struct kv_row *row, struct error *err) MUST_CHECK;
