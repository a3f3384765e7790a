/* pipeline_tree -- the pipeline file as a tree: read, with the environment's values put in, keys checked.
 *
 * Knows YAML and JSON, `${NAME}`, known keys and scalars; what the keys mean is pipeline.c's business. */
#pragma once
#include "base/options.h"
#include "base/tree.h"

struct hidden_node;

struct pipeline_tree {
    struct arena *arena;
    struct tree *root;
    struct hidden_node *hidden; /* Scalars with a value from the environment: never printed. */
};

bool pipeline_tree_parse(struct arena *arena, const char *file, struct slice text, struct pipeline_tree *out, struct error *err) MUST_CHECK;
bool pipeline_tree_is_hidden(const struct pipeline_tree *tree, const struct tree *node);

/* Fills *err, with the node's line; returns false. */
bool tree_refuse(const struct tree *node, struct error *err, enum condition condition, const char *format, ...) PRINTF_LIKE(4, 5);
/* A map with no keys but `keys` (NULL-terminated); `where` names it in messages. */
bool tree_check_keys(const struct tree *map, const char *where, const char *const *keys, struct error *err) MUST_CHECK;
/* The text of map[key]; *out stays as it is where the key is absent or null. Lists and maps are refused. */
bool tree_take_text(const struct tree *map, const char *key, const char **out, struct error *err) MUST_CHECK;
/* One text or a list of them; NULL-terminated. *count 0 where the key is absent. */
bool tree_take_texts(struct arena *arena, const struct tree *map, const char *key, const char *const **out, size_t *count, struct error *err) MUST_CHECK;
/* A map of scalars as option inputs. */
bool tree_take_options(const struct pipeline_tree *tree, const struct tree *map, const char *where,
                       struct option_input **out, size_t *count, struct error *err) MUST_CHECK;
