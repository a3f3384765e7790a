/* ledger -- rows of the ledger as they could be: a good checksum over any bytes. The first byte chooses the table (behind the last
 * one: a sink's manifest), the second a row of it (behind the last one: a new row; a byte for the size of its key, the key). The
 * rest is the payload. The ledger has lived a little; with that row in it, it is asked everything, and verified. */
#include "loader/ledger_inner.h"
#include "loader/manifest.h"
#include "tests/fuzz/fuzz.h"

static const struct ledger_source source = {.identity = IDENTITY_PATH};

static int64_t fixed_clock(void *user)
{
    (void)user;
    return 1700000000000000;
}

/* --- A ledger that has lived ------------------------------------------------------------------------------------- */

#define MUST(call) fuzz_check((call), "%s", err->message)

static void admit(struct ledger *ledger, const char *directory, int first, int count, enum admission_verdict verdict, struct error *err)
{
    char names[8][16];
    struct admission admissions[8];
    for (int i = 0; i < count; i++) {
        snprintf(names[i], sizeof names[i], "f%03d", first + i);
        admissions[i] = (struct admission){.sighting = {.directory = directory, .name = names[i], .size = 100 + i, .mtime_us = 1000 + first + i,
                                                        .ctime_us = 1005 + first + i, .device = 7, .inode = 42 + (uint64_t)i},
                                           .verdict = verdict, .reason = "a reason", .check_us = 99};
    }
    struct directory_mark mark = {.directory = directory, .device = 7, .inode = 1, .mtime_ns = 5, .ctime_ns = 6, .options_digest = 9};
    struct discovery discovery = {.admissions = admissions, .count = (size_t)count, .marks = &mark, .mark_count = 1};
    MUST(ledger_admit(ledger, &source, &discovery, err));
}

static size_t plan_next(struct ledger *ledger, int64_t files_max, struct arena *arena, struct error *err)
{
    struct ledger_input *files;
    size_t count;
    struct take_limits limits = {.files_max = files_max};
    MUST(ledger_take(ledger, &source, &limits, arena, &files, &count, err));
    struct plan plan = {.batch_time_us = 5, .watermark_late_us = WATERMARK_NONE, .watermark_evict_us = WATERMARK_NONE, .settings = "{}",
                        .pipeline_digest = "pipeline", .plan_digest = "plan", .limits = "2 files"};
    MUST(ledger_last_committed(ledger, &plan.batch_id, err));
    plan.batch_id++;
    plan.ranges = plan_ranges(arena, files, count, 0, &plan.range_count);
    struct plan_task task = {.pieces = ARENA_ARRAY(arena, struct plan_piece, count), .count = count};
    for (size_t i = 0; i < count; i++) task.pieces[i] = (struct plan_piece){(uint32_t)i, 0, -1};
    plan.tasks = &task;
    plan.task_count = 1;
    MUST(ledger_plan(ledger, &plan, err));
    return count;
}

static void prepare(struct ledger *ledger, struct arena *arena, struct error *err)
{
    struct open_batch open;
    MUST(ledger_open_batch(ledger, arena, &open, err));
    struct file_outcome outcomes[8];
    for (size_t i = 0; i < open.file_count; i++)
        outcomes[i] = (struct file_outcome){.source_id = 0, .ordinal = open.files[i].ordinal, .rows = 10, .records_framed = 11, .records_bad = 1,
                                            .records_dropped = 1, .bytes = 100, .note = i ? "a note" : NULL};
    struct prepared prepared = {.batch_id = open.plan.batch_id, .manifest = slice_text("{\"rows\":20,\"bytes\":77,\"detail\":\"\",\"files\":[]}"),
                                .outcomes = outcomes, .outcome_count = open.file_count, .rows_out = 20, .bytes_out = 77};
    MUST(ledger_prepare(ledger, &prepared, err));
}

/* Two committed batches (one cleaned in part), one planned with a removal, files pending, unsettled, skipped, failed. */
static struct ledger *ledger_that_lived(void)
{
    static struct inlet_context context;
    struct error none = {0}, *err = &none;
    struct arena *arena = arena_new("ledger");
    inlet_context_init(&context);
    context.now_us = fixed_clock;
    struct ledger *ledger = ledger_open(arena_printf(arena, "%s/checkpoint", fuzz_folder()), &context, err);
    fuzz_check(ledger, "%s", err->message);
    admit(ledger, "/landing", 0, 8, ADMIT_PENDING, err);
    admit(ledger, "/landing/k=1", 10, 4, ADMIT_PENDING, err);
    admit(ledger, "/landing", 20, 2, ADMIT_UNSETTLED, err);
    admit(ledger, "/landing", 30, 2, ADMIT_SKIPPED, err);
    ledger->recent = recent_bounds_of(6); /* Rows stand in both tables. */
    MUST(ledger_merge(ledger, err));
    for (int64_t batch = 0; batch < 2; batch++) {
        plan_next(ledger, 3, arena, err);
        prepare(ledger, arena, err);
        MUST(ledger_commit(ledger, batch, NULL, NULL, 0, "{\"batchId\":0}", err));
    }
    struct cleaned_file cleaned[] = {{CLEAN_DONE, "/elsewhere/f000", NULL}, {CLEAN_RETRY, NULL, "busy"}};
    MUST(ledger_cleaned(ledger, 0, cleaned, 2, false, "/archive", NULL, err));
    struct ledger_setting setting = {"sink.format", "parquet"};
    MUST(ledger_setting_set(ledger, &setting, 1, err));
    plan_next(ledger, 3, arena, err);
    MUST(ledger_verify(ledger, err));
    arena_free(arena);
    return ledger;
}

/* --- Questions ------------------------------------------------------------------------------------------------------ */

static void ask_files(struct ledger *ledger, struct arena *arena)
{
    struct error err = {0};
    struct ledger_filter filter = {.batch_id = -1};
    struct ledger_scan *scan = ledger_scan_new(ledger, &filter);
    const struct ledger_file *file;
    bool end = false, known;
    for (int i = 0; i < 1000 && !end; i++)
        if (!ledger_scan_next(scan, &file, &end, &err)) {
            fuzz_check_error(&err);
            break;
        }
    ledger_scan_free(scan);
    static const char *const names[] = {"f000", "f005", "f020", "f030", "f999"};
    if (!ledger_known(ledger, &source, "/landing", names, NULL, 1, &known, &err)) fuzz_check_error(&err);
    for (size_t i = 0; i < COUNTOF(names); i++) {
        struct ledger_file found;
        if (!ledger_find(ledger, &source, "/landing", names[i], arena, &found, &err)) fuzz_check_error(&err);
    }
    struct unsettled_file *unsettled;
    size_t count;
    if (!ledger_unsettled(ledger, 0, NULL, 100, arena, &unsettled, &count, &err)) fuzz_check_error(&err);
    struct directory_mark mark;
    if (!ledger_mark_get(ledger, 0, "/landing", &mark, &known, &err)) fuzz_check_error(&err);
}

static void ask_batches(struct ledger *ledger, struct arena *arena)
{
    struct error err = {0};
    struct ledger_batch *batches;
    struct open_batch open;
    struct ledger_input *files;
    struct cleaning cleaning;
    struct ledger_counts counts;
    struct take_limits limits = {.files_max = 2, .bytes_max = 150};
    const char **texts, *value;
    size_t count;
    int64_t ordinal;
    if (!ledger_batches(ledger, -1, true, 100, arena, &batches, &count, &err)) fuzz_check_error(&err);
    if (!ledger_open_batch(ledger, arena, &open, &err)) fuzz_check_error(&err);
    if (!ledger_take(ledger, &source, &limits, arena, &files, &count, &err)) fuzz_check_error(&err);
    if (!ledger_next_ordinal(ledger, 0, &ordinal, &err)) fuzz_check_error(&err);
    if (!ledger_cleaning(ledger, 10, arena, &cleaning, &err)) fuzz_check_error(&err);
    if (!ledger_cleaning_retries(ledger, NULL, 10, arena, &files, &count, &err)) fuzz_check_error(&err);
    if (!ledger_counts(ledger, &counts, &err)) fuzz_check_error(&err);
    if (!ledger_progress_list(ledger, arena, &texts, &count, &err)) fuzz_check_error(&err);
    if (!ledger_setting_get(ledger, arena, "sink.format", &value, &err)) fuzz_check_error(&err);
    if (!ledger_verify(ledger, &err)) fuzz_check_error(&err);
}

/* --- The row --------------------------------------------------------------------------------------------------------- */

struct replacement {
    enum table table;
    struct key key;
    struct slice payload;
    struct buffer before;      /* The value as it was. */
    bool existed;
};

static bool choose_key(struct kv_txn *txn, struct replacement *row, struct slice *input, struct error *err)
{
    int64_t rows;
    unsigned wanted = fuzz_byte(input);
    if (!kv_count(txn, row->table, &rows, err)) return false;
    if (wanted < rows) {
        struct kv_cursor *cursor = kv_cursor_open(txn, row->table, err);
        struct kv_row at;
        bool ok = cursor && kv_first(cursor, &at, err);
        for (; ok && wanted && at.found; wanted--) ok = kv_next(cursor, &at, err);
        if (ok && at.found) {
            row->key.size = at.key.size;
            memcpy(row->key.bytes, at.key.data, at.key.size);
            buffer_append(&row->before, at.value.data, at.value.size);
            row->existed = true;
        }
        kv_cursor_close(cursor);
        return ok;
    }
    row->key.size = 1 + fuzz_byte(input) % 64u;
    for (size_t i = 0; i < row->key.size; i++) row->key.bytes[i] = fuzz_byte(input);
    struct slice value;
    if (!kv_get(txn, row->table, key_slice(&row->key), &value, &row->existed, err)) return false;
    if (row->existed) buffer_append(&row->before, value.data, value.size);
    return true;
}

static bool put_row(struct kv_txn *txn, void *user, struct error *err)
{
    struct replacement *row = user;
    struct buffer payload = {0};
    buffer_append(&payload, row->payload.data, row->payload.size);
    bool ok = put_checked(txn, row->table, &row->key, &payload, KV_PUT_ANY, err);
    buffer_free(&payload);
    return ok;
}

static bool restore_row(struct kv_txn *txn, void *user, struct error *err)
{
    struct replacement *row = user;
    bool found;
    if (row->existed) return kv_put(txn, row->table, key_slice(&row->key), slice_of(row->before.data, row->before.size), KV_PUT_ANY, err);
    return kv_delete(txn, row->table, key_slice(&row->key), &found, err);
}

static void fuzz_one(struct slice input)
{
    static struct ledger *ledger;
    if (!ledger) ledger = ledger_that_lived();
    struct arena *arena = arena_new("answers");
    struct error err = {0};
    struct replacement row = {.table = fuzz_byte(&input) % (TABLE_COUNT + 1)};
    if (row.table == TABLE_COUNT) {
        struct manifest manifest;
        if (!manifest_parse(arena, input, &manifest, &err)) fuzz_check_error(&err);
        arena_free(arena);
        return;
    }
    struct kv_txn *txn = kv_read_begin(ledger->kv, &err);
    fuzz_check(txn && choose_key(txn, &row, &input, &err), "%s", err.message);
    kv_read_end(txn);
    row.payload = input;
    fuzz_check(kv_update(ledger->kv, put_row, &row, &err), "%s", err.message);
    ask_files(ledger, arena);
    ask_batches(ledger, arena);
    fuzz_check(kv_update(ledger->kv, restore_row, &row, &err), "%s", err.message);
    buffer_free(&row.before);
    arena_free(arena);
}
