/* kv -- LMDB behind base/kv.h; the rules it keeps are noted where they bite.
 *
 * Default flags only: no NOSYNC, no WRITEMAP (a full disk would be a bus error). `gate` lets the map be
 * resized and the environment be reopened only while no transaction is open: transactions hold it shared. */
#include "base/kv.h"
#include "base/panic.h"
#include "base/plant.h"

#include <errno.h>
#include <lmdb.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define KV_TABLE_MAX 24
#define KV_MAP_START ((size_t)64 << 30) /* Address range only: the file grows as it is used. */
#define KV_MAP_SMALLEST ((size_t)64 << 20)

struct kv {
    char *directory;
    enum kv_mode mode;
    const char *const *tables;
    size_t table_count;
    MDB_env *env;              /* NULL after a reopen that failed; the next transaction tries again. */
    MDB_dbi handles[KV_TABLE_MAX];
    pthread_rwlock_t gate;
    _Atomic uintptr_t writer;  /* The thread that is in kv_update, or 0. */
};

struct kv_txn {
    struct kv *kv;
    MDB_txn *txn;
    bool full;                 /* A write met the end of the map. */
};

struct kv_cursor {
    struct kv_txn *txn;
    MDB_cursor *cursor;
};

/* --- Errors ---------------------------------------------------------------------------------------- */

static bool disk_is_full(const struct kv *kv)
{
    struct statvfs space;
    return statvfs(kv->directory, &space) == 0 && space.f_bavail == 0;
}

static bool kv_error(const struct kv *kv, int code, struct error *err, const char *what)
{
    switch (code) {
    case MDB_CORRUPTED: case MDB_PAGE_NOTFOUND: case MDB_INVALID: case MDB_BAD_DBI: case MDB_INCOMPATIBLE:
        return error_set(err, COND_INLET_CHECKPOINT_DAMAGED, "could not %s the store '%s': %s", what, kv->directory, mdb_strerror(code));
    case MDB_VERSION_MISMATCH:
        return error_set(err, COND_INLET_CHECKPOINT_NEWER, "cannot %s the store '%s': its file format is another one", what, kv->directory);
    case MDB_MAP_FULL: case MDB_TXN_FULL: case MDB_READERS_FULL: case MDB_MAP_RESIZED: case MDB_PANIC: case MDB_DBS_FULL:
        return error_set(err, COND_INLET_RESOURCE, "could not %s the store '%s': %s", what, kv->directory, mdb_strerror(code));
    case EIO:
        if (disk_is_full(kv)) code = ENOSPC; /* A short write shows as EIO. */
        break;
    default: break;
    }
    if (code < 0) return error_set(err, COND_INLET_IO, "could not %s the store '%s': %s", what, kv->directory, mdb_strerror(code));
    errno = code;
    return error_errno(err, "could not %s the store '%s'", what, kv->directory);
}

/* --- Opening --------------------------------------------------------------------------------------- */

/* A missing or cut data file must not be taken for a new store: LMDB would start from zero. */
static bool check_data_file(const struct kv *kv, struct error *err)
{
    char path[4096 + 16];
    struct stat info;
    snprintf(path, sizeof path, "%s/data.mdb", kv->directory);
    bool exists = stat(path, &info) == 0;
    if (!exists && errno != ENOENT) return error_errno(err, "could not look at the store '%s'", path);
    if (kv->mode == KV_CREATE) {
        if (exists) return error_set(err, COND_INLET_INTERNAL, "cannot create the store '%s': it exists", path);
        return true;
    }
    if (!exists) return error_set(err, COND_INLET_CHECKPOINT_DAMAGED, "the store '%s' is missing", path);
    if (info.st_size < 8192) {
        return error_set(err, COND_INLET_CHECKPOINT_DAMAGED, "the store '%s' is cut short: %lld bytes", path, (long long)info.st_size);
    }
    return true;
}

static int open_environment(struct kv *kv, size_t map_size)
{
    int code = mdb_env_create(&kv->env);
    if (code) return code;
    code = mdb_env_set_maxdbs(kv->env, KV_TABLE_MAX);
    if (!code) code = mdb_env_set_mapsize(kv->env, map_size);
    unsigned flags = MDB_NOTLS | (kv->mode == KV_READ ? MDB_RDONLY : 0) | (PLANTED(2) ? MDB_NOSYNC : 0);
    if (!code) code = mdb_env_open(kv->env, kv->directory, flags, 0666);
    if (code) {
        mdb_env_close(kv->env);
        kv->env = NULL;
    }
    return code;
}

static bool open_tables(struct kv *kv, struct error *err)
{
    MDB_txn *txn;
    bool create = kv->mode == KV_CREATE || kv->mode == KV_EXTEND;
    int code = mdb_txn_begin(kv->env, NULL, create ? 0 : MDB_RDONLY, &txn);
    if (code) return kv_error(kv, code, err, "begin to read");
    for (size_t i = 0; i < kv->table_count; i++) {
        code = mdb_dbi_open(txn, kv->tables[i], create ? MDB_CREATE : 0, &kv->handles[i]);
        if (code == MDB_NOTFOUND) {
            mdb_txn_abort(txn);
            return error_set(err, COND_INLET_CHECKPOINT_DAMAGED, "the store '%s' lacks the table '%s'", kv->directory, kv->tables[i]);
        }
        if (code) {
            mdb_txn_abort(txn);
            return kv_error(kv, code, err, "open the tables of");
        }
    }
    code = mdb_txn_commit(txn); /* Keeps the handles, for a reader too. */
    return code ? kv_error(kv, code, err, "open the tables of") : true;
}

/* LMDB maps the file: to read a page beyond its end would be a SIGBUS. Pages that one transaction took and gave back are
 * counted but may never have been written, so each commit grows the file; a crash just before that leaves it a little short.
 * Pages of zeros are answered by LMDB as damage. */
enum { PAGES_SHORT_MAX = 256 };

/* How long the file should be, and is. */
static int measure(const struct kv *kv, int *fd, off_t *wanted, off_t *size, off_t *page)
{
    MDB_envinfo info;
    MDB_stat stat;
    struct stat file;
    int code = mdb_env_info(kv->env, &info);
    if (!code) code = mdb_env_stat(kv->env, &stat);
    if (!code) code = mdb_env_get_fd(kv->env, fd);
    if (!code && fstat(*fd, &file) != 0) code = errno;
    if (code) return code;
    *page = (off_t)stat.ms_psize;
    *wanted = (off_t)(info.me_last_pgno + 1) * *page;
    *size = file.st_size;
    return 0;
}

static int fill_up(const struct kv *kv)
{
    int fd;
    off_t wanted, size, page;
    int code = measure(kv, &fd, &wanted, &size, &page);
    if (!code && size < wanted && ftruncate(fd, wanted) != 0) code = errno;
    return code;
}

static bool check_length(const struct kv *kv, struct error *err)
{
    int fd;
    off_t wanted, size, page;
    int code = measure(kv, &fd, &wanted, &size, &page);
    if (!code && size < wanted - PAGES_SHORT_MAX * page)
        return error_set(err, COND_INLET_CHECKPOINT_DAMAGED, "the store '%s' is cut short: %lld of %lld bytes", kv->directory, (long long)size,
                         (long long)wanted);
    if (!code && kv->mode != KV_READ) code = fill_up(kv);
    return !code || kv_error(kv, code, err, "measure");
}

static bool kv_start(struct kv *kv, struct error *err)
{
    if (!check_data_file(kv, err)) return false;
    size_t map_size = KV_MAP_START;
    int code = open_environment(kv, map_size);
    while ((code == ENOMEM || code == EINVAL) && map_size > KV_MAP_SMALLEST) { /* A limit on address space; valgrind says EINVAL. */
        map_size /= 2;
        code = open_environment(kv, map_size);
    }
    if (code) return kv_error(kv, code, err, "open");
    if (check_length(kv, err) && open_tables(kv, err)) return true;
    mdb_env_close(kv->env);
    kv->env = NULL;
    return false;
}

struct kv *kv_open(const char *directory, enum kv_mode mode, const char *const *tables, size_t table_count, struct error *err)
{
    invariant(table_count <= KV_TABLE_MAX);
    struct kv *kv = calloc(1, sizeof *kv);
    if (!kv) panic_out_of_memory(sizeof *kv);
    kv->directory = strdup(directory);
    if (!kv->directory) panic_out_of_memory(strlen(directory));
    kv->mode = mode;
    kv->tables = tables;
    kv->table_count = table_count;
    pthread_rwlock_init(&kv->gate, NULL);
    if (!kv_start(kv, err)) {
        kv_close(kv);
        return NULL;
    }
    if (mode != KV_READ) kv->mode = KV_WRITE;
    return kv;
}

void kv_close(struct kv *kv)
{
    if (!kv) return;
    if (kv->env) mdb_env_close(kv->env);
    pthread_rwlock_destroy(&kv->gate);
    free(kv->directory);
    free(kv);
}

/* --- Care ------------------------------------------------------------------------------------------- */

static bool is_usable(const struct kv *kv, struct error *err)
{
    if (kv->env) return true;
    return error_set(err, COND_INLET_IO, "could not use the store '%s': it could not be reopened after an error", kv->directory);
}

bool kv_copy(struct kv *kv, const char *directory, struct error *err)
{
    pthread_rwlock_rdlock(&kv->gate);
    bool ok = is_usable(kv, err);
    int code = ok ? mdb_env_copy2(kv->env, directory, MDB_CP_COMPACT) : 0;
    pthread_rwlock_unlock(&kv->gate);
    return ok && (code == 0 || kv_error(kv, code, err, "copy"));
}

bool kv_sizes(struct kv *kv, int64_t *used, int64_t *total, struct error *err)
{
    pthread_rwlock_rdlock(&kv->gate);
    bool ok = is_usable(kv, err);
    MDB_envinfo info;
    MDB_stat stat;
    int code = ok ? mdb_env_info(kv->env, &info) : 0;
    if (ok && !code) code = mdb_env_stat(kv->env, &stat);
    pthread_rwlock_unlock(&kv->gate);
    if (!ok) return false;
    if (code) return kv_error(kv, code, err, "measure");
    *total = (int64_t)(info.me_last_pgno + 1) * stat.ms_psize;
    *used = 0;
    struct kv_txn *txn = kv_read_begin(kv, err);
    if (!txn) return false;
    for (size_t i = 0; i < kv->table_count && !code; i++) {
        code = mdb_stat(txn->txn, kv->handles[i], &stat);
        *used += (int64_t)(stat.ms_branch_pages + stat.ms_leaf_pages + stat.ms_overflow_pages) * stat.ms_psize;
    }
    kv_read_end(txn);
    return code == 0 || kv_error(kv, code, err, "measure");
}

bool kv_clear_dead_readers(struct kv *kv, int *count, struct error *err)
{
    pthread_rwlock_rdlock(&kv->gate);
    bool ok = is_usable(kv, err);
    int code = ok ? mdb_reader_check(kv->env, count) : 0;
    pthread_rwlock_unlock(&kv->gate);
    return ok && (code == 0 || kv_error(kv, code, err, "look for dead readers of"));
}

/* --- Transactions ------------------------------------------------------------------------------------ */

/* Opens again what could not be opened after a failed commit: the disk may have room again. */
static bool revive(struct kv *kv, struct error *err)
{
    pthread_rwlock_wrlock(&kv->gate);
    bool ok = kv->env || kv_start(kv, err);
    pthread_rwlock_unlock(&kv->gate);
    return ok;
}

/* Holds the gate shared from here to txn_drop. */
static struct kv_txn *txn_begin(struct kv *kv, bool write, struct error *err)
{
    struct kv_txn *txn = calloc(1, sizeof *txn);
    if (!txn) panic_out_of_memory(sizeof *txn);
    txn->kv = kv;
    for (;;) {
        pthread_rwlock_rdlock(&kv->gate);
        int code = EIO;
        bool usable = kv->env != NULL;
        if (usable) code = mdb_txn_begin(kv->env, NULL, write ? 0 : MDB_RDONLY, &txn->txn);
        if (code == 0) return txn;
        pthread_rwlock_unlock(&kv->gate);
        if (!usable && revive(kv, err)) continue;
        if (usable && code == MDB_MAP_RESIZED) { /* Another process has grown it. */
            pthread_rwlock_wrlock(&kv->gate);
            code = kv->env ? mdb_env_set_mapsize(kv->env, 0) : EIO;
            pthread_rwlock_unlock(&kv->gate);
            if (code == 0) continue;
        }
        if (usable) kv_error(kv, code, err, write ? "begin to write" : "begin to read");
        free(txn);
        return NULL;
    }
}

static void txn_drop(struct kv_txn *txn)
{
    pthread_rwlock_unlock(&txn->kv->gate);
    free(txn);
}

struct kv_txn *kv_read_begin(struct kv *kv, struct error *err) { return txn_begin(kv, false, err); }

void kv_read_end(struct kv_txn *txn)
{
    if (!txn) return;
    mdb_txn_abort(txn->txn);
    txn_drop(txn);
}

static bool grow(struct kv *kv, struct error *err)
{
    pthread_rwlock_wrlock(&kv->gate);
    MDB_envinfo info;
    int code = kv->env ? mdb_env_info(kv->env, &info) : EIO;
    if (!code) code = mdb_env_set_mapsize(kv->env, info.me_mapsize * 2);
    pthread_rwlock_unlock(&kv->gate);
    return code == 0 || kv_error(kv, code, err, "grow");
}

/* After a failed commit LMDB may refuse everything: open again. Whether the transaction stands is for the next reader to
 * see. What can be read now need not be on the disk (a failed sync leaves its pages in memory), so it is a failure either way. */
static void reopen(struct kv *kv)
{
    struct error again;
    error_clear(&again);
    pthread_rwlock_wrlock(&kv->gate);
    if (kv->env) mdb_env_close(kv->env);
    kv->env = NULL;
    (void)kv_start(kv, &again);
    pthread_rwlock_unlock(&kv->gate);
}

enum attempt { ATTEMPT_DONE, ATTEMPT_FULL, ATTEMPT_FAILED };

static enum attempt update_once(struct kv *kv, kv_update_fn fn, void *user, struct error *err)
{
    uintptr_t self = (uintptr_t)pthread_self();
    invariant(atomic_load(&kv->writer) != self); /* An update within an update would wait for itself for ever. */
    struct kv_txn *txn = txn_begin(kv, true, err);
    if (!txn) return ATTEMPT_FAILED;
    atomic_store(&kv->writer, self);
    bool ok = fn(txn, user, err);
    atomic_store(&kv->writer, 0);
    if (!ok) {
        enum attempt result = txn->full ? ATTEMPT_FULL : ATTEMPT_FAILED;
        mdb_txn_abort(txn->txn);
        txn_drop(txn);
        return result;
    }
    int code = mdb_txn_commit(txn->txn);
    txn_drop(txn);
    if (code == 0) {
        (void)fill_up(kv); /* Where that fails the transaction stands all the same, and the next opening tries again. */
        return ATTEMPT_DONE;
    }
    if (code == MDB_MAP_FULL) return ATTEMPT_FULL;
    kv_error(kv, code, err, "commit to");
    reopen(kv);
    return ATTEMPT_FAILED;
}

bool kv_update(struct kv *kv, kv_update_fn fn, void *user, struct error *err)
{
    for (;;) {
        switch (update_once(kv, fn, user, err)) {
        case ATTEMPT_DONE: return true;
        case ATTEMPT_FAILED: return false;
        case ATTEMPT_FULL:
            error_clear(err);
            if (!grow(kv, err)) return false;
        }
    }
}

/* --- Rows --------------------------------------------------------------------------------------------- */

static MDB_val val_of(struct slice slice) { return (MDB_val){slice.size, (void *)(uintptr_t)slice.data}; }
static struct slice slice_of_val(MDB_val val) { return slice_of(val.mv_data, val.mv_size); }
static bool is_absent(const struct kv_txn *txn, unsigned table) { return table >= txn->kv->table_count; }

bool kv_get(struct kv_txn *txn, unsigned table, struct slice key, struct slice *value, bool *found, struct error *err)
{
    MDB_val k = val_of(key), v;
    int code = is_absent(txn, table) ? MDB_NOTFOUND : mdb_get(txn->txn, txn->kv->handles[table], &k, &v);
    *found = code == 0;
    *value = code == 0 ? slice_of_val(v) : (struct slice){NULL, 0};
    return code == 0 || code == MDB_NOTFOUND || kv_error(txn->kv, code, err, "read from");
}

bool kv_put(struct kv_txn *txn, unsigned table, struct slice key, struct slice value, enum kv_put_flags flags, struct error *err)
{
    MDB_val k = val_of(key), v = val_of(value);
    unsigned lmdb_flags = (flags & KV_PUT_NEW ? MDB_NOOVERWRITE : 0) | (flags & KV_PUT_APPEND ? MDB_APPEND : 0);
    int code = mdb_put(txn->txn, txn->kv->handles[table], &k, &v, lmdb_flags);
    if (code == 0) return true;
    if (code == MDB_MAP_FULL) txn->full = true;
    if (code == MDB_KEYEXIST) {
        return error_set(err, COND_INLET_CHECKPOINT_DAMAGED, "the table '%s' of the store '%s' already has a row that must be new",
                         txn->kv->tables[table], txn->kv->directory);
    }
    return kv_error(txn->kv, code, err, "write to");
}

bool kv_delete(struct kv_txn *txn, unsigned table, struct slice key, bool *found, struct error *err)
{
    MDB_val k = val_of(key);
    int code = mdb_del(txn->txn, txn->kv->handles[table], &k, NULL);
    if (found) *found = code == 0;
    if (code == MDB_MAP_FULL) txn->full = true;
    return code == 0 || code == MDB_NOTFOUND || kv_error(txn->kv, code, err, "delete from");
}

bool kv_clear(struct kv_txn *txn, unsigned table, struct error *err)
{
    int code = mdb_drop(txn->txn, txn->kv->handles[table], 0);
    if (code == MDB_MAP_FULL) txn->full = true;
    return code == 0 || kv_error(txn->kv, code, err, "empty a table of");
}

bool kv_count(struct kv_txn *txn, unsigned table, int64_t *rows, struct error *err)
{
    MDB_stat stat = {.ms_entries = 0};
    int code = is_absent(txn, table) ? 0 : mdb_stat(txn->txn, txn->kv->handles[table], &stat);
    *rows = code ? 0 : (int64_t)stat.ms_entries;
    return code == 0 || kv_error(txn->kv, code, err, "count in");
}

struct kv_cursor *kv_cursor_open(struct kv_txn *txn, unsigned table, struct error *err)
{
    struct kv_cursor *cursor = calloc(1, sizeof *cursor);
    if (!cursor) panic_out_of_memory(sizeof *cursor);
    cursor->txn = txn;
    if (is_absent(txn, table)) return cursor;
    int code = mdb_cursor_open(txn->txn, txn->kv->handles[table], &cursor->cursor);
    if (code == 0) return cursor;
    kv_error(txn->kv, code, err, "walk over");
    free(cursor);
    return NULL;
}

void kv_cursor_close(struct kv_cursor *cursor)
{
    if (!cursor) return;
    if (cursor->cursor) mdb_cursor_close(cursor->cursor);
    free(cursor);
}

static bool cursor_move(struct kv_cursor *cursor, MDB_val *key, MDB_cursor_op operation, struct kv_row *row, struct error *err)
{
    MDB_val value;
    int code = cursor->cursor ? mdb_cursor_get(cursor->cursor, key, &value, operation) : MDB_NOTFOUND;
    *row = (struct kv_row){.found = code == 0};
    if (code == 0) {
        row->key = slice_of_val(*key);
        row->value = slice_of_val(value);
        return true;
    }
    return code == MDB_NOTFOUND || kv_error(cursor->txn->kv, code, err, "walk over");
}

bool kv_seek(struct kv_cursor *cursor, struct slice key, struct kv_row *row, struct error *err)
{
    MDB_val k = val_of(key);
    return cursor_move(cursor, &k, MDB_SET_RANGE, row, err);
}

bool kv_seek_before(struct kv_cursor *cursor, struct slice key, struct kv_row *row, struct error *err)
{
    if (!kv_seek(cursor, key, row, err)) return false;
    return row->found ? kv_previous(cursor, row, err) : kv_last(cursor, row, err);
}

bool kv_seek_upto(struct kv_cursor *cursor, struct slice key, struct kv_row *row, struct error *err)
{
    if (!kv_seek(cursor, key, row, err)) return false;
    if (row->found && slice_equal(row->key, key)) return true;
    return row->found ? kv_previous(cursor, row, err) : kv_last(cursor, row, err);
}

bool kv_first(struct kv_cursor *cursor, struct kv_row *row, struct error *err)
{
    MDB_val key;
    return cursor_move(cursor, &key, MDB_FIRST, row, err);
}

bool kv_last(struct kv_cursor *cursor, struct kv_row *row, struct error *err)
{
    MDB_val key;
    return cursor_move(cursor, &key, MDB_LAST, row, err);
}

bool kv_next(struct kv_cursor *cursor, struct kv_row *row, struct error *err)
{
    MDB_val key;
    return cursor_move(cursor, &key, MDB_NEXT, row, err);
}

bool kv_previous(struct kv_cursor *cursor, struct kv_row *row, struct error *err)
{
    MDB_val key;
    return cursor_move(cursor, &key, MDB_PREV, row, err);
}
