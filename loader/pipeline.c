/* pipeline -- what the keys of a pipeline file mean, checked and resolved. */
#include "loader/pipeline.h"
#include "base/file.h"
#include "base/uri.h"
#include "base/uuid.h"
#include "loader/pipeline_tree.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

enum { PIPELINE_SIZE_MAX = 16 << 20 };

struct load {
    struct arena *arena;
    struct pipeline *pipeline;
    struct pipeline_tree tree;
    struct buffer warnings;
    struct error *err;
};

static const char *const top_keys[] = {"name", "conf", "readStream", "streams", "tables", "query", "writeStream", NULL};
static const char *const reader_keys[] = {"format", "schema", "options", "load", "table", NULL};
static const char *const writer_keys[] = {"format", "outputMode", "partitionBy", "trigger", "options", "start", "table", "foreachBatch", NULL};
static const char *const trigger_keys[] = {"processingTime", "once", "availableNow", "continuous", NULL};
static const char *const command_keys[] = {"command", NULL};
static const char *const schema_keys[] = {"file", NULL};

static void set_line(struct load *load, const struct tree *node)
{
    if (load->err && node && node->line > 0 && load->err->line <= 0) load->err->line = node->line;
}

/* Refuses a key that is known but not built. */
static bool refuse_key(struct load *load, const struct tree *map, const char *key, const char *what)
{
    const struct tree *node = tree_get(map, key);
    return !node || tree_refuse(node, load->err, COND_INLET_NOT_SUPPORTED_YET, "%s", what);
}

/* "s3://..." and the like: not a local path. */
static bool is_url(const char *text)
{
    size_t size = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-.");
    return size > 1 && text[size] == ':' && text[size + 1] == '/';
}

static const char *resolve_path(struct load *load, const char *text)
{
    if (strncasecmp(text, "file:", 5) == 0) text = path_from_uri(load->arena, text);
    return is_url(text) ? text : path_absolute(load->arena, load->pipeline->base_dir, text);
}

/* ---- name, conf -------------------------------------------------------------------------------- */

static bool is_name_byte(char byte)
{
    return isalnum((unsigned char)byte) || byte == '_' || byte == '-';
}

/* The file's stem, with what a name cannot have replaced. */
static const char *stem_name(struct load *load)
{
    char *name = arena_strdup(load->arena, path_basename(load->pipeline->file));
    char *dot = strrchr(name, '.');
    if (dot && dot != name) *dot = '\0';
    for (char *p = name; *p; p++)
        if (!is_name_byte(*p)) *p = '_';
    return name;
}

static bool load_name(struct load *load)
{
    const struct tree *root = load->tree.root;
    const char *name = NULL;
    if (!tree_take_text(root, "name", &name, load->err)) return false;
    load->pipeline->name = name ? name : stem_name(load);
    if (!name) return true;
    for (const char *p = name; *p; p++)
        if (!is_name_byte(*p))
            return tree_refuse(tree_get(root, "name"), load->err, COND_INLET_BAD_OPTION_VALUE,
                               "the name '%s' may have letters, digits, '_' and '-' only", name);
    return *name || tree_refuse(tree_get(root, "name"), load->err, COND_INLET_BAD_OPTION_VALUE, "the name is empty");
}

static bool load_conf(struct load *load)
{
    struct option_input *inputs;
    size_t count;
    return tree_take_options(&load->tree, tree_get(load->tree.root, "conf"), "conf", &inputs, &count, load->err) &&
           session_parse(load->arena, inputs, count, &load->pipeline->session, &load->warnings, load->err);
}

static const char *conf_text(const struct load *load, const char *name)
{
    return options_text(&load->pipeline->session.conf, name);
}

/* ---- schema ------------------------------------------------------------------------------------ */

static bool check_names(struct load *load, const struct tree *node, const struct type *type)
{
    bool case_sensitive = load->pipeline->session.case_sensitive;
    for (size_t i = 0; i < type->field_count; i++) {
        const struct field *field = &type->fields[i];
        if (type->kind == TYPE_STRUCT && schema_find(type, field->name, field->name_size, case_sensitive) == -2)
            return tree_refuse(node, load->err, COND_COLUMN_ALREADY_EXISTS,
                               "the column `%s` already exists. Choose another name or rename the existing column", field->name);
        if (!check_names(load, node, field->type)) return false;
    }
    return true;
}

static const struct type *schema_of_file(struct load *load, const struct tree *node)
{
    const char *file = NULL;
    if (!tree_check_keys(node, "schema", schema_keys, load->err) || !tree_take_text(node, "file", &file, load->err))
        return NULL;
    if (!file)
        return tree_refuse(node, load->err, COND_INLET_MISSING_KEY, "schema needs a DDL text or the key file"), NULL;
    struct buffer text = {0};
    const struct type *type = NULL;
    const char *path = resolve_path(load, file);
    if (file_read_all(path, PIPELINE_SIZE_MAX, &text, load->err))
        type = type_parse_json(load->arena, slice_of(text.data, text.size), load->err);
    if (type && type->kind != TYPE_STRUCT) {
        type = NULL;
        error_set(load->err, COND_INVALID_SCHEMA_NON_STRUCT, "the schema must be a struct");
    }
    buffer_free(&text);
    if (!type) error_context(load->err, "reading schema file %s", path);
    return type;
}

static const struct type *schema_of_text(struct load *load, const struct tree *node)
{
    bool is_ntz = strcasecmp(conf_text(load, "spark.sql.timestampType"), "TIMESTAMP_NTZ") == 0;
    enum type_kind timestamp = is_ntz ? TYPE_TIMESTAMP_NTZ : TYPE_TIMESTAMP;
    const struct type *type = schema_parse_ddl_as(load->arena, node->text, timestamp, load->err);
    if (!type) error_context(load->err, "reading the schema");
    return type;
}

static bool refuse_inference(struct load *load, const struct tree *reader)
{
    if (!options_bool(&load->pipeline->session.conf, "spark.sql.streaming.schemaInference"))
        return tree_refuse(reader, load->err, COND_INLET_MISSING_KEY,
                           "schema must be specified when creating a streaming source DataFrame (spark.sql.streaming.schemaInference is false)");
    tree_refuse(reader, load->err, COND_INLET_NOT_SUPPORTED_YET,
                "a reader without a schema (spark.sql.streaming.schemaInference) is not supported yet");
    return error_hint(load->err, "Give the schema as DDL, such as schema: id BIGINT, name STRING, or as schema: {file: schema.json}.");
}

static bool load_schema(struct load *load, const struct tree *map)
{
    struct pipeline_reader *reader = &load->pipeline->reader;
    const struct tree *node = tree_get(map, "schema");
    if (!node || node->kind == TREE_NULL) {
        if (strcmp(reader->reader->name, "text") != 0) return refuse_inference(load, map);
        struct field value = {.name = "value", .name_size = 5, .type = type_primitive(TYPE_STRING), .nullable = true};
        reader->schema = type_struct(load->arena, &value, 1);
        return true;
    }
    if (node->kind == TREE_LIST)
        return tree_refuse(node, load->err, COND_INLET_SYNTAX, "schema must be a DDL text or {file: ...}");
    const struct type *type = node->kind == TREE_MAP ? schema_of_file(load, node) : schema_of_text(load, node);
    if (!type) return set_line(load, node), false;
    if (!check_names(load, node, type)) return false;
    reader->schema = type_as_nullable(load->arena, type);
    return true;
}

/* ---- reader ------------------------------------------------------------------------------------ */

/* The format of the files: the option `format` of cloudFiles, looked up before its table can be. */
static bool find_file_format(struct load *load, const struct tree *map, const char *format)
{
    struct pipeline_reader *reader = &load->pipeline->reader;
    const struct tree *options = tree_get(map, "options"), *node = tree_get(map, "format");
    reader->settings.is_cloud_files = strcasecmp(format, "cloudFiles") == 0;
    const char *name = format;
    if (reader->settings.is_cloud_files) {
        name = NULL;
        const struct tree *child = options && options->kind == TREE_MAP ? options->first : NULL;
        for (; child; child = child->next)
            if (strcasecmp(child->key, "cloudFiles.format") == 0 || strcasecmp(child->key, "format") == 0)
                name = (node = child)->text;
        if (!name)
            return tree_refuse(map, load->err, COND_CF_FORMAT_REQUIRED,
                               "please provide the source file format using the option 'cloudFiles.format'");
    }
    reader->reader = reader_find(name, load->err);
    reader->format = reader->reader ? reader->settings.is_cloud_files ? "cloudFiles" : reader->reader->name : NULL;
    return reader->reader || (set_line(load, node), false);
}

static bool load_reader_options(struct load *load, const struct tree *map)
{
    struct pipeline_reader *reader = &load->pipeline->reader;
    const struct tree *node = tree_get(map, "options");
    struct option_input *inputs;
    size_t count;
    if (!tree_take_options(&load->tree, node, "options", &inputs, &count, load->err)) return false;
    bool is_cloud = reader->settings.is_cloud_files;
    const struct option_spec *tables[] = {is_cloud ? cloud_source_options : file_source_options, reader->reader->options, file_options};
    if (!options_parse(load->arena, reader->format, tables, COUNTOF(tables), inputs, count,
                       load->pipeline->base_dir, &reader->options, load->err))
        return false;
    return source_settings_make(&reader->options, is_cloud, &load->pipeline->session, load->arena,
                                &reader->settings, load->err) || (set_line(load, node), false);
}

static bool load_paths(struct load *load, const struct tree *map)
{
    struct pipeline_reader *reader = &load->pipeline->reader;
    const char *const *paths, *option = options_text(&reader->options, "path");
    size_t count;
    if (!tree_take_texts(load->arena, map, "load", &paths, &count, load->err)) return false;
    if (option && count)
        return tree_refuse(tree_get(map, "load"), load->err, COND_INLET_BAD_OPTION_VALUE,
                           "there is a 'path' option set and load has a path too: give one of them");
    if (!option && !count)
        return tree_refuse(map, load->err, COND_INLET_MISSING_KEY, "'path' is not specified: readStream needs load");
    const char **load_list = ARENA_ARRAY(load->arena, const char *, count + 2);
    for (size_t i = 0; i < count; i++) load_list[i] = paths[i];
    if (option) load_list[count++] = option;
    for (size_t i = 0; i < count; i++) {
        if (!*load_list[i])
            return tree_refuse(tree_get(map, "load"), load->err, COND_INLET_BAD_OPTION_VALUE, "a load path is empty");
        load_list[i] = resolve_path(load, load_list[i]);
        if (is_url(load_list[i]) ? !store_find(load_list[i],
                                               load->err) : !glob_compile(load->arena, load_list[i], load->err))
            return set_line(load, tree_get(map, "load")), false;
    }
    reader->load = load_list;
    reader->load_count = count;
    return true;
}

static bool load_reader(struct load *load)
{
    const struct tree *root = load->tree.root, *map = tree_get(root, "readStream");
    if (!refuse_key(load, root, "streams", "several streams in one pipeline (streams) are not supported yet"))
        return false;
    if (!refuse_key(load, root, "tables", "static tables (tables) are not supported yet")) return false;
    if (!map) return tree_refuse(root, load->err, COND_INLET_MISSING_KEY, "the key readStream is missing");
    if (!tree_check_keys(map, "readStream", reader_keys, load->err)) return false;
    if (!refuse_key(load, map, "table", "reading a table by name is not supported yet")) return false;
    const char *format = conf_text(load, "spark.sql.sources.default");
    if (!tree_take_text(map, "format", &format, load->err)) return false;
    return find_file_format(load, map, format) && load_reader_options(load, map) && load_schema(load, map) &&
        load_paths(load, map);
}

/* ---- query ------------------------------------------------------------------------------------- */

static bool load_query(struct load *load)
{
    const struct tree *node = tree_get(load->tree.root, "query");
    if (node && (node->kind == TREE_LIST || node->kind == TREE_MAP))
        return tree_refuse(node, load->err, COND_INLET_NOT_SUPPORTED_YET,
                           "a query of several steps is not supported yet; give one SELECT");
    if (!tree_take_text(load->tree.root, "query", &load->pipeline->query, load->err)) return false;
    if (load->pipeline->query) load->pipeline->query_line = node->line;
    load->pipeline->select = select_parse(load->arena, load->pipeline->query, load->err);
    return load->pipeline->select || (set_line(load, node), false);
}

/* ---- writer ------------------------------------------------------------------------------------ */

static bool load_command(struct load *load, const struct tree *map)
{
    struct pipeline_writer *writer = &load->pipeline->writer;
    const struct tree *node = tree_get(map, "foreachBatch");
    size_t count;
    if (!tree_check_keys(node, "foreachBatch", command_keys, load->err)) return false;
    if (!tree_take_texts(load->arena, node, "command", &writer->command, &count, load->err)) return false;
    if (!count || !*writer->command[0])
        return tree_refuse(node, load->err, COND_INLET_MISSING_KEY,
                           "foreachBatch needs a command: a list of the program and its arguments");
    return true;
}

static bool find_sink(struct load *load, const struct tree *map)
{
    struct pipeline_writer *writer = &load->pipeline->writer;
    bool has_command = tree_get(map, "foreachBatch") != NULL;
    const char *format = has_command ? "foreachBatch" : conf_text(load, "spark.sql.sources.default");
    const struct tree *node = tree_get(map, "format");
    if (!tree_take_text(map, "format", &format, load->err)) return false;
    if (!(writer->sink = sink_find(format, load->err))) return set_line(load, node), false;
    bool is_command = writer->sink == &foreach_batch_sink;
    if (is_command && !has_command)
        return tree_refuse(map, load->err, COND_INLET_MISSING_KEY,
                           "the sink foreachBatch needs the key foreachBatch: {command: [...]}");
    if (!is_command && has_command)
        return tree_refuse(node, load->err, COND_INLET_BAD_OPTION_VALUE,
                           "a writer has either a format or foreachBatch");
    return !has_command || load_command(load, map);
}

/* Append for all; update where it means the same: a query without aggregates on a sink that takes it.
 * What the sink does not take is refused whatever the query is; *needs_aggregate: the mode is one for aggregates. */
static bool load_output_mode(struct load *load, const struct tree *map, bool *needs_aggregate)
{
    const struct sink_ops *sink = load->pipeline->writer.sink;
    const struct tree *node = tree_get(map, "outputMode");
    const char *mode = "append";
    *needs_aggregate = false;
    if (!tree_take_text(map, "outputMode", &mode, load->err)) return false;
    if (strcasecmp(mode, "append") == 0) return true;
    bool is_complete = strcasecmp(mode, "complete") == 0, is_update = strcasecmp(mode, "update") == 0;
    if (!is_complete && !is_update)
        return tree_refuse(node, load->err, COND_OUTPUT_MODE_INVALID,
                           "invalid streaming output mode: %s. Accepted output modes are 'Append', 'Complete', 'Update'", mode);
    bool any_mode = sink == &foreach_batch_sink || sink == &console_sink;
    *needs_aggregate = is_complete;
    if (any_mode || (is_complete && sink == &delta_sink)) return true;
    return tree_refuse(node, load->err, COND_OUTPUT_MODE_UNSUPPORTED,
                       "invalid streaming output mode: %s. This output mode is not supported in Data Source %s",
                       is_complete ? "complete" : "update", sink->name);
}

/* The queries that are built have no aggregates. */
static bool refuse_complete(struct load *load, const struct tree *map)
{
    return tree_refuse(tree_get(map, "outputMode"), load->err, COND_OUTPUT_MODE_OPERATION,
                       "invalid streaming output mode: complete. This output mode is not supported for no streaming aggregations on streaming DataFrames/DataSets");
}

static bool refuse_trigger(struct load *load, const struct tree *node, const char *what)
{
    return tree_refuse(node, load->err, COND_INLET_BAD_OPTION_VALUE, "%s", what);
}

static bool load_trigger(struct load *load, const struct tree *map)
{
    struct pipeline_writer *writer = &load->pipeline->writer;
    const struct tree *node = tree_get(map, "trigger");
    if (!node || node->kind == TREE_NULL) return true;
    if (node->kind != TREE_MAP)
        return tree_refuse(node, load->err, COND_INLET_SYNTAX,
                           "trigger must be a map with one key, such as {availableNow: true} or {processingTime: 1 minute}");
    if (!tree_check_keys(node, "trigger", trigger_keys, load->err)) return false;
    if (!node->count) return true;
    if (node->count > 1) return refuse_trigger(load, node, "a trigger has one key only");
    const struct tree *child = node->first;
    if (strcmp(child->key, "continuous") == 0)
        return refuse_key(load, node, "continuous", "the continuous trigger is not supported yet");
    const char *text = "";
    if (!tree_take_text(node, child->key, &text, load->err)) return false;
    if (strcmp(child->key, "processingTime") == 0) {
        writer->trigger = TRIGGER_PROCESSING_TIME;
        if (parse_interval_text(text, &writer->trigger_interval_us) && writer->trigger_interval_us >= 0) return true;
        return refuse_trigger(load, child, "the value of processingTime must be an interval such as 2 minutes");
    }
    writer->trigger = strcmp(child->key, "once") == 0 ? TRIGGER_ONCE : TRIGGER_AVAILABLE_NOW;
    return strcasecmp(text, "true") == 0 || refuse_trigger(load, child, "the value of this trigger must be true");
}

static bool load_writer_options(struct load *load, const struct tree *map)
{
    struct pipeline_writer *writer = &load->pipeline->writer;
    struct option_input *inputs;
    size_t count;
    if (!tree_take_options(&load->tree, tree_get(map, "options"), "options", &inputs, &count, load->err)) return false;
    const struct encoder_ops *encoder = writer->sink->encoder ? encoder_find(writer->sink->encoder, load->err) : NULL;
    if (writer->sink->encoder && !encoder) return false;
    const struct option_spec *tables[] = {writer->sink->options, stream_writer_options, encoder ? encoder->options : NULL};
    return options_parse(load->arena, writer->sink->name, tables, COUNTOF(tables), inputs, count,
                         load->pipeline->base_dir, &writer->options, load->err);
}

static bool load_target(struct load *load, const struct tree *map)
{
    struct pipeline_writer *writer = &load->pipeline->writer;
    const struct tree *node = tree_get(map, "start");
    const char *start = NULL, *option = options_text(&writer->options, "path");
    if (!tree_take_text(map, "start", &start, load->err)) return false;
    if (start && option)
        return tree_refuse(node, load->err, COND_INLET_BAD_OPTION_VALUE,
                           "there is a 'path' option set and start has a path too: give one of them");
    if (start && !*start)
        return tree_refuse(node, load->err, COND_INLET_BAD_OPTION_VALUE, "the path of start is empty");
    writer->path = start ? resolve_path(load, start) : option;
    if (writer->sink->needs_path && !writer->path)
        return tree_refuse(map, load->err, COND_INLET_MISSING_KEY, "'path' is not specified: writeStream needs start");
    if (!writer->sink->needs_path && writer->path)
        return tree_refuse(node ? node : map, load->err, COND_INLET_BAD_OPTION_VALUE, "the sink %s has no path",
                           writer->sink->name);
    return !writer->path || !is_url(writer->path) || store_find(writer->path, load->err) ||
        (set_line(load, node), false);
}

static bool load_checkpoint(struct load *load, const struct tree *map)
{
    struct pipeline_writer *writer = &load->pipeline->writer;
    const char *root = conf_text(load, "spark.sql.streaming.checkpointLocation");
    writer->checkpoint = options_text(&writer->options, "checkpointLocation");
    if (!writer->checkpoint && root)
        writer->checkpoint = path_join(load->arena, resolve_path(load, root), load->pipeline->name);
    if (!writer->checkpoint)
        return tree_refuse(map, load->err, COND_INLET_MISSING_KEY,
                           "checkpointLocation must be specified either through the writer's option checkpointLocation or the setting spark.sql.streaming.checkpointLocation");
    if (!is_url(writer->checkpoint)) return true;
    return tree_refuse(map, load->err, COND_INLET_NOT_SUPPORTED_YET,
                       "a checkpointLocation that is not a local folder (%s) is not supported", writer->checkpoint);
}

static bool load_partitioning(struct load *load, const struct tree *map)
{
    struct pipeline_writer *writer = &load->pipeline->writer;
    if (!tree_take_texts(load->arena, map, "partitionBy", &writer->partition_by, &writer->partition_count, load->err))
        return false;
    if (writer->partition_count) load->pipeline->partition_line = tree_get(map, "partitionBy")->line;
    if (!writer->partition_count || writer->sink != &foreach_batch_sink) return true;
    return tree_refuse(tree_get(map, "partitionBy"), load->err, COND_INLET_BAD_OPTION_VALUE,
                       "'foreachBatch' does not support partitioning");
}

static bool load_writer(struct load *load)
{
    const struct tree *root = load->tree.root, *map = tree_get(root, "writeStream");
    if (!map) return tree_refuse(root, load->err, COND_INLET_MISSING_KEY, "the key writeStream is missing");
    bool needs_aggregate;
    if (!tree_check_keys(map, "writeStream", writer_keys, load->err) ||
        !refuse_key(load, map, "table", "writing to a table by name is not supported yet") || !find_sink(load, map) ||
        !load_output_mode(load, map, &needs_aggregate)) return false;
    if (!load_query(load)) return false;
    return (!needs_aggregate || refuse_complete(load, map)) && load_trigger(load, map) && load_writer_options(load, map) &&
           load_partitioning(load, map) && load_target(load, map) && load_checkpoint(load, map);
}

/* ---- what shapes rows -------------------------------------------------------------------------- */

/* Options that decide when and where, not what: a change of them does not change a planned batch. */
static bool shapes_rows(const struct option_spec *spec)
{
    for (const struct option_spec *row = file_source_options; row->name; row++)
        if (row == spec) return false;
    for (const struct option_spec *row = cloud_source_options; row->name; row++)
        if (row == spec) return false;
    for (const struct option_spec *row = stream_writer_options; row->name; row++)
        if (row == spec) return false;
    return !spec->secret && strcasecmp(spec->name, "path") != 0;
}

static void print_options(const char *prefix, const struct options *options, struct buffer *out)
{
    for (size_t i = 0; i < options->count; i++) {
        const struct option_value *value = &options->values[i];
        if (!value->given || value->spec->alias_of || !shapes_rows(value->spec)) continue;
        buffer_printf(out, "%s.%s=", prefix, value->spec->name);
        char digest[DIGEST_TEXT_SIZE];
        const char *text = value->text;
        if (value->hidden) digest_text(text, strlen(text), digest), text = digest; /* Compared, not kept. */
        buffer_json_string(out, text, strlen(text));
        buffer_byte(out, '\n');
    }
}

static void print_shape(struct load *load)
{
    const struct pipeline *pipeline = load->pipeline;
    struct buffer out = {0};
    buffer_printf(&out, "format=%s\nschema=", pipeline->reader.reader->name);
    schema_print_ddl(pipeline->reader.schema, &out);
    buffer_text(&out, "\nquery=");
    buffer_json_string(&out, pipeline->query ? pipeline->query : "", pipeline->query ? strlen(pipeline->query) : 0);
    buffer_printf(&out, "\nzone=%s\nsink=%s\n", time_zone_name(pipeline->session.zone), pipeline->writer.sink->name);
    print_options("conf", &pipeline->session.conf, &out);
    print_options("reader", &pipeline->reader.options, &out);
    print_options("writer", &pipeline->writer.options, &out);
    for (size_t i = 0; i < pipeline->writer.partition_count; i++)
        buffer_printf(&out, "partitionBy=%s\n", pipeline->writer.partition_by[i]);
    load->pipeline->shape_text = arena_strndup(load->arena, (const char *)out.data, out.size);
    buffer_free(&out);
}

/* ---- entry points ------------------------------------------------------------------------------ */

static bool close_own_folders(struct load *load)
{
    struct pipeline *pipeline = load->pipeline;
    if (pipeline->writer.path) pipeline->reader.own[pipeline->reader.own_count++] = pipeline->writer.path;
    pipeline->reader.own[pipeline->reader.own_count++] = pipeline->writer.checkpoint;
    return true;
}

static bool load_all(struct load *load, struct slice text)
{
    return pipeline_tree_parse(load->arena, load->pipeline->file, text, &load->tree, load->err) &&
           tree_check_keys(load->tree.root, "the pipeline file", top_keys, load->err) && load_name(load) &&
               load_conf(load) &&
           load_reader(load) && load_writer(load) && close_own_folders(load);
}

struct pipeline *pipeline_parse(struct arena *arena, const char *file, struct slice text, struct error *err)
{
    char folder[4096];
    struct load load = {.arena = arena, .err = err, .pipeline = ARENA_NEW(arena, struct pipeline)};
    load.pipeline->file = path_absolute(arena, getcwd(folder, sizeof folder) ? folder : "/", file);
    const char *name = path_basename(load.pipeline->file);
    load.pipeline->base_dir = path_absolute(arena, "/",
                                            arena_strndup(arena, load.pipeline->file,
                                                          (size_t)(name - load.pipeline->file)));
    bool ok = load_all(&load, text);
    if (ok) print_shape(&load);
    load.pipeline->warnings = arena_strndup(arena, load.warnings.size ? (const char *)load.warnings.data : "",
                                            load.warnings.size);
    buffer_free(&load.warnings);
    if (!ok) error_context(err, "reading pipeline file %s", load.pipeline->file);
    return ok ? load.pipeline : NULL;
}

void pipeline_explain(const struct pipeline *pipeline, struct error *err)
{
    if (!err || err->line > 0) return;
    switch (err->condition) {
    case COND_UNRESOLVED_COLUMN:
    case COND_AMBIGUOUS_REFERENCE:
    case COND_UNRESOLVED_FIELD:
    case COND_INVALID_EXTRACT_BASE:
        err->line = pipeline->query_line;
        break;
    case COND_INLET_PARTITION_COLUMN:
    case COND_ALL_PARTITION_COLUMNS:
        err->line = pipeline->partition_line;
        break;
    default: break;
    }
    error_context(err, "running pipeline %s", pipeline->file);
}

struct pipeline *pipeline_load(struct arena *arena, const char *path, struct error *err)
{
    struct buffer text = {0};
    struct pipeline *pipeline = NULL;
    if (file_read_all(path, PIPELINE_SIZE_MAX, &text, err))
        pipeline = pipeline_parse(arena, path, slice_of(text.data, text.size), err);
    else error_context(err, "reading pipeline file %s", path);
    buffer_free(&text);
    return pipeline;
}
