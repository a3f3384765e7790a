/* pipeline_tree -- reading a pipeline file into a tree, and taking values out of it. */
#include "loader/pipeline_tree.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct hidden_node {
    const struct tree *node;
    struct hidden_node *next;
};

bool tree_refuse(const struct tree *node, struct error *err, enum condition condition, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    error_set_va(err, condition, format, arguments);
    va_end(arguments);
    if (err && node && node->line > 0) err->line = node->line;
    return false;
}

/* ---- the environment --------------------------------------------------------------------------- */

/* The reference at `p` ("${NAME}" or "${NAME:-default}"): appends what it stands for, *end behind it.
 * *from_environment is set where the value is not the default written in the file. */
static bool substitute_one(struct arena *arena, const struct tree *node, const char *p, const char **end,
                           struct buffer *out, bool *from_environment, struct error *err)
{
    const char *name = p + 2, *close = strchr(name, '}');
    size_t size = 0;
    while (isalnum((unsigned char)name[size]) || name[size] == '_') size++;
    bool has_default = name[size] == ':' && name[size + 1] == '-';
    if (!close || !size || isdigit((unsigned char)*name) || (!has_default && name[size] != '}'))
        return tree_refuse(node, err, COND_INLET_SYNTAX,
                           "a reference to the environment must be ${NAME} or ${NAME:-default}");
    *end = close + 1;
    const char *value = getenv(arena_strndup(arena, name, size));
    if (has_default && (!value || !*value)) { /* As in the shell: unset or empty. */
        buffer_append(out, name + size + 2, (size_t)(close - name) - size - 2);
        return true;
    }
    if (!value) {
        tree_refuse(node, err, COND_INLET_MISSING_ENVIRONMENT, "the environment variable %.*s is not set",
                    (int)size, name);
        return error_hint(err, "Set it, or write ${%.*s:-default}.", (int)size, name);
    }
    buffer_text(out, value);
    *from_environment = true;
    return true;
}

static bool substitute(struct pipeline_tree *tree, struct tree *node, struct error *err)
{
    const char *p = node->text;
    if (!strstr(p, "${")) return true;
    struct buffer out = {0};
    bool from_environment = false, ok = true;
    while (ok && *p) {
        if (p[0] == '$' && p[1] == '{') ok = substitute_one(tree->arena, node, p, &p, &out, &from_environment, err);
        else buffer_byte(&out, (uint8_t)*p++);
    }
    if (ok) {
        node->text = arena_strndup(tree->arena, out.size ? (const char *)out.data : "", out.size);
        node->text_size = out.size;
        node->kind = TREE_TEXT;
    }
    if (ok && from_environment) {
        struct hidden_node *hidden = ARENA_NEW(tree->arena, struct hidden_node);
        *hidden = (struct hidden_node){node, tree->hidden};
        tree->hidden = hidden;
    }
    buffer_free(&out);
    return ok;
}

static bool substitute_all(struct pipeline_tree *tree, struct tree *node, struct error *err)
{
    if (node->kind == TREE_TEXT) {
        if (strlen(node->text) != node->text_size)
            return tree_refuse(node, err, COND_INLET_SYNTAX, "a value holds a NUL character");
        return substitute(tree, node, err);
    }
    for (struct tree *child = node->first; child; child = child->next)
        if (!substitute_all(tree, child, err)) return false;
    return true;
}

bool pipeline_tree_is_hidden(const struct pipeline_tree *tree, const struct tree *node)
{
    for (const struct hidden_node *hidden = tree->hidden; hidden; hidden = hidden->next)
        if (hidden->node == node) return true;
    return false;
}

/* ---- the file ---------------------------------------------------------------------------------- */

static bool ends_with(const char *text, const char *end)
{
    size_t size = strlen(text), end_size = strlen(end);
    return size >= end_size && strcasecmp(text + size - end_size, end) == 0;
}

/* By the extension; else by the first character. */
static bool is_json(const char *file, struct slice text)
{
    if (ends_with(file, ".json")) return true;
    if (ends_with(file, ".yaml") || ends_with(file, ".yml")) return false;
    size_t i = 0;
    while (i < text.size && isspace(text.data[i])) i++;
    return i < text.size && text.data[i] == '{';
}

bool pipeline_tree_parse(struct arena *arena, const char *file, struct slice text, struct pipeline_tree *out,
                         struct error *err)
{
    *out = (struct pipeline_tree){.arena = arena};
    out->root = is_json(file, text) ? tree_parse_json(arena, text, err) : tree_parse_yaml(arena, text, err);
    if (!out->root) return false;
    if (out->root->kind != TREE_MAP)
        return tree_refuse(out->root, err, COND_INLET_SYNTAX,
                           "a pipeline file must be a map of keys, such as readStream and writeStream");
    return substitute_all(out, out->root, err);
}

/* ---- taking values ----------------------------------------------------------------------------- */

/* Names that Spark users know, and where they stand in a pipeline file. */
static const char *place_of(const char *key)
{
    static const struct { const char *key, *place; } places[] = {
        {"queryName", "The query's name is the key name at the top."},
        {"option", "Options stand in the map options."},
        {"checkpointLocation", "It is an option of the writer: writeStream: {options: {checkpointLocation: ...}}."},
        {"path", "The path to read is the key load, the path to write is the key start."},
        {"sql", "SQL stands in the key query at the top."},
    };
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        if (strcasecmp(places[i].key, key) == 0) return places[i].place;
    return NULL;
}

static void hint_key(const struct tree *child, const char *const *keys, struct error *err)
{
    const char *nearest = nearest_name(child->key, keys), *place = place_of(child->key);
    if (place) { /* A name of Spark's is no slip of the pen. */
        error_hint(err, "%s", place);
    } else if (nearest) {
        error_hint(err, "Did you mean '%s'?", nearest);
    } else if (child->kind == TREE_NULL && strchr(child->key, ' ')) { /* {schema: a INT, b STRING} */
        error_hint(err, "Inside {...} a value that holds a comma must be in quotes.");
    } else {
        char list[512];
        size_t used = 0;
        for (const char *const *key = keys; *key && used < sizeof list; key++)
            used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", used ? ", " : "", *key);
        error_hint(err, "The keys are %s.", list);
    }
}

bool tree_check_keys(const struct tree *map, const char *where, const char *const *keys, struct error *err)
{
    if (map->kind != TREE_MAP) return tree_refuse(map, err, COND_INLET_SYNTAX, "%s must be a map of keys", where);
    for (const struct tree *child = map->first; child; child = child->next) {
        const char *const *key = keys;
        while (*key && strcmp(*key, child->key) != 0) key++;
        if (*key) continue;
        tree_refuse(child, err, COND_INLET_UNKNOWN_KEY, "unknown key '%s' in %s", child->key, where);
        hint_key(child, keys, err);
        return false;
    }
    return true;
}

static bool is_scalar(const struct tree *node)
{
    return node->kind != TREE_LIST && node->kind != TREE_MAP;
}

bool tree_take_text(const struct tree *map, const char *key, const char **out, struct error *err)
{
    const struct tree *node = tree_get(map, key);
    if (!node || node->kind == TREE_NULL) return true;
    if (!is_scalar(node)) return tree_refuse(node, err, COND_INLET_SYNTAX, "the value of '%s' must be a text", key);
    *out = node->text;
    return true;
}

bool tree_take_texts(struct arena *arena, const struct tree *map, const char *key, const char *const **out,
                     size_t *count, struct error *err)
{
    const struct tree *node = tree_get(map, key);
    *count = 0;
    *out = ARENA_ARRAY(arena, const char *, 1);
    if (!node || node->kind == TREE_NULL) return true;
    bool is_list = node->kind == TREE_LIST;
    const char **texts = ARENA_ARRAY(arena, const char *, is_list ? node->count + 1 : 2);
    *out = texts;
    for (const struct tree *item = is_list ? node->first : node; item; item = is_list ? item->next : NULL) {
        if (!is_scalar(item) || item->kind == TREE_NULL)
            return tree_refuse(item, err, COND_INLET_SYNTAX, "the value of '%s' must be a text or a list of texts",
                               key);
        texts[(*count)++] = item->text;
    }
    return true;
}

bool tree_take_options(const struct pipeline_tree *tree, const struct tree *map, const char *where,
                       struct option_input **out, size_t *count, struct error *err)
{
    *count = 0;
    *out = ARENA_ARRAY(tree->arena, struct option_input, map ? map->count + 1 : 1);
    if (!map || map->kind == TREE_NULL) return true;
    if (map->kind != TREE_MAP)
        return tree_refuse(map, err, COND_INLET_SYNTAX, "%s must be a map of names and values", where);
    for (const struct tree *child = map->first; child; child = child->next) {
        if (!is_scalar(child))
            return tree_refuse(child, err, COND_INLET_BAD_OPTION_VALUE,
                               "the value of option '%s' must be a single value", child->key);
        const char *text = child->kind == TREE_NULL ? NULL : child->text;
        (*out)[(*count)++] = (struct option_input){.name = child->key, .text = text,
                                                   .line = child->line, .hidden = pipeline_tree_is_hidden(tree, child)};
    }
    return true;
}
