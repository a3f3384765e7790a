/* retry -- `inlet retry PIPELINE [PATH...]`: files that failed are tried again by the next run. */
#include "cli/cli.h"
#include "loader/discover.h"
#include "loader/retake.h"

#include <inttypes.h>
#include <unistd.h>

struct request {
    struct arguments *arguments;
    const struct target *target;
    struct ledger *ledger;
    struct ledger_source source;
    struct retake_counts counts;
};

static bool retry_path(struct request *request, const char *word, struct error *err)
{
    struct place place = place_of(request->arguments, word);
    struct ledger_file file;
    if (!ledger_find(request->ledger, &request->source, place.directory, place.name, request->arguments->arena, &file, err)) return false;
    if (file.state != FILE_FAILED) {
        error_set(err, COND_INLET_NOT_FOUND, "the file \"%s\" is not among those that failed: it is %s", place.path,
                  file.state == FILE_UNKNOWN ? "not known to the ledger" : file_state_name(file.state));
        return error_hint(err, "`inlet files --state failed` lists them; `inlet why` says more of one.");
    }
    struct retake retake = {.source_id = file.source_id, .ordinal = file.ordinal, .gone = access(place.path, F_OK) != 0};
    *(retake.gone ? &request->counts.gone : &request->counts.retaken) += 1;
    return ledger_retake(request->ledger, &retake, 1, err);
}

static bool retry_files(struct request *request, const char **paths, size_t path_count, struct error *err)
{
    if (!ledger_failed_complete(request->ledger, err)) return false;
    if (!path_count) return retake_files(request->ledger, request->source.id, request->arguments->context, RETAKE_ALL, &request->counts, err);
    for (size_t i = 0; i < path_count; i++)
        if (!retry_path(request, paths[i], err)) return false;
    return true;
}

static void put_answer(const struct request *request)
{
    const struct retake_counts *counts = &request->counts;
    struct buffer out = {0};
    if (request->arguments->json) {
        struct json_print json = {.out = &out};
        json_begin(&json, NULL, '{');
        json_put_text(&json, "pipeline", request->target->name);
        json_put_int(&json, "retried", counts->retaken);
        json_put_int(&json, "vanished", counts->gone);
        json_put_int(&json, "kept", counts->kept);
        json_end(&json, '}');
        buffer_byte(&out, '\n');
    } else if (!request->arguments->quiet) {
        buffer_printf(&out, "%s: ", request->target->name);
        if (!counts->retaken && !counts->gone && !counts->kept) buffer_text(&out, "no file has failed");
        else buffer_printf(&out, "%" PRId64 " file%s: the next run tries again", counts->retaken, counts->retaken == 1 ? "" : "s");
        if (counts->gone) buffer_printf(&out, "; %" PRId64 " gone by now", counts->gone);
        if (counts->kept) buffer_printf(&out, "; %" PRId64 " whose folder an older version did not keep", counts->kept);
        buffer_byte(&out, '\n');
    }
    print_buffer(&out);
}

static bool retry_target(struct request *request, const char **paths, size_t path_count, struct error *err)
{
    const struct target *target = request->target;
    if (!ledger_exists(target->checkpoint)) return error_set(err, COND_INLET_NOT_FOUND, "there is no checkpoint in '%s' yet", target->checkpoint);
    if (target->pipeline) request->source = discoverer_source(&target->pipeline->reader);
    request->ledger = ledger_open(target->checkpoint, request->arguments->context, err);
    if (!request->ledger) {
        if (err->condition == COND_INLET_CHECKPOINT_OWNED)
            error_hint(err, "A running service tries a failed file again by itself within 10 seconds once it can be opened, or was changed: `touch` it.");
        return false;
    }
    bool ok = retry_files(request, paths, path_count, err);
    ledger_close(request->ledger);
    if (ok) put_answer(request);
    return ok;
}

static int retry_run(struct arguments *arguments)
{
    struct target *targets;
    size_t count, words = arguments->word_count;
    struct error err;
    error_clear(&err);
    if (!find_targets(arguments, arguments->words, words ? 1 : 0, &targets, &count, &err)) return fail_with(&err);
    if (words > 1 && count != 1) return usage_error(arguments, "paths need one pipeline, not %zu", count);
    for (size_t i = 0; i < count; i++) {
        struct request request = {.arguments = arguments, .target = &targets[i]};
        if (!retry_target(&request, arguments->words + 1, words ? words - 1 : 0, &err)) return fail_with(&err);
    }
    return EXIT_DONE;
}

static const struct flag no_flags[] = {{0}};
const struct verb retry_verb = {"retry", "retry [FLAGS] [PIPELINE [PATH...]]", "let the next run try files again that failed",
                                "Files in state failed (all of them, or those named) are taken by the next run as if they had just come. One that can be opened\n"
                                "again, or was changed, is taken without this. Refused while another process runs the pipeline.",
                                no_flags, retry_run};
