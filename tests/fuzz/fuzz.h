/* fuzz -- the frame of a fuzz target: a file that includes this and defines fuzz_one() is a target.
 *
 * Built by clang with -fsanitize=fuzzer it is a libFuzzer program (make fuzz). Built by any compiler with -DFUZZ_REPLAY it is a
 * program that feeds the stored inputs, corpus/<target>/ or the files named, and prints TAP (make check).
 *
 * A target returns when the input was handled, refused or not; it aborts by fuzz_check() where what must hold does not. What a
 * choice of settings needs comes from the front of the input (fuzz_byte, fuzz_line), so that inputs can be read and written by
 * hand. */
#pragma once
#include "base/arena.h"
#include "base/bytes.h"
#include "base/context.h"
#include "base/error.h"
#include "base/file.h"
#include "base/session.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static void fuzz_one(struct slice input);

/* --- What targets use ------------------------------------------------------------------------------------------ */

#define fuzz_check(condition, ...) ((condition) ? (void)0 : (fprintf(stderr, "%s:%d: ", __FILE__, __LINE__), fprintf(stderr, __VA_ARGS__), fputc('\n', stderr), abort()))

/* The first byte of the input, taken off; 0 where there is none. */
UNUSED static uint8_t fuzz_byte(struct slice *input)
{
    if (input->size == 0) return 0;
    input->size--;
    return *input->data++;
}

/* A copy of exactly that size and a NUL, so that a sanitizer sees every byte that is read behind it. free() it. */
UNUSED static char *fuzz_text(struct slice bytes)
{
    char *text = malloc(bytes.size + 1);
    if (!text) abort();
    if (bytes.size) memcpy(text, bytes.data, bytes.size);
    text[bytes.size] = 0;
    return text;
}

/* The same without the NUL, for what is given with a size. */
UNUSED static char *fuzz_copy(struct slice bytes)
{
    char *copy = malloc(bytes.size ? bytes.size : 1);
    if (!copy) abort();
    if (bytes.size) memcpy(copy, bytes.data, bytes.size);
    return copy;
}

/* The bytes before the next newline, taken off with it. */
UNUSED static struct slice fuzz_line(struct slice *input)
{
    const uint8_t *end = input->size ? memchr(input->data, '\n', input->size) : NULL;
    struct slice line = slice_of(input->data, end ? (size_t)(end - input->data) : input->size);
    size_t taken = line.size + (end ? 1 : 0);
    input->data += taken;
    input->size -= taken;
    return line;
}

/* An error must be one: a condition and texts that end. */
UNUSED static void fuzz_check_error(const struct error *err)
{
    static char text[16 << 10];
    fuzz_check(error_is_set(err), "it failed without an error");
    fuzz_check(error_format(err, text, sizeof text) == strlen(text), "the text of the error has another length");
}

/* A folder of this process in memory where there is one; removed at the end. */
static char fuzz_folder_path[64];
static void fuzz_remove_folder(void)
{
    struct error err = {0};
    if (!directory_remove_tree(fuzz_folder_path, &err)) fprintf(stderr, "%s: %s\n", fuzz_folder_path, err.message);
}
UNUSED static const char *fuzz_folder(void)
{
    if (*fuzz_folder_path) return fuzz_folder_path;
    strcpy(fuzz_folder_path, access("/dev/shm", W_OK) == 0 ? "/dev/shm/inlet-fuzz-XXXXXX" : "/tmp/inlet-fuzz-XXXXXX");
    if (!mkdtemp(fuzz_folder_path)) abort();
    atexit(fuzz_remove_folder);
    return fuzz_folder_path;
}

/* Writes `bytes` as `name` below that folder; the path is valid until the next call. */
UNUSED static const char *fuzz_file(const char *name, struct slice bytes)
{
    static char path[1024];
    snprintf(path, sizeof path, "%s/%s", fuzz_folder(), name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    fuzz_check(fd >= 0, "%s cannot be made", path);
    fuzz_check(write(fd, bytes.data, bytes.size) == (ssize_t)bytes.size, "%s cannot be written", path);
    close(fd);
    return path;
}

/* A bundle of files: "== NAME" on a line of its own, then the bytes up to the next such line. Each becomes a file in `folder`
 * (below fuzz_folder, made empty first). Names with a slash are passed over. */
UNUSED static void fuzz_bundle(const char *folder, struct slice input)
{
    char path[600];
    struct error err = {0};
    snprintf(path, sizeof path, "%s/%s", fuzz_folder(), folder);
    fuzz_check(directory_remove_tree(path, &err), "%s", err.message);
    fuzz_check(directories_make(path, &err), "%s", err.message);
    while (input.size) {
        struct slice line = fuzz_line(&input);
        if (line.size < 4 || line.size > 100 || memcmp(line.data, "== ", 3) != 0) continue;
        struct slice body = input;
        const uint8_t *next = input.size ? memmem(input.data, input.size, "\n== ", 4) : NULL;
        if (input.size >= 3 && memcmp(input.data, "== ", 3) == 0) body.size = 0;
        else if (next) body.size = (size_t)(next - input.data) + 1;
        input.data += body.size;
        input.size -= body.size;
        if (memchr(line.data, '/', line.size) || memchr(line.data, 0, line.size) || line.data[3] == '.') continue;
        snprintf(path, sizeof path, "%s/%.*s", folder, (int)line.size - 3, (const char *)line.data + 3);
        fuzz_file(path, body);
    }
}

/* Memory for what is made once and stays. */
UNUSED static struct arena *fuzz_arena(void)
{
    static struct arena *arena;
    if (!arena) arena = arena_new("fuzz");
    return arena;
}

/* What every stream has: no log, UTC, a budget of 256 MiB. Made once. */
UNUSED static struct inlet_context *fuzz_context(void)
{
    static struct inlet_context context;
    if (!context.budget) {
        inlet_context_init(&context);
        budget_free(context.budget);
        context.budget = budget_new(256u << 20);
        context.log_level = LOG_ERROR;
        context.thread_count = 1;
    }
    return &context;
}
UNUSED static const struct session *fuzz_session(void)
{
    static struct session session;
    if (!session.zone) {
        struct error err = {0};
        struct buffer warnings = {0};
        const struct option_input zone = {"spark.sql.session.timeZone", "UTC", 1, false};
        fuzz_check(session_parse(fuzz_arena(), &zone, 1, &session, &warnings, &err), "%s", err.message);
        buffer_free(&warnings);
    }
    return &session;
}

/* --- Entry points ------------------------------------------------------------------------------------------------ */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_one(slice_of(data, size));
    return 0;
}

#ifdef FUZZ_REPLAY
static int fuzz_compare(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static void fuzz_replay(const char *path, size_t number)
{
    struct error err = {0};
    struct buffer bytes = {0};
    fuzz_check(file_read_all(path, 64 << 20, &bytes, &err), "%s", err.message);
    char *copy = fuzz_copy(slice_of(bytes.data, bytes.size));
    alarm(20);
    fuzz_one(slice_of(copy, bytes.size));
    alarm(0);
    free(copy);
    buffer_free(&bytes);
    printf("ok %zu - %s\n", number, path);
    fflush(stdout);
}

/* The corpus as a sorted list of paths. */
static char **fuzz_list(const char *folder, size_t *count)
{
    DIR *directory = opendir(folder);
    struct dirent *entry;
    char **paths = NULL;
    fuzz_check(directory != NULL, "%s cannot be read", folder);
    while ((entry = readdir(directory))) {
        if (entry->d_name[0] == '.') continue;
        paths = realloc(paths, (*count + 1) * sizeof *paths);
        if (!paths || asprintf(&paths[(*count)++], "%s/%s", folder, entry->d_name) < 0) abort();
    }
    closedir(directory);
    if (*count) qsort(paths, *count, sizeof *paths, fuzz_compare);
    return paths;
}

int main(int argc, char **argv)
{
    size_t count = 0;
    char **stored = argc > 1 ? NULL : fuzz_list(FUZZ_CORPUS, &count);
    char **paths = stored ? stored : argv + 1;
    if (argc > 1) count = (size_t)argc - 1;
    printf("1..%zu\n", count);
    for (size_t i = 0; i < count; i++) fuzz_replay(paths[i], i + 1);
    for (size_t i = 0; stored && i < count; i++) free(stored[i]);
    free(stored);
    return 0;
}
#endif
