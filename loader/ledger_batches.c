/* ledger_batches -- the life of batch N in the ledger: take, plan, replan, prepare, commit.
 *
 *   none --ledger_plan--> planned --ledger_prepare--> prepared --ledger_commit--> none (committed)
 *                         planned --ledger_replan--> planned;  planned --ledger_unplan--> none
 *   none --ledger_plan_and_prepare--> prepared
 *
 * prepare moves the batch's files from pending runs to done runs; until then a crash leaves them where they were. */
#include "base/panic.h"
#include "loader/ledger_inner.h"

#include <stdlib.h>

/* --- Plans as bytes ----------------------------------------------------------------------------------------- */

static void put_ranges(struct buffer *out, const struct source_range *ranges, size_t count)
{
    put_unsigned(out, count);
    for (size_t i = 0; i < count; i++) {
        put_unsigned(out, ranges[i].source_id);
        put_signed(out, ranges[i].start);
        put_signed(out, ranges[i].end - ranges[i].start);
        put_unsigned(out, ranges[i].schema_version);
    }
}

static struct source_range *get_ranges(struct unpack *in, struct arena *arena, size_t *count)
{
    *count = get_count(in, 4);
    struct source_range *ranges = ARENA_ARRAY(arena, struct source_range, *count + 1);
    for (size_t i = 0; i < *count; i++) {
        ranges[i].source_id = (uint32_t)get_unsigned(in);
        ranges[i].start = get_signed(in);
        ranges[i].end = (int64_t)((uint64_t)ranges[i].start + (uint64_t)get_signed(in));
        ranges[i].schema_version = (uint32_t)get_unsigned(in);
        if (ranges[i].source_id > UINT16_MAX || ranges[i].start < 0 || ranges[i].end < ranges[i].start) in->bad = true;
    }
    return ranges;
}

static void put_tasks(struct buffer *out, const struct plan *plan)
{
    put_unsigned(out, plan->task_count);
    for (size_t i = 0; i < plan->task_count; i++) {
        const struct plan_task *task = &plan->tasks[i];
        put_unsigned(out, task->count);
        for (size_t j = 0; j < task->count; j++) {
            put_unsigned(out, task->pieces[j].file_index);
            put_signed(out, task->pieces[j].start);
            put_signed(out, task->pieces[j].end);
        }
    }
}

static void get_tasks(struct unpack *in, struct arena *arena, struct plan *plan)
{
    plan->task_count = get_count(in, 1);
    plan->tasks = ARENA_ARRAY(arena, struct plan_task, plan->task_count + 1);
    for (size_t i = 0; i < plan->task_count; i++) {
        struct plan_task *task = &plan->tasks[i];
        task->count = get_count(in, 3);
        task->pieces = ARENA_ARRAY(arena, struct plan_piece, task->count + 1);
        for (size_t j = 0; j < task->count; j++) {
            task->pieces[j].file_index = (uint32_t)get_unsigned(in);
            task->pieces[j].start = get_signed(in);
            task->pieces[j].end = get_signed(in);
        }
    }
}

static void put_plan(struct buffer *out, const struct open_record *open)
{
    const struct plan *plan = &open->plan;
    put_signed(out, plan->batch_id);
    put_signed(out, open->planned_us);
    put_signed(out, open->planned_files);
    put_ranges(out, plan->ranges, plan->range_count);
    put_unsigned(out, plan->removed_count);
    for (size_t i = 0; i < plan->removed_count; i++) {
        put_unsigned(out, plan->removed[i].source_id);
        put_signed(out, plan->removed[i].ordinal);
    }
    put_tasks(out, plan);
    put_signed(out, plan->batch_time_us);
    put_signed(out, plan->watermark_late_us);
    put_signed(out, plan->watermark_evict_us);
    put_text(out, plan->settings);
    put_text(out, plan->pipeline_digest);
    put_text(out, plan->plan_digest);
    put_text(out, plan->limits);
}

static void get_plan(struct unpack *in, struct arena *arena, struct open_record *open)
{
    struct plan *plan = &open->plan;
    plan->batch_id = get_signed(in);
    open->planned_us = get_signed(in);
    open->planned_files = get_signed(in);
    plan->ranges = get_ranges(in, arena, &plan->range_count);
    plan->removed_count = get_count(in, 2);
    plan->removed = ARENA_ARRAY(arena, struct source_ordinal, plan->removed_count + 1);
    for (size_t i = 0; i < plan->removed_count; i++) {
        plan->removed[i].source_id = (uint32_t)get_unsigned(in);
        plan->removed[i].ordinal = get_signed(in);
        if (plan->removed[i].source_id > UINT16_MAX) in->bad = true;
    }
    get_tasks(in, arena, plan);
    plan->batch_time_us = get_signed(in);
    plan->watermark_late_us = get_signed(in);
    plan->watermark_evict_us = get_signed(in);
    plan->settings = get_text(in, arena);
    plan->pipeline_digest = get_text(in, arena);
    plan->plan_digest = get_text(in, arena);
    plan->limits = get_text(in, arena);
}

static void get_prepared(struct unpack *in, struct arena *arena, struct open_record *open)
{
    struct slice manifest = get_bytes(in);
    open->manifest = slice_of(arena_strndup(arena, (const char *)manifest.data, manifest.size), manifest.size);
    open->state_version = get_unsigned(in);
    open->files = get_signed(in);
    open->rows = get_signed(in);
    open->rows_out = get_signed(in);
    open->records_bad = get_signed(in);
    open->records_dropped = get_signed(in);
    open->bytes = get_signed(in);
    open->bytes_out = get_signed(in);
    open->prepared_us = get_signed(in);
}

static void put_prepared(struct buffer *out, const struct open_record *open)
{
    put_bytes(out, open->manifest);
    put_unsigned(out, open->state_version);
    put_signed(out, open->files);
    put_signed(out, open->rows);
    put_signed(out, open->rows_out);
    put_signed(out, open->records_bad);
    put_signed(out, open->records_dropped);
    put_signed(out, open->bytes);
    put_signed(out, open->bytes_out);
    put_signed(out, open->prepared_us);
}

bool open_record_load(struct kv_txn *txn, const struct ledger_state *state, struct arena *arena, struct open_record *out, struct error *err)
{
    *out = (struct open_record){.stage = state->stage};
    if (state->stage == BATCH_NONE) return true;
    struct key key = key_of_text("plan");
    struct slice payload;
    bool found;
    if (!get_checked(txn, TABLE_OPEN, &key, &payload, &found, err)) return false;
    if (!found) return damaged(err, "the plan of the open batch is missing in the ledger");
    struct unpack in = unpack_of(payload);
    get_plan(&in, arena, out);
    if (!in.bad && state->stage == BATCH_PREPARED) {
        key = key_of_text("prepared");
        if (!get_checked(txn, TABLE_OPEN, &key, &payload, &found, err)) return false;
        if (!found) return damaged(err, "the manifest of the open batch is missing in the ledger");
        in = unpack_of(payload);
        get_prepared(&in, arena, out);
    }
    if (in.bad || out->plan.batch_id != state->last_batch + 1) return damaged(err, "the plan of the open batch cannot be read");
    return true;
}

static bool open_record_put(struct change *change, const char *name, const struct open_record *open, struct error *err)
{
    struct buffer payload = {0};
    if (strcmp(name, "plan") == 0) put_plan(&payload, open);
    else put_prepared(&payload, open);
    struct key key = key_of_text(name);
    bool ok = put_checked(change->txn, TABLE_OPEN, &key, &payload, KV_PUT_ANY, err);
    buffer_free(&payload);
    return ok;
}

bool plan_holds(const struct plan *plan, uint32_t source_id, int64_t ordinal)
{
    for (size_t i = 0; i < plan->range_count; i++) {
        const struct source_range *range = &plan->ranges[i];
        if (range->source_id == source_id && ordinal >= range->start && ordinal < range->end) return true;
    }
    return false;
}

/* --- Reading pending files ------------------------------------------------------------------------------------ */

struct ledger_input input_of(uint32_t source_id, const struct run_file *file, const char *directory)
{
    return (struct ledger_input){.source_id = source_id, .ordinal = file->ordinal, .directory = directory, .name = file->name, .size = file->size,
                                 .mtime_us = file->mtime_us, .ctime_us = file->ctime_us, .device = file->device, .inode = file->inode,
                                 .admitted_us = file->admitted_us};
}

struct input_list {
    struct ledger_input *items;
    size_t count, capacity;
    size_t expected;           /* 0: not known. Where it is, the list of a million files is not copied as it grows. */
    int64_t bytes;
};

static void list_add(struct input_list *list, struct arena *arena, const struct ledger_input *input)
{
    if (list->count == list->capacity) {
        size_t capacity = list->capacity ? list->capacity * 2 : list->expected ? list->expected : 256;
        struct ledger_input *items = ARENA_ARRAY(arena, struct ledger_input, capacity);
        if (list->count) memcpy(items, list->items, list->count * sizeof *items);
        list->items = items;
        list->capacity = capacity;
    }
    list->items[list->count++] = *input;
    list->bytes += input->size;
}

/* Is there room for this file? Spark's strict prefix or Auto Loader's crossing file (file-source 4.3). */
static bool has_room(const struct input_list *list, const struct take_limits *limits, int64_t size)
{
    if (list->count == 0) return true;
    if (limits->files_max && (int64_t)list->count >= limits->files_max) return false;
    if (!limits->bytes_max) return true;
    return limits->bytes_cross ? list->bytes < limits->bytes_max : list->bytes + size <= limits->bytes_max;
}

struct take {
    const struct ledger_source *source;
    const struct take_limits *limits;
    const struct plan *open;       /* Planned: its files are not pending. */
    struct arena *arena;
    struct directory_cache directories;
    struct input_list list;
    bool full;
};

static bool take_file(struct take *take, struct kv_txn *txn, const struct run_file *file, struct error *err)
{
    if (take->limits->ordinal_end && file->ordinal >= take->limits->ordinal_end) return true;
    if (take->open && plan_holds(take->open, take->source->id, file->ordinal)) return true;
    take->full = !has_room(&take->list, take->limits, file->size);
    if (take->full) return true;
    const char *directory;
    if (!directory_cached(&take->directories, txn, file->directory_id, &directory, err)) return false;
    struct ledger_input input = input_of(take->source->id, file, directory);
    input.name = arena_strdup(take->arena, file->name);
    list_add(&take->list, take->arena, &input);
    return true;
}

static bool take_run(struct take *take, struct kv_txn *txn, const struct run *run, struct error *err)
{
    for (size_t i = 0; i < run->count && !take->full; i++) {
        size_t at = take->source->latest_first ? run->count - 1 - i : i;
        if (!take_file(take, txn, &run->files[at], err)) return false;
    }
    return true;
}

static bool take_runs(struct take *take, struct kv_txn *txn, struct error *err)
{
    bool backwards = take->source->latest_first;
    struct kv_cursor *cursor = kv_cursor_open(txn, TABLE_PENDING, err);
    if (!cursor) return false;
    struct arena *scratch = arena_new("ledger take");
    struct key start = key_of_ordinal(take->source->id, backwards ? INT64_MAX : 0);
    struct kv_row row;
    bool ok = backwards ? kv_seek_upto(cursor, key_slice(&start), &row, err) : kv_seek(cursor, key_slice(&start), &row, err);
    while (ok && row.found && key_read(row.key, 0, 2) == take->source->id && !take->full) {
        struct run run;
        arena_reset(scratch);
        ok = runs_decode(TABLE_PENDING, &row, scratch, &run, err) && take_run(take, txn, &run, err);
        if (ok && !backwards && take->limits->ordinal_end && run.files[run.count - 1].ordinal + 1 >= take->limits->ordinal_end) break;
        ok = ok && (backwards ? kv_previous(cursor, &row, err) : kv_next(cursor, &row, err));
    }
    arena_free(scratch);
    kv_cursor_close(cursor);
    return ok;
}

static int compare_inputs(const void *left, const void *right)
{
    const struct ledger_input *a = left, *b = right;
    if (a->source_id != b->source_id) return a->source_id < b->source_id ? -1 : 1;
    return (a->ordinal > b->ordinal) - (a->ordinal < b->ordinal);
}

bool pending_take(struct kv_txn *txn, const struct ledger_state *state, const struct ledger_source *source, const struct take_limits *limits,
                  struct arena *arena, struct ledger_input **files, size_t *count, struct error *err)
{
    struct take take = {.source = source, .limits = limits, .arena = arena, .directories = {.arena = arena}};
    struct arena *scratch = arena_new("ledger take");
    struct open_record open;
    bool ok = open_record_load(txn, state, scratch, &open, err);
    if (ok && open.stage == BATCH_PLANNED) take.open = &open.plan;
    if (ok && !limits->bytes_max) take.list.expected = (size_t)state->counts.files[FILE_PENDING];
    if (limits->files_max && (size_t)limits->files_max < take.list.expected) take.list.expected = (size_t)limits->files_max;
    ok = ok && take_runs(&take, txn, err);
    arena_free(scratch);
    if (!ok) return false;
    if (take.list.count && source->latest_first) qsort(take.list.items, take.list.count, sizeof *take.list.items, compare_inputs);
    *files = take.list.items;
    *count = take.list.count;
    return true;
}

bool ledger_take(struct ledger *ledger, const struct ledger_source *source, const struct take_limits *limits, struct arena *arena,
                 struct ledger_input **files, size_t *count, struct error *err)
{
    *count = 0;
    *files = NULL;
    struct kv_txn *txn = kv_read_begin(ledger->kv, err);
    if (!txn) return false;
    struct ledger_state state;
    bool ok = state_load(txn, &state, err) && pending_take(txn, &state, source, limits, arena, files, count, err);
    kv_read_end(txn);
    return ok;
}

struct source_range *plan_ranges(struct arena *arena, const struct ledger_input *files, size_t count, uint32_t schema_version, size_t *range_count)
{
    struct ledger_input *copy = NULL;
    for (size_t i = 1; i < count && !copy; i++)
        if (compare_inputs(&files[i - 1], &files[i]) > 0) copy = ARENA_ARRAY(arena, struct ledger_input, count);
    if (copy) qsort(memcpy(copy, files, count * sizeof *copy), count, sizeof *copy, compare_inputs);
    const struct ledger_input *sorted = copy ? copy : files;
    size_t breaks = 0;
    for (size_t i = 0; i < count; i++) {
        if (i == 0 || sorted[i].source_id != sorted[i - 1].source_id || sorted[i].ordinal != sorted[i - 1].ordinal + 1) breaks++;
    }
    struct source_range *ranges = ARENA_ARRAY(arena, struct source_range, breaks + 1);
    *range_count = 0;
    for (size_t i = 0; i < count; i++) {
        struct source_range *last = *range_count ? &ranges[*range_count - 1] : NULL;
        if (last && last->source_id == sorted[i].source_id && last->end == sorted[i].ordinal) {
            last->end++;
            continue;
        }
        ranges[(*range_count)++] = (struct source_range){sorted[i].source_id, sorted[i].ordinal, sorted[i].ordinal + 1, schema_version};
    }
    return ranges;
}

/* Visits the pending files of the plan's ranges, in plan order. */
typedef bool (*planned_fn)(void *user, struct kv_txn *txn, uint32_t source_id, const struct run_file *file, struct error *err);
static bool each_planned(struct kv_txn *txn, const struct plan *plan, planned_fn visit, void *user, struct error *err)
{
    struct kv_cursor *cursor = kv_cursor_open(txn, TABLE_PENDING, err);
    if (!cursor) return false;
    struct arena *scratch = arena_new("ledger plan");
    bool ok = true;
    for (size_t i = 0; i < plan->range_count && ok; i++) {
        const struct source_range *range = &plan->ranges[i];
        int64_t at = range->start;
        while (ok && at < range->end) {
            struct run run;
            bool found;
            arena_reset(scratch);
            ok = runs_from(cursor, TABLE_PENDING, range->source_id, at, scratch, &run, &found, err);
            if (!ok || !found) break;
            for (size_t j = 0; j < run.count && ok; j++) {
                if (run.files[j].ordinal >= at && run.files[j].ordinal < range->end) ok = visit(user, txn, range->source_id, &run.files[j], err);
            }
            at = run.files[run.count - 1].ordinal + 1;
        }
    }
    arena_free(scratch);
    kv_cursor_close(cursor);
    return ok;
}

struct input_collector {
    struct arena *arena;
    struct directory_cache directories;
    struct input_list list;
};

static bool collect_input(void *user, struct kv_txn *txn, uint32_t source_id, const struct run_file *file, struct error *err)
{
    struct input_collector *collector = user;
    const char *directory;
    if (!directory_cached(&collector->directories, txn, file->directory_id, &directory, err)) return false;
    struct ledger_input input = input_of(source_id, file, directory);
    input.name = arena_strdup(collector->arena, file->name);
    list_add(&collector->list, collector->arena, &input);
    return true;
}

static void fill_open_batch(struct open_batch *out, const struct open_record *record)
{
    out->plan = record->plan;
    out->manifest = record->manifest;
    out->state_version = record->state_version;
    out->rows = record->rows;
    out->records_bad = record->records_bad;
    out->records_dropped = record->records_dropped;
    out->bytes = record->bytes;
    out->prepared_us = record->prepared_us;
    if (record->stage == BATCH_PREPARED) out->file_count = (size_t)record->files;
}

/* The tasks read files that the plan has. */
static bool plan_fits(const struct plan *plan, size_t files, struct error *err)
{
    for (size_t i = 0; i < plan->task_count; i++)
        for (size_t j = 0; j < plan->tasks[i].count; j++)
            if (plan->tasks[i].pieces[j].file_index >= files) return damaged(err, "the plan of batch %lld reads a file that it does not have", (long long)plan->batch_id);
    return true;
}

bool ledger_open_batch(struct ledger *ledger, struct arena *arena, struct open_batch *out, struct error *err)
{
    struct kv_txn *txn = kv_read_begin(ledger->kv, err);
    if (!txn) return false;
    struct ledger_state state;
    struct open_record record;
    bool ok = state_load(txn, &state, err) && open_record_load(txn, &state, arena, &record, err);
    if (ok) *out = (struct open_batch){.stage = record.stage};
    if (ok && record.stage != BATCH_NONE) fill_open_batch(out, &record);
    if (ok && record.stage == BATCH_PLANNED) {
        struct input_collector collector = {.arena = arena, .directories = {.arena = arena}, .list = {.expected = (size_t)record.planned_files}};
        ok = each_planned(txn, &record.plan, collect_input, &collector, err);
        out->files = collector.list.items;
        out->file_count = collector.list.count;
        ok = ok && plan_fits(&record.plan, out->file_count, err);
    }
    kv_read_end(txn);
    return ok;
}

bool ledger_last_committed(struct ledger *ledger, int64_t *batch_id, struct error *err)
{
    struct kv_txn *txn = kv_read_begin(ledger->kv, err);
    if (!txn) return false;
    struct ledger_state state;
    bool ok = state_load(txn, &state, err);
    kv_read_end(txn);
    if (ok) *batch_id = state.last_batch;
    return ok;
}

/* --- Plan ------------------------------------------------------------------------------------------------------ */

static bool count_planned(void *user, struct kv_txn *txn, uint32_t source_id, const struct run_file *file, struct error *err)
{
    (void)txn;
    (void)source_id;
    (void)file;
    (void)err;
    ++*(int64_t *)user;
    return true;
}

static void check_pieces(const struct plan *plan, int64_t files)
{
    for (size_t i = 0; i < plan->task_count; i++) {
        for (size_t j = 0; j < plan->tasks[i].count; j++) invariant(plan->tasks[i].pieces[j].file_index < files);
    }
}

bool plan_write(struct change *change, const struct plan *plan, struct error *err)
{
    struct ledger_state *state = &change->state;
    invariant(state->stage == BATCH_NONE);                /* L5: at most one batch is open. */
    invariant(plan->batch_id == state->last_batch + 1);   /* L5: ids are consecutive. */
    struct open_record open = {.stage = BATCH_PLANNED, .plan = *plan, .planned_us = change->now_us};
    open.plan.removed_count = 0;
    if (!each_planned(change->txn, plan, count_planned, &open.planned_files, err)) return false;
    check_pieces(plan, open.planned_files);
    state->stage = BATCH_PLANNED;
    state->counts.files[FILE_PENDING] -= open.planned_files; /* L1 */
    state->counts.files[FILE_PLANNED] += open.planned_files;
    return open_record_put(change, "plan", &open, err);
}

/* --- Replan ------------------------------------------------------------------------------------------------------ */

struct replan_job {
    const struct plan *plan;
    const struct removal *removals;
    size_t count;
};

static bool back_to_unsettled(struct change *change, uint32_t source_id, const struct run_file *file, const struct key *row_key, bool has_row,
                              const char *reason, struct error *err)
{
    if (!has_row) return true; /* A newer version has taken its place. */
    if (!row_delete(change, row_key, err)) return false;
    struct unsettled_row row = {.size = file->size, .mtime_us = file->mtime_us, .ctime_us = file->ctime_us, .device = file->device,
                                .inode = file->inode, .first_seen_us = change->now_us, .check_us = change->now_us, .reason = reason};
    return unsettled_put(change, source_id, file->directory_id, file->name, &row, err);
}

static bool remove_one(struct change *change, const struct removal *removal, struct error *err)
{
    struct run run;
    struct run_file *file;
    if (!runs_find(change->txn, TABLE_PENDING, removal->source_id, removal->ordinal, change->scratch, &run, &file, err)) return false;
    if (!file) return error_set(err, COND_INLET_INTERNAL, "cannot take the file of ordinal %lld out of the plan: it is not in it", (long long)removal->ordinal);
    struct key key;
    struct row row;
    bool has_row;
    if (!row_of_ordinal(change->txn, removal->source_id, file->directory_id, file->name, removal->ordinal, change->scratch, &key, &row, &has_row, err)) return false;
    int64_t files = 0, bytes = 0;
    if (!pending_remove(change, removal->source_id, removal->ordinal, removal->ordinal + 1, &files, &bytes, err)) return false;
    invariant(files == 1);
    change->state.counts.files[FILE_PLANNED]--;
    change->state.counts.pending_bytes -= bytes;
    if (removal->kind == REMOVE_UNSETTLED) return back_to_unsettled(change, removal->source_id, file, &key, has_row, removal->reason, err);
    if (!has_row) return true;
    static const enum row_kind kinds[] = {[REMOVE_FAILED] = ROW_FAILED, [REMOVE_SKIPPED] = ROW_SKIPPED, [REMOVE_VANISHED] = ROW_VANISHED};
    static const enum file_state states[] = {[REMOVE_FAILED] = FILE_FAILED, [REMOVE_SKIPPED] = FILE_SKIPPED, [REMOVE_VANISHED] = FILE_VANISHED};
    row = (struct row){.kind = kinds[removal->kind], .ordinal = removal->ordinal, .mtime_us = file->mtime_us, .size = file->size,
                       .since_us = change->now_us, .seen_us = file->admitted_us, .reason = removal->reason};
    change->state.counts.files[states[removal->kind]]++;
    if (removal->kind == REMOVE_FAILED &&
        !failed_put(change, removal->source_id, removal->ordinal, file->directory_id, file->name, &removal->look, err)) return false;
    if (removal->kind == REMOVE_VANISHED && !mark_drop(change, removal->source_id, file->directory_id, err)) return false;
    return row_put(change, &key, &row, err);
}

static bool replan_body(struct change *change, void *user, struct error *err)
{
    const struct replan_job *job = user;
    struct open_record open;
    invariant(change->state.stage == BATCH_PLANNED); /* L2: from prepared(N) on nothing leaves the batch. */
    if (!open_record_load(change->txn, &change->state, change->scratch, &open, err)) return false;
    invariant(job->plan->batch_id == open.plan.batch_id);
    size_t total = open.plan.removed_count + job->count;
    struct source_ordinal *removed = ARENA_ARRAY(change->scratch, struct source_ordinal, total + 1);
    if (open.plan.removed_count) memcpy(removed, open.plan.removed, open.plan.removed_count * sizeof *removed);
    for (size_t i = 0; i < job->count; i++) {
        invariant(plan_holds(&open.plan, job->removals[i].source_id, job->removals[i].ordinal));
        if (!remove_one(change, &job->removals[i], err)) return false;
        removed[open.plan.removed_count + i] = (struct source_ordinal){job->removals[i].source_id, job->removals[i].ordinal};
    }
    open.planned_files -= (int64_t)job->count;
    open.plan = *job->plan;
    open.plan.removed = removed;
    open.plan.removed_count = total;
    check_pieces(&open.plan, open.planned_files);
    return open_record_put(change, "plan", &open, err);
}

bool ledger_replan(struct ledger *ledger, const struct plan *plan, const struct removal *removals, size_t count, struct error *err)
{
    return ledger_change(ledger, replan_body, &(struct replan_job){plan, removals, count}, err);
}

static bool unplan_body(struct change *change, void *user, struct error *err)
{
    invariant(change->state.stage == BATCH_PLANNED);
    invariant(*(const int64_t *)user == change->state.last_batch + 1);
    change->state.stage = BATCH_NONE;
    change->state.counts.files[FILE_PENDING] += change->state.counts.files[FILE_PLANNED];
    change->state.counts.files[FILE_PLANNED] = 0;
    return kv_clear(change->txn, TABLE_OPEN, err);
}

bool ledger_unplan(struct ledger *ledger, int64_t batch_id, struct error *err) { return ledger_change(ledger, unplan_body, &batch_id, err); }

/* --- Prepare ------------------------------------------------------------------------------------------------------ */

enum { DONE_SLICE = 8192 };    /* Finished files are written by so many: a batch of a million is not gathered first. */

struct prepare_job {
    const struct prepared *prepared;
    struct open_record open;
    struct run_file *files;    /* Of the source that is being gathered; DONE_SLICE of them at most. */
    struct arena *names;       /* Theirs. */
    size_t count, next;        /* `next`: the outcome that the next file must have. */
    uint32_t source_id;
    struct change *change;
};

static bool flush_done(struct prepare_job *job, struct error *err)
{
    if (job->count == 0) return true;
    bool ok = runs_write(job->change, TABLE_DONE, job->source_id, job->prepared->batch_id, job->files, job->count, err);
    job->count = 0;
    arena_reset(job->names);
    return ok;
}

static void check_outcome(const struct file_outcome *outcome)
{
    invariant(outcome->records_bad <= outcome->records_framed);                           /* L6 */
    invariant(outcome->records_dropped <= outcome->records_framed);                       /* L6 */
    invariant(outcome->rows >= 0 && outcome->records_bad >= 0 && outcome->records_dropped >= 0);
}

static bool gather_done(void *user, struct kv_txn *txn, uint32_t source_id, const struct run_file *file, struct error *err)
{
    struct prepare_job *job = user;
    (void)txn;
    invariant(job->next < job->prepared->outcome_count);
    const struct file_outcome *outcome = &job->prepared->outcomes[job->next++];
    invariant(outcome->source_id == source_id && outcome->ordinal == file->ordinal);
    check_outcome(outcome);
    if ((job->source_id != source_id || job->count == DONE_SLICE) && !flush_done(job, err)) return false;
    job->source_id = source_id;
    struct run_file *done = &job->files[job->count++];
    *done = *file;
    done->name = arena_strdup(job->names, file->name);
    done->outcome = *outcome;
    job->open.rows += outcome->rows;
    job->open.records_bad += outcome->records_bad;
    job->open.records_dropped += outcome->records_dropped;
    job->open.bytes += outcome->bytes;
    job->open.files++;
    return true;
}

static bool move_to_done(struct change *change, struct prepare_job *job, struct error *err)
{
    int64_t files = 0, bytes = 0;
    if (!each_planned(change->txn, &job->open.plan, gather_done, job, err)) return false;
    invariant(job->next == job->prepared->outcome_count); /* Every file has its outcome, and only those. */
    if (!flush_done(job, err)) return false;
    for (size_t i = 0; i < job->open.plan.range_count; i++) {
        const struct source_range *range = &job->open.plan.ranges[i];
        if (!pending_remove(change, range->source_id, range->start, range->end, &files, &bytes, err)) return false;
    }
    invariant(files == job->open.files);
    change->state.counts.files[FILE_PLANNED] -= files; /* L1 */
    change->state.counts.files[FILE_PREPARED] += files;
    change->state.counts.pending_bytes -= bytes;
    return true;
}

static bool prepare_write(struct change *change, const struct prepared *prepared, struct error *err)
{
    invariant(change->state.stage == BATCH_PLANNED);                     /* L2 */
    invariant(prepared->batch_id == change->state.last_batch + 1);       /* L5 */
    struct prepare_job job = {.prepared = prepared, .change = change};
    if (!open_record_load(change->txn, &change->state, change->scratch, &job.open, err)) return false;
    job.files = ARENA_ARRAY(change->scratch, struct run_file, prepared->outcome_count < DONE_SLICE ? prepared->outcome_count + 1 : DONE_SLICE);
    job.names = arena_new("prepare");
    bool moved = move_to_done(change, &job, err);
    arena_free(job.names);
    if (!moved) return false;
    job.open.manifest = prepared->manifest;
    job.open.state_version = prepared->state_version;
    job.open.rows_out = prepared->rows_out;
    job.open.bytes_out = prepared->bytes_out;
    job.open.prepared_us = context_now_us(change->ledger->context);
    change->state.stage = BATCH_PREPARED;
    return open_record_put(change, "prepared", &job.open, err);
}

static bool prepare_body(struct change *change, void *user, struct error *err) { return prepare_write(change, user, err); }

bool ledger_prepare(struct ledger *ledger, const struct prepared *prepared, struct error *err)
{
    struct prepared copy = *prepared;
    return ledger_change(ledger, prepare_body, &copy, err);
}

/* --- Plan and prepare, in one ------------------------------------------------------------------------------------------ */

struct plan_job {
    const struct plan *plan;
    const struct early_plan *early;
};

bool plan_and_prepare(struct change *change, const struct plan *plan, const struct early_plan *early, struct error *err)
{
    if (!plan_write(change, plan, err)) return false;
    const struct prepared *prepared = early->run ? early->run(early->user) : NULL;
    return !prepared || prepare_write(change, prepared, err);
}

static bool plan_body(struct change *change, void *user, struct error *err)
{
    const struct plan_job *job = user;
    return job->early ? plan_and_prepare(change, job->plan, job->early, err) : plan_write(change, job->plan, err);
}

bool ledger_plan_and_prepare(struct ledger *ledger, const struct plan *plan, const struct early_plan *early, struct error *err)
{
    return ledger_change(ledger, plan_body, &(struct plan_job){plan, early}, err);
}

bool ledger_plan(struct ledger *ledger, const struct plan *plan, struct error *err) { return ledger_plan_and_prepare(ledger, plan, NULL, err); }

/* --- Commit -------------------------------------------------------------------------------------------------------- */

struct commit_job {
    int64_t batch_id;
    const struct plan *next;
    const struct ledger_setting *notes;
    size_t note_count;
    const char *progress;
};

static struct batch_record record_of(const struct open_record *open, int64_t now_us)
{
    struct batch_record record = {.clean_ordinal = 0};
    record.batch = (struct ledger_batch){
        .batch_id = open->plan.batch_id, .stage = BATCH_NONE, .files = open->files, .rows = open->rows, .rows_out = open->rows_out,
        .records_bad = open->records_bad, .records_dropped = open->records_dropped, .bytes = open->bytes, .bytes_out = open->bytes_out,
        .planned_us = open->planned_us, .prepared_us = open->prepared_us, .committed_us = now_us, .batch_time_us = open->plan.batch_time_us,
        .watermark_late_us = open->plan.watermark_late_us, .watermark_evict_us = open->plan.watermark_evict_us,
        .state_version = open->state_version, .plan_digest = open->plan.plan_digest, .pipeline_digest = open->plan.pipeline_digest,
        .limits = open->plan.limits, .ranges = open->plan.ranges, .range_count = open->plan.range_count};
    return record;
}

static void count_commit(struct ledger_counts *counts, const struct open_record *open, int64_t now_us)
{
    counts->files[FILE_PREPARED] -= open->files; /* L1 */
    counts->files[FILE_COMMITTED] += open->files;
    counts->rows += open->rows;
    counts->rows_out += open->rows_out;
    counts->bytes += open->bytes;
    counts->bytes_out += open->bytes_out;
    counts->records_bad += open->records_bad;
    counts->records_dropped += open->records_dropped;
    counts->batches++;
    counts->last_commit_us = now_us;
}

static bool commit_body(struct change *change, void *user, struct error *err)
{
    const struct commit_job *job = user;
    struct ledger_state *state = &change->state;
    struct open_record open;
    invariant(state->stage == BATCH_PREPARED);              /* L2 */
    invariant(job->batch_id == state->last_batch + 1);      /* L5 */
    if (!open_record_load(change->txn, state, change->scratch, &open, err)) return false;
    struct batch_record record = record_of(&open, change->now_us);
    if (!batch_record_store(change, &record, err) || !kv_clear(change->txn, TABLE_OPEN, err)) return false;
    count_commit(&state->counts, &open, change->now_us);
    state->last_batch = state->counts.last_batch_id = job->batch_id;
    state->stage = BATCH_NONE;
    if (change->ledger->cleaning_off) {
        state->cleaning_batch = job->batch_id + 1;
        state->cleaning_source = 0;
        state->cleaning_ordinal = 0;
    }
    if (!settings_put(change, job->notes, job->note_count, err) || (job->progress && !progress_put(change, job->progress, err))) return false;
    return !job->next || plan_write(change, job->next, err);
}

bool ledger_commit(struct ledger *ledger, int64_t batch_id, const struct plan *next, const struct ledger_setting *notes, size_t note_count,
                   const char *progress, struct error *err)
{
    return ledger_change(ledger, commit_body, &(struct commit_job){batch_id, next, notes, note_count, progress}, err);
}

/* --- Records of committed batches -------------------------------------------------------------------------------- */

bool batch_record_store(struct change *change, const struct batch_record *record, struct error *err)
{
    const struct ledger_batch *batch = &record->batch;
    struct buffer out = {0};
    const int64_t numbers[] = {batch->files, batch->rows, batch->rows_out, batch->records_bad, batch->records_dropped, batch->bytes,
                               batch->bytes_out, batch->planned_us, batch->prepared_us, batch->committed_us, batch->batch_time_us,
                               batch->watermark_late_us, batch->watermark_evict_us, batch->cleaned_files, batch->cleaned_us};
    for (size_t i = 0; i < COUNTOF(numbers); i++) put_signed(&out, numbers[i]);
    put_unsigned(&out, batch->state_version);
    put_text(&out, batch->plan_digest);
    put_text(&out, batch->pipeline_digest);
    put_text(&out, batch->limits);
    put_ranges(&out, batch->ranges, batch->range_count);
    put_unsigned(&out, record->clean_source);
    put_signed(&out, record->clean_ordinal);
    put_unsigned(&out, record->clean_all);
    put_text(&out, record->archive_base);
    put_text(&out, record->path_base);
    struct key key = key_of_number((uint64_t)batch->batch_id);
    bool ok = put_checked(change->txn, TABLE_BATCHES, &key, &out, KV_PUT_ANY, err);
    buffer_free(&out);
    return ok;
}

bool batch_record_load(struct kv_txn *txn, int64_t batch_id, struct arena *arena, struct batch_record *out, bool *found, struct error *err)
{
    struct key key = key_of_number((uint64_t)batch_id);
    struct slice payload;
    if (!get_checked(txn, TABLE_BATCHES, &key, &payload, found, err)) return false;
    *out = (struct batch_record){.batch = {.batch_id = batch_id}};
    if (!*found) return true;
    struct ledger_batch *batch = &out->batch;
    struct unpack in = unpack_of(payload);
    int64_t *const numbers[] = {&batch->files, &batch->rows, &batch->rows_out, &batch->records_bad, &batch->records_dropped, &batch->bytes,
                                &batch->bytes_out, &batch->planned_us, &batch->prepared_us, &batch->committed_us, &batch->batch_time_us,
                                &batch->watermark_late_us, &batch->watermark_evict_us, &batch->cleaned_files, &batch->cleaned_us};
    for (size_t i = 0; i < COUNTOF(numbers); i++) *numbers[i] = get_signed(&in);
    batch->state_version = get_unsigned(&in);
    batch->plan_digest = get_text(&in, arena);
    batch->pipeline_digest = get_text(&in, arena);
    batch->limits = get_text(&in, arena);
    batch->ranges = get_ranges(&in, arena, &batch->range_count);
    out->clean_source = (uint32_t)get_unsigned(&in);
    out->clean_ordinal = get_signed(&in);
    out->clean_all = get_unsigned(&in) != 0;
    out->archive_base = get_text(&in, arena);
    out->path_base = get_text(&in, arena);
    return !in.bad || damaged(err, "the record of batch %lld cannot be read", (long long)batch_id);
}
