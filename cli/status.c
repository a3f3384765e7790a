/* status -- `inlet status`: who runs, what is pending, the last batch, the last progress reports. */
#include "cli/cli.h"

#include <inttypes.h>
#include <stdio.h>

struct status {
    const struct target *target;
    struct ledger_owner owner;
    bool exists;
    struct ledger_counts counts;
    const char *query_id;
    const char **progress;
    size_t progress_count;
    struct open_batch open;
    const char *failure;       /* Of the last run, or NULL. */
    int64_t failure_us;
    int64_t now_us;
};

static bool collect(struct arguments *arguments, const struct target *target, struct status *out, struct error *err)
{
    *out = (struct status){.target = target, .now_us = context_now_us(arguments->context)};
    if (!ledger_owner(target->checkpoint, &out->owner, err)) return false;
    out->exists = ledger_exists(target->checkpoint);
    if (!out->exists) return true;
    struct ledger *ledger = ledger_open_read(target->checkpoint, arguments->context, err);
    if (!ledger) return false;
    out->query_id = arena_strdup(arguments->arena, ledger_query_id(ledger));
    bool ok = ledger_counts(ledger, &out->counts, err) && ledger_open_batch(ledger, arguments->arena, &out->open, err) &&
              ledger_progress_list(ledger, arguments->arena, &out->progress, &out->progress_count, err) &&
              ledger_setting_get(ledger, arguments->arena, FAILURE_SETTING, &out->failure, err) &&
              ledger_setting_int(ledger, FAILURE_TIME_SETTING, 0, &out->failure_us, err);
    ledger_close(ledger);
    return ok;
}

static const char *state_word(const struct status *status)
{
    if (status->owner.running) return "running";
    if (!status->exists) return "never started";
    return status->open.stage == BATCH_NONE ? "stopped" : "stopped within a batch";
}

static void put_json(const struct status *status)
{
    struct buffer out = {0};
    struct json_print json = {.out = &out};
    json_begin(&json, NULL, '{');
    json_put_text(&json, "pipeline", status->target->name);
    json_put_text(&json, "execution_state", state_word(status));
    json_put_text(&json, "id", status->query_id);
    json_put_text(&json, "checkpoint", status->target->checkpoint);
    if (status->owner.running) {
        json_put_int(&json, "pid", status->owner.pid);
        json_put_time(&json, "running_since", status->owner.start_us);
    }
    if (status->exists) {
        json_begin(&json, "files", '{');
        for (int state = FILE_UNSETTLED; state < FILE_STATE_COUNT; state++) json_put_int(&json, file_state_name(state), status->counts.files[state]);
        json_put_int(&json, "cleaned", status->counts.cleaned);
        json_end(&json, '}');
        json_put_int(&json, "pending_file_count", status->counts.files[FILE_PENDING]);
        json_put_int(&json, "pending_bytes", status->counts.pending_bytes);
        json_put_int(&json, "last_batch_id", status->counts.last_batch_id);
        json_put_time(&json, "last_commit", status->counts.last_commit_us);
        if (status->counts.last_commit_us) json_put_int(&json, "lag_seconds", (status->now_us - status->counts.last_commit_us) / 1000000);
        json_put_int(&json, "rows", status->counts.rows_out);
        json_put_int(&json, "bad_records", status->counts.records_bad);
        json_put_int(&json, "dropped_records", status->counts.records_dropped);
        if (status->open.stage != BATCH_NONE) {
            json_begin(&json, "open_batch", '{');
            json_put_int(&json, "batch_id", status->open.plan.batch_id);
            json_put_text(&json, "stage", status->open.stage == BATCH_PLANNED ? "planned" : "prepared");
            json_end(&json, '}');
        }
        if (status->failure) {
            json_put_time(&json, "last_failure", status->failure_us);
            json_put_text(&json, "last_error", status->failure);
        }
        json_begin(&json, "recent_progress", '[');
        for (size_t i = 0; i < status->progress_count; i++) json_put_raw(&json, NULL, status->progress[i]);
        json_end(&json, ']');
    }
    json_end(&json, '}');
    buffer_byte(&out, '\n');
    print_buffer(&out);
}

static void put_text(const struct status *status)
{
    struct buffer out = {0};
    buffer_printf(&out, "%s: %s", status->target->name, state_word(status));
    if (status->owner.running) {
        buffer_printf(&out, " (pid %" PRId64 ", since ", status->owner.pid);
        put_local_time(&out, status->owner.start_us);
        buffer_byte(&out, ')');
    }
    buffer_byte(&out, '\n');
    if (status->exists) {
        buffer_text(&out, "  files     ");
        bool first = true;
        for (int state = FILE_UNSETTLED; state < FILE_STATE_COUNT; state++) {
            if (!status->counts.files[state]) continue;
            if (!first) buffer_text(&out, ", ");
            first = false;
            put_count(&out, status->counts.files[state]);
            buffer_printf(&out, " %s", file_state_name(state));
        }
        if (first) buffer_text(&out, "none");
        if (status->counts.cleaned) buffer_printf(&out, " (%" PRId64 " cleaned)", status->counts.cleaned);
        buffer_text(&out, "\n  pending   ");
        put_size(&out, status->counts.pending_bytes);
        buffer_text(&out, "\n  batches   ");
        put_count(&out, status->counts.batches);
        if (status->counts.last_batch_id >= 0) {
            buffer_printf(&out, ", last %" PRId64 " at ", status->counts.last_batch_id);
            put_local_time(&out, status->counts.last_commit_us);
        }
        buffer_text(&out, "\n  rows      ");
        put_count(&out, status->counts.rows_out);
        if (status->counts.records_bad) buffer_printf(&out, ", %" PRId64 " bad record%s", status->counts.records_bad, status->counts.records_bad == 1 ? "" : "s");
        if (status->counts.records_dropped) buffer_printf(&out, ", %" PRId64 " dropped", status->counts.records_dropped);
        buffer_byte(&out, '\n');
        if (status->open.stage != BATCH_NONE)
            buffer_printf(&out, "  open      batch %" PRId64 ", %s\n", status->open.plan.batch_id, status->open.stage == BATCH_PLANNED ? "planned" : "prepared");
        if (status->failure) {
            buffer_text(&out, "  failed    at ");
            put_local_time(&out, status->failure_us);
            buffer_text(&out, ": ");
            put_safe_text(&out, status->failure);
            buffer_byte(&out, '\n');
        }
    }
    print_buffer(&out);
}

static int status_run(struct arguments *arguments)
{
    struct target *targets;
    size_t count;
    struct error err;
    error_clear(&err);
    if (!find_targets(arguments, arguments->words, arguments->word_count, &targets, &count, &err)) return fail_with(&err);
    for (size_t i = 0; i < count; i++) {
        struct status status;
        if (!collect(arguments, &targets[i], &status, &err)) return fail_with(&err);
        if (arguments->json) put_json(&status);
        else put_text(&status);
    }
    return EXIT_DONE;
}

static const struct flag no_flags[] = {{0}};
const struct verb status_verb = {"status", "status [FLAGS] [PIPELINE...]", "what runs, what is pending, the last batch",
                                 "One object per pipeline; --json has the last 100 StreamingQueryProgress reports. Works beside a running service.\n"
                                 "A PIPELINE may also be a checkpoint folder; none: the pipeline files of the current folder.",
                                 no_flags, status_run};
