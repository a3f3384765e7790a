/* scope -- which names below a load path count: globs, hidden names, depth. No system calls.
 *
 * A load path becomes one or more patterns (braces that hold '/' are spelled out). Each has a root, the longest folder
 * without wildcards. A scope says where a walk stands with respect to one pattern: still matching its components, taking
 * everything, or comparing whole paths (Auto Loader's loose globs). Stepping into a folder gives its scope or the rule that
 * refuses it, so that the walk, notifications and `inlet why` cannot differ. */
#pragma once
#include "base/arena.h"
#include "base/error.h"
#include "base/uri.h"

struct scope_rules {
    bool strict_glob;
    bool subtree;                  /* Files of every folder count; false: those of the load folder, of key=value folders and of what is below them. */
    const char *const *own;        /* Folders that are never entered: the pipeline's own output and state. Absolute. */
    size_t own_count;
};

struct component {
    const char *text;              /* One path component. */
    const struct glob *glob;       /* NULL: `text` itself. */
};

struct pattern {
    const char *text;              /* As given, spelled out, without trailing slashes. */
    const char *root;              /* Never ends in a slash, save "/". */
    bool has_magic;
    bool spelled_out;              /* By a load path with braces: it need not be there. */
    bool loose;
    struct component *components;  /* Strict: behind the root. */
    size_t component_count;
};

enum scope_state { SCOPE_MATCHING, SCOPE_TAKING, SCOPE_LOOSE };

struct scope {
    const struct pattern *pattern;
    const struct scope_rules *rules;
    enum scope_state state;
    size_t component;              /* SCOPE_MATCHING: the one that the next name must match. */
    bool in_partition;             /* Below a key=value folder. */
    bool aside;                    /* In a plain subfolder: its files do not count, key=value folders below it do. */
};

/* Ordered by how far a path came before it was refused. */
enum refusal { REFUSED_OUTSIDE, REFUSED_HIDDEN, REFUSED_GLOB, REFUSED_OWN, REFUSED_DEPTH, REFUSED_NOT };

bool patterns_compile(const char *load, const struct scope_rules *rules, struct arena *arena, struct pattern **patterns, size_t *count, struct error *err) MUST_CHECK;
struct scope scope_of_root(const struct pattern *pattern, const struct scope_rules *rules);
/* `directory` is the path of the folder that has the scope. */
enum refusal scope_enter(const struct scope *scope, const char *directory, const char *name, struct scope *child);
enum refusal scope_take(const struct scope *scope, const char *directory, const char *name);
/* The scope of any folder at or below the root. */
enum refusal scope_of(const struct pattern *pattern, const struct scope_rules *rules, const char *directory, struct scope *scope);
bool name_is_hidden(const char *name);
