/* yaml -- YAML text to a tree, by libyaml: the only file that includes it.
 *
 * One document. Plain scalars are typed by YAML 1.2's core rules (`yes` and `on` are text); aliases are
 * expanded, within a bound on all nodes, so that a small file cannot become a huge tree. */
#include "base/panic.h"
#include "base/tree.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

enum { TREE_DEPTH_MAX = 1000, TREE_NODES_MAX = 1000000 };

struct conversion {
    struct arena *arena;
    yaml_document_t document;
    size_t nodes;
    struct error *err;
};

static bool refuse(struct conversion *conversion, const yaml_node_t *node, const char *what, const char *name)
{
    int line = (int)node->start_mark.line + 1;
    error_set(conversion->err, COND_INLET_SYNTAX, "cannot read YAML at line %d, column %d: %s%s%s%s", line,
              (int)node->start_mark.column + 1, what, name ? " '" : "", name ? name : "", name ? "'" : "");
    if (conversion->err) conversion->err->line = line;
    return false;
}

static bool is_one_of(const char *text, const char *const *words)
{
    for (; *words; words++)
        if (strcmp(text, *words) == 0) return true;
    return false;
}

/* Core schema: [-+]?[0-9]+ */
static bool set_integer(struct tree *tree)
{
    const char *digits = tree->text + (*tree->text == '-' || *tree->text == '+');
    if (!*digits || strspn(digits, "0123456789") != strlen(digits)) return false;
    errno = 0;
    tree->integer = strtoll(tree->text, NULL, 10);
    if (errno) return false;
    tree->kind = TREE_INT;
    tree->real = (double)tree->integer;
    return true;
}

static bool set_real(struct tree *tree)
{
    if (strspn(tree->text, "+-0123456789.eE") != tree->text_size || !strpbrk(tree->text, "0123456789")) return false;
    char *end;
    tree->real = strtod(tree->text, &end);
    if (*end) return false;
    tree->kind = TREE_REAL;
    return true;
}

static void set_plain(struct tree *tree)
{
    static const char *const nulls[] = {"", "~", "null", "Null", "NULL", NULL};
    static const char *const trues[] = {"true", "True", "TRUE", NULL}, *const falses[] = {"false", "False", "FALSE", NULL};
    if (strlen(tree->text) != tree->text_size) return;
    if (is_one_of(tree->text, nulls)) tree->kind = TREE_NULL;
    else if (is_one_of(tree->text, trues) || is_one_of(tree->text, falses)) {
        tree->kind = TREE_BOOL;
        tree->integer = tree->text[0] == 't' || tree->text[0] == 'T';
    } else if (!set_integer(tree)) {
        (void)set_real(tree);
    }
}

static void set_scalar(struct conversion *conversion, struct tree *tree, const yaml_node_t *node)
{
    tree->kind = TREE_TEXT;
    tree->text_size = node->data.scalar.length;
    char *text = arena_alloc(conversion->arena, tree->text_size + 1);
    if (tree->text_size) memcpy(text, node->data.scalar.value, tree->text_size);
    tree->text = text;
    if (node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE)
        set_plain(tree); /* libyaml's loader does not tell tags apart. */
}

static struct tree *convert(struct conversion *conversion, int index, int depth);

static bool convert_list(struct conversion *conversion, struct tree *tree, const yaml_node_t *node, int depth)
{
    struct tree **tail = &tree->first;
    tree->kind = TREE_LIST;
    for (yaml_node_item_t *item = node->data.sequence.items.start; item < node->data.sequence.items.top; item++) {
        struct tree *child = convert(conversion, *item, depth + 1);
        if (!child) return false;
        *tail = child;
        tail = &child->next;
        tree->count++;
    }
    return true;
}

static const char *convert_key(struct conversion *conversion, const struct tree *map, int index)
{
    const yaml_node_t *node = yaml_document_get_node(&conversion->document, index);
    if (node->type != YAML_SCALAR_NODE || strlen((const char *)node->data.scalar.value) != node->data.scalar.length) {
        refuse(conversion, node, "a key must be a plain text", NULL);
        return NULL;
    }
    const char *key = arena_strdup(conversion->arena, (const char *)node->data.scalar.value);
    if (tree_get(map, key)) {
        refuse(conversion, node, "duplicate key", key);
        return NULL;
    }
    return key;
}

static bool convert_map(struct conversion *conversion, struct tree *tree, const yaml_node_t *node, int depth)
{
    struct tree **tail = &tree->first;
    tree->kind = TREE_MAP;
    for (yaml_node_pair_t *pair = node->data.mapping.pairs.start; pair < node->data.mapping.pairs.top; pair++) {
        const char *key = convert_key(conversion, tree, pair->key);
        if (!key) return false;
        struct tree *child = convert(conversion, pair->value, depth + 1);
        if (!child) return false;
        child->key = key;
        child->line = (int)yaml_document_get_node(&conversion->document, pair->key)->start_mark.line + 1;
        *tail = child;
        tail = &child->next;
        tree->count++;
    }
    return true;
}

static struct tree *convert(struct conversion *conversion, int index, int depth)
{
    const yaml_node_t *node = yaml_document_get_node(&conversion->document, index);
    struct tree *tree = ARENA_NEW(conversion->arena, struct tree);
    tree->line = (int)node->start_mark.line + 1;
    if (depth > TREE_DEPTH_MAX) return refuse(conversion, node, "it is nested more than 1,000 levels deep", NULL), NULL;
    if (++conversion->nodes > TREE_NODES_MAX)
        return refuse(conversion, node, "it has more than 1,000,000 nodes", NULL), NULL;
    switch (node->type) {
    case YAML_SEQUENCE_NODE:
        return convert_list(conversion, tree, node, depth) ? tree : NULL;
    case YAML_MAPPING_NODE:
        return convert_map(conversion, tree, node, depth) ? tree : NULL;
    default:
        set_scalar(conversion, tree, node);
        return tree;
    }
}

/* What libyaml says, and what its user has most likely done. The first row that fits counts. */
static const struct {
    const char *problem, *context; /* Parts of libyaml's texts; NULL: any. */
    bool tab;                      /* The line is indented by a tab. */
    const char *hint;
} mistakes[] = {
    {"mapping values are not allowed", NULL, false, "A value that holds ': ' must be in quotes, such as schema: \"a STRUCT<b: STRING>\"."},
    {"cannot start any token", NULL, true, "Indent by spaces, not by tabs."},
    {"cannot start any token", NULL, false, "A value that begins with a character such as ` @ % or | must be in quotes."},
    {NULL, "alias", false, "A value that begins with * must be in quotes, such as load: \"*.json\"."},
    {NULL, "anchor", false, "A value that begins with & must be in quotes."},
    {NULL, "flow mapping", false, "Inside {...} a value that holds a comma, a bracket or ${...} must be in quotes; or the closing } is missing."},
    {NULL, "flow sequence", false, "Inside [...] a value that holds a comma, a bracket or ${...} must be in quotes; or the closing ] is missing."},
    {"unexpected end of stream", "quoted scalar", false, "The closing quote is missing."},
    {"unknown escape character", NULL, false, "In double quotes a backslash begins an escape: write \\\\, or use single quotes."},
    {"did not find expected key", NULL, false, "The keys of one map must begin in the same column; a value that begins with { or [ and goes on behind the bracket must be in quotes."},
    {"did not find expected node content", NULL, false, "A value that begins with a comma or a bracket must be in quotes."},
};

/* Lines count from 0. */
static bool is_indented_by_tab(struct slice text, size_t line)
{
    size_t at = 0;
    for (; line && at < text.size; at++) line -= text.data[at] == '\n';
    while (at < text.size && text.data[at] == ' ') at++;
    return at < text.size && text.data[at] == '\t';
}

static void hint_at_mistake(const yaml_parser_t *parser, struct slice text, struct error *err)
{
    const char *context = parser->context ? parser->context : "";
    bool tab = is_indented_by_tab(text, parser->problem_mark.line);
    for (size_t i = 0; parser->problem && i < COUNTOF(mistakes); i++) {
        if (mistakes[i].problem && !strstr(parser->problem, mistakes[i].problem)) continue;
        if (mistakes[i].context && !strstr(context, mistakes[i].context)) continue;
        if (mistakes[i].tab && !tab) continue;
        error_hint(err, "%s", mistakes[i].hint);
        return;
    }
}

static bool refuse_text(const yaml_parser_t *parser, struct slice text, struct error *err)
{
    if (!parser->problem) panic_out_of_memory(text.size); /* For want of memory it fails without a word. */
    int line = (int)parser->problem_mark.line + 1;
    const char *problem = parser->problem;
    const char *context = parser->context ? parser->context : "";
    if (parser->error == YAML_READER_ERROR) /* No mark: bytes that are not Unicode. */
        return error_set(err, COND_INLET_SYNTAX, "cannot read YAML: %s at byte %zu", problem, parser->problem_offset);
    error_set(err, COND_INLET_SYNTAX, "cannot read YAML at line %d, column %d: %s%s%s", line,
              (int)parser->problem_mark.column + 1, problem, parser->context ? " " : "", context);
    if (err) err->line = line;
    hint_at_mistake(parser, text, err);
    return false;
}

/* After the first document there must be nothing else. */
static bool check_end(yaml_parser_t *parser, struct slice text, struct error *err)
{
    yaml_document_t second;
    if (!yaml_parser_load(parser, &second)) return refuse_text(parser, text, err);
    const yaml_node_t *root = yaml_document_get_root_node(&second);
    int line = root ? (int)root->start_mark.line + 1 : 0;
    yaml_document_delete(&second);
    if (!root) return true;
    error_set(err, COND_INLET_SYNTAX, "cannot read YAML at line %d: a second document", line);
    if (err) err->line = line;
    return false;
}

struct tree *tree_parse_yaml(struct arena *arena, struct slice text, struct error *err)
{
    yaml_parser_t parser;
    struct conversion conversion = {.arena = arena, .err = err};
    struct tree *tree = NULL;
    if (!yaml_parser_initialize(&parser))
        return error_set(err, COND_INLET_NO_MEMORY, "could not start the YAML parser"), NULL;
    yaml_parser_set_input_string(&parser, text.size ? text.data : (const unsigned char *)"", text.size);
    if (!yaml_parser_load(&parser, &conversion.document)) {
        refuse_text(&parser, text, err);
    } else {
        if (yaml_document_get_root_node(&conversion.document)) tree = convert(&conversion, 1, 0);
        else tree = ARENA_NEW(arena, struct tree), tree->text = "", tree->line = 1; /* An empty file: null. */
        yaml_document_delete(&conversion.document);
        if (tree && !check_end(&parser, text, err)) tree = NULL;
    }
    yaml_parser_delete(&parser);
    return tree;
}
