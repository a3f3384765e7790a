/* draft: names only for what is complete, nothing left behind; with nameless files, and where there are none. */
#include "base/draft.h"
#include "base/file.h"
#include "tests/unit/fixture.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[64];
static bool nameless = true; /* Until refuse_nameless. */

static char *in(const char *name) { return path_join(arena, folder, name); }

static int enter(void **state)
{
    snprintf(folder, sizeof folder, "/tmp/draft-test-XXXXXX");
    return !mkdtemp(folder) || start(state) != 0;
}

static int leave(void **state)
{
    (void)!directory_remove_tree(folder, NULL);
    return stop(state);
}

static size_t count_names(void)
{
    size_t count = 0;
    DIR *entries = opendir(folder);
    assert_non_null(entries);
    for (const struct dirent *entry; (entry = readdir(entries));) count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    closedir(entries);
    return count;
}

static void put(const char *name, const char *text)
{
    int fd = open(in(name), O_WRONLY | O_CREAT | O_TRUNC, 0644);
    assert_true(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    close(fd);
}

static void holds(const char *name, const char *text)
{
    struct buffer got = {0};
    assert_true(file_read_all(in(name), 1000, &got, &err));
    assert_string_equal(buffer_string(&got), text);
    buffer_free(&got);
}

static void begin(struct draft *draft, const char *name, const char *text)
{
    assert_true(draft_open(draft, in(name), &err));
    assert_int_equal(draft->named, !nameless);
    assert_true(write_all(draft->fd, text, strlen(text), name, &err));
}

static void a_file_is_there_when_it_is_complete(void **state)
{
    (void)state;
    struct draft draft;
    bool existed = true;
    begin(&draft, "a", "one");
    assert_int_equal(access(in("a"), F_OK), -1);
    assert_int_equal(count_names(), nameless ? 0 : 1);
    draft_start(&draft);
    assert_true(draft_create(&draft, &existed, &err));
    assert_false(existed);
    assert_int_equal(draft.fd, -1);
    holds("a", "one");
    assert_int_equal(count_names(), 1);
}

static void a_file_that_is_there_stays(void **state)
{
    (void)state;
    put("a", "old");
    struct draft draft;
    bool existed = false;
    begin(&draft, "a", "new");
    assert_true(draft_create(&draft, &existed, &err));
    assert_true(existed);
    holds("a", "old");
    assert_int_equal(count_names(), 1);
}

static void a_file_is_replaced_whole(void **state)
{
    (void)state;
    put("a", "old and long");
    for (int i = 0; i < 3; i++) {
        struct draft draft;
        begin(&draft, "a", "new");
        holds("a", i ? "new" : "old and long");
        assert_true(draft_replace(&draft, &err));
        holds("a", "new");
    }
    assert_int_equal(count_names(), 1);
}

static void a_file_is_replaced_past_a_second_name_that_a_crash_left(void **state)
{
    (void)state;
    put("a", "old");
    put(".a.inlet.tmp", "left");
    struct draft draft;
    begin(&draft, "a", "new");
    assert_true(draft_replace(&draft, &err));
    holds("a", "new");
    assert_int_equal(count_names(), nameless ? 1 : 2);
    /* The place itself may be empty behind a power cut. */
    assert_int_equal(unlink(in("a")), 0);
    put(".a.inlet.tmp", "left");
    begin(&draft, "a", "newer");
    assert_true(draft_replace(&draft, &err));
    holds("a", "newer");
    assert_int_equal(count_names(), nameless ? 1 : 2);
}

static void what_is_given_up_leaves_nothing(void **state)
{
    (void)state;
    struct draft draft;
    begin(&draft, "a", "half");
    draft_discard(&draft);
    draft_discard(&draft);
    assert_int_equal(draft.fd, -1);
    assert_int_equal(count_names(), 0);
}

static void drafts_of_one_name_do_not_meet(void **state)
{
    (void)state;
    struct draft first, second;
    bool existed;
    begin(&first, "a", "first");
    begin(&second, "a", "second"); /* Sweeps what is left, and the first is not. */
    assert_true(draft_sync(&first, &err) && draft_sync(&second, &err) && draft_sync(&second, &err));
    assert_true(draft_create(&second, &existed, &err) && !existed);
    assert_true(draft_create(&first, &existed, &err) && existed);
    holds("a", "second");
    assert_int_equal(count_names(), 1);
}

static void a_folder_that_is_not_there_is_told(void **state)
{
    (void)state;
    struct draft draft;
    assert_false(draft_open(&draft, in("none/a"), &err));
    assert_int_equal(err.errno_value, ENOENT);
    error_clear(&err);
    char name[PATH_MAX + 10];
    memset(name, 'x', sizeof name);
    name[0] = '/';
    name[sizeof name - 1] = 0;
    assert_false(draft_open(&draft, name, &err));
    assert_true(error_is_set(&err) && !err.errno_value); /* Too long. */
    name[PATH_MAX - 5] = 0; /* The path has room, its draft's has not. */
    error_clear(&err);
    assert_false(draft_open(&draft, name, &err));
    assert_true(error_is_set(&err) && !err.errno_value); /* Too long. */
}

static void a_folder_in_the_place_is_told(void **state)
{
    (void)state;
    assert_int_equal(mkdir(in("a"), 0755), 0);
    struct draft draft;
    bool existed;
    begin(&draft, "a", "x");
    assert_false(draft_replace(&draft, &err));
    assert_int_equal(count_names(), 1);
    begin(&draft, "a", "x");
    assert_true(draft_create(&draft, &existed, &err) && existed);
    assert_int_equal(count_names(), 1);
}

/* From here on the process has no nameless files, as on some FUSE and network mounts. */
static void refuse_nameless(void **state)
{
    (void)state;
    const unsigned flag = O_TMPFILE & ~(unsigned)O_DIRECTORY;
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[2])),
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, flag, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EOPNOTSUPP),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {COUNTOF(code), code};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) skip();
    nameless = false;
}

static void what_a_killed_process_left_is_swept(void **state)
{
    (void)state;
    if (nameless) skip();
    pid_t child = fork();
    if (child == 0) {
        struct draft draft;
        _exit(draft_open(&draft, in("a"), &err) ? 0 : 1); /* Killed: nothing is discarded. */
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(count_names(), 1);
    put(".a.0123456x.tmp", "not a draft");
    put(".a.01234567.tmpx", "nor this");
    put(".b.01234567.tmp", "another's");
    struct draft draft;
    begin(&draft, "a", "x");
    assert_int_equal(count_names(), 4);
    draft_discard(&draft);
    assert_int_equal(count_names(), 3);
}

#define EVERY_WAY                                                                                                                            \
    cmocka_unit_test_setup_teardown(a_file_is_there_when_it_is_complete, enter, leave),                                                      \
    cmocka_unit_test_setup_teardown(a_file_that_is_there_stays, enter, leave),                                                               \
    cmocka_unit_test_setup_teardown(a_file_is_replaced_whole, enter, leave),                                                                 \
    cmocka_unit_test_setup_teardown(a_file_is_replaced_past_a_second_name_that_a_crash_left, enter, leave),                                  \
    cmocka_unit_test_setup_teardown(what_is_given_up_leaves_nothing, enter, leave),                                                          \
    cmocka_unit_test_setup_teardown(drafts_of_one_name_do_not_meet, enter, leave),                                                           \
    cmocka_unit_test_setup_teardown(a_folder_that_is_not_there_is_told, enter, leave),                                                       \
    cmocka_unit_test_setup_teardown(a_folder_in_the_place_is_told, enter, leave)

int main(void)
{
    const struct CMUnitTest tests[] = {
        EVERY_WAY,
        cmocka_unit_test(refuse_nameless),
        EVERY_WAY,
        cmocka_unit_test_setup_teardown(what_a_killed_process_left_is_swept, enter, leave),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
