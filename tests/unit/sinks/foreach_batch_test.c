/* foreach_batch_test -- a command per batch: its input, its environment, its failures, its end. */
#include "fixture.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>

#define OPS (&foreach_batch_sink)

static struct world *foreach_world(const char *script)
{
    struct world *world = world_new("a INT, k STRING");
    const struct option_spec *tables[] = {OPS->options};
    const char **argv = ARENA_ARRAY(world->arena, const char *, 4);
    argv[0] = "sh";
    argv[1] = "-c";
    argv[2] = script;
    world->spec.command = argv;
    world->spec.path = world->folder;
    world_options(world, tables, 1, NULL);
    return world;
}

static void *open_sink(struct world *world)
{
    void *sink = arena_alloc(world->arena, OPS->state_size);
    if (!OPS->open(sink, &world->spec, &world->err)) fail_msg("%s", world->err.message);
    return sink;
}

static struct manifest prepare_rows(struct world *world, void *sink, struct batch_identity batch, const char *const *cells, uint32_t rows)
{
    struct manifest manifest;
    assert_true(OPS->stage_begin(sink, &batch, &world->err));
    if (rows) assert_true(stage_cells(world, OPS, sink, cells, rows));
    assert_true(OPS->prepare(sink, world->arena, &manifest, &world->err));
    return manifest;
}

static const char *const rows[] = {"1", "x", "2", NULL};

static void the_command_gets_rows_and_environment_in_the_pipelines_folder(void **state)
{
    (void)state;
    struct world *world = foreach_world("cat > rows; env | grep ^INLET_ | sort > vars");
    void *sink = open_sink(world);
    struct batch_identity batch = batch_of(7, "digest");
    struct manifest manifest = prepare_rows(world, sink, batch, rows, 2);
    assert_int_equal(manifest.rows, 2);
    assert_true(OPS->publish(sink, &batch, &manifest, &world->err));
    assert_string_equal(file_text(world, "rows"), "{\"a\":1,\"k\":\"x\"}\n{\"a\":2}\n");
    assert_string_equal(file_text(world, "vars"), "INLET_BATCH_ID=7\nINLET_PLAN_DIGEST=digest\nINLET_QUERY_ID=" QUERY_ID "\nINLET_QUERY_NAME=q\nINLET_ROWS=2\n");
    assert_true(OPS->after_commit(sink, &world->err));
    OPS->close(sink);
    assert_string_equal(list_files(world, world->folder), "rows\nvars\n");
    world_free(world);
}

static void a_batch_without_rows_is_given_as_an_empty_file(void **state)
{
    (void)state;
    struct world *world = foreach_world("cat > rows; echo $INLET_ROWS > count");
    void *sink = open_sink(world);
    struct batch_identity batch = batch_of(0, "digest");
    struct manifest manifest = prepare_rows(world, sink, batch, rows, 0);
    assert_true(OPS->publish(sink, &batch, &manifest, &world->err));
    assert_string_equal(file_text(world, "rows"), "");
    assert_string_equal(file_text(world, "count"), "0\n");
    OPS->close(sink);
    world_free(world);
}

static void a_prepared_batch_is_given_again_by_another_process(void **state)
{
    (void)state;
    struct world *world = foreach_world("cat >> rows; test -e ok");
    void *sink = open_sink(world);
    struct batch_identity batch = batch_of(0, "digest");
    struct manifest manifest = prepare_rows(world, sink, batch, rows, 2);
    assert_false(OPS->publish(sink, &batch, &manifest, &world->err));
    assert_int_equal(world->err.condition, COND_INLET_COMMAND_FAILED);
    OPS->abort(sink);
    OPS->close(sink);
    assert_true(file_replace(path_join(world->arena, world->folder, "ok"), slice_text(""), &world->err));
    sink = open_sink(world);
    assert_true(OPS->publish(sink, &batch, &manifest, &world->err));
    assert_string_equal(file_text(world, "rows"), "{\"a\":1,\"k\":\"x\"}\n{\"a\":2}\n{\"a\":1,\"k\":\"x\"}\n{\"a\":2}\n");
    OPS->close(sink);
    world_free(world);
}

static struct error failure_of(const char *script)
{
    struct world *world = foreach_world(script);
    void *sink = open_sink(world);
    struct batch_identity batch = batch_of(0, "digest");
    struct manifest manifest = prepare_rows(world, sink, batch, rows, 2);
    assert_false(OPS->publish(sink, &batch, &manifest, &world->err));
    OPS->close(sink);
    struct error err = world->err;
    world_free(world);
    return err;
}

static void failures_say_status_and_last_lines(void **state)
{
    (void)state;
    struct error err = failure_of("exit 3");
    assert_string_equal(err.message, "the command \"sh\" exited with status 3");
    err = failure_of("echo out; echo first >&2; echo last >&2; exit 4");
    assert_string_equal(err.message, "the command \"sh\" exited with status 4; it said last: first\nlast");
    err = failure_of("kill -9 $$");
    assert_contains(err.message, "was ended by signal 9");
    err = failure_of("i=0; while [ $i -lt 500 ]; do echo line $i >&2; i=$((i+1)); done; exit 1");
    assert_contains(err.message, "line 499");
    assert_null(strstr(err.message, "line 100\n"));
}

static void a_command_that_is_not_there_is_named(void **state)
{
    (void)state;
    struct world *world = foreach_world("");
    const char *argv[] = {"./no-such-command", NULL};
    world->spec.command = argv;
    void *sink = open_sink(world);
    struct batch_identity batch = batch_of(0, "digest");
    struct manifest manifest = prepare_rows(world, sink, batch, rows, 2);
    assert_false(OPS->publish(sink, &batch, &manifest, &world->err));
    assert_int_equal(world->err.condition, COND_INLET_COMMAND_FAILED);
    assert_contains(world->err.message, "could not start the command \"./no-such-command\"");
    OPS->close(sink);
    world_free(world);
}

static void a_command_that_does_not_read_or_leaves_a_child_is_no_trouble(void **state)
{
    (void)state;
    struct world *world = foreach_world("exec 0<&-; (sleep 30) & echo $! > child");
    void *sink = open_sink(world);
    struct batch_identity batch = batch_of(0, "digest");
    struct manifest manifest = prepare_rows(world, sink, batch, rows, 2);
    assert_true(OPS->publish(sink, &batch, &manifest, &world->err)); /* Not after 30 s. */
    kill((pid_t)atoi(file_text(world, "child")), SIGKILL);
    OPS->close(sink);
    world_free(world);
}

static void *stop_soon(void *user)
{
    struct inlet_context *context = user;
    usleep(300000);
    atomic_store(&context->cancel.level, 2);
    return NULL;
}

static void a_second_stop_kills_the_whole_group(void **state)
{
    (void)state;
    struct world *world = foreach_world("sleep 60 & echo $! > child; wait");
    void *sink = open_sink(world);
    struct batch_identity batch = batch_of(0, "digest");
    struct manifest manifest = prepare_rows(world, sink, batch, rows, 2);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, stop_soon, &world->context), 0);
    assert_false(OPS->publish(sink, &batch, &manifest, &world->err));
    assert_int_equal(world->err.condition, COND_INLET_CANCELLED);
    pthread_join(thread, NULL);
    pid_t child = (pid_t)atoi(file_text(world, "child"));
    int tries = 0;
    char path[64], status[256] = "";
    snprintf(path, sizeof path, "/proc/%d/stat", (int)child);
    for (; tries < 100; tries++) { /* Gone, or a zombie that nobody has reaped. */
        int fd = open(path, O_RDONLY);
        if (fd < 0) break;
        ssize_t got = read(fd, status, sizeof status - 1);
        close(fd);
        status[got > 0 ? got : 0] = 0;
        if (strstr(status, ") Z ")) break;
        usleep(20000);
    }
    assert_true(tries < 100);
    OPS->close(sink);
    world_free(world);
}

static void what_it_cannot_do_is_refused_by_check_and_open(void **state)
{
    (void)state;
    static const char *const none[] = {NULL};
    struct world *world = foreach_world("true");
    void *sink = arena_alloc(world->arena, OPS->state_size);
    struct sink_spec good = world->spec;
    world_partition(world, "k", NULL);
    assert_false(OPS->check(&world->spec, &world->err));
    assert_int_equal(world->err.condition, COND_INLET_PARTITION_COLUMN);
    assert_false(OPS->open(sink, &world->spec, &world->err));
    for (int i = 0; i < 2; i++) {
        world->spec = good;
        world->spec.command = i ? none : NULL;
        assert_false(OPS->check(&world->spec, &world->err));
        assert_int_equal(world->err.condition, COND_INLET_MISSING_KEY);
    }
    world->spec = good;
    world->spec.work_dir = NULL;
    assert_false(OPS->open(sink, &world->spec, &world->err));
    world->spec = good;
    world->spec.work_dir = arena_printf(world->arena, "%s/file/work", world->folder);
    assert_true(file_replace(path_join(world->arena, world->folder, "file"), slice_text(""), &world->err));
    assert_false(OPS->open(sink, &world->spec, &world->err));
    assert_true(error_is_set(&world->err));
    world_free(world);
}

static void rows_that_are_not_those_that_were_prepared_are_not_given(void **state)
{
    (void)state;
    struct world *world = foreach_world("touch called");
    world->spec.query_name = NULL;
    void *sink = open_sink(world);
    struct batch_identity batch = batch_of(3, "digest");
    struct manifest manifest = prepare_rows(world, sink, batch, rows, 2), two = manifest;
    const char *staged = path_join(world->arena, world->spec.work_dir, manifest.files[0].staged);
    two.count = 2;
    assert_false(OPS->publish(sink, &batch, &two, &world->err));
    assert_contains(world->err.message, "in 2 files");
    assert_int_equal(truncate(staged, 5), 0);
    assert_false(OPS->publish(sink, &batch, &manifest, &world->err));
    assert_int_equal(world->err.condition, COND_INLET_DAMAGED_FILE);
    assert_contains(world->err.context, "giving batch 3 to foreachBatch");
    assert_int_equal(unlink(staged), 0);
    assert_false(OPS->publish(sink, &batch, &manifest, &world->err));
    assert_contains(world->err.message, "could not open the batch's rows");
    assert_int_not_equal(access(path_join(world->arena, world->folder, "called"), F_OK), 0);
    manifest = prepare_rows(world, sink, batch, rows, 2);
    assert_true(OPS->publish(sink, &batch, &manifest, &world->err));
    assert_int_equal(access(path_join(world->arena, world->folder, "called"), F_OK), 0);
    OPS->close(sink);
    world_free(world);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_command_gets_rows_and_environment_in_the_pipelines_folder),
        cmocka_unit_test(a_batch_without_rows_is_given_as_an_empty_file),
        cmocka_unit_test(a_prepared_batch_is_given_again_by_another_process),
        cmocka_unit_test(failures_say_status_and_last_lines),
        cmocka_unit_test(a_command_that_is_not_there_is_named),
        cmocka_unit_test(a_command_that_does_not_read_or_leaves_a_child_is_no_trouble),
        cmocka_unit_test(a_second_stop_kills_the_whole_group),
        cmocka_unit_test(what_it_cannot_do_is_refused_by_check_and_open),
        cmocka_unit_test(rows_that_are_not_those_that_were_prepared_are_not_given),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
