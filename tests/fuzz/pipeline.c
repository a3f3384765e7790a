/* pipeline -- whole pipeline files. */
#include "loader/pipeline.h"
#include "tests/fuzz/fuzz.h"

static void fuzz_one(struct slice input)
{
    struct arena *arena = arena_new("pipeline");
    struct error err = {0};
    char *text = fuzz_copy(input), file[128];
    snprintf(file, sizeof file, "%s/p.yaml", fuzz_folder());
    struct pipeline *pipeline = pipeline_parse(arena, file, slice_of(text, input.size), &err);
    if (!pipeline) {
        fuzz_check_error(&err);
        fuzz_check(err.line >= 0, "line %d", err.line);
    } else {
        fuzz_check(pipeline->reader.schema && pipeline->select && pipeline->writer.sink && pipeline->writer.checkpoint[0] == '/', "a pipeline lacks a part");
    }
    free(text);
    arena_free(arena);
}
