/* files -- `inlet files`: each file with state, batch, rows, bytes, times and reason. */
#include "cli/cli.h"
#include "cli/file_print.h"

#include <stdio.h>
#include <stdlib.h>

void put_file_json(struct buffer *out, const struct ledger_file *file)
{
    struct json_print json = {.out = out};
    struct buffer path = {0};
    buffer_printf(&path, "%s/%s", file->directory, file->name);
    json_begin(&json, NULL, '{');
    json_put_text(&json, "path", buffer_string(&path));
    json_put_text(&json, "state", file_state_name(file->state));
    if (file->batch_id >= 0) json_put_int(&json, "batch_id", file->batch_id);
    else json_put_null(&json, "batch_id");
    if (file->size >= 0) json_put_int(&json, "size", file->size);
    if (file->mtime_us >= 0) json_put_time(&json, "modification_time", file->mtime_us);
    json_put_time(&json, "discovery_time", file->seen_us);
    json_put_time(&json, "processed_time", file->planned_us);
    json_put_time(&json, "commit_time", file->committed_us);
    if (file->state == FILE_COMMITTED || file->state == FILE_PREPARED) {
        json_put_int(&json, "rows", file->rows);
        json_put_int(&json, "records", file->records_framed);
        json_put_int(&json, "bad_records", file->records_bad);
        json_put_int(&json, "dropped_records", file->records_dropped);
        json_put_int(&json, "records_with_trailing_text", file->records_surplus);
        json_put_int(&json, "bytes_read", file->bytes);
        static const char *const outcomes[] = {"INGESTED", "EMPTY", "SKIPPED_CORRUPTED"};
        json_put_text(&json, "ingestion_state", outcomes[file->outcome]);
    }
    json_put_text(&json, "reason", file->reason);
    json_put_bool(&json, "cleaned", file->cleaned);
    if (file->clean_us) {
        json_put_time(&json, "archive_time", file->clean_us);
        json_put_text(&json, "move_location", file->clean_target);
        if (file->clean_reason) json_put_text(&json, "clean_reason", file->clean_reason);
    }
    json_end(&json, '}');
    buffer_byte(out, '\n');
    buffer_free(&path);
}

static void put_cell_int(struct buffer *out, int64_t value, bool known, size_t width)
{
    struct buffer text = {0};
    if (known) put_count(&text, value);
    else buffer_byte(&text, '-');
    put_padded(out, buffer_string(&text), width, true);
    buffer_byte(out, ' ');
    buffer_free(&text);
}

static void put_file_row(struct buffer *out, const struct ledger_file *file)
{
    bool done = file->state == FILE_COMMITTED || file->state == FILE_PREPARED;
    char batch[32] = "-";
    if (file->batch_id >= 0) snprintf(batch, sizeof batch, "%lld", (long long)file->batch_id);
    put_padded(out, file_state_name(file->state), 10, false);
    buffer_byte(out, ' ');
    put_padded(out, batch, 6, true);
    buffer_byte(out, ' ');
    put_cell_int(out, file->rows, done, 12);
    put_cell_int(out, file->size, file->size >= 0, 14);
    struct buffer time = {0};
    put_local_time(&time, file->committed_us ? file->committed_us : file->seen_us);
    put_padded(out, buffer_string(&time), 20, false);
    buffer_free(&time);
    put_safe_text(out, file->directory);
    buffer_byte(out, '/');
    put_safe_text(out, file->name);
    if (file->records_bad) buffer_printf(out, "  [%lld bad record%s]", (long long)file->records_bad, file->records_bad == 1 ? "" : "s");
    if (done && file->outcome == OUTCOME_EMPTY) buffer_text(out, "  [empty]");
    if (file->cleaned) {
        buffer_text(out, file->clean_target ? "  -> " : "  deleted");
        if (file->clean_target) put_safe_text(out, file->clean_target);
    }
    if (file->reason) {
        buffer_text(out, "  (");
        put_safe_text(out, file->reason);
        buffer_byte(out, ')');
    }
    buffer_byte(out, '\n');
}

static bool parse_states(const char *text, uint32_t *mask)
{
    *mask = 0;
    while (text && *text) {
        size_t size = strcspn(text, ",");
        bool found = false;
        for (int state = FILE_UNSETTLED; state < FILE_STATE_COUNT; state++) {
            const char *name = file_state_name(state);
            if (strlen(name) != size || strncasecmp(name, text, size) != 0) continue;
            *mask |= 1u << state;
            found = true;
        }
        if (!found) return false;
        text += size + (text[size] == ',');
    }
    return true;
}

/* Rows go out in blocks: the listing of ten million files needs no more memory than that of ten. */
enum { BLOCK = 64 << 10 };

static bool list_files(struct arguments *arguments, const struct target *target, const struct ledger_filter *filter, int64_t limit, struct error *err)
{
    struct ledger *ledger = ledger_open_read(target->checkpoint, arguments->context, err);
    if (!ledger) return false;
    struct ledger_scan *scan = ledger_scan_new(ledger, filter);
    struct buffer out = {0};
    if (!arguments->json && !arguments->quiet) buffer_text(&out, "state       batch         rows          bytes time                file\n");
    bool ok = true;
    for (int64_t i = 0; !limit || i < limit; i++) {
        const struct ledger_file *file;
        bool end;
        ok = ledger_scan_next(scan, &file, &end, err);
        if (!ok || end) break;
        if (arguments->json) put_file_json(&out, file);
        else put_file_row(&out, file);
        if (out.size > BLOCK) print_buffer(&out);
    }
    print_buffer(&out);
    ledger_scan_free(scan);
    ledger_close(ledger);
    return ok;
}

static int files_run(struct arguments *arguments)
{
    struct target *targets;
    size_t count;
    struct error err;
    int64_t limit;
    struct ledger_filter filter = {.batch_id = -1, .prefix = flag_value(arguments, "prefix")};
    error_clear(&err);
    if (!flag_int(arguments, "limit", 0, &limit) || !flag_int(arguments, "batch", -1, &filter.batch_id)) return EXIT_USAGE;
    if (!parse_states(flag_value(arguments, "state"), &filter.states))
        return usage_error(arguments, "--state takes unsettled, pending, planned, prepared, committed, failed, skipped, vanished, joined by commas");
    if (!find_targets(arguments, arguments->words, arguments->word_count, &targets, &count, &err)) return fail_with(&err);
    for (size_t i = 0; i < count; i++) {
        if (!ledger_exists(targets[i].checkpoint)) {
            if (!arguments->quiet) fprintf(stderr, "inlet: %s has not run yet: there is no checkpoint at %s\n", targets[i].name, targets[i].checkpoint);
            continue;
        }
        if (!list_files(arguments, &targets[i], &filter, limit, &err)) return fail_with(&err);
    }
    return EXIT_DONE;
}

static const struct flag files_flags[] = {
    {"state", 0, "STATES", "only these states, joined by commas"}, {"batch", 0, "N", "only the files of batch N"},
    {"prefix", 0, "PATH", "only paths that begin so"}, {"limit", 'n', "N", "at most N files"}, {0}};
const struct verb files_verb = {"files", "files [FLAGS] [PIPELINE...]", "each file with state, batch, rows, times, reason",
                                "One line (--json: one object) per file the ledger knows. Works beside a running service.", files_flags, files_run};
