/* scope -- patterns of load paths, compiled, and the rule that lets a name in or keeps it out. */
#include "listing/scope.h"
#include "base/bytes.h"
#include "base/panic.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#define SPELLINGS_MAX 4096

bool name_is_hidden(const char *name)
{
    if (name[0] == '.') return true;
    if (name[0] == '_' && !strchr(name, '=')) return true;
    static const char copying[] = "._COPYING_";
    size_t size = strlen(name);
    return size >= sizeof copying - 1 && strcmp(name + size - (sizeof copying - 1), copying) == 0;
}

/* --- Loose globs ------------------------------------------------------------------------------------------ */

enum loose_match { LOOSE_NO, LOOSE_SO_FAR, LOOSE_PREFIX };

/* One '[...]' at *pattern (behind the bracket) against a byte; steps behind the closing bracket. */
static bool class_matches(const char **pattern, unsigned char byte)
{
    const char *at = *pattern;
    bool negated = *at == '^' || *at == '!', matched = false;
    if (negated) at++;
    for (bool first = true; *at && (first || *at != ']'); first = false) {
        if (*at == '\\' && at[1]) at++;
        unsigned char low = (unsigned char)*at++, high = low;
        if (at[0] == '-' && at[1] && at[1] != ']') {
            high = (unsigned char)at[1];
            at += 2;
        }
        if (byte >= low && byte <= high) matched = true;
    }
    *pattern = *at ? at + 1 : at;
    return matched != negated;
}

static bool one_matches(const char **pattern, const char **text)
{
    char symbol = *(*pattern)++;
    if (symbol == '?') {
        do (*text)++;
        while (((unsigned char)**text & 0xc0) == 0x80); /* One character, not one byte. */
        return true;
    }
    unsigned char byte = (unsigned char)*(*text)++;
    if (symbol == '[') return class_matches(pattern, byte);
    if (symbol == '\\' && **pattern) symbol = *(*pattern)++;
    return (unsigned char)symbol == byte;
}

/* Does a beginning of `text` match all of the pattern? '*' crosses slashes. SO_FAR: the text ended first. */
static enum loose_match match_loose(const char *pattern, const char *text)
{
    const char *star_pattern = NULL, *star_text = NULL;
    for (;;) {
        if (!*pattern) return LOOSE_PREFIX;
        if (*pattern == '*') {
            star_pattern = ++pattern;
            star_text = text;
            continue;
        }
        if (!*text) return LOOSE_SO_FAR;
        if (one_matches(&pattern, &text)) continue;
        if (!star_pattern) return LOOSE_NO;
        pattern = star_pattern;
        text = ++star_text;
    }
}

/* --- Spelling braces out ------------------------------------------------------------------------------------ */

struct spellings {
    struct arena *arena;
    const char **texts;
    size_t count;
    bool all;                  /* Every group (loose); else only those that hold '/'. */
};

/* The end of a group that starts behind its '{': its '}', or NULL. */
static const char *group_end(const char *at, bool *has_slash)
{
    unsigned depth = 0;
    *has_slash = false;
    for (; *at; at++) {
        if (*at == '\\' && at[1]) at++;
        else if (*at == '{') depth++;
        else if (*at == '/') *has_slash = true;
        else if (*at == '}' && depth-- == 0) return at;
    }
    return NULL;
}

static bool spell_out(struct spellings *out, const char *text, struct error *err);

static bool spell_group(struct spellings *out, const char *text, const char *open, const char *close, struct error *err)
{
    const char *start = open + 1;
    unsigned depth = 0;
    for (const char *at = start; at <= close; at++) {
        if (*at == '\\' && at < close) at++;
        else if (*at == '{') depth++;
        else if (*at == '}' && at < close) depth--;
        else if ((*at == ',' || at == close) && depth == 0) {
            const char *spelled = arena_printf(out->arena, "%.*s%.*s%s", (int)(open - text), text, (int)(at - start), start, close + 1);
            if (!spell_out(out, spelled, err)) return false;
            start = at + 1;
        }
    }
    return true;
}

static bool spell_out(struct spellings *out, const char *text, struct error *err)
{
    for (const char *at = text; *at; at++) {
        if (*at == '\\' && at[1]) {
            at++;
            continue;
        }
        if (*at != '{') continue;
        bool has_slash;
        const char *close = group_end(at + 1, &has_slash);
        if (!close) return error_set(err, COND_INLET_BAD_OPTION_VALUE, "illegal file pattern '%s': a brace is not closed", text);
        if (has_slash || out->all) return spell_group(out, text, at, close, err);
        at = close;
    }
    if (out->count == SPELLINGS_MAX) {
        return error_set(err, COND_INLET_BAD_OPTION_VALUE, "the file pattern '%s' stands for more than %d patterns", text, SPELLINGS_MAX);
    }
    out->texts[out->count++] = text;
    return true;
}

/* --- Compiling ------------------------------------------------------------------------------------------------ */

static bool compile_components(struct pattern *pattern, const char *rest, struct arena *arena, struct error *err)
{
    size_t most = 1;
    for (const char *at = rest; *at; at++) most += *at == '/';
    pattern->components = ARENA_ARRAY(arena, struct component, most);
    while (*rest) {
        size_t size = strcspn(rest, "/");
        if (size == 0) {
            rest++;
            continue;
        }
        struct component *component = &pattern->components[pattern->component_count++];
        char *text = arena_strndup(arena, rest, size);
        rest += size;
        component->text = text;
        if (glob_has_magic(text) && !(component->glob = glob_compile(arena, text, err))) return false;
    }
    return true;
}

/* The root ends before the first component with a wildcard; there is one. */
static const char *split_root(struct pattern *pattern, struct arena *arena)
{
    size_t root = 0;
    const char *text = pattern->text;
    for (;;) {
        size_t next = root + 1 + strcspn(text + root + 1, "/");
        if (glob_has_magic(arena_strndup(arena, text + root, next - root))) break;
        root = next;
    }
    pattern->root = root ? arena_strndup(arena, text, root) : "/";
    return text + root;
}

static bool compile_one(struct pattern *pattern, const char *text, bool spelled_out, const struct scope_rules *rules, struct arena *arena, struct error *err)
{
    char *copy = arena_strdup(arena, text);
    size_t size = strlen(copy);
    while (size > 1 && copy[size - 1] == '/') copy[--size] = 0;
    *pattern = (struct pattern){.text = copy, .has_magic = glob_has_magic(copy), .spelled_out = spelled_out};
    if (!pattern->has_magic) {
        pattern->root = copy;
        return true;
    }
    const char *rest = split_root(pattern, arena);
    pattern->loose = !rules->strict_glob;
    if (pattern->loose) return true;
    return compile_components(pattern, rest, arena, err);
}

bool patterns_compile(const char *load, const struct scope_rules *rules, struct arena *arena, struct pattern **patterns, size_t *count, struct error *err)
{
    struct spellings spellings = {.arena = arena, .texts = ARENA_ARRAY(arena, const char *, SPELLINGS_MAX), .all = !rules->strict_glob};
    if (load[0] != '/') return error_set(err, COND_INLET_BAD_OPTION_VALUE, "the load path '%s' is not absolute", load);
    if (!spell_out(&spellings, load, err)) return false;
    *patterns = ARENA_ARRAY(arena, struct pattern, spellings.count);
    *count = spellings.count;
    for (size_t i = 0; i < spellings.count; i++) {
        if (!compile_one(&(*patterns)[i], spellings.texts[i], strcmp(spellings.texts[i], load) != 0, rules, arena, err)) return false;
    }
    return true;
}

/* --- Stepping ---------------------------------------------------------------------------------------------------- */

struct scope scope_of_root(const struct pattern *pattern, const struct scope_rules *rules)
{
    struct scope scope = {.pattern = pattern, .rules = rules, .state = SCOPE_TAKING};
    if (pattern->loose) scope.state = SCOPE_LOOSE;
    else if (pattern->has_magic) scope.state = SCOPE_MATCHING;
    return scope;
}

static bool component_matches(const struct component *component, const char *name)
{
    return component->glob ? glob_match(component->glob, name) : strcmp(component->text, name) == 0;
}

/* A hidden name that the pattern spells out itself is meant. */
static bool is_named(const struct scope *scope, const char *name)
{
    if (scope->state == SCOPE_MATCHING) {
        const struct component *component = &scope->pattern->components[scope->component];
        return component->text[0] == name[0];
    }
    if (scope->state != SCOPE_LOOSE) return false;
    size_t size = strlen(name);
    for (const char *at = scope->pattern->text; (at = strstr(at, name)) != NULL; at++) {
        if (at > scope->pattern->text && at[-1] == '/' && (at[size] == '/' || at[size] == 0)) return true;
    }
    return false;
}

static enum loose_match match_path(const struct scope *scope, const char *directory, const char *name, bool is_directory)
{
    char path[PATH_MAX + 1024];
    snprintf(path, sizeof path, "%s/%s%s", strcmp(directory, "/") == 0 ? "" : directory, name, is_directory ? "/" : "");
    return match_loose(scope->pattern->text, path);
}

/* What the pipeline writes itself would come back as its input. */
static bool is_own(const struct scope_rules *rules, const char *directory, const char *name)
{
    size_t size = strcmp(directory, "/") == 0 ? 0 : strlen(directory);
    for (size_t i = 0; i < rules->own_count; i++) {
        const char *own = rules->own[i];
        if (strncmp(own, directory, size) == 0 && own[size] == '/' && strcmp(own + size + 1, name) == 0) return true;
    }
    return false;
}

enum refusal scope_enter(const struct scope *scope, const char *directory, const char *name, struct scope *child)
{
    *child = *scope;
    if (scope->state == SCOPE_MATCHING && !component_matches(&scope->pattern->components[scope->component], name)) return REFUSED_GLOB;
    if (name_is_hidden(name) && !is_named(scope, name)) return REFUSED_HIDDEN;
    if (is_own(scope->rules, directory, name)) return REFUSED_OWN;
    switch (scope->state) {
    case SCOPE_MATCHING:
        child->component++;
        if (child->component == scope->pattern->component_count) child->state = SCOPE_TAKING;
        if (strchr(name, '=')) child->in_partition = child->state == SCOPE_TAKING;
        return REFUSED_NOT;
    case SCOPE_LOOSE: return match_path(scope, directory, name, true) == LOOSE_NO ? REFUSED_GLOB : REFUSED_NOT;
    case SCOPE_TAKING: break;
    }
    if (strchr(name, '=')) child->in_partition = true;
    child->aside = !scope->rules->subtree && !child->in_partition;
    return REFUSED_NOT;
}

enum refusal scope_take(const struct scope *scope, const char *directory, const char *name)
{
    if (scope->state == SCOPE_MATCHING) {
        if (!component_matches(&scope->pattern->components[scope->component], name)) return REFUSED_GLOB;
        if (scope->component + 1 < scope->pattern->component_count) return REFUSED_GLOB; /* A folder was meant here. */
    }
    if (name_is_hidden(name)) return REFUSED_HIDDEN;
    if (scope->aside) return REFUSED_DEPTH;
    if (scope->state == SCOPE_LOOSE && match_path(scope, directory, name, false) != LOOSE_PREFIX) return REFUSED_GLOB;
    return REFUSED_NOT;
}

enum refusal scope_of(const struct pattern *pattern, const struct scope_rules *rules, const char *directory, struct scope *scope)
{
    size_t root_size = strcmp(pattern->root, "/") == 0 ? 0 : strlen(pattern->root);
    *scope = scope_of_root(pattern, rules);
    if (strncmp(directory, pattern->root, root_size) != 0) return REFUSED_OUTSIDE;
    if (directory[root_size] != '/' && directory[root_size] != 0) return REFUSED_OUTSIDE;
    char path[PATH_MAX], name[NAME_MAX + 1];
    if (strlen(directory) >= sizeof path) return REFUSED_OUTSIDE;
    memcpy(path, directory, strlen(directory) + 1);
    size_t at = root_size;
    while (path[at]) {
        size_t size = strcspn(path + at + 1, "/");
        if (size == 0) {
            at++;
            continue;
        }
        if (size > NAME_MAX) return REFUSED_OUTSIDE;
        memcpy(name, path + at + 1, size);
        name[size] = 0;
        path[at] = 0; /* The folder that holds the name. */
        struct scope child;
        enum refusal refusal = scope_enter(scope, at ? path : "/", name, &child);
        path[at] = '/';
        if (refusal != REFUSED_NOT) return refusal;
        *scope = child;
        at += size + 1;
    }
    return REFUSED_NOT;
}
