/* discover_test -- listing and notifications into a ledger: many folders and files, folders that cannot be read, files still being written,
 * what a preview says before, and a system without watches. */
#include "base/file.h"
#include "loader/discover.h"
#include "loader/preview.h"
#include "tests/unit/fixture.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <time.h>
#include <unistd.h>

/* --- The system, otherwise than it is ----------------------------------------------------------------------------------------- */

#define REAL(name, ...) ((int (*)(__VA_ARGS__))dlsym(RTLD_NEXT, name))
static bool no_inotify, no_watches, folders_closed;
static int poll_problem, polls_left;

int inotify_init1(int flags)
{
    if (!no_inotify) return REAL("inotify_init1", int)(flags);
    errno = ENOSYS;
    return -1;
}

int inotify_add_watch(int fd, const char *path, uint32_t mask)
{
    if (!no_watches) return REAL("inotify_add_watch", int, const char *, uint32_t)(fd, path, mask);
    errno = ENOSPC;
    return -1;
}

int openat(int fd, const char *path, int flags, ...)
{
    if (!folders_closed || !strstr(path, "closed")) return REAL("openat", int, const char *, int, ...)(fd, path, flags, 0644);
    errno = EACCES;
    return -1;
}

int open(const char *path, int flags, ...)
{
    if (!folders_closed || !strstr(path, "closed")) return REAL("open", const char *, int, ...)(path, flags, 0644);
    errno = EACCES;
    return -1;
}

int poll(struct pollfd *fds, nfds_t count, int timeout)
{
    if (!poll_problem || polls_left-- <= 0) return REAL("poll", struct pollfd *, nfds_t, int)(fds, count, timeout);
    errno = poll_problem;
    return -1;
}

/* --- A landing zone and its ledger ------------------------------------------------------------------------------------------------ */

static struct world {
    char folder[64];
    struct inlet_context context;
    struct pipeline *pipeline;
    struct ledger *ledger;
    struct discoverer *discoverer;
    int64_t shift_us;
    int warnings;
    char last_event[64];
} world;

static void must(bool ok)
{
    char text[8192];
    error_format(&err, text, sizeof text);
    if (!ok) fail_msg("%s", text);
}

static int64_t shifted(void *user)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000 + ((const struct world *)user)->shift_us;
}

static void note(void *user, enum log_level level, const char *event, const char *text)
{
    struct world *w = user;
    (void)text;
    if (level > LOG_WARN) return;
    w->warnings++;
    snprintf(w->last_event, sizeof w->last_event, "%s", event);
}

static int begin(void **state)
{
    start(state);
    memset(&world, 0, sizeof world);
    no_inotify = no_watches = folders_closed = false;
    poll_problem = polls_left = 0;
    snprintf(world.folder, sizeof world.folder, "%s/discover_XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    if (!mkdtemp(world.folder)) return -1;
    inlet_context_init(&world.context);
    world.context.log_line = note;
    world.context.log_user = world.context.now_user = &world;
    world.context.now_us = shifted;
    world.shift_us = 3600 * (int64_t)1000000; /* What is written now is complete. */
    must(directories_make(arena_printf(arena, "%s/landing", world.folder), &err));
    world.ledger = ledger_open(arena_printf(arena, "%s/cp", world.folder), &world.context, &err);
    must(world.ledger != NULL);
    return 0;
}

static int end(void **state)
{
    discoverer_close(world.discoverer);
    must(ledger_verify(world.ledger, &err));
    ledger_close(world.ledger);
    must(directory_remove_tree(world.folder, &err));
    inlet_context_fini(&world.context);
    return stop(state);
}

static struct pipeline_reader *reader_of(const char *reader)
{
    const char *text = arena_printf(arena, "readStream: %s\nwriteStream: {format: text, options: {checkpointLocation: cp}, start: out}\n", reader);
    world.pipeline = pipeline_parse(arena, arena_printf(arena, "%s/p.yaml", world.folder), slice_text(text), &err);
    must(world.pipeline != NULL);
    return &world.pipeline->reader;
}

static void open_discoverer(const char *reader, bool service)
{
    struct pipeline_reader *settings = reader_of(reader);
    struct ledger_source source = discoverer_source(settings);
    discoverer_close(world.discoverer);
    world.discoverer = discoverer_open(settings, world.ledger, &world.context, &source, service, &err);
    must(world.discoverer != NULL);
}

static void put_text(const char *name, const char *text)
{
    const char *path = arena_printf(arena, "%s/landing/%s", world.folder, name);
    must(directories_make(arena_strndup(arena, path, (size_t)(path_basename(path) - path - 1)), &err));
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    assert_true(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text) && close(fd) == 0);
}

static void put(const char *name) { put_text(name, "abc\n"); }

static struct discovery_report look(void)
{
    struct discovery_report report;
    error_clear(&err);
    must(discoverer_look(world.discoverer, NULL, &report, &err));
    return report;
}

static int64_t files_that_are(enum file_state state)
{
    struct ledger_counts counts;
    must(ledger_counts(world.ledger, &counts, &err));
    return counts.files[state];
}

#define TEXT_READER "{format: text, load: landing, options: {recursiveFileLookup: true}}"

/* --- Listing ------------------------------------------------------------------------------------------------------------------------- */

static void many_files_and_folders_are_admitted_once(void **state)
{
    (void)state;
    enum { FOLDERS = 40, FILES = 8300 };
    for (int i = 0; i < FILES; i++) put(arena_printf(arena, "%d/%d", i % FOLDERS, i));
    open_discoverer(TEXT_READER, false);
    assert_int_equal(look().admitted, FILES);
    assert_int_equal(look().admitted, 0);
    put("7/new");
    assert_int_equal(look().admitted, 1);
    open_discoverer("{format: text, load: landing, options: {recursiveFileLookup: true, pathGlobFilter: '*'}}", false); /* Marks of other settings are void. */
    assert_int_equal(look().admitted, 0);
    assert_int_equal(files_that_are(FILE_PENDING), FILES + 1);
}

static void folders_that_cannot_be_read_are_told_once(void **state)
{
    (void)state;
    enum { CLOSED = 20 };
    for (int i = 0; i < CLOSED; i++) put(arena_printf(arena, "closed%d/f", i));
    put("open/f");
    folders_closed = true;
    open_discoverer(TEXT_READER, false);
    struct discovery_report report = look();
    assert_int_equal(report.unreadable, CLOSED);
    assert_int_equal(report.admitted, 1);
    assert_int_equal(world.warnings, CLOSED);
    assert_int_equal(look().unreadable, CLOSED);
    assert_int_equal(world.warnings, CLOSED);
    folders_closed = false;
    assert_int_equal(look().admitted, CLOSED);
}

static void empty_files_wait_however_many(void **state)
{
    (void)state;
    enum { FILES = 1100 };
    world.shift_us = 0;
    for (int i = 0; i < FILES; i++) put_text(arena_printf(arena, "%d", i), "");
    open_discoverer(TEXT_READER, false);
    struct discovery_report report = look();
    assert_int_equal(report.unsettled, FILES);
    assert_true(report.empty_check_us > 0);
    assert_int_equal(unlink(arena_printf(arena, "%s/landing/5", world.folder)), 0);
    world.shift_us = 3600 * (int64_t)1000000;
    assert_int_equal(look().admitted, FILES - 1);
    assert_int_equal(files_that_are(FILE_UNSETTLED), 0);
}

/* A file of a month ago, once one of today is known; a limit takes the newest first and knows no age. */
static void old_files_are_passed_over_unless_a_limit_orders_them(void **state)
{
    (void)state;
    static const struct { const char *options; bool old_counts; } cases[] = {
        {"{maxFileAge: 7d}", false}, {"{maxFileAge: 7d, latestFirst: true}", false}, {"{maxFileAge: 7d, latestFirst: true, maxFilesPerTrigger: 2}", true},
        {"{maxFileAge: 7d, latestFirst: true, maxBytesPerTrigger: 2000}", true}, {"{maxFileAge: 7d, maxFilesPerTrigger: 2}", false},
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        if (i) begin(state);
        const struct timespec times[2] = {{.tv_sec = 1600000000}, {.tv_sec = 1600000000}};
        put("new");
        open_discoverer(arena_printf(arena, "{format: text, load: landing, options: %s}", cases[i].options), false);
        assert_int_equal(look().admitted, 1);
        put("old");
        assert_int_equal(utimensat(AT_FDCWD, arena_printf(arena, "%s/landing/old", world.folder), times, 0), 0);
        struct discovery_report report = look();
        if (report.admitted != cases[i].old_counts || report.skipped == cases[i].old_counts) fail_msg("%s", cases[i].options);
        if (i + 1 < COUNTOF(cases)) end(state);
    }
}

/* --- Notifications --------------------------------------------------------------------------------------------------------------------- */

#define NOTIFIED "{format: cloudFiles, schema: 'v STRING', load: landing, options: {cloudFiles.format: csv, cloudFiles.useNotifications: true}}"

static void without_watches_it_lists(void **state)
{
    (void)state;
    no_inotify = true;
    open_discoverer(NOTIFIED, true);
    assert_string_equal(world.last_event, "notify.unavailable");
    put("a");
    assert_int_equal(look().admitted, 1);
    put("b");
    assert_int_equal(look().admitted, 1);
}

static void where_too_few_watches_are_given_it_lists_too(void **state)
{
    (void)state;
    no_watches = true;
    open_discoverer(NOTIFIED, true);
    put("a");
    assert_int_equal(look().admitted, 1);
    must(discoverer_wait(world.discoverer, shifted(&world) + 1000, &err));
    put("b");
    world.shift_us += 2000000;
    assert_int_equal(look().admitted, 1);
    assert_string_equal(world.last_event, "notify.limited");
    assert_int_equal(world.warnings, 1); /* Said once. */
}

static void a_clock_that_was_set_back_lists_again(void **state)
{
    (void)state;
    open_discoverer(NOTIFIED, true);
    put("a");
    assert_int_equal(look().admitted, 1);
    world.shift_us /= 2;
    put("b");
    assert_int_equal(look().admitted, 1);
    world.shift_us += 49 * 3600 * (int64_t)1000000; /* A day later it lists whatever it was told. */
    assert_int_equal(look().admitted, 0);
}

static void a_wait_that_fails_is_told(void **state)
{
    (void)state;
    open_discoverer(NOTIFIED, true);
    assert_int_equal(look().admitted, 0);
    poll_problem = EINTR;
    polls_left = 2;
    must(discoverer_wait(world.discoverer, shifted(&world) + 1000, &err));
    poll_problem = EBADF;
    polls_left = 1;
    assert_false(discoverer_wait(world.discoverer, shifted(&world) + 100000, &err));
    assert_non_null(strstr(err.message, "could not wait"));
    polls_left = 0;
    atomic_store(&world.context.cancel.level, 1);
    must(discoverer_wait(world.discoverer, 0, &err));
}

/* --- Previews ---------------------------------------------------------------------------------------------------------------------------- */

static int seen_pending, seen_other, stop_after = -1;

static bool count_file(void *user, const struct sighting *sighting, enum admission_verdict verdict, const char *reason, struct error *problem)
{
    assert_null(user);
    assert_true(sighting->name[0] && (verdict == ADMIT_PENDING || reason));
    if (verdict == ADMIT_PENDING) seen_pending++;
    else seen_other++;
    return seen_pending + seen_other != stop_after || error_set(problem, COND_INLET_IO, "the pipe is closed");
}

static bool preview(const struct pipeline_reader *reader, struct ledger *ledger)
{
    seen_pending = seen_other = 0;
    error_clear(&err);
    return discover_preview(reader, ledger, &world.context, count_file, NULL, &err);
}

static void a_preview_says_what_a_look_would_do(void **state)
{
    (void)state;
    struct pipeline_reader *reader = reader_of(TEXT_READER);
    put("a");
    put("b");
    must(preview(reader, NULL));
    assert_int_equal(seen_pending, 2);
    open_discoverer(TEXT_READER, false);
    assert_int_equal(look().admitted, 2);
    put("c");
    must(preview(reader, world.ledger));
    assert_int_equal(seen_pending, 1);
    must(preview(reader, NULL));
    assert_int_equal(seen_pending, 3);
    stop_after = 2;
    assert_false(preview(reader, NULL));
    assert_string_equal(err.message, "the pipe is closed");
    stop_after = -1;
    assert_int_equal(files_that_are(FILE_PENDING), 2);
}

static void a_damaged_setting_is_told_by_all_who_ask(void **state)
{
    (void)state;
    static const char *const names[] = {"source.0.started_us", "source.0.newest_mtime_us", "source.0.full_pass_us"};
    struct pipeline_reader *reader = reader_of(TEXT_READER);
    struct ledger_source source = discoverer_source(reader);
    put("a");
    for (size_t i = 0; i < COUNTOF(names); i++) {
        struct sighting sighting = {.directory = world.folder, .name = "a"};
        enum admission_verdict verdict;
        const char *reason;
        must(ledger_setting_set(world.ledger, &(struct ledger_setting){names[i], "x"}, 1, &err));
        assert_null(discoverer_open(reader, world.ledger, &world.context, &source, false, &err));
        assert_int_equal(err.condition, COND_INLET_CHECKPOINT_DAMAGED);
        assert_int_equal(preview(reader, world.ledger), i == 2); /* The third is nothing to a preview. */
        error_clear(&err);
        assert_int_equal(discover_judge(reader, world.ledger, &world.context, &sighting, &verdict, &reason, &err), i == 2);
        error_clear(&err);
        must(ledger_setting_set(world.ledger, &(struct ledger_setting){names[i], NULL}, 1, &err));
    }
}

static void a_load_path_that_is_no_pattern_is_refused_by_all(void **state)
{
    (void)state;
    struct pipeline_reader *reader = reader_of(TEXT_READER);
    struct ledger_source source = discoverer_source(reader);
    const char *bad = arena_printf(arena, "%s/{a", world.folder);
    reader->load = &bad;
    assert_null(discoverer_open(reader, world.ledger, &world.context, &source, false, &err));
    assert_int_not_equal(err.condition, COND_NONE);
    assert_false(preview(reader, NULL));
    assert_int_not_equal(err.condition, COND_NONE);
    error_clear(&err);
    assert_null(discover_why_not(reader, "/x", arena, &err));
    assert_int_not_equal(err.condition, COND_NONE);
    error_clear(&err);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(many_files_and_folders_are_admitted_once), TEST(folders_that_cannot_be_read_are_told_once), TEST(empty_files_wait_however_many),
        TEST(old_files_are_passed_over_unless_a_limit_orders_them), TEST(without_watches_it_lists), TEST(where_too_few_watches_are_given_it_lists_too),
        TEST(a_clock_that_was_set_back_lists_again), TEST(a_wait_that_fails_is_told), TEST(a_preview_says_what_a_look_would_do),
        TEST(a_damaged_setting_is_told_by_all_who_ask), TEST(a_load_path_that_is_no_pattern_is_refused_by_all),
    };
    return cmocka_run_group_tests_name("discover", tests, NULL, NULL);
}
