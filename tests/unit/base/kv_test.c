/* kv_test -- what the store promises beyond its rows: all or nothing, and no update that waits for itself. */
#include "base/file.h"
#include "base/kv.h"
#include "tests/unit/fixture.h"

#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *const tables[] = {"a"};
static char folder[64];
static struct kv *kv;

static int make_folder(void **state)
{
    (void)state;
    error_clear(&err);
    strcpy(folder, "/tmp/inlet-kv-XXXXXX");
    return !mkdtemp(folder);
}

static int drop_folder(void **state)
{
    (void)state;
    return !directory_remove_tree(folder, &err);
}

static int open_store(void **state)
{
    if (make_folder(state) != 0) return 1;
    kv = kv_open(folder, KV_CREATE, tables, 1, &err);
    return !kv;
}

static int close_store(void **state)
{
    kv_close(kv);
    return drop_folder(state);
}

static bool put_one(struct kv_txn *txn, void *user, struct error *problem)
{
    bool *refuse = user;
    if (!kv_put(txn, 0, slice_text("key"), slice_text("value"), KV_PUT_ANY, problem)) return false;
    return !*refuse || error_set(problem, COND_INLET_INTERNAL, "on second thoughts, no");
}

static int64_t rows(void)
{
    int64_t count = -1;
    struct kv_txn *txn = kv_read_begin(kv, &err);
    assert_non_null(txn);
    assert_true(kv_count(txn, 0, &count, &err));
    kv_read_end(txn);
    return count;
}

static void a_refused_update_leaves_nothing(void **state)
{
    (void)state;
    bool refuse = true;
    assert_false(kv_update(kv, put_one, &refuse, &err));
    assert_int_equal(err.condition, COND_INLET_INTERNAL);
    assert_int_equal(rows(), 0);
    refuse = false;
    assert_true(kv_update(kv, put_one, &refuse, &err)); /* The failed one holds no lock. */
    assert_int_equal(rows(), 1);
}

static bool update_within(struct kv_txn *txn, void *user, struct error *problem)
{
    (void)txn;
    return kv_update(kv, put_one, user, problem);
}

static void an_update_within_an_update_is_a_breach(void **state)
{
    (void)state;
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) { /* The store is the child's alone: LMDB does not go through a fork. */
        bool refuse = false;
        signal(SIGABRT, SIG_DFL);
        if (!freopen("/dev/null", "w", stderr)) _exit(2);
        alarm(10); /* Without the check it would wait for ever. */
        kv = kv_open(folder, KV_CREATE, tables, 1, &err);
        if (!kv) _exit(3);
        _exit(kv_update(kv, update_within, &refuse, &err) ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_refused_update_leaves_nothing, open_store, close_store),
        cmocka_unit_test_setup_teardown(an_update_within_an_update_is_a_breach, make_folder, drop_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
