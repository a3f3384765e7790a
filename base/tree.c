/* tree -- look-ups and printing; the parsers are in yaml.c and json.c. */
#include "base/tree.h"
#include "base/number.h"

#include <math.h>
#include <string.h>

struct tree *tree_get(const struct tree *map, const char *key)
{
    if (!map || map->kind != TREE_MAP) return NULL;
    for (struct tree *child = map->first; child; child = child->next)
        if (strcmp(child->key, key) == 0) return child;
    return NULL;
}

const char *tree_get_text(const struct tree *map, const char *key, const char *otherwise)
{
    const struct tree *node = tree_get(map, key);
    bool is_scalar = node && node->kind != TREE_NULL && node->kind != TREE_LIST && node->kind != TREE_MAP;
    return is_scalar ? node->text : otherwise;
}

int64_t tree_get_int(const struct tree *map, const char *key, int64_t otherwise)
{
    const struct tree *node = tree_get(map, key);
    return node && node->kind == TREE_INT ? node->integer : otherwise;
}

bool tree_get_bool(const struct tree *map, const char *key, bool otherwise)
{
    const struct tree *node = tree_get(map, key);
    return node && node->kind == TREE_BOOL ? node->integer != 0 : otherwise;
}

/* -?digits[.digits][e[+-]digits], no zero in front: YAML takes more ("15.", ".5", "+1.0", "007.5"). */
static bool is_json_number(const char *text)
{
    if (*text == '-') text++;
    size_t digits = strspn(text, "0123456789");
    if (!digits || (digits > 1 && *text == '0')) return false;
    text += digits;
    if (*text == '.') {
        if (!(digits = strspn(text + 1, "0123456789"))) return false;
        text += digits + 1;
    }
    if (*text == 'e' || *text == 'E') {
        text += text[1] == '+' || text[1] == '-' ? 2 : 1;
        if (!(digits = strspn(text, "0123456789"))) return false;
        text += digits;
    }
    return !*text;
}

static void print_real(const struct tree *tree, struct buffer *out)
{
    char number[DOUBLE_TEXT_MAX];
    if (isfinite(tree->real) && is_json_number(tree->text)) buffer_text(out, tree->text);
    else if (isfinite(tree->real)) buffer_append(out, number, print_double_json(tree->real, number));
    else buffer_json_string(out, tree->text, tree->text_size); /* .inf, .nan: JSON has no numbers for them. */
}

/* Depth is bounded by the parsers (1,000). */
void tree_print_json(const struct tree *tree, struct buffer *out)
{
    switch (tree->kind) {
    case TREE_NULL:
        buffer_text(out, "null");
        return;
    case TREE_BOOL:
        buffer_text(out, tree->integer ? "true" : "false");
        return;
    case TREE_INT:
        buffer_printf(out, "%lld", (long long)tree->integer);
        return;
    case TREE_REAL:
        print_real(tree, out);
        return;
    case TREE_TEXT:
        buffer_json_string(out, tree->text, tree->text_size);
        return;
    case TREE_LIST:
    case TREE_MAP:
        break;
    }
    bool is_map = tree->kind == TREE_MAP;
    buffer_byte(out, is_map ? '{' : '[');
    for (const struct tree *child = tree->first; child; child = child->next) {
        if (child != tree->first) buffer_byte(out, ',');
        if (is_map) {
            buffer_json_string(out, child->key, strlen(child->key));
            buffer_byte(out, ':');
        }
        tree_print_json(child, out);
    }
    buffer_byte(out, is_map ? '}' : ']');
}
