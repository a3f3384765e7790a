/* tree -- configuration and metadata as a tree of named nodes, from YAML or JSON.
 *
 * The pipeline file, Spark's logs and Delta's actions are read into this. Not for rows: rows are
 * columns. base/yaml.c is the only file that includes libyaml, base/json.c the only one with jansson.
 * All nodes live in the arena given to the parser. */
#pragma once
#include "base/arena.h"
#include "base/bytes.h"
#include "base/error.h"

enum tree_kind { TREE_NULL, TREE_BOOL, TREE_INT, TREE_REAL, TREE_TEXT, TREE_LIST, TREE_MAP };

struct tree {
    enum tree_kind kind;
    const char *text;      /* Scalars: their text as written (strings decoded); never NULL for a scalar. */
    size_t text_size;
    int64_t integer;       /* TREE_INT; TREE_BOOL: 0 or 1. */
    double real;           /* TREE_REAL, and TREE_INT converted. */
    const char *key;       /* In a map: this node's key. */
    int line;              /* Line of the source from 1; 0 where unknown. */
    struct tree *first, *next; /* Children in order; next sibling. */
    size_t count;          /* Children. */
};

/* NULL: *err says where (line, column). A duplicate key is an error. Nesting over 1,000 is an error. */
struct tree *tree_parse_yaml(struct arena *arena, struct slice text, struct error *err) MUST_CHECK;
struct tree *tree_parse_json(struct arena *arena, struct slice text, struct error *err) MUST_CHECK;

struct tree *tree_get(const struct tree *map, const char *key); /* NULL where absent or not a map. */
const char *tree_get_text(const struct tree *map, const char *key, const char *otherwise);
int64_t tree_get_int(const struct tree *map, const char *key, int64_t otherwise);
bool tree_get_bool(const struct tree *map, const char *key, bool otherwise);
/* Compact JSON of the tree, keys in order. */
void tree_print_json(const struct tree *tree, struct buffer *out);
