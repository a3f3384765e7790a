/* ledger_runs -- files packed in order of their ordinals: about 20 bytes each instead of a row of their own.
 *
 * A run is one value of at most RUN_BYTES_MAX bytes, so that it stays inside a B-tree page:
 *
 *   [batch id, done runs only] then for each file:
 *   flags | ordinal - previous - 1 | [directory] | name: bytes shared with previous, rest | size | mtime - previous |
 *   [ctime - mtime] | [device] | inode - previous | admitted - previous | done runs: outcome
 *
 * The first file's previous is all zero, and its ordinal is that of the key. */
#include "base/panic.h"
#include "loader/ledger_inner.h"

#define RUN_BYTES_MAX 1850

enum entry_flags {
    ENTRY_SAME_DIRECTORY = 1,
    ENTRY_SAME_DEVICE = 2,
    ENTRY_CTIME_IS_MTIME = 4,
    ENTRY_PLAIN = 8,           /* Outcome: framed == rows, nothing bad, dropped or surplus. */
    ENTRY_ALL_BYTES = 16,      /* Outcome: bytes == size. */
    ENTRY_NOTE = 32,
    ENTRY_STATE_SHIFT = 6      /* Outcome: two bits of enum outcome_state. */
};

static unsigned entry_flags_of(enum table table, const struct run_file *file, const struct run_file *previous)
{
    unsigned flags = 0;
    if (file->directory_id == previous->directory_id) flags |= ENTRY_SAME_DIRECTORY;
    if (file->device == previous->device) flags |= ENTRY_SAME_DEVICE;
    if (file->ctime_us == file->mtime_us) flags |= ENTRY_CTIME_IS_MTIME;
    if (table != TABLE_DONE) return flags;
    const struct file_outcome *outcome = &file->outcome;
    if (outcome->records_framed == outcome->rows && !outcome->records_bad && !outcome->records_dropped && !outcome->records_surplus) {
        flags |= ENTRY_PLAIN;
    }
    if (outcome->bytes == file->size) flags |= ENTRY_ALL_BYTES;
    if (outcome->note) flags |= ENTRY_NOTE;
    return flags | (unsigned)outcome->state << ENTRY_STATE_SHIFT;
}

static void put_outcome(struct buffer *out, unsigned flags, const struct file_outcome *outcome)
{
    put_signed(out, outcome->rows);
    if (!(flags & ENTRY_PLAIN)) {
        put_signed(out, outcome->records_framed);
        put_signed(out, outcome->records_bad);
        put_signed(out, outcome->records_dropped);
        put_signed(out, outcome->records_surplus);
    }
    if (!(flags & ENTRY_ALL_BYTES)) put_signed(out, outcome->bytes);
    if (flags & ENTRY_NOTE) put_text(out, outcome->note);
}

static size_t shared_prefix(const char *a, const char *b)
{
    size_t size = 0;
    while (a[size] && a[size] == b[size]) size++;
    return size;
}

static void put_entry(struct buffer *out, enum table table, const struct run_file *file, const struct run_file *previous)
{
    unsigned flags = entry_flags_of(table, file, previous);
    buffer_byte(out, (uint8_t)flags);
    put_unsigned(out, (uint64_t)(file->ordinal - previous->ordinal - 1));
    if (!(flags & ENTRY_SAME_DIRECTORY)) put_unsigned(out, file->directory_id);
    size_t shared = shared_prefix(file->name, previous->name);
    put_unsigned(out, shared);
    put_bytes(out, slice_text(file->name + shared));
    put_signed(out, file->size);
    put_signed(out, (int64_t)((uint64_t)file->mtime_us - (uint64_t)previous->mtime_us));
    if (!(flags & ENTRY_CTIME_IS_MTIME)) put_signed(out, (int64_t)((uint64_t)file->ctime_us - (uint64_t)file->mtime_us));
    if (!(flags & ENTRY_SAME_DEVICE)) put_unsigned(out, file->device);
    put_signed(out, (int64_t)(file->inode - previous->inode));
    put_signed(out, file->admitted_us - previous->admitted_us);
    if (table == TABLE_DONE) put_outcome(out, flags, &file->outcome);
}

static void get_outcome(struct unpack *in, unsigned flags, struct run_file *file, uint32_t source_id, struct arena *arena)
{
    struct file_outcome *outcome = &file->outcome;
    *outcome = (struct file_outcome){.source_id = source_id, .ordinal = file->ordinal, .state = (enum outcome_state)(flags >> ENTRY_STATE_SHIFT)};
    outcome->rows = get_signed(in);
    outcome->records_framed = flags & ENTRY_PLAIN ? outcome->rows : get_signed(in);
    if (!(flags & ENTRY_PLAIN)) {
        outcome->records_bad = get_signed(in);
        outcome->records_dropped = get_signed(in);
        outcome->records_surplus = get_signed(in);
    }
    outcome->bytes = flags & ENTRY_ALL_BYTES ? file->size : get_signed(in);
    if (flags & ENTRY_NOTE) outcome->note = get_text(in, arena);
}

static const char *get_name(struct unpack *in, const char *previous, struct arena *arena)
{
    uint64_t shared = get_unsigned(in);
    struct slice rest = get_bytes(in);
    if (in->bad || shared > strlen(previous)) {
        in->bad = true;
        return "";
    }
    char *name = arena_alloc(arena, (size_t)shared + rest.size + 1);
    memcpy(name, previous, (size_t)shared);
    if (rest.size) memcpy(name + shared, rest.data, rest.size);
    return name;
}

#define SIZE_LIMIT ((int64_t)1 << 56) /* No file is larger, and no sum of sizes runs over. */

static void get_entry(struct unpack *in, enum table table, uint32_t source_id, const struct run_file *previous, struct arena *arena, struct run_file *file)
{
    unsigned flags = in->at < in->end ? *in->at++ : 0;
    file->ordinal = (int64_t)((uint64_t)previous->ordinal + 1 + get_unsigned(in));
    file->directory_id = flags & ENTRY_SAME_DIRECTORY ? previous->directory_id : (uint32_t)get_unsigned(in);
    file->name = get_name(in, previous->name, arena);
    file->size = get_signed(in);
    if (file->ordinal <= previous->ordinal || file->size < 0 || file->size > SIZE_LIMIT) in->bad = true;
    file->mtime_us = (int64_t)((uint64_t)previous->mtime_us + (uint64_t)get_signed(in));
    file->ctime_us = flags & ENTRY_CTIME_IS_MTIME ? file->mtime_us : (int64_t)((uint64_t)file->mtime_us + (uint64_t)get_signed(in));
    file->device = flags & ENTRY_SAME_DEVICE ? previous->device : get_unsigned(in);
    file->inode = previous->inode + (uint64_t)get_signed(in);
    file->admitted_us = (int64_t)((uint64_t)previous->admitted_us + (uint64_t)get_signed(in));
    if (table == TABLE_DONE) get_outcome(in, flags, file, source_id, arena);
}

bool runs_decode(enum table table, const struct kv_row *row, struct arena *arena, struct run *run, struct error *err)
{
    struct slice payload;
    if (!check_row(table, row->key, row->value, &payload, err)) return false;
    if (row->key.size != 10 || key_read(row->key, 2, 8) > INT64_MAX) return damaged(err, "a run of files of the ledger stands under a key that is none");
    struct unpack in = unpack_of(payload);
    run->source_id = (uint32_t)key_read(row->key, 0, 2);
    run->batch_id = table == TABLE_DONE ? (int64_t)get_unsigned(&in) : -1;
    run->files = ARENA_ARRAY(arena, struct run_file, payload.size / 8 + 1); /* An entry has at least 8 bytes. */
    run->count = 0;
    struct run_file zero = {.ordinal = (int64_t)key_read(row->key, 2, 8) - 1, .name = ""};
    const struct run_file *previous = &zero;
    while (in.at < in.end && !in.bad && run->count <= payload.size / 8) {
        get_entry(&in, table, run->source_id, previous, arena, &run->files[run->count]);
        previous = &run->files[run->count++];
    }
    if (!in.bad && run->count > 0) return true;
    return damaged(err, "a run of files of the ledger cannot be read");
}

/* --- Writing --------------------------------------------------------------------------------------------- */

/* Rows that sort last are appended, which fills pages instead of leaving them half empty. */
static bool put_run(struct change *change, struct kv_cursor *cursor, enum table table, const struct key *key, struct buffer *payload, struct error *err)
{
    struct kv_row last;
    if (!kv_last(cursor, &last, err)) return false;
    bool append = !last.found || memcmp(last.key.data, key->bytes, key->size < last.key.size ? key->size : last.key.size) < 0;
    return put_checked(change->txn, table, key, payload, append ? KV_PUT_APPEND : KV_PUT_NEW, err);
}

bool runs_write(struct change *change, enum table table, uint32_t source_id, int64_t batch_id, const struct run_file *files, size_t count,
                struct error *err)
{
    struct kv_cursor *cursor = kv_cursor_open(change->txn, table, err);
    if (!cursor) return false;
    struct buffer payload = {0};
    bool ok = true;
    for (size_t i = 0; i < count && ok;) {
        struct run_file zero = {.ordinal = files[i].ordinal - 1, .name = ""};
        const struct run_file *previous = &zero;
        struct key key = key_of_ordinal(source_id, files[i].ordinal);
        buffer_clear(&payload);
        if (table == TABLE_DONE) put_unsigned(&payload, (uint64_t)batch_id);
        for (size_t in_run = 0; i < count; i++, in_run++) {
            size_t size = payload.size;
            invariant(files[i].ordinal > previous->ordinal);
            if (files[i].ordinal != previous->ordinal + 1) break; /* Another run may stand in the gap. */
            put_entry(&payload, table, &files[i], previous);
            previous = &files[i];
            if (payload.size <= RUN_BYTES_MAX || in_run == 0) continue;
            payload.size = size;
            break;
        }
        ok = put_run(change, cursor, table, &key, &payload, err);
    }
    buffer_free(&payload);
    kv_cursor_close(cursor);
    return ok;
}

/* --- Finding --------------------------------------------------------------------------------------------- */

static bool is_of_source(const struct kv_row *row, uint32_t source_id)
{
    return row->found && row->key.size == 10 && key_read(row->key, 0, 2) == source_id;
}

bool runs_upto(struct kv_cursor *cursor, enum table table, uint32_t source_id, int64_t ordinal, struct arena *arena, struct run *run, bool *found,
               struct error *err)
{
    struct key key = key_of_ordinal(source_id, ordinal);
    struct kv_row row;
    if (!kv_seek_upto(cursor, key_slice(&key), &row, err)) return false;
    *found = is_of_source(&row, source_id);
    return !*found || runs_decode(table, &row, arena, run, err);
}

bool runs_from(struct kv_cursor *cursor, enum table table, uint32_t source_id, int64_t ordinal, struct arena *arena, struct run *run, bool *found,
               struct error *err)
{
    if (!runs_upto(cursor, table, source_id, ordinal, arena, run, found, err)) return false;
    if (*found && run->files[run->count - 1].ordinal >= ordinal) return true;
    struct key key = key_of_ordinal(source_id, ordinal);
    struct kv_row row;
    if (!kv_seek(cursor, key_slice(&key), &row, err)) return false;
    *found = is_of_source(&row, source_id);
    return !*found || runs_decode(table, &row, arena, run, err);
}

struct run_file *run_file_of(const struct run *run, int64_t ordinal)
{
    for (size_t i = 0; i < run->count; i++) {
        if (run->files[i].ordinal == ordinal) return &run->files[i];
    }
    return NULL;
}

bool runs_find(struct kv_txn *txn, enum table table, uint32_t source_id, int64_t ordinal, struct arena *arena, struct run *run,
               struct run_file **file, struct error *err)
{
    *file = NULL;
    struct kv_cursor *cursor = kv_cursor_open(txn, table, err);
    if (!cursor) return false;
    bool found;
    bool ok = runs_upto(cursor, table, source_id, ordinal, arena, run, &found, err);
    kv_cursor_close(cursor);
    if (ok && found) *file = run_file_of(run, ordinal);
    return ok;
}

/* Rewrites one run without the ordinals [start, end). */
static bool run_cut(struct change *change, const struct run *run, int64_t start, int64_t end, int64_t *files, int64_t *bytes, struct error *err)
{
    struct key key = key_of_ordinal(run->source_id, run->files[0].ordinal);
    bool found;
    if (!kv_delete(change->txn, TABLE_PENDING, key_slice(&key), &found, err)) return false;
    invariant(found);
    size_t before = 0, after = run->count;
    while (before < run->count && run->files[before].ordinal < start) before++;
    while (after > before && run->files[after - 1].ordinal >= end) after--;
    for (size_t i = before; i < after; i++) {
        (*files)++;
        *bytes += run->files[i].size;
    }
    if (before > 0 && !runs_write(change, TABLE_PENDING, run->source_id, -1, run->files, before, err)) return false;
    if (after == run->count) return true;
    return runs_write(change, TABLE_PENDING, run->source_id, -1, run->files + after, run->count - after, err);
}

bool pending_remove(struct change *change, uint32_t source_id, int64_t start, int64_t end, int64_t *files, int64_t *bytes, struct error *err)
{
    struct arena *arena = arena_new("ledger runs");
    bool ok = true;
    for (int64_t at = start; ok && at < end;) {
        struct run run;
        bool found = false;
        arena_reset(arena);
        struct kv_cursor *cursor = kv_cursor_open(change->txn, TABLE_PENDING, err);
        ok = cursor && runs_from(cursor, TABLE_PENDING, source_id, at, arena, &run, &found, err);
        kv_cursor_close(cursor);
        if (!ok || !found || run.files[0].ordinal >= end) break;
        at = run.files[run.count - 1].ordinal + 1;
        ok = run_cut(change, &run, start, end, files, bytes, err);
    }
    arena_free(arena);
    return ok;
}
