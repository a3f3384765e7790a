/* ledger_verify -- reads the whole ledger and checks what must hold: checksums, L1, L5, counters.
 *
 * For `inlet fsck` and for tests; its time grows with the number of files, so it is on no other path. It holds one read
 * transaction, since the parts must be of one moment. */
#include "loader/ledger_inner.h"

struct verification {
    struct kv_txn *txn;
    struct arena *arena;
    struct ledger_state state;
    struct open_record open;
    int64_t files[FILE_STATE_COUNT];
    int64_t pending_bytes;
};

static bool verify_runs(struct verification *check, enum table table, struct error *err)
{
    struct kv_cursor *cursor = kv_cursor_open(check->txn, table, err);
    struct kv_row row = {.found = false};
    bool ok = cursor && kv_first(cursor, &row, err);
    uint32_t source_id = 0;
    int64_t last = -1;
    while (ok && row.found) {
        struct run run;
        arena_reset(check->arena);
        ok = runs_decode(table, &row, check->arena, &run, err);
        if (!ok) break;
        if (run.source_id != source_id) last = -1;
        source_id = run.source_id;
        if (run.files[0].ordinal <= last) ok = damaged(err, "two runs of source %u overlap at ordinal %lld", source_id, (long long)last); /* L1 */
        last = run.files[run.count - 1].ordinal;
        if (table == TABLE_DONE && run.batch_id > check->state.last_batch + (check->state.stage == BATCH_PREPARED)) {
            ok = damaged(err, "a run belongs to batch %lld, which has not been prepared", (long long)run.batch_id); /* L2 */
        }
        for (size_t i = 0; i < run.count && ok; i++) {
            enum file_state state = run.batch_id > check->state.last_batch ? FILE_PREPARED : FILE_COMMITTED;
            if (table == TABLE_PENDING) {
                bool planned = check->state.stage == BATCH_PLANNED && plan_holds(&check->open.plan, source_id, run.files[i].ordinal);
                state = planned ? FILE_PLANNED : FILE_PENDING;
                check->pending_bytes += run.files[i].size;
            }
            check->files[state]++;
        }
        ok = ok && kv_next(cursor, &row, err);
    }
    kv_cursor_close(cursor);
    return ok;
}

static bool verify_row(struct verification *check, const struct named_row *row, struct error *err)
{
    static const enum file_state states[] = {[ROW_FAILED] = FILE_FAILED, [ROW_SKIPPED] = FILE_SKIPPED, [ROW_VANISHED] = FILE_VANISHED};
    struct row decoded;
    if (!row_decode(row->payload, check->arena, &decoded, err)) return false;
    if (decoded.kind > ROW_ADMITTED_AT) {
        check->files[states[decoded.kind]]++;
        return true;
    }
    struct run run;
    struct run_file *pending, *done;
    uint32_t source_id = (uint32_t)key_read(row->key, 0, 2);
    if (!runs_find(check->txn, TABLE_PENDING, source_id, decoded.ordinal, check->arena, &run, &pending, err)) return false;
    if (!runs_find(check->txn, TABLE_DONE, source_id, decoded.ordinal, check->arena, &run, &done, err)) return false;
    if (!pending == !done) return damaged(err, "the file of ordinal %lld is in %s", (long long)decoded.ordinal, done ? "two states" : "no state"); /* L1 */
    const struct run_file *file = done ? done : pending;
    if (slice_equal(slice_text(file->name), row->name)) return true;
    return damaged(err, "the row of ordinal %lld is that of another file than '%s'", (long long)decoded.ordinal, file->name);
}

static bool verify_rows(struct verification *check, struct error *err)
{
    struct named_cursor *walk = named_open(check->txn, TABLE_FILES, err);
    struct named_row row = {.found = false};
    bool ok = walk && named_seek(walk, slice_of(NULL, 0), &row, err);
    while (ok && row.found) {
        arena_reset(check->arena);
        ok = verify_row(check, &row, err) && named_next(walk, &row, err);
    }
    named_close(walk);
    return ok && kv_count(check->txn, TABLE_UNSETTLED, &check->files[FILE_UNSETTLED], err);
}

/* Each failed file has its note, save those of an older version before the first run of this one; no note stands alone. */
static bool verify_failed(const struct verification *check, struct error *err)
{
    int64_t notes;
    if (!failed_count(check->txn, &notes, err)) return false;
    return notes <= check->files[FILE_FAILED] || damaged(err, "the ledger has notes of %lld failed files, there are %lld", (long long)notes,
                                                         (long long)check->files[FILE_FAILED]);
}

static bool verify_batches(struct verification *check, struct error *err)
{
    int64_t rows;
    if (!kv_count(check->txn, TABLE_BATCHES, &rows, err)) return false;
    if (rows != check->state.last_batch + 1) { /* L5 */
        return damaged(err, "the ledger has the records of %lld batches, the last one is %lld", (long long)rows, (long long)check->state.last_batch);
    }
    for (int64_t id = 0; id < rows; id++) {
        struct batch_record record;
        bool found;
        arena_reset(check->arena);
        if (!batch_record_load(check->txn, id, check->arena, &record, &found, err)) return false;
        if (!found) return damaged(err, "the record of batch %lld is missing", (long long)id);
    }
    return true;
}

static bool verify_counts(const struct verification *check, struct error *err)
{
    for (int i = 0; i < FILE_STATE_COUNT; i++) {
        if (check->files[i] == check->state.counts.files[i]) continue;
        return damaged(err, "the ledger counts %lld files as %s, there are %lld", (long long)check->state.counts.files[i],
                       file_state_name((enum file_state)i), (long long)check->files[i]);
    }
    if (check->pending_bytes == check->state.counts.pending_bytes) return true;
    return damaged(err, "the ledger counts %lld pending bytes, there are %lld", (long long)check->state.counts.pending_bytes, (long long)check->pending_bytes);
}

static const enum table checked_tables[] = {TABLE_STATE,    TABLE_SETTINGS, TABLE_SOURCES, TABLE_DIRECTORIES, TABLE_DIRECTORY_NAMES, TABLE_UNSETTLED,
                                            TABLE_MARKS,    TABLE_OPEN,    TABLE_CLEANED,     TABLE_RETRIES,         TABLE_PROGRESS};

static bool verify_checksums(struct verification *check, enum table table, struct error *err)
{
    struct kv_cursor *cursor = kv_cursor_open(check->txn, table, err);
    struct kv_row row = {.found = false};
    struct slice payload;
    bool ok = cursor && kv_first(cursor, &row, err);
    while (ok && row.found) ok = check_row(table, row.key, row.value, &payload, err) && kv_next(cursor, &row, err);
    kv_cursor_close(cursor);
    return ok;
}

static bool verify_all(struct verification *check, struct arena *lasting, struct error *err)
{
    if (!state_load(check->txn, &check->state, err) || !open_record_load(check->txn, &check->state, lasting, &check->open, err)) return false;
    for (size_t i = 0; i < COUNTOF(checked_tables); i++) {
        if (!verify_checksums(check, checked_tables[i], err)) return false;
    }
    if (!verify_runs(check, TABLE_PENDING, err) || !verify_runs(check, TABLE_DONE, err)) return false;
    return verify_rows(check, err) && verify_failed(check, err) && verify_batches(check, err) && verify_counts(check, err);
}

bool ledger_verify(struct ledger *ledger, struct error *err)
{
    struct verification check = {.txn = kv_read_begin(ledger->kv, err)};
    if (!check.txn) return false;
    struct arena *lasting = arena_new("ledger verify");
    check.arena = arena_new("ledger verify");
    bool ok = verify_all(&check, lasting, err);
    arena_free(check.arena);
    arena_free(lasting);
    kv_read_end(check.txn);
    return ok || error_context(err, "verifying the ledger of '%s'", ledger->checkpoint);
}
