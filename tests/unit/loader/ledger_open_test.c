/* ledger_open_test -- opening a checkpoint: whose it is, on which file system it lies, and what the files beside the ledger say of it. */
#include "base/file.h"
#include "loader/ledger.h"
#include "tests/unit/fixture.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

/* --- The system, otherwise than it is ----------------------------------------------------------------------------------------- */

static long file_system;       /* 0: the real one. */
static int lock_problem, busy_times;
static const char *host_name;  /* NULL: the real one; "": it cannot be told. */
static bool unreadable_lock;
#define REAL(type, name, ...) ((type(*)(__VA_ARGS__))dlsym(RTLD_NEXT, name))

int statfs(const char *path, struct statfs *out)
{
    int code = REAL(int, "statfs", const char *, struct statfs *)(path, out);
    if (file_system) out->f_type = (__typeof__(out->f_type))file_system;
    return code;
}

int flock(int fd, int operation)
{
    if (lock_problem && busy_times != 0) {
        if (busy_times > 0) busy_times--;
        errno = lock_problem;
        return -1;
    }
    return REAL(int, "flock", int, int)(fd, operation);
}

int gethostname(char *name, size_t size)
{
    if (!host_name) return REAL(int, "gethostname", char *, size_t)(name, size);
    if (!*host_name) return -1;
    snprintf(name, size, "%s", host_name);
    return 0;
}

ssize_t pread(int fd, void *data, size_t size, off_t at)
{
    if (!unreadable_lock) return REAL(ssize_t, "pread", int, void *, size_t, off_t)(fd, data, size, at);
    errno = EIO;
    return -1;
}

/* --- A checkpoint ----------------------------------------------------------------------------------------------------------------- */

static char folder[64];
static struct inlet_context context;
static const char *checkpoint;

static void must(bool ok)
{
    char text[8192];
    error_format(&err, text, sizeof text);
    if (!ok) fail_msg("%s", text);
}

static int begin(void **state)
{
    start(state);
    snprintf(folder, sizeof folder, "%s/ledger_open_XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    if (!mkdtemp(folder)) return -1;
    inlet_context_init(&context);
    checkpoint = arena_printf(arena, "%s/cp", folder);
    file_system = 0;
    lock_problem = busy_times = 0;
    host_name = NULL;
    unreadable_lock = false;
    return 0;
}

static int end(void **state)
{
    inlet_context_fini(&context);
    return directory_remove_tree(folder, NULL) ? stop(state) : -1;
}

static struct ledger *opened(void)
{
    error_clear(&err);
    struct ledger *ledger = ledger_open(checkpoint, &context, &err);
    must(ledger != NULL);
    return ledger;
}

static void refused(enum condition condition, const char *text)
{
    error_clear(&err);
    struct ledger *ledger = ledger_open(checkpoint, &context, &err);
    assert_null(ledger);
    assert_string_equal(condition_name(err.condition), condition_name(condition));
    if (!strstr(err.message, text)) fail_msg("%s", err.message);
}

static const char *inside(const char *name) { return arena_printf(arena, "%s/%s", checkpoint, name); }
static void put(const char *name, const char *text) { must(directories_make(checkpoint, &err) && file_replace(inside(name), slice_text(text), &err)); }

/* Writes into the lock file where it stands. */
static void write_owner(const char *text)
{
    FILE *file = fopen(inside("inlet.lock"), "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

/* --- Its owner ---------------------------------------------------------------------------------------------------------------------- */

static void the_owner_is_told_to_who_comes_second(void **state)
{
    (void)state;
    struct ledger_owner owner;
    struct ledger *first = opened();
    must(ledger_owner(checkpoint, &owner, &err));
    assert_true(owner.running);
    assert_int_equal(owner.pid, getpid());
    refused(COND_INLET_CHECKPOINT_OWNED, arena_printf(arena, "process %d, started at 2", (int)getpid()));
    host_name = "another-host";
    refused(COND_INLET_CHECKPOINT_OWNED, arena_printf(arena, "process %d on ", (int)getpid()));
    host_name = "";
    refused(COND_INLET_CHECKPOINT_OWNED, arena_printf(arena, "process %d, started", (int)getpid()));
    host_name = NULL;
    write_owner("77 1600000000000000\n"); /* Without a host. */
    refused(COND_INLET_CHECKPOINT_OWNED, "process 77, started at 2020-09-13T12:26:40Z");
    write_owner("77 9223372036854775807\n"); /* A year that the calendar has. */
    refused(COND_INLET_CHECKPOINT_OWNED, "process 77, started at 294247-01-10");
    write_owner("nonsense");
    refused(COND_INLET_CHECKPOINT_OWNED, "process 0, started at an unknown time");
    unreadable_lock = true;
    refused(COND_INLET_IO, "could not read the lock file");
    assert_false(ledger_owner(checkpoint, &owner, &err));
    unreadable_lock = false;
    ledger_close(first);
    must(ledger_owner(checkpoint, &owner, &err));
    assert_false(owner.running);
}

static void who_only_asks_does_not_stand_in_the_way(void **state)
{
    (void)state;
    lock_problem = EWOULDBLOCK;
    busy_times = 3;
    ledger_close(opened());
    lock_problem = EINTR;
    busy_times = 2;
    ledger_close(opened());
    busy_times = -1;
    refused(COND_INLET_IO, "could not lock");
    lock_problem = ENOLCK;
    refused(COND_INLET_IO, "could not lock");
}

static void there_may_be_no_owner(void **state)
{
    (void)state;
    struct ledger_owner owner;
    must(ledger_owner(checkpoint, &owner, &err)); /* No folder. */
    assert_false(owner.running);
    assert_false(ledger_exists(checkpoint));
    must(file_replace(checkpoint, slice_text("a file"), &err));
    must(ledger_owner(checkpoint, &owner, &err));
    assert_false(owner.running);
    assert_int_equal(unlink(checkpoint), 0);
    must(directories_make(checkpoint, &err) && ledger_owner(checkpoint, &owner, &err));
    assert_false(owner.running);
    assert_int_equal(symlink("inlet.lock", inside("inlet.lock")), 0);
    assert_false(ledger_owner(checkpoint, &owner, &err));
    assert_non_null(strstr(err.message, "could not open the lock file"));
    refused(COND_INLET_IO, "could not open the lock file");
}

/* --- Where it lies ------------------------------------------------------------------------------------------------------------------- */

static void network_file_systems_are_refused_by_name(void **state)
{
    (void)state;
    static const struct { long type; const char *name; } kinds[] = {{0x6969, "NFS"}, {0x517b, "SMB"}, {0xff534d42, "SMB"}, {0xfe534d42, "SMB"}, {0x5346414f, "AFS"}, {0x00c36400, "Ceph"}};
    for (size_t i = 0; i < COUNTOF(kinds); i++) {
        file_system = kinds[i].type;
        refused(COND_INLET_NOT_SUPPORTED_YET, arena_printf(arena, "the network file system %s", kinds[i].name));
    }
    file_system = 0xef53;
    ledger_close(opened());
}

/* --- What stands beside it -------------------------------------------------------------------------------------------------------------- */

static void slashes_at_the_end_are_no_other_checkpoint(void **state)
{
    (void)state;
    char id[64];
    const char *plain = checkpoint;
    struct ledger *ledger = opened();
    snprintf(id, sizeof id, "%s", ledger_query_id(ledger));
    ledger_close(ledger);
    checkpoint = arena_printf(arena, "%s//", plain);
    ledger = opened();
    assert_string_equal(ledger_query_id(ledger), id);
    ledger_close(ledger);
    assert_true(ledger_exists(plain));
    assert_int_equal(unlink(arena_printf(arena, "%s/metadata", plain)), 0);
    assert_true(ledger_exists(plain)); /* By its ledger. */
    ledger_close(opened());
    struct buffer text = {0};
    must(file_read_all(arena_printf(arena, "%s/metadata", plain), 1000, &text, &err));
    assert_non_null(strstr(buffer_string(&text), id));
    buffer_free(&text);
}

static void metadata_must_fit(void **state)
{
    (void)state;
    put("metadata", "{\"id\":\"x\"}");
    refused(COND_INLET_CHECKPOINT_DAMAGED, "its ledger is missing");
    error_clear(&err);
    assert_null(ledger_open_read(checkpoint, &context, &err));
    assert_non_null(strstr(err.message, "its ledger is missing"));
    assert_int_equal(unlink(inside("metadata")), 0);
    ledger_close(opened());
    put("metadata", "{\"id\":\"x\"}");
    refused(COND_INLET_CHECKPOINT_DAMAGED, "names the query x");
    put("metadata", "nonsense");
    refused(COND_INLET_CHECKPOINT_DAMAGED, "does not hold the query's id");
    assert_int_equal(unlink(inside("metadata")), 0);
    assert_int_equal(mkdir(inside("metadata"), 0755), 0);
    error_clear(&err);
    assert_null(ledger_open(checkpoint, &context, &err));
    assert_int_not_equal(err.condition, COND_NONE);
}

static void a_checkpoint_of_spark_is_refused(void **state)
{
    (void)state;
    must(directories_make(inside("offsets"), &err));
    refused(COND_INLET_CHECKPOINT_SPARK, "it has 'offsets'");
    error_clear(&err);
    assert_null(ledger_open_read(checkpoint, &context, &err));
    assert_int_equal(err.condition, COND_INLET_CHECKPOINT_SPARK);
}

static void where_nothing_is_nothing_is_read(void **state)
{
    (void)state;
    assert_null(ledger_open_read(checkpoint, &context, &err));
    assert_int_equal(err.condition, COND_INLET_NOT_FOUND);
    assert_false(ledger_exists(checkpoint));
}

/* --- Settings ---------------------------------------------------------------------------------------------------------------------------- */

static void a_setting_that_is_no_number_is_damage(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "x", "1x", "99999999999999999999"};
    struct ledger *ledger = opened();
    int64_t value;
    for (size_t i = 0; i < COUNTOF(bad); i++) {
        error_clear(&err);
        must(ledger_setting_set(ledger, &(struct ledger_setting){"n", bad[i]}, 1, &err));
        assert_false(ledger_setting_int(ledger, "n", 5, &value, &err));
        assert_int_equal(err.condition, COND_INLET_CHECKPOINT_DAMAGED);
    }
    error_clear(&err);
    must(ledger_setting_set(ledger, &(struct ledger_setting){"n", "-7"}, 1, &err) && ledger_setting_int(ledger, "n", 5, &value, &err));
    assert_int_equal(value, -7);
    must(ledger_setting_int(ledger, "none", 5, &value, &err));
    assert_int_equal(value, 5);
    ledger_close(ledger);
}

static void a_fact_that_changed_is_told_as_people_call_it(void **state)
{
    (void)state;
    static const struct { const char *name, *label; } facts[] = {
        {"source.0.kind", "a source of the kind"}, {"source.0.identity", "files known by"}, {"sink.partition_by", "an output with partitionBy"}, {"other", "was made for other"},
    };
    struct ledger *ledger = opened();
    for (size_t i = 0; i < COUNTOF(facts); i++) {
        error_clear(&err);
        must(ledger_facts_check(ledger, &(struct ledger_setting){facts[i].name, "old"}, 1, &err));
        must(ledger_facts_check(ledger, &(struct ledger_setting){facts[i].name, "old"}, 1, &err));
        assert_false(ledger_facts_check(ledger, &(struct ledger_setting){facts[i].name, "new"}, 1, &err));
        assert_int_equal(err.condition, COND_INLET_CHECKPOINT_MISMATCH);
        assert_non_null(strstr(err.message, facts[i].label));
        assert_non_null(strstr(err.message, "'old'; the pipeline file now asks for 'new'"));
    }
    ledger_close(ledger);
}

static void who_reads_cannot_write(void **state)
{
    (void)state;
    ledger_close(opened());
    struct ledger *ledger = ledger_open_read(checkpoint, &context, &err);
    must(ledger != NULL);
    assert_false(ledger_setting_set(ledger, &(struct ledger_setting){"n", "1"}, 1, &err));
    assert_int_equal(err.condition, COND_INLET_INTERNAL);
    ledger_close(ledger);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_owner_is_told_to_who_comes_second), TEST(who_only_asks_does_not_stand_in_the_way), TEST(there_may_be_no_owner),
        TEST(network_file_systems_are_refused_by_name), TEST(slashes_at_the_end_are_no_other_checkpoint), TEST(metadata_must_fit),
        TEST(a_checkpoint_of_spark_is_refused), TEST(where_nothing_is_nothing_is_read),
        TEST(a_setting_that_is_no_number_is_damage), TEST(a_fact_that_changed_is_told_as_people_call_it), TEST(who_reads_cannot_write),
    };
    return cmocka_run_group_tests_name("ledger open", tests, NULL, NULL);
}
