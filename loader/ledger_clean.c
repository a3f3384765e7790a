/* ledger_clean -- how far the cleaner has come, and what it did otherwise than by rule.
 *
 * Batches are cleaned in order, so one position (batch, source, ordinal) says which files are done with. Only what the rule of
 * the batch cannot tell (another target, left alone, to be tried again) costs a row. L2: only committed batches are reached. */
#include "base/panic.h"
#include "loader/ledger_inner.h"

/* --- Rows -------------------------------------------------------------------------------------------------- */

bool cleaned_decode(struct slice payload, struct arena *arena, struct cleaned_row *row, struct error *err)
{
    struct unpack in = unpack_of(payload);
    *row = (struct cleaned_row){.result = (enum clean_result)get_unsigned(&in)};
    row->when_us = get_signed(&in);
    row->target = get_text(&in, arena);
    row->reason = get_text(&in, arena);
    return !in.bad || damaged(err, "a cleaned file's row of the ledger cannot be read");
}

bool cleaned_get(struct kv_txn *txn, uint32_t source_id, int64_t ordinal, struct arena *arena, struct cleaned_row *row, bool *found, struct error *err)
{
    struct key key = key_of_ordinal(source_id, ordinal);
    struct slice payload;
    if (!get_checked(txn, TABLE_CLEANED, &key, &payload, found, err)) return false;
    return !*found || cleaned_decode(payload, arena, row, err);
}

static bool cleaned_put(struct change *change, uint32_t source_id, int64_t ordinal, const struct cleaned_file *result, struct error *err)
{
    struct key key = key_of_ordinal(source_id, ordinal);
    struct buffer out = {0};
    put_unsigned(&out, result->result);
    put_signed(&out, change->now_us);
    put_text(&out, result->target);
    put_text(&out, result->reason);
    bool ok = put_checked(change->txn, TABLE_CLEANED, &key, &out, KV_PUT_ANY, err);
    buffer_clear(&out);
    if (ok && result->result == CLEAN_RETRY) ok = put_checked(change->txn, TABLE_RETRIES, &key, &out, KV_PUT_ANY, err);
    buffer_free(&out);
    return ok;
}

const char *clean_target_of(const struct batch_record *record, const char *directory, const char *name, struct arena *arena)
{
    if (!record->archive_base) return NULL;
    const char *slash = strcmp(directory, "/") == 0 ? "" : "/";
    const char *path = arena_printf(arena, "%s%s%s", directory, slash, name);
    if (!record->path_base) return arena_printf(arena, "%s%s", record->archive_base, path);
    size_t size = strlen(record->path_base);
    bool below = strncmp(path, record->path_base, size) == 0 && path[size] == '/';
    return arena_printf(arena, "%s/%s", record->archive_base, below ? path + size + 1 : name);
}

/* --- The files of a batch from a position on ----------------------------------------------------------------- */

struct batch_walk {
    struct arena *arena;       /* Of the results. */
    struct directory_cache directories;
    uint32_t source_id;        /* Position. */
    int64_t ordinal;
    struct ledger_input *files;
    size_t count, capacity;
};

static bool batch_walk_run(struct batch_walk *walk, struct kv_txn *txn, const struct run *run, int64_t from, int64_t end, struct error *err)
{
    for (size_t i = 0; i < run->count && walk->count < walk->capacity; i++) {
        const struct run_file *file = &run->files[i];
        if (file->ordinal < from || file->ordinal >= end) continue;
        const char *directory;
        if (!directory_cached(&walk->directories, txn, file->directory_id, &directory, err)) return false;
        struct ledger_input *input = &walk->files[walk->count++];
        *input = input_of(run->source_id, file, directory);
        input->name = arena_strdup(walk->arena, file->name);
    }
    return true;
}

static bool walk_batch(struct batch_walk *walk, struct kv_txn *txn, const struct ledger_batch *batch, struct error *err)
{
    struct kv_cursor *cursor = kv_cursor_open(txn, TABLE_DONE, err);
    if (!cursor) return false;
    struct arena *scratch = arena_new("ledger cleaning");
    bool ok = true;
    for (size_t i = 0; i < batch->range_count && ok; i++) {
        const struct source_range *range = &batch->ranges[i];
        int64_t at = range->start;
        if (range->source_id < walk->source_id) continue;
        if (range->source_id == walk->source_id && at < walk->ordinal) at = walk->ordinal;
        while (ok && at < range->end && walk->count < walk->capacity) {
            struct run run;
            bool found;
            arena_reset(scratch);
            ok = runs_from(cursor, TABLE_DONE, range->source_id, at, scratch, &run, &found, err);
            if (!ok || !found) break;
            ok = batch_walk_run(walk, txn, &run, at, range->end, err);
            at = run.files[run.count - 1].ordinal + 1;
        }
    }
    arena_free(scratch);
    kv_cursor_close(cursor);
    return ok;
}

static bool next_files(struct kv_txn *txn, const struct ledger_state *state, const struct batch_record *record, size_t count_max, struct arena *arena,
                       struct batch_walk *walk, struct error *err)
{
    if (count_max > (size_t)record->batch.files) count_max = (size_t)record->batch.files;
    *walk = (struct batch_walk){.arena = arena, .directories = {.arena = arena}, .source_id = state->cleaning_source,
                                .ordinal = state->cleaning_ordinal, .capacity = count_max};
    walk->files = ARENA_ARRAY(arena, struct ledger_input, count_max + 1);
    return walk_batch(walk, txn, &record->batch, err);
}

bool ledger_cleaning(struct ledger *ledger, size_t count_max, struct arena *arena, struct cleaning *out, struct error *err)
{
    *out = (struct cleaning){.found = false};
    ledger->cleaning_off = false;
    struct kv_txn *txn = kv_read_begin(ledger->kv, err);
    if (!txn) return false;
    struct ledger_state state;
    struct batch_record record;
    struct batch_walk walk;
    bool ok = state_load(txn, &state, err);
    bool due = ok && state.cleaning_batch <= state.last_batch;
    if (due) ok = batch_record_load(txn, state.cleaning_batch, arena, &record, &out->found, err);
    if (ok && due && !out->found) ok = damaged(err, "the record of batch %lld is missing", (long long)state.cleaning_batch);
    if (ok && due) ok = next_files(txn, &state, &record, count_max, arena, &walk, err);
    kv_read_end(txn);
    if (!ok || !due) return ok;
    out->batch_id = record.batch.batch_id;
    out->commit_us = record.batch.committed_us;
    out->index = (size_t)record.batch.cleaned_files;
    out->files = walk.files;
    out->file_count = walk.count;
    return true;
}

/* --- Results ------------------------------------------------------------------------------------------------- */

struct cleaned_job {
    int64_t batch_id;
    const struct cleaned_file *results;
    size_t count;
    bool last;
    const char *archive_base, *path_base;
};

static bool same_text(const char *a, const char *b) { return a == b || (a && b && strcmp(a, b) == 0); }

/* Does the batch's rule tell all there is to say of this result? */
static bool is_by_rule(const struct batch_record *record, const struct cleaned_job *job, const struct ledger_input *file,
                       const struct cleaned_file *result, struct arena *arena)
{
    if (result->result != CLEAN_DONE) return false;
    if (!same_text(record->archive_base, job->archive_base) || !same_text(record->path_base, job->path_base)) return false;
    return same_text(result->target, clean_target_of(record, file->directory, file->name, arena));
}

static bool write_results(struct change *change, const struct cleaned_job *job, struct batch_record *record, const struct batch_walk *walk, struct error *err)
{
    for (size_t i = 0; i < job->count; i++) {
        const struct ledger_input *file = &walk->files[i];
        if (job->results[i].result == CLEAN_DONE) change->state.counts.cleaned++;
        if (is_by_rule(record, job, file, &job->results[i], change->scratch)) continue;
        if (!cleaned_put(change, file->source_id, file->ordinal, &job->results[i], err)) return false;
    }
    return true;
}

static void move_position(struct change *change, const struct cleaned_job *job, struct batch_record *record, const struct batch_walk *walk)
{
    struct ledger_state *state = &change->state;
    if (job->count) {
        state->cleaning_source = walk->files[job->count - 1].source_id;
        state->cleaning_ordinal = walk->files[job->count - 1].ordinal + 1;
    }
    record->clean_source = state->cleaning_source;
    record->clean_ordinal = state->cleaning_ordinal;
    record->clean_all = job->last;
    record->batch.cleaned_files += (int64_t)job->count;
    record->batch.cleaned_us = change->now_us;
    if (!job->last) return;
    state->cleaning_batch++;
    state->cleaning_source = 0;
    state->cleaning_ordinal = 0;
}

static bool cleaned_body(struct change *change, void *user, struct error *err)
{
    const struct cleaned_job *job = user;
    struct ledger_state *state = &change->state;
    struct batch_record record;
    bool found;
    invariant(job->batch_id == state->cleaning_batch && job->batch_id <= state->last_batch); /* L2: commit before cleaning. */
    if (!batch_record_load(change->txn, job->batch_id, change->scratch, &record, &found, err)) return false;
    if (!found) return damaged(err, "the record of batch %lld is missing", (long long)job->batch_id);
    if (record.batch.cleaned_us == 0) { /* The first results set the batch's rule. */
        record.archive_base = job->archive_base;
        record.path_base = job->path_base;
    }
    struct batch_walk walk;
    if (!next_files(change->txn, state, &record, job->count, change->scratch, &walk, err)) return false;
    invariant(walk.count == job->count);
    if (!write_results(change, job, &record, &walk, err)) return false;
    move_position(change, job, &record, &walk);
    return batch_record_store(change, &record, err);
}

bool ledger_cleaned(struct ledger *ledger, int64_t batch_id, const struct cleaned_file *results, size_t count, bool last,
                    const char *archive_base, const char *path_base, struct error *err)
{
    struct cleaned_job job = {batch_id, results, count, last, archive_base, path_base};
    return ledger_change(ledger, cleaned_body, &job, err);
}

static bool skip_body(struct change *change, void *user, struct error *err)
{
    (void)user;
    (void)err;
    change->state.cleaning_batch = change->state.last_batch + 1;
    change->state.cleaning_source = 0;
    change->state.cleaning_ordinal = 0;
    return true;
}

bool ledger_cleaning_skip(struct ledger *ledger, struct error *err)
{
    ledger->cleaning_off = true;
    struct kv_txn *txn = kv_read_begin(ledger->kv, err);
    if (!txn) return false;
    struct ledger_state state;
    bool ok = state_load(txn, &state, err);
    kv_read_end(txn);
    if (!ok || state.cleaning_batch > state.last_batch) return ok;
    return ledger_change(ledger, skip_body, NULL, err);
}

/* --- Retries -------------------------------------------------------------------------------------------------- */

/* *run: the last one that was read; neighbours share it. */
static bool retry_input(struct kv_txn *txn, struct slice key, struct batch_walk *walk, struct run *run, struct error *err)
{
    uint32_t source_id = (uint32_t)key_read(key, 0, 2);
    int64_t ordinal = (int64_t)key_read(key, 2, 8);
    struct run_file *file = run->count && run->source_id == source_id ? run_file_of(run, ordinal) : NULL;
    if (!file && !runs_find(txn, TABLE_DONE, source_id, ordinal, walk->arena, run, &file, err)) return false;
    if (!file) return damaged(err, "a file to be cleaned again is not among the committed ones");
    const char *directory;
    if (!directory_cached(&walk->directories, txn, file->directory_id, &directory, err)) return false;
    walk->files[walk->count++] = input_of(source_id, file, directory);
    return true;
}

bool ledger_cleaning_retries(struct ledger *ledger, const struct ledger_input *after, size_t count_max, struct arena *arena,
                             struct ledger_input **files, size_t *count, struct error *err)
{
    *count = 0;
    *files = NULL;
    struct kv_txn *txn = kv_read_begin(ledger->kv, err);
    if (!txn) return false;
    int64_t rows = 0;
    bool ok = kv_count(txn, TABLE_RETRIES, &rows, err);
    struct batch_walk walk = {.arena = arena, .directories = {.arena = arena}, .capacity = (size_t)rows < count_max ? (size_t)rows : count_max};
    walk.files = ARENA_ARRAY(arena, struct ledger_input, walk.capacity + 1);
    struct kv_cursor *cursor = ok && rows ? kv_cursor_open(txn, TABLE_RETRIES, err) : NULL;
    struct kv_row row = {.found = false};
    struct run run = {.count = 0};
    struct key start = key_of_ordinal(after ? after->source_id : 0, after ? after->ordinal + 1 : 0);
    if (rows) ok = ok && cursor && kv_seek(cursor, key_slice(&start), &row, err);
    while (ok && row.found && walk.count < walk.capacity) {
        ok = retry_input(txn, row.key, &walk, &run, err) && kv_next(cursor, &row, err);
    }
    kv_cursor_close(cursor);
    kv_read_end(txn);
    *files = walk.files;
    *count = walk.count;
    return ok;
}

struct retry_job {
    uint32_t source_id;
    int64_t ordinal;
    const struct cleaned_file *result;
};

static bool retry_body(struct change *change, void *user, struct error *err)
{
    const struct retry_job *job = user;
    struct key key = key_of_ordinal(job->source_id, job->ordinal);
    bool found;
    if (!kv_delete(change->txn, TABLE_RETRIES, key_slice(&key), &found, err)) return false;
    invariant(found);
    if (job->result->result == CLEAN_DONE) change->state.counts.cleaned++;
    return cleaned_put(change, job->source_id, job->ordinal, job->result, err);
}

bool ledger_cleaned_retry(struct ledger *ledger, uint32_t source_id, int64_t ordinal, const struct cleaned_file *result, struct error *err)
{
    return ledger_change(ledger, retry_body, &(struct retry_job){source_id, ordinal, result}, err);
}
