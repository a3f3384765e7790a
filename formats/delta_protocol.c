/* delta_protocol -- which Delta tables inlet may read and write, feature by feature (file-source.md 9.8).
 *
 * A feature that is not known here is refused by its name: writing to a table whose rules one does
 * not know damages it, reading one gives wrong rows. */
#include "formats/delta_parts.h"
#include <stdio.h>
#include <strings.h>

static const char *const reader_known[] = {"timestampNtz", "vacuumProtocolCheck", NULL};
/* checkConstraints, changeDataFeed and generatedColumns only where nothing in the table uses them. */
static const char *const writer_known[] = {"appendOnly", "invariants", "timestampNtz", "vacuumProtocolCheck",
                                           "checkConstraints", "changeDataFeed", "generatedColumns", NULL};

static bool list_has(const char *const *names, size_t count, const char *name)
{
    for (size_t i = 0; i < count && names[i]; i++)
        if (strcmp(names[i], name) == 0) return true;
    return false;
}

/* A short list of names, joined by ", ", each once. Never stays empty once something was added. */
struct name_list {
    char text[512];
    size_t size;
};

static bool name_list_has(const struct name_list *list, const char *name)
{
    size_t size = strlen(name);
    for (const char *at = list->text; (at = strstr(at, name)); at += size) {
        bool starts = at == list->text || at[-1] == ' ', ends = at[size] == '\0' || at[size] == ',';
        if (starts && ends) return true;
    }
    return false;
}

static void name_list_add(struct name_list *list, const char *name)
{
    char item[80];
    if (list->size && *name && name_list_has(list, name)) return;
    int size = snprintf(item, sizeof(item), "%s%.64s", list->size ? ", " : "", *name ? name : "(unnamed)");
    if (list->size + (size_t)size >= sizeof(list->text)) return;
    memcpy(list->text + list->size, item, (size_t)size + 1);
    list->size += (size_t)size;
}

static const char *configuration(const struct delta_snapshot *snapshot, const char *key)
{
    return tree_get_text(snapshot->metadata.configuration, key, "");
}

static bool column_mapping_used(const struct delta_snapshot *snapshot)
{
    const char *mode = configuration(snapshot, "delta.columnMapping.mode");
    return mode[0] && strcmp(mode, "none") != 0;
}

static void hint_for(struct error *err, const struct name_list *names)
{
    if (strstr(names->text, "deletionVectors"))
        error_hint(err, "Databricks switches deletion vectors on by default: create the table with "
                        "TBLPROPERTIES ('delta.enableDeletionVectors' = 'false'), or drop the feature with "
                        "ALTER TABLE ... DROP FEATURE deletionVectors.");
    else
        error_hint(err, "Create the table without these features (reader version 1, writer version 2), or drop them with "
                        "ALTER TABLE ... DROP FEATURE.");
}

bool delta_check_readable(const struct delta_snapshot *snapshot, struct error *err)
{
    const struct delta_protocol *protocol = &snapshot->protocol;
    if (protocol->min_reader > 3)
        return error_set(err, COND_DELTA_UNSUPPORTED_FEATURES_FOR_READ, "the table needs reader version %d, inlet knows 1 to 3",
                         protocol->min_reader);
    struct name_list refused = {0};
    if (protocol->min_reader == 3)
        for (size_t i = 0; i < protocol->reader_feature_count; i++)
            if (!list_has(reader_known, COUNTOF(reader_known), protocol->reader_features[i]))
                name_list_add(&refused, protocol->reader_features[i]);
    if (column_mapping_used(snapshot)) name_list_add(&refused, "columnMapping");
    if (refused.size == 0) return true;
    error_set(err, COND_DELTA_UNSUPPORTED_FEATURES_FOR_READ, "the table needs reader features that inlet does not know: %s",
              refused.text);
    hint_for(err, &refused);
    return false;
}

/* What the schema's column metadata asks of a writer; fields of arrays and maps included. */
static void schema_rules(const struct type *type, struct name_list *refused)
{
    for (size_t i = 0; i < type->field_count; i++) {
        const char *metadata = type->fields[i].metadata_json;
        if (metadata) {
            if (strstr(metadata, "\"delta.invariants\"")) name_list_add(refused, "invariants");
            if (strstr(metadata, "\"delta.generationExpression\"")) name_list_add(refused, "generatedColumns");
            if (strstr(metadata, "\"delta.identity.")) name_list_add(refused, "identityColumns");
            if (strstr(metadata, "\"CURRENT_DEFAULT\"")) name_list_add(refused, "allowColumnDefaults");
            /* Spark pads CHAR and checks lengths when it writes; the table's protocol does not say so. */
            if (strstr(metadata, "\"__CHAR_VARCHAR_TYPE_STRING\"")) name_list_add(refused, "CHAR and VARCHAR columns");
        }
        schema_rules(type->fields[i].type, refused);
    }
}

static void configuration_rules(const struct delta_snapshot *snapshot, struct name_list *refused)
{
    const struct tree *configuration_map = snapshot->metadata.configuration;
    for (const struct tree *node = configuration_map ? configuration_map->first : NULL; node; node = node->next)
        if (node->key && strncmp(node->key, "delta.constraints.", 18) == 0) name_list_add(refused, "checkConstraints");
    if (strcasecmp(configuration(snapshot, "delta.enableChangeDataFeed"), "true") == 0) name_list_add(refused, "changeDataFeed");
    if (column_mapping_used(snapshot)) name_list_add(refused, "columnMapping");
}

bool delta_check_writable(const struct delta_snapshot *snapshot, struct error *err)
{
    if (!delta_check_readable(snapshot, err)) return false;
    const struct delta_protocol *protocol = &snapshot->protocol;
    if (protocol->min_writer > 7)
        return error_set(err, COND_DELTA_UNSUPPORTED_FEATURES_FOR_WRITE, "the table needs writer version %d, inlet knows 1 to 4 and 7",
                         protocol->min_writer);
    struct name_list refused = {0};
    if (protocol->min_writer == 7) {
        for (size_t i = 0; i < protocol->writer_feature_count; i++)
            if (!list_has(writer_known, COUNTOF(writer_known), protocol->writer_features[i]))
                name_list_add(&refused, protocol->writer_features[i]);
    } else {
        if (protocol->min_writer >= 5) name_list_add(&refused, "columnMapping");
        if (protocol->min_writer >= 6) name_list_add(&refused, "identityColumns");
    }
    if (snapshot->metadata.schema) schema_rules(snapshot->metadata.schema, &refused);
    configuration_rules(snapshot, &refused);
    if (refused.size == 0) return true;
    error_set(err, COND_DELTA_UNSUPPORTED_FEATURES_FOR_WRITE, "the table needs writer features that inlet cannot keep: %s", refused.text);
    hint_for(err, &refused);
    return false;
}

/* --- protocols of our own tables --- */

static bool type_has_ntz(const struct type *type)
{
    if (type->kind == TYPE_TIMESTAMP_NTZ) return true;
    for (size_t i = 0; i < type->field_count; i++)
        if (type_has_ntz(type->fields[i].type)) return true;
    return false;
}

bool delta_protocol_for(const struct type *schema, struct delta_protocol *out)
{
    static const char *const readers[] = {"timestampNtz"};
    static const char *const writers[] = {"appendOnly", "invariants", "timestampNtz"};
    *out = (struct delta_protocol){.min_reader = 1, .min_writer = 2};
    if (!type_has_ntz(schema)) return false;
    *out = (struct delta_protocol){.min_reader = 3, .min_writer = 7, .reader_features = readers, .reader_feature_count = 1,
                                   .writer_features = writers, .writer_feature_count = 3};
    return true;
}

static size_t names_copy(const char **to, const char *const *from, size_t count)
{
    for (size_t i = 0; i < count; i++) to[i] = from[i];
    return count;
}

/* A writer version below 7 stands for these features; they must be named from then on. */
static size_t implied_features(const char **to, int min_writer)
{
    size_t count = 0;
    if (min_writer >= 2) to[count++] = "appendOnly", to[count++] = "invariants";
    if (min_writer >= 3) to[count++] = "checkConstraints";
    if (min_writer >= 4) to[count++] = "changeDataFeed", to[count++] = "generatedColumns";
    return count;
}

bool delta_protocol_extend(struct arena *arena, const struct delta_protocol *current, const struct type *schema,
                           struct delta_protocol *out)
{
    *out = *current;
    bool read_listed = current->min_reader == 3 && list_has(current->reader_features, current->reader_feature_count, "timestampNtz");
    bool write_listed = current->min_writer == 7 && list_has(current->writer_features, current->writer_feature_count, "timestampNtz");
    if (!type_has_ntz(schema) || (read_listed && write_listed)) return false;

    const char **readers = ARENA_ARRAY(arena, const char *, current->reader_feature_count + 1);
    const char **writers = ARENA_ARRAY(arena, const char *, current->writer_feature_count + 8);
    size_t reader_count = names_copy(readers, current->reader_features, current->reader_feature_count);
    size_t writer_count = current->min_writer == 7 ? names_copy(writers, current->writer_features, current->writer_feature_count)
                                                   : implied_features(writers, current->min_writer);
    if (!read_listed) readers[reader_count++] = "timestampNtz";
    if (!write_listed) writers[writer_count++] = "timestampNtz";
    *out = (struct delta_protocol){.min_reader = 3, .min_writer = 7, .reader_features = readers, .reader_feature_count = reader_count,
                                   .writer_features = writers, .writer_feature_count = writer_count};
    return true;
}
