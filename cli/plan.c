/* plan -- `inlet plan`: what the next run would take, without taking it. */
#include "cli/cli.h"
#include "loader/discover.h"
#include "loader/preview.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

struct candidate {
    const char *path;
    int64_t size, mtime_us;
    const char *state, *reason; /* "new", "pending", "planned", "unsettled", "skipped" */
};

struct plan_view {
    struct arguments *arguments;
    const struct pipeline *pipeline;
    struct candidate *items;
    size_t count, capacity;
};

static void add(struct plan_view *view, const char *directory, const char *name, int64_t size, int64_t mtime_us, const char *state, const char *reason)
{
    struct arena *arena = view->arguments->arena;
    if (view->count == view->capacity) {
        size_t wanted = view->capacity ? view->capacity * 2 : 256;
        struct candidate *grown = ARENA_ARRAY(arena, struct candidate, wanted);
        if (view->count) memcpy(grown, view->items, view->count * sizeof *grown);
        view->items = grown;
        view->capacity = wanted;
    }
    view->items[view->count++] = (struct candidate){arena_printf(arena, "%s/%s", directory, name), size, mtime_us, state, reason};
}

static bool on_file(void *user, const struct sighting *sighting, enum admission_verdict verdict, const char *reason, struct error *err)
{
    (void)err;
    const char *state = verdict == ADMIT_PENDING ? "new" : verdict == ADMIT_UNSETTLED ? "unsettled" : "skipped";
    add(user, sighting->directory, sighting->name, sighting->size, sighting->mtime_us, state, reason);
    return true;
}

static bool add_open_batch(struct plan_view *view, struct ledger *ledger, struct error *err)
{
    struct open_batch open;
    if (!ledger_open_batch(ledger, view->arguments->arena, &open, err)) return false;
    for (size_t i = 0; open.stage == BATCH_PLANNED && i < open.file_count; i++)
        add(view, open.files[i].directory, open.files[i].name, open.files[i].size, open.files[i].mtime_us, "planned", "in the open batch, which runs again first");
    return true;
}

static bool add_known(struct plan_view *view, struct ledger *ledger, struct error *err)
{
    struct ledger_source source = discoverer_source(&view->pipeline->reader);
    struct ledger_input *files;
    size_t count;
    struct take_limits all = {0};
    if (!add_open_batch(view, ledger, err) || !ledger_take(ledger, &source, &all, view->arguments->arena, &files, &count, err)) return false;
    for (size_t i = 0; i < count; i++) add(view, files[i].directory, files[i].name, files[i].size, files[i].mtime_us, "pending", NULL);
    return true;
}

static int rank(const struct candidate *item)
{
    if (strcmp(item->state, "planned") == 0) return 0;
    if (strcmp(item->state, "pending") == 0 || strcmp(item->state, "new") == 0) return 1;
    return 2;
}

/* The order in which batches take them: (mtime, path). */
static int by_turn(const void *a, const void *b)
{
    const struct candidate *left = a, *right = b;
    if (rank(left) != rank(right)) return rank(left) - rank(right);
    if (left->mtime_us != right->mtime_us) return left->mtime_us < right->mtime_us ? -1 : 1;
    return strcmp(left->path, right->path);
}

static void put_json(const struct plan_view *view, int64_t files, int64_t bytes)
{
    struct buffer out = {0};
    struct json_print json = {.out = &out};
    json_begin(&json, NULL, '{');
    json_put_text(&json, "pipeline", view->pipeline->name);
    json_put_int(&json, "files", files);
    json_put_int(&json, "bytes", bytes);
    json_put_int(&json, "max_files_per_trigger", view->pipeline->reader.settings.max_files);
    json_put_int(&json, "max_bytes_per_trigger", view->pipeline->reader.settings.max_bytes);
    json_begin(&json, "list", '[');
    for (size_t i = 0; i < view->count; i++) {
        const struct candidate *item = &view->items[i];
        json_begin(&json, NULL, '{');
        json_put_text(&json, "path", item->path);
        json_put_text(&json, "state", item->state);
        json_put_int(&json, "size", item->size);
        json_put_time(&json, "modification_time", item->mtime_us);
        if (item->reason) json_put_text(&json, "reason", item->reason);
        json_end(&json, '}');
    }
    json_end(&json, ']');
    json_end(&json, '}');
    buffer_byte(&out, '\n');
    print_buffer(&out);
}

static void put_text(const struct plan_view *view, int64_t files, int64_t bytes)
{
    struct buffer out = {0};
    buffer_printf(&out, "%s: the next run would take ", view->pipeline->name);
    put_count(&out, files);
    buffer_text(&out, files == 1 ? " file, " : " files, ");
    put_size(&out, bytes);
    buffer_byte(&out, '\n');
    for (size_t i = 0; i < view->count && !view->arguments->quiet; i++) {
        const struct candidate *item = &view->items[i];
        buffer_text(&out, "  ");
        put_padded(&out, item->state, 10, false);
        put_safe_text(&out, item->path);
        if (item->reason) buffer_printf(&out, "  (%s)", item->reason);
        buffer_byte(&out, '\n');
    }
    print_buffer(&out);
}

static bool plan_one(struct arguments *arguments, const struct target *target, struct error *err)
{
    if (!target->pipeline) return error_set(err, COND_INLET_USAGE, "plan needs the pipeline file, not only the checkpoint \"%s\"", target->checkpoint);
    struct plan_view view = {.arguments = arguments, .pipeline = target->pipeline};
    struct ledger *ledger = NULL;
    if (ledger_exists(target->checkpoint) && !(ledger = ledger_open_read(target->checkpoint, arguments->context, err))) return false;
    bool ok = (!ledger || add_known(&view, ledger, err)) && discover_preview(&target->pipeline->reader, ledger, arguments->context, on_file, &view, err);
    ledger_close(ledger);
    if (!ok) return false;
    int64_t files = 0, bytes = 0;
    for (size_t i = 0; i < view.count; i++) {
        if (rank(&view.items[i]) == 2) continue;
        files++;
        bytes += view.items[i].size;
    }
    if (view.count) qsort(view.items, view.count, sizeof *view.items, by_turn);
    if (arguments->json) put_json(&view, files, bytes);
    else put_text(&view, files, bytes);
    return true;
}

static int plan_run(struct arguments *arguments)
{
    struct target *targets;
    size_t count;
    struct error err;
    error_clear(&err);
    if (!find_targets(arguments, arguments->words, arguments->word_count, &targets, &count, &err)) return fail_with(&err);
    for (size_t i = 0; i < count; i++)
        if (!plan_one(arguments, &targets[i], &err)) return fail_with(&err);
    return EXIT_DONE;
}

static const struct flag no_flags[] = {{0}};
const struct verb plan_verb = {"plan", "plan [FLAGS] [PIPELINE...]", "what the next run would take",
                               "Lists the landing zone by the same rules as a run and prints the files that would be taken, in their order, and those that would not, with the reason.\n"
                               "Changes nothing; works beside a running service.",
                               no_flags, plan_run};
