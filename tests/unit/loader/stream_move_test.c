/* stream_move_test -- a query whose sink, name or load paths change between runs: what may move goes on where it stood, and another query is
 * kept off the checkpoint. */
#include "base/file.h"
#include "loader/stream.h"
#include "tests/unit/fixture.h"

#include <dirent.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static char folder[64];
static struct inlet_context context;
static int landed;

static void must(bool ok)
{
    char text[8192];
    error_format(&err, text, sizeof text);
    if (!ok) fail_msg("%s", text);
}

static void quiet(void *user, enum log_level level, const char *event, const char *text) { (void)user, (void)level, (void)event, (void)text; }

static int64_t later(void *user)
{
    (void)user;
    return ((int64_t)time(NULL) + 3600) * 1000000; /* What is written now is complete. */
}

static const char *inside(const char *name) { return arena_printf(arena, "%s/%s", folder, name); }

static void put(const char *name, const char *text)
{
    const char *path = inside(name);
    must(directories_make(arena_strndup(arena, path, (size_t)(path_basename(path) - path - 1)), &err) && file_replace(path, slice_text(text), &err));
}

static void land(const char *load) { put(arena_printf(arena, "%s/%d", load, landed++), "line\n"); }

static int begin(void **state)
{
    start(state);
    snprintf(folder, sizeof folder, "%s/stream_move_XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    if (!mkdtemp(folder)) return -1;
    inlet_context_init(&context);
    context.log_line = quiet;
    context.now_us = later;
    landed = 0;
    land("landing");
    return 0;
}

static int end(void **state)
{
    inlet_context_fini(&context);
    return directory_remove_tree(folder, NULL) ? stop(state) : -1;
}

/* One run of this query. */
static bool run(const char *name, const char *load, const char *format, const char *out)
{
    struct stream_totals totals;
    const char *text = arena_printf(arena, "name: %s\nreadStream: {format: text, load: %s}\nwriteStream: {format: %s, options: {checkpointLocation: cp}, start: %s}\n", name, load,
                                    format, out);
    error_clear(&err);
    struct pipeline *pipeline = pipeline_parse(arena, inside("p.yaml"), slice_text(text), &err);
    must(pipeline != NULL);
    struct stream *stream = stream_open(pipeline, &context, false, &err);
    bool ok = stream && stream_run(stream, STREAM_DRAIN, &totals, &err);
    stream_close(stream);
    return ok;
}

static int data_files_in(const char *name)
{
    int count = 0;
    DIR *directory = opendir(inside(name));
    for (struct dirent *entry; directory && (entry = readdir(directory)) != NULL;) count += strncmp(entry->d_name, "part-", 5) == 0;
    if (directory) closedir(directory);
    return count;
}

static void refused(bool ok, const char *text)
{
    assert_false(ok);
    assert_string_equal(condition_name(err.condition), "INLET_CHECKPOINT_MISMATCH");
    if (!strstr(err.message, text)) fail_msg("%s", err.message);
    assert_true(err.hint[0]);
}

static void a_sink_moves_to_an_empty_folder_and_goes_on(void **state)
{
    (void)state;
    must(run("flow", "landing", "text", "out"));
    assert_int_equal(data_files_in("out"), 1);
    land("landing");
    must(run("flow", "landing", "text", "elsewhere")); /* It does not exist. */
    assert_int_equal(data_files_in("elsewhere"), 1);
    land("landing");
    must(directories_make(inside("third"), &err));
    must(run("flow", "landing", "json", "third"));
    assert_int_equal(data_files_in("third"), 1);
    assert_int_equal(data_files_in("out"), 1);
    put("full/.hidden", "somebody else's");
    refused(run("flow", "landing", "json", "full"), "which is not empty");
    refused(run("flow", "landing", "text", "third"), "writes json to");
    land("landing");
    must(run("flow", "landing", "json", "third")); /* What was refused has changed nothing. */
    assert_int_equal(data_files_in("third"), 2);
}

static void another_query_is_refused(void **state)
{
    (void)state;
    must(run("flow", "landing", "text", "out"));
    refused(run("other", "landing", "text", "out2"), "of another query: 'flow', which reads");
    land("landing2");
    refused(run("flow", "landing2", "text", "out2"), "/landing and writes to");
    must(run("flow", "landing2", "text", "out"));  /* While the sink stays, either may change. */
    must(run("other", "landing2", "text", "out"));
    must(run("other", "'landing*'", "text", "out"));
    must(run("other", "'landing*'", "text", "out3"));
    assert_int_equal(data_files_in("out3"), 0); /* Nothing is new. */
    assert_int_equal(data_files_in("out"), 2);
}

static void a_sink_cannot_change_under_an_open_batch(void **state)
{
    (void)state;
    struct budget *plenty = context.budget;
    context.budget = budget_new(64);
    assert_false(run("flow", "landing", "text", "out"));
    budget_free(context.budget);
    context.budget = plenty;
    refused(run("flow", "landing", "text", "out2"), "cannot change while a batch is open");
    must(run("flow", "landing", "text", "out"));
    assert_int_equal(data_files_in("out"), 1);
    land("landing");
    must(run("flow", "landing", "text", "out2"));
    assert_int_equal(data_files_in("out2"), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_sink_moves_to_an_empty_folder_and_goes_on), TEST(another_query_is_refused), TEST(a_sink_cannot_change_under_an_open_batch),
    };
    return cmocka_run_group_tests_name("stream move", tests, NULL, NULL);
}
