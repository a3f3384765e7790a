/* glob -- load paths and globs: the first line is a pattern, the others are paths to match. */
#include "base/uri.h"
#include "listing/scope.h"
#include "tests/fuzz/fuzz.h"

static void try_glob(struct arena *arena, const char *pattern, struct slice paths)
{
    struct error err = {0};
    struct glob *glob = glob_compile(arena, pattern, &err);
    if (!glob) fuzz_check_error(&err);
    while (glob && paths.size) {
        char *text = fuzz_text(fuzz_line(&paths));
        bool matches = glob_match(glob, text);
        if (!glob_has_magic(pattern) && !strchr(pattern, '\\')) fuzz_check(matches == (strcmp(pattern, text) == 0), "\"%s\" and \"%s\"", pattern, text);
        free(text);
    }
}

static void try_scope(struct arena *arena, const char *pattern, struct slice paths, const struct scope_rules *rules)
{
    struct error err = {0};
    struct pattern *patterns;
    size_t count;
    char *load = arena_printf(arena, "/%s", pattern);
    if (!patterns_compile(load, rules, arena, &patterns, &count, &err)) {
        fuzz_check_error(&err);
        return;
    }
    for (; paths.size;) {
        char *text = fuzz_text(fuzz_line(&paths));
        char *path = arena_printf(arena, "/%s", text), *slash = strrchr(path, '/');
        *slash = 0;
        for (size_t i = 0; i < count; i++) {
            struct scope scope, child;
            if (scope_of(&patterns[i], rules, *path ? path : "/", &scope) != REFUSED_NOT) continue;
            scope_take(&scope, *path ? path : "/", slash + 1);
            scope_enter(&scope, *path ? path : "/", slash + 1, &child);
        }
        free(text);
    }
}

static void fuzz_one(struct slice input)
{
    struct arena *arena = arena_new("glob");
    char *pattern = fuzz_text(fuzz_line(&input));
    try_glob(arena, pattern, input);
    try_scope(arena, pattern, input, &(struct scope_rules){.strict_glob = true});
    try_scope(arena, pattern, input, &(struct scope_rules){.subtree = true});
    free(pattern);
    arena_free(arena);
}
