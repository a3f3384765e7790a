/* json -- JSON text to a tree, by jansson: the only file that includes it.
 *
 * jansson checks and decodes; it knows neither lines nor how a number was written. Both are taken in a second
 * pass over the (by then valid) text, in step with the tree: values come in the same order. */
#include "base/panic.h"
#include "base/tree.h"

#include <errno.h>
#include <jansson.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { TREE_DEPTH_MAX = 1000 };

static const char *copy_text(struct arena *arena, const char *text, size_t size)
{
    char *copy = arena_alloc(arena, size + 1); /* May hold NUL bytes; one follows anyway. */
    if (size) memcpy(copy, text, size);
    return copy;
}

static struct tree *convert(struct arena *arena, const json_t *json, int depth, struct error *err);

static bool append(struct arena *arena, struct tree *parent, struct tree ***tail, const char *key,
                   const json_t *json, int depth, struct error *err)
{
    struct tree *child = convert(arena, json, depth + 1, err);
    if (!child) return false;
    if (key) child->key = arena_strdup(arena, key);
    **tail = child;
    *tail = &child->next;
    parent->count++;
    return true;
}

static bool convert_children(struct arena *arena, struct tree *tree, const json_t *json, int depth, struct error *err)
{
    struct tree **tail = &tree->first;
    if (tree->kind == TREE_LIST) {
        for (size_t i = 0; i < json_array_size(json); i++)
            if (!append(arena, tree, &tail, NULL, json_array_get(json, i), depth, err)) return false;
        return true;
    }
    const char *key;
    json_t *value, *object = (json_t *)(uintptr_t)json; /* The macro is not const-correct; nothing is changed. */
    json_object_foreach(object, key, value)
        if (!append(arena, tree, &tail, key, value, depth, err)) return false;
    return true;
}

static void set_scalar(struct arena *arena, struct tree *tree, const json_t *json)
{
    switch (json_typeof(json)) {
    case JSON_STRING:
        tree->kind = TREE_TEXT;
        tree->text_size = json_string_length(json);
        tree->text = copy_text(arena, json_string_value(json), tree->text_size);
        return;
    case JSON_TRUE:
    case JSON_FALSE:
        tree->kind = TREE_BOOL;
        tree->integer = json_is_true(json);
        tree->text = tree->integer ? "true" : "false";
        break;
    case JSON_INTEGER:
    case JSON_REAL:
        tree->kind = TREE_REAL; /* Text and integers: second pass. */
        tree->real = json_number_value(json);
        tree->text = "";
        return;
    default:
        tree->kind = TREE_NULL;
        tree->text = "null";
        break;
    }
    tree->text_size = strlen(tree->text);
}

static struct tree *convert(struct arena *arena, const json_t *json, int depth, struct error *err)
{
    if (depth > TREE_DEPTH_MAX) {
        error_set(err, COND_INLET_SYNTAX, "JSON is nested more than %d levels deep", TREE_DEPTH_MAX);
        return NULL;
    }
    struct tree *tree = ARENA_NEW(arena, struct tree);
    if (!json_is_object(json) && !json_is_array(json)) {
        set_scalar(arena, tree, json);
        return tree;
    }
    tree->kind = json_is_object(json) ? TREE_MAP : TREE_LIST;
    return convert_children(arena, tree, json, depth, err) ? tree : NULL;
}

/* ---- second pass: lines, and numbers as written ------------------------------------------------- */

struct cursor {
    struct arena *arena;
    const char *p, *end;
    int line;
};

/* To the next byte that starts a value: past blanks, commas, colons and closing brackets. */
static void seek_value(struct cursor *cursor)
{
    for (; cursor->p < cursor->end && strchr(" \t\r\n,:]}", *cursor->p) && *cursor->p; cursor->p++)
        if (*cursor->p == '\n') cursor->line++;
}

static void skip_string(struct cursor *cursor)
{
    for (cursor->p++; cursor->p < cursor->end && *cursor->p != '"'; cursor->p++)
        if (*cursor->p == '\\') cursor->p++;
    cursor->p++;
}

static void take_number(struct cursor *cursor, struct tree *tree)
{
    const char *start = cursor->p;
    while (cursor->p < cursor->end && strchr("+-0123456789.eE", *cursor->p) && *cursor->p) cursor->p++;
    tree->text_size = (size_t)(cursor->p - start);
    tree->text = copy_text(cursor->arena, start, tree->text_size);
    if (strpbrk(tree->text, ".eE")) return;
    errno = 0;
    int64_t integer = strtoll(tree->text, NULL, 10);
    if (errno) return; /* Beyond 64 bits: the text and the double remain. */
    tree->kind = TREE_INT;
    tree->integer = integer;
}

static void locate(struct cursor *cursor, struct tree *tree)
{
    seek_value(cursor);
    tree->line = cursor->line;
    switch (tree->kind) {
    case TREE_LIST:
    case TREE_MAP:
        cursor->p++;
        for (struct tree *child = tree->first; child; child = child->next) {
            if (tree->kind == TREE_MAP) {
                seek_value(cursor);
                skip_string(cursor); /* The key. */
            }
            locate(cursor, child);
        }
        return;
    case TREE_TEXT:
        skip_string(cursor);
        return;
    case TREE_REAL:
    case TREE_INT:
        take_number(cursor, tree);
        return;
    case TREE_BOOL:
    case TREE_NULL:
        cursor->p += tree->text_size;
        return;
    }
}

/* jansson takes a failed allocation for bad text, or trips over it. */
static void *allocate_surely(size_t size)
{
    void *memory = malloc(size ? size : 1);
    if (!memory) panic_out_of_memory(size);
    return memory;
}

static void set_allocator(void) { json_set_alloc_funcs(allocate_surely, free); }

struct tree *tree_parse_json(struct arena *arena, struct slice text, struct error *err)
{
    static pthread_once_t allocator = PTHREAD_ONCE_INIT;
    pthread_once(&allocator, set_allocator);
    json_error_t problem;
    const char *bytes = text.size ? (const char *)text.data : "";
    json_t *json = json_loadb(bytes, text.size, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL, &problem);
    if (!json) {
        error_set(err, COND_INLET_SYNTAX, "cannot read JSON at line %d, column %d: %s", problem.line,
                  problem.column, problem.text);
        if (err && problem.line > 0) err->line = problem.line;
        return NULL;
    }
    struct tree *tree = convert(arena, json, 0, err);
    json_decref(json);
    if (!tree) return NULL;
    struct cursor cursor = {arena, bytes, bytes + text.size, 1};
    locate(&cursor, tree);
    return tree;
}
