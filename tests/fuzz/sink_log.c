/* sink_log -- a _spark_metadata folder (a bundle of files): latest batch, live files, who wrote a batch. */
#include "formats/sink_log.h"
#include "tests/fuzz/fuzz.h"

static void fuzz_one(struct slice input)
{
    struct arena *arena = arena_new("sink log");
    struct error err = {0};
    int64_t batch;
    struct sink_log_entry *entries;
    size_t count;
    bool present;
    const char *query, *digest;
    fuzz_bundle("_spark_metadata", input);
    struct sink_log *log = sink_log_open(fuzz_folder());
    if (!sink_log_latest(log, &batch, &err)) fuzz_check_error(&err);
    if (!sink_log_files(fuzz_folder(), arena, &entries, &count, &err)) fuzz_check_error(&err);
    for (int64_t i = 0; i < 2; i++)
        if (!sink_log_identity(log, i, arena, &present, &query, &digest, &err)) fuzz_check_error(&err);
    sink_log_close(log);
    arena_free(arena);
}
