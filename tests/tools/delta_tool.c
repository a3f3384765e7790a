/* delta_tool -- the Delta log from a shell, for cross-checks with other implementations.
 *
 *   delta_tool snapshot TABLE [VERSION]   state as one JSON object
 *   delta_tool history TABLE              DESCRIBE HISTORY
 *   delta_tool commit TABLE VERSION       actions from standard input, put if absent
 *   delta_tool checkpoint TABLE           checkpoint of the newest version */
#include "base/tree.h"
#include "formats/delta_log.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static void print_text(struct buffer *out, const char *text)
{
    if (text) buffer_json_string(out, text, strlen(text));
    else buffer_text(out, "null");
}

static bool snapshot(const char *path, int64_t version, struct arena *arena, struct inlet_context *context, struct error *err)
{
    struct delta_snapshot state, light;
    struct buffer out = {0};
    struct error refused = {0};
    if (!delta_snapshot_load(path, version, true, arena, context, &state, err)) return false;
    if (!delta_snapshot_load(path, version, false, arena, context, &light, err)) return false;
    if (state.version >= 0 && (light.version != state.version || light.txn_count != state.txn_count || light.add_count != 0 ||
                               strcmp(light.metadata.schema_json, state.metadata.schema_json) != 0))
        return error_set(err, COND_INLET_INTERNAL, "with and without files the log gives two states");
    buffer_printf(&out, "{\"version\":%" PRId64 ",\"checkpoint\":%" PRId64 ",\"removes\":%zu", state.version, state.checkpoint_version, state.remove_count);
    if (state.version >= 0) {
        buffer_printf(&out, ",\"readable\":%s,\"writable\":%s,\"schema\":", delta_check_readable(&state, &refused) ? "true" : "false",
                      delta_check_writable(&state, &refused) ? "true" : "false");
        buffer_text(&out, state.metadata.schema_json);
    }
    buffer_text(&out, ",\"txns\":{");
    for (size_t i = 0; i < state.txn_count; i++) {
        if (i) buffer_byte(&out, ',');
        print_text(&out, state.txns[i].app_id);
        buffer_printf(&out, ":%" PRId64, state.txns[i].version);
    }
    buffer_text(&out, "},\"adds\":[");
    for (size_t i = 0; i < state.add_count; i++) {
        if (i) buffer_byte(&out, ',');
        buffer_text(&out, "{\"path\":");
        print_text(&out, state.adds[i].path);
        buffer_text(&out, ",\"file\":");
        print_text(&out, delta_decode_path(arena, state.adds[i].path));
        buffer_printf(&out, ",\"size\":%" PRId64 ",\"values\":[", state.adds[i].size);
        for (size_t k = 0; k < state.metadata.partition_count; k++) {
            if (k) buffer_byte(&out, ',');
            print_text(&out, state.adds[i].partition_values[k]);
        }
        buffer_text(&out, "],\"stats\":");
        print_text(&out, state.adds[i].stats_json);
        buffer_byte(&out, '}');
    }
    buffer_text(&out, "]}");
    puts(buffer_string(&out));
    buffer_free(&out);
    return true;
}

static bool commit(const char *path, int64_t version, struct error *err)
{
    struct buffer text = {0};
    int byte;
    bool existed = false;
    while ((byte = getchar()) != EOF) buffer_byte(&text, (uint8_t)byte);
    bool done = delta_commit(path, version, slice_of(text.data, text.size), &existed, err);
    if (done) puts(existed ? "existed" : "done");
    buffer_free(&text);
    return done;
}

static bool checkpoint(const char *path, struct arena *arena, struct inlet_context *context, struct error *err)
{
    struct delta_snapshot state;
    return delta_snapshot_load(path, -1, true, arena, context, &state, err) && delta_write_checkpoint(path, &state, context, err);
}

static bool history(const char *path, struct arena *arena, struct error *err)
{
    struct buffer out = {0};
    bool done = delta_history(path, 0, arena, &out, err);
    if (done) puts(buffer_string(&out));
    buffer_free(&out);
    return done;
}

int main(int argc, char **argv)
{
    struct inlet_context context;
    struct error err = {0};
    struct arena *arena = arena_new("delta tool");
    bool done = false;
    inlet_context_init(&context);
    const char *verb = argc >= 3 ? argv[1] : "";
    int64_t version = argc >= 4 ? strtoll(argv[3], NULL, 10) : -1;
    if (strcmp(verb, "snapshot") == 0) done = snapshot(argv[2], version, arena, &context, &err);
    else if (strcmp(verb, "history") == 0) done = history(argv[2], arena, &err);
    else if (strcmp(verb, "commit") == 0) done = commit(argv[2], version, &err);
    else if (strcmp(verb, "checkpoint") == 0) done = checkpoint(argv[2], arena, &context, &err);
    else error_set(&err, COND_INLET_USAGE, "usage: delta_tool snapshot|history|commit|checkpoint TABLE [VERSION]");
    if (!done) {
        char text[8192];
        error_format(&err, text, sizeof(text));
        fprintf(stderr, "%s\n", text);
    }
    arena_free(arena);
    inlet_context_fini(&context);
    return done ? 0 : 1;
}
