/* inotify_fault_test -- each call of the notifications fails, one at a time: a file is hinted at, or it is told that only a listing helps. */
#include "base/file.h"
#include "notify/notify.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <cmocka.h>
#include "tests/unit/fault.h"

/* --- More of the system disturbed: these also stand before the library's own ------------------------------------------------ */

int lstat(const char *path, struct stat *out) { return is_now() ? -1 : REAL("lstat", const char *, struct stat *)(path, out); }
int inotify_init1(int flags) { return is_now() ? -1 : REAL("inotify_init1", int)(flags); }
int inotify_add_watch(int fd, const char *path, uint32_t mask) { return is_now() ? -1 : REAL("inotify_add_watch", int, const char *, uint32_t)(fd, path, mask); }
int poll(struct pollfd *fds, nfds_t count, int timeout) { return is_now() ? -1 : REAL("poll", struct pollfd *, nfds_t, int)(fds, count, timeout); }
DIR *fdopendir(int fd) { return is_now() ? NULL : ((DIR * (*)(int))dlsym(RTLD_NEXT, "fdopendir"))(fd); }

static bool shy;               /* The file system does not say of which kind its entries are. */

struct dirent *readdir(DIR *folder)
{
    struct dirent *entry = is_now() ? NULL : ((struct dirent * (*)(DIR *))dlsym(RTLD_NEXT, "readdir"))(folder);
    if (entry && shy) entry->d_type = DT_UNKNOWN;
    return entry;
}

ssize_t read(int fd, void *out, size_t size)
{
    return is_now() ? -1 : ((ssize_t (*)(int, void *, size_t))dlsym(RTLD_NEXT, "read"))(fd, out, size);
}

/* --- One life: a folder that is there, one that comes, one that is moved in ----------------------------------------- */

static void put(const char *folder, const char *name)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    int fd = open(path, O_CREAT | O_WRONLY, 0666);
    assert_true(fd >= 0);
    close(fd);
}

static void make(const char *folder, const char *name)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    assert_int_equal(mkdir(path, 0777), 0);
}

static bool covers(const struct notify_batch *batch, const char *folder, const char *name)
{
    for (size_t i = 0; i < batch->count; i++) {
        const struct notify_hint *hint = &batch->hints[i];
        size_t size = strlen(hint->directory);
        if (hint->name ? strcmp(hint->directory, folder) == 0 && strcmp(hint->name, name) == 0 : strncmp(folder, hint->directory, size) == 0) return true;
    }
    return false;
}

/* Polls until the file is covered, as a listing would be asked for, or nothing more comes; false: an error was told. */
static bool wait_for(struct notify *notify, struct arena *arena, const char *folder, const char *name, bool *told, struct error *err)
{
    *told = false;
    for (int i = 0; i < 4 && !*told; i++) {
        struct notify_batch batch = {0};
        fault.counts = true;
        bool ok = inotify_notify.poll(notify, 10, arena, &batch, err);
        fault.counts = false;
        if (!ok) return false;
        *told = batch.rescan || inotify_notify.limited(notify) || covers(&batch, folder, name);
    }
    return true;
}

static void live(long at, bool on, int code, bool linked)
{
    char folder[64] = "/tmp/inotify_fault_XXXXXX", root[96], old[160], new[160];
    assert_non_null(mkdtemp(folder));
    snprintf(root, sizeof root, "%s/landing", folder);
    snprintf(old, sizeof old, "%s/old", root);
    snprintf(new, sizeof new, "%s/new", root);
    make(folder, "landing");
    make(root, "old");
    make(old, "deep");
    make(folder, "elsewhere");
    put(root, "plain");
    static const char *const links[][2] = {{"../elsewhere", "away"}, {"plain", "alias"}, {"nowhere", "broken"}, {"old/deep", "twice"}, {"..", "up"}};
    for (size_t i = 0; linked && i < sizeof links / sizeof *links; i++) {
        snprintf(new, sizeof new, "%s/%s", root, links[i][1]);
        assert_int_equal(symlink(links[i][0], new), 0);
    }
    snprintf(new, sizeof new, "%s/new", root);
    struct error err = {0};
    struct arena *arena = arena_new("test");
    const char *roots[] = {root};
    fault.at = at;
    fault.on = on;
    fault.code = code;
    fault.calls = 0;
    fault.counts = true;
    struct notify *notify = inotify_notify.open(&(struct notify_spec){.roots = roots, .root_count = 1}, &err);
    fault.counts = false;
    bool ok = notify != NULL, told = true;
    if (ok) {
        put(old, "a");
        ok = wait_for(notify, arena, old, "a", &told, &err);
        if (ok && !told) fail_msg("call %ld, %s: a file of a folder that was there is not told of", at, strerror(code));
    }
    if (ok) {
        make(root, "new");
        put(new, "b");
        ok = wait_for(notify, arena, new, "b", &told, &err);
        if (ok && !told) fail_msg("call %ld, %s: a file of a new folder is not told of", at, strerror(code));
    }
    if (ok) {
        put(new, "c");
        ok = wait_for(notify, arena, new, "c", &told, &err);
        if (ok && !told) fail_msg("call %ld, %s: a later file of a new folder is not told of", at, strerror(code));
    }
    if (!ok) assert_int_not_equal(err.condition, COND_NONE);
    inotify_notify.close(notify);
    arena_free(arena);
    assert_true(directory_remove_tree(folder, NULL));
}

static void a_failing_call_loses_no_file(void **state)
{
    (void)state;
    live(0, false, 0, false);
    long calls = fault.calls;
    assert_true(calls > 10);
    static const int codes[] = {EIO, EACCES, EMFILE, ENFILE, ENOSPC, ELOOP};
    for (long at = 1; at <= calls; at++) {
        for (size_t c = 0; c < sizeof codes / sizeof *codes; c++) {
            live(at, false, codes[c], false);
            if (codes[c] == ENOSPC) live(at, true, codes[c], false);
        }
    }
}

/* The folders and links that are there at the start, on a file system that tells of their kinds and on one that does not. */
static void links_and_folders_of_unknown_kind_are_watched_all_the_same(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        shy = i;
        live(0, false, 0, true);
        shy = false;
    }
}

/* --- What happens between two calls --------------------------------------------------------------------------------------- */

static char root_path[96], old_path[160];

static void take_root_away(void) { assert_true(directory_remove_tree(root_path, NULL)); }
static void take_folder_away(void) { assert_true(directory_remove_tree(old_path, NULL)); }

static void move_root(void)
{
    char away[128];
    snprintf(away, sizeof away, "%s.away", root_path);
    rename(root_path, away);
}

static void make_folder_a_file(void)
{
    take_folder_away();
    int fd = open(old_path, O_CREAT | O_WRONLY, 0666);
    close(fd);
}

/* Whatever goes while it is watched: no error, and what is lost is told. */
static void live_with(void (*meanwhile)(void), long at, bool root_goes)
{
    char folder[64] = "/tmp/inotify_fault_XXXXXX";
    assert_non_null(mkdtemp(folder));
    snprintf(root_path, sizeof root_path, "%s/landing", folder);
    snprintf(old_path, sizeof old_path, "%s/old", root_path);
    make(folder, "landing");
    make(root_path, "old");
    struct error err = {0};
    struct arena *arena = arena_new("test");
    const char *roots[] = {root_path};
    fault.at = at;
    fault.on = false;
    fault.meanwhile = meanwhile;
    fault.calls = 0;
    fault.counts = true;
    struct notify *notify = inotify_notify.open(&(struct notify_spec){.roots = roots, .root_count = 1}, &err);
    assert_non_null(notify);
    bool rescan = false;
    for (int i = 0; i < 3; i++) {
        struct notify_batch batch;
        if (!inotify_notify.poll(notify, 5, arena, &batch, &err)) fail_msg("call %ld: %s", at, err.message);
        rescan |= batch.rescan;
    }
    fault.counts = false;
    fault.meanwhile = NULL;
    if (root_goes && at && at <= fault.calls && !rescan && !inotify_notify.limited(notify)) fail_msg("call %ld: the root has gone and nobody was told", at);
    inotify_notify.close(notify);
    arena_free(arena);
    assert_true(directory_remove_tree(folder, NULL));
}

static void what_goes_between_two_calls_is_told(void **state)
{
    (void)state;
    live_with(take_root_away, 0, true);
    for (long at = 1, calls = fault.calls; at <= calls; at++) {
        live_with(take_root_away, at, true);
        live_with(move_root, at, true);
        live_with(take_folder_away, at, false);
        live_with(make_folder_a_file, at, false);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_failing_call_loses_no_file),
                                       cmocka_unit_test(links_and_folders_of_unknown_kind_are_watched_all_the_same),
                                       cmocka_unit_test(what_goes_between_two_calls_is_told)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
