/* stream_fault_test -- whole small streams in one process: each call of the system and of the ledger's store fails once, the memory is too
 * small, a stop is asked for at each point. The run tells so or overcomes it, keeps nothing open, and the next one loads every record once. */
#include "base/file.h"
#include "formats/delta_log.h"
#include "formats/parquet_read.h"
#include "formats/sink_log.h"
#include "loader/stream.h"
#include "tests/unit/fixture.h"

#include "base/uri.h"

#include <dirent.h>
#include <poll.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "tests/unit/fault.h"

/* --- More of the system disturbed: these also stand before the library's own ------------------------------------------------ */

/* A call by name may find it missing; one that has the file open cannot. */
static bool of_names;
static bool data_now(void) { return !of_names && is_now(); }

/* For a service, which waits: not 0, and then each look at the clock finds it seconds later. */
static long time_flies;

/* A name that no file can get now. */
static const char *refused_name;
static bool name_now(const char *to)
{
    if (!refused_name || !strstr(to, refused_name)) return is_now();
    errno = EIO;
    return true;
}

#define FAILING(when, type, failure, name, parameters, types, arguments)                       \
    type name parameters;                                                                      \
    type name parameters                                                                       \
    {                                                                                          \
        return when() ? (failure) : ((type(*) types)dlsym(RTLD_NEXT, #name)) arguments;        \
    }
#define FAILING_NAME(name, parameters, types, arguments)                                       \
    int name parameters;                                                                       \
    int name parameters { return name_now(to) ? -1 : ((int(*) types)dlsym(RTLD_NEXT, #name)) arguments; }
FAILING_NAME(renameat2, (int a, const char *from, int b, const char *to, unsigned flags), (int, const char *, int, const char *, unsigned), (a, from, b, to, flags))
FAILING(is_now, int, -1, lstat, (const char *path, struct stat *out), (const char *, struct stat *), (path, out))
FAILING(is_now, int, -1, access, (const char *path, int mode), (const char *, int), (path, mode))
FAILING(is_now, int, -1, eaccess, (const char *path, int mode), (const char *, int), (path, mode))
FAILING(is_now, int, -1, mkdir, (const char *path, mode_t mode), (const char *, mode_t), (path, mode))
FAILING(is_now, int, -1, rmdir, (const char *path), (const char *), (path))
FAILING(is_now, int, -1, unlink, (const char *path), (const char *), (path))
FAILING(is_now, int, -1, unlinkat, (int fd, const char *path, int flags), (int, const char *, int), (fd, path, flags))
FAILING_NAME(link, (const char *from, const char *to), (const char *, const char *), (from, to))
FAILING_NAME(linkat, (int a, const char *from, int b, const char *to, int flags), (int, const char *, int, const char *, int), (a, from, b, to, flags))
FAILING_NAME(rename, (const char *from, const char *to), (const char *, const char *), (from, to))
FAILING(data_now, int, -1, fsync, (int fd), (int), (fd))
FAILING(data_now, int, -1, fdatasync, (int fd), (int), (fd))
FAILING(data_now, int, -1, ftruncate, (int fd, off_t size), (int, off_t), (fd, size))
FAILING(data_now, ssize_t, -1, read, (int fd, void *data, size_t size), (int, void *, size_t), (fd, data, size))
FAILING(data_now, ssize_t, -1, write, (int fd, const void *data, size_t size), (int, const void *, size_t), (fd, data, size))
FAILING(data_now, ssize_t, -1, pread, (int fd, void *data, size_t size, off_t at), (int, void *, size_t, off_t), (fd, data, size, at))
FAILING(data_now, ssize_t, -1, pwrite, (int fd, const void *data, size_t size, off_t at), (int, const void *, size_t, off_t), (fd, data, size, at))
FAILING(is_now, DIR *, NULL, opendir, (const char *path), (const char *), (path))
FAILING(data_now, struct dirent *, NULL, readdir, (DIR *folder), (DIR *), (folder))
FAILING(is_now, int, -1, statfs, (const char *path, struct statfs *out), (const char *, struct statfs *), (path, out))
FAILING(data_now, int, -1, flock, (int fd, int operation), (int, int), (fd, operation))
FAILING(data_now, int, -1, gethostname, (char *name, size_t size), (char *, size_t), (name, size))
FAILING(is_now, FILE *, NULL, fopen, (const char *path, const char *mode), (const char *, const char *), (path, mode))
FAILING(is_now, char *, NULL, realpath, (const char *path, char *out), (const char *, char *), (path, out))

int openat(int fd, const char *path, int flags, ...)
{
    va_list more;
    va_start(more, flags);
    int mode = flags & O_CREAT ? va_arg(more, int) : 0;
    va_end(more);
    return is_now() ? -1 : REAL("openat", int, const char *, int, ...)(fd, path, flags, mode);
}

long syscall(long number, ...)
{
    va_list more;
    va_start(more, number);
    long a[6];
    for (int i = 0; i < 6; i++) a[i] = va_arg(more, long);
    va_end(more);
    if ((number == SYS_getdents64 && data_now()) || (number == SYS_renameat2 && is_now())) return -1;
    return ((long (*)(long, ...))dlsym(RTLD_NEXT, "syscall"))(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

int poll(struct pollfd *fds, nfds_t count, int timeout)
{
    return is_now() ? -1 : REAL("poll", struct pollfd *, nfds_t, int)(fds, count, time_flies ? 0 : timeout);
}

int nanosleep(const struct timespec *time, struct timespec *left)
{
    return time_flies ? 0 : REAL("nanosleep", const struct timespec *, struct timespec *)(time, left);
}

int clock_gettime(clockid_t clock, struct timespec *out)
{
    int code = REAL("clock_gettime", clockid_t, struct timespec *)(clock, out);
    if (time_flies && clock == CLOCK_MONOTONIC) out->tv_sec += ++time_flies;
    return code;
}

/* LMDB, whose functions stand for the ledger's: one of these for each question and for each change. They count when the system's do not. */
static bool store_counts;
static bool store_now(void) { return store_counts && ++fault.calls == fault.at; }

int mdb_txn_begin(void *environment, void *parent, unsigned flags, void **out);
int mdb_txn_begin(void *environment, void *parent, unsigned flags, void **out)
{
    return store_now() ? EIO : REAL("mdb_txn_begin", void *, void *, unsigned, void **)(environment, parent, flags, out);
}

int mdb_txn_commit(void *txn);
int mdb_txn_commit(void *txn)
{
    if (!store_now()) return REAL("mdb_txn_commit", void *)(txn);
    ((void (*)(void *))dlsym(RTLD_NEXT, "mdb_txn_abort"))(txn);
    return ENOSPC;
}

/* --- A stream's life: two runs, between which the landing zone changes ------------------------------------------------------- */

#define NO_MEMORY "memory"

struct life;
struct scenario {
    const char *name, *reader, *writer, *query;
    void (*land)(const struct life *life, int run);
    const char *sink;
    bool serves;               /* Until it has looked at the clock often enough. */
    const char *stop_before;   /* A run before the disturbed one ends where it would give this name, with a prepared batch; NO_MEMORY: with a planned one. */
};

struct life {
    const struct scenario *scenario;
    char folder[64];
    struct inlet_context context;
    struct arena *arena;
    struct pipeline *pipeline;
    struct error err;
    int64_t shift_us;
    long hit_at;
    int looks_left;            /* At the clock, until a service is stopped. */
};

enum { RUNS = 2, HOUR_S = 3600, LOOKS = 24 };

/* Files are old enough by this clock to be complete; each run is two hours behind the one before, so that what waits for a time gets it. */
static int64_t later(void *user)
{
    struct life *life = user;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (life->looks_left > 0) {
        life->shift_us += 20 * 60 * (int64_t)1000000;
        if (--life->looks_left == 0) atomic_store(&life->context.cancel.level, 1);
    }
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000 + life->shift_us;
}

static void quiet(void *user, enum log_level level, const char *event, const char *text) { (void)user, (void)level, (void)event, (void)text; }

static void put(const struct life *life, const char *name, const char *text)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", life->folder, name);
    struct error error;
    error_clear(&error);
    assert_true(directories_make(arena_strndup(life->arena, path, (size_t)(path_basename(path) - path - 1)), &error));
    assert_true(file_replace(path, slice_text(text), &error));
}

/* By this clock a change is hours old; so nobody waits for the tick after which two changes of a folder differ in time. */
static void set_apart(const struct life *life, int number)
{
    struct timespec times[2] = {{.tv_sec = 1000000 + number}, {.tv_sec = 1000000 + number}};
    assert_int_equal(utimensat(AT_FDCWD, path_join(life->arena, life->folder, "landing"), times, 0), 0);
}

static void must(struct life *life, bool ok, const char *what)
{
    if (ok) return;
    char text[8192];
    error_format(&life->err, text, sizeof text);
    fail_msg("%s, call %ld with %s: %s: %s", life->scenario->name, life->hit_at, strerror(fault.code), what, text);
}

static void life_begin(struct life *life, const struct scenario *scenario)
{
    *life = (struct life){.scenario = scenario, .arena = arena_new("life"), .shift_us = HOUR_S * (int64_t)1000000};
    snprintf(life->folder, sizeof life->folder, "%s/stream_fault_XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    assert_non_null(mkdtemp(life->folder));
    inlet_context_init(&life->context);
    life->context.thread_count = 1;
    life->context.now_us = later;
    life->context.now_user = life;
    life->context.log_level = LOG_DEBUG;
    life->context.log_line = quiet;
    const char *text = arena_printf(life->arena, "readStream: %s\nquery: %s\nwriteStream: %s\n", scenario->reader, scenario->query, scenario->writer);
    life->pipeline = pipeline_parse(life->arena, arena_printf(life->arena, "%s/p.yaml", life->folder), slice_text(text), &life->err);
    must(life, life->pipeline != NULL, "the pipeline");
    put(life, "landing/.keep", "");
}

static void life_end(struct life *life)
{
    assert_true(directory_remove_tree(life->folder, NULL));
    inlet_context_fini(&life->context);
    arena_free(life->arena);
}

/* What stays open takes the lowest numbers. */
static int lowest_free_file(void)
{
    int fd = dup(0);
    close(fd);
    return fd;
}

static bool run(struct life *life)
{
    bool serves = life->scenario->serves;
    struct stream_totals totals;
    int before = lowest_free_file();
    life->shift_us += 2 * HOUR_S * (int64_t)1000000;
    error_clear(&life->err);
    struct stream *stream = stream_open(life->pipeline, &life->context, serves, &life->err);
    life->looks_left = serves ? LOOKS : 0;
    time_flies = serves;
    bool ok = stream && stream_run(stream, serves ? STREAM_SERVE : STREAM_DRAIN, &totals, &life->err);
    stream_close(stream);
    fault.counts = store_counts = false;
    time_flies = life->looks_left = 0;
    if (serves) atomic_store(&life->context.cancel.level, 0);
    must(life, lowest_free_file() == before, "a file was left open");
    must(life, budget_used(life->context.budget) == 0, "column memory was kept");
    must(life, ok || (life->err.condition != COND_NONE && life->err.condition != COND_INLET_INTERNAL && life->err.message[0]), "a failure without its reason");
    return ok;
}

/* --- What came of it ----------------------------------------------------------------------------------------------------------- */

static int by_text(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static const char *sorted_lines(struct arena *into, const struct buffer *text)
{
    char *copy = arena_strndup(into, text->size ? (const char *)text->data : "", text->size), *lines[1024];
    size_t count = 0;
    for (char *line = strtok(copy, "\n"); line; line = strtok(NULL, "\n")) lines[count++] = line;
    assert_in_range(count, 0, 1023);
    qsort(lines, count, sizeof *lines, by_text);
    const char *out = "";
    for (size_t i = 0; i < count; i++) out = arena_printf(into, "%s%s\n", out, lines[i]);
    return out;
}

static int64_t rows_of_parquet(struct life *life, const char *path)
{
    struct parquet_footer footer;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    must(life, parquet_footer_read(fd, path, life->arena, &footer, &life->err), "reading the output");
    close(fd);
    return footer.metadata.row_count;
}

static void tell_file_sink(struct life *life, const char *out, struct buffer *text)
{
    struct sink_log_entry *entries;
    size_t count;
    int64_t rows = 0;
    must(life, sink_log_files(out, life->arena, &entries, &count, &life->err), "reading the sink's log");
    for (size_t i = 0; i < count; i++) {
        const char *path = path_from_uri(life->arena, entries[i].path);
        if (strcmp(life->scenario->sink, "parquet") == 0) rows += rows_of_parquet(life, path);
        else must(life, file_read_all(path, 1 << 20, text, &life->err), "reading the output");
    }
    buffer_printf(text, "rows %" PRId64 "\n", rows);
}

static void tell_delta(struct life *life, const char *out, struct buffer *text)
{
    struct delta_snapshot snapshot;
    must(life, delta_snapshot_load(out, -1, true, life->arena, &life->context, &snapshot, &life->err), "reading the table");
    int64_t rows = 0;
    for (size_t i = 0; i < snapshot.add_count; i++)
        rows += rows_of_parquet(life, path_join(life->arena, out, delta_decode_path(life->arena, snapshot.adds[i].path)));
    buffer_printf(text, "rows %" PRId64 "\n", rows);
}

/* Names below, without those that the runs made up. */
static void tell_names(struct life *life, const char *folder, struct buffer *text)
{
    DIR *directory = opendir(folder);
    for (struct dirent *entry; directory && (entry = readdir(directory)) != NULL;) {
        const char *path = path_join(life->arena, folder, entry->d_name);
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        if (entry->d_type == DT_DIR) tell_names(life, path, text);
        else buffer_printf(text, "%s\n", path + strlen(life->folder));
    }
    if (directory) closedir(directory);
}

/* Rows and source files, sorted; malloced. */
static char *tell(struct life *life)
{
    struct buffer text = {0};
    const char *out = path_join(life->arena, life->folder, "out");
    if (strcmp(life->scenario->sink, "delta") == 0) tell_delta(life, out, &text);
    else tell_file_sink(life, out, &text);
    tell_names(life, path_join(life->arena, life->folder, "landing"), &text);
    tell_names(life, path_join(life->arena, life->folder, "old"), &text);
    char *told = strdup(sorted_lines(life->arena, &text));
    buffer_free(&text);
    for (char *at = told; (at = strstr(at, life->folder)) != NULL;) memmove(at, at + strlen(life->folder), strlen(at + strlen(life->folder)) + 1);
    return told;
}

/* --- Disturbing it ------------------------------------------------------------------------------------------------------------- */

enum disturbance { NOTHING, CALL_FAILS, STORE_FAILS, STOPS_SOON, STOPS_NOW, LITTLE_MEMORY };

static struct cancel *cancelled;
static void stop_soon(void) { atomic_store(&cancelled->level, 1); }
static void stop_now(void) { atomic_store(&cancelled->level, 2); }

static bool run_with(struct life *life, size_t memory)
{
    struct budget *plenty = life->context.budget;
    life->context.budget = budget_new(memory);
    bool ok = run(life);
    budget_free(life->context.budget);
    life->context.budget = plenty;
    return ok;
}

static void leave_batch_open(struct life *life)
{
    const char *before = life->scenario->stop_before;
    if (!before) return;
    bool planned = strcmp(before, NO_MEMORY) == 0;
    refused_name = planned ? NULL : before;
    must(life, !run_with(life, planned ? 64 : 0), "it should have stopped");
    refused_name = NULL;
}

/* The run may fail; the next one, undisturbed, may not. */
static void disturbed_run(struct life *life, enum disturbance kind, size_t memory)
{
    leave_batch_open(life);
    fault.counts = kind == CALL_FAILS || kind == STOPS_SOON || kind == STOPS_NOW;
    store_counts = kind == STORE_FAILS;
    bool ok = run_with(life, memory);
    fault.counts = store_counts = false;
    if (!ok && (kind == NOTHING || kind == STOPS_SOON || kind == STOPS_NOW)) must(life, false, "the run");
    atomic_store(&life->context.cancel.level, 0);
}

static char *live(const struct scenario *scenario, enum disturbance kind, long at, int code, size_t memory)
{
    struct life life;
    fault.counts = false;
    refused_name = NULL;
    life_begin(&life, scenario);
    cancelled = &life.context.cancel;
    fault.meanwhile = kind == STOPS_SOON ? stop_soon : kind == STOPS_NOW ? stop_now : NULL;
    of_names = code == ENOENT || code == EACCES || code == EXDEV || code == EEXIST || code == EMFILE;
    fault.calls = 0;
    fault.at = life.hit_at = at;
    fault.code = code;
    for (int i = 0; i < RUNS; i++) {
        scenario->land(&life, i);
        set_apart(&life, i);
        disturbed_run(&life, kind, memory);
        must(&life, run(&life), "the run after");
    }
    char *told = tell(&life);
    life_end(&life);
    return told;
}

static size_t count_line(const char *text, const char *line)
{
    size_t count = 0, size = strcspn(line, "\n") + 1;
    for (; *text; text += strcspn(text, "\n") + 1) count += strncmp(text, line, size) == 0;
    return count;
}

/* Told that a file is not there, or that a name is taken, the run believes it: files may lie elsewhere then, and rows may be missing, but none is twice. */
static bool is_part(const char *told, const char *undisturbed)
{
    for (const char *line = told; *line; line += strcspn(line, "\n") + 1)
        if (*line != '/' && strncmp(line, "rows ", 5) != 0 && count_line(told, line) > count_line(undisturbed, line)) return false;
    return true;
}

static void expect(const struct scenario *scenario, const char *told, const char *undisturbed, long at, int code)
{
    bool is_lie = code == ENOENT || code == EEXIST;
    if (is_lie ? is_part(told, undisturbed) : strcmp(told, undisturbed) == 0) return;
    fail_msg("%s, call %ld with %s:\n%s\nand not\n%s", scenario->name, at, strerror(code), told, undisturbed);
}

static long each_call(const struct scenario *scenario, enum disturbance kind, int code, long from, long stride)
{
    char *undisturbed = live(scenario, NOTHING, 0, 0, 0), *told;
    free(live(scenario, kind, LONG_MAX, code, 0));
    long calls = fault.calls;
    for (long at = from; at <= calls; at += stride) {
        told = live(scenario, kind, at, code, 0);
        expect(scenario, told, undisturbed, at, code);
        free(told);
    }
    free(undisturbed);
    return calls;
}

/* --- The lives ------------------------------------------------------------------------------------------------------------------ */

#define CHECKPOINT "checkpointLocation: cp"

static void land_folders(const struct life *life, int run)
{
    put(life, run ? "landing/day=2/c.json" : "landing/day=1/a.json", run ? "{\"a\":5}\n{\"a\":6}\n" : "{\"a\":1}\n{\"a\":2}\nnonsense\n");
    put(life, run ? "landing/day=1/d.json" : "landing/day=1/b.json", run ? "{\"a\":7}\n" : "{\"a\":3}\n");
    if (run) put(life, "landing/day=2/none.json", "");
}

static void land_versions(const struct life *life, int run)
{
    put(life, "landing/a.csv", run ? "1,one\n2,two\n3,three\n" : "1,one\n");
    put(life, run ? "landing/c.csv" : "landing/b.csv", run ? "4,four\n" : "5,five\n6,six\n");
}

static void land_some(const struct life *life, int run)
{
    bool deep = strstr(life->scenario->reader, "recursive") != NULL;
    put(life, !run ? "landing/a.txt" : deep ? "landing/x/c.txt" : "landing/c.txt", run ? "five\n" : "one\ntwo\n");
    put(life, run ? "landing/d.txt" : "landing/b.txt", run ? "six\nseven\n" : "three\nfour\n");
}

static const struct scenario scenarios[] = {
    {"JSON to JSON, archive", "{format: json, schema: 'a BIGINT, day INT, _corrupt_record STRING', load: landing, options: {cleanSource: archive, sourceArchiveDir: old, maxFileAge: 7d}}",
     "{format: json, options: {" CHECKPOINT "}, start: out}", "SELECT a, day, _corrupt_record, _metadata.file_name FROM input", land_folders, "json", false, NULL},
    {"CSV to Parquet by folders, delete", "{format: csv, schema: 'n INT, t STRING', load: landing, options: {cleanSource: delete, maxFilesPerTrigger: 1}}",
     "{format: parquet, partitionBy: n, options: {" CHECKPOINT "}, start: out}", "SELECT * FROM input", land_some, "parquet", false, NULL},
    {"CSV to Delta, versions, moved", "{format: cloudFiles, schema: 'n INT, t STRING', load: 'landing/*', options: {cloudFiles.format: csv, cloudFiles.allowOverwrites: true, "
     "cloudFiles.cleanSource: MOVE, cloudFiles.cleanSource.moveDestination: old, cloudFiles.cleanSource.retentionDuration: 0 seconds}}",
     "{format: delta, options: {" CHECKPOINT "}, start: out}", "SELECT t, n FROM input", land_versions, "delta", false, NULL},
    {"CSV to Delta, again from the commit", "{format: csv, schema: 'n INT, t STRING', load: landing}", "{format: delta, partitionBy: t, options: {" CHECKPOINT "}, start: out}",
     "SELECT * FROM input", land_some, "delta", false, "_delta_log/0000000000000000000"},
    {"text to JSON, again from the log", "{format: text, load: landing, options: {cleanSource: delete}}", "{format: json, options: {" CHECKPOINT "}, start: out}",
     "SELECT value FROM input", land_some, "json", false, "_spark_metadata/"},
    {"text to text, again from the plan", "{format: text, load: landing}", "{format: text, options: {" CHECKPOINT "}, start: out}",
     "SELECT value FROM input", land_some, "text", false, NO_MEMORY},
    {"JSON to JSON, served with notifications", "{format: cloudFiles, schema: 'a BIGINT, day INT', load: landing, options: {cloudFiles.format: json, cloudFiles.useNotifications: true, "
     "cloudFiles.backfillInterval: 1 hour, cloudFiles.cleanSource: MOVE, cloudFiles.cleanSource.moveDestination: old, cloudFiles.cleanSource.retentionDuration: 1 hour}}",
     "{format: json, options: {" CHECKPOINT "}, start: out}", "SELECT a, day FROM input", land_folders, "json", true, NULL},
    {"CSV to text, served by listing", "{format: csv, schema: 't STRING, n INT', load: landing}",
     "{format: text, trigger: {processingTime: 10 minutes}, options: {" CHECKPOINT "}, start: out}", "SELECT t FROM input", land_some, "text", true, NULL},
    {"text to text, newest first", "{format: text, load: landing, options: {recursiveFileLookup: true, latestFirst: true, fileNameOnly: true, maxFilesPerTrigger: 2}}",
     "{format: text, options: {" CHECKPOINT "}, start: out}", "SELECT * FROM input", land_some, "text", false, NULL},
};

/* All calls, or one of `stride`; INLET_CRASH=all: all of them. */
static long everywhere(enum disturbance kind, int code, long stride)
{
    long calls = 0;
    const char *all = getenv("INLET_CRASH");
    if (all && strcmp(all, "all") == 0) stride = 1;
    if (getenv("VALGRIND")) stride *= 50;
    for (size_t i = 0; i < COUNTOF(scenarios); i++) {
        long step = scenarios[i].serves && stride > 1 ? 5 * stride : stride; /* The kernel takes its time to take watches down. */
        calls += each_call(&scenarios[i], kind, code, 1 + (long)i % step, step);
    }
    return calls;
}

static void a_failing_call_is_told_or_overcome(void **state)
{
    (void)state;
    assert_true(everywhere(CALL_FAILS, EIO, 3) > 800);
}

static void so_is_one_that_fails_for_another_reason(void **state)
{
    (void)state;
    static const int codes[] = {ENOSPC, EMFILE, EINTR, EACCES, ENOENT, EXDEV, EEXIST, EINVAL};
    for (size_t i = 0; i < COUNTOF(codes); i++) everywhere(CALL_FAILS, codes[i], 31);
}

static void a_failing_store_is_told(void **state)
{
    (void)state;
    assert_true(everywhere(STORE_FAILS, EIO, 3) > 200);
}

static void a_run_stops_where_it_is_asked_to(void **state)
{
    (void)state;
    everywhere(STOPS_SOON, 0, 17);
    everywhere(STOPS_NOW, 0, 11);
}

static void too_little_memory_is_told(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNTOF(scenarios); i++) {
        char *undisturbed = live(&scenarios[i], NOTHING, 0, 0, 0);
        for (size_t memory = 64; memory < 4 << 20; memory += memory) {
            char *told = live(&scenarios[i], LITTLE_MEMORY, (long)memory, ENOMEM, memory);
            expect(&scenarios[i], told, undisturbed, (long)memory, ENOMEM);
            free(told);
        }
        free(undisturbed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_failing_call_is_told_or_overcome), cmocka_unit_test(so_is_one_that_fails_for_another_reason),
        cmocka_unit_test(a_failing_store_is_told),            cmocka_unit_test(a_run_stops_where_it_is_asked_to),
        cmocka_unit_test(too_little_memory_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
