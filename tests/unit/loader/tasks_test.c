/* tasks_test -- how the files of a batch are cut: every byte once, in order, and smaller tasks toward the end. */
#include "loader/tasks.h"
#include "tests/unit/fixture.h"

enum { MEGABYTE = 1 << 20, LEAST = 8 * MEGABYTE, MOST = 32 * MEGABYTE };

static bool always(const struct reader *reader, const char *path) { return reader == NULL && path != NULL; }
static bool never(const struct reader *reader, const char *path) { return reader != NULL && path == NULL; }

static struct ledger_input *files_of(size_t count, int64_t size)
{
    struct ledger_input *files = ARENA_ARRAY(arena, struct ledger_input, count);
    for (size_t i = 0; i < count; i++) files[i] = (struct ledger_input){.directory = "/in", .name = "a.json", .size = size, .ordinal = (int64_t)i};
    return files;
}

static int64_t size_of(const struct plan_task *task, int64_t file_size)
{
    int64_t size = 0;
    for (size_t i = 0; i < task->count; i++) size += (task->pieces[i].end < 0 ? file_size : task->pieces[i].end) - task->pieces[i].start;
    return size;
}

/* Pieces follow one another without a gap, from the first byte of the first file to the end of the last. */
static void check_whole(const struct plan_task *tasks, size_t task_count, size_t file_count)
{
    size_t file = 0;
    int64_t at = 0;
    for (size_t t = 0; t < task_count; t++) {
        assert_true(tasks[t].count > 0);
        for (size_t i = 0; i < tasks[t].count; i++) {
            const struct plan_piece *piece = &tasks[t].pieces[i];
            assert_int_equal(piece->file_index, file);
            assert_int_equal(piece->start, at);
            at = piece->end < 0 ? 0 : piece->end;
            file += piece->end < 0;
        }
    }
    assert_int_equal(file, file_count);
    assert_int_equal(at, 0);
}

static void check_falling(size_t file_count, int64_t file_size)
{
    static const struct reader_ops ops = {.splittable = always};
    size_t count;
    struct plan_task *tasks = tasks_cut(arena, files_of(file_count, file_size), file_count, &ops, NULL, &count);
    check_whole(tasks, count, file_count);
    int64_t last = size_of(&tasks[count - 1], file_size);
    assert_true(count > 16);
    assert_true(size_of(&tasks[0], file_size) > 2 * LEAST);
    assert_true(last <= LEAST + LEAST / 2);
    for (size_t i = 0; i < count; i++) assert_true(size_of(&tasks[i], file_size) <= MOST);
}

static void tasks_are_smaller_toward_the_end(void **state)
{
    (void)state;
    check_falling(1, (int64_t)1000 * MEGABYTE + 7); /* One file, in ranges. */
    check_falling(200, 4 * MEGABYTE + 1);           /* Files that are gathered. */
}

static void a_file_that_cannot_be_split_is_one_piece(void **state)
{
    (void)state;
    static const struct reader_ops ops = {.splittable = never};
    size_t count;
    struct plan_task *tasks = tasks_cut(arena, files_of(3, 100 * MEGABYTE), 3, &ops, NULL, &count);
    check_whole(tasks, count, 3);
    assert_int_equal(count, 3);
}

static void small_batches_are_one_task(void **state)
{
    (void)state;
    static const struct reader_ops ops = {.splittable = always};
    size_t count;
    struct plan_task *tasks = tasks_cut(arena, files_of(50, 1000), 50, &ops, NULL, &count);
    check_whole(tasks, count, 50);
    assert_int_equal(count, 1);
    tasks_cut(arena, NULL, 0, &ops, NULL, &count);
    assert_int_equal(count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tasks_are_smaller_toward_the_end),
        cmocka_unit_test(a_file_that_cannot_be_split_is_one_piece),
        cmocka_unit_test(small_batches_are_one_task),
    };
    return cmocka_run_group_tests_name("tasks", tests, start, stop);
}
