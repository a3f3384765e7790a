/* delta_actions -- single actions of a Delta log: from JSON into structs, and back into lines. */
#include "base/civil.h"
#include "base/number.h"
#include "base/uri.h"
#include "formats/delta_parts.h"
#include <inttypes.h>

/* --- paths --- */

void delta_encode_path(struct buffer *out, const char *path)
{
    for (;;) {
        size_t size = strcspn(path, "/");
        uri_escape_component(out, path, size);
        path += size;
        if (!*path) return;
        buffer_byte(out, '/');
        path++;
    }
}

static int hex_digit(char digit)
{
    if (digit >= '0' && digit <= '9') return digit - '0';
    if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
    if (digit >= 'A' && digit <= 'F') return digit - 'A' + 10;
    return -1;
}

char *delta_decode_path(struct arena *arena, const char *path)
{
    char *decoded = arena_strdup(arena, path), *to = decoded;
    for (const char *from = path; *from; from++) {
        int high = *from == '%' ? hex_digit(from[1]) : -1;
        int low = high >= 0 ? hex_digit(from[2]) : -1;
        if (low >= 0 && (high || low)) {
            *to++ = (char)(high << 4 | low);
            from += 2;
        } else {
            *to++ = *from;
        }
    }
    *to = 0;
    return decoded;
}

/* --- partition values --- */

static void print_partition_binary(const uint8_t *bytes, size_t size, struct buffer *out)
{
    for (size_t i = 0; i < size; i++) buffer_printf(out, "\\u%04X", bytes[i]);
}

/* ISO 8601 in UTC, all six digits: what Delta calls the preferred form. */
static void print_partition_timestamp(int64_t us, bool utc, struct buffer *out)
{
    int64_t days = us / 86400000000, rest = us % 86400000000;
    if (rest < 0) days--, rest += 86400000000;
    char date[DATE_TEXT_MAX];
    buffer_append(out, date, print_date((int32_t)days, date));
    int64_t seconds = rest / 1000000;
    buffer_printf(out, utc ? "T%02d:%02d:%02d.%06dZ" : " %02d:%02d:%02d.%06d", (int)(seconds / 3600), (int)(seconds / 60 % 60),
                  (int)(seconds % 60), (int)(rest % 1000000));
}

bool delta_print_partition_value(const struct column *column, size_t row, struct buffer *out)
{
    if (!column_is_valid(column, row)) return false;
    char text[DECIMAL_TEXT_MAX];
    switch (column->type->kind) {
    case TYPE_BOOLEAN: buffer_text(out, bit_get(column->values, row) ? "true" : "false"); return true;
    case TYPE_TINYINT: buffer_printf(out, "%d", ((const int8_t *)column->values)[row]); return true;
    case TYPE_SMALLINT: buffer_printf(out, "%d", ((const int16_t *)column->values)[row]); return true;
    case TYPE_INT: buffer_printf(out, "%d", ((const int32_t *)column->values)[row]); return true;
    case TYPE_BIGINT: buffer_printf(out, "%" PRId64, ((const int64_t *)column->values)[row]); return true;
    case TYPE_FLOAT: buffer_append(out, text, print_float_java(((const float *)column->values)[row], text)); return true;
    case TYPE_DOUBLE: buffer_append(out, text, print_double_java(((const double *)column->values)[row], text)); return true;
    case TYPE_DECIMAL:
        buffer_append(out, text, print_decimal_plain(((const int128 *)column->values)[row], column->type->scale, text));
        return true;
    case TYPE_DATE: buffer_append(out, text, print_date(((const int32_t *)column->values)[row], text)); return true;
    case TYPE_TIMESTAMP: print_partition_timestamp(((const int64_t *)column->values)[row], true, out); return true;
    case TYPE_TIMESTAMP_NTZ: print_partition_timestamp(((const int64_t *)column->values)[row], false, out); return true;
    case TYPE_STRING:
    case TYPE_BINARY: {
        size_t size = (size_t)(column->offsets[row + 1] - column->offsets[row]);
        const uint8_t *bytes = column->data + column->offsets[row];
        if (size == 0) return false; /* In Delta the empty string is null. */
        if (column->type->kind == TYPE_BINARY) print_partition_binary(bytes, size, out);
        else buffer_append(out, bytes, size);
        return true;
    }
    default: return false;
    }
}

/* --- parsing --- */

static bool missing(struct error *err, const char *action, const char *member)
{
    return error_set(err, COND_DELTA_LOG_DAMAGED, "a %s action has no %s", action, member);
}

static const char *copy_or_null(struct arena *arena, const char *text)
{
    return text ? arena_strdup(arena, text) : NULL;
}

/* NULL where the member is absent, null or not text. */
static const char *text_of(const struct tree *map, const char *key)
{
    const struct tree *node = tree_get(map, key);
    return node && node->kind == TREE_TEXT ? node->text : NULL;
}

static const char *json_or_null(const struct tree *node, struct arena *arena)
{
    if (!node || node->kind != TREE_MAP || node->count == 0) return NULL;
    struct buffer text = {0};
    tree_print_json(node, &text);
    const char *copy = arena_strndup(arena, (const char *)text.data, text.size);
    buffer_free(&text);
    return copy;
}

static void parse_pairs(const struct tree *map, struct arena *arena, struct delta_file_action *out)
{
    if (!map || map->kind != TREE_MAP) return;
    out->pairs = ARENA_ARRAY(arena, struct delta_pair, map->count);
    for (const struct tree *node = map->first; node; node = node->next) {
        struct delta_pair *pair = &out->pairs[out->pair_count++];
        pair->key = arena_strdup(arena, node->key);
        pair->value = node->kind == TREE_NULL ? NULL : copy_or_null(arena, node->text);
    }
}

bool delta_parse_file_action(const struct tree *node, bool is_add, struct arena *arena, struct delta_file_action *out, struct error *err)
{
    *out = (struct delta_file_action){.is_add = is_add};
    const char *path = text_of(node, "path");
    if (!path || !*path) return missing(err, is_add ? "add" : "remove", "path");
    const struct tree *vector = tree_get(node, "deletionVector");
    out->has_deletion_vector = vector && vector->kind == TREE_MAP;
    parse_pairs(tree_get(node, "partitionValues"), arena, out);
    if (is_add) {
        out->add = (struct delta_add){.path = arena_strdup(arena, path),
                                      .size = tree_get_int(node, "size", 0),
                                      .modification_time_ms = tree_get_int(node, "modificationTime", 0),
                                      .stats_json = copy_or_null(arena, text_of(node, "stats")),
                                      .tags_json = json_or_null(tree_get(node, "tags"), arena)};
        return true;
    }
    struct buffer extra = {0};
    buffer_printf(&extra, "{\"extendedFileMetadata\":%s,\"size\":%" PRId64 ",\"partitionValues\":",
                  tree_get_bool(node, "extendedFileMetadata", false) ? "true" : "false", tree_get_int(node, "size", 0));
    const struct tree *values = tree_get(node, "partitionValues");
    if (values && values->kind == TREE_MAP) tree_print_json(values, &extra);
    else buffer_text(&extra, "null");
    buffer_byte(&extra, '}');
    out->remove = (struct delta_remove){.path = arena_strdup(arena, path),
                                        .deletion_timestamp_ms = tree_get_int(node, "deletionTimestamp", 0),
                                        .data_change = tree_get_bool(node, "dataChange", true),
                                        .extra_json = arena_strndup(arena, (const char *)extra.data, extra.size)};
    buffer_free(&extra);
    return true;
}

bool delta_parse_txn(const struct tree *node, struct arena *arena, struct delta_txn *out, struct error *err)
{
    const char *app_id = text_of(node, "appId");
    const struct tree *version = tree_get(node, "version");
    if (!app_id) return missing(err, "txn", "appId");
    if (!version || version->kind != TREE_INT) return missing(err, "txn", "version");
    *out = (struct delta_txn){.app_id = arena_strdup(arena, app_id), .version = version->integer,
                              .last_updated_ms = tree_get_int(node, "lastUpdated", 0)};
    return true;
}

static const char **parse_names(const struct tree *list, struct arena *arena, size_t *count)
{
    *count = 0;
    if (!list || list->kind != TREE_LIST) return NULL;
    const char **names = ARENA_ARRAY(arena, const char *, list->count);
    for (const struct tree *node = list->first; node; node = node->next)
        if (node->kind == TREE_TEXT) names[(*count)++] = arena_strdup(arena, node->text);
    return names;
}

static struct tree *copy_text_map(const struct tree *map, struct arena *arena)
{
    struct tree *copy = ARENA_NEW(arena, struct tree);
    copy->kind = TREE_MAP;
    struct tree **end = &copy->first;
    for (const struct tree *node = map && map->kind == TREE_MAP ? map->first : NULL; node; node = node->next) {
        struct tree *pair = ARENA_NEW(arena, struct tree);
        pair->kind = TREE_TEXT;
        pair->key = arena_strdup(arena, node->key);
        pair->text = arena_strdup(arena, node->kind != TREE_NULL && node->text ? node->text : "");
        pair->text_size = strlen(pair->text);
        *end = pair;
        end = &pair->next;
        copy->count++;
    }
    return copy;
}

bool delta_parse_metadata(const struct tree *node, struct arena *arena, struct delta_metadata *out, struct error *err)
{
    *out = (struct delta_metadata){.created_time_ms = tree_get_int(node, "createdTime", 0)};
    const char *schema = text_of(node, "schemaString");
    if (!schema) return missing(err, "metaData", "schemaString");
    out->schema_json = arena_strdup(arena, schema);
    const char *id = text_of(node, "id");
    out->id = arena_strdup(arena, id ? id : "");
    out->name = copy_or_null(arena, text_of(node, "name"));
    out->description = copy_or_null(arena, text_of(node, "description"));
    out->partition_columns = parse_names(tree_get(node, "partitionColumns"), arena, &out->partition_count);
    out->configuration = copy_text_map(tree_get(node, "configuration"), arena);
    const char *provider = text_of(tree_get(node, "format"), "provider");
    if (provider && strcmp(provider, "parquet") != 0)
        return error_set(err, COND_INLET_NOT_SUPPORTED_YET, "the table's files have the format %s, Delta knows parquet only", provider);
    return true;
}

bool delta_parse_protocol(const struct tree *node, struct arena *arena, struct delta_protocol *out, struct error *err)
{
    int64_t reader = tree_get_int(node, "minReaderVersion", 0), writer = tree_get_int(node, "minWriterVersion", 0);
    if (reader < 1 || reader > INT32_MAX) return missing(err, "protocol", "minReaderVersion");
    if (writer < 1 || writer > INT32_MAX) return missing(err, "protocol", "minWriterVersion");
    *out = (struct delta_protocol){.min_reader = (int)reader, .min_writer = (int)writer};
    out->reader_features = parse_names(tree_get(node, "readerFeatures"), arena, &out->reader_feature_count);
    out->writer_features = parse_names(tree_get(node, "writerFeatures"), arena, &out->writer_feature_count);
    return true;
}

/* --- printing --- */

static void print_text(struct buffer *out, const char *text)
{
    if (text) buffer_json_string(out, text, strlen(text));
    else buffer_text(out, "null");
}

void delta_print_add(struct buffer *out, const struct delta_add *add, const struct delta_metadata *metadata, bool data_change)
{
    buffer_text(out, "{\"add\":{\"path\":");
    print_text(out, add->path);
    buffer_text(out, ",\"partitionValues\":{");
    for (size_t i = 0; i < metadata->partition_count; i++) {
        if (i) buffer_byte(out, ',');
        print_text(out, metadata->partition_columns[i]);
        buffer_byte(out, ':');
        print_text(out, add->partition_values[i]);
    }
    buffer_printf(out, "},\"size\":%" PRId64 ",\"modificationTime\":%" PRId64 ",\"dataChange\":%s", add->size,
                  add->modification_time_ms, data_change ? "true" : "false");
    if (add->stats_json) {
        buffer_text(out, ",\"stats\":");
        print_text(out, add->stats_json);
    }
    if (add->tags_json) {
        buffer_text(out, ",\"tags\":");
        buffer_text(out, add->tags_json);
    }
    buffer_text(out, "}}\n");
}

static void print_names(struct buffer *out, const char *const *names, size_t count)
{
    buffer_byte(out, '[');
    for (size_t i = 0; i < count; i++) {
        if (i) buffer_byte(out, ',');
        print_text(out, names[i]);
    }
    buffer_byte(out, ']');
}

void delta_print_metadata(struct buffer *out, const struct delta_metadata *metadata)
{
    buffer_text(out, "{\"metaData\":{\"id\":");
    print_text(out, metadata->id);
    if (metadata->name) {
        buffer_text(out, ",\"name\":");
        print_text(out, metadata->name);
    }
    if (metadata->description) {
        buffer_text(out, ",\"description\":");
        print_text(out, metadata->description);
    }
    buffer_text(out, ",\"format\":{\"provider\":\"parquet\",\"options\":{}},\"schemaString\":");
    print_text(out, metadata->schema_json);
    buffer_text(out, ",\"partitionColumns\":");
    print_names(out, metadata->partition_columns, metadata->partition_count);
    buffer_text(out, ",\"configuration\":");
    if (metadata->configuration) tree_print_json(metadata->configuration, out);
    else buffer_text(out, "{}");
    buffer_printf(out, ",\"createdTime\":%" PRId64 "}}\n", metadata->created_time_ms);
}

void delta_print_protocol(struct buffer *out, const struct delta_protocol *protocol)
{
    buffer_printf(out, "{\"protocol\":{\"minReaderVersion\":%d,\"minWriterVersion\":%d", protocol->min_reader, protocol->min_writer);
    if (protocol->min_reader >= 3) {
        buffer_text(out, ",\"readerFeatures\":");
        print_names(out, protocol->reader_features, protocol->reader_feature_count);
    }
    if (protocol->min_writer >= 7) {
        buffer_text(out, ",\"writerFeatures\":");
        print_names(out, protocol->writer_features, protocol->writer_feature_count);
    }
    buffer_text(out, "}}\n");
}

void delta_print_txn(struct buffer *out, const struct delta_txn *txn)
{
    buffer_text(out, "{\"txn\":{\"appId\":");
    print_text(out, txn->app_id);
    buffer_printf(out, ",\"version\":%" PRId64 ",\"lastUpdated\":%" PRId64 "}}\n", txn->version, txn->last_updated_ms);
}
