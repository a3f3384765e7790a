/* partitions -- key=value folders, one path a line: names, types, values; escaping there and back; file URIs. The first byte
 * chooses the rules. */
#include "base/uri.h"
#include "columns/column.h"
#include "listing/partitions.h"
#include "tests/fuzz/fuzz.h"

enum { FOLDERS_MAX = 16 };

static void check_escaping(struct arena *arena, const char *text)
{
    struct buffer escaped = {0}, plain = {0}, uri = {0};
    if (*text) {
        partition_escape(&escaped, text, strlen(text));
        partition_unescape(&plain, (const char *)escaped.data, escaped.size);
        fuzz_check(plain.size == strlen(text) && memcmp(plain.data, text, plain.size) == 0, "\"%s\" comes back as \"%s\"", text, buffer_string(&plain));
    }
    uri_from_path(&uri, text, "file://");
    fuzz_check(strcmp(path_from_uri(arena, buffer_string(&uri)), text) == 0, "\"%s\" is %s", text, buffer_string(&uri));
    (void)path_from_uri(arena, text);
    buffer_free(&escaped);
    buffer_free(&plain);
    buffer_free(&uri);
}

static void append_values(const struct partition_rules *rules, const struct type *schema, const char *const *folders, size_t count)
{
    struct error err = {0};
    struct column *columns = calloc(schema->field_count + 1, sizeof *columns);
    for (size_t i = 0; i < schema->field_count; i++) column_init(&columns[i], schema->fields[i].type);
    for (size_t i = 0; i < count; i++)
        if (!partitions_append(rules, schema, folders[i], columns, NULL, &err)) {
            fuzz_check_error(&err);
            break;
        }
    for (size_t i = 0; i < schema->field_count; i++) column_fini(&columns[i]);
    free(columns);
}

static void fuzz_one(struct slice input)
{
    static const char *const bases[] = {"/"};
    static const struct type *user;
    struct error err = {0};
    if (!user) user = schema_parse_ddl(fuzz_arena(), "k INT, d DATE, t TIMESTAMP, m DECIMAL(5,2), b BOOLEAN", &err);
    uint8_t choice = fuzz_byte(&input);
    struct arena *arena = arena_new("partitions");
    const struct partition_rules rules = {.base_paths = bases, .base_path_count = 1, .infer_types = choice & 1, .lenient = choice & 2,
                                          .user_schema = choice & 4 ? user : NULL, .session = fuzz_session()};
    const char *folders[FOLDERS_MAX];
    size_t count = 0;
    for (; count < FOLDERS_MAX && input.size; count++) {
        char *line = fuzz_text(fuzz_line(&input));
        folders[count] = arena_printf(arena, "/%s", line);
        check_escaping(arena, folders[count]);
        free(line);
    }
    const struct type *schema = partitions_discover(&rules, folders, count, arena, &err);
    if (!schema) fuzz_check_error(&err);
    else append_values(&rules, schema, folders, count);
    for (size_t i = 0; i < count; i++) {
        struct partition_value *values;
        size_t value_count;
        if (!partitions_of(&rules, folders[i], arena, &values, &value_count, &err)) fuzz_check_error(&err);
    }
    arena_free(arena);
}
