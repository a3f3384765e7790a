/* why -- `inlet why PATH`: was this file loaded, and if not, which rule decided? */
#include "base/file.h"
#include "cli/cli.h"
#include "cli/file_print.h"
#include "loader/discover.h"
#include "loader/preview.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

struct question {
    const struct target *target;
    struct place place;
};

struct answer {
    struct ledger_file file;  /* FILE_UNKNOWN where the ledger has no row. */
    const char *rule;         /* Short name of the rule that decided. */
    const char *text;         /* A sentence. */
};

static void put_time_text(struct buffer *out, const char *before, int64_t us)
{
    buffer_text(out, before);
    put_local_time(out, us);
}

static const char *take_text(struct arena *arena, struct buffer *text)
{
    const char *copy = arena_strndup(arena, (const char *)text->data, text->size);
    buffer_free(text);
    return copy;
}

static void explain_committed(struct buffer *text, const struct ledger_file *file)
{
    buffer_printf(text, "loaded by batch %" PRId64 ": %" PRId64 " row%s", file->batch_id, file->rows, file->rows == 1 ? "" : "s");
    if (file->records_bad) buffer_printf(text, ", %" PRId64 " bad record%s", file->records_bad, file->records_bad == 1 ? "" : "s");
    if (file->records_dropped) buffer_printf(text, ", %" PRId64 " dropped", file->records_dropped);
    if (file->outcome == OUTCOME_EMPTY) buffer_text(text, " (the file is empty)");
    if (file->outcome == OUTCOME_CORRUPT) buffer_text(text, " (damaged; what came before the damage was kept)");
    put_time_text(text, ", committed ", file->committed_us);
    if (file->cleaned && file->clean_target) buffer_printf(text, "; then moved to %s", file->clean_target);
    else if (file->cleaned) buffer_text(text, "; then deleted");
}

/* The ledger knows the file: its state is the answer. */
static void explain_row(struct arena *arena, struct answer *answer)
{
    const struct ledger_file *file = &answer->file;
    struct buffer text = {0};
    answer->rule = file_state_name(file->state);
    switch (file->state) {
    case FILE_COMMITTED: explain_committed(&text, file); break;
    case FILE_PREPARED: buffer_printf(&text, "in batch %" PRId64 ", which is being published", file->batch_id); break;
    case FILE_PLANNED: buffer_printf(&text, "in batch %" PRId64 ", which is planned and will run (again)", file->batch_id); break;
    case FILE_PENDING: put_time_text(&text, "waiting for its turn, found ", file->seen_us); break;
    case FILE_UNSETTLED: buffer_printf(&text, "not taken yet: %s", file->reason ? file->reason : "somebody may still be writing it"); break;
    case FILE_FAILED: 
        buffer_printf(&text, "failed: %s", file->reason ? file->reason : "no reason was kept");
        put_time_text(&text, "; since ", file->changed_us);
        buffer_text(&text, ". Nothing of it was loaded. It is tried again once it can be opened or was changed, at the start of the next run, and by `inlet retry`");
        break;
    case FILE_SKIPPED: buffer_printf(&text, "skipped: %s", file->reason ? file->reason : "no reason was kept"); break;
    case FILE_VANISHED:
        buffer_text(&text, "it had gone when it was to be read; it is taken should it come back");
        if (file->reason) buffer_printf(&text, " (%s)", file->reason);
        break;
    default: buffer_text(&text, "unknown"); break;
    }
    answer->text = take_text(arena, &text);
}

/* No row: the rules of discovery, in their order. */
static bool explain_rules(struct arguments *arguments, const struct question *question, struct ledger *ledger, struct answer *answer, struct error *err)
{
    const struct pipeline_reader *reader = &question->target->pipeline->reader;
    struct object_stat info;
    const char *excluded = discover_why_not(reader, question->place.path, arguments->arena, err);
    if (error_is_set(err)) return false;
    if (excluded) {
        answer->rule = "excluded";
        answer->text = excluded;
        return true;
    }
    struct error absent;
    if (!local_store.head(question->place.path, &info, &absent)) {
        answer->rule = "absent";
        answer->text = arena_printf(arguments->arena, "%s", absent.message);
        return true;
    }
    struct sighting sighting = {.directory = question->place.directory, .name = question->place.name, .size = info.size, .mtime_us = info.mtime_us,
                                .ctime_us = info.ctime_us, .device = info.device, .inode = info.inode};
    enum admission_verdict verdict;
    const char *reason;
    if (!discover_judge(reader, ledger, arguments->context, &sighting, &verdict, &reason, err)) return false;
    answer->rule = verdict == ADMIT_PENDING ? "new" : verdict == ADMIT_UNSETTLED ? "unsettled" : verdict == ADMIT_SKIPPED ? "skipped" : "absent";
    if (verdict == ADMIT_PENDING) answer->text = "not found yet: the next run takes it";
    else answer->text = arena_printf(arguments->arena, "%s", reason ? reason : "it is not there");
    return true;
}

static bool answer_question(struct arguments *arguments, const struct question *question, struct answer *answer, struct error *err)
{
    struct ledger *ledger = NULL;
    bool ok = true;
    if (ledger_exists(question->target->checkpoint)) {
        struct ledger_source source = {0};
        if (question->target->pipeline) source = discoverer_source(&question->target->pipeline->reader);
        ledger = ledger_open_read(question->target->checkpoint, arguments->context, err);
        ok = ledger && ledger_find(ledger, &source, question->place.directory, question->place.name, arguments->arena, &answer->file, err);
    }
    if (ok && answer->file.state != FILE_UNKNOWN) explain_row(arguments->arena, answer);
    else if (ok && question->target->pipeline) ok = explain_rules(arguments, question, ledger, answer, err);
    else if (ok) answer->rule = "unknown", answer->text = "the ledger has never seen it";
    ledger_close(ledger);
    return ok;
}

static void put_answer(struct arguments *arguments, const struct question *question, const struct answer *answer)
{
    struct buffer out = {0};
    if (arguments->json) {
        struct json_print json = {.out = &out};
        json_begin(&json, NULL, '{');
        json_put_text(&json, "pipeline", question->target->name);
        json_put_text(&json, "path", question->place.path);
        json_put_text(&json, "rule", answer->rule);
        json_put_text(&json, "answer", answer->text);
        if (answer->file.state != FILE_UNKNOWN) {
            struct buffer file = {0};
            put_file_json(&file, &answer->file);
            file.size--; /* Without its newline. */
            json_put_raw(&json, "file", buffer_string(&file));
            buffer_free(&file);
        }
        json_end(&json, '}');
    } else {
        buffer_printf(&out, "%s: ", question->target->name);
        put_safe_text(&out, question->place.path);
        buffer_printf(&out, ": [%s] ", answer->rule);
        put_safe_text(&out, answer->text);
    }
    buffer_byte(&out, '\n');
    print_buffer(&out);
}

static bool looks_like_target(const char *word)
{
    size_t size = strlen(word);
    struct stat info;
    if (stat(word, &info) != 0) return false;
    if (S_ISDIR(info.st_mode)) return true;
    return (size > 5 && strcmp(word + size - 5, ".yaml") == 0) || (size > 4 && strcmp(word + size - 4, ".yml") == 0);
}

/* `why PIPELINE PATH` and `why PATH PIPELINE` mean the same; `why PATH` asks the pipelines of the current folder. */
static bool read_words(struct arguments *arguments, const char **path, const char **targets, size_t *target_count)
{
    const char *flag = flag_value(arguments, "pipeline");
    *target_count = 0;
    if (flag) targets[(*target_count)++] = flag;
    if (arguments->word_count == 1) {
        *path = arguments->words[0];
        return true;
    }
    if (arguments->word_count != 2) return false;
    bool first = looks_like_target(arguments->words[0]) || !looks_like_target(arguments->words[1]);
    targets[(*target_count)++] = arguments->words[first ? 0 : 1];
    *path = arguments->words[first ? 1 : 0];
    return true;
}

static int why_run(struct arguments *arguments)
{
    const char *word, *names[2];
    struct target *targets;
    size_t count, name_count;
    struct error err;
    error_clear(&err);
    if (!read_words(arguments, &word, names, &name_count) || !word[0]) return usage_error(arguments, "which file?");
    if (!find_targets(arguments, names, name_count, &targets, &count, &err)) return fail_with(&err);
    struct question question = {.place = place_of(arguments, word)};
    for (size_t i = 0; i < count; i++) {
        struct answer answer = {0};
        question.target = &targets[i];
        if (!answer_question(arguments, &question, &answer, &err)) return fail_with(&err);
        put_answer(arguments, &question, &answer);
    }
    return EXIT_DONE;
}

static const struct flag why_flags[] = {{"pipeline", 'p', "PIPELINE", "the pipeline to ask (default: those of the current folder)"}, {0}};
const struct verb why_verb = {"why", "why [FLAGS] [PIPELINE] PATH", "was this file loaded, and if not, which rule decided",
                              "Says what the ledger knows of the file, or the first rule of discovery that excludes it.", why_flags, why_run};
