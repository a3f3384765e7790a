/* delta_checkpoint -- classic Parquet checkpoints of a Delta log, read and written (file-source.md 9.5).
 *
 * One row an action, one struct column a kind of action, all but one of them null. Reading goes chunk
 * by chunk and asks only for the members that replay needs. Writing is off the commit path: a
 * checkpoint may always be missing. */
#include "base/draft.h"
#include "base/file.h"
#include "base/options.h"
#include "formats/delta_parts.h"
#include "formats/rows.h"
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

/* --- access to the columns of a chunk --- */

static const struct column *child(const struct column *column, const char *name)
{
    if (!column || column->type->kind != TYPE_STRUCT) return NULL;
    int index = schema_find(column->type, name, strlen(name), true);
    return index < 0 ? NULL : &column->children[index];
}

static const struct column *chunk_column(const struct chunk *chunk, const char *name)
{
    int index = schema_find(chunk->schema, name, strlen(name), true);
    return index < 0 || chunk->schema->fields[index].type->kind != TYPE_STRUCT ? NULL : &chunk->columns[index];
}

static bool is_present(const struct column *column, size_t row)
{
    return column && column_is_valid(column, row);
}

/* NULL where absent or null. Checkpoints hold text as STRING; other writers may leave the annotation out. */
static const char *text_at(const struct column *column, size_t row, struct arena *arena)
{
    if (!is_present(column, row) || !type_is_bytes(column->type)) return NULL;
    return arena_strndup(arena, (const char *)column->data + column->offsets[row], (size_t)(column->offsets[row + 1] - column->offsets[row]));
}

static int64_t integer_at(const struct column *column, size_t row, int64_t otherwise)
{
    if (!is_present(column, row)) return otherwise;
    if (column->type->kind == TYPE_BIGINT) return ((const int64_t *)column->values)[row];
    if (column->type->kind == TYPE_INT) return ((const int32_t *)column->values)[row];
    return otherwise;
}

static bool boolean_at(const struct column *column, size_t row, bool otherwise)
{
    if (!is_present(column, row) || column->type->kind != TYPE_BOOLEAN) return otherwise;
    return bit_get(column->values, row);
}

static const char **names_at(const struct column *column, size_t row, struct arena *arena, size_t *count)
{
    *count = 0;
    if (!is_present(column, row) || column->type->kind != TYPE_ARRAY) return NULL;
    int32_t first = column->offsets[row], end = column->offsets[row + 1];
    const char **names = ARENA_ARRAY(arena, const char *, end - first);
    for (int32_t i = first; i < end; i++) {
        const char *name = text_at(&column->children[0], (size_t)i, arena);
        if (name) names[(*count)++] = name;
    }
    return names;
}

static struct delta_pair *pairs_at(const struct column *column, size_t row, struct arena *arena, size_t *count)
{
    *count = 0;
    if (!is_present(column, row) || column->type->kind != TYPE_MAP) return NULL;
    int32_t first = column->offsets[row], end = column->offsets[row + 1];
    struct delta_pair *pairs = ARENA_ARRAY(arena, struct delta_pair, end - first);
    for (int32_t i = first; i < end; i++) {
        const char *key = text_at(&column->children[0], (size_t)i, arena);
        if (key) pairs[(*count)++] = (struct delta_pair){key, text_at(&column->children[1], (size_t)i, arena)};
    }
    return pairs;
}

static struct tree *configuration_at(const struct column *column, size_t row, struct arena *arena)
{
    struct tree *map = ARENA_NEW(arena, struct tree);
    map->kind = TREE_MAP;
    struct delta_pair *pairs = pairs_at(column, row, arena, &map->count);
    struct tree **end = &map->first;
    for (size_t i = 0; i < map->count; i++) {
        struct tree *node = ARENA_NEW(arena, struct tree);
        node->kind = TREE_TEXT;
        node->key = pairs[i].key;
        node->text = pairs[i].value ? pairs[i].value : "";
        node->text_size = strlen(node->text);
        *end = node;
        end = &node->next;
    }
    return map;
}

static const char *print_pairs(const struct delta_pair *pairs, size_t count, struct arena *arena)
{
    struct buffer text = {0};
    for (size_t i = 0; i < count; i++) {
        buffer_byte(&text, i ? ',' : '{');
        buffer_json_string(&text, pairs[i].key, strlen(pairs[i].key));
        buffer_byte(&text, ':');
        if (pairs[i].value) buffer_json_string(&text, pairs[i].value, strlen(pairs[i].value));
        else buffer_text(&text, "null");
    }
    buffer_text(&text, count ? "}" : "{}");
    const char *copy = arena_strndup(arena, (const char *)text.data, text.size);
    buffer_free(&text);
    return copy;
}

/* --- reading --- */

static bool take_add(const struct column *column, size_t row, struct delta_replay *replay, struct arena *scratch, struct error *err)
{
    struct delta_file_action action = {.is_add = true, .has_deletion_vector = is_present(child(column, "deletionVector"), row)};
    action.add = (struct delta_add){.path = text_at(child(column, "path"), row, scratch),
                                    .size = integer_at(child(column, "size"), row, 0),
                                    .modification_time_ms = integer_at(child(column, "modificationTime"), row, 0),
                                    .stats_json = text_at(child(column, "stats"), row, scratch)};
    if (!action.add.path) return error_set(err, COND_DELTA_LOG_DAMAGED, "an add action of the checkpoint has no path");
    size_t tag_count;
    struct delta_pair *tags = pairs_at(child(column, "tags"), row, scratch, &tag_count);
    if (tag_count) action.add.tags_json = print_pairs(tags, tag_count, scratch);
    action.pairs = pairs_at(child(column, "partitionValues"), row, scratch, &action.pair_count);
    return delta_replay_file(replay, &action, err);
}

static bool take_remove(const struct column *column, size_t row, struct delta_replay *replay, struct arena *scratch, struct error *err)
{
    struct delta_file_action action = {0};
    action.remove = (struct delta_remove){.path = text_at(child(column, "path"), row, scratch),
                                          .deletion_timestamp_ms = integer_at(child(column, "deletionTimestamp"), row, 0),
                                          .data_change = boolean_at(child(column, "dataChange"), row, false)};
    if (!action.remove.path) return error_set(err, COND_DELTA_LOG_DAMAGED, "a remove action of the checkpoint has no path");
    const struct column *values = child(column, "partitionValues");
    action.pairs = pairs_at(values, row, scratch, &action.pair_count);
    action.remove.extra_json =
        arena_printf(scratch, "{\"extendedFileMetadata\":%s,\"size\":%" PRId64 ",\"partitionValues\":%s}",
                     boolean_at(child(column, "extendedFileMetadata"), row, false) ? "true" : "false",
                     integer_at(child(column, "size"), row, 0),
                     is_present(values, row) ? print_pairs(action.pairs, action.pair_count, scratch) : "null");
    return delta_replay_file(replay, &action, err);
}

static bool take_txn(const struct column *column, size_t row, struct delta_replay *replay, struct arena *scratch, struct error *err)
{
    struct delta_txn txn = {.app_id = text_at(child(column, "appId"), row, scratch),
                            .version = integer_at(child(column, "version"), row, -1),
                            .last_updated_ms = integer_at(child(column, "lastUpdated"), row, 0)};
    if (!txn.app_id) return error_set(err, COND_DELTA_LOG_DAMAGED, "a txn action of the checkpoint has no appId");
    delta_replay_txn(replay, &txn);
    return true;
}

static bool take_metadata(const struct column *column, size_t row, struct delta_replay *replay, struct error *err)
{
    struct arena *arena = delta_replay_arena(replay);
    struct delta_metadata metadata = {.schema_json = text_at(child(column, "schemaString"), row, arena),
                                      .id = text_at(child(column, "id"), row, arena),
                                      .name = text_at(child(column, "name"), row, arena),
                                      .description = text_at(child(column, "description"), row, arena),
                                      .configuration = configuration_at(child(column, "configuration"), row, arena),
                                      .created_time_ms = integer_at(child(column, "createdTime"), row, 0)};
    if (!metadata.schema_json) return error_set(err, COND_DELTA_LOG_DAMAGED, "the metadata of the checkpoint has no schema");
    if (!metadata.id) metadata.id = "";
    metadata.partition_columns = names_at(child(column, "partitionColumns"), row, arena, &metadata.partition_count);
    delta_replay_metadata(replay, &metadata);
    return true;
}

static bool take_protocol(const struct column *column, size_t row, struct delta_replay *replay, struct error *err)
{
    struct arena *arena = delta_replay_arena(replay);
    struct delta_protocol protocol = {.min_reader = (int)integer_at(child(column, "minReaderVersion"), row, 0),
                                      .min_writer = (int)integer_at(child(column, "minWriterVersion"), row, 0)};
    if (protocol.min_reader < 1 || protocol.min_writer < 1)
        return error_set(err, COND_DELTA_LOG_DAMAGED, "the protocol of the checkpoint has no versions");
    protocol.reader_features = names_at(child(column, "readerFeatures"), row, arena, &protocol.reader_feature_count);
    protocol.writer_features = names_at(child(column, "writerFeatures"), row, arena, &protocol.writer_feature_count);
    delta_replay_protocol(replay, &protocol);
    return true;
}

static bool take_chunk(const struct chunk *chunk, struct delta_replay *replay, struct arena *scratch, struct error *err)
{
    const struct column *add = chunk_column(chunk, "add"), *removed = chunk_column(chunk, "remove"), *txn = chunk_column(chunk, "txn");
    const struct column *metadata = chunk_column(chunk, "metaData"), *protocol = chunk_column(chunk, "protocol");
    const struct column *sidecar = chunk_column(chunk, "sidecar");
    for (size_t row = 0; row < chunk->row_count; row++) {
        if (is_present(add, row) && !take_add(add, row, replay, scratch, err)) return false;
        if (is_present(removed, row) && !take_remove(removed, row, replay, scratch, err)) return false;
        if (is_present(txn, row) && !take_txn(txn, row, replay, scratch, err)) return false;
        if (is_present(metadata, row) && !take_metadata(metadata, row, replay, err)) return false;
        if (is_present(protocol, row) && !take_protocol(protocol, row, replay, err)) return false;
        if (is_present(sidecar, row))
            return error_set(err, COND_DELTA_UNSUPPORTED_FEATURES_FOR_READ,
                             "the table needs reader features that inlet does not know: v2Checkpoint (the checkpoint has sidecar files)");
        if (row % 512 == 511) arena_reset(scratch);
    }
    arena_reset(scratch);
    return true;
}

static bool take_file(const char *path, const char *const *names, struct delta_replay *replay, struct inlet_context *context, struct error *err)
{
    struct arena *arena = arena_new("delta checkpoint"), *scratch = arena_new("delta checkpoint rows");
    struct parquet_file *file = parquet_open_columns(path, names, arena, err);
    enum pull pull = PULL_FAILED;
    if (file) {
        struct chunk chunk;
        chunk_init(&chunk, parquet_schema(file));
        while ((pull = parquet_next(file, &chunk, context, err)) == PULL_CHUNK)
            if (!take_chunk(&chunk, replay, scratch, err)) {
                pull = PULL_FAILED;
                break;
            }
        chunk_fini(&chunk);
        parquet_close(file);
    }
    arena_free(scratch);
    arena_free(arena);
    return pull == PULL_END || error_context(err, "reading Delta checkpoint %s", path);
}

bool delta_checkpoint_read(const char *directory, const struct delta_checkpoint *checkpoint, struct delta_replay *replay,
                           struct inlet_context *context, struct error *err)
{
    static const char *const few[] = {"txn", "metaData", "protocol", "sidecar", NULL};
    static const char *const all[] = {"txn", "metaData", "protocol", "sidecar", "add.path", "add.partitionValues", "add.size",
                                      "add.modificationTime", "add.stats", "add.tags", "add.deletionVector", "remove.path",
                                      "remove.deletionTimestamp", "remove.dataChange", "remove.extendedFileMetadata",
                                      "remove.partitionValues", "remove.size", NULL};
    const char *const *names = delta_replay_keeps_files(replay) ? all : few;
    struct arena *arena = arena_new("delta checkpoint names");
    uint32_t count = checkpoint->parts ? checkpoint->parts : 1;
    bool done = true;
    for (uint32_t part = 1; done && part <= count; part++)
        done = take_file(delta_checkpoint_path(arena, directory, checkpoint->version, part, checkpoint->parts), names, replay, context, err);
    arena_free(arena);
    return done;
}

/* --- writing: appending to columns --- */

static const char checkpoint_ddl[] =
    "txn STRUCT<appId: STRING, version: BIGINT, lastUpdated: BIGINT>, "
    "add STRUCT<path: STRING, partitionValues: MAP<STRING, STRING>, size: BIGINT, modificationTime: BIGINT, "
    "dataChange: BOOLEAN, stats: STRING, tags: MAP<STRING, STRING>>, "
    "remove STRUCT<path: STRING, deletionTimestamp: BIGINT, dataChange: BOOLEAN, extendedFileMetadata: BOOLEAN, "
    "partitionValues: MAP<STRING, STRING>, size: BIGINT>, "
    "metaData STRUCT<id: STRING, name: STRING, description: STRING, format: STRUCT<provider: STRING, options: MAP<STRING, STRING>>, "
    "schemaString: STRING, partitionColumns: ARRAY<STRING>, configuration: MAP<STRING, STRING>, createdTime: BIGINT>, "
    "protocol STRUCT<minReaderVersion: INT, minWriterVersion: INT, readerFeatures: ARRAY<STRING>, writerFeatures: ARRAY<STRING>>";

enum { COLUMN_TXN, COLUMN_ADD, COLUMN_REMOVE, COLUMN_METADATA, COLUMN_PROTOCOL };

/* Where rows go. Appending never fails half-way: the first failure is kept, later calls do nothing. */
struct rows {
    struct budget *budget;
    struct error *err;
    bool failed;
};

/* Room for one more row of this level; its validity bit is set. */
static bool push(struct rows *rows, struct column *column)
{
    if (rows->failed || !column_reserve(column, rows->budget, (size_t)column->length + 1, rows->err)) {
        rows->failed = true;
        return false;
    }
    column->length++;
    return true;
}

static void push_null(struct rows *rows, struct column *column)
{
    if (!push(rows, column)) return;
    uint32_t row = column->length - 1;
    bit_clear(column->validity, row);
    column->null_count++;
    if (column->offsets) column->offsets[row + 1] = column->offsets[row];
    size_t width = type_width(column->type->kind);
    if (width) memset((uint8_t *)column->values + row * width, 0, width);
    if (column->type->kind == TYPE_BOOLEAN) bit_clear(column->values, row);
    if (column->type->kind == TYPE_STRUCT)
        for (uint32_t i = 0; i < column->child_count; i++) push_null(rows, &column->children[i]);
}

static void push_text(struct rows *rows, struct column *column, const char *text)
{
    if (!text) {
        push_null(rows, column);
        return;
    }
    if (!push(rows, column)) return;
    uint32_t row = column->length - 1;
    size_t size = strlen(text), start = (size_t)column->offsets[row];
    if (size > INT32_MAX - start) {
        rows->failed = true;
        error_set(rows->err, COND_INLET_RESOURCE, "the rows of the checkpoint are too large");
        return;
    }
    if (!column_reserve_data(column, rows->budget, start + size, rows->err)) {
        rows->failed = true;
        return;
    }
    if (size) memcpy(column->data + start, text, size);
    column->offsets[row + 1] = (int32_t)(start + size);
}

static void push_integer(struct rows *rows, struct column *column, int64_t value)
{
    if (!push(rows, column)) return;
    if (column->type->kind == TYPE_INT) ((int32_t *)column->values)[column->length - 1] = (int32_t)value;
    else ((int64_t *)column->values)[column->length - 1] = value;
}

static void push_boolean(struct rows *rows, struct column *column, bool value)
{
    if (!push(rows, column)) return;
    if (value) bit_set(column->values, column->length - 1);
    else bit_clear(column->values, column->length - 1);
}

/* An array or map whose elements have been pushed into its children. */
static void push_list(struct rows *rows, struct column *column)
{
    if (push(rows, column)) column->offsets[column->length] = (int32_t)column->children[0].length;
}

static void push_names(struct rows *rows, struct column *column, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) push_text(rows, &column->children[0], names[i]);
    push_list(rows, column);
}

static void push_pair(struct rows *rows, struct column *column, const char *key, const char *value)
{
    push_text(rows, &column->children[0], key);
    push_text(rows, &column->children[1], value);
}

static void push_tree(struct rows *rows, struct column *column, const struct tree *map)
{
    for (const struct tree *node = map ? map->first : NULL; node; node = node->next)
        push_pair(rows, column, node->key, node->kind == TREE_NULL ? NULL : node->text);
    push_list(rows, column);
}

/* Begins a row: the one column that is not null, its children to be pushed by the caller. */
static struct column *push_row(struct rows *rows, struct chunk *chunk, int column)
{
    for (int i = 0; i <= COLUMN_PROTOCOL; i++)
        if (i != column) push_null(rows, &chunk->columns[i]);
    push(rows, &chunk->columns[column]);
    chunk->row_count++;
    return chunk->columns[column].children;
}

static void push_protocol(struct rows *rows, struct chunk *chunk, const struct delta_protocol *protocol)
{
    struct column *to = push_row(rows, chunk, COLUMN_PROTOCOL);
    push_integer(rows, &to[0], protocol->min_reader);
    push_integer(rows, &to[1], protocol->min_writer);
    if (protocol->min_reader >= 3) push_names(rows, &to[2], protocol->reader_features, protocol->reader_feature_count);
    else push_null(rows, &to[2]);
    if (protocol->min_writer >= 7) push_names(rows, &to[3], protocol->writer_features, protocol->writer_feature_count);
    else push_null(rows, &to[3]);
}

static void push_metadata(struct rows *rows, struct chunk *chunk, const struct delta_metadata *metadata)
{
    struct column *to = push_row(rows, chunk, COLUMN_METADATA);
    push_text(rows, &to[0], metadata->id);
    push_text(rows, &to[1], metadata->name);
    push_text(rows, &to[2], metadata->description);
    push(rows, &to[3]);
    push_text(rows, &to[3].children[0], "parquet");
    push_list(rows, &to[3].children[1]);
    push_text(rows, &to[4], metadata->schema_json);
    push_names(rows, &to[5], metadata->partition_columns, metadata->partition_count);
    push_tree(rows, &to[6], metadata->configuration);
    push_integer(rows, &to[7], metadata->created_time_ms);
}

static void push_txn(struct rows *rows, struct chunk *chunk, const struct delta_txn *txn)
{
    struct column *to = push_row(rows, chunk, COLUMN_TXN);
    push_text(rows, &to[0], txn->app_id);
    push_integer(rows, &to[1], txn->version);
    push_integer(rows, &to[2], txn->last_updated_ms);
}

/* The value of a partition column; NULL: null, which an empty text stands for, too. */
static const char *partition_value(const struct delta_file_action *action, const char *column)
{
    for (size_t i = 0; i < action->pair_count; i++)
        if (strcmp(action->pairs[i].key, column) == 0) return action->pairs[i].value && *action->pairs[i].value ? action->pairs[i].value : NULL;
    return NULL;
}

static void push_add(struct rows *rows, struct chunk *chunk, const struct delta_file_action *action, const struct delta_metadata *metadata,
                     struct arena *scratch)
{
    struct column *to = push_row(rows, chunk, COLUMN_ADD);
    const struct delta_add *add = &action->add;
    push_text(rows, &to[0], add->path);
    for (size_t i = 0; i < metadata->partition_count; i++)
        push_pair(rows, &to[1], metadata->partition_columns[i], partition_value(action, metadata->partition_columns[i]));
    push_list(rows, &to[1]);
    push_integer(rows, &to[2], add->size);
    push_integer(rows, &to[3], add->modification_time_ms);
    push_boolean(rows, &to[4], false); /* By convention: nothing changes by a checkpoint. */
    push_text(rows, &to[5], add->stats_json);
    struct tree *tags = add->tags_json ? tree_parse_json(scratch, slice_text(add->tags_json), NULL) : NULL;
    if (tags) push_tree(rows, &to[6], tags);
    else push_null(rows, &to[6]);
}

static void push_remove(struct rows *rows, struct chunk *chunk, const struct delta_remove *removed, struct arena *scratch)
{
    struct column *to = push_row(rows, chunk, COLUMN_REMOVE);
    struct tree *extra = removed->extra_json ? tree_parse_json(scratch, slice_text(removed->extra_json), NULL) : NULL;
    struct tree *values = tree_get(extra, "partitionValues");
    push_text(rows, &to[0], removed->path);
    push_integer(rows, &to[1], removed->deletion_timestamp_ms);
    push_boolean(rows, &to[2], removed->data_change);
    push_boolean(rows, &to[3], extra && tree_get_bool(extra, "extendedFileMetadata", false));
    if (values && values->kind == TREE_MAP) push_tree(rows, &to[4], values);
    else push_null(rows, &to[4]);
    push_integer(rows, &to[5], extra ? tree_get_int(extra, "size", 0) : 0);
}

/* --- writing: the file --- */

enum { PIECE_BYTES_MAX = 32 << 20, ROWS_PER_CHUNK = 4096 };

struct output {
    const struct delta_snapshot *snapshot;
    struct inlet_context *context;
    struct encoder *encoder;
    struct encoder_file *file;
    struct piece *piece;
    struct chunk chunk;
    struct rows rows;
    struct arena *scratch;
    struct draft draft;
    int64_t row_count, add_count, bytes, tombstones_from_ms;
};

static bool output_write(struct output *output, struct slice bytes, struct error *err)
{
    output->bytes += (int64_t)bytes.size;
    return write_all(output->draft.fd, bytes.data, bytes.size, output->draft.path, err);
}

static bool output_piece(struct output *output, struct error *err)
{
    if (!output->piece) return true;
    struct slice bytes;
    bool done = parquet_encoder.piece_finish(output->piece, err) &&
                parquet_encoder.file_piece(output->file, output->piece, &bytes, err) && output_write(output, bytes, err);
    parquet_encoder.piece_free(output->piece);
    output->piece = NULL;
    return done;
}

static bool output_chunk(struct output *output, struct error *err)
{
    if (output->rows.failed) return false;
    if (output->chunk.row_count == 0) return true;
    if (!output->piece && !(output->piece = parquet_encoder.piece_new(output->encoder, output->context, err))) return false;
    if (!parquet_encoder.piece_add(output->piece, &output->chunk, err)) return false;
    output->row_count += output->chunk.row_count;
    chunk_reset(&output->chunk);
    arena_reset(output->scratch);
    return parquet_encoder.piece_memory(output->piece) < PIECE_BYTES_MAX || output_piece(output, err);
}

/* After every row: a full chunk goes to the encoder. Column text is bounded by the rows of a chunk. */
static bool output_next(struct output *output, struct error *err)
{
    size_t text = 0;
    const struct column *adds = output->chunk.columns[COLUMN_ADD].children;
    if (adds[5].length) text = (size_t)adds[5].offsets[adds[5].length];
    if (output->chunk.row_count < ROWS_PER_CHUNK && text < CHUNK_TEXT_MAX && !output->rows.failed) return true;
    return output_chunk(output, err);
}

/* Tombstones live for delta.deletedFileRetentionDuration, one week unless set. */
static int64_t tombstones_from_ms(const struct delta_snapshot *snapshot, const struct inlet_context *context)
{
    const char *text = tree_get_text(snapshot->metadata.configuration, "delta.deletedFileRetentionDuration", "interval 1 week");
    int64_t us;
    if (!parse_interval_text(text, &us)) us = INT64_C(7) * 86400 * 1000000;
    return (context_now_us(context) - us) / 1000;
}

static bool output_action(void *user, const struct delta_file_action *action, struct error *err)
{
    struct output *output = user;
    if (action->has_deletion_vector)
        return error_set(err, COND_DELTA_UNSUPPORTED_FEATURES_FOR_READ,
                         "the table needs reader features that inlet does not know: deletionVectors (a file has one)");
    if (!action->is_add && action->remove.deletion_timestamp_ms < output->tombstones_from_ms) return true;
    output->add_count += action->is_add;
    if (action->is_add) push_add(&output->rows, &output->chunk, action, &output->snapshot->metadata, output->scratch);
    else push_remove(&output->rows, &output->chunk, &action->remove, output->scratch);
    return output_next(output, err);
}

static bool output_rows(struct output *output, const char *path, struct error *err)
{
    const struct delta_snapshot *snapshot = output->snapshot;
    push_protocol(&output->rows, &output->chunk, &snapshot->protocol);
    push_metadata(&output->rows, &output->chunk, &snapshot->metadata);
    for (size_t i = 0; i < snapshot->txn_count; i++) {
        push_txn(&output->rows, &output->chunk, &snapshot->txns[i]);
        if (!output_next(output, err)) return false;
    }
    output->tombstones_from_ms = tombstones_from_ms(snapshot, output->context);
    if (!delta_visit_files(path, snapshot, output->context, output_action, output, err)) return false;
    return output_chunk(output, err) && output_piece(output, err);
}

static bool output_file(struct output *output, const char *path, struct error *err)
{
    struct buffer edge = {0};
    bool done = parquet_encoder.file_head(output->file, &edge, err) && output_write(output, slice_of(edge.data, edge.size), err) &&
                output_rows(output, path, err);
    buffer_clear(&edge);
    done = done && parquet_encoder.file_tail(output->file, &edge, err) && output_write(output, slice_of(edge.data, edge.size), err);
    buffer_free(&edge);
    return done;
}

static bool output_init(struct output *output, struct arena *arena, struct error *err)
{
    const struct type *schema = schema_parse_ddl(arena, checkpoint_ddl, err);
    const struct option_spec *tables[] = {parquet_encoder.options};
    struct options *options = ARENA_NEW(arena, struct options);
    struct session *session = ARENA_NEW(arena, struct session);
    struct buffer warnings = {0};
    bool done = schema && options_parse(arena, "parquet", tables, 1, NULL, 0, "/", options, err) &&
                session_parse(arena, NULL, 0, session, &warnings, err);
    buffer_free(&warnings);
    if (!done) return false;
    struct encoder_spec *spec = ARENA_NEW(arena, struct encoder_spec);
    *spec = (struct encoder_spec){.schema = schema, .options = options, .session = session};
    chunk_init(&output->chunk, schema);
    output->encoder = parquet_encoder.open(spec, arena, err);
    output->file = output->encoder ? parquet_encoder.file_new(output->encoder, err) : NULL;
    return output->file != NULL;
}

static void output_fini(struct output *output)
{
    if (output->piece) parquet_encoder.piece_free(output->piece);
    if (output->file) parquet_encoder.file_free(output->file);
    if (output->chunk.schema) chunk_fini(&output->chunk);
    arena_free(output->scratch);
}

static bool write_hint(const char *directory, const struct output *output, struct arena *arena, struct error *err)
{
    char *text = arena_printf(arena, "{\"version\":%" PRId64 ",\"size\":%" PRId64 ",\"sizeInBytes\":%" PRId64 ",\"numOfAddFiles\":%" PRId64 "}",
                              output->snapshot->version, output->row_count, output->bytes, output->add_count);
    return file_replace(path_join(arena, directory, "_last_checkpoint"), slice_text(text), err);
}

bool delta_write_checkpoint(const char *path, const struct delta_snapshot *snapshot, struct inlet_context *context, struct error *err)
{
    struct arena *arena = arena_new("delta checkpoint");
    const char *directory = path_join(arena, path, "_delta_log");
    const char *final = delta_checkpoint_path(arena, directory, snapshot->version, 0, 0);
    struct output output = {.snapshot = snapshot, .context = context, .scratch = arena_new("delta checkpoint row"),
                            .rows = {.budget = context->budget, .err = err}};
    bool done = output_init(&output, arena, err) && draft_open(&output.draft, final, err);
    if (done && output_file(&output, path, err)) {
        done = draft_replace(&output.draft, err) && write_hint(directory, &output, arena, err);
    } else if (done) {
        draft_discard(&output.draft);
        done = false;
    }
    output_fini(&output);
    arena_free(arena);
    return done || error_context(err, "writing the checkpoint of version %" PRId64 " of Delta table %s", snapshot->version, path);
}
