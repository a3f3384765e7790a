/* local_test -- the local store: what it reads, what it refuses, writes that replace nothing. */
#include "base/file.h"
#include "stores/store.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/inlet-local-XXXXXX";
static char path_a[64], path_b[64];

static bool put(const char *path, const char *text, bool *existed, struct error *err)
{
    struct store_write *write = local_store.write_begin(path, err);
    if (!write) return false;
    if (!local_store.write_append(write, text, strlen(text), err)) return false;
    return local_store.write_finish_if_absent(write, existed, err);
}

static void test_write_read_remove(void **state)
{
    (void)state;
    struct error err = {0};
    struct object_stat stat;
    bool existed;
    char text[8];
    size_t got;
    assert_true(put(path_a, "abc", &existed, &err));
    assert_false(existed);
    assert_true(put(path_a, "xyz1", &existed, &err));
    assert_true(existed);
    assert_true(local_store.head(path_a, &stat, &err));
    assert_int_equal(stat.size, 3);
    assert_false(stat.is_directory);
    struct store_file *file = local_store.open(path_a, &stat, &err);
    assert_non_null(file);
    assert_true(local_store.read_at(file, 1, text, sizeof text, &got, NULL, &err));
    assert_int_equal(got, 2);
    assert_memory_equal(text, "bc", 2);
    assert_true(local_store.read_at(file, 9, text, sizeof text, &got, NULL, &err));
    assert_int_equal(got, 0);
    struct cancel cancel = {2};
    assert_false(local_store.read_at(file, 0, text, sizeof text, &got, &cancel, &err));
    assert_int_equal(err.condition, COND_INLET_CANCELLED);
    local_store.close(file);
    assert_true(local_store.remove(path_a, &err));
    assert_true(local_store.remove(path_a, &err));
    assert_false(local_store.head(path_a, &stat, &err));
    assert_int_equal(err.condition, COND_PATH_NOT_FOUND);
}

static void test_abort_leaves_nothing(void **state)
{
    (void)state;
    struct error err = {0};
    struct store_write *write = local_store.write_begin(path_a, &err);
    assert_non_null(write);
    assert_true(local_store.write_append(write, "x", 1, &err));
    local_store.write_abort(write);
    assert_int_equal(rmdir(folder), 0); /* It was empty. */
    assert_int_equal(mkdir(folder, 0777), 0);
}

static void test_copy_keeps_time_and_replaces_nothing(void **state)
{
    (void)state;
    struct error err = {0};
    struct object_stat from, to;
    bool existed;
    assert_true(put(path_a, "abc", &existed, &err));
    struct timespec times[2] = {{1000, 0}, {1700000000, 123456000}};
    assert_int_equal(utimensat(AT_FDCWD, path_a, times, 0), 0);
    assert_true(local_store.copy(path_a, path_b, &err));
    assert_true(local_store.head(path_a, &from, &err));
    assert_true(local_store.head(path_b, &to, &err));
    assert_int_equal(from.mtime_us, 1700000000123456);
    assert_int_equal(to.mtime_us, from.mtime_us);
    assert_int_equal(to.size, 3);
    assert_false(local_store.copy(path_a, path_b, &err));
    assert_int_equal(err.errno_value, EEXIST);
    local_store.remove(path_a, &err);
    local_store.remove(path_b, &err);
}

static void test_only_regular_files(void **state)
{
    (void)state;
    struct error err = {0};
    struct object_stat stat;
    assert_null(local_store.open(folder, &stat, &err));
    assert_int_equal(err.condition, COND_INLET_IO);
    assert_int_equal(mkfifo(path_a, 0666), 0);
    assert_null(local_store.open(path_a, &stat, &err)); /* And does not hang. */
    unlink(path_a);
    assert_null(local_store.open(path_a, &stat, &err));
    assert_int_equal(err.condition, COND_PATH_NOT_FOUND);
}

static void test_find(void **state)
{
    (void)state;
    struct error err = {0};
    assert_ptr_equal(store_find("/a/b", &err), &local_store);
    assert_ptr_equal(store_find("a:b/c", &err), &local_store);
    assert_ptr_equal(store_find("FILE:///a", &err), &local_store);
    assert_null(store_find("s3://bucket/key", &err));
    assert_int_equal(err.condition, COND_INLET_NOT_SUPPORTED_YET);
    assert_non_null(strstr(err.message, "\"s3\""));
}

int main(void)
{
    if (!mkdtemp(folder)) return 1;
    snprintf(path_a, sizeof path_a, "%s/a", folder);
    snprintf(path_b, sizeof path_b, "%s/b", folder);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_write_read_remove), cmocka_unit_test(test_abort_leaves_nothing),
        cmocka_unit_test(test_copy_keeps_time_and_replaces_nothing), cmocka_unit_test(test_only_regular_files),
        cmocka_unit_test(test_find),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    rmdir(folder);
    return failed;
}
