/* clean_test -- committed files are moved or deleted, across file systems too, while calls fail, others act meanwhile, and earlier runs ended
 * in the middle: what was read ends in the archive once and whole, what was not read is left alone. */
#include "base/file.h"
#include "loader/clean.h"
#include "tests/unit/fixture.h"
#include "tests/unit/sinks/disturbed.h"

#include <sys/syscall.h>

/* --- More of the system: the rename that replaces nothing ------------------------------------------------------------------------ */

static bool old_system;        /* It does not know that rename. */
static long renames_until;     /* Before the so many-th comes `before_rename`. */
static void (*before_rename)(void);

long syscall(long number, ...)
{
    va_list more;
    va_start(more, number);
    long a[6];
    for (int i = 0; i < 6; i++) a[i] = va_arg(more, long);
    va_end(more);
    if (number == SYS_renameat2) {
        if (old_system) {
            errno = EINVAL;
            return -1;
        }
        if (renames_until > 0 && --renames_until == 0) before_rename();
        if (fails(NAMES)) return -1;
    }
    return ((long (*)(long, ...))dlsym(RTLD_NEXT, "syscall"))(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

/* --- A ledger whose files are committed and due -------------------------------------------------------------------------------------- */

#define TEXT "what was read\n"
#define OTHER_TEXT "what another producer wrote\n"

static struct world {
    char here[64], there[64];      /* On two file systems where the machine has two. */
    const char *landing, *archive;
    struct inlet_context context;
    struct ledger *ledger;
    struct pipeline_reader reader;
    const char *load[2];
} world;

static void must(bool ok)
{
    char text[8192];
    error_format(&err, text, sizeof text);
    if (!ok) fail_msg("%s", text);
}

static void quiet(void *user, enum log_level level, const char *event, const char *text) { (void)user, (void)level, (void)event, (void)text; }

static bool has_two_disks(void)
{
    struct stat a, b;
    return stat("/tmp", &a) == 0 && stat("/dev/shm", &b) == 0 && a.st_dev != b.st_dev && access("/dev/shm", W_OK) == 0;
}

static void open_world(enum clean_mode mode, bool across)
{
    memset(&world, 0, sizeof world);
    const char *shm = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    snprintf(world.here, sizeof world.here, "%s/clean_XXXXXX", shm);
    snprintf(world.there, sizeof world.there, "%s/clean_XXXXXX", across ? "/tmp" : shm);
    assert_non_null(mkdtemp(world.here));
    assert_non_null(mkdtemp(world.there));
    world.landing = arena_printf(arena, "%s/landing", world.here);
    world.archive = arena_printf(arena, "%s/archive", world.there);
    inlet_context_init(&world.context);
    world.context.log_line = quiet;
    world.load[0] = world.landing;
    world.reader = (struct pipeline_reader){.settings = {.clean = mode, .clean_directory = mode == CLEAN_DELETE ? NULL : world.archive}, .load = world.load, .load_count = 1};
    error_clear(&err);
    world.ledger = ledger_open(arena_printf(arena, "%s/cp", world.here), &world.context, &err);
    must(world.ledger != NULL);
}

static void close_world(void)
{
    must(ledger_verify(world.ledger, &err));
    ledger_close(world.ledger);
    must(directory_remove_tree(world.here, &err) && directory_remove_tree(world.there, &err));
    inlet_context_fini(&world.context);
}

static const char *below(const char *folder, const char *name) { return arena_printf(arena, "%s/%s", folder, name); }

static const char *folder_of(const char *path) { return arena_strndup(arena, path, (size_t)(path_basename(path) - path - 1)); }

static void put(const char *path, const char *text) { must(directories_make(folder_of(path), &err) && file_replace(path, slice_text(text), &err)); }

static struct admission admission_of(const char *path)
{
    struct stat info;
    assert_int_equal(stat(path, &info), 0);
    return (struct admission){.verdict = ADMIT_PENDING,
                              .sighting = {.directory = folder_of(path), .name = path_basename(path), .size = info.st_size,
                                           .mtime_us = (int64_t)info.st_mtim.tv_sec * 1000000 + info.st_mtim.tv_nsec / 1000, .device = (uint64_t)info.st_dev,
                                           .inode = (uint64_t)info.st_ino}};
}

/* These paths are a committed batch. */
static void load_paths(const char *const *paths, size_t count)
{
    static const struct ledger_source source = {.id = 0};
    struct discovery discovery = {.admissions = ARENA_ARRAY(arena, struct admission, count), .count = count};
    for (size_t i = 0; i < count; i++) discovery.admissions[i] = admission_of(paths[i]);
    struct plan plan = {.watermark_late_us = WATERMARK_NONE, .watermark_evict_us = WATERMARK_NONE, .settings = "{}", .pipeline_digest = "p", .plan_digest = "q", .limits = ""};
    struct ledger_input *files;
    size_t taken = 0;
    must(ledger_admit(world.ledger, &source, &discovery, &err) && ledger_last_committed(world.ledger, &plan.batch_id, &err) &&
         ledger_take(world.ledger, &source, &(struct take_limits){0}, arena, &files, &taken, &err));
    assert_int_equal(taken, count);
    plan.batch_id++;
    plan.ranges = plan_ranges(arena, files, taken, 0, &plan.range_count);
    struct file_outcome *outcomes = ARENA_ARRAY(arena, struct file_outcome, taken);
    for (size_t i = 0; i < taken; i++) outcomes[i] = (struct file_outcome){.ordinal = files[i].ordinal, .rows = 1, .records_framed = 1, .bytes = 1};
    struct prepared prepared = {.batch_id = plan.batch_id, .manifest = slice_text("m"), .outcomes = outcomes, .outcome_count = taken, .bytes_out = 1};
    must(ledger_plan(world.ledger, &plan, &err) && ledger_prepare(world.ledger, &prepared, &err) &&
         ledger_commit(world.ledger, plan.batch_id, NULL, NULL, 0, NULL, &err));
}

static const char *load_file(const char *name)
{
    const char *path = below(world.landing, name);
    put(path, TEXT);
    load_paths(&path, 1);
    return path;
}

static struct clean_result_counts clean(void)
{
    struct clean_result_counts counts;
    error_clear(&err);
    must(clean_due(world.ledger, &world.reader, &world.context, &counts, &err));
    return counts;
}

static struct ledger_file known(const char *path)
{
    static const struct ledger_source source = {.id = 0};
    struct ledger_file file;
    must(ledger_find(world.ledger, &source, folder_of(path), path_basename(path), arena, &file, &err));
    return file;
}

static bool holds(const char *path, const char *text)
{
    struct buffer found = {0};
    bool same = file_read_all(path, 1 << 20, &found, NULL) && slice_equal(slice_of(found.data, found.size), slice_text(text));
    buffer_free(&found);
    return same;
}

/* Files below the folder that begin with `text`; NULL: all. */
static int count_below(const char *folder, const char *text)
{
    int count = 0;
    DIR *directory = opendir(folder);
    for (struct dirent *entry; directory && (entry = readdir(directory)) != NULL;) {
        const char *path = below(folder, entry->d_name);
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        if (entry->d_type == DT_DIR) count += count_below(path, text);
        else count += !text || holds(path, text);
    }
    if (directory) closedir(directory);
    return count;
}

/* Where the file is to go. */
static const char *target_of(const char *path)
{
    return arena_printf(arena, "%s%s", world.archive, world.reader.settings.clean == CLEAN_MOVE ? path + strlen(world.landing) : path);
}

static const char *aside_of(const char *path)
{
    char digest[DIGEST_TEXT_SIZE];
    digest_text(path_basename(path), strlen(path_basename(path)), digest);
    return arena_printf(arena, "%s/.inlet-clean-%s", folder_of(path), digest);
}

/* --- Failing calls --------------------------------------------------------------------------------------------------------------------- */

/* What a run before it left: nothing; the file aside; aside, and its copy in the archive; in the archive, and not yet written down. */
enum start { FRESH, ASIDE, COPIED, MOVED, STARTS };

static void leave(enum start how, const char *path)
{
    const char *target = target_of(path);
    struct stat info;
    if (how == FRESH) return;
    assert_int_equal(stat(path, &info), 0);
    if (how == COPIED || how == MOVED) must(directories_make(folder_of(target), &err));
    if (how == MOVED && rename(path, target) == 0) return;
    if (how == ASIDE || how == COPIED) assert_int_equal(rename(path, aside_of(path)), 0);
    if (how == ASIDE) return;
    put(target, TEXT);
    struct timespec times[2] = {info.st_atim, info.st_mtim};
    assert_int_equal(utimensat(AT_FDCWD, target, times, 0), 0);
    if (how == MOVED) assert_int_equal(unlink(path), 0);
}

static void expect_cleaned(enum start how, const char *path, int code, long at)
{
    bool told_lies = code == ENOENT || code == ENOTDIR || code == EEXIST; /* Who is told so believes it. */
    int here = count_below(world.landing, TEXT), there = count_below(world.archive, TEXT);
    bool deletes = world.reader.settings.clean == CLEAN_DELETE;
    if (told_lies ? here + there >= !deletes && here + there <= 2 : here == 0 && there == !deletes) return;
    if (how == COPIED && here == 0 && there == 2) return; /* A copy that cannot be read is taken for somebody else's. */
    fail_msg("%s, call %ld with %s: %d in the landing zone, %d in the archive", path, at, strerror(code), here, there);
}

/* One file; the at-th call of its cleaning fails. True: there was such a call. */
static bool clean_with_failure(enum start how, int code, long at)
{
    struct clean_result_counts counts;
    const char *path = load_file(arena_printf(arena, "x/%d-%d-%ld", how, code, at));
    leave(how, path);
    fault.calls = 0;
    fault.at = at;
    fault.code = code;
    error_clear(&err);
    fault.counts = true;
    bool ok = clean_due(world.ledger, &world.reader, &world.context, &counts, &err);
    fault.counts = false;
    if (!ok && err.condition == COND_NONE) fail_msg("call %ld with %s: a failure without its reason", at, strerror(code));
    bool hit = fault.calls >= at;
    assert_int_equal(clean().retried, 0);
    expect_cleaned(how, path, code, at);
    must(directory_remove_tree(world.landing, &err) && directory_remove_tree(world.archive, &err));
    return hit;
}

static void each_call_fails(enum clean_mode mode, bool across)
{
    static const int codes[] = {EIO, EACCES, ENOENT, ENOTDIR, EEXIST, ENOSPC, EINVAL};
    open_world(mode, across);
    for (enum start how = FRESH; how < (mode == CLEAN_DELETE ? COPIED : STARTS); how++)
        for (size_t i = 0; i < COUNTOF(codes); i++)
            for (long at = 1; clean_with_failure(how, codes[i], at); at += getenv("VALGRIND") ? 20 : 1) {}
    close_world();
}

static void a_call_that_fails_loses_and_doubles_nothing(void **state)
{
    (void)state;
    each_call_fails(CLEAN_DELETE, false);
    each_call_fails(CLEAN_MOVE, false);
}

static void nor_across_file_systems(void **state)
{
    (void)state;
    if (!has_two_disks()) skip();
    each_call_fails(CLEAN_MOVE, true);
}

/* --- Others, meanwhile ------------------------------------------------------------------------------------------------------------------- */

static const char *victim;
static void replace_victim(void) { must(file_replace(victim, slice_text(OTHER_TEXT), &err)); }

static void remove_victim(void) { assert_int_equal(unlink(victim), 0); }

static void what_came_under_the_name_meanwhile_is_put_back(void **state)
{
    (void)state;
    open_world(CLEAN_MOVE, false);
    victim = load_file("a");
    before_rename = replace_victim;
    renames_until = 1;
    assert_int_equal(clean().kept, 1);
    assert_true(holds(victim, OTHER_TEXT));
    assert_int_equal(count_below(world.here, OTHER_TEXT), 1);
    assert_non_null(strstr(known(victim).clean_reason, "changed or replaced"));
    victim = load_file("b");
    before_rename = remove_victim;
    renames_until = 1;
    assert_int_equal(clean().gone, 1);
    assert_int_equal(count_below(world.archive, NULL), 0);
    close_world();
}

static void replace_and_again(void)
{
    replace_victim();
    renames_until = 1; /* When it is put back, the name is taken once more. */
    before_rename = replace_victim;
}

static void what_cannot_be_put_back_waits_aside(void **state)
{
    (void)state;
    open_world(CLEAN_MOVE, false);
    victim = load_file("a");
    before_rename = replace_and_again;
    renames_until = 1;
    assert_int_equal(clean().retried, 1);
    assert_int_equal(count_below(world.landing, OTHER_TEXT), 2);
    assert_int_equal(clean().retried, 1); /* The name is still taken. */
    assert_true(holds(aside_of(victim), OTHER_TEXT));
    assert_int_equal(unlink(victim), 0);
    assert_int_equal(clean().kept, 1);
    assert_true(holds(victim, OTHER_TEXT));
    assert_int_equal(count_below(world.here, OTHER_TEXT), 1);
    close_world();
}

static void a_system_without_that_rename_links(void **state)
{
    (void)state;
    open_world(CLEAN_MOVE, false);
    old_system = true;
    const char *path = load_file("a"), *clash = load_file("b");
    put(target_of(clash), OTHER_TEXT);
    assert_int_equal(clean().cleaned, 2);
    old_system = false;
    assert_true(holds(target_of(path), TEXT));
    assert_true(holds(target_of(clash), OTHER_TEXT));
    assert_true(holds(arena_printf(arena, "%s.1", target_of(clash)), TEXT));
    assert_int_equal(count_below(world.landing, NULL), 0);
    close_world();
}

/* --- Names ---------------------------------------------------------------------------------------------------------------------------------- */

static char *long_text(size_t size, const char *tail)
{
    char *text = arena_alloc(arena, size + strlen(tail) + 1);
    memset(text, 'x', size);
    strcpy(text + size, tail);
    return text;
}

/* Only a copy of the whole content is no clash. */
static void a_name_that_is_taken_is_not_overwritten(void **state)
{
    (void)state;
    static const struct { size_t size, other_size; const char *tail, *other_tail; bool same; } cases[] = {
        {5, 5, "", "", true}, {5, 6, "", "", false}, {6, 5, "", "", false}, {5, 5, "a", "b", false}, {8192, 8192, "", "", true}, {8192, 8192, "", "b", false},
        {20000, 20000, "a", "a", true}, {20000, 20000, "a", "b", false}, {20000, 100, "", "", false}, {0, 0, "", "", true}, {0, 1, "", "", false},
    };
    open_world(CLEAN_ARCHIVE, false);
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        const char *path = below(world.landing, arena_printf(arena, "%zu", i)), *target = target_of(path);
        const char *text = long_text(cases[i].size, cases[i].tail), *other = long_text(cases[i].other_size, cases[i].other_tail);
        put(path, text);
        load_paths(&path, 1);
        put(target, other);
        assert_int_equal(clean().cleaned, 1);
        assert_true(holds(target, other));
        const char *second = arena_printf(arena, "%s.1", target);
        assert_int_equal(access(second, F_OK) == 0, !cases[i].same);
        if (!cases[i].same) assert_true(holds(second, text));
        assert_string_equal(known(path).clean_target, cases[i].same ? target : second);
    }
    close_world();
}

static void files_of_many_folders_and_of_other_load_paths(void **state)
{
    (void)state;
    open_world(CLEAN_MOVE, false);
    world.load[1] = arena_printf(arena, "%s/landing2", world.here);
    world.reader.load_count = 2;
    const char *paths[41];
    for (size_t i = 0; i < COUNTOF(paths); i++) {
        paths[i] = arena_printf(arena, "%s/folder%zu/f", i == 40 ? world.load[1] : world.landing, i);
        put(paths[i], TEXT);
    }
    load_paths(paths, COUNTOF(paths));
    assert_int_equal(clean().cleaned, COUNTOF(paths));
    for (size_t i = 0; i < 40; i++) assert_true(holds(target_of(paths[i]), TEXT));
    assert_true(holds(arena_printf(arena, "%s%s", world.archive, paths[40]), TEXT)); /* Not below the first: its whole path. */
    assert_string_equal(known(paths[40]).clean_target, arena_printf(arena, "%s%s", world.archive, paths[40]));
    close_world();
}

static void what_lies_behind_a_link_stays(void **state)
{
    (void)state;
    open_world(CLEAN_DELETE, false);
    const char *elsewhere = below(world.here, "elsewhere/deep/f"), *path = below(world.landing, "link/deep/f");
    put(elsewhere, TEXT);
    must(directories_make(world.landing, &err));
    assert_int_equal(symlink(below(world.here, "elsewhere"), below(world.landing, "link")), 0);
    load_paths(&path, 1);
    assert_int_equal(clean().kept, 1);
    assert_true(holds(elsewhere, TEXT));
    assert_non_null(strstr(known(path).clean_reason, "symbolic link"));
    world.load[0] = below(world.landing, "link"); /* A load path may itself be one: it was named. */
    path = below(world.landing, "link/deep/g");
    put(path, TEXT);
    load_paths(&path, 1);
    assert_int_equal(clean().cleaned, 1);
    assert_int_equal(access(path, F_OK), -1);
    close_world();
}

static void a_run_that_is_to_stop_cleans_nothing(void **state)
{
    (void)state;
    open_world(CLEAN_MOVE, false);
    put(world.archive, "a file in the way");
    const char *path = load_file("a");
    assert_int_equal(clean().retried, 1);
    assert_int_equal(unlink(world.archive), 0);
    atomic_store(&world.context.cancel.level, 2);
    assert_int_equal(clean().cleaned, 0);
    assert_true(holds(path, TEXT));
    atomic_store(&world.context.cancel.level, 0);
    assert_int_equal(clean().cleaned, 1);
    assert_true(holds(target_of(path), TEXT));
    close_world();
}

/* --- Folders that feed the source ------------------------------------------------------------------------------------------------------------- */

static void an_archive_that_is_read_again_is_refused(void **state)
{
    (void)state;
    static const struct { const char *load, *archive; bool fine; } cases[] = {
        {"/", "/a", false}, {"/in", "/", false}, {"/in", "/in/old", false}, {"/in", "/old", true}, {"/in/*", "/in/old", false}, {"/in/a*", "/in/old", true},
        {"/tmp/none/in", "/tmp/none/../none/in/x", true}, {"/in/[", "/in/x", true}, {"/in/[a", "/in/a", true},
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct pipeline_reader reader = {.settings = {.clean = i % 2 ? CLEAN_MOVE : CLEAN_ARCHIVE, .clean_directory = cases[i].archive}, .load = &cases[i].load, .load_count = 1};
        error_clear(&err);
        if (clean_check(&reader, &err) != cases[i].fine) fail_msg("%s %s: %s", cases[i].load, cases[i].archive, err.message);
        assert_int_equal(err.condition, cases[i].fine ? COND_NONE : i % 2 ? COND_CF_INVALID_VALUE : COND_INLET_BAD_OPTION_VALUE);
        reader.settings.clean = CLEAN_DELETE;
        assert_true(clean_check(&reader, NULL));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_that_fails_loses_and_doubles_nothing),
        cmocka_unit_test(nor_across_file_systems),
        cmocka_unit_test(what_came_under_the_name_meanwhile_is_put_back),
        cmocka_unit_test(what_cannot_be_put_back_waits_aside),
        cmocka_unit_test(a_system_without_that_rename_links),
        cmocka_unit_test(a_name_that_is_taken_is_not_overwritten),
        cmocka_unit_test(files_of_many_folders_and_of_other_load_paths),
        cmocka_unit_test(what_lies_behind_a_link_stays),
        cmocka_unit_test(a_run_that_is_to_stop_cleans_nothing),
        cmocka_unit_test(an_archive_that_is_read_again_is_refused),
    };
    return cmocka_run_group_tests_name("clean", tests, start, stop);
}
