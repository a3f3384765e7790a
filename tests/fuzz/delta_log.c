/* delta_log -- a _delta_log folder (a bundle of files) replayed, its history and its commits read. */
#include "base/tree.h"
#include "formats/delta_log.h"
#include "tests/fuzz/fuzz.h"

static void fuzz_one(struct slice input)
{
    struct arena *arena = arena_new("delta");
    struct error err = {0};
    struct delta_snapshot snapshot;
    fuzz_bundle("_delta_log", input);
    for (int with_files = 0; with_files < 2; with_files++) {
        if (!delta_snapshot_load(fuzz_folder(), -1, with_files, arena, fuzz_context(), &snapshot, &err)) {
            fuzz_check_error(&err);
            continue;
        }
        if (!delta_check_readable(&snapshot, &err)) fuzz_check_error(&err);
        if (!delta_check_writable(&snapshot, &err)) fuzz_check_error(&err);
        (void)delta_txn_version(&snapshot, "app");
        for (size_t i = 0; with_files && i < snapshot.add_count; i++) {
            struct buffer line = {0};
            delta_print_add(&line, &snapshot.adds[i], &snapshot.metadata, true);
            fuzz_check(tree_parse_json(arena, slice_of(line.data, line.size ? line.size - 1 : 0), &err), "%s: %s", err.message, buffer_string(&line));
            buffer_free(&line);
        }
    }
    struct buffer history = {0};
    if (!delta_history(fuzz_folder(), 0, arena, &history, &err)) fuzz_check_error(&err);
    else fuzz_check(tree_parse_json(arena, slice_of(history.data, history.size), &err), "%s: %s", err.message, buffer_string(&history));
    buffer_free(&history);
    if (!delta_read_commit(fuzz_folder(), 0, arena, &err)) fuzz_check_error(&err);
    arena_free(arena);
}
