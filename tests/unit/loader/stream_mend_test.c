/* stream_mend_test -- which files leave the open plan when a run of it failed: those that are not as planned, and no others. */
#include "base/file.h"
#include "loader/stream_state.h"
#include "tests/unit/fixture.h"

#include <stdio.h>
#include <unistd.h>

#include "tests/unit/fault.h"

int eaccess(const char *path, int mode);
int eaccess(const char *path, int mode) { return is_now() ? -1 : REAL("eaccess", const char *, int)(path, mode); }

enum { FILES = 5 };

static struct world {
    char folder[64];
    struct inlet_context context;
    struct pipeline *pipeline;
    struct stream stream;
    struct open_batch open;
} world;

static void must(bool ok)
{
    char text[8192];
    error_format(&err, text, sizeof text);
    if (!ok) fail_msg("%s", text);
}

static void quiet(void *user, enum log_level level, const char *event, const char *text) { (void)user, (void)level, (void)event, (void)text; }

static const char *path_of(int i) { return arena_printf(arena, "%s/landing/%d", world.folder, i); }

static struct admission admission_of(int i)
{
    struct stat info;
    must(file_replace(path_of(i), slice_text("abc\n"), &err));
    assert_int_equal(stat(path_of(i), &info), 0);
    return (struct admission){.verdict = ADMIT_PENDING,
                              .sighting = {.directory = arena_printf(arena, "%s/landing", world.folder), .name = arena_printf(arena, "%d", i), .size = info.st_size,
                                           .mtime_us = (int64_t)info.st_mtim.tv_sec * 1000000 + info.st_mtim.tv_nsec / 1000}};
}

/* A stream with a planned batch of all files. */
static int begin(void **state)
{
    static const struct ledger_source source = {.id = 0};
    start(state);
    memset(&world, 0, sizeof world);
    snprintf(world.folder, sizeof world.folder, "%s/stream_mend_XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    if (!mkdtemp(world.folder)) return -1;
    inlet_context_init(&world.context);
    world.context.log_line = quiet;
    must(directories_make(arena_printf(arena, "%s/landing", world.folder), &err));
    world.pipeline = pipeline_parse(arena, arena_printf(arena, "%s/p.yaml", world.folder),
                                    slice_text("readStream: {format: text, load: landing}\nwriteStream: {format: text, options: {checkpointLocation: cp}, start: out}\n"), &err);
    must(world.pipeline != NULL);
    struct ledger *ledger = ledger_open(arena_printf(arena, "%s/cp", world.folder), &world.context, &err);
    must(ledger != NULL);
    world.stream = (struct stream){.pipeline = world.pipeline, .context = &world.context, .arena = arena, .batch_arena = arena, .ledger = ledger};
    struct admission admissions[FILES];
    for (int i = 0; i < FILES; i++) admissions[i] = admission_of(i);
    struct discovery discovery = {.admissions = admissions, .count = FILES};
    struct ledger_input *files;
    size_t count = 0;
    must(ledger_admit(ledger, &source, &discovery, &err) && ledger_take(ledger, &source, &(struct take_limits){0}, arena, &files, &count, &err));
    assert_int_equal(count, FILES);
    struct plan plan = {.watermark_late_us = WATERMARK_NONE, .watermark_evict_us = WATERMARK_NONE, .settings = "{}", .pipeline_digest = "p", .limits = ""};
    plan.ranges = plan_ranges(arena, files, count, 0, &plan.range_count);
    stream_recut(&world.stream, &plan, files, count);
    must(ledger_plan(ledger, &plan, &err) && ledger_open_batch(ledger, arena, &world.open, &err));
    return 0;
}

static int end(void **state)
{
    must(ledger_verify(world.stream.ledger, &err));
    ledger_close(world.stream.ledger);
    must(directory_remove_tree(world.folder, &err));
    inlet_context_fini(&world.context);
    return stop(state);
}

/* A run failed with this, of the file. */
static bool mend(enum failure_kind kind, uint32_t file, enum condition condition, const char *path)
{
    struct execution_result result = {.kind = kind, .file_index = file};
    error_clear(&err);
    (void)error_set(&err, condition, "by test");
    if (path) (void)error_at(&err, path, 1, 0);
    bool ok = stream_mend_plan(&world.stream, &world.open, &result, &err);
    fault.counts = false;
    return ok;
}

/* In the ledger: so many in the plan, and the file in this state. */
static void expect(size_t planned, int file, enum file_state state)
{
    static const struct ledger_source source = {.id = 0};
    struct ledger_counts counts;
    struct ledger_file found;
    struct open_batch open;
    error_clear(&err);
    must(ledger_counts(world.stream.ledger, &counts, &err) && ledger_open_batch(world.stream.ledger, arena, &open, &err));
    assert_int_equal(world.open.file_count, planned);
    assert_int_equal(open.file_count, planned);
    assert_string_equal(open.plan.plan_digest, world.open.plan.plan_digest);
    must(ledger_find(world.stream.ledger, &source, arena_printf(arena, "%s/landing", world.folder), arena_printf(arena, "%d", file), arena, &found, &err));
    assert_string_equal(file_state_name(found.state), file_state_name(state));
}

static void the_failure_decides_what_becomes_of_the_file(void **state)
{
    (void)state;
    must(mend(FAILURE_INPUT_FILE, 4, COND_INLET_IO, path_of(4)));
    expect(4, 4, FILE_FAILED);
    must(mend(FAILURE_INPUT_FILE, 3, COND_INLET_FILE_CHANGED, path_of(3)));
    expect(3, 3, FILE_UNSETTLED);
    must(mend(FAILURE_INPUT_FILE, 2, COND_PATH_NOT_FOUND, path_of(2)));
    expect(2, 2, FILE_VANISHED);
    assert_int_equal(world.stream.totals.vanished_files, 1);
    world.pipeline->reader.settings.ignore_missing_files = true;
    must(mend(FAILURE_INPUT_FILE, 1, COND_FAILED_READ_FILE_NOT_EXIST, path_of(1)));
    expect(1, 1, FILE_SKIPPED);
    assert_int_equal(world.stream.totals.skipped_files, 1);
}

static void all_that_changed_leaves_at_once(void **state)
{
    (void)state;
    struct timespec times[2] = {{.tv_sec = 7}, {.tv_sec = 7}};
    assert_int_equal(unlink(path_of(0)), 0);
    must(file_replace(path_of(1), slice_text("longer than it was\n"), &err));
    assert_int_equal(utimensat(AT_FDCWD, path_of(2), times, 0), 0);
    must(mend(FAILURE_INPUT_FILE, 0, COND_PATH_NOT_FOUND, path_of(0)));
    expect(2, 0, FILE_VANISHED);
    expect(2, 1, FILE_UNSETTLED);
    expect(2, 2, FILE_UNSETTLED);
    expect(2, 3, FILE_PLANNED);
}

static void damage_in_a_file_as_it_was_planned_stands(void **state)
{
    (void)state;
    assert_false(mend(FAILURE_SINK, 0, COND_INLET_IO, path_of(0)));
    assert_false(mend(FAILURE_DATA, 0, COND_MALFORMED_RECORD_STRING, NULL));
    assert_false(mend(FAILURE_DATA, 0, COND_MALFORMED_RECORD_STRING, "/of/no/plan"));
    assert_false(mend(FAILURE_DATA, 0, COND_MALFORMED_RECORD_STRING, path_of(3)));
    assert_int_equal(err.condition, COND_MALFORMED_RECORD_STRING);
    expect(FILES, 3, FILE_PLANNED);
}

static void damage_in_a_file_that_changed_is_its_change(void **state)
{
    (void)state;
    must(file_replace(path_of(3), slice_text("abcdefg\n"), &err));
    must(mend(FAILURE_DATA, 0, COND_MALFORMED_RECORD_STRING, path_of(3)));
    expect(FILES - 1, 3, FILE_UNSETTLED);
}

/* The first call looks at the file that failed; then two for each of the others: its look, and whether it may be read. */
static void a_look_that_fails_tells_or_does_not(void **state)
{
    (void)state;
    static const struct { int code; bool by_look, by_access; enum file_state state; } cases[] = {
        {ENOENT, true, false, FILE_VANISHED}, {ENOTDIR, true, false, FILE_VANISHED}, {EACCES, true, true, FILE_FAILED}, {EIO, false, false, FILE_PLANNED}, {ENOMEM, false, false, FILE_PLANNED},
    };
    for (size_t i = 0; i < COUNTOF(cases); i++)
        for (int access_fails = 0; access_fails <= 1; access_fails++) {
            bool tells = access_fails ? cases[i].by_access : cases[i].by_look;
            if (i + (size_t)access_fails) begin(state);
            fault.calls = 0;
            fault.code = cases[i].code;
            fault.at = 3 + access_fails; /* 1 and 2: what the file that failed looks like now. */
            fault.counts = true;
            must(mend(FAILURE_INPUT_FILE, 0, COND_INLET_IO, path_of(0)));
            expect(tells ? 3 : 4, 0, FILE_FAILED);
            expect(tells ? 3 : 4, 1, tells ? cases[i].state : FILE_PLANNED);
            expect(tells ? 3 : 4, 2, FILE_PLANNED);
            if (i + (size_t)access_fails < COUNTOF(cases)) end(state);
        }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_failure_decides_what_becomes_of_the_file), TEST(all_that_changed_leaves_at_once), TEST(damage_in_a_file_as_it_was_planned_stands),
        TEST(damage_in_a_file_that_changed_is_its_change), TEST(a_look_that_fails_tells_or_does_not),
    };
    return cmocka_run_group_tests_name("stream mend", tests, NULL, NULL);
}
