/* walk_test -- which files a walk finds: globs (both kinds), hidden names, depth, marks, odd names and broken folders. */
#include "base/file.h"
#include "listing/scope.h"
#include "listing/walk.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#define FOUND_MAX 64

struct fixture {
    char folder[64];
    struct arena *arena;
    struct error err;
    struct walk_spec spec;
    const char *load[4];
    const char *found[FOUND_MAX];
    size_t count, unreadable, marks;
    struct walk_mark mark;         /* The last one offered. */
    const char *known;             /* A name that needs no look. */
    bool give_mark;                /* The visitor answers with `mark` for its directory. */
    struct walk_stats stats;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    snprintf(f->folder, sizeof f->folder, "/tmp/walk_test_XXXXXX");
    if (!mkdtemp(f->folder)) return -1;
    f->arena = arena_new("test");
    f->spec = (struct walk_spec){.load = f->load, .load_count = 1, .strict_glob = true, .read_ahead = true, .modified_after_us = INT64_MIN, .modified_before_us = INT64_MAX};
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    bool ok = directory_remove_tree(f->folder, NULL);
    arena_free(f->arena);
    free(f);
    return ok ? 0 : -1;
}

static const char *in(struct fixture *f, const char *name) { return arena_printf(f->arena, "%s/%s", f->folder, name); }

static void put(struct fixture *f, const char *name)
{
    char *path = arena_strdup(f->arena, in(f, name)), *slash = strrchr(path, '/');
    *slash = 0;
    assert_true(directories_make(path, &f->err));
    *slash = '/';
    int fd = open(path, O_CREAT | O_WRONLY, 0666);
    assert_true(fd >= 0);
    close(fd);
}

static bool on_known(void *user, const char *directory, const char *const *names, const int64_t *mtimes_us, size_t count, bool *known, struct error *err)
{
    struct fixture *f = user;
    (void)directory;
    (void)err;
    assert_true(!mtimes_us == !f->spec.stat_known);
    for (size_t i = 0; i < count; i++) known[i] = f->known && strcmp(names[i], f->known) == 0;
    return true;
}

static bool on_found(void *user, const struct sighting *sighting, struct error *err)
{
    struct fixture *f = user;
    (void)err;
    assert_in_range(f->count, 0, FOUND_MAX - 1);
    size_t root = strlen(f->folder);
    const char *directory = strncmp(sighting->directory, f->folder, root) == 0 ? sighting->directory + root : sighting->directory;
    f->found[f->count++] = arena_printf(f->arena, "%s/%s", directory, sighting->name);
    return true;
}

static bool on_seen(void *user, const struct walk_mark *mark, struct error *err)
{
    struct fixture *f = user;
    (void)err;
    f->marks++;
    f->mark = *mark;
    f->mark.directory = arena_strdup(f->arena, mark->directory);
    return true;
}

static bool on_marked(void *user, const char *directory, struct walk_mark *mark, bool *found, struct error *err)
{
    struct fixture *f = user;
    (void)err;
    *found = f->give_mark && strcmp(directory, f->mark.directory) == 0;
    if (*found) *mark = f->mark;
    return true;
}

static void on_unreadable(void *user, const char *directory, const struct error *why)
{
    struct fixture *f = user;
    assert_non_null(directory);
    assert_int_not_equal(why->condition, COND_NONE);
    f->unreadable++;
}

static int by_text(const void *a, const void *b) { return strcmp(*(const char *const *)a, *(const char *const *)b); }

static struct walk *make_walk(struct fixture *f)
{
    struct walk *walk = walk_new(&f->spec, f->arena, &f->err);
    if (!walk) fail_msg("walk_new: %s", f->err.message);
    return walk;
}

static bool walk_it(struct fixture *f, int64_t now_us)
{
    struct walk_visitor visitor = {.user = f, .known = on_known, .found = on_found, .seen = on_seen, .marked = on_marked, .unreadable = on_unreadable};
    f->count = f->unreadable = f->marks = 0;
    bool ok = walk_run(make_walk(f), &visitor, now_us, NULL, &f->stats, &f->err);
    qsort(f->found, f->count, sizeof *f->found, by_text);
    return ok;
}

/* Walks and compares what was found, joined by spaces. */
static void expect(struct fixture *f, const char *load, const char *wanted)
{
    struct buffer text = {0};
    f->load[0] = load[0] == '/' ? load : in(f, load);
    if (!walk_it(f, 0)) fail_msg("walk: %s", f->err.message);
    for (size_t i = 0; i < f->count; i++) buffer_printf(&text, "%s%s", i ? " " : "", f->found[i]);
    assert_string_equal(buffer_string(&text), wanted);
    buffer_free(&text);
}

/* --- Globs: the sixteen rows of the patterns page -------------------------------------------------------------- */

static const struct { const char *pattern, *file; bool loose, strict; } rows[] = {
    {"/a/b", "/a/b/c/file.txt", true, true},          {"/a/b", "/a/b_dir/c/file.txt", false, false},
    {"/a/b", "/a/b.txt", false, false},               {"/a/b/", "/a/b.txt", false, false},
    {"/a/*/c/", "/a/b/c/file.txt", true, true},       {"/a/*/c/", "/a/b/c/d/file.txt", true, true},
    {"/a/*/d/", "/a/b/c/d/file.txt", true, false},    {"/a/*/c/", "/a/b/x/y/c/file.txt", true, false},
    {"/a/*/c", "/a/b/c_file.txt", true, false},       {"/a/*/c/", "/a/b/c_file.txt", true, false},
    {"/a/*/c", "/a/b/cookie/file.txt", true, false},  {"/a/b*", "/a/b.txt", true, true},
    {"/a/b*", "/a/b/file.txt", true, true},           {"/a/{0.txt,1.txt}", "/a/0.txt", true, true},
    {"/a/*/{0.txt,1.txt}", "/a/0.txt", false, false}, {"/a/b/[cde-h]/i/", "/a/b/c/i/file.txt", true, true},
};

static void both_kinds_of_globs_follow_the_table(void **state)
{
    struct fixture *f = *state;
    f->spec.subtree = true;
    for (size_t i = 0; i < 2 * COUNTOF(rows); i++) {
        bool strict = i % 2, wanted = strict ? rows[i / 2].strict : rows[i / 2].loose;
        char *folder = arena_printf(f->arena, "%zu", i);
        put(f, arena_printf(f->arena, "%s%s", folder, rows[i / 2].file));
        f->spec.strict_glob = strict;
        f->load[0] = in(f, arena_printf(f->arena, "%s%s", folder, rows[i / 2].pattern));
        if (!walk_it(f, 0) && (f->err.condition != COND_PATH_NOT_FOUND || glob_has_magic(f->load[0]))) /* A plain path that is not there. */
            fail_msg("%s: %s", rows[i / 2].pattern, f->err.message);
        if ((f->count == 1) != wanted) fail_msg("%s %s %s", rows[i / 2].pattern, rows[i / 2].file, strict ? "strict" : "loose");
        const char *path = in(f, arena_printf(f->arena, "%s%s", folder, rows[i / 2].file));
        assert_true(!walk_why_not(make_walk(f), path, f->arena) == wanted); /* `why` agrees with the walk. */
    }
}

static void braces_with_slashes_and_nesting_are_spelled_out(void **state)
{
    struct fixture *f = *state;
    put(f, "a/x/1.json");
    put(f, "b/y/2.json");
    put(f, "c/z/3.json");
    expect(f, "{a/x,b/{y,q}}/*.json", "/a/x/1.json /b/y/2.json");
    expect(f, "[a-b]/?/*.json", "/a/x/1.json /b/y/2.json");
    expect(f, "[^ab]/*", "/c/z/3.json");
    f->load[0] = in(f, "{a,b");
    assert_null(walk_new(&f->spec, f->arena, &f->err));
}

static void an_escaped_wildcard_is_a_plain_character(void **state)
{
    struct fixture *f = *state;
    put(f, "a*b/1.json");
    put(f, "axb/2.json");
    expect(f, "a\\*b", "/a*b/1.json");
    f->spec.strict_glob = false;
    expect(f, "a\\*b", "/a*b/1.json");
}

static void a_pattern_never_enters_what_cannot_match(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 20; i++) put(f, arena_printf(f->arena, "d%d/e/f/x.json", i));
    f->spec.subtree = true;
    expect(f, "d1/e/*", "/d1/e/f/x.json");
    assert_in_range(f->stats.directories, 1, 3);
    f->spec.strict_glob = false;
    expect(f, "d[3]/e/f/*.json", "/d3/e/f/x.json");
    assert_in_range(f->stats.directories, 1, 4);
}

/* --- Names and depth ---------------------------------------------------------------------------------------------- */

static void hidden_names_are_left_out_at_every_level(void **state)
{
    struct fixture *f = *state;
    static const char *const names[] = {".dir/c", ".y", "_common_metadata", "_metadata", "_dir/b", "_x", "a", "d._COPYING_", "e_", "_k=1/f", "sub/_t/g", "x._COPYING_.y"};
    for (size_t i = 0; i < COUNTOF(names); i++) put(f, names[i]);
    f->spec.subtree = true;
    expect(f, "", "/_k=1/f /a /e_ /x._COPYING_.y");
    expect(f, "_dir", "/_dir/b"); /* Named by the user himself. */
    expect(f, "_d*", "/_dir/b");
    expect(f, "*", "/_k=1/f /a /e_ /x._COPYING_.y");
    f->spec.strict_glob = false;
    expect(f, "_dir/*", "/_dir/b");
    expect(f, "*", "/_k=1/f /a /e_ /x._COPYING_.y");
}

static void without_subtree_files_of_plain_folders_do_not_count(void **state)
{
    struct fixture *f = *state;
    static const char *const names[] = {"a", "k=1/b", "k=1/m=2/c", "k=2/plain/d", "k=/e", "sub/f", "sub/k=1/g", "sub/deep/k=1/x/h", "_sub/k=1/i"};
    for (size_t i = 0; i < COUNTOF(names); i++) put(f, names[i]);
    expect(f, "", "/a /k=/e /k=1/b /k=1/m=2/c /k=2/plain/d /sub/deep/k=1/x/h /sub/k=1/g");
    expect(f, "k=*", "/k=/e /k=1/b /k=1/m=2/c /k=2/plain/d");
    expect(f, "k=1", "/k=1/b /k=1/m=2/c");
    f->spec.subtree = true;
    expect(f, "", "/a /k=/e /k=1/b /k=1/m=2/c /k=2/plain/d /sub/deep/k=1/x/h /sub/f /sub/k=1/g");
}

static void own_folders_are_never_entered(void **state)
{
    struct fixture *f = *state;
    put(f, "l/out/k=1/a");
    put(f, "l/out2/k=1/b");
    put(f, "l/k=1/c");
    f->load[0] = in(f, "l");
    const char *own[] = {in(f, "l/out"), in(f, "l/k=1/ck")};
    f->spec.own = own;
    f->spec.own_count = 2;
    struct walk *walk = make_walk(f);
    assert_non_null(strstr(walk_why_not(walk, in(f, "l/out/k=1/a"), f->arena), "output"));
    assert_null(walk_why_not(walk, in(f, "l/out2/k=1/b"), f->arena));
    assert_false(walk_enters(walk, in(f, "l/k=1/ck")));
    expect(f, "l", "/l/k=1/c /l/out2/k=1/b");
}

static void odd_names_come_through_unchanged(void **state)
{
    struct fixture *f = *state;
    put(f, "new\nline");
    put(f, "per%20cent");
    put(f, "\xff\xfe");
    put(f, "back\\slash");
    put(f, "[x]");
    expect(f, "", "/[x] /back\\slash /new\nline /per%20cent /\xff\xfe");
}

static void a_load_path_may_be_one_file(void **state)
{
    struct fixture *f = *state;
    put(f, "d/a.json");
    put(f, "d/b.json");
    expect(f, "d/a.json", "/d/a.json");
    assert_null(walk_why_not(make_walk(f), in(f, "d/a.json"), f->arena));
    assert_non_null(walk_why_not(make_walk(f), in(f, "d/b.json"), f->arena));
    struct sighting sighting;
    bool found;
    assert_true(walk_look_at(make_walk(f), in(f, "d"), "a.json", &sighting, &found, &f->err));
    assert_true(found);
}

static void a_missing_folder_is_an_error_a_glob_without_match_is_not(void **state)
{
    struct fixture *f = *state;
    f->load[0] = in(f, "none");
    assert_false(walk_it(f, 0));
    assert_int_equal(f->err.condition, COND_PATH_NOT_FOUND);
    expect(f, "none*", "");
    expect(f, "none/x*", "");
}

static void path_glob_filter_looks_at_base_names(void **state)
{
    struct fixture *f = *state;
    put(f, "a.json");
    put(f, "b.json");
    put(f, "c.csv");
    f->spec.path_glob_filter = "[^a]*.json";
    expect(f, "", "/b.json");
    f->spec.path_glob_filter = "*.{csv,txt}";
    expect(f, "", "/c.csv");
    assert_non_null(strstr(walk_why_not(make_walk(f), in(f, "b.json"), f->arena), "pathGlobFilter"));
}

static void times_outside_the_window_are_left_out(void **state)
{
    struct fixture *f = *state;
    put(f, "old");
    put(f, "new");
    struct timespec old[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}}, new[2] = {{.tv_sec = 2000}, {.tv_sec = 2000}};
    utimensat(AT_FDCWD, in(f, "old"), old, 0);
    utimensat(AT_FDCWD, in(f, "new"), new, 0);
    f->spec.modified_after_us = 1000000000; /* Exclusive. */
    expect(f, "", "/new");
    f->spec.modified_after_us = 999999999;
    f->spec.modified_before_us = 2000000000;
    expect(f, "", "/old");
    assert_non_null(strstr(walk_why_not(make_walk(f), in(f, "new"), f->arena), "modifiedBefore"));
}

static void why_names_the_first_rule(void **state)
{
    struct fixture *f = *state;
    put(f, "l/sub/a");
    put(f, "l/_h/a");
    f->load[0] = in(f, "l");
    struct walk *walk = make_walk(f);
    assert_non_null(strstr(walk_why_not(walk, "/elsewhere/a", f->arena), "not under the load path"));
    assert_non_null(strstr(walk_why_not(walk, in(f, "l/sub/a"), f->arena), "recursiveFileLookup"));
    assert_non_null(strstr(walk_why_not(walk, in(f, "l/_h/a"), f->arena), "hidden"));
    assert_null(walk_why_not(walk, in(f, "l/none"), f->arena)); /* It would be taken. */
    assert_int_equal(symlink("..", in(f, "l/k=1")), 0);
    put(f, "l/b");
    assert_non_null(strstr(walk_why_not(walk, in(f, "l/k=1/l/b"), f->arena), "loop"));
    assert_non_null(strstr(walk_why_not(walk, in(f, "l/k=1/l/k=1/l/b"), f->arena), "loop"));
    assert_null(walk_why_not(walk, in(f, "l/b"), f->arena));
    unlink(in(f, "l/k=1"));
    assert_non_null(strstr(walk_why_not(walk, in(f, "l/sub"), f->arena), "folder"));
    assert_true(walk_enters(walk, in(f, "l")));
    assert_true(walk_enters(walk, f->folder)); /* On the way to the load path. */
    assert_true(walk_enters(walk, in(f, "l/sub"))); /* It may hold key=value folders. */
    assert_true(walk_enters(walk, in(f, "l/k=1/x")));
    assert_false(walk_enters(walk, in(f, "l-other")));
}

/* --- Folders that misbehave ------------------------------------------------------------------------------------------ */

static void loops_of_links_end_and_broken_links_are_nothing(void **state)
{
    struct fixture *f = *state;
    put(f, "d/a");
    assert_int_equal(symlink("..", in(f, "d/up")), 0);
    assert_int_equal(symlink("nowhere", in(f, "d/broken")), 0);
    assert_int_equal(symlink("a", in(f, "d/alias")), 0);
    assert_int_equal(mkfifo(in(f, "d/pipe"), 0666), 0);
    f->spec.subtree = true;
    expect(f, "d", "/d/a /d/alias");
}

static void an_unreadable_folder_is_told_and_the_others_go_on(void **state)
{
    struct fixture *f = *state;
    put(f, "a/x");
    put(f, "b/y");
    chmod(in(f, "a"), 0);
    f->spec.subtree = true;
    f->load[0] = f->folder;
    assert_true(walk_it(f, 0));
    bool root = geteuid() == 0;
    assert_int_equal(f->count, root ? 2 : 1);
    assert_int_equal(f->unreadable, root ? 0 : 1);
    chmod(in(f, "a"), 0700);
}

static void a_walk_can_be_stopped(void **state)
{
    struct fixture *f = *state;
    put(f, "a");
    f->load[0] = f->folder;
    struct cancel cancel = {2};
    struct walk_visitor visitor = {.user = f, .known = on_known, .found = on_found};
    assert_false(walk_run(make_walk(f), &visitor, 0, &cancel, &f->stats, &f->err));
    assert_int_equal(f->err.condition, COND_INLET_CANCELLED);
}

static void names_by_the_thousand_come_once_each(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 9000; i++) put(f, arena_printf(f->arena, "n%d", i));
    f->load[0] = f->folder;
    f->known = "n77";
    f->spec.path_glob_filter = "n77{,?}";
    assert_true(walk_it(f, 0));
    assert_int_equal(f->stats.names, 9000);
    assert_int_equal(f->stats.files_known, 1);
    assert_int_equal(f->count, 10);
}

/* --- Marks ------------------------------------------------------------------------------------------------------------- */

/* More entries than are read ahead, in the middle of a row of folders; and the same without reading ahead. */
static void folders_read_ahead_are_read_to_the_end(void **state)
{
    struct fixture *f = *state;
    char name[256];
    for (int i = 0; i < 5500; i++) {
        snprintf(name, sizeof name, "b/%0220d", i);
        put(f, name);
    }
    for (int i = 0; i < 20; i++) put(f, arena_printf(f->arena, "folder-%02d/below/one", i));
    f->load[0] = f->folder;
    f->spec.subtree = true;
    f->spec.path_glob_filter = "one";
    for (int ahead = 0; ahead < 2; ahead++) {
        f->spec.read_ahead = ahead;
        f->count = 0;
        assert_true(walk_it(f, 0));
        assert_int_equal(f->count, 20);
        assert_int_equal(f->stats.files_filtered, 5500);
        assert_int_equal(f->stats.directories, 42);
    }
}

static int64_t later(void) { return INT64_C(4000000000000000); }

static void a_still_folder_is_marked_and_then_passed_over(void **state)
{
    struct fixture *f = *state;
    put(f, "d/a");
    f->load[0] = in(f, "d");
    f->spec.use_marks = true;
    assert_true(walk_it(f, 0)); /* Now, it is too young. */
    assert_int_equal(f->marks, 0);
    assert_true(walk_it(f, later()));
    if (f->marks == 0) skip(); /* Not a file system on which marks count. */
    f->give_mark = true;
    assert_true(walk_it(f, later()));
    assert_int_equal(f->count, 0);
    assert_int_equal(f->stats.directories_passed_over, 1);
    put(f, "d/b");
    assert_true(walk_it(f, later()));
    assert_int_equal(f->count, 2);
}

static void a_marked_folder_still_leads_to_its_subfolders(void **state)
{
    struct fixture *f = *state;
    put(f, "d/a");
    put(f, "d/sub/b");
    f->load[0] = in(f, "d");
    f->spec.use_marks = f->spec.subtree = true;
    assert_true(walk_it(f, later()));
    if (f->marks == 0) skip();
    assert_int_equal(f->marks, 2);
    struct stat info;
    stat(in(f, "d"), &info);
    f->mark = (struct walk_mark){in(f, "d"), info.st_dev, info.st_ino, info.st_mtim.tv_sec * INT64_C(1000000000) + info.st_mtim.tv_nsec,
                                 info.st_ctim.tv_sec * INT64_C(1000000000) + info.st_ctim.tv_nsec};
    f->give_mark = true;
    struct walk_visitor visitor = {.user = f, .known = on_known, .found = on_found, .marked = on_marked, .seen = on_seen};
    f->count = 0;
    assert_true(walk_run(make_walk(f), &visitor, later(), NULL, &f->stats, &f->err));
    assert_int_equal(f->count, 1);
    assert_string_equal(f->found[0], "/d/sub/b");
}

static void what_could_change_unseen_is_not_marked(void **state)
{
    struct fixture *f = *state;
    put(f, "d/a");
    f->load[0] = in(f, "d");
    f->spec.use_marks = true;
    f->spec.modified_after_us = later(); /* Left out by its time, which may move. */
    assert_true(walk_it(f, later()));
    assert_int_equal(f->marks, 0);
    f->spec.modified_after_us = INT64_MIN;
    assert_int_equal(symlink(in(f, "d"), in(f, "d/link")), 0);
    assert_true(walk_it(f, later()));
    assert_int_equal(f->marks, 0);
    unlink(in(f, "d/link"));
    f->spec.stat_known = true;
    assert_true(walk_it(f, later()));
    assert_int_equal(f->marks, 0);
}

static void only_one_folder_can_be_looked_at(void **state)
{
    struct fixture *f = *state;
    put(f, "l/k=1/a");
    put(f, "l/k=2/b");
    put(f, "l/sub/c");
    f->load[0] = in(f, "l");
    struct walk_visitor visitor = {.user = f, .known = on_known, .found = on_found};
    assert_true(walk_run_under(make_walk(f), in(f, "l/k=2"), &visitor, 0, NULL, &f->stats, &f->err));
    assert_int_equal(f->count, 1);
    assert_string_equal(f->found[0], "/l/k=2/b");
    assert_true(walk_run_under(make_walk(f), in(f, "l/sub"), &visitor, 0, NULL, &f->stats, &f->err));
    assert_true(walk_run_under(make_walk(f), in(f, "l/gone=1"), &visitor, 0, NULL, &f->stats, &f->err));
    assert_int_equal(f->count, 1);
}

/* --- Corners of names and patterns ---------------------------------------------------------------------------------- */

/* The file of the row lies in a folder of its own; the load path is that folder and the pattern. */
static void odd_patterns_mean_what_they_say(void **state)
{
    static const struct { const char *pattern, *file; bool strict, loose; } odd[] = {
        {"/a/[!b]", "/a/c", true, true},       {"/a/[^b]", "/a/c", true, true},        {"/a/[^b]", "/a/b", false, false},
        {"/a/[]x]", "/a/]", true, true},       {"/a/[\\]x]", "/a/]", true, true},      {"/a/[a-c]", "/a/b", true, true},
        {"/a/[a\\-c]", "/a/b", false, false},   {"/a/[a\\-c]", "/a/-", true, true},     {"/a/?", "/a/\xc3\xa9", true, true},
        {"/a/??", "/a/\xc3\xa9", false, false}, {"/a/x\\y", "/a/xy", true, true},       {"/a/{b\\,c,d}", "/a/b,c", true, true},
        {"/a/{b\\,c,d}", "/a/d", true, true},   {"/a/{b\\,c,d}", "/a/c", false, false}, {"/{a/b,a/\\{c}/x", "/a/{c/x", true, true},
        {"/{a,b\\}c}/x", "/b}c/x", true, true}, {"/a/", "/a/b", true, true},            {"/a*//", "/a/b", true, true},
        {"/a/[a-", "/a/a", false, true},        {"/a/x\\\\", "/a/x\\", true, true},
    };
    struct fixture *f = *state;
    f->spec.subtree = true;
    for (size_t i = 0; i < 2 * COUNTOF(odd); i++) {
        bool strict = i % 2, wanted = strict ? odd[i / 2].strict : odd[i / 2].loose;
        char *folder = arena_printf(f->arena, "odd%zu", i);
        put(f, arena_printf(f->arena, "%s%s", folder, odd[i / 2].file));
        f->spec.strict_glob = strict;
        f->load[0] = in(f, arena_printf(f->arena, "%s%s", folder, odd[i / 2].pattern));
        f->count = 0;
        struct walk *walk = walk_new(&f->spec, f->arena, &f->err);
        struct walk_visitor visitor = {.user = f, .known = on_known, .found = on_found};
        if (walk && !walk_run(walk, &visitor, 0, NULL, &f->stats, &f->err)) fail_msg("%s: %s", odd[i / 2].pattern, f->err.message);
        if ((f->count == 1) != wanted) fail_msg("%s %s %s", odd[i / 2].pattern, odd[i / 2].file, strict ? "strict" : "loose");
    }
}

static void refuse_load(struct fixture *f, const char *load, const char *part)
{
    f->load[0] = load;
    assert_null(walk_new(&f->spec, f->arena, &f->err));
    assert_int_equal(f->err.condition, COND_INLET_BAD_OPTION_VALUE);
    if (!strstr(f->err.message, part)) fail_msg("%s", f->err.message);
}

static void wrong_patterns_are_refused(void **state)
{
    struct fixture *f = *state;
    refuse_load(f, "landing", "not absolute");
    refuse_load(f, "/{a/b,{c}/d", "brace");
    refuse_load(f, "/a/[b", "[b");
    refuse_load(f, "/{a/,b/}{c/,d/}{a/,b/}{c/,d/}{a/,b/}{c/,d/}{a/,b/}{c/,d/}{a/,b/}{c/,d/}{a/,b/}{c/,d/}{a/,b/}x", "4096");
    f->spec.path_glob_filter = "{a";
    f->load[0] = f->folder;
    assert_null(walk_new(&f->spec, f->arena, &f->err));
}

static void several_load_paths_give_each_file_they_lead_to(void **state)
{
    struct fixture *f = *state;
    put(f, "a/1");
    put(f, "b/2");
    f->load[0] = in(f, "a");
    f->load[1] = in(f, "b");
    f->load[2] = in(f, "none");
    f->spec.load_count = 2;
    assert_true(walk_it(f, 0));
    assert_int_equal(f->count, 2);
    size_t count;
    assert_string_equal(walk_roots(make_walk(f), &count)[1], f->load[1]);
    assert_int_equal(count, 2);
    f->spec.load_count = 3;
    assert_false(walk_it(f, 0)); /* The third is not there. */
    assert_int_equal(f->err.condition, COND_PATH_NOT_FOUND);
    f->spec.root_may_go = true;
    assert_true(walk_it(f, 0));
    assert_int_equal(f->count, 2);
    assert_int_equal(f->unreadable, 1);
}

static void a_hidden_name_in_a_loose_pattern_is_meant_where_it_is_a_whole_name(void **state)
{
    struct fixture *f = *state;
    put(f, "x_d/_d/a");
    put(f, "_dd/b");
    f->spec.strict_glob = false;
    f->spec.subtree = true;
    expect(f, "x_d/_d/*", "/x_d/_d/a");
    expect(f, "*_d/_d", "/x_d/_d/a");
    expect(f, "*_dd/_d*", "");
    f->load[0] = in(f, "_d*");
    assert_true(walk_it(f, 0));
    assert_int_equal(f->count, 0);
}

static void a_pattern_from_the_top_on_finds_its_way(void **state)
{
    struct fixture *f = *state;
    char *top = arena_strdup(f->arena, f->folder); /* /tmp/walk_test_XXXXXX */
    top[2] = '?';
    put(f, "d/a");
    for (int strict = 0; strict < 2; strict++) {
        f->spec.strict_glob = strict;
        expect(f, arena_printf(f->arena, "%s/d/*", top), "/d/a");
        struct walk *walk = make_walk(f);
        assert_null(walk_why_not(walk, in(f, "d/a"), f->arena));
        assert_true(walk_enters(walk, "/"));
        assert_true(walk_enters(walk, in(f, "d")));
        size_t count;
        assert_string_equal(walk_roots(walk, &count)[0], "/");
        assert_non_null(walk_why_not(walk, "/none", f->arena));
        const char *own = "/dev"; /* A folder of the pipeline right below the top. */
        f->spec.own = &own;
        f->spec.own_count = 1;
        assert_false(walk_enters(make_walk(f), "/dev"));
        f->spec.own_count = 0;
    }
}

static void names_with_dots_and_links_of_all_kinds(void **state)
{
    struct fixture *f = *state;
    put(f, "d/a");
    put(f, "d/..b");
    assert_int_equal(symlink("self", in(f, "d/self")), 0);
    assert_int_equal(symlink("a/below", in(f, "d/through")), 0);
    assert_int_equal(mkfifo(in(f, "pipe"), 0666), 0);
    assert_int_equal(symlink("../pipe", in(f, "d/pipe")), 0);
    expect(f, "d", "/d/a");
    assert_int_equal(f->unreadable, 0); /* Links to nothing are nothing. */
    expect(f, "*/a", "/d/a");
    expect(f, "*/pipe", "");
    expect(f, "*/through", "");
    expect(f, "pipe", ""); /* A load path that is no file. */
    f->load[0] = in(f, "d/a/below");
    assert_false(walk_it(f, 0));
    assert_int_equal(f->err.condition, COND_PATH_NOT_FOUND);
    expect(f, "d/a/below/x*", "");
}

/* Makes folders in each other until the path is longer than the system takes; the path of the last that can still be named. */
static const char *make_deep(struct fixture *f, const char *top)
{
    char name[201];
    memset(name, 'd', 200);
    name[200] = 0;
    const char *path = in(f, top), *named = path;
    assert_int_equal(mkdir(path, 0777), 0);
    int fd = open(path, O_RDONLY | O_DIRECTORY);
    for (int i = 0; i < 22; i++) {
        assert_int_equal(mkdirat(fd, name, 0777), 0);
        int next = openat(fd, name, O_RDONLY | O_DIRECTORY);
        assert_true(next >= 0);
        close(fd);
        fd = next;
        path = arena_printf(f->arena, "%s/%s", path, name);
        if (strlen(path) < 4096 - 60) named = path;
    }
    close(fd);
    return named;
}

static void a_folder_too_deep_to_be_named_is_told(void **state)
{
    struct fixture *f = *state;
    const char *deep = make_deep(f, "deep");
    put(f, "deep/a");
    f->spec.subtree = true;
    f->load[0] = in(f, "deep");
    assert_true(walk_it(f, 0));
    assert_int_equal(f->count, 1);
    assert_int_equal(f->unreadable, 1);
    struct sighting sighting;
    bool found = true;
    struct walk *walk = make_walk(f);
    char name[101];
    memset(name, 'n', 100);
    name[100] = 0;
    assert_true(walk_look_at(walk, deep, name, &sighting, &found, &f->err));
    assert_false(found);
    char *too_deep = arena_printf(f->arena, "%s/%s/%s/%s", deep, name, name, name);
    assert_false(walk_enters(walk, too_deep));
    char longest[301];
    memset(longest, 'n', 300);
    longest[300] = 0;
    assert_false(walk_enters(walk, in(f, arena_printf(f->arena, "deep/%s", longest))));
    assert_true(walk_enters(walk, in(f, "deep//dd")));
}

static void one_name_is_looked_at_by_all_rules(void **state)
{
    static const struct { const char *directory, *name; bool found; } names[] = {
        {"l", "a", true}, {"l", "_a", false}, {"l", "b.csv", false}, {"l", "none", false}, {"l", "self", false}, {"l/a", "x", false}, {"l", "pipe", false},
        {"elsewhere", "a", false}, {"l", "old", false}, {"l", "d", false},
    };
    struct fixture *f = *state;
    put(f, "l/a");
    put(f, "l/_a");
    put(f, "l/b.csv");
    put(f, "l/old");
    put(f, "l/d/x");
    assert_int_equal(symlink("self", in(f, "l/self")), 0);
    assert_int_equal(mkfifo(in(f, "l/pipe"), 0666), 0);
    struct timespec old[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
    utimensat(AT_FDCWD, in(f, "l/old"), old, 0);
    f->spec.modified_after_us = 1000000000;
    f->spec.path_glob_filter = "[!b]*";
    f->spec.subtree = true;
    f->load[0] = in(f, "l");
    struct walk *walk = make_walk(f);
    for (size_t i = 0; i < COUNTOF(names); i++) {
        struct sighting sighting;
        bool found;
        if (!walk_look_at(walk, in(f, names[i].directory), names[i].name, &sighting, &found, &f->err)) fail_msg("%s: %s", names[i].name, f->err.message);
        if (found != names[i].found) fail_msg("%s/%s", names[i].directory, names[i].name);
    }
}

static void why_not_of_paths_that_are_no_files(void **state)
{
    struct fixture *f = *state;
    put(f, "l/a");
    assert_int_equal(mkfifo(in(f, "l/pipe"), 0666), 0);
    assert_int_equal(symlink("self", in(f, "l/self")), 0);
    f->load[0] = in(f, "l");
    f->spec.subtree = true;
    struct walk *walk = make_walk(f);
    assert_non_null(strstr(walk_why_not(walk, "a", f->arena), "absolute"));
    assert_non_null(strstr(walk_why_not(walk, in(f, "l/"), f->arena), "absolute"));
    assert_non_null(strstr(walk_why_not(walk, "/a", f->arena), "not under the load path"));
    assert_non_null(strstr(walk_why_not(walk, in(f, "l/pipe"), f->arena), "regular"));
    assert_non_null(strstr(walk_why_not(walk, in(f, "l/self"), f->arena), "cannot be looked at"));
    assert_null(walk_why_not(walk, in(f, "l/a/below"), f->arena)); /* There could be one. */
    f->spec.modified_after_us = later();
    assert_non_null(strstr(walk_why_not(make_walk(f), in(f, "l/a"), f->arena), "modifiedAfter"));
    f->spec.path_glob_filter = "b*";
    assert_non_null(strstr(walk_why_not(make_walk(f), in(f, "l/a"), f->arena), "pathGlobFilter"));
    f->spec.load_count = 2;
    f->load[1] = in(f, "z*"); /* The reason of the load path that came furthest. */
    assert_non_null(strstr(walk_why_not(make_walk(f), in(f, "m/b"), f->arena), "does not match"));
}

static void a_load_path_of_one_file_keeps_the_other_rules(void **state)
{
    struct fixture *f = *state;
    put(f, "a.json");
    f->spec.path_glob_filter = "*.csv";
    expect(f, "a.json", "");
    f->spec.path_glob_filter = "*.json";
    expect(f, "a.json", "/a.json");
    f->known = "a.json";
    expect(f, "a.json", "");
    assert_int_equal(f->stats.files_known, 1);
    f->known = NULL;
    f->spec.modified_after_us = later();
    expect(f, "a.json", "");
    f->spec.modified_after_us = INT64_MIN;
    f->spec.stat_known = true;
    expect(f, "a.json", "/a.json");
}

/* --- Many names, and a visitor that does not want all of it ------------------------------------------------------------ */

static bool refuse_known(void *user, const char *directory, const char *const *names, const int64_t *mtimes_us, size_t count, bool *known, struct error *err)
{
    (void)directory;
    (void)names;
    (void)mtimes_us;
    for (size_t i = 0; i < count; i++) known[i] = true;
    size_t *left = user;
    return (*left)-- > 0 || error_set(err, COND_INLET_DISK_FULL, "by test");
}

static void a_refusal_in_the_middle_of_a_large_folder_ends_the_walk(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 9000; i++) put(f, arena_printf(f->arena, "l/n%d", i));
    f->load[0] = in(f, "l");
    for (size_t answers = 0; answers <= 3; answers++) {
        size_t left = answers;
        struct walk_visitor visitor = {.user = &left, .known = refuse_known, .found = on_found};
        error_clear(&f->err);
        bool ok = walk_run(make_walk(f), &visitor, 0, NULL, &f->stats, &f->err);
        assert_int_equal(ok, answers == 3); /* 4,096 names at a time. */
        assert_int_equal(f->err.condition, ok ? COND_NONE : COND_INLET_DISK_FULL);
    }
    assert_int_equal(f->stats.files_known, 9000);
}

static void a_visitor_need_not_hear_of_marks_and_faults(void **state)
{
    struct fixture *f = *state;
    put(f, "d/a");
    assert_int_equal(symlink("..", in(f, "d/up")), 0);
    f->load[0] = in(f, "d");
    f->spec.subtree = f->spec.use_marks = true;
    struct walk_visitor visitor = {.user = f, .known = on_known, .found = on_found};
    assert_true(walk_run(make_walk(f), &visitor, later(), NULL, &f->stats, &f->err));
    assert_int_equal(f->count, 1);
    assert_int_equal(f->stats.directories_unreadable, 1); /* The loop. */
    unlink(in(f, "d/up"));
    visitor.seen = on_seen;
    assert_true(walk_run(make_walk(f), &visitor, later(), NULL, &f->stats, &f->err));
    assert_int_equal(f->count, 2); /* No mark was there to pass it over. */
}

static void a_mark_of_another_state_of_the_folder_does_not_count(void **state)
{
    struct fixture *f = *state;
    put(f, "d/a");
    f->load[0] = in(f, "d");
    f->spec.use_marks = true;
    assert_true(walk_it(f, later()));
    if (f->marks == 0) skip();
    const struct walk_mark right = f->mark;
    f->give_mark = true;
    for (int i = 0; i < 5; i++) {
        f->mark = right;
        f->mark.device += i == 0;
        f->mark.inode += i == 1;
        f->mark.mtime_ns -= i == 2;
        f->mark.ctime_ns -= i == 3;
        struct walk_visitor visitor = {.user = f, .known = on_known, .found = on_found, .marked = on_marked, .seen = on_seen};
        f->count = 0;
        assert_true(walk_run(make_walk(f), &visitor, later(), NULL, &f->stats, &f->err));
        assert_int_equal(f->count, i < 4 ? 1 : 0);
    }
}

static bool found_while_more_comes(void *user, const struct sighting *sighting, struct error *err)
{
    struct fixture *f = user;
    put(f, "d/late");
    return on_found(user, sighting, err);
}

static void a_folder_that_changes_while_it_is_read_is_not_marked(void **state)
{
    struct fixture *f = *state;
    put(f, "d/a");
    f->load[0] = in(f, "d");
    f->spec.use_marks = true;
    struct walk_visitor visitor = {.user = f, .known = on_known, .found = found_while_more_comes, .seen = on_seen};
    assert_true(walk_run(make_walk(f), &visitor, later(), NULL, &f->stats, &f->err));
    assert_int_equal(f->marks, 0);
    assert_true(walk_run(make_walk(f), &visitor, later(), NULL, &f->stats, &f->err));
}

static void a_folder_above_the_load_path_leads_to_it(void **state)
{
    struct fixture *f = *state;
    put(f, "l/k=1/a");
    f->load[0] = in(f, "l");
    f->load[1] = in(f, "none");
    f->spec.load_count = 2;
    struct walk_visitor visitor = {.user = f, .known = on_known, .found = on_found};
    assert_true(walk_run_under(make_walk(f), f->folder, &visitor, 0, NULL, &f->stats, &f->err)); /* What is not there is nothing. */
    assert_int_equal(f->count, 1);
    assert_true(walk_run_under(make_walk(f), "/", &visitor, 0, NULL, &f->stats, &f->err));
    assert_int_equal(f->count, 2);
    struct cancel cancel = {2};
    assert_false(walk_run_under(make_walk(f), "/", &visitor, 0, &cancel, &f->stats, &f->err));
}

static void a_link_to_another_file_system_is_entered(void **state)
{
    struct fixture *f = *state;
    char other[] = "/dev/shm/walk_test_XXXXXX";
    if (!mkdtemp(other)) skip();
    put(f, "d/a");
    close(open(arena_printf(f->arena, "%s/b", other), O_CREAT | O_WRONLY, 0666));
    assert_int_equal(symlink(other, in(f, "d/there")), 0);
    f->spec.subtree = true;
    expect(f, "d", "/d/a /d/there/b");
    assert_true(directory_remove_tree(other, NULL));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(both_kinds_of_globs_follow_the_table), TEST(braces_with_slashes_and_nesting_are_spelled_out), TEST(an_escaped_wildcard_is_a_plain_character),
        TEST(a_pattern_never_enters_what_cannot_match), TEST(hidden_names_are_left_out_at_every_level), TEST(without_subtree_files_of_plain_folders_do_not_count), TEST(own_folders_are_never_entered),
        TEST(odd_names_come_through_unchanged), TEST(a_load_path_may_be_one_file), TEST(a_missing_folder_is_an_error_a_glob_without_match_is_not),
        TEST(path_glob_filter_looks_at_base_names), TEST(times_outside_the_window_are_left_out), TEST(why_names_the_first_rule),
        TEST(loops_of_links_end_and_broken_links_are_nothing), TEST(an_unreadable_folder_is_told_and_the_others_go_on), TEST(a_walk_can_be_stopped),
        TEST(names_by_the_thousand_come_once_each), TEST(folders_read_ahead_are_read_to_the_end),
        TEST(a_still_folder_is_marked_and_then_passed_over), TEST(a_marked_folder_still_leads_to_its_subfolders),
        TEST(what_could_change_unseen_is_not_marked), TEST(only_one_folder_can_be_looked_at),
        TEST(odd_patterns_mean_what_they_say), TEST(wrong_patterns_are_refused), TEST(several_load_paths_give_each_file_they_lead_to),
        TEST(a_hidden_name_in_a_loose_pattern_is_meant_where_it_is_a_whole_name), TEST(a_pattern_from_the_top_on_finds_its_way),
        TEST(names_with_dots_and_links_of_all_kinds), TEST(a_folder_too_deep_to_be_named_is_told), TEST(one_name_is_looked_at_by_all_rules),
        TEST(why_not_of_paths_that_are_no_files), TEST(a_load_path_of_one_file_keeps_the_other_rules),
        TEST(a_refusal_in_the_middle_of_a_large_folder_ends_the_walk), TEST(a_visitor_need_not_hear_of_marks_and_faults),
        TEST(a_mark_of_another_state_of_the_folder_does_not_count), TEST(a_folder_that_changes_while_it_is_read_is_not_marked),
        TEST(a_folder_above_the_load_path_leads_to_it), TEST(a_link_to_another_file_system_is_entered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
