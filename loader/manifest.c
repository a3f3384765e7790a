/* manifest -- printing and reading back what prepare() gave. */
#include "loader/manifest.h"
#include "base/tree.h"

#include <inttypes.h>

static void put_text(struct buffer *out, const char *key, const char *text)
{
    buffer_printf(out, "\"%s\":", key);
    buffer_json_string(out, text, strlen(text));
}

void manifest_print(const struct manifest *manifest, struct buffer *out)
{
    buffer_printf(out, "{\"rows\":%" PRId64 ",\"bytes\":%" PRId64 ",", manifest->rows, manifest->bytes);
    put_text(out, "detail", manifest->detail ? manifest->detail : "");
    buffer_text(out, ",\"files\":[");
    for (size_t i = 0; i < manifest->count; i++) {
        const struct manifest_file *file = &manifest->files[i];
        buffer_text(out, i ? ",{" : "{");
        put_text(out, "s", file->staged);
        buffer_byte(out, ',');
        put_text(out, "f", file->final_name);
        buffer_printf(out, ",\"b\":%" PRId64 ",\"r\":%" PRId64 ",\"m\":%" PRId64 ",", file->size, file->rows, file->mtime_ms);
        put_text(out, "d", file->detail ? file->detail : "");
        buffer_byte(out, '}');
    }
    buffer_text(out, "]}");
}

bool manifest_parse(struct arena *arena, struct slice text, struct manifest *out, struct error *err)
{
    memset(out, 0, sizeof *out);
    struct tree *tree = tree_parse_json(arena, text, err);
    struct tree *files = tree ? tree_get(tree, "files") : NULL;
    if (!files) {
        if (tree) error_set(err, COND_INLET_CHECKPOINT_DAMAGED, "the manifest of the prepared batch has no files");
        return error_context(err, "reading the manifest of the prepared batch from the ledger");
    }
    out->rows = tree_get_int(tree, "rows", 0);
    out->bytes = tree_get_int(tree, "bytes", 0);
    out->detail = tree_get_text(tree, "detail", "");
    out->count = files->count;
    out->files = ARENA_ARRAY(arena, struct manifest_file, files->count + 1);
    size_t i = 0;
    for (struct tree *file = files->first; file; file = file->next, i++)
        out->files[i] = (struct manifest_file){
            .staged = tree_get_text(file, "s", ""), .final_name = tree_get_text(file, "f", ""), .size = tree_get_int(file, "b", 0),
            .rows = tree_get_int(file, "r", 0), .mtime_ms = tree_get_int(file, "m", 0), .detail = tree_get_text(file, "d", "")};
    return true;
}
