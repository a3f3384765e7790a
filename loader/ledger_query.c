/* ledger_query -- what the ledger answers: one file, all files, batches, counts, progress.
 *
 * States are derived: a row gives the ordinal, the run that holds the ordinal gives the rest. Every page of an
 * answer is its own short read transaction; between pages the walk remembers the last key. */
#include "base/panic.h"
#include "loader/ledger_inner.h"

#include <stdlib.h>
#include <time.h>

#define PAGE_ROWS 1000
#define PAGE_MS 100
#define PROGRESS_KEPT 100

const char *file_state_name(enum file_state state)
{
    static const char *const names[FILE_STATE_COUNT] = {"unknown", "unsettled", "pending", "planned", "prepared", "committed", "failed", "skipped", "vanished"};
    invariant(state < FILE_STATE_COUNT);
    return names[state];
}

/* --- One file ------------------------------------------------------------------------------------------------ */

/* What answers of one transaction have in common. */
struct question {
    struct kv_txn *txn;
    struct arena *arena;       /* Of the answers. */
    struct ledger_state state;
    struct open_record open;
    struct directory_cache directories;
    struct batch_record batch; /* The last one looked at. */
    bool has_batch;
};

static bool question_begin(struct question *question, struct kv_txn *txn, struct arena *arena, struct error *err)
{
    *question = (struct question){.txn = txn, .arena = arena, .directories = {.arena = arena}};
    return state_load(txn, &question->state, err) && open_record_load(txn, &question->state, arena, &question->open, err);
}

static bool load_batch(struct question *question, int64_t batch_id, struct error *err)
{
    if (question->has_batch && question->batch.batch.batch_id == batch_id) return true;
    question->has_batch = false;
    if (!batch_record_load(question->txn, batch_id, question->arena, &question->batch, &question->has_batch, err)) return false;
    return question->has_batch || damaged(err, "the record of batch %lld is missing", (long long)batch_id);
}

static bool is_cleaned_by_rule(const struct batch_record *record, uint32_t source_id, int64_t ordinal)
{
    if (record->batch.cleaned_us == 0) return false;
    if (record->clean_all) return true;
    return source_id < record->clean_source || (source_id == record->clean_source && ordinal < record->clean_ordinal);
}

static bool fill_cleaning(struct question *question, struct ledger_file *out, struct error *err)
{
    struct cleaned_row row;
    bool found;
    if (!cleaned_get(question->txn, out->source_id, out->ordinal, question->arena, &row, &found, err)) return false;
    if (found) {
        out->clean_result = row.result;
        out->clean_us = row.when_us;
        out->clean_target = row.target;
        out->clean_reason = row.reason;
    } else if (is_cleaned_by_rule(&question->batch, out->source_id, out->ordinal)) {
        out->clean_result = CLEAN_DONE;
        out->clean_us = question->batch.batch.cleaned_us;
        out->clean_target = clean_target_of(&question->batch, out->directory, out->name, question->arena);
    }
    out->cleaned = out->clean_us != 0 && out->clean_result == CLEAN_DONE;
    return true;
}

/* A file that a batch has finished. out->directory and name are set. */
static bool fill_done(struct question *question, const struct run_file *file, int64_t batch_id, struct ledger_file *out, struct error *err)
{
    const struct file_outcome *outcome = &file->outcome;
    out->batch_id = batch_id;
    out->ordinal = file->ordinal;
    out->size = file->size;
    out->mtime_us = file->mtime_us;
    out->seen_us = file->admitted_us;
    out->outcome = outcome->state;
    out->rows = outcome->rows;
    out->records_framed = outcome->records_framed;
    out->records_bad = outcome->records_bad;
    out->records_dropped = outcome->records_dropped;
    out->records_surplus = outcome->records_surplus;
    out->bytes = outcome->bytes;
    out->reason = outcome->note;
    if (batch_id > question->state.last_batch) {
        out->state = FILE_PREPARED;
        out->planned_us = question->open.planned_us;
        return true;
    }
    out->state = FILE_COMMITTED;
    if (!load_batch(question, batch_id, err)) return false;
    out->planned_us = question->batch.batch.planned_us;
    out->committed_us = question->batch.batch.committed_us;
    return fill_cleaning(question, out, err);
}

static void fill_pending(struct question *question, const struct run_file *file, struct ledger_file *out)
{
    out->ordinal = file->ordinal;
    out->size = file->size;
    out->mtime_us = file->mtime_us;
    out->seen_us = file->admitted_us;
    out->state = FILE_PENDING;
    if (question->open.stage != BATCH_PLANNED || !plan_holds(&question->open.plan, out->source_id, file->ordinal)) return;
    out->state = FILE_PLANNED;
    out->batch_id = question->open.plan.batch_id;
    out->planned_us = question->open.planned_us;
}

static bool fill_admitted(struct question *question, const struct row *row, const char *name, struct ledger_file *out, struct error *err)
{
    struct run run;
    struct run_file *file;
    enum table table = TABLE_DONE;
    if (!runs_find(question->txn, TABLE_DONE, out->source_id, row->ordinal, question->arena, &run, &file, err)) return false;
    if (!file) {
        table = TABLE_PENDING;
        if (!runs_find(question->txn, TABLE_PENDING, out->source_id, row->ordinal, question->arena, &run, &file, err)) return false;
    }
    if (!file || strcmp(file->name, name) != 0) return damaged(err, "the file '%s' has a row but stands in no batch and is not pending", name);
    if (!directory_cached(&question->directories, question->txn, file->directory_id, &out->directory, err)) return false;
    if (table == TABLE_DONE) return fill_done(question, file, run.batch_id, out, err);
    fill_pending(question, file, out);
    return true;
}

static void fill_exception(const struct row *row, struct ledger_file *out)
{
    static const enum file_state states[] = {[ROW_FAILED] = FILE_FAILED, [ROW_SKIPPED] = FILE_SKIPPED, [ROW_VANISHED] = FILE_VANISHED};
    out->state = states[row->kind];
    out->ordinal = row->ordinal;
    out->size = row->size;
    out->mtime_us = row->mtime_us;
    out->seen_us = row->seen_us;
    out->changed_us = row->since_us;
    out->reason = row->reason;
}

static struct ledger_file blank_file(uint32_t source_id, const char *directory, const char *name)
{
    return (struct ledger_file){.source_id = source_id, .directory = directory, .name = name, .state = FILE_UNKNOWN, .ordinal = -1, .batch_id = -1,
                                .size = -1, .mtime_us = -1};
}

static bool fill_row(struct question *question, const struct row *row, const char *name, struct ledger_file *out, struct error *err)
{
    if (row->kind <= ROW_ADMITTED_AT) return fill_admitted(question, row, name, out, err);
    fill_exception(row, out);
    return true;
}

static bool fill_unsettled(struct question *question, struct slice payload, struct ledger_file *out, struct error *err)
{
    struct unsettled_row row;
    if (!unsettled_decode(payload, question->arena, &row, err)) return false;
    out->state = FILE_UNSETTLED;
    out->size = row.size;
    out->mtime_us = row.mtime_us;
    out->seen_us = row.first_seen_us;
    out->reason = row.reason;
    return true;
}

static bool find_in(struct question *question, const struct ledger_source *source, struct ledger_file *out, struct error *err)
{
    uint32_t id;
    if (strlen(out->name) > NAME_SIZE_MAX) return true;
    if (!directory_find(question->txn, source->id, out->directory, &id, err)) return false;
    struct key key = key_of_file(source->id, id, out->name);
    struct slice payload;
    bool found;
    if (id != DIRECTORY_NONE) {
        if (!get_checked(question->txn, TABLE_UNSETTLED, &key, &payload, &found, err)) return false;
        if (found) return fill_unsettled(question, payload, out, err);
    }
    if (source->identity == IDENTITY_NAME) key = key_of_file(source->id, DIRECTORY_NONE, out->name);
    else if (id == DIRECTORY_NONE) return true;
    struct row row;
    if (!row_get(question->txn, &key, question->arena, &row, &found, err)) return false;
    return !found || fill_row(question, &row, out->name, out, err);
}

bool ledger_find(struct ledger *ledger, const struct ledger_source *source, const char *directory, const char *name, struct arena *arena,
                 struct ledger_file *out, struct error *err)
{
    *out = blank_file(source->id, arena_strdup(arena, directory), arena_strdup(arena, name));
    struct kv_txn *txn = kv_read_begin(ledger->kv, err);
    if (!txn) return false;
    struct question question;
    bool ok = question_begin(&question, txn, arena, err) && find_in(&question, source, out, err);
    kv_read_end(txn);
    return ok;
}

/* --- All files -------------------------------------------------------------------------------------------------- */

/* Unsettled files first, then rows; or, with a batch, the batch's own files. */
enum scan_phase { SCAN_UNSETTLED, SCAN_FILES, SCAN_BATCH, SCAN_OVER };

struct ledger_scan {
    struct ledger *ledger;
    struct ledger_filter filter;
    char *prefix;
    struct arena *arena;       /* Of the page. */
    enum scan_phase phase;
    struct key after;          /* Last key of the page before; size 0: from the start. */
    uint32_t source_id;        /* SCAN_BATCH: position. */
    int64_t ordinal;
    struct ledger_file files[PAGE_ROWS];
    size_t count, next;
    int64_t page_end_ms;
};

struct ledger_scan *ledger_scan_new(struct ledger *ledger, const struct ledger_filter *filter)
{
    struct ledger_scan *scan = calloc(1, sizeof *scan);
    if (!scan) panic_out_of_memory(sizeof *scan);
    scan->ledger = ledger;
    scan->filter = *filter;
    scan->prefix = filter->prefix ? strdup(filter->prefix) : NULL;
    scan->arena = arena_new("ledger scan");
    scan->phase = filter->batch_id >= 0 ? SCAN_BATCH : SCAN_UNSETTLED;
    return scan;
}

void ledger_scan_free(struct ledger_scan *scan)
{
    if (!scan) return;
    arena_free(scan->arena);
    free(scan->prefix);
    free(scan);
}

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static bool page_is_full(const struct ledger_scan *scan) { return scan->count == PAGE_ROWS || now_ms() >= scan->page_end_ms; }

static bool has_prefix(const struct ledger_scan *scan, const struct ledger_file *file)
{
    if (!scan->prefix) return true;
    size_t size = strlen(scan->prefix), directory_size = strlen(file->directory);
    if (size <= directory_size) return strncmp(file->directory, scan->prefix, size) == 0;
    if (strncmp(file->directory, scan->prefix, directory_size) != 0) return false;
    const char *rest = scan->prefix + directory_size;
    if (directory_size == 1 && file->directory[0] == '/') rest--; /* The root ends in its slash. */
    return rest[0] == '/' && strncmp(file->name, rest + 1, strlen(rest + 1)) == 0;
}

static void keep(struct ledger_scan *scan, const struct ledger_file *file)
{
    if (scan->filter.states && !(scan->filter.states & 1u << file->state)) return;
    if (has_prefix(scan, file)) scan->files[scan->count++] = *file;
}

static bool scan_row(struct ledger_scan *scan, struct question *question, enum table table, const struct named_row *row, struct error *err)
{
    uint32_t source_id = (uint32_t)key_read(row->key, 0, 2), directory_id = (uint32_t)key_read(row->key, 2, 4);
    const char *directory = "";
    if (directory_id != DIRECTORY_NONE && !directory_cached(&question->directories, question->txn, directory_id, &directory, err)) return false;
    struct ledger_file file = blank_file(source_id, directory, arena_strndup(scan->arena, (const char *)row->name.data, row->name.size));
    if (table == TABLE_UNSETTLED) {
        if (!fill_unsettled(question, row->payload, &file, err)) return false;
    } else {
        struct row decoded;
        if (!row_decode(row->payload, scan->arena, &decoded, err) || !fill_row(question, &decoded, file.name, &file, err)) return false;
    }
    keep(scan, &file);
    return true;
}

static bool scan_table(struct ledger_scan *scan, struct question *question, enum table table, struct error *err)
{
    struct named_cursor *walk = named_open(question->txn, table, err);
    if (!walk) return false;
    struct named_row row;
    bool ok = named_seek(walk, key_slice(&scan->after), &row, err);
    if (ok && row.found && slice_equal(row.key, key_slice(&scan->after))) ok = named_next(walk, &row, err);
    size_t looked_at = 0;
    while (ok && row.found && !page_is_full(scan) && looked_at < 10 * PAGE_ROWS) {
        ok = scan_row(scan, question, table, &row, err);
        memcpy(scan->after.bytes, row.key.data, scan->after.size = row.key.size);
        looked_at++;
        ok = ok && named_next(walk, &row, err);
    }
    named_close(walk);
    if (!ok || row.found) return ok;
    scan->after.size = 0;
    scan->phase++;
    if (scan->phase == SCAN_BATCH) scan->phase = SCAN_OVER;
    return true;
}

static bool scan_run(struct ledger_scan *scan, struct question *question, enum table table, const struct run *run, const struct source_range *range,
                     struct error *err)
{
    for (size_t i = 0; i < run->count && scan->count < PAGE_ROWS; i++) {
        const struct run_file *from = &run->files[i];
        if (from->ordinal < scan->ordinal || from->ordinal >= range->end) continue;
        struct ledger_file file = blank_file(run->source_id, "", from->name);
        if (!directory_cached(&question->directories, question->txn, from->directory_id, &file.directory, err)) return false;
        if (table == TABLE_PENDING) fill_pending(question, from, &file);
        else if (!fill_done(question, from, run->batch_id, &file, err)) return false;
        keep(scan, &file);
        scan->ordinal = from->ordinal + 1;
    }
    return true;
}

/* The files of one batch, run by run from the position on. */
static bool scan_ranges(struct ledger_scan *scan, struct question *question, enum table table, const struct source_range *ranges, size_t count,
                        struct error *err)
{
    struct kv_cursor *cursor = kv_cursor_open(question->txn, table, err);
    if (!cursor) return false;
    bool ok = true;
    for (size_t i = 0; i < count && ok && !page_is_full(scan); i++) {
        const struct source_range *range = &ranges[i];
        if (range->source_id < scan->source_id || (range->source_id == scan->source_id && range->end <= scan->ordinal)) continue;
        if (range->source_id > scan->source_id || scan->ordinal < range->start) scan->ordinal = range->start;
        scan->source_id = range->source_id;
        while (ok && scan->ordinal < range->end && !page_is_full(scan)) {
            struct run run;
            bool found;
            ok = runs_from(cursor, table, range->source_id, scan->ordinal, scan->arena, &run, &found, err);
            if (!ok || !found || run.files[0].ordinal >= range->end) {
                scan->ordinal = range->end;
                break;
            }
            ok = scan_run(scan, question, table, &run, range, err);
            if (scan->count < PAGE_ROWS && scan->ordinal <= run.files[run.count - 1].ordinal) scan->ordinal = run.files[run.count - 1].ordinal + 1;
        }
    }
    kv_cursor_close(cursor);
    if (ok && !page_is_full(scan)) scan->phase = SCAN_OVER;
    return ok;
}

static bool scan_batch(struct ledger_scan *scan, struct question *question, struct error *err)
{
    int64_t batch_id = scan->filter.batch_id;
    if (batch_id == question->state.last_batch + 1 && question->open.stage != BATCH_NONE) {
        const struct plan *plan = &question->open.plan;
        return scan_ranges(scan, question, question->open.stage == BATCH_PLANNED ? TABLE_PENDING : TABLE_DONE, plan->ranges, plan->range_count, err);
    }
    if (batch_id > question->state.last_batch) {
        scan->phase = SCAN_OVER;
        return true;
    }
    if (!load_batch(question, batch_id, err)) return false;
    return scan_ranges(scan, question, TABLE_DONE, question->batch.batch.ranges, question->batch.batch.range_count, err);
}

static bool scan_page(struct ledger_scan *scan, struct error *err)
{
    arena_reset(scan->arena);
    scan->count = scan->next = 0;
    scan->page_end_ms = now_ms() + PAGE_MS;
    struct kv_txn *txn = kv_read_begin(scan->ledger->kv, err);
    if (!txn) return false;
    struct question question;
    bool ok = question_begin(&question, txn, scan->arena, err);
    if (ok && scan->phase == SCAN_BATCH) ok = scan_batch(scan, &question, err);
    else if (ok) ok = scan_table(scan, &question, scan->phase == SCAN_UNSETTLED ? TABLE_UNSETTLED : TABLE_FILES, err);
    kv_read_end(txn);
    return ok;
}

bool ledger_scan_next(struct ledger_scan *scan, const struct ledger_file **file, bool *end, struct error *err)
{
    *end = false;
    while (scan->next == scan->count) {
        if (scan->phase == SCAN_OVER) {
            *end = true;
            return true;
        }
        if (!scan_page(scan, err)) return false;
    }
    *file = &scan->files[scan->next++];
    return true;
}

/* --- Batches ------------------------------------------------------------------------------------------------------ */

static struct ledger_batch batch_of_open(const struct open_record *open)
{
    const struct plan *plan = &open->plan;
    return (struct ledger_batch){
        .batch_id = plan->batch_id, .stage = open->stage, .files = open->stage == BATCH_PREPARED ? open->files : open->planned_files, .rows = open->rows,
        .rows_out = open->rows_out, .records_bad = open->records_bad, .records_dropped = open->records_dropped, .bytes = open->bytes,
        .bytes_out = open->bytes_out, .planned_us = open->planned_us, .prepared_us = open->prepared_us, .batch_time_us = plan->batch_time_us,
        .watermark_late_us = plan->watermark_late_us, .watermark_evict_us = plan->watermark_evict_us, .state_version = open->state_version,
        .plan_digest = plan->plan_digest, .pipeline_digest = plan->pipeline_digest, .limits = plan->limits, .ranges = plan->ranges,
        .range_count = plan->range_count};
}

static bool batches_page(struct question *question, int64_t first, bool newest_first, size_t count_max, struct ledger_batch *batches, size_t *count,
                         struct error *err)
{
    int64_t newest = question->state.last_batch + (question->open.stage != BATCH_NONE);
    int64_t step = newest_first ? -1 : 1;
    if (first < 0 && newest_first) first = newest;
    if (first < 0) first = 0;
    if (newest_first && first > newest) first = newest;
    for (int64_t id = first; id >= 0 && id <= newest && *count < count_max; id += step) {
        if (id > question->state.last_batch) {
            batches[(*count)++] = batch_of_open(&question->open);
            continue;
        }
        struct batch_record record;
        bool found;
        if (!batch_record_load(question->txn, id, question->arena, &record, &found, err)) return false;
        if (!found) return damaged(err, "the record of batch %lld is missing", (long long)id); /* L5 */
        batches[(*count)++] = record.batch;
    }
    return true;
}

bool ledger_batches(struct ledger *ledger, int64_t first, bool newest_first, size_t count_max, struct arena *arena, struct ledger_batch **batches,
                    size_t *count, struct error *err)
{
    *count = 0;
    if (count_max > 10 * PAGE_ROWS) count_max = 10 * PAGE_ROWS;
    struct kv_txn *txn = kv_read_begin(ledger->kv, err);
    if (!txn) return false;
    struct question question;
    bool ok = question_begin(&question, txn, arena, err);
    if (ok && (int64_t)count_max > question.state.last_batch + 2) count_max = (size_t)(question.state.last_batch + 2);
    *batches = ARENA_ARRAY(arena, struct ledger_batch, count_max + 1);
    ok = ok && batches_page(&question, first, newest_first, count_max, *batches, count, err);
    kv_read_end(txn);
    return ok;
}

bool ledger_counts(struct ledger *ledger, struct ledger_counts *out, struct error *err)
{
    struct kv_txn *txn = kv_read_begin(ledger->kv, err);
    if (!txn) return false;
    struct ledger_state state;
    bool ok = state_load(txn, &state, err);
    kv_read_end(txn);
    if (ok) *out = state.counts;
    return ok;
}

/* --- Progress ------------------------------------------------------------------------------------------------------- */

bool progress_put(struct change *change, const char *json, struct error *err)
{
    int64_t number = change->state.next_progress++;
    struct buffer payload = {0};
    buffer_text(&payload, json);
    struct key key = key_of_number((uint64_t)number);
    bool ok = put_checked(change->txn, TABLE_PROGRESS, &key, &payload, KV_PUT_APPEND, err);
    buffer_free(&payload);
    if (!ok || number < PROGRESS_KEPT) return ok;
    key = key_of_number((uint64_t)(number - PROGRESS_KEPT));
    return kv_delete(change->txn, TABLE_PROGRESS, key_slice(&key), NULL, err);
}

bool ledger_progress_list(struct ledger *ledger, struct arena *arena, const char ***texts, size_t *count, struct error *err)
{
    *texts = ARENA_ARRAY(arena, const char *, PROGRESS_KEPT + 1);
    *count = 0;
    struct kv_txn *txn = kv_read_begin(ledger->kv, err);
    if (!txn) return false;
    struct kv_cursor *cursor = kv_cursor_open(txn, TABLE_PROGRESS, err);
    struct kv_row row = {.found = false};
    bool ok = cursor && kv_first(cursor, &row, err);
    while (ok && row.found && *count <= PROGRESS_KEPT) {
        struct slice payload;
        ok = check_row(TABLE_PROGRESS, row.key, row.value, &payload, err);
        if (ok) (*texts)[(*count)++] = arena_strndup(arena, (const char *)payload.data, payload.size);
        ok = ok && kv_next(cursor, &row, err);
    }
    kv_cursor_close(cursor);
    kv_read_end(txn);
    return ok;
}
