/* inotify_test -- hints of files and folders, overflow, vanished roots, and the limits of the machine. */
#include "base/file.h"
#include "notify/notify.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
    char folder[64];
    const char *root;
    struct arena *arena;
    struct error err;
    struct notify *notify;
    struct notify_batch batch;
};

static bool enters(void *user, const char *directory)
{
    (void)user;
    return strstr(directory, "/_") == NULL;
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    snprintf(f->folder, sizeof f->folder, "/tmp/inotify_test_XXXXXX");
    if (!mkdtemp(f->folder)) return -1;
    f->arena = arena_new("test");
    f->root = arena_printf(f->arena, "%s/landing", f->folder);
    if (mkdir(f->root, 0777) != 0) return -1;
    struct notify_spec spec = {.roots = &f->root, .root_count = 1, .enters = enters};
    f->notify = inotify_notify.open(&spec, &f->err);
    *state = f;
    return f->notify ? 0 : -1;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    inotify_notify.close(f->notify);
    bool ok = directory_remove_tree(f->folder, NULL);
    arena_free(f->arena);
    free(f);
    return ok ? 0 : -1;
}

static const char *in(struct fixture *f, const char *name) { return arena_printf(f->arena, "%s/%s", f->folder, name); }

static void put(struct fixture *f, const char *name)
{
    int fd = open(in(f, name), O_CREAT | O_WRONLY, 0666);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "x", 1), 1);
    close(fd);
}

static void poll_now(struct fixture *f)
{
    if (!inotify_notify.poll(f->notify, 200, f->arena, &f->batch, &f->err)) fail_msg("%s", f->err.message);
}

static const struct notify_hint *hint_of(struct fixture *f, const char *directory, const char *name)
{
    for (size_t i = 0; i < f->batch.count; i++) {
        const struct notify_hint *hint = &f->batch.hints[i];
        if (strcmp(hint->directory, in(f, directory)) != 0 || !hint->name != !name) continue;
        if (!name || strcmp(hint->name, name) == 0) return hint;
    }
    return NULL;
}

static void a_written_file_is_hinted_at_once(void **state)
{
    struct fixture *f = *state;
    poll_now(f);
    assert_int_equal(f->batch.count, 0);
    put(f, "landing/a");
    poll_now(f);
    assert_int_equal(f->batch.count, 1);
    assert_true(hint_of(f, "landing", "a")->closed);
    assert_false(hint_of(f, "landing", "a")->known_complete);
    put(f, "outside");
    assert_int_equal(rename(in(f, "outside"), in(f, "landing/b")), 0);
    poll_now(f);
    assert_true(hint_of(f, "landing", "b")->known_complete);
}

static void a_hard_link_is_hinted_at_without_promise(void **state)
{
    struct fixture *f = *state;
    put(f, "outside");
    assert_int_equal(link(in(f, "outside"), in(f, "landing/l")), 0);
    poll_now(f);
    assert_non_null(hint_of(f, "landing", "l"));
    assert_false(hint_of(f, "landing", "l")->known_complete);
    assert_false(hint_of(f, "landing", "l")->closed);
}

static void a_file_that_is_opened_again_is_no_longer_complete(void **state)
{
    struct fixture *f = *state;
    put(f, "outside");
    assert_int_equal(rename(in(f, "outside"), in(f, "landing/b")), 0);
    put(f, "landing/b");
    poll_now(f);
    assert_false(hint_of(f, "landing", "b")->known_complete);
    assert_true(hint_of(f, "landing", "b")->closed);
}

static void folders_made_while_watching_are_watched(void **state)
{
    struct fixture *f = *state;
    assert_true(directories_make(in(f, "landing/x/y/z"), &f->err));
    put(f, "landing/x/y/z/early");
    poll_now(f);
    assert_non_null(hint_of(f, "landing/x", NULL)); /* To be looked at as a whole: `early` may have no event. */
    put(f, "landing/x/y/z/late");
    poll_now(f);
    assert_non_null(hint_of(f, "landing/x/y/z", "late"));
}

static void a_tree_that_is_moved_in_is_watched_under_its_new_name(void **state)
{
    struct fixture *f = *state;
    assert_true(directories_make(in(f, "elsewhere/deep"), &f->err));
    assert_int_equal(rename(in(f, "elsewhere"), in(f, "landing/tree")), 0);
    poll_now(f);
    assert_true(hint_of(f, "landing/tree", NULL)->known_complete);
    assert_int_equal(rename(in(f, "landing/tree"), in(f, "landing/other")), 0);
    poll_now(f);
    put(f, "landing/other/deep/a");
    poll_now(f);
    assert_non_null(hint_of(f, "landing/other/deep", "a"));
    assert_int_equal(rename(in(f, "landing/other"), in(f, "away")), 0);
    poll_now(f);
    put(f, "away/deep/b");
    poll_now(f);
    assert_int_equal(f->batch.count, 0);
}

static void hidden_folders_are_not_watched(void **state)
{
    struct fixture *f = *state;
    assert_true(directories_make(in(f, "landing/_tmp"), &f->err));
    put(f, "landing/_tmp/a");
    poll_now(f);
    assert_int_equal(f->batch.count, 0);
}

static void a_lost_queue_asks_for_a_rescan(void **state)
{
    struct fixture *f = *state;
    long limit = 16384;
    FILE *file = fopen("/proc/sys/fs/inotify/max_queued_events", "r");
    if (file && fscanf(file, "%ld", &limit) != 1) limit = 16384;
    if (file) fclose(file);
    if (limit > 70000) skip();
    /* Two files in turn, so that equal events do not merge. */
    for (long i = 0; i < limit + 100; i++) put(f, i % 2 ? "landing/a" : "landing/b");
    assert_true(directories_make(in(f, "landing/unseen"), &f->err));
    poll_now(f);
    assert_true(f->batch.rescan);
    put(f, "landing/unseen/a"); /* Its folder's event was lost, and it is watched all the same. */
    poll_now(f);
    assert_non_null(hint_of(f, "landing/unseen", "a"));
}

static void a_root_that_goes_and_comes_back_asks_for_a_rescan(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(rmdir(f->root), 0);
    poll_now(f);
    assert_true(f->batch.rescan);
    assert_int_equal(mkdir(f->root, 0777), 0);
    poll_now(f);
    assert_true(f->batch.rescan);
    put(f, "landing/a");
    poll_now(f);
    assert_non_null(hint_of(f, "landing", "a"));
}

static void a_root_below_a_folder_that_is_replaced_asks_for_a_rescan(void **state)
{
    struct fixture *f = *state;
    assert_true(directories_make(in(f, "v1/in"), &f->err) && directories_make(in(f, "v2/in"), &f->err));
    assert_int_equal(symlink("v1", in(f, "current")), 0);
    const char *root = in(f, "current/in");
    struct notify_spec spec = {.roots = &root, .root_count = 1};
    inotify_notify.close(f->notify);
    f->notify = inotify_notify.open(&spec, &f->err);
    poll_now(f);
    assert_false(f->batch.rescan);
    unlink(in(f, "current"));
    assert_int_equal(symlink("v2", in(f, "current")), 0);
    poll_now(f);
    assert_true(f->batch.rescan);
    poll_now(f);
    assert_false(f->batch.rescan);
    put(f, "v2/in/a");
    poll_now(f);
    assert_non_null(hint_of(f, "current/in", "a"));
    assert_null(inotify_notify.limited(f->notify));
}

static void a_link_to_a_folder_is_watched_and_the_listing_goes_on(void **state)
{
    struct fixture *f = *state;
    assert_true(directories_make(in(f, "elsewhere/x"), &f->err));
    assert_null(inotify_notify.limited(f->notify));
    assert_int_equal(symlink("../elsewhere", in(f, "landing/link")), 0);
    poll_now(f);
    assert_non_null(hint_of(f, "landing/link", NULL));
    assert_non_null(strstr(inotify_notify.limited(f->notify), "symbolic link"));
    put(f, "landing/link/x/a");
    poll_now(f);
    assert_non_null(hint_of(f, "landing/link/x", "a"));
}

static void a_folder_that_is_deleted_and_made_again_is_watched_again(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(mkdir(in(f, "landing/d"), 0777), 0);
        if (i < 2) assert_int_equal(rmdir(in(f, "landing/d")), 0);
        if (i == 0) poll_now(f);
    }
    poll_now(f);
    assert_non_null(hint_of(f, "landing/d", NULL));
    put(f, "landing/d/a");
    poll_now(f);
    assert_non_null(hint_of(f, "landing/d", "a"));
    assert_null(inotify_notify.limited(f->notify));
}

static void without_an_instance_the_stream_goes_on_by_listing(void **state)
{
    struct fixture *f = *state;
    struct rlimit old, none;
    getrlimit(RLIMIT_NOFILE, &old);
    none = old;
    none.rlim_cur = 3;
    setrlimit(RLIMIT_NOFILE, &none);
    struct notify_spec spec = {.roots = &f->root, .root_count = 1};
    struct notify *notify = inotify_notify.open(&spec, &f->err);
    setrlimit(RLIMIT_NOFILE, &old);
    assert_non_null(notify);
    assert_int_equal(inotify_notify.fd(notify), -1);
    assert_non_null(strstr(inotify_notify.limited(notify), "sysctl fs.inotify.max_user_instances="));
    assert_true(inotify_notify.poll(notify, 0, f->arena, &f->batch, &f->err));
    assert_int_equal(f->batch.count, 0);
    inotify_notify.close(notify);
}

static void folders_by_the_hundred_come_and_go(void **state)
{
    struct fixture *f = *state;
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 150; i++) assert_int_equal(mkdir(in(f, arena_printf(f->arena, "landing/d%d", i)), 0777), 0);
        poll_now(f);
        for (int i = 0; i < 150; i++) assert_non_null(hint_of(f, arena_printf(f->arena, "landing/d%d", i), NULL));
        for (int i = 0; i < 150; i++) put(f, arena_printf(f->arena, "landing/d%d/f", i));
        poll_now(f);
        assert_int_equal(f->batch.count, 150);
        for (int i = 0; i < 150; i++) assert_non_null(hint_of(f, arena_printf(f->arena, "landing/d%d", i), "f"));
        for (int i = round; i < 150; i++) assert_true(directory_remove_tree(in(f, arena_printf(f->arena, "landing/d%d", i)), NULL));
        poll_now(f);
        assert_int_equal(f->batch.count, 0);
        assert_false(f->batch.rescan);
        for (int i = 0; i < round; i++) assert_true(directory_remove_tree(in(f, arena_printf(f->arena, "landing/d%d", i)), NULL));
    }
    assert_null(inotify_notify.limited(f->notify));
}

static void many_files_come_once_each(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 600; i++) put(f, arena_printf(f->arena, "landing/n%d", i / 2));
    poll_now(f);
    assert_int_equal(f->batch.count, 300);
    for (int i = 0; i < 300; i++) assert_non_null(hint_of(f, "landing", arena_printf(f->arena, "n%d", i)));
}

static void what_leaves_and_what_is_hidden_gives_no_hint(void **state)
{
    struct fixture *f = *state;
    put(f, "landing/a");
    assert_int_equal(mkdir(in(f, "landing/d"), 0777), 0);
    poll_now(f);
    assert_int_equal(rename(in(f, "landing/a"), in(f, "a")), 0);
    unlink(in(f, "a"));
    poll_now(f);
    assert_int_equal(f->batch.count, 0);
    assert_int_equal(symlink("../nowhere", in(f, "landing/broken")), 0); /* A link to nothing, or to a file, may be a file. */
    assert_int_equal(mkdir(in(f, "elsewhere"), 0777), 0);
    assert_int_equal(symlink("../elsewhere", in(f, "landing/_link")), 0);
    poll_now(f);
    assert_non_null(hint_of(f, "landing", "broken"));
    assert_null(inotify_notify.limited(f->notify)); /* Nobody enters _link. */
    put(f, "landing/_link/a");
    poll_now(f);
    assert_int_equal(f->batch.count, 0);
}

static void a_link_to_a_watched_folder_leaves_that_watched(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(mkdir(in(f, "landing/d"), 0777), 0);
    poll_now(f);
    assert_int_equal(symlink("d", in(f, "landing/e")), 0);
    poll_now(f);
    assert_non_null(inotify_notify.limited(f->notify));
    put(f, "landing/e/a");
    poll_now(f);
    assert_non_null(hint_of(f, "landing/d", "a"));
    assert_int_equal(symlink("..", in(f, "landing/d/up")), 0); /* And a loop ends. */
    poll_now(f);
    put(f, "landing/d/b");
    poll_now(f);
    assert_non_null(hint_of(f, "landing/d", "b"));
}

static void reopen(struct fixture *f, const char *const *roots, size_t count, bool (*enter)(void *user, const char *directory))
{
    inotify_notify.close(f->notify);
    struct notify_spec spec = {.roots = roots, .root_count = count, .enters = enter, .user = f};
    f->notify = inotify_notify.open(&spec, &f->err);
    assert_non_null(f->notify);
}

static void links_that_were_there_before_are_watched_and_listed(void **state)
{
    struct fixture *f = *state;
    assert_true(directories_make(in(f, "elsewhere"), &f->err) && directories_make(in(f, "landing/d"), &f->err));
    assert_int_equal(symlink("../elsewhere", in(f, "landing/link")), 0);
    assert_int_equal(symlink("../nowhere", in(f, "landing/broken")), 0);
    assert_int_equal(symlink("..", in(f, "landing/d/up")), 0);
    reopen(f, &f->root, 1, NULL);
    assert_non_null(inotify_notify.limited(f->notify));
    put(f, "elsewhere/a");
    poll_now(f);
    assert_non_null(hint_of(f, "landing/link", "a"));
}

static bool enters_here(void *user, const char *directory)
{
    struct fixture *f = user;
    size_t size = strlen(directory), here = strlen(f->folder);
    return strncmp(f->folder, directory, size < here ? size : here) == 0 && (size >= here || f->folder[size] == '/');
}

static void the_root_of_all_folders_may_be_watched(void **state)
{
    struct fixture *f = *state;
    const char *root = "/";
    reopen(f, &root, 1, enters_here);
    put(f, "landing/a");
    poll_now(f);
    assert_non_null(hint_of(f, "landing", "a"));
}

static void a_root_that_is_missing_or_no_folder_is_told(void **state)
{
    struct fixture *f = *state;
    put(f, "file");
    const char *roots[] = {f->root, in(f, "file"), in(f, "none")};
    reopen(f, roots, 3, NULL);
    assert_non_null(strstr(inotify_notify.limited(f->notify), "not there"));
    poll_now(f);
    assert_false(f->batch.rescan);
    assert_int_equal(mkdir(roots[2], 0777), 0);
    poll_now(f);
    assert_true(f->batch.rescan);
    put(f, "none/a");
    poll_now(f);
    assert_non_null(hint_of(f, "none", "a"));
}

/* A chain of folders whose last has a path of almost the greatest length. */
static const char *make_deep(struct fixture *f)
{
    char *path = arena_printf(f->arena, "%s/%0*d", f->root, 200, 0);
    while (strlen(path) < 3800) path = arena_printf(f->arena, "%s/%0*d", path, 200, 0);
    path = arena_printf(f->arena, "%s/%0*d", path, (int)(4080 - strlen(path)) > 255 ? 255 : (int)(4080 - strlen(path)), 0);
    assert_true(directories_make(path, &f->err));
    while (strlen(path) < 4000) {
        path = arena_printf(f->arena, "%s/%0*d", path, 4080 - (int)strlen(path) > 200 ? 200 : 4080 - (int)strlen(path), 0);
        assert_int_equal(mkdir(path, 0777), 0);
    }
    return path;
}

static void names_too_long_for_a_path_are_left_to_the_listing(void **state)
{
    struct fixture *f = *state;
    const char *deep = make_deep(f);
    reopen(f, &f->root, 1, NULL);
    int fd = open(deep, O_RDONLY | O_DIRECTORY);
    assert_true(fd >= 0);
    char name[101];
    memset(name, 'n', sizeof name);
    name[100] = 0;
    assert_int_equal(mkdirat(fd, name, 0777), 0);
    name[0] = 'l';
    assert_int_equal(symlinkat(".", fd, name), 0);
    poll_now(f);
    for (size_t i = 0; i < f->batch.count; i++) assert_true(f->batch.hints[i].name || strlen(f->batch.hints[i].directory) < 4096);
    close(openat(fd, "short", O_CREAT | O_WRONLY, 0666));
    poll_now(f);
    assert_int_equal(f->batch.count, 1);
    assert_string_equal(f->batch.hints[0].directory, deep);
    reopen(f, &f->root, 1, NULL); /* The folder is there from the start now. */
    close(openat(fd, "short", O_WRONLY));
    poll_now(f);
    assert_int_equal(f->batch.count, 1);
    close(fd);
}

static void a_folder_renamed_while_events_were_lost_is_known_by_its_new_name(void **state)
{
    struct fixture *f = *state;
    long limit = 16384;
    FILE *file = fopen("/proc/sys/fs/inotify/max_queued_events", "r");
    if (file && fscanf(file, "%ld", &limit) != 1) limit = 16384;
    if (file) fclose(file);
    if (limit > 70000) skip();
    assert_int_equal(mkdir(in(f, "landing/old"), 0777), 0);
    poll_now(f);
    for (long i = 0; i < limit + 100; i++) put(f, i % 2 ? "landing/a" : "landing/b");
    assert_int_equal(rename(in(f, "landing/old"), in(f, "landing/new")), 0);
    poll_now(f);
    assert_true(f->batch.rescan);
    put(f, "landing/new/a");
    poll_now(f);
    assert_non_null(hint_of(f, "landing/new", "a"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_written_file_is_hinted_at_once), TEST(a_hard_link_is_hinted_at_without_promise), TEST(a_file_that_is_opened_again_is_no_longer_complete),
        TEST(folders_made_while_watching_are_watched), TEST(a_tree_that_is_moved_in_is_watched_under_its_new_name), TEST(hidden_folders_are_not_watched),
        TEST(a_lost_queue_asks_for_a_rescan), TEST(a_root_that_goes_and_comes_back_asks_for_a_rescan), TEST(a_root_below_a_folder_that_is_replaced_asks_for_a_rescan),
        TEST(a_link_to_a_folder_is_watched_and_the_listing_goes_on), TEST(a_folder_that_is_deleted_and_made_again_is_watched_again),
        TEST(without_an_instance_the_stream_goes_on_by_listing), TEST(folders_by_the_hundred_come_and_go), TEST(many_files_come_once_each),
        TEST(what_leaves_and_what_is_hidden_gives_no_hint), TEST(a_link_to_a_watched_folder_leaves_that_watched),
        TEST(links_that_were_there_before_are_watched_and_listed), TEST(the_root_of_all_folders_may_be_watched),
        TEST(a_root_that_is_missing_or_no_folder_is_told), TEST(names_too_long_for_a_path_are_left_to_the_listing),
        TEST(a_folder_renamed_while_events_were_lost_is_known_by_its_new_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
