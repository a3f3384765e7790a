/* stop -- `inlet stop`: asks the process that owns a checkpoint to finish its batch and end. */
#include "cli/cli.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static bool wait_gone(const char *checkpoint, int64_t seconds, bool *gone, struct error *err)
{
    for (int64_t i = 0; i <= seconds * 20; i++) {
        struct ledger_owner owner;
        if (!ledger_owner(checkpoint, &owner, err)) return false;
        *gone = !owner.running;
        if (*gone) return true;
        nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
    }
    return true;
}

static bool stop_one(struct arguments *arguments, const struct target *target, int64_t seconds, const char **what, struct error *err)
{
    struct ledger_owner owner;
    bool gone = false;
    (void)arguments;
    if (!ledger_owner(target->checkpoint, &owner, err)) return false;
    *what = "not running";
    if (!owner.running) return true;
    if (owner.pid <= 1) return error_set(err, COND_INLET_CHECKPOINT_OWNED, "the owner of \"%s\" cannot be told (host %s)", target->checkpoint, owner.host);
    if (kill((pid_t)owner.pid, SIGTERM) != 0 && errno != ESRCH) return error_errno(err, "could not signal process %lld", (long long)owner.pid);
    if (!wait_gone(target->checkpoint, seconds, &gone, err)) return false;
    *what = "stopped";
    if (gone) return true;
    error_set(err, COND_INLET_CHECKPOINT_OWNED, "process %lld has not ended within %lld seconds", (long long)owner.pid, (long long)seconds);
    return error_hint(err, "It ends after its batch; run `inlet stop` again to stop it at once.");
}

static int stop_run(struct arguments *arguments)
{
    struct target *targets;
    size_t count;
    int64_t seconds;
    struct error err;
    error_clear(&err);
    if (!flag_int(arguments, "timeout", 30, &seconds)) return EXIT_USAGE;
    if (!find_targets(arguments, arguments->words, arguments->word_count, &targets, &count, &err)) return fail_with(&err);
    int status = EXIT_DONE;
    for (size_t i = 0; i < count; i++) {
        const char *what;
        if (!stop_one(arguments, &targets[i], seconds, &what, &err)) {
            status = fail_with(&err);
            continue;
        }
        struct buffer out = {0};
        if (arguments->json) {
            struct json_print json = {.out = &out};
            json_begin(&json, NULL, '{');
            json_put_text(&json, "pipeline", targets[i].name);
            json_put_text(&json, "status", what);
            json_end(&json, '}');
            buffer_byte(&out, '\n');
        } else if (!arguments->quiet) {
            buffer_printf(&out, "%s: %s\n", targets[i].name, what);
        }
        print_buffer(&out);
    }
    return status;
}

static const struct flag stop_flags[] = {{"timeout", 0, "SECONDS", "how long to wait for its end (30)"}, {0}};
const struct verb stop_verb = {"stop", "stop [FLAGS] [PIPELINE...]", "ask a running pipeline to finish its batch and end",
                               "Sends SIGTERM to the process that owns the checkpoint and waits for its end.", stop_flags, stop_run};
