/* ledger_fault_test -- each call of the store below the ledger fails, gives a damaged value, or misses a row, one at a time: the ledger says so,
 * nothing of the change is there, and the same life of a few batches then ends as the undisturbed one did. */
#include "base/file.h"
#include "base/uuid.h"
#include "loader/ledger_inner.h"

#include <dlfcn.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* --- The store, disturbed: these stand before LMDB's own -------------------------------------------------------- */

struct value { size_t size; void *data; }; /* As LMDB's. */
enum { LMDB_NOT_FOUND = -30798 };
enum disturbance { UNDISTURBED, FAILS, FLIPS, CUTS, LOSES, ENDS_EARLY, IS_HALF, IS_EMPTY, GOES_ON, IS_LARGE };
static const char *const disturbance_names[] = {"none", "an error", "a flipped bit", "a value that is cut", "a lost row",
                                                "a row that ends early", "half a row", "an empty row", "a row that goes on", "a row of large numbers"};

static struct {
    enum disturbance kind;
    long calls, at;            /* The at-th call is disturbed; 0: none. */
    bool hit, writing;
    uint8_t copy[1 << 16];
} store;

static bool is_now(bool reads)
{
    if (!reads && store.kind != FAILS) return false; /* Only what is read can be damaged. */
    if (store.writing && store.kind == LOSES) return false; /* Rows do not go between two looks of one change. */
    bool now = ++store.calls == store.at;
    store.hit = store.hit || now;
    return now;
}

static void *lmdb(const char *name)
{
    void *found = dlsym(RTLD_NEXT, name);
    assert_non_null(found);
    return found;
}
#define REAL(name, ...) (((int (*)(__VA_ARGS__))lmdb(name)))

static uint32_t checksum(unsigned table, const struct value *key, const uint8_t *payload, size_t size)
{
    uint8_t number = (uint8_t)table;
    return crc32c(crc32c(crc32c(0, &number, 1), key->data, key->size), payload, size);
}

/* Another payload under the checksum that fits it: not what a disk does, but what a faulty writer or another hand may. */
static void forge(enum disturbance kind, const struct value *key, struct value *value)
{
    uint32_t stored, table = 0;
    size_t size = value->size - sizeof stored;
    memcpy(&stored, (const uint8_t *)value->data + size, sizeof stored); /* Little-endian, as this machine's numbers. */
    while (table < TABLE_COUNT && checksum(table, key, value->data, size) != stored) table++;
    if (table == TABLE_COUNT) return;
    memcpy(store.copy, value->data, size);
    if (kind == ENDS_EARLY && size) size--;
    else if (kind == IS_HALF) size /= 2;
    else if (kind == IS_EMPTY) size = 0;
    else if (kind == GOES_ON) memset(store.copy + size, 0x81, 9), size += 9;
    else memset(store.copy + size / 2, 0xff, size - size / 2);
    stored = checksum(table, key, store.copy, size);
    memcpy(store.copy + size, &stored, sizeof stored);
    *value = (struct value){size + sizeof stored, store.copy};
}

/* What a read gave, as the disturbance wants it. */
static int disturbed(int code, const struct value *key, struct value *value)
{
    if (code != 0 || !is_now(true)) return code;
    if (store.kind == FAILS) return EIO;
    if (store.kind == LOSES) return LMDB_NOT_FOUND;
    if (value->size == 0 || value->size + 16 > sizeof store.copy) return code;
    if (store.kind >= ENDS_EARLY) {
        if (value->size >= 4) forge(store.kind, key, value);
        return code;
    }
    memcpy(store.copy, value->data, value->size);
    if (store.kind == CUTS) value->size /= 2;
    else store.copy[value->size / 2] ^= 0x10;
    value->data = store.copy;
    return code;
}

int mdb_get(void *txn, unsigned table, struct value *key, struct value *value);
int mdb_get(void *txn, unsigned table, struct value *key, struct value *value)
{
    return disturbed(REAL("mdb_get", void *, unsigned, struct value *, struct value *)(txn, table, key, value), key, value);
}

int mdb_cursor_get(void *cursor, struct value *key, struct value *value, int operation);
int mdb_cursor_get(void *cursor, struct value *key, struct value *value, int operation)
{
    return disturbed(REAL("mdb_cursor_get", void *, struct value *, struct value *, int)(cursor, key, value, operation), key, value);
}

int mdb_put(void *txn, unsigned table, struct value *key, struct value *value, unsigned flags);
int mdb_put(void *txn, unsigned table, struct value *key, struct value *value, unsigned flags)
{
    return is_now(false) ? EIO : REAL("mdb_put", void *, unsigned, struct value *, struct value *, unsigned)(txn, table, key, value, flags);
}

int mdb_del(void *txn, unsigned table, struct value *key, struct value *value);
int mdb_del(void *txn, unsigned table, struct value *key, struct value *value)
{
    return is_now(false) ? EIO : REAL("mdb_del", void *, unsigned, struct value *, struct value *)(txn, table, key, value);
}

int mdb_drop(void *txn, unsigned table, int remove);
int mdb_drop(void *txn, unsigned table, int remove)
{
    return is_now(false) ? EIO : REAL("mdb_drop", void *, unsigned, int)(txn, table, remove);
}

int mdb_stat(void *txn, unsigned table, void *out);
int mdb_stat(void *txn, unsigned table, void *out)
{
    return is_now(false) ? EIO : REAL("mdb_stat", void *, unsigned, void *)(txn, table, out);
}

int mdb_cursor_open(void *txn, unsigned table, void **out);
int mdb_cursor_open(void *txn, unsigned table, void **out)
{
    return is_now(false) ? EIO : REAL("mdb_cursor_open", void *, unsigned, void **)(txn, table, out);
}

int mdb_txn_begin(void *environment, void *parent, unsigned flags, void **out);
int mdb_txn_begin(void *environment, void *parent, unsigned flags, void **out)
{
    return is_now(false) ? EIO : REAL("mdb_txn_begin", void *, void *, unsigned, void **)(environment, parent, flags, out);
}

int mdb_txn_commit(void *txn);
int mdb_txn_commit(void *txn)
{
    if (!is_now(false)) return REAL("mdb_txn_commit", void *)(txn);
    ((void (*)(void *))lmdb("mdb_txn_abort"))(txn);
    return EIO;
}

/* --- A life in steps: each reads as it likes and changes the ledger once ------------------------------------------- */

struct life {
    char folder[64], checkpoint[96];
    struct inlet_context context;
    struct ledger *ledger;
    struct arena *arena;
    struct error err;
};

static const struct ledger_source by_path = {.id = 0}, by_time = {.id = 1, .identity = IDENTITY_PATH_AND_MTIME, .latest_first = true},
                                  by_name = {.id = 2, .identity = IDENTITY_NAME};

static int64_t fixed_now(void *user)
{
    (void)user;
    return 1700000000000000;
}

static bool open_it(struct life *l)
{
    l->ledger = ledger_open(l->checkpoint, &l->context, &l->err);
    return l->ledger != NULL;
}

static bool open_again(struct life *l)
{
    ledger_close(l->ledger);
    return open_it(l);
}

static struct admission seen(struct life *l, int number, int64_t mtime_us, enum admission_verdict verdict)
{
    struct sighting sighting = {.directory = number % 2 ? "/landing/odd" : "/landing", .name = arena_printf(l->arena, "f%06d", number), .size = 100 + number,
                                .mtime_us = mtime_us, .ctime_us = mtime_us + 5, .device = 7, .inode = 4242};
    return (struct admission){.sighting = sighting, .verdict = verdict, .reason = "a reason", .check_us = 99};
}

static bool admit(struct life *l, const struct ledger_source *source, int first, int count, int64_t mtime_us, enum admission_verdict verdict)
{
    struct admission *admissions = ARENA_ARRAY(l->arena, struct admission, (size_t)count);
    for (int i = 0; i < count; i++) admissions[i] = seen(l, first + i, mtime_us, verdict);
    struct directory_mark mark = {.directory = "/landing", .device = 1, .inode = 2, .mtime_ns = 3, .ctime_ns = 4, .options_digest = 5};
    struct ledger_setting note = {"listing.last", "9"};
    struct discovery discovery = {.admissions = admissions, .count = (size_t)count, .marks = &mark, .mark_count = 1, .notes = &note, .note_count = 1};
    return ledger_admit(l->ledger, source, &discovery, &l->err);
}

static struct plan plan_of(struct life *l, int64_t batch_id, const struct ledger_input *files, size_t count)
{
    struct plan plan = {.batch_id = batch_id, .batch_time_us = 5, .watermark_late_us = WATERMARK_NONE, .watermark_evict_us = WATERMARK_NONE, .settings = "{}",
                        .pipeline_digest = "pipeline", .plan_digest = "plan", .limits = ""};
    plan.ranges = plan_ranges(l->arena, files, count, 0, &plan.range_count);
    plan.tasks = ARENA_NEW(l->arena, struct plan_task);
    plan.task_count = 1;
    plan.tasks[0].pieces = ARENA_ARRAY(l->arena, struct plan_piece, count + 1);
    plan.tasks[0].count = count;
    for (size_t i = 0; i < count; i++) plan.tasks[0].pieces[i] = (struct plan_piece){(uint32_t)i, 0, -1};
    return plan;
}

static bool plan_some(struct life *l, const struct ledger_source *source, int64_t files_max)
{
    struct ledger_input *files;
    size_t count;
    int64_t last;
    struct take_limits limits = {.files_max = files_max, .bytes_max = 100000};
    if (!ledger_take(l->ledger, source, &limits, l->arena, &files, &count, &l->err) || !ledger_last_committed(l->ledger, &last, &l->err)) return false;
    struct plan plan = plan_of(l, last + 1, files, count);
    return ledger_plan(l->ledger, &plan, &l->err);
}

static const struct plan *make_early(void *user, int64_t batch_id, struct ledger_input *files, size_t count)
{
    struct life *l = user;
    struct plan *plan = ARENA_NEW(l->arena, struct plan);
    *plan = plan_of(l, batch_id, files, count);
    return plan;
}

static bool admits(struct life *l) { return admit(l, &by_path, 0, 8, 1000, ADMIT_PENDING); }
static bool waits(struct life *l) { return admit(l, &by_path, 8, 3, 1000, ADMIT_UNSETTLED); }
static bool skips(struct life *l) { return admit(l, &by_path, 11, 2, 900, ADMIT_SKIPPED); }
static bool forgets(struct life *l) { return admit(l, &by_path, 8, 1, 1000, ADMIT_FORGET); }
static bool admits_versions(struct life *l) { return admit(l, &by_time, 0, 4, 2000, ADMIT_PENDING); }
static bool admits_newer_versions(struct life *l) { return admit(l, &by_time, 2, 4, 3000, ADMIT_PENDING); }
static bool admits_names(struct life *l) { return admit(l, &by_name, 0, 3, 2000, ADMIT_PENDING); }
static bool plans_versions(struct life *l) { return plan_some(l, &by_time, 3); }
static bool plans_names(struct life *l) { return plan_some(l, &by_name, 2); }

static bool admits_and_plans(struct life *l)
{
    struct admission admissions[] = {seen(l, 20, 1100, ADMIT_PENDING), seen(l, 9, 1200, ADMIT_PENDING)};
    struct discovery discovery = {.admissions = admissions, .count = 2};
    struct take_limits limits = {.files_max = 6};
    struct early_plan early = {.limits = &limits, .make = make_early, .user = l, .arena = l->arena};
    return ledger_admit_and_plan(l->ledger, &by_path, &discovery, &early, &l->err);
}

static bool takes_out(struct life *l)
{
    struct open_batch open;
    if (!ledger_open_batch(l->ledger, l->arena, &open, &l->err)) return false;
    struct removal removals[4];
    for (size_t i = 0; i < 4 && i < open.file_count; i++) /* In the order of enum removal_kind. */
        removals[i] = (struct removal){open.files[i].source_id, open.files[i].ordinal, (enum removal_kind)i, "by test", {.size = 5, .ctime_us = 7}};
    struct plan plan = open.plan;
    if (plan.task_count) plan.tasks[0].count = 2;
    return open.file_count < 4 ? error_set(&l->err, COND_INLET_CHECKPOINT_DAMAGED, "files are missing") : ledger_replan(l->ledger, &plan, removals, 4, &l->err);
}

static bool prepares(struct life *l)
{
    struct open_batch open;
    if (!ledger_open_batch(l->ledger, l->arena, &open, &l->err)) return false;
    struct file_outcome *outcomes = ARENA_ARRAY(l->arena, struct file_outcome, open.file_count + 1);
    for (size_t i = 0; i < open.file_count; i++)
        outcomes[i] = (struct file_outcome){.source_id = open.files[i].source_id, .ordinal = open.files[i].ordinal, .state = i ? OUTCOME_INGESTED : OUTCOME_CORRUPT,
                                            .rows = 10, .records_framed = 11, .records_bad = 1, .records_dropped = 1, .bytes = 9, .note = i ? NULL : "torn"};
    struct prepared prepared = {.batch_id = open.plan.batch_id, .manifest = slice_text("the manifest"), .outcomes = outcomes, .outcome_count = open.file_count,
                                .rows_out = 10, .bytes_out = 77};
    return ledger_prepare(l->ledger, &prepared, &l->err);
}

static bool commits(struct life *l)
{
    int64_t last;
    struct ledger_setting note = {"committed", "1"};
    return ledger_last_committed(l->ledger, &last, &l->err) && ledger_commit(l->ledger, last + 1, NULL, &note, 1, "{}", &l->err);
}

static bool commits_and_plans(struct life *l)
{
    struct ledger_input *files;
    size_t count;
    int64_t last;
    struct take_limits limits = {.files_max = 2};
    if (!ledger_take(l->ledger, &by_path, &limits, l->arena, &files, &count, &l->err) || !ledger_last_committed(l->ledger, &last, &l->err)) return false;
    struct plan next = plan_of(l, last + 2, files, count);
    return ledger_commit(l->ledger, last + 1, &next, NULL, 0, "{}", &l->err);
}

static bool gives_up(struct life *l)
{
    int64_t last;
    return ledger_last_committed(l->ledger, &last, &l->err) && ledger_unplan(l->ledger, last + 1, &l->err);
}

static bool drops_note(struct change *change, void *user, struct error *err)
{
    (void)user;
    return failed_drop(change, 0, 1, err);
}
static bool loses_its_note(struct life *l) { return ledger_change(l->ledger, drops_note, NULL, &l->err); }
static bool makes_notes_up(struct life *l) { return ledger_failed_complete(l->ledger, &l->err); }

static bool retakes(struct life *l)
{
    struct failed_file *files;
    size_t count;
    if (!ledger_failed(l->ledger, 0, -1, 9, l->arena, &files, &count, &l->err)) return false;
    struct retake retake = {0, count ? files[0].ordinal : 0, false};
    return count == 0 || ledger_retake(l->ledger, &retake, 1, &l->err);
}

static bool cleans(struct life *l)
{
    struct cleaning cleaning;
    if (!ledger_cleaning(l->ledger, 2, l->arena, &cleaning, &l->err)) return false;
    if (!cleaning.found) return true;
    struct cleaned_file results[] = {{CLEAN_RETRY, NULL, "no permission"}, {CLEAN_DONE, "/archive/elsewhere", NULL}};
    return ledger_cleaned(l->ledger, cleaning.batch_id, results, cleaning.file_count, cleaning.file_count < 2, "/archive", NULL, &l->err);
}

static bool cleans_again(struct life *l)
{
    struct ledger_input *files;
    size_t count;
    if (!ledger_cleaning_retries(l->ledger, NULL, 9, l->arena, &files, &count, &l->err)) return false;
    return count == 0 || ledger_cleaned_retry(l->ledger, files[0].source_id, files[0].ordinal, &(struct cleaned_file){CLEAN_KEPT, NULL, "it changed"}, &l->err);
}
static bool cleans_no_more(struct life *l) { return ledger_cleaning_skip(l->ledger, &l->err); }

static bool sets(struct life *l)
{
    struct ledger_setting settings[] = {{"a", "1"}, {"listing.last", NULL}};
    return ledger_setting_set(l->ledger, settings, 2, &l->err);
}
static bool states_facts(struct life *l) { return ledger_facts_check(l->ledger, (struct ledger_setting[]){{"sink.path", "/out"}, {"a", "1"}}, 2, &l->err); }
/* Rows go to the big table in small slices, and some stay. */
static bool merges(struct life *l)
{
    l->ledger->recent = (struct recent_bounds){.rows = 4, .slice = 3, .straight = 64};
    return ledger_merge(l->ledger, &l->err);
}
static bool merges_all(struct life *l)
{
    l->ledger->recent = (struct recent_bounds){.rows = 0, .slice = 5, .straight = 64};
    return ledger_merge(l->ledger, &l->err);
}
static bool clears_marks(struct life *l) { return ledger_marks_clear(l->ledger, 0, &l->err); }

static bool asks(struct life *l)
{
    const char *names[] = {"f000000", "f000002", "f000008", "f000404"}, *text, **texts;
    int64_t times[] = {2000, 3000, 1000, 1}, number;
    bool known[4], found;
    size_t count;
    struct directory_mark mark;
    struct unsettled_file *unsettled;
    struct ledger_counts counts;
    return ledger_known(l->ledger, &by_path, "/landing", names, NULL, 4, known, &l->err) && ledger_known(l->ledger, &by_time, "/landing", names, times, 4, known, &l->err) &&
           ledger_known(l->ledger, &by_name, "/anywhere", names, NULL, 4, known, &l->err) && ledger_mark_get(l->ledger, 0, "/landing", &mark, &found, &l->err) &&
           ledger_unsettled(l->ledger, 0, NULL, 9, l->arena, &unsettled, &count, &l->err) && ledger_next_ordinal(l->ledger, 0, &number, &l->err) &&
           ledger_setting_get(l->ledger, l->arena, "a", &text, &l->err) && ledger_setting_int(l->ledger, "a", 7, &number, &l->err) &&
           ledger_progress_list(l->ledger, l->arena, &texts, &count, &l->err) && ledger_counts(l->ledger, &counts, &l->err);
}

/* Every file as text. */
static bool tell_all(struct life *l, const struct ledger_filter *filter, struct buffer *out)
{
    struct ledger_scan *scan = ledger_scan_new(l->ledger, filter);
    const struct ledger_file *file;
    bool end = false, ok;
    while ((ok = ledger_scan_next(scan, &file, &end, &l->err)) && !end) {
        const char *line = arena_printf(l->arena, "%u %s/%s %s %lld %lld %lld %s %d %s\n", file->source_id, file->directory ? file->directory : "?", file->name,
                                        file_state_name(file->state), (long long)file->ordinal, (long long)file->batch_id, (long long)file->rows,
                                        file->reason ? file->reason : "-", file->cleaned, file->clean_reason ? file->clean_reason : "-");
        buffer_append(out, line, strlen(line));
    }
    ledger_scan_free(scan);
    return ok;
}

static bool looks_around(struct life *l)
{
    struct buffer text = {0};
    struct ledger_batch *batches;
    size_t count;
    struct ledger_file file;
    bool ok = tell_all(l, &(struct ledger_filter){.batch_id = -1}, &text) && tell_all(l, &(struct ledger_filter){.batch_id = 0, .prefix = "/landing/odd"}, &text) &&
              tell_all(l, &(struct ledger_filter){.batch_id = -1, .states = 1u << FILE_FAILED | 1u << FILE_UNSETTLED}, &text) &&
              ledger_batches(l->ledger, -1, true, 9, l->arena, &batches, &count, &l->err) && ledger_batches(l->ledger, 0, false, 9, l->arena, &batches, &count, &l->err);
    for (int i = 0; ok && i < 13; i++)
        ok = ledger_find(l->ledger, &by_path, i % 2 ? "/landing/odd" : "/landing", arena_printf(l->arena, "f%06d", i), l->arena, &file, &l->err);
    buffer_free(&text);
    return ok;
}
static bool verifies(struct life *l) { return ledger_verify(l->ledger, &l->err); }

#define STEP(name) {#name, name, false}
#define ASK(name) {#name, name, true}
static const struct step { const char *name; bool (*run)(struct life *); bool asks; } steps[] = {
    STEP(open_it), STEP(admits), STEP(waits), STEP(skips), STEP(merges), STEP(states_facts), STEP(admits_and_plans), ASK(asks), STEP(takes_out), ASK(looks_around), STEP(prepares),
    ASK(looks_around), STEP(commits_and_plans), STEP(gives_up), STEP(loses_its_note), STEP(makes_notes_up), STEP(retakes), STEP(forgets), STEP(admits_versions), STEP(merges),
    STEP(plans_versions), STEP(admits_newer_versions), STEP(prepares), STEP(commits), STEP(open_again), STEP(cleans), STEP(cleans), STEP(cleans_again),
    STEP(admits_names), STEP(plans_names), STEP(merges_all), ASK(asks), STEP(sets), ASK(looks_around), STEP(prepares), STEP(commits), STEP(cleans), STEP(cleans_no_more),
    STEP(clears_marks), ASK(asks), ASK(looks_around), ASK(verifies),
};
enum { STEP_COUNT = sizeof steps / sizeof *steps };

static void life_begin(struct life *l)
{
    *l = (struct life){0};
    snprintf(l->folder, sizeof l->folder, "%s/ledger_fault_XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    assert_non_null(mkdtemp(l->folder));
    snprintf(l->checkpoint, sizeof l->checkpoint, "%s/checkpoint", l->folder);
    inlet_context_init(&l->context);
    l->context.now_us = fixed_now;
    l->arena = arena_new("life");
}

static void life_end(struct life *l)
{
    store.at = 0;
    ledger_close(l->ledger);
    assert_true(directory_remove_tree(l->folder, NULL));
    arena_free(l->arena);
    inlet_context_fini(&l->context);
}

static void must(struct life *l, bool ok, const char *what, long at)
{
    if (ok) return;
    char text[8192];
    error_format(&l->err, text, sizeof text);
    fail_msg("call %ld with %s, %s: %s", at, disturbance_names[store.kind], what, text);
}

/* A step was told of the disturbance: a condition that says so, a ledger that is whole; and again, undisturbed. */
static void step_again(struct life *l, const struct step *step, long at)
{
    enum condition condition = l->err.condition;
    if (condition != COND_INLET_IO && condition != COND_INLET_CHECKPOINT_DAMAGED) must(l, false, step->name, at);
    store.at = 0;
    error_clear(&l->err);
    if (!l->ledger || step->run == open_it) must(l, open_it(l), "opened again", at);
    must(l, ledger_verify(l->ledger, &l->err), "the ledger is whole", at);
    if (step->run != open_it && step->run != open_again) must(l, step->run(l), step->name, at);
}

static char *live(enum disturbance kind, long at)
{
    struct life life, *l = &life;
    life_begin(l);
    store.kind = kind;
    store.calls = 0;
    store.at = at;
    store.hit = false;
    for (size_t i = 0; i < STEP_COUNT; i++) {
        store.writing = !steps[i].asks;
        bool ok = steps[i].run(l);
        if (!ok && !store.hit) must(l, false, steps[i].name, at);
        if (!ok) step_again(l, &steps[i], at);
    }
    store.at = 0;
    struct buffer text = {0};
    must(l, tell_all(l, &(struct ledger_filter){.batch_id = -1}, &text) && ledger_verify(l->ledger, &l->err), "the end", at);
    char *told = strdup(buffer_string(&text));
    buffer_free(&text);
    life_end(l);
    return told;
}

/* Up to the step that met the forged row: it is refused, or read as it stands; nothing reads behind its end. */
static bool live_until_forged(enum disturbance kind, long at)
{
    struct life life, *l = &life;
    life_begin(l);
    store.kind = kind;
    store.calls = 0;
    store.at = at;
    store.hit = false;
    for (size_t i = 0; i < STEP_COUNT && !store.hit; i++) {
        store.writing = !steps[i].asks;
        bool ok = steps[i].run(l);
        if (!ok && (!store.hit || l->err.condition != COND_INLET_CHECKPOINT_DAMAGED)) must(l, false, steps[i].name, at);
    }
    bool hit = store.hit;
    life_end(l);
    return hit;
}

static long each_call(enum disturbance kind, long stride)
{
    char *undisturbed = live(kind, 0);
    long calls = store.calls;
    if (getenv("VALGRIND")) stride *= 20;
    for (long at = 1; at <= calls; at += stride) {
        char *told = live(kind, at);
        assert_string_equal(told, undisturbed);
        free(told);
    }
    free(undisturbed);
    return calls;
}

static void a_failing_store_is_told_and_leaves_a_whole_ledger(void **state)
{
    (void)state;
    assert_true(each_call(FAILS, 1) > 500);
}

static void a_damaged_value_is_told_and_nothing_is_written(void **state)
{
    (void)state;
    assert_true(each_call(FLIPS, 3) > 200);
    assert_true(each_call(CUTS, 3) > 200);
}

static void a_question_that_misses_a_row_does_no_harm(void **state)
{
    (void)state;
    assert_true(each_call(LOSES, 2) > 200);
}

static void a_forged_row_is_refused_or_read_within_its_bytes(void **state)
{
    (void)state;
    for (enum disturbance kind = ENDS_EARLY; kind <= IS_LARGE; kind++)
        for (long at = 1 + (long)kind; live_until_forged(kind, at);) at += 5;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_failing_store_is_told_and_leaves_a_whole_ledger),
                                       cmocka_unit_test(a_damaged_value_is_told_and_nothing_is_written), cmocka_unit_test(a_question_that_misses_a_row_does_no_harm),
                                       cmocka_unit_test(a_forged_row_is_refused_or_read_within_its_bytes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
