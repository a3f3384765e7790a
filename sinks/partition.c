/* partition -- resolving partitionBy, keys of rows, folder names, and sorting a chunk's rows. */
#include "sinks/partition.h"
#include "base/panic.h"
#include "base/uri.h"
#include "base/utf8.h"
#include "base/uuid.h"
#include "columns/show.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* --- layout --------------------------------------------------------------------------------------- */

static void print_names(const struct type *schema, struct buffer *out)
{
    for (size_t i = 0; i < schema->field_count; i++) buffer_printf(out, "%s%s", i ? ", " : "", schema->fields[i].name);
}

static bool refuse_unknown(const struct type *schema, const char *name, bool ambiguous, struct error *err)
{
    struct buffer names = {0};
    print_names(schema, &names);
    error_set(err, COND_INLET_PARTITION_COLUMN, ambiguous ? "Partition column %s is ambiguous in existing columns (%s)"
                                                          : "Partition column %s not found in existing columns (%s)",
              name, buffer_string(&names));
    buffer_free(&names);
    return false;
}

static bool refuse_type(const struct field *field, struct error *err)
{
    struct buffer text = {0};
    type_print_ddl(field->type, &text);
    error_set(err, COND_INVALID_PARTITION_COLUMN_TYPE, "Cannot use \"%s\" for partition column %s", buffer_string(&text), field->name);
    buffer_free(&text);
    return false;
}

static bool resolve_column(const struct partition_layout *layout, const char *name, uint32_t *index, size_t known, struct error *err)
{
    int found = schema_find(layout->schema, name, strlen(name), layout->session->case_sensitive);
    if (found < 0) return refuse_unknown(layout->schema, name, found == -2, err);
    const struct field *field = &layout->schema->fields[found];
    if (type_is_nested(field->type) || field->type->kind == TYPE_VOID) return refuse_type(field, err);
    for (size_t i = 0; i < known; i++)
        if (layout->columns[i] == (uint32_t)found)
            return error_set(err, COND_COLUMN_ALREADY_EXISTS, "The column `%s` already exists. Choose another name or rename the existing column",
                             field->name);
    *index = (uint32_t)found;
    return true;
}

static const char *folder_prefix(struct arena *arena, const struct field *field)
{
    struct buffer text = {0};
    partition_escape(&text, field->name, field->name_size);
    buffer_byte(&text, '=');
    const char *prefix = arena_strndup(arena, (const char *)text.data, text.size);
    buffer_free(&text);
    return prefix;
}

static bool is_partition(const struct partition_layout *layout, size_t column)
{
    for (size_t i = 0; i < layout->count; i++)
        if (layout->columns[i] == column) return true;
    return false;
}

static void collect_data(struct arena *arena, struct partition_layout *layout)
{
    const struct type *schema = layout->schema;
    size_t count = 0;
    struct field *fields = ARENA_ARRAY(arena, struct field, schema->field_count + 1);
    layout->data_columns = ARENA_ARRAY(arena, uint32_t, schema->field_count + 1);
    for (size_t i = 0; i < schema->field_count; i++) {
        if (is_partition(layout, i)) continue;
        layout->data_columns[count] = (uint32_t)i;
        fields[count++] = schema->fields[i];
    }
    layout->data_schema = type_struct(arena, fields, count);
}

bool partition_layout_make(struct arena *arena, const struct type *schema, const char *const *names, size_t count,
                           const struct session *session, struct partition_layout *out, struct error *err)
{
    *out = (struct partition_layout){.session = session, .schema = schema};
    out->columns = ARENA_ARRAY(arena, uint32_t, count + 1);
    out->prefixes = ARENA_ARRAY(arena, const char *, count + 1);
    for (size_t i = 0; i < count; i++) {
        if (!resolve_column(out, names[i], &out->columns[i], i, err)) return false;
        out->prefixes[i] = folder_prefix(arena, &schema->fields[out->columns[i]]);
    }
    out->count = count;
    collect_data(arena, out);
    return true;
}

bool partition_layout_needs_data(const struct partition_layout *layout, struct error *err)
{
    if (!layout->count || layout->data_schema->field_count) return true;
    error_set(err, COND_ALL_PARTITION_COLUMNS, "Cannot use all columns for partition columns");
    return error_hint(err, "Leave a column out of partitionBy: files without columns cannot be read back.");
}

/* --- keys ----------------------------------------------------------------------------------------- */

enum { MAP_FIRST = 64 };

struct partition_key *partition_map_find(const struct partition_map *map, const void *raw, size_t raw_size, uint64_t hash)
{
    if (!map->capacity) return NULL;
    for (uint32_t at = (uint32_t)hash & (map->capacity - 1);; at = (at + 1) & (map->capacity - 1)) {
        struct partition_key *key = map->slots[at];
        if (!key) return NULL;
        if (key->hash == hash && key->raw_size == raw_size && memcmp(key->raw, raw, raw_size) == 0) return key;
    }
}

static void map_place(struct partition_map *map, struct partition_key *key)
{
    uint32_t at = (uint32_t)key->hash & (map->capacity - 1);
    while (map->slots[at]) at = (at + 1) & (map->capacity - 1);
    map->slots[at] = key;
}

/* At most half full, so that a search ends soon. */
static void map_grow(struct partition_map *map)
{
    invariant(map->capacity < UINT32_MAX / 4);
    map->capacity = map->capacity ? map->capacity * 2 : MAP_FIRST;
    free(map->slots);
    map->slots = calloc(map->capacity, sizeof *map->slots);
    struct partition_key **keys = realloc(map->keys, map->capacity / 2 * sizeof *keys);
    if (!map->slots || !keys) panic_out_of_memory(map->capacity * sizeof *map->slots);
    map->keys = keys;
    for (uint32_t i = 0; i < map->count; i++) map_place(map, keys[i]);
}

struct partition_key *partition_map_add(struct partition_map *map, const void *raw, size_t raw_size, uint64_t hash)
{
    if (map->count >= map->capacity / 2) map_grow(map);
    struct partition_key *key = ARENA_NEW(map->arena, struct partition_key);
    key->raw = (const uint8_t *)arena_strndup(map->arena, raw, raw_size);
    key->raw_size = raw_size;
    key->hash = hash;
    key->id = map->count;
    map->keys[map->count++] = key;
    map_place(map, key);
    return key;
}

void partition_map_fini(struct partition_map *map)
{
    free(map->slots);
    free(map->keys);
    *map = (struct partition_map){0};
}

/* --- splitting ------------------------------------------------------------------------------------ */

struct partition_split {
    const struct partition_layout *layout;
    struct partition_map map;
    struct column *plain;          /* The chunk's partition columns, flattened. */
    struct buffer key, text;
    uint32_t *partition_of;        /* By position in the selection. */
    uint32_t *sorted;              /* Rows, partition by partition. */
    uint32_t row_capacity;
    struct partition_rows *groups; /* Of this chunk, in order of first appearance. */
    uint32_t *group_of;            /* By partition id: its group in this chunk, valid where groups[g].partition is the id. */
    uint32_t group_count, partition_capacity;
};

struct partition_split *partition_split_new(const struct partition_layout *layout)
{
    struct partition_split *split = calloc(1, sizeof *split);
    struct column *plain = calloc(layout->count + 1, sizeof *plain);
    if (!split || !plain) panic_out_of_memory(sizeof *split);
    split->layout = layout;
    split->plain = plain;
    split->map.arena = arena_new("partitions");
    return split;
}

void partition_split_free(struct partition_split *split)
{
    if (!split) return;
    arena_free(split->map.arena);
    partition_map_fini(&split->map);
    buffer_free(&split->key);
    buffer_free(&split->text);
    free(split->partition_of);
    free(split->sorted);
    free(split->groups);
    free(split->group_of);
    free(split->plain);
    free(split);
}

const struct partition_key *partition_split_key(const struct partition_split *split, uint32_t partition) { return split->map.keys[partition]; }

/* One value of the key: 0 for null and the empty text, else 1 and the value. */
static void key_value(struct buffer *key, const struct column *column, size_t row)
{
    enum type_kind kind = column->type->kind;
    bool valid = column_is_valid(column, row);
    if (type_is_bytes(column->type)) {
        uint32_t start = 0, size = 0;
        if (valid) {
            start = (uint32_t)column->offsets[row];
            size = (uint32_t)column->offsets[row + 1] - start;
        }
        buffer_byte(key, size != 0);
        if (!size) return;
        buffer_append(key, &size, sizeof size);
        buffer_append(key, column->data + start, size);
        return;
    }
    buffer_byte(key, valid);
    if (!valid) return;
    if (kind == TYPE_BOOLEAN) buffer_byte(key, bit_get(column->values, row));
    else buffer_append(key, (const uint8_t *)column->values + row * type_width(kind), type_width(kind));
}

static bool is_null_key(const struct column *column, size_t row)
{
    if (!column_is_valid(column, row)) return true;
    return type_is_bytes(column->type) && column->offsets[row] == column->offsets[row + 1];
}

static void folder_value(struct partition_split *split, const struct column *column, size_t row, struct buffer *folder)
{
    struct buffer *text = &split->text;
    buffer_clear(text);
    if (!is_null_key(column, row)) show_value(column, row, split->layout->session, text);
    if (text->size == 0) {
        buffer_text(folder, HIVE_DEFAULT_PARTITION);
    } else if (utf8_valid(text->data, text->size)) {
        partition_escape(folder, (const char *)text->data, text->size);
    } else { /* Names are text: what is not UTF-8 is repaired as Java does. */
        struct buffer repaired = {0};
        utf8_repair(&repaired, text->data, text->size);
        partition_escape(folder, (const char *)repaired.data, repaired.size);
        buffer_free(&repaired);
    }
}

static bool name_folder(struct partition_split *split, size_t row, struct partition_key *key, struct error *err)
{
    const struct partition_layout *layout = split->layout;
    struct buffer folder = {0};
    bool ok = true;
    for (size_t i = 0; ok && i < layout->count; i++) {
        if (i) buffer_byte(&folder, '/');
        size_t start = folder.size;
        buffer_text(&folder, layout->prefixes[i]);
        folder_value(split, &split->plain[i], row, &folder);
        /* Found out now, not when the batch is published and cannot be changed any more. */
        if (folder.size - start > NAME_MAX)
            ok = error_set(err, COND_TASK_WRITE_FAILED, "the partition folder \"%.80s...\" has a name of %zu bytes, file systems take %d",
                           buffer_string(&folder) + start, folder.size - start, NAME_MAX);
    }
    if (ok && folder.size > PATH_MAX / 2)
        ok = error_set(err, COND_TASK_WRITE_FAILED, "the partition folders \"%.80s...\" have a path of %zu bytes", buffer_string(&folder), folder.size);
    if (ok) key->folder = arena_strndup(split->map.arena, (const char *)folder.data, folder.size);
    buffer_free(&folder);
    return ok;
}

static bool keep_values(struct partition_split *split, size_t row, struct partition_key *key, struct error *err)
{
    const struct partition_layout *layout = split->layout;
    key->values = "[]";
    if (!layout->print_value) return true;
    struct buffer values = {0};
    bool ok = true;
    buffer_byte(&values, '[');
    for (size_t i = 0; ok && i < layout->count; i++) {
        struct buffer *text = &split->text;
        buffer_clear(text);
        if (i) buffer_byte(&values, ',');
        if (is_null_key(&split->plain[i], row) || !layout->print_value(&split->plain[i], row, text)) {
            buffer_text(&values, "null");
            continue;
        }
        if (text->size && memchr(text->data, 0, text->size))
            ok = error_set(err, COND_TASK_WRITE_FAILED, "a value of partition column %s holds a NUL character",
                           layout->schema->fields[layout->columns[i]].name);
        buffer_json_string(&values, text->data, text->size);
    }
    buffer_byte(&values, ']');
    if (ok) key->values = arena_strndup(split->map.arena, (const char *)values.data, values.size);
    buffer_free(&values);
    return ok;
}

static void build_key(struct partition_split *split, size_t row)
{
    buffer_clear(&split->key);
    for (size_t i = 0; i < split->layout->count; i++) key_value(&split->key, &split->plain[i], row);
}

static void reserve_partitions(struct partition_split *split)
{
    if (split->map.count < split->partition_capacity) return;
    uint32_t capacity = split->partition_capacity ? split->partition_capacity * 2 : 16;
    uint32_t *group_of = realloc(split->group_of, capacity * sizeof *group_of);
    struct partition_rows *groups = realloc(split->groups, capacity * sizeof *groups);
    if (!group_of || !groups) panic_out_of_memory(capacity * sizeof *groups);
    memset(group_of + split->partition_capacity, 0, (capacity - split->partition_capacity) * sizeof *group_of);
    split->group_of = group_of;
    split->groups = groups;
    split->partition_capacity = capacity;
}

/* The partition whose key was just built for the row. */
static bool find_partition(struct partition_split *split, size_t row, uint32_t *partition, struct error *err)
{
    uint64_t hash = hash_bytes(split->key.data, split->key.size);
    struct partition_key *key = partition_map_find(&split->map, split->key.data, split->key.size, hash);
    if (!key) {
        key = partition_map_add(&split->map, split->key.data, split->key.size, hash);
        reserve_partitions(split);
        if (!name_folder(split, row, key, err) || !keep_values(split, row, key, err)) return false;
    }
    *partition = key->id;
    return true;
}

/* The group of a partition in this chunk, opened at its first row. */
static struct partition_rows *group_for(struct partition_split *split, uint32_t partition)
{
    uint32_t group = split->group_of[partition];
    if (group >= split->group_count || split->groups[group].partition != partition) {
        group = split->group_count++;
        split->group_of[partition] = group;
        split->groups[group] = (struct partition_rows){.partition = partition};
    }
    return &split->groups[group];
}

static void reserve_rows(struct partition_split *split, uint32_t count)
{
    if (count <= split->row_capacity) return;
    free(split->partition_of);
    free(split->sorted);
    split->partition_of = malloc(count * sizeof *split->partition_of);
    split->sorted = malloc(count * sizeof *split->sorted);
    if (!split->partition_of || !split->sorted) panic_out_of_memory(count * sizeof *split->sorted);
    split->row_capacity = count;
}

static bool assign_partitions(struct partition_split *split, const struct chunk *chunk, struct error *err)
{
    uint32_t count = chunk_selected(chunk), last = 0;
    struct buffer previous = {0};
    bool ok = true;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t row = chunk->selection ? chunk->selection[i] : i;
        build_key(split, row);
        /* Rows of one value tend to come together. */
        bool same = i && previous.size == split->key.size && memcmp(previous.data, split->key.data, previous.size) == 0;
        if (!same) {
            if (!(ok = find_partition(split, row, &last, err))) break;
            struct buffer swap = previous;
            previous = split->key;
            split->key = swap;
        }
        split->partition_of[i] = last;
        group_for(split, last)->count++;
    }
    buffer_free(&previous);
    return ok;
}

/* Counting sort by group: stable, so the rows of a partition stay in order. */
static void sort_rows(struct partition_split *split, const struct chunk *chunk)
{
    uint32_t start = 0;
    for (uint32_t g = 0; g < split->group_count; g++) {
        split->groups[g].rows = split->sorted + start;
        start += split->groups[g].count;
        split->groups[g].count = 0;
    }
    uint32_t count = chunk_selected(chunk);
    for (uint32_t i = 0; i < count; i++) {
        struct partition_rows *group = &split->groups[split->group_of[split->partition_of[i]]];
        split->sorted[(size_t)(group->rows - split->sorted) + group->count++] = chunk->selection ? chunk->selection[i] : i;
    }
}

bool partition_split_chunk(struct partition_split *split, const struct chunk *chunk, struct budget *budget,
                           const struct partition_rows **out, size_t *count, struct error *err)
{
    const struct partition_layout *layout = split->layout;
    split->group_count = 0;
    reserve_rows(split, chunk_selected(chunk));
    size_t made = 0;
    bool ok = true;
    for (; ok && made < layout->count; made++)
        ok = column_plain(&split->plain[made], &chunk->columns[layout->columns[made]], budget, err);
    ok = ok && assign_partitions(split, chunk, err);
    if (ok) sort_rows(split, chunk);
    for (size_t i = 0; i < made; i++) column_fini(&split->plain[i]);
    *out = split->groups;
    *count = split->group_count;
    return ok;
}
