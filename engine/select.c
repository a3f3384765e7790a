/* select -- parsing and resolving the projection; see select.h for what is understood. */
#include "engine/select.h"
#include "engine/sql_lexer.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct item {
    bool star;               /* All columns, or all fields of the struct that the path names. */
    const char **path;
    size_t path_size;
    const char *alias;       /* NULL: none. */
    const char *source;      /* Where it stands in the text. */
};

struct select {
    const char *sql;
    struct item *items;
    size_t count;
    const char *view;        /* Its name in the query: the alias, or `input`. */
};

struct parser {
    struct sql_lexer lexer;
    struct sql_token token; /* The one to look at. */
    struct error *err;
};

/* ---- refusing ---------------------------------------------------------------------------------- */

static void advance(struct parser *parser)
{
    parser->token = sql_next(&parser->lexer);
}

static bool accept_word(struct parser *parser, const char *word)
{
    if (!sql_is_word(&parser->token, word)) return false;
    advance(parser);
    return true;
}

static bool accept_sign(struct parser *parser, char sign)
{
    if (!sql_is_sign(&parser->token, sign)) return false;
    advance(parser);
    return true;
}

static bool refuse_syntax(struct parser *parser)
{
    const struct sql_token *token = &parser->token;
    size_t position = (size_t)(token->start - parser->lexer.source);
    if (token->kind == SQL_END)
        return error_set(parser->err, COND_PARSE_SYNTAX_ERROR,
                         "syntax error at or near end of input (position %zu of the query)", position);
    return error_set(parser->err, COND_PARSE_SYNTAX_ERROR,
                     "syntax error at or near '%.*s' (position %zu of the query)",
                     (int)(token->size > 60 ? 60 : token->size), token->start, position);
}

static bool refuse_later(struct parser *parser, const char *what)
{
    size_t position = (size_t)(parser->token.start - parser->lexer.source);
    error_set(parser->err, COND_INLET_NOT_SUPPORTED_YET, "%s in a query is not supported yet (position %zu)", what,
              position);
    return error_hint(parser->err, "A query may list columns: SELECT a, b.c AS d, `e f`, _metadata.file_name FROM input.");
}

static bool is_any_word(const struct sql_token *token, const char *const *words)
{
    for (; *words; words++)
        if (sql_is_word(token, *words)) return true;
    return false;
}

/* ---- parsing ----------------------------------------------------------------------------------- */

static bool is_name(const struct sql_token *token)
{
    return token->kind == SQL_WORD || token->kind == SQL_QUOTED;
}

/* Words that begin an expression rather than name a column. */
static const char *const expression_words[] = {"CASE", "CAST", "TRY_CAST", "NULL", "TRUE", "FALSE", "NOT", "EXISTS", "INTERVAL", "CURRENT_DATE",
                                               "CURRENT_TIMESTAMP", "CURRENT_TIME", "CURRENT_USER", "EXTRACT", "DATE", "TIMESTAMP", NULL};
/* Words behind an operand that go on with an expression. */
static const char *const operator_words[] = {"AND", "OR", "IS", "IN", "LIKE", "ILIKE", "RLIKE", "REGEXP", "BETWEEN", "NOT", "DIV", "COLLATE", "OVER", NULL};
/* Clauses behind FROM input. */
static const char *const clause_words[] = {"WHERE", "GROUP", "HAVING", "ORDER", "SORT", "CLUSTER", "DISTRIBUTE", "LIMIT", "OFFSET", "UNION", "INTERSECT",
                                           "EXCEPT", "MINUS", "JOIN", "INNER", "LEFT", "RIGHT", "FULL", "CROSS", "SEMI", "ANTI", "NATURAL", "LATERAL",
                                           "WINDOW", "TABLESAMPLE", "PIVOT", "UNPIVOT", "QUALIFY", "WATERMARK", NULL};
/* Statements other than SELECT. */
static const char *const statement_words[] = {"WITH", "FROM", "VALUES", "TABLE", "INSERT", "MERGE", "UPDATE", "DELETE", "CREATE", "DROP", "ALTER", "SHOW",
                                              "DESCRIBE", "DESC", "EXPLAIN", "SET", "USE", "MAP", "REDUCE", "CACHE", "TRUNCATE", NULL};

static bool refuse_literal_or_expression(struct parser *parser)
{
    switch (parser->token.kind) {
    case SQL_NUMBER:
    case SQL_TEXT:
        return refuse_later(parser, "a literal");
    case SQL_SIGN:
        return strchr("(+-~:?", *parser->token.start) ? refuse_later(parser, "an expression") : refuse_syntax(parser);
    case SQL_WORD:
        return refuse_later(parser, arena_printf(parser->lexer.arena, "the expression %s", parser->token.name));
    default:
        return refuse_syntax(parser);
    }
}

/* What stands behind a column where neither ',' nor an alias nor FROM does. */
static bool check_behind_operand(struct parser *parser, const struct item *item)
{
    const struct sql_token *token = &parser->token;
    if (sql_is_sign(token, '('))
        return refuse_later(parser,
                            arena_printf(parser->lexer.arena, "the function %s", item->path[item->path_size - 1]));
    if (token->kind == SQL_SIGN && strchr("+-*/%=<>!|&^[:", *token->start))
        return refuse_later(parser, "an expression");
    if (is_any_word(token, operator_words))
        return refuse_later(parser, arena_printf(parser->lexer.arena, "the operator %s", token->name));
    return true;
}

static bool parse_path(struct parser *parser, struct item *item)
{
    struct buffer names = {0};
    bool ok = true;
    for (;;) {
        if (sql_is_sign(&parser->token, '*')) {
            item->star = true;
            advance(parser);
            break;
        }
        if (!is_name(&parser->token)) {
            ok = refuse_syntax(parser);
            break;
        }
        buffer_append(&names, &parser->token.name, sizeof parser->token.name);
        advance(parser);
        if (!accept_sign(parser, '.')) break;
    }
    item->path_size = names.size / sizeof(char *);
    item->path = ARENA_ARRAY(parser->lexer.arena, const char *, item->path_size);
    if (names.size) memcpy(item->path, names.data, names.size);
    buffer_free(&names);
    return ok;
}

static bool parse_alias(struct parser *parser, struct item *item)
{
    bool has_as = accept_word(parser, "AS");
    if (has_as && sql_is_sign(&parser->token, '(')) return refuse_later(parser, "an alias of several columns");
    if (!is_name(&parser->token)) return !has_as || refuse_syntax(parser);
    if (!has_as && sql_is_word(&parser->token, "FROM")) return true;
    item->alias = parser->token.name;
    advance(parser);
    return true;
}

static bool parse_item(struct parser *parser, struct item *item)
{
    *item = (struct item){.source = parser->token.start};
    if (!is_name(&parser->token) && !sql_is_sign(&parser->token, '*')) return refuse_literal_or_expression(parser);
    if (sql_is_word(&parser->token, "FROM")) return refuse_syntax(parser);
    struct parser ahead = *parser;
    advance(&ahead);
    if (is_any_word(&parser->token, expression_words) && !sql_is_sign(&ahead.token, ',') &&
        !sql_is_sign(&ahead.token, '.') &&
        !sql_is_word(&ahead.token, "AS") && !sql_is_word(&ahead.token, "FROM"))
        return refuse_literal_or_expression(parser);
    if (sql_is_word(&parser->token, "NULL") || sql_is_word(&parser->token, "TRUE") ||
        sql_is_word(&parser->token, "FALSE"))
        return refuse_later(parser, "a literal");
    if (!parse_path(parser, item)) return false;
    if (item->star) {
        if (sql_is_word(&parser->token, "EXCEPT") || sql_is_word(&parser->token, "REPLACE"))
            return refuse_later(parser, "* EXCEPT");
        return true;
    }
    return check_behind_operand(parser, item) && parse_alias(parser, item) && check_behind_operand(parser, item);
}

static bool parse_items(struct parser *parser, struct select *select)
{
    static const char *const quantifiers[] = {"DISTINCT", "TRANSFORM", NULL};
    struct parser ahead = *parser;
    advance(&ahead);
    if (is_any_word(&parser->token, quantifiers) &&
        (is_name(&ahead.token) || sql_is_sign(&ahead.token, '*') || sql_is_sign(&ahead.token, '(')) &&
            !sql_is_word(&ahead.token, "FROM"))
        return refuse_later(parser, arena_printf(parser->lexer.arena, "SELECT %s", parser->token.name));
    if (sql_is_word(&parser->token, "ALL") && is_name(&ahead.token) && !sql_is_word(&ahead.token, "FROM"))
        advance(parser);
    struct buffer items = {0};
    bool ok;
    do {
        struct item item;
        ok = parse_item(parser, &item);
        buffer_append(&items, &item, sizeof item);
    } while (ok && accept_sign(parser, ','));
    select->count = items.size / sizeof(struct item);
    select->items = ARENA_ARRAY(parser->lexer.arena, struct item, select->count);
    memcpy(select->items, items.data, items.size);
    buffer_free(&items);
    return ok;
}

static bool refuse_relation(struct parser *parser)
{
    if (sql_is_sign(&parser->token, '(')) return refuse_later(parser, "a subquery");
    if (sql_is_word(&parser->token, "VALUES") || sql_is_word(&parser->token, "LATERAL"))
        return refuse_later(parser, parser->token.name);
    return refuse_syntax(parser);
}

/* FROM [STREAM] input [[AS] alias] [;] */
static bool parse_from(struct parser *parser, struct select *select)
{
    if (!accept_word(parser, "FROM")) {
        if (parser->token.kind == SQL_END || sql_is_sign(&parser->token, ';'))
            return refuse_later(parser, "SELECT without FROM input");
        return refuse_syntax(parser);
    }
    if (!is_name(&parser->token) || sql_is_word(&parser->token, "VALUES") || sql_is_word(&parser->token, "LATERAL"))
        return refuse_relation(parser);
    struct sql_token view = parser->token;
    advance(parser);
    if (sql_is_word(&view, "STREAM") && (is_name(&parser->token) || sql_is_sign(&parser->token, '('))) {
        parser->token = view;
        return refuse_later(parser, "FROM STREAM");
    }
    if (sql_is_sign(&parser->token, '(')) return refuse_later(parser, "a table function");
    if (strcasecmp(view.name, "input") != 0 || sql_is_sign(&parser->token, '.')) {
        error_set(parser->err, COND_TABLE_NOT_FOUND, "the table or view `%s` cannot be found", view.name);
        return error_hint(parser->err, "The stream is the view input.");
    }
    select->view = "input";
    if (is_any_word(&parser->token, clause_words)) return refuse_later(parser, parser->token.name);
    bool has_as = accept_word(parser, "AS");
    if (has_as && !is_name(&parser->token)) return refuse_syntax(parser);
    if (!is_name(&parser->token)) return true;
    select->view = parser->token.name;
    advance(parser);
    return true;
}

static bool parse_end(struct parser *parser)
{
    if (is_any_word(&parser->token, clause_words)) return refuse_later(parser, parser->token.name);
    if (sql_is_sign(&parser->token, ',')) return refuse_later(parser, "a join");
    while (accept_sign(parser, ';')) {}
    return parser->token.kind == SQL_END || refuse_syntax(parser);
}

static bool parse_statement(struct parser *parser, struct select *select)
{
    if (parser->token.kind == SQL_END || sql_is_sign(&parser->token, ';'))
        return error_set(parser->err, COND_PARSE_EMPTY_STATEMENT, "syntax error, unexpected empty statement");
    if (is_any_word(&parser->token, statement_words) || sql_is_sign(&parser->token, '('))
        return refuse_later(parser, parser->token.kind != SQL_WORD
                                        ? "a statement in parentheses"
                                        : arena_printf(parser->lexer.arena, "the statement %s", parser->token.name));
    if (!accept_word(parser, "SELECT")) return refuse_syntax(parser);
    return parse_items(parser, select) && parse_from(parser, select) && parse_end(parser);
}

struct select *select_parse(struct arena *arena, const char *sql, struct error *err)
{
    if (!sql) sql = "SELECT * FROM input";
    struct select *select = ARENA_NEW(arena, struct select);
    struct parser parser = {.lexer = {arena, sql, sql}, .err = err};
    select->sql = arena_strdup(arena, sql);
    advance(&parser);
    return parse_statement(&parser, select) ? select : NULL;
}

/* ---- resolving --------------------------------------------------------------------------------- */

static const struct type string_type = {.kind = TYPE_STRING}, bigint_type = {.kind = TYPE_BIGINT}, timestamp_type = {.kind = TYPE_TIMESTAMP};

static const struct field metadata_fields[METADATA_FIELD_COUNT] = {
    [METADATA_FILE_PATH] = {.name = "file_path", .name_size = 9, .type = &string_type},
    [METADATA_FILE_NAME] = {.name = "file_name", .name_size = 9, .type = &string_type},
    [METADATA_FILE_SIZE] = {.name = "file_size", .name_size = 9, .type = &bigint_type},
    [METADATA_FILE_BLOCK_START] = {.name = "file_block_start", .name_size = 16, .type = &bigint_type},
    [METADATA_FILE_BLOCK_LENGTH] = {.name = "file_block_length", .name_size = 17, .type = &bigint_type},
    [METADATA_FILE_MODIFICATION_TIME] = {.name = "file_modification_time", .name_size = 22, .type = &timestamp_type},
};

const struct type *select_metadata_type(void)
{
    /* Types hold their fields by a pointer that is not const; nobody writes through it. */
    static const struct type type = {.kind = TYPE_STRUCT, .fields = (struct field *)(uintptr_t)metadata_fields, .field_count = METADATA_FIELD_COUNT};
    return &type;
}

struct resolver {
    const struct select *select;
    const struct type *input;
    size_t visible_count;
    bool case_sensitive;
    struct arena *arena;
    struct buffer columns; /* struct projected_column */
    struct error *err;
};

static const char *path_shown(struct resolver *resolver, const struct item *item, size_t size)
{
    struct buffer out = {0};
    for (size_t i = 0; i < size; i++) {
        if (i) buffer_byte(&out, '.');
        buffer_printf(&out, "`%s`", item->path[i]);
    }
    const char *text = arena_strndup(resolver->arena, size ? (const char *)out.data : "", out.size);
    buffer_free(&out);
    return text;
}

static int find_column(const struct resolver *resolver, const char *name)
{
    return schema_find(resolver->input, name, strlen(name), resolver->case_sensitive);
}

/* `input.a`: the view's name is passed over where a column of that name follows. */
static size_t skip_qualifier(const struct resolver *resolver, const struct item *item)
{
    if (item->path_size == 0) return 0;
    const char *name = item->path[0], *view = resolver->select->view;
    bool is_view = (resolver->case_sensitive ? strcmp(name, view) : strcasecmp(name, view)) == 0;
    if (!is_view) return 0;
    if (item->path_size == 1) return item->star; /* The view's columns before a struct of its name. */
    return find_column(resolver, item->path[1]) != -1;
}

struct candidate {
    const char *name;
    size_t distance;
};

static int compare_candidates(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;
    if (x->distance != y->distance) return x->distance < y->distance ? -1 : 1;
    return strcmp(x->name, y->name);
}

/* Up to five visible columns, the nearest first, as Spark lists them. */
static bool refuse_unresolved(struct resolver *resolver, const struct item *item)
{
    const char *name = item->path[skip_qualifier(resolver, item)];
    struct candidate *candidates = ARENA_ARRAY(resolver->arena, struct candidate, resolver->visible_count + 1);
    for (size_t i = 0; i < resolver->visible_count; i++) {
        const char *column = resolver->input->fields[i].name;
        candidates[i] = (struct candidate){column, name_distance(name, column)};
    }
    qsort(candidates, resolver->visible_count, sizeof *candidates, compare_candidates);
    struct buffer list = {0};
    for (size_t i = 0; i < resolver->visible_count && i < 5; i++)
        buffer_printf(&list, "%s`%s`", i ? ", " : "", candidates[i].name);
    error_set(resolver->err, COND_UNRESOLVED_COLUMN,
              "a column with name %s cannot be resolved. Did you mean one of the following? [%s]",
              path_shown(resolver, item, item->path_size), buffer_string(&list));
    buffer_free(&list);
    return false;
}

static bool refuse_ambiguous(struct resolver *resolver, const struct item *item, size_t size)
{
    return error_set(resolver->err, COND_AMBIGUOUS_REFERENCE, "reference %s is ambiguous: several names match it",
                     path_shown(resolver, item, size));
}

static bool refuse_field(struct resolver *resolver, const struct item *item, const struct type *type, size_t depth)
{
    struct buffer list = {0};
    if (type->kind != TYPE_STRUCT) {
        type_print_ddl(type, &list);
        bool complex = type->kind == TYPE_MAP;
        if (type->kind == TYPE_ARRAY)
            error_set(resolver->err, COND_UNEXPECTED_INPUT_TYPE, "cannot take %s out of %s, an \"%s\": the index of an array is a number, and its elements are no structs",
                      item->path[depth], path_shown(resolver, item, depth), buffer_string(&list));
        else error_set(resolver->err, complex ? COND_INLET_NOT_SUPPORTED_YET : COND_INVALID_EXTRACT_BASE,
                  complex ? "taking %s out of %s, an %s, is not supported yet" : "cannot extract the value %s from %s: need a complex type but got \"%s\"",
                  item->path[depth], path_shown(resolver, item, depth), buffer_string(&list));
    } else {
        for (size_t i = 0; i < type->field_count; i++)
            buffer_printf(&list, "%s`%s`", i ? ", " : "", type->fields[i].name);
        error_set(resolver->err, COND_UNRESOLVED_FIELD, "no such struct field `%s` in %s", item->path[depth],
                  buffer_string(&list));
    }
    buffer_free(&list);
    return false;
}

/* The struct that a name steps into: the type itself, or the elements of an array (`l.x` gathers x of each). NULL: there is none. */
static const struct type *steps_into(const struct type *type)
{
    if (type->kind == TYPE_ARRAY) type = type->fields[0].type;
    return type->kind == TYPE_STRUCT ? type : NULL;
}

static const struct type *step(struct resolver *resolver, const struct type *type, const struct field *field)
{
    if (type->kind != TYPE_ARRAY) return field->type;
    return type_array(resolver->arena, field->type, type->fields[0].nullable || field->nullable);
}

/* Walks the item's path down the input; fills path, type and nullable of *out. */
static bool resolve_path(struct resolver *resolver, const struct item *item, struct projected_column *out)
{
    size_t start = skip_qualifier(resolver, item);
    int *path = ARENA_ARRAY(resolver->arena, int, item->path_size);
    const struct type *type = resolver->input;
    *out = (struct projected_column){.path = path};
    for (size_t i = start; i < item->path_size; i++) {
        const char *name = item->path[i];
        const struct type *in = steps_into(type);
        if (!in) return refuse_field(resolver, item, type, i);
        int index = schema_find(in, name, strlen(name), resolver->case_sensitive);
        if (index == -2) return refuse_ambiguous(resolver, item, i + 1);
        if (index < 0) return i == start ? refuse_unresolved(resolver, item) : refuse_field(resolver, item, in, i);
        path[out->path_size++] = index;
        if (type->kind == TYPE_STRUCT) out->nullable = out->nullable || in->fields[index].nullable;
        type = step(resolver, type, &in->fields[index]);
        out->name = name;
    }
    out->type = type;
    return true;
}

static void add_column(struct resolver *resolver, const struct projected_column *column)
{
    buffer_append(&resolver->columns, column, sizeof *column);
}

/* The fields of the struct at `prefix`, or the visible columns where it is empty. */
static void expand(struct resolver *resolver, const struct projected_column *prefix, const struct type *type,
                   size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int *path = ARENA_ARRAY(resolver->arena, int, prefix->path_size + 1);
        if (prefix->path_size) memcpy(path, prefix->path, prefix->path_size * sizeof *path);
        path[prefix->path_size] = (int)i;
        add_column(resolver, &(struct projected_column){.name = type->fields[i].name, .type = type->fields[i].type,
                                                        .nullable = prefix->nullable || type->fields[i].nullable,
                                                        .path = path, .path_size = prefix->path_size + 1});
    }
}

static bool resolve_star(struct resolver *resolver, const struct item *item)
{
    struct projected_column prefix = {0};
    if (item->path_size > skip_qualifier(resolver, item)) {
        if (!resolve_path(resolver, item, &prefix)) return false;
        if (prefix.type->kind != TYPE_STRUCT)
            return error_set(resolver->err, COND_INVALID_EXTRACT_BASE, "cannot expand %s.*: it is not a struct",
                             path_shown(resolver, item, item->path_size));
    }
    if (prefix.path_size) expand(resolver, &prefix, prefix.type, prefix.type->field_count);
    else expand(resolver, &prefix, resolver->input, resolver->visible_count);
    return true;
}

static bool resolve_item(struct resolver *resolver, const struct item *item)
{
    if (item->star) return resolve_star(resolver, item);
    struct projected_column column;
    if (!resolve_path(resolver, item, &column)) return false;
    if (item->alias) column.name = item->alias;
    add_column(resolver, &column);
    return true;
}

static bool is_identity(const struct resolver *resolver, const struct projection *projection)
{
    if (projection->count != resolver->visible_count) return false;
    for (size_t i = 0; i < projection->count; i++) {
        const struct projected_column *column = &projection->columns[i];
        if (column->path_size != 1 || column->path[0] != (int)i ||
            strcmp(column->name, resolver->input->fields[i].name) != 0)
            return false;
    }
    return true;
}

/* Of the field that the path names; what was gathered from an array has none. */
static const char *metadata_of(const struct type *type, const struct projected_column *column)
{
    const struct field *from = NULL;
    for (size_t i = 0; i < column->path_size; i++, type = from->type) {
        if (type->kind != TYPE_STRUCT) return NULL;
        from = &type->fields[column->path[i]];
    }
    return from->metadata_json;
}

static void fill_projection(struct resolver *resolver, struct projection *out)
{
    struct arena *arena = resolver->arena;
    out->count = resolver->columns.size / sizeof(struct projected_column);
    out->columns = ARENA_ARRAY(arena, struct projected_column, out->count);
    if (out->count) memcpy(out->columns, resolver->columns.data, resolver->columns.size);
    out->uses = ARENA_ARRAY(arena, bool, resolver->input->field_count + 1);
    struct field *fields = ARENA_ARRAY(arena, struct field, out->count);
    for (size_t i = 0; i < out->count; i++) {
        const struct projected_column *column = &out->columns[i];
        out->uses[column->path[0]] = true;
        fields[i] = (struct field){.name = column->name, .name_size = strlen(column->name), .type = column->type,
            .nullable = column->nullable};
        fields[i].metadata_json = metadata_of(resolver->input, column);
    }
    out->schema = type_struct(arena, fields, out->count);
    out->is_identity = is_identity(resolver, out);
}

bool select_resolve(const struct select *select, const struct type *input, size_t visible_count,
                    const struct session *session, struct arena *arena, struct projection *out, struct error *err)
{
    struct resolver resolver = {.select = select, .input = input, .visible_count = visible_count,
                                .case_sensitive = session->case_sensitive, .arena = arena, .err = err};
    bool ok = true;
    for (size_t i = 0; ok && i < select->count; i++) ok = resolve_item(&resolver, &select->items[i]);
    if (ok) fill_projection(&resolver, out);
    buffer_free(&resolver.columns);
    return ok || error_context(err, "resolving the query %.300s", select->sql);
}
