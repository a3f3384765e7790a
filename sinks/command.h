/* command -- a program run once with a file as its standard input.
 *
 * No shell. It leads a process group of its own and dies with the thread that started it (so run it from the
 * coordinator, which lives as long as inlet does). Its standard output goes to inlet's standard
 * error, as inlet's standard output belongs to its own lines; so does its standard error, whose end is kept for the message. */
#pragma once
#include "base/context.h"
#include "base/error.h"

struct command {
    const char *const *argv;        /* NULL-terminated. argv[0] without a slash is looked up in PATH. */
    const char *directory;          /* Working directory. */
    const char *const *environment; /* "NAME=value", NULL-terminated: set on top of inlet's own. */
    int input;                      /* Descriptor that becomes standard input. */
    const struct cancel *cancel;    /* At level 2 the whole group is killed: INLET_CANCELLED. */
};

/* True: it exited with 0. Else INLET_COMMAND_FAILED with status or signal and its last lines. */
bool command_run(const struct command *command, struct error *err) MUST_CHECK;
