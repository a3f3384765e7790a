/* sink_fault_test -- a life of two batches in each sink, in which each system call fails once, and each allocation of columns: an error says
 * so or it did not matter, nothing is left open, and the next process makes of it what an undisturbed life makes. */
#include "fixture.h"
#include "base/tree.h"
#include "formats/delta_log.h"
#include "formats/sink_log.h"
#include "disturbed.h"

enum { BATCHES = 2, TASKS = 2 };

struct life {
    const struct sink_ops *ops;
    const char *ddl, *partition;
    const char *const *pairs;          /* Options of the sink. */
    const char *const *cells;
    uint32_t rows;
    const char *first_ddl;             /* Delta: the table that stands there already has these columns. */
    int64_t first_batch;               /* Not 0: the checkpoint has had another target before. */
};

/* What survives the process: the ledger's part of the story. */
struct memory {
    struct manifest manifests[BATCHES];
    bool prepared[BATCHES];
    int committed;
};

/* --- a life ------------------------------------------------------------------------------------------ */

/* The chunk is the engine's: its making is not disturbed. */
static bool stage_task(struct world *world, const struct life *life, void *sink)
{
    const struct sink_ops *ops = life->ops;
    struct chunk chunk;
    bool counts = fault.counts;
    fault.counts = false;
    make_chunk(world, &chunk, life->cells, life->rows);
    fault.counts = counts;
    struct sink_task *task = ops->task_new(sink, 0, &world->err);
    bool ok = task && ops->task_add(task, &chunk, &world->err) && ops->task_finish(task, &world->err) && ops->stage_append(sink, task, &world->err);
    ops->task_free(task);
    chunk_fini(&chunk);
    return ok;
}

/* Standard output goes into the life's own folder meanwhile, and what commands say to standard error. */
static bool publish(struct world *world, const struct sink_ops *ops, void *sink, const struct batch_identity *batch, const struct manifest *manifest)
{
    bool counts = fault.counts;
    int saved[2];
    fault.counts = false;
    int fd = open(arena_printf(world->arena, "%s/printed", world->folder), O_RDWR | O_CREAT | O_APPEND, 0600);
    fflush(NULL);
    for (int i = 0; i < 2; i++) {
        saved[i] = dup(1 + i);
        dup2(fd, 1 + i);
    }
    close(fd);
    fault.counts = counts;
    bool ok = ops->publish(sink, batch, manifest, &world->err);
    fault.counts = false;
    for (int i = 0; i < 2; i++) {
        dup2(saved[i], 1 + i);
        close(saved[i]);
    }
    fault.counts = counts;
    return ok;
}

static bool run_batch(struct world *world, const struct life *life, void *sink, int number, struct memory *memory)
{
    const struct sink_ops *ops = life->ops;
    struct batch_identity batch = batch_of(life->first_batch + number, "digest");
    enum sink_state found;
    world->spec.first_use = number == 0 && life->first_batch;
    if (!ops->committed(sink, &batch, &found, &world->err)) return false;
    if (found == SINK_FOREIGN) fail_msg("batch %d is said to be another's: %s", number, world->err.message);
    if (!memory->prepared[number]) {
        assert_int_equal(found, SINK_AT_BATCH_BEFORE);
        if (!ops->stage_begin(sink, &batch, &world->err)) return false;
        for (int task = 0; task < TASKS; task++)
            if (!stage_task(world, life, sink)) return false;
        if (!ops->prepare(sink, world->arena, &memory->manifests[number], &world->err)) return false;
        memory->prepared[number] = true;
    }
    if (!publish(world, ops, sink, &batch, &memory->manifests[number])) return false;
    if (ops->staged && !publish(world, ops, sink, &batch, &memory->manifests[number])) return false; /* As a process that comes behind a crash. */
    memory->committed = number + 1;
    struct error ignored = {0};
    if (ops->after_commit && !ops->after_commit(sink, &ignored)) assert_true(error_is_set(&ignored));
    return true;
}

/* One process, from what is committed to the end of the life, or to its first error. */
static bool run_process(struct world *world, const struct life *life, struct memory *memory)
{
    void *sink = calloc(1, life->ops->state_size);
    error_clear(&world->err);
    bool opened = life->ops->check(&world->spec, &world->err) && life->ops->open(sink, &world->spec, &world->err), ok = opened;
    while (ok && memory->committed < BATCHES) ok = run_batch(world, life, sink, memory->committed, memory);
    if (opened && !ok) life->ops->abort(sink);
    if (opened) life->ops->close(sink);
    free(sink);
    return ok;
}

static void set_schema(struct world *world, const char *ddl)
{
    world->spec.schema = schema_parse_ddl(world->arena, ddl, &world->err);
    assert_non_null(world->spec.schema);
}

/* A table of another query that stands there before. */
static void make_first(struct world *world, const struct life *life)
{
    static const char *const cells[] = {"7", "x"};
    struct life first = *life;
    struct memory memory = {0};
    first.cells = cells;
    first.rows = 1;
    set_schema(world, life->first_ddl);
    world->spec.query_id = OTHER_ID;
    first.first_batch = 0;
    assert_true(run_process(world, &first, &memory));
    world->spec.query_id = QUERY_ID;
    set_schema(world, life->ddl);
}

static struct world *life_world(const struct life *life)
{
    struct world *world = world_new(life->ddl);
    const struct encoder_ops *encoder = life->ops->encoder ? encoder_find(life->ops->encoder, NULL) : NULL;
    const struct option_spec *tables[] = {life->ops->options, encoder ? encoder->options : NULL};
    world_options(world, tables, encoder ? 2 : 1, life->pairs);
    if (life->partition) world_partition(world, life->partition, NULL);
    static const char *const command[] = {"sh", "-c", "cat > rows.$INLET_BATCH_ID", NULL};
    world->spec.command = command;
    world->spec.base_dir = world->folder;
    world->context.thread_count = 1; /* So that the same calls come in the same order. */
    if (life->first_ddl) make_first(world, life);
    return world;
}

/* --- what is left of it ------------------------------------------------------------------------------ */

/* The sink's files: names, and a hash of their bytes but those of logs, which hold times. Staging folders are looked at apart. */
static const char *result_of(struct world *world, const struct life *life)
{
    const char *root = life->ops->needs_path ? world->spec.path : world->folder;
    struct buffer out = {0};
    const char *names = list_files(world, root);
    for (const char *name = names; *name;) {
        const char *end = strchr(name, '\n');
        const char *file = arena_strndup(world->arena, name, (size_t)(end - name));
        name = end + 1;
        if (stays_broken && strstr(file, ".tmp")) continue; /* The draft's name could not be taken away either: hidden litter. */
        if (strncmp(file, "_inlet/", 7) == 0 || strncmp(file, "work/", 5) == 0 || strstr(file, "checkpoint") || strncmp(file, "printed", 7) == 0) continue;
        buffer_printf(&out, "%s:", file);
        bool is_log = strncmp(file, "_spark_metadata/", 16) == 0 || strncmp(file, "_delta_log/", 11) == 0;
        struct buffer bytes = {0};
        if (!is_log) assert_true(file_read_all(path_join(world->arena, root, file), 1 << 30, &bytes, &world->err));
        buffer_printf(&out, "%zu bytes, %llx\n", bytes.size, (unsigned long long)hash_bytes(bytes.data, bytes.size));
        buffer_free(&bytes);
    }
    if (life->ops == &delta_sink) {
        struct delta_snapshot snapshot;
        assert_true(delta_snapshot_load(root, -1, true, world->arena, &world->context, &snapshot, &world->err));
        buffer_printf(&out, "version %lld txn %lld:", (long long)snapshot.version, (long long)delta_txn_version(&snapshot, QUERY_ID));
        for (size_t i = 0; i < snapshot.add_count; i++) buffer_printf(&out, " %s", snapshot.adds[i].path);
    } else if (life->ops->needs_path) {
        struct sink_log_entry *entries;
        size_t count;
        assert_true(sink_log_files(root, world->arena, &entries, &count, &world->err));
        for (size_t i = 0; i < count; i++) buffer_printf(&out, " %s", path_basename(entries[i].path));
    }
    const char *text = arena_strndup(world->arena, (const char *)out.data, out.size);
    buffer_free(&out);
    return text;
}

static int descriptors(void)
{
    int count = 0;
    DIR *folder = opendir("/proc/self/fd");
    while (readdir(folder)) count++;
    closedir(folder);
    return count;
}

/* What a failed sweep has left goes with the next batch, and the staging folder with its process. */
static void assert_tidy(struct world *world, const struct life *life)
{
    if (!life->ops->staged) return;
    void *sink = calloc(1, life->ops->state_size);
    struct batch_identity batch = batch_of(life->first_batch + BATCHES, "digest");
    struct stat info;
    assert_true(life->ops->open(sink, &world->spec, &world->err));
    assert_true(life->ops->stage_begin(sink, &batch, &world->err));
    life->ops->abort(sink);
    life->ops->close(sink);
    free(sink);
    assert_int_not_equal(lstat(path_join(world->arena, world->spec.path, "_inlet"), &info), 0);
}

/* Lives once with the at-th call disturbed (0: none); *calls: how many there were. Returns the result, on the heap. */
static char *live(const struct life *life, long at, int code, long *calls)
{
    struct world *world = life_world(life);
    struct memory memory = {0};
    int before = descriptors();
    fault.calls = 0;
    fault.at = at;
    is_broken = false;
    fault.code = code;
    fault.counts = true;
    bool ok = run_process(world, life, &memory);
    fault.counts = false;
    *calls = fault.calls;
    bool said = error_is_set(&world->err) && world->err.message[0];
    bool again = ok || run_process(world, life, &memory);
    if (!ok && !said) fail_msg("%s: call %ld failed with errno %d, and no error says so", life->ops->name, at, code);
    if (!again) fail_msg("%s: after call %ld failed with errno %d, the next process: %s", life->ops->name, at, code, world->err.message);
    assert_int_equal(descriptors(), before);
    assert_int_equal(files_alive, 0);
    assert_tidy(world, life);
    char *result = strdup(result_of(world, life));
    if (life->ops == &console_sink) {
        world->spec.path = world->folder;
        for (int i = 0; i < BATCHES; i++) assert_contains(file_text(world, "printed"), arena_printf(world->arena, "Batch: %d\n", i));
    }
    world_free(world);
    return result;
}

static void disturb(const struct life *life, int code)
{
    long calls, unused;
    char *expected = live(life, 0, 0, &calls);
    assert_true(calls > 0 || fault_group != ANY);
    long stride = getenv("VALGRIND") ? 20 : 1;
    for (long at = 1; at <= calls; at += stride) {
        char *found = live(life, at, code, &unused);
        if (strcmp(found, expected) != 0) fail_msg("%s, call %ld, errno %d: \"%s\" is not \"%s\"", life->ops->name, at, code, found, expected);
        free(found);
    }
    free(expected);
}

/* --- the lives --------------------------------------------------------------------------------------- */

static const char *const numbers[] = {"1", "x", "2", NULL, "3", "y"};
static const char *const texts[] = {"x", "y"};

/* Each call fails; then all behind it too; what may be interrupted is; names cannot be given in ways that not every file system knows. */
static void disturb_all(const struct life *life)
{
    static const struct { enum fault_group group; int code; bool stays_broken; } ways[] = {
        {ANY, EIO}, {ANY, ENOSPC, true}, {TRANSFERS, EINTR}, {NAMES, EINVAL}, {NAMES, EOPNOTSUPP}};
    for (size_t i = 0; i < COUNTOF(ways); i++) {
        fault_group = ways[i].group;
        stays_broken = ways[i].stays_broken;
        disturb(life, ways[i].code);
    }
    fault_group = ANY;
    stays_broken = false;
}

static void parquet_lives(void **state)
{
    (void)state;
    disturb_all(&(struct life){&parquet_sink, "a INT, k STRING", .cells = numbers, .rows = 3});
}

static void json_lives(void **state)
{
    (void)state;
    disturb_all(&(struct life){&json_sink, "a INT, k STRING", "k", .cells = numbers, .rows = 3});
}

static void csv_lives_without_rows(void **state)
{
    (void)state;
    static const char *const pairs[] = {"header", "true", NULL, NULL};
    disturb_all(&(struct life){&csv_sink, "a INT, k STRING", .pairs = pairs, .cells = numbers, .rows = 0});
}

static void text_lives_with_a_log_that_starts_late(void **state)
{
    (void)state;
    static const char *const pairs[] = {"retention", "1d", NULL, NULL};
    disturb_all(&(struct life){&text_sink, "t STRING", .pairs = pairs, .cells = texts, .rows = 2, .first_batch = 8});
}

static void delta_lives(void **state)
{
    (void)state;
    disturb_all(&(struct life){&delta_sink, "a INT, k STRING", "k", .cells = numbers, .rows = 3});
}

static void delta_lives_in_a_table_that_it_widens(void **state)
{
    (void)state;
    static const char *const pairs[] = {"mergeSchema", "true", "maxRecordsPerFile", "2", NULL, NULL};
    disturb_all(&(struct life){&delta_sink, "a INT, k STRING", .pairs = pairs, .cells = numbers, .rows = 3, .first_ddl = "a BIGINT"});
}

static void console_lives(void **state)
{
    (void)state;
    disturb_all(&(struct life){&console_sink, "a INT, k STRING", .cells = numbers, .rows = 3});
}

static void foreach_batch_lives(void **state)
{
    (void)state;
    disturb_all(&(struct life){&foreach_batch_sink, "a INT, k STRING", .cells = numbers, .rows = 3});
}

static void short_writes_lose_nothing(void **state)
{
    (void)state;
    static const struct life lives[] = {
        {&parquet_sink, "a INT, k STRING", .cells = numbers, .rows = 3}, {&json_sink, "a INT, k STRING", .cells = numbers, .rows = 3},
        {&delta_sink, "a INT, k STRING", .cells = numbers, .rows = 3}, {&foreach_batch_sink, "a INT, k STRING", .cells = numbers, .rows = 3}};
    for (size_t i = 0; i < COUNTOF(lives); i++) {
        long calls;
        char *expected = live(&lives[i], 0, 0, &calls);
        writes_are_short = true;
        char *found = live(&lives[i], 0, 0, &calls);
        writes_are_short = false;
        assert_string_equal(found, expected);
        free(found);
        free(expected);
    }
}

/* What cannot be looked up is not taken for absent: data files beside another kind of log would be junk to everybody. */
static void a_foreign_folder_is_refused_whatever_fails(void **state)
{
    (void)state;
    static const struct { const struct sink_ops *ops; const char *log; } cases[] = {{&json_sink, "_delta_log"}, {&delta_sink, "_spark_metadata"}};
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct life life = {cases[i].ops, "a INT, k STRING", .cells = numbers, .rows = 3};
        struct world *world = life_world(&life);
        assert_true(directories_make(path_join(world->arena, world->spec.path, cases[i].log), &world->err));
        const int codes[] = {EIO, EACCES, EMFILE};
        for (size_t code = 0; code < COUNTOF(codes); code++)
            for (long at = 0; at < 40; at++) {
                struct memory memory = {0};
                fault.calls = 0;
                fault.at = at;
                fault.code = codes[code];
                fault.counts = true;
                bool ok = run_process(world, &life, &memory);
                fault.counts = false;
                if (ok || memory.committed || memory.prepared[0]) fail_msg("%s beside %s, call %ld", life.ops->name, cases[i].log, at);
            }
        assert_string_equal(list_files(world, world->spec.path), "");
        world_free(world);
    }
}

int main(void)
{
    world_in_memory = true;
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(parquet_lives),
        cmocka_unit_test(json_lives),
        cmocka_unit_test(csv_lives_without_rows),
        cmocka_unit_test(text_lives_with_a_log_that_starts_late),
        cmocka_unit_test(delta_lives),
        cmocka_unit_test(delta_lives_in_a_table_that_it_widens),
        cmocka_unit_test(console_lives),
        cmocka_unit_test(foreach_batch_lives),
        cmocka_unit_test(short_writes_lose_nothing),
        cmocka_unit_test(a_foreign_folder_is_refused_whatever_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
