/* parquet_read -- Parquet files: footer, schema, pages, levels, values. */
#include "formats/rows.h"
#include "tests/fuzz/fuzz.h"

static void fuzz_one(struct slice input)
{
    struct arena *arena = arena_new("parquet");
    struct error err = {0};
    size_t used = budget_used(fuzz_context()->budget);
    const char *path = fuzz_file("a.parquet", input);
    int64_t rows = 0, counted, total = 0;
    if (!parquet_count_rows(path, &counted, &err)) fuzz_check_error(&err);
    struct parquet_file *file = parquet_open(path, arena, &err);
    if (!file) {
        fuzz_check_error(&err);
    } else {
        struct chunk chunk;
        enum pull pull;
        rows = parquet_rows(file);
        (void)parquet_key_value(file, "org.apache.spark.sql.parquet.row.metadata");
        chunk_init(&chunk, parquet_schema(file));
        while ((pull = parquet_next(file, &chunk, fuzz_context(), &err)) == PULL_CHUNK) {
            for (size_t i = 0; i < chunk.schema->field_count; i++) fuzz_check(column_check(&chunk.columns[i], &err), "column %zu: %s", i, err.message);
            total += chunk.row_count;
            if (total > 1 << 20) break; /* Files of one value in long runs are large. */
        }
        if (pull == PULL_FAILED) fuzz_check_error(&err);
        if (pull == PULL_END) fuzz_check(total == rows, "%lld rows of %lld", (long long)total, (long long)rows);
        chunk_fini(&chunk);
        parquet_close(file);
    }
    fuzz_check(budget_used(fuzz_context()->budget) == used, "%zu bytes of columns were left behind", budget_used(fuzz_context()->budget) - used);
    arena_free(arena);
}
