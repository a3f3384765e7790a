/* settle_test -- the half-written rule: leases, quiet times, empty files. */
#include "listing/settle.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include "tests/unit/fault.h"

/* Also disturbed: what a lease is asked for with. */
int fcntl(int fd, int command, ...)
{
    va_list more;
    va_start(more, command);
    long argument = va_arg(more, long);
    va_end(more);
    return is_now() ? -1 : REAL("fcntl", int, int, long)(fd, command, argument);
}

static char folder[] = "/tmp/settle_test_XXXXXX";
static char path[128];

static int setup(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/settle_test_XXXXXX");
    if (!mkdtemp(folder)) return -1;
    snprintf(path, sizeof path, "%s/f", folder);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(folder);
}

static int make(const char *text)
{
    int fd = open(path, O_CREAT | O_WRONLY | O_TRUNC, 0666);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    return fd;
}

static int64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static struct settle_answer ask(bool known_complete, int64_t when_us, int64_t *size)
{
    struct sighting sighting = {.directory = folder, .name = "f", .known_complete = known_complete};
    struct settle_answer answer;
    settle_check(&sighting, when_us, &answer);
    if (size) *size = sighting.size;
    return answer;
}

static bool leases_work(void)
{
    int fd = open(path, O_RDONLY);
    bool ok = fcntl(fd, F_SETLEASE, F_RDLCK) == 0;
    close(fd);
    return ok;
}

static void a_closed_file_is_settled_an_open_one_is_not(void **state)
{
    (void)state;
    int64_t size;
    int fd = make("abc");
    struct settle_answer answer = ask(false, now_us(), &size);
    assert_int_equal(answer.settlement, NOT_SETTLED);
    assert_true(answer.check_us > now_us());
    assert_int_equal(size, 3);
    close(fd);
    if (!leases_work()) skip();
    assert_int_equal(ask(false, now_us(), NULL).settlement, SETTLED);
}

static void a_writer_keeps_a_file_unsettled_whatever_its_age(void **state)
{
    (void)state;
    int fd = make("abc");
    close(fd);
    if (!leases_work()) skip();
    fd = open(path, O_WRONLY | O_APPEND);
    assert_int_equal(ask(false, now_us() + 3600000000, NULL).settlement, NOT_SETTLED);
    close(fd);
}

static void what_is_known_complete_needs_no_lease(void **state)
{
    (void)state;
    int fd = make("abc");
    assert_int_equal(ask(true, now_us(), NULL).settlement, SETTLED);
    close(fd);
}

static void an_empty_file_waits_for_a_minute(void **state)
{
    (void)state;
    close(make(""));
    struct settle_answer answer = ask(false, now_us(), NULL);
    assert_int_equal(answer.settlement, NOT_SETTLED);
    assert_true(answer.empty_young);
    assert_int_equal(ask(true, now_us(), NULL).settlement, NOT_SETTLED);
    assert_int_equal(ask(false, now_us() + 61000000, NULL).settlement, SETTLED);
}

static void a_file_that_has_gone_is_told(void **state)
{
    (void)state;
    assert_int_equal(ask(false, now_us(), NULL).settlement, SETTLE_GONE);
    assert_int_equal(mkdir(path, 0777), 0);
    assert_int_equal(ask(false, now_us(), NULL).settlement, SETTLE_GONE);
    rmdir(path);
}

static void a_time_in_the_future_settles_all_the_same(void **state)
{
    (void)state;
    close(make("abc"));
    struct timespec times[2] = {{.tv_sec = 4000000000}, {.tv_sec = 4000000000}};
    utimensat(AT_FDCWD, path, times, 0);
    assert_int_equal(ask(false, now_us() + 3000000, NULL).settlement, SETTLED);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

/* The kernel tells the holder of a lease that somebody opens the file for writing; that must not end the process. */
static void survives_a_writer_that_comes_while_the_lease_is_tried(void **state)
{
    (void)state;
    close(make("x"));
    if (!leases_work()) skip();
    pid_t writer = fork();
    if (writer == 0) {
        for (;;) close(open(path, O_WRONLY));
    }
    pid_t looker = fork();
    if (looker == 0) {
        for (int i = 0; i < 30000; i++) ask(false, now_us(), NULL);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(looker, &status, 0), looker);
    kill(writer, SIGKILL);
    waitpid(writer, NULL, 0);
    assert_false(WIFSIGNALED(status));
}

/* --- Where something fails, the clock decides ------------------------------------------------------------------------ */

static struct settle_answer ask_disturbed(long at, bool on, int code, int64_t when_us)
{
    fault.calls = 0;
    fault.at = at;
    fault.on = on;
    fault.code = code;
    fault.counts = true;
    struct settle_answer answer = ask(false, when_us, NULL);
    fault.counts = fault.on = false;
    return answer;
}

enum { OPEN = 1, SET_SIGNAL, SET_LEASE, LOOK }; /* The calls in their order. */

static void without_a_lease_two_quiet_seconds_settle(void **state)
{
    (void)state;
    static const struct { long at; bool on; int code; } faults[] = {{OPEN, false, EACCES}, {OPEN, false, EMFILE}, {SET_SIGNAL, false, EINVAL}, {SET_LEASE, false, EACCES},
                                                                    {SET_LEASE, false, EINVAL}};
    close(make("abc"));
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        int64_t now = now_us();
        struct settle_answer answer = ask_disturbed(faults[i].at, faults[i].on, faults[i].code, now);
        assert_int_equal(answer.settlement, NOT_SETTLED);
        assert_in_range(answer.check_us, now, now + SETTLE_QUIET_US);
        assert_non_null(strstr(answer.reason, "2 s"));
        assert_int_equal(ask_disturbed(faults[i].at, faults[i].on, faults[i].code, now + SETTLE_QUIET_US + 1000).settlement, SETTLED);
    }
}

static void a_lease_refused_is_a_writer(void **state)
{
    (void)state;
    close(make("abc"));
    int64_t now = now_us();
    struct settle_answer answer = ask_disturbed(SET_LEASE, false, EAGAIN, now + 3600000000);
    assert_int_equal(answer.settlement, NOT_SETTLED);
    assert_non_null(strstr(answer.reason, "open for writing"));
}

static void without_a_lease_a_time_in_the_future_counts_as_the_last_change(void **state)
{
    (void)state;
    close(make("abc"));
    struct timespec times[2] = {{.tv_sec = 4000000000}, {.tv_sec = 4000000000}};
    utimensat(AT_FDCWD, path, times, 0);
    int64_t now = now_us();
    assert_int_equal(ask_disturbed(SET_LEASE, false, EACCES, now).settlement, NOT_SETTLED);
    assert_int_equal(ask_disturbed(SET_LEASE, false, EACCES, now + SETTLE_QUIET_US + 1000).settlement, SETTLED);
    assert_int_equal(ask_disturbed(SET_LEASE, false, EACCES, now - 3600000000).settlement, SETTLED); /* The clock was set back behind both times. */
}

static void what_cannot_be_looked_at_has_gone_or_is_judged_as_it_was_sighted(void **state)
{
    (void)state;
    close(make("abc"));
    int64_t later = now_us() + 61000000;
    assert_int_equal(ask_disturbed(OPEN, true, ENOENT, later).settlement, SETTLE_GONE);
    assert_int_equal(ask_disturbed(OPEN, true, ENOTDIR, later).settlement, SETTLE_GONE);
    assert_int_equal(ask_disturbed(OPEN, true, EACCES, later).settlement, SETTLED); /* It will fail when it is read. */
    assert_int_equal(ask_disturbed(LOOK, false, EIO, later).settlement, SETTLED);
    struct sighting old = {.directory = folder, .name = "f", .size = 3, .mtime_us = later, .ctime_us = later};
    struct settle_answer answer;
    fault.calls = 0;
    fault.at = OPEN;
    fault.on = fault.counts = true;
    settle_check(&old, later, &answer);
    fault.on = fault.counts = false;
    assert_int_equal(answer.settlement, NOT_SETTLED);
}

static void take_file_away(void) { unlink(path); }

static void a_file_that_goes_while_it_is_looked_at_has_gone(void **state)
{
    (void)state;
    close(make("abc"));
    fault.meanwhile = take_file_away;
    struct settle_answer answer = ask_disturbed(OPEN, false, 0, now_us());
    fault.meanwhile = NULL;
    assert_int_equal(answer.settlement, SETTLE_GONE);
    char name[300];
    memset(name, 'n', sizeof name);
    name[sizeof name - 1] = 0;
    struct sighting sighting = {.directory = folder, .name = name};
    settle_check(&sighting, 100000000, &answer); /* No such name can be: what is read later will tell. */
    assert_int_equal(answer.settlement, SETTLED);
    char *long_folder = malloc(5000);
    memset(long_folder, '/', 4999);
    long_folder[4999] = 0;
    sighting = (struct sighting){.directory = long_folder, .name = "f"};
    settle_check(&sighting, 100000000, &answer);
    assert_int_equal(answer.settlement, SETTLED);
    free(long_folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_closed_file_is_settled_an_open_one_is_not), TEST(a_writer_keeps_a_file_unsettled_whatever_its_age), TEST(what_is_known_complete_needs_no_lease),
        TEST(an_empty_file_waits_for_a_minute), TEST(a_file_that_has_gone_is_told), TEST(a_time_in_the_future_settles_all_the_same),
        TEST(survives_a_writer_that_comes_while_the_lease_is_tried), TEST(without_a_lease_two_quiet_seconds_settle), TEST(a_lease_refused_is_a_writer),
        TEST(without_a_lease_a_time_in_the_future_counts_as_the_last_change),
        TEST(what_cannot_be_looked_at_has_gone_or_is_judged_as_it_was_sighted), TEST(a_file_that_goes_while_it_is_looked_at_has_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
