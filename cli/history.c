/* history -- `inlet history`: the batches of a checkpoint, or DESCRIBE HISTORY of a Delta table. */
#include "base/tree.h"
#include "cli/cli.h"
#include "formats/delta_log.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

static void put_batch_json(struct buffer *out, const struct ledger_batch *batch)
{
    struct json_print json = {.out = out};
    static const char *const stages[] = {"committed", "planned", "prepared"};
    json_begin(&json, NULL, '{');
    json_put_int(&json, "batch_id", batch->batch_id);
    json_put_text(&json, "state", stages[batch->stage]);
    json_put_int(&json, "files", batch->files);
    json_put_int(&json, "rows_read", batch->rows);
    json_put_int(&json, "rows", batch->rows_out);
    json_put_int(&json, "bad_records", batch->records_bad);
    json_put_int(&json, "dropped_records", batch->records_dropped);
    json_put_int(&json, "bytes_read", batch->bytes);
    json_put_int(&json, "bytes_written", batch->bytes_out);
    json_put_time(&json, "planned", batch->planned_us);
    json_put_time(&json, "prepared", batch->prepared_us);
    json_put_time(&json, "committed", batch->committed_us);
    json_put_text(&json, "plan_digest", batch->plan_digest);
    json_put_text(&json, "limits", batch->limits);
    json_put_int(&json, "cleaned_files", batch->cleaned_files);
    json_end(&json, '}');
    buffer_byte(out, '\n');
}

static void put_batch_row(struct buffer *out, const struct ledger_batch *batch)
{
    char id[32];
    snprintf(id, sizeof id, "%" PRId64, batch->batch_id);
    put_padded(out, id, 6, true);
    const int64_t numbers[] = {batch->files, batch->rows_out, batch->bytes, batch->bytes_out, batch->records_bad};
    for (size_t i = 0; i < COUNTOF(numbers); i++) {
        struct buffer text = {0};
        put_count(&text, numbers[i]);
        buffer_byte(out, ' ');
        put_padded(out, buffer_string(&text), i == 0 ? 8 : i == 4 ? 5 : 14, true);
        buffer_free(&text);
    }
    buffer_text(out, "  ");
    put_local_time(out, batch->committed_us ? batch->committed_us : batch->planned_us);
    int64_t took = batch->committed_us && batch->planned_us ? (batch->committed_us - batch->planned_us) / 1000 : -1;
    if (took >= 0) buffer_printf(out, "  %" PRId64 " ms", took);
    if (batch->stage == BATCH_PLANNED) buffer_text(out, "  (planned)");
    if (batch->stage == BATCH_PREPARED) buffer_text(out, "  (prepared)");
    buffer_byte(out, '\n');
}

static bool list_batches(struct arguments *arguments, const struct target *target, int64_t limit, struct error *err)
{
    struct ledger *ledger = ledger_open_read(target->checkpoint, arguments->context, err);
    if (!ledger) return false;
    struct buffer out = {0};
    if (!arguments->json && !arguments->quiet) buffer_text(&out, " batch    files           rows       bytes in      bytes out   bad  time\n");
    int64_t first = -1;
    bool ok = true;
    while (limit != 0) {
        struct arena *arena = arena_new("history");
        struct ledger_batch *batches;
        size_t count, wanted = limit < 0 || limit > 1000 ? 1000 : (size_t)limit;
        ok = ledger_batches(ledger, first, true, wanted, arena, &batches, &count, err);
        for (size_t i = 0; ok && i < count; i++) {
            if (arguments->json) put_batch_json(&out, &batches[i]);
            else put_batch_row(&out, &batches[i]);
            first = batches[i].batch_id - 1;
        }
        arena_free(arena);
        print_buffer(&out);
        if (!ok || count < wanted || first < 0) break;
        if (limit > 0) limit -= (int64_t)count;
    }
    ledger_close(ledger);
    return ok;
}

static bool is_delta(struct arena *arena, const char *path)
{
    struct stat info;
    return stat(arena_printf(arena, "%s/_delta_log", path), &info) == 0 && S_ISDIR(info.st_mode);
}

static void put_delta_row(struct buffer *out, const struct tree *row)
{
    buffer_printf(out, "%8s  %-24s  %-20s ", tree_get_text(row, "version", "?"), tree_get_text(row, "timestamp", "?"), tree_get_text(row, "operation", "?"));
    struct tree *metrics = tree_get(row, "operationMetrics");
    for (struct tree *metric = metrics ? metrics->first : NULL; metric; metric = metric->next)
        buffer_printf(out, " %s=%s", metric->key, metric->text ? metric->text : "");
    const char *engine = tree_get_text(row, "engineInfo", NULL);
    if (engine) buffer_printf(out, "  (%s)", engine);
    buffer_byte(out, '\n');
}

static bool describe_delta(struct arguments *arguments, const char *path, int64_t limit, struct error *err)
{
    struct buffer json = {0}, out = {0};
    bool ok = delta_history(path, limit < 0 ? 0 : (size_t)limit, arguments->arena, &json, err);
    struct tree *rows = ok ? tree_parse_json(arguments->arena, slice_of(json.data, json.size), err) : NULL;
    for (struct tree *row = rows ? rows->first : NULL; row; row = row->next) {
        if (arguments->json) {
            tree_print_json(row, &out);
            buffer_byte(&out, '\n');
        } else {
            put_delta_row(&out, row);
        }
    }
    buffer_free(&json);
    print_buffer(&out);
    return rows != NULL;
}

static int history_run(struct arguments *arguments)
{
    struct target *targets;
    size_t count;
    struct error err;
    int64_t limit;
    error_clear(&err);
    if (!flag_int(arguments, "limit", -1, &limit)) return EXIT_USAGE;
    if (arguments->word_count == 1 && is_delta(arguments->arena, arguments->words[0]))
        return describe_delta(arguments, arguments->words[0], limit, &err) ? EXIT_DONE : fail_with(&err);
    if (!find_targets(arguments, arguments->words, arguments->word_count, &targets, &count, &err)) return fail_with(&err);
    for (size_t i = 0; i < count; i++) {
        if (!ledger_exists(targets[i].checkpoint)) {
            if (!arguments->quiet) fprintf(stderr, "inlet: %s has not run yet: there is no checkpoint at %s\n", targets[i].name, targets[i].checkpoint);
            continue;
        }
        if (!list_batches(arguments, &targets[i], limit, &err)) return fail_with(&err);
    }
    return EXIT_DONE;
}

static const struct flag history_flags[] = {{"limit", 'n', "N", "at most N batches, newest first"}, {0}};
const struct verb history_verb = {"history", "history [FLAGS] [PIPELINE... | DELTA_TABLE]", "batches; for a Delta table its versions",
                                  "The batches of a checkpoint, newest first. For the folder of a Delta table: DESCRIBE HISTORY.", history_flags, history_run};

static bool verify(struct arguments *arguments, const struct target *target, struct error *err)
{
    struct ledger *ledger = ledger_open_read(target->checkpoint, arguments->context, err);
    bool ok = ledger && ledger_verify(ledger, err);
    ledger_close(ledger);
    return ok;
}

static int fsck_run(struct arguments *arguments)
{
    struct target *targets;
    size_t count;
    struct error err;
    error_clear(&err);
    if (!find_targets(arguments, arguments->words, arguments->word_count, &targets, &count, &err)) return fail_with(&err);
    int status = EXIT_DONE;
    for (size_t i = 0; i < count; i++) {
        bool ok = verify(arguments, &targets[i], &err);
        if (!ok) status = fail_with(&err);
        if (arguments->json) {
            struct buffer out = {0};
            struct json_print json = {.out = &out};
            json_begin(&json, NULL, '{');
            json_put_text(&json, "pipeline", targets[i].name);
            json_put_bool(&json, "ok", ok);
            json_end(&json, '}');
            buffer_byte(&out, '\n');
            print_buffer(&out);
        } else if (ok && !arguments->quiet) {
            printf("%s: the ledger is sound\n", targets[i].name);
        }
    }
    return status;
}

static const struct flag no_flags[] = {{0}};
const struct verb fsck_verb = {"fsck", "fsck [FLAGS] [PIPELINE...]", "check every value of a ledger",
                               "Walks the whole ledger, checks checksums, counters and invariants. Changes nothing.", no_flags, fsck_run};
