/* select -- query text: parsed, and resolved against a schema. */
#include "engine/select.h"
#include "tests/fuzz/fuzz.h"

static void fuzz_one(struct slice input)
{
    static const struct type *schema;
    struct error err = {0};
    if (!schema) schema = schema_parse_ddl(fuzz_arena(), "a INT, b STRUCT<c: STRING, d: STRUCT<e: INT>>, `x y` STRING, l ARRAY<STRUCT<z: INT>>, A2 DATE, p STRING", &err);
    struct arena *arena = arena_new("select");
    char *text = fuzz_text(input);
    struct projection projection;
    struct select *select = select_parse(arena, text, &err);
    if (!select) {
        fuzz_check_error(&err);
    } else if (!select_resolve(select, schema, schema->field_count - 1, fuzz_session(), arena, &projection, &err)) {
        fuzz_check_error(&err);
    } else {
        fuzz_check(projection.schema->field_count == projection.count, "%zu columns, %zu fields", projection.count, projection.schema->field_count);
        for (size_t i = 0; i < projection.count; i++)
            fuzz_check(projection.columns[i].path_size >= 1 && projection.columns[i].path[0] < (int)schema->field_count, "column %zu comes from nowhere", i);
    }
    free(text);
    arena_free(arena);
}
