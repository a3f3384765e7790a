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
struct dirent *readdir(DIR *folder) { return is_now() ? NULL : ((struct dirent * (*)(DIR *))dlsym(RTLD_NEXT, "readdir"))(folder); }

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
        bool ok = inotify_notify.poll(notify, 30, arena, &batch, err);
        fault.counts = false;
        if (!ok) return false;
        *told = batch.rescan || inotify_notify.limited(notify) || covers(&batch, folder, name);
    }
    return true;
}

static void live(long at, int code)
{
    char folder[64] = "/tmp/inotify_fault_XXXXXX", root[96], old[160], new[160];
    assert_non_null(mkdtemp(folder));
    snprintf(root, sizeof root, "%s/landing", folder);
    snprintf(old, sizeof old, "%s/old", root);
    snprintf(new, sizeof new, "%s/new", root);
    make(folder, "landing");
    make(root, "old");
    struct error err = {0};
    struct arena *arena = arena_new("test");
    const char *roots[] = {root};
    fault.at = at;
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
    live(0, 0);
    long calls = fault.calls;
    assert_true(calls > 10);
    static const int codes[] = {EIO, EACCES, EMFILE, ENOSPC};
    for (long at = 1; at <= calls; at++)
        for (size_t c = 0; c < sizeof codes / sizeof *codes; c++) live(at, codes[c]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_failing_call_loses_no_file)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
