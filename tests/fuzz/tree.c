/* tree -- configuration as YAML and JSON. The first byte chooses; a tree is printed as JSON and read again to the same text. */
#include "base/tree.h"
#include "base/utf8.h"
#include "tests/fuzz/fuzz.h"

static void check_again(struct arena *arena, const struct tree *tree, const char *what)
{
    struct buffer first = {0}, second = {0};
    struct error err = {0};
    tree_print_json(tree, &first);
    struct tree *again = tree_parse_json(arena, slice_of(first.data, first.size), &err);
    fuzz_check(again, "%s: %s\n%.*s", what, err.message, (int)first.size, (const char *)first.data);
    tree_print_json(again, &second);
    fuzz_check(first.size == second.size && memcmp(first.data, second.data, first.size) == 0, "%s: %.*s\n%.*s", what, (int)first.size, (const char *)first.data,
               (int)second.size, (const char *)second.data);
    buffer_free(&first);
    buffer_free(&second);
}

static void fuzz_one(struct slice input)
{
    bool yaml = fuzz_byte(&input) & 1;
    struct arena *arena = arena_new("tree");
    struct error err = {0};
    char *text = fuzz_copy(input);
    struct slice bytes = slice_of(text, input.size);
    struct tree *tree = yaml ? tree_parse_yaml(arena, bytes, &err) : tree_parse_json(arena, bytes, &err);
    if (!tree) fuzz_check_error(&err);
    else check_again(arena, tree, yaml ? "yaml" : "json");
    free(text);
    arena_free(arena);
}
