/* command_test -- a program run for a batch: each call on the way fails once, in inlet and in the child before it becomes the program; then
 * what it inherits, what is kept of what it says, and how it can end. */
#include "fixture.h"
#include "disturbed.h"
#include "sinks/command.h"

#include <signal.h>
#include <sys/wait.h>

/* --- more of the system, disturbed --------------------------------------------------------------------- */

static bool parent_is_gone;

pid_t getppid(void) { return parent_is_gone ? 1 : REAL("getppid", void)(); }
int chdir(const char *path) { return fails(ANY) ? -1 : REAL("chdir", const char *)(path); }
int dup2(int from, int to) { return fails(ANY) ? -1 : REAL("dup2", int, int)(from, to); }
int pipe2(int ends[2], int flags) { return fails(ANY) ? -1 : REAL("pipe2", int *, int)(ends, flags); }
pid_t fork(void) { return fails(ANY) ? -1 : REAL("fork", void)(); }
int poll(struct pollfd *fds, nfds_t count, int timeout) { return fails(TRANSFERS) ? -1 : REAL("poll", struct pollfd *, nfds_t, int)(fds, count, timeout); }
pid_t waitpid(pid_t pid, int *status, int flags) { return fails(TRANSFERS) ? -1 : REAL("waitpid", pid_t, int *, int)(pid, status, flags); }

int fcntl(int fd, int command, ...)
{
    va_list more;
    va_start(more, command);
    long argument = va_arg(more, long);
    va_end(more);
    return fails(ANY) ? -1 : REAL("fcntl", int, int, ...)(fd, command, argument);
}

/* The child's counters would go with it. */
#ifdef COVERAGE
void __gcov_dump(void);
void __gcov_reset(void);

static void keep_counters(void)
{
    bool counts = fault.counts;
    fault.counts = false;
    __gcov_dump();
    __gcov_reset();
    fault.counts = counts;
}
#else
static void keep_counters(void) {}
#endif

int execvpe(const char *file, char *const *argv, char *const *environment)
{
    keep_counters();
    return ((int (*)(const char *, char *const *, char *const *))dlsym(RTLD_NEXT, "execvpe"))(file, argv, environment);
}

void _exit(int status)
{
    keep_counters();
    ((void (*)(int))dlsym(RTLD_NEXT, "_exit"))(status);
    abort();
}

/* --- running ------------------------------------------------------------------------------------------- */

static char folder[64] = "/tmp/inlet-command-XXXXXX";
static struct cancel cancel;

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    struct error err;
    return directory_remove_tree(folder, &err) ? 0 : -1;
}

static const char *path_of(const char *name)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

/* What a file of the folder holds; "" where there is none. */
static const char *text_of(const char *name)
{
    static char text[8192];
    FILE *file = fopen(path_of(name), "r");
    size_t size = file ? fread(text, 1, sizeof text - 1, file) : 0;
    if (file) fclose(file);
    text[size] = 0;
    return text;
}

/* Runs with "rows" as its input and standard error in the file "said". */
static bool run(const char *const *argv, const char *const *environment, struct error *err)
{
    bool counts = fault.counts;
    fault.counts = false;
    int input = open(path_of("rows"), O_RDWR | O_CREAT | O_TRUNC, 0600);
    assert_int_equal(write(input, "rows\n", 5), 5);
    lseek(input, 0, SEEK_SET);
    int said = open(path_of("said"), O_RDWR | O_CREAT | O_TRUNC, 0600), saved = dup(2);
    dup2(said, 2);
    close(said);
    struct command command = {.argv = argv, .directory = folder, .environment = environment, .input = input, .cancel = &cancel};
    error_clear(err);
    fault.counts = counts;
    bool ok = command_run(&command, err);
    fault.counts = false;
    dup2(saved, 2);
    close(saved);
    close(input);
    return ok;
}

static const char *const no_environment[] = {NULL};

static bool run_script(const char *script, struct error *err)
{
    const char *const argv[] = {"sh", "-c", script, NULL};
    return run(argv, no_environment, err);
}

static int open_descriptors(void)
{
    int count = 0;
    DIR *entries = opendir("/proc/self/fd");
    while (readdir(entries)) count++;
    closedir(entries);
    return count;
}

/* --- one call fails ------------------------------------------------------------------------------------ */

/* True: it ran. Else the error says so; nothing is left open in either case, and no child. */
static bool run_disturbed(const char *const *argv, long at, int code, long *calls)
{
    struct error err;
    int before = open_descriptors();
    unlink(path_of("got"));
    fault.at = at;
    fault.code = code;
    fault.calls = 0;
    fault.counts = true;
    bool ok = run(argv, no_environment, &err);
    *calls = fault.calls;
    if (!ok) assert_true(error_is_set(&err) && err.message[0]);
    if (ok) assert_string_equal(text_of("got"), "rows\n");
    assert_int_equal(open_descriptors(), before);
    while (waitpid(-1, NULL, 0) > 0) {} /* One that nobody could wait for. */
    return ok;
}

/* How often a program is waited for depends on the moment; calls beyond what this run makes are none. */
static int count_failures(const char *const *argv, enum fault_group group, int code)
{
    enum { CALLS_MAX = 60 };
    long calls = CALLS_MAX;
    int failures = 0;
    fault_group = group;
    for (long at = 1; at <= CALLS_MAX && at <= calls + 5; at++) failures += !run_disturbed(argv, at, code, &calls);
    fault_group = ANY;
    return failures;
}

static void a_call_that_fails_is_an_error_or_nothing(void **state)
{
    (void)state;
    static const char *const argv[] = {"sh", "-c", "cat > got; echo one >&2; echo two >&2", NULL};
    static const char *const leaves_a_child[] = {"sh", "-c", "cat > got; echo one >&2; (sleep 1; exec 2>&-) &", NULL};
    assert_true(count_failures(argv, ANY, EIO) > 5);           /* Of pipes, of the fork, of the child's way. */
    assert_int_equal(count_failures(argv, TRANSFERS, EINTR), 0); /* An interruption is none. */
    count_failures(leaves_a_child, ANY, EIO);
}

static void a_program_that_is_not_there_is_told_whatever_is_interrupted(void **state)
{
    (void)state;
    static const char *const argv[] = {"./nothing", NULL};
    struct error err;
    long calls;
    assert_false(run(argv, no_environment, &err));
    assert_int_equal(err.condition, COND_INLET_COMMAND_FAILED);
    assert_contains(err.message, "could not start the command \"./nothing\"");
    assert_contains(err.message, "No such file");
    fault_group = TRANSFERS;
    for (long at = 1; at < 12; at++) assert_false(run_disturbed(argv, at, EINTR, &calls));
    fault_group = ANY;
}

static void the_child_of_a_dead_parent_does_not_begin(void **state)
{
    (void)state;
    struct error err;
    parent_is_gone = true;
    unlink(path_of("begun"));
    assert_false(run_script("echo > begun", &err));
    parent_is_gone = false;
    assert_int_equal(err.condition, COND_INLET_COMMAND_FAILED);
    assert_int_not_equal(access(path_of("begun"), F_OK), 0);
}

/* Where the one who started inlet ignores its children's ends, the kernel keeps no status. */
static void an_end_that_nobody_can_tell_is_an_error(void **state)
{
    (void)state;
    struct error err;
    signal(SIGCHLD, SIG_IGN);
    assert_false(run_script("exit 0", &err));
    signal(SIGCHLD, SIG_DFL);
    assert_int_equal(err.condition, COND_INLET_COMMAND_FAILED);
    assert_contains(err.message, "could not learn how the command \"sh\" ended");
}

/* --- what it inherits ---------------------------------------------------------------------------------- */

static void its_variables_win_over_those_that_inlet_has(void **state)
{
    (void)state;
    static const char *const environment[] = {"INLET_TEST_A=new", "INLET_TEST_B=b", NULL};
    static const char *const argv[] = {"sh", "-c", "env | grep ^INLET_TEST | sort > got", NULL};
    struct error err;
    setenv("INLET_TEST_A", "old", 1);
    setenv("INLET_TEST_AA", "kept", 1);
    assert_true(run(argv, environment, &err));
    unsetenv("INLET_TEST_A");
    unsetenv("INLET_TEST_AA");
    assert_string_equal(text_of("got"), "INLET_TEST_A=new\nINLET_TEST_AA=kept\nINLET_TEST_B=b\n");
}

static void signals_are_as_at_a_login(void **state)
{
    (void)state;
    static const int ignored[] = {SIGPIPE, SIGXFSZ, SIGIO, SIGHUP};
    struct error err;
    sigset_t blocked;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGTERM);
    for (int i = 1; i < 32; i++) signal(i, SIG_DFL); /* Whoever runs the tests may ignore some: a shell's & does. */
    for (size_t i = 0; i < COUNTOF(ignored); i++) signal(ignored[i], SIG_IGN);
    sigprocmask(SIG_BLOCK, &blocked, NULL);
    bool ok = run_script("grep -E 'SigIgn|SigBlk' /proc/self/status > got", &err);
    sigprocmask(SIG_UNBLOCK, &blocked, NULL);
    for (size_t i = 0; i < COUNTOF(ignored); i++) signal(ignored[i], SIG_DFL);
    assert_true(ok);
    unsigned long long is_blocked, is_ignored, standard = (1ull << 31) - 1; /* 32 and 33 are the C library's. */
    assert_int_equal(sscanf(text_of("got"), "SigBlk: %llx SigIgn: %llx", &is_blocked, &is_ignored), 2);
    assert_int_equal(is_blocked & standard, 0);
    assert_int_equal(is_ignored & standard, 0);
}

/* --- what it says, and how it ends --------------------------------------------------------------------- */

static const char *said_by(const char *script)
{
    static struct error err;
    assert_false(run_script(script, &err));
    assert_int_equal(err.condition, COND_INLET_COMMAND_FAILED);
    return err.message;
}

static void the_message_ends_with_whole_lines_that_it_said(void **state)
{
    (void)state;
    assert_string_equal(said_by("printf 'why\\r\\n\\n' >&2; exit 2"), "the command \"sh\" exited with status 2; it said last: why");
    assert_string_equal(said_by("printf '\\n\\n' >&2; exit 2"), "the command \"sh\" exited with status 2");
    assert_string_equal(said_by("kill -TERM $$"), "the command \"sh\" was ended by signal 15 (Terminated)");
    const char *one_line = said_by("head -c 5000 /dev/zero | tr '\\0' x >&2; exit 2");
    assert_contains(one_line, "it said last: xxxxxxxx");
    assert_int_equal(strlen(text_of("said")), 5000); /* All of it was passed on. */
    const char *lines = said_by("head -c 2000 /dev/zero | tr '\\0' x >&2; echo >&2; echo last >&2; exit 2");
    assert_string_equal(lines, "the command \"sh\" exited with status 2; it said last: last");
}

static void standard_output_goes_to_standard_error_unkept(void **state)
{
    (void)state;
    assert_string_equal(said_by("echo out; exit 9"), "the command \"sh\" exited with status 9");
    assert_string_equal(text_of("said"), "out\n");
}

static void one_that_closes_its_standard_error_is_waited_for(void **state)
{
    (void)state;
    struct error err;
    assert_true(run_script("exec 2>&-; sleep 0.1; echo done > got", &err));
    assert_string_equal(text_of("got"), "done\n");
}

static void nothing_is_awaited_where_the_stream_is_to_stop_now(void **state)
{
    (void)state;
    struct error err;
    cancel.level = 2;
    assert_false(run_script("sleep 60", &err));
    assert_int_equal(err.condition, COND_INLET_CANCELLED);
    assert_false(run_script("exec 2>&-; sleep 60", &err));
    cancel.level = 0;
    assert_int_equal(err.condition, COND_INLET_CANCELLED);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_that_fails_is_an_error_or_nothing),
        cmocka_unit_test(a_program_that_is_not_there_is_told_whatever_is_interrupted),
        cmocka_unit_test(the_child_of_a_dead_parent_does_not_begin),
        cmocka_unit_test(an_end_that_nobody_can_tell_is_an_error),
        cmocka_unit_test(its_variables_win_over_those_that_inlet_has),
        cmocka_unit_test(signals_are_as_at_a_login),
        cmocka_unit_test(the_message_ends_with_whole_lines_that_it_said),
        cmocka_unit_test(standard_output_goes_to_standard_error_unkept),
        cmocka_unit_test(one_that_closes_its_standard_error_is_waited_for),
        cmocka_unit_test(nothing_is_awaited_where_the_stream_is_to_stop_now),
    };
    alarm(120);
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
