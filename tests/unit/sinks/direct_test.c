/* direct: the file holds what was given whatever the pieces and whatever the disk refuses; failures are told, not tried again. */
#include "sinks/direct.h"
#include "base/file.h"
#include "fixture.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/vfs.h>
#include <unistd.h>

/* ---- the system, disturbed ---- */

static struct {
    long writes, odd_write;  /* The odd one's number, from 1; 0: none. */
    int code;                /* It fails so; 0: it writes 1000 bytes. */
    long type;               /* What fstatfs says; 0: the truth. */
    bool no_flags;           /* fcntl refuses to change them. */
    long past_cache;         /* Writes with O_DIRECT. */
} disk;

#define REAL(name, type, ...) ((type (*)(__VA_ARGS__))dlsym(RTLD_NEXT, name))

int fcntl(int fd, int command, ...)
{
    va_list more;
    va_start(more, command);
    void *argument = va_arg(more, void *);
    va_end(more);
    if (command == F_SETFL && disk.no_flags) {
        errno = EINVAL;
        return -1;
    }
    return REAL("fcntl", int, int, int, ...)(fd, command, argument);
}

ssize_t write(int fd, const void *data, size_t size)
{
    disk.past_cache += (fcntl(fd, F_GETFL) & O_DIRECT) != 0;
    bool odd = ++disk.writes == disk.odd_write;
    if (odd && disk.code) {
        errno = disk.code;
        return -1;
    }
    return REAL("write", ssize_t, int, const void *, size_t)(fd, data, odd ? 1000 : size);
}

int fstatfs(int fd, struct statfs *out)
{
    int code = REAL("fstatfs", int, int, struct statfs *)(fd, out);
    if (disk.type) out->f_type = disk.type;
    return code;
}

/* ---- files ---- */

static char path[64];
static struct error err;

static int open_file(void)
{
    memset(&disk, 0, sizeof disk);
    disk.type = 0xEF53;
    strcpy(path, "/tmp/direct-test-XXXXXX");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    return fd;
}

static uint8_t byte_at(size_t i) { return (uint8_t)(i * 31 + (i >> 8) * 7 + (i >> 20)); }

static uint8_t *content(size_t size)
{
    uint8_t *bytes = malloc(size + 1);
    for (size_t i = 0; i < size; i++) bytes[i] = byte_at(i);
    return bytes;
}

static void holds(size_t size)
{
    struct buffer got = {0};
    assert_true(file_read_all(path, SIZE_MAX, &got, &err));
    assert_int_equal(got.size, size);
    for (size_t i = 0; i < size; i++) assert_true(got.data[i] == byte_at(i));
    buffer_free(&got);
}

/* Writes `size` bytes, `part` at a time, and ends; false: one of the calls failed. */
static bool write_parts(struct direct *direct, size_t size, size_t part)
{
    uint8_t *bytes = content(size);
    bool ok = true;
    for (size_t at = 0; ok && at < size; at += part)
        ok = direct_write(direct, bytes + at, size - at < part ? size - at : part, "it", &err);
    if (ok) ok = direct_end(direct, "it", &err);
    else direct_drop(direct);
    free(bytes);
    return ok;
}

static bool start_or_skip(struct direct *direct, int fd)
{
    if (direct_start(direct, fd)) return true;
    close(fd);
    unlink(path);
    skip();
    return false;
}

static void test_any_size_in_any_pieces(void **state)
{
    static const size_t sizes[][2] = {{0, 1}, {1, 1}, {4, 4}, {DIRECT_BLOCK - 1, 4096}, {DIRECT_BLOCK, DIRECT_BLOCK}, {DIRECT_BLOCK + 1, 100000},
                                      {3 * DIRECT_BLOCK, 5 * DIRECT_BLOCK}, {3 * DIRECT_BLOCK + 4095, 777777}};
    (void)state;
    for (size_t i = 0; i < COUNTOF(sizes); i++) {
        struct direct direct;
        int fd = open_file();
        if (!start_or_skip(&direct, fd)) return;
        assert_true(write_parts(&direct, sizes[i][0], sizes[i][1]));
        assert_int_equal(disk.past_cache, sizes[i][0] / DIRECT_BLOCK);
        assert_int_equal(fcntl(fd, F_GETFL) & O_DIRECT, 0);
        assert_null(direct.block);
        assert_int_equal(close(fd), 0);
        holds(sizes[i][0]);
        unlink(path);
    }
}

/* A block that the disk does not take so, or not all of, goes through the cache, and so does what follows. */
static void test_refused_and_short_writes(void **state)
{
    static const int codes[] = {EINVAL, EINTR, 0};
    (void)state;
    for (size_t i = 0; i < COUNTOF(codes); i++) {
        struct direct direct;
        int fd = open_file();
        if (!start_or_skip(&direct, fd)) return;
        disk.odd_write = 2;
        disk.code = codes[i];
        assert_true(write_parts(&direct, 4 * DIRECT_BLOCK + 5, 300000));
        assert_int_equal(disk.past_cache, 2);
        close(fd);
        holds(4 * DIRECT_BLOCK + 5);
        unlink(path);
    }
}

static void test_errors_are_told(void **state)
{
    static const int codes[] = {ENOSPC, EIO, EDQUOT};
    (void)state;
    for (size_t i = 0; i < COUNTOF(codes); i++)
        for (long odd = 1; odd <= 3; odd++) { /* Two blocks, and what is left. */
            struct direct direct;
            int fd = open_file();
            if (!start_or_skip(&direct, fd)) return;
            disk.odd_write = odd;
            disk.code = codes[i];
            error_clear(&err);
            assert_false(write_parts(&direct, 2 * DIRECT_BLOCK + 5, 300000));
            assert_non_null(strstr(err.message, "could not write file \"it\""));
            assert_int_equal(disk.writes, odd); /* Not tried again. */
            assert_null(direct.block);
            close(fd);
            unlink(path);
        }
}

static void test_flags_that_stay(void **state)
{
    (void)state;
    struct direct direct;
    int fd = open_file();
    if (!start_or_skip(&direct, fd)) return;
    disk.no_flags = true;
    assert_false(write_parts(&direct, 5, 5));
    assert_non_null(strstr(err.message, "could not set up file \"it\""));
    disk.no_flags = false;
    close(fd);
    unlink(path);
}

static void test_not_on_other_file_systems(void **state)
{
    (void)state;
    struct direct direct = {0};
    int fd = open_file();
    disk.type = 0x6969; /* NFS */
    assert_false(direct_start(&direct, fd));
    disk.type = 0xEF53;
    disk.no_flags = true;
    assert_false(direct_start(&direct, fd));
    assert_null(direct.block);
    assert_int_equal(fcntl(fd, F_GETFL) & O_DIRECT, 0);
    close(fd);
    unlink(path);
}

/* ---- a sink's files ---- */

enum { CELL = 3000, ROWS = 1500 };

static struct buffer stage_big(unsigned threads, long *past_cache)
{
    struct world *world = world_new("a STRING");
    world->context.thread_count = threads;
    memset(&disk, 0, sizeof disk);
    disk.type = 0xEF53;
    struct file_sink *sink = ARENA_NEW(world->arena, struct file_sink);
    assert_true(file_sink_open(sink, &line_format, &world->spec, &world->err));
    const struct batch_identity batch = batch_of(0, "plan");
    assert_true(json_sink.stage_begin(sink, &batch, &world->err));
    static char text[ROWS][CELL + 1];
    const char *cells[ROWS];
    for (int t = 0; t < 3; t++) {
        for (int i = 0; i < ROWS; i++) {
            memset(text[i], 'a' + (i + t) % 26, CELL);
            cells[i] = text[i];
        }
        assert_true(stage_cells(world, &json_sink, sink, cells, ROWS));
    }
    struct manifest manifest;
    assert_true(json_sink.prepare(sink, world->arena, &manifest, &world->err));
    assert_int_equal(manifest.count, 1);
    struct buffer got = {0};
    assert_true(file_read_all(arena_printf(world->arena, "%s/%s", world->spec.path, manifest.files[0].staged), SIZE_MAX, &got, &world->err));
    assert_int_equal(got.size, manifest.files[0].size);
    *past_cache = disk.past_cache;
    json_sink.close(sink);
    world_free(world);
    return got;
}

static void test_a_sinks_file_is_the_same(void **state)
{
    (void)state;
    long none, some;
    struct buffer one = stage_big(1, &none), two = stage_big(2, &some);
    assert_int_equal(none, 0);
    assert_true(one.size > (size_t)3 * ROWS * CELL && one.size == two.size);
    assert_memory_equal(one.data, two.data, one.size);
    if (some) assert_int_equal(some, two.size / DIRECT_BLOCK);
    buffer_free(&one);
    buffer_free(&two);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_any_size_in_any_pieces),   cmocka_unit_test(test_refused_and_short_writes),
        cmocka_unit_test(test_errors_are_told),          cmocka_unit_test(test_flags_that_stay),
        cmocka_unit_test(test_not_on_other_file_systems), cmocka_unit_test(test_a_sinks_file_is_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
