/* schema -- schemas as DDL and as JSON: what was read prints to what reads as the same. The first byte chooses. */
#include "columns/type.h"
#include "tests/fuzz/fuzz.h"

static void check_json(struct arena *arena, const struct type *type)
{
    struct buffer text = {0};
    struct error err = {0};
    type_print_json(type, &text);
    const struct type *again = type_parse_json(arena, slice_of(text.data, text.size), &err);
    fuzz_check(again, "%s\n%s", err.message, buffer_string(&text));
    fuzz_check(type_equal(type, again, true), "JSON gives another type: %s", buffer_string(&text));
    buffer_free(&text);
}

/* Comments and metadata are not part of it. */
static void check_ddl(struct arena *arena, const struct type *type)
{
    struct buffer text = {0};
    struct error err = {0};
    type_print_ddl(type, &text);
    const struct type *again = type_parse_ddl(arena, buffer_string(&text), &err);
    fuzz_check(again, "%s\n%s", err.message, buffer_string(&text));
    fuzz_check(type_equal(type, again, false), "DDL gives another type: %s", buffer_string(&text));
    buffer_free(&text);
}

static void print_others(struct arena *arena, const struct type *type)
{
    struct buffer text = {0};
    type_print_simple(type, &text);
    if (type->kind == TYPE_STRUCT) schema_print_ddl(type, &text);
    fuzz_check(type_equal(type, type_copy(arena, type), true), "a copy differs");
    fuzz_check(type_equal(type, type_as_nullable(arena, type), false), "nullability is more than that");
    buffer_free(&text);
}

static bool has_void(const struct type *type)
{
    if (type->kind == TYPE_VOID) return true;
    for (size_t i = 0; i < type->field_count; i++)
        if (has_void(type->fields[i].type)) return true;
    return false;
}

static void fuzz_one(struct slice input)
{
    uint8_t choice = fuzz_byte(&input) % 3;
    struct arena *arena = arena_new("schema");
    struct error err = {0};
    char *text = fuzz_text(input), *copy = fuzz_copy(input);
    const struct type *type = choice == 0   ? schema_parse_ddl(arena, text, &err)
                              : choice == 1 ? type_parse_ddl(arena, text, &err)
                                            : type_parse_json(arena, slice_of(copy, input.size), &err);
    if (!type) {
        fuzz_check_error(&err);
    } else {
        check_json(arena, type);
        if (!has_void(type)) check_ddl(arena, type);
        print_others(arena, type);
    }
    free(text);
    free(copy);
    arena_free(arena);
}
