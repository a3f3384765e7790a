/* command -- fork, exec, forward what it says, wait. */
#include "sinks/command.h"
#include "base/panic.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    TAIL_BYTES = 1500,      /* Of its standard error, for the message. */
    POLL_MS = 50,
    EXEC_FAILED = 127
};

struct running {
    pid_t pid;
    int said;               /* Read end of its standard error. */
    char tail[TAIL_BYTES];
    size_t tail_size;
};

extern char **environ;

/* inlet's environment with the command's variables in front: the first of a name wins, so those behind are left out. */
static char **merge_environment(const char *const *added)
{
    size_t own = 0, more = 0, count = 0;
    while (environ[own]) own++;
    while (added[more]) more++;
    char **merged = calloc(own + more + 1, sizeof *merged);
    if (!merged) panic_out_of_memory((own + more) * sizeof *merged);
    for (size_t i = 0; i < more; i++) merged[count++] = (char *)(uintptr_t)added[i];
    for (size_t i = 0; i < own; i++) {
        size_t name = strcspn(environ[i], "=") + 1;
        bool replaced = false;
        for (size_t j = 0; j < more && !replaced; j++) replaced = strncmp(environ[i], added[j], name) == 0;
        if (!replaced) merged[count++] = environ[i];
    }
    return merged;
}

/* In the child: only calls that are safe between fork and exec of a threaded process. Never returns. */
static _Noreturn void become(const struct command *command, char **environment, pid_t parent, int said, int report)
{
    sigset_t none;
    sigemptyset(&none);
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    bool ok = getppid() == parent; /* It may have died before the line above. */
    sigprocmask(SIG_SETMASK, &none, NULL);
    static const int reset[] = {SIGPIPE, SIGXFSZ, SIGINT, SIGTERM, SIGHUP, SIGCHLD, SIGIO, SIGUSR1, SIGUSR2};
    for (size_t i = 0; i < COUNTOF(reset); i++) signal(reset[i], SIG_DFL);
    ok = ok && chdir(command->directory) == 0 && dup2(command->input, STDIN_FILENO) >= 0 &&
         dup2(STDERR_FILENO, STDOUT_FILENO) >= 0 && dup2(said, STDERR_FILENO) >= 0;
    if (ok) execvpe(command->argv[0], (char *const *)(uintptr_t)command->argv, environment);
    int reason = errno;
    while (write(report, &reason, sizeof reason) < 0 && errno == EINTR) {}
    _exit(EXEC_FAILED);
}

/* The errno of a failed exec, or 0: the report pipe closes at exec without a word. */
static int exec_failure(int report)
{
    int reason = 0;
    ssize_t got;
    while ((got = read(report, &reason, sizeof reason)) < 0 && errno == EINTR) {}
    return got == (ssize_t)sizeof reason ? reason : 0;
}

static pid_t wait_for(pid_t pid, int *status, int flags)
{
    pid_t got;
    while ((got = waitpid(pid, status, flags)) < 0 && errno == EINTR) {}
    return got;
}

static bool start(const struct command *command, struct running *running, struct error *err)
{
    int said[2], report[2];
    if (pipe2(said, O_CLOEXEC) != 0) return error_errno(err, "could not make a pipe for the command \"%s\"", command->argv[0]);
    if (pipe2(report, O_CLOEXEC) != 0) {
        error_errno(err, "could not make a pipe for the command \"%s\"", command->argv[0]);
        close(said[0]);
        close(said[1]);
        return false;
    }
    char **environment = merge_environment(command->environment);
    pid_t parent = getpid();
    running->pid = fork();
    if (running->pid == 0) become(command, environment, parent, said[1], report[1]);
    int fork_errno = errno;
    free(environment);
    close(said[1]);
    close(report[1]);
    running->said = said[0];
    int reason = running->pid > 0 ? exec_failure(report[0]) : fork_errno;
    close(report[0]);
    if (!reason) return true;
    int status;
    if (running->pid > 0) wait_for(running->pid, &status, 0);
    close(said[0]);
    error_set(err, COND_INLET_COMMAND_FAILED, "could not start the command \"%s\" in folder \"%s\": %s", command->argv[0], command->directory,
              strerror(reason));
    return false;
}

static void keep_tail(struct running *running, const char *text, size_t size)
{
    if (size > TAIL_BYTES) {
        text += size - TAIL_BYTES;
        size = TAIL_BYTES;
    }
    size_t keep = running->tail_size + size > TAIL_BYTES ? TAIL_BYTES - size : running->tail_size;
    memmove(running->tail, running->tail + running->tail_size - keep, keep);
    memcpy(running->tail + keep, text, size);
    running->tail_size = keep + size;
}

/* What it said so far goes on to our standard error. False: it will say no more. */
static bool forward(struct running *running, int timeout_ms)
{
    struct pollfd waiting = {.fd = running->said, .events = POLLIN};
    if (poll(&waiting, 1, timeout_ms) <= 0) return true;
    char text[4096];
    ssize_t got = read(running->said, text, sizeof text);
    if (got < 0) return errno == EINTR || errno == EAGAIN;
    if (got == 0) return false;
    keep_tail(running, text, (size_t)got);
    for (ssize_t at = 0; at < got;) {
        ssize_t written = write(STDERR_FILENO, text + at, (size_t)(got - at));
        if (written < 0 && errno != EINTR) break; /* Nobody listens; the tail is kept all the same. */
        if (written > 0) at += written;
    }
    return true;
}

/* Something the command left behind may hold its standard error open: what is there is taken, not waited for. */
static void forward_rest(struct running *running)
{
    int flags = fcntl(running->said, F_GETFL);
    if (flags < 0 || fcntl(running->said, F_SETFL, flags | O_NONBLOCK) != 0) return;
    struct pollfd waiting = {.fd = running->said, .events = POLLIN};
    while (poll(&waiting, 1, 0) > 0 && forward(running, 0)) {}
}

/* False: it was killed because the stream is to stop now, or nobody can tell how it ended. */
static bool await(const struct command *command, struct running *running, int *status, struct error *err)
{
    bool talking = true;
    for (;;) {
        if (talking) talking = forward(running, POLL_MS);
        pid_t got = wait_for(running->pid, status, WNOHANG);
        if (got == running->pid) break;
        if (got < 0) /* Where SIGCHLD is ignored the kernel keeps no status. */
            return error_set(err, COND_INLET_COMMAND_FAILED, "could not learn how the command \"%s\" ended: %s", command->argv[0], strerror(errno));
        if (cancel_now(command->cancel)) {
            kill(-running->pid, SIGKILL);
            wait_for(running->pid, status, 0);
            return error_set(err, COND_INLET_CANCELLED, "the command \"%s\" was stopped", command->argv[0]);
        }
        if (!talking) poll(NULL, 0, 5);
    }
    if (talking) forward_rest(running);
    return true;
}

static bool refuse_status(const struct command *command, const struct running *running, int status, struct error *err)
{
    char how[64];
    if (WIFSIGNALED(status)) snprintf(how, sizeof how, "was ended by signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
    else snprintf(how, sizeof how, "exited with status %d", WEXITSTATUS(status));
    size_t size = running->tail_size, start = 0;
    if (size == TAIL_BYTES) /* Cut somewhere: begin with a whole line. */
        while (start < size && running->tail[start++] != '\n') {}
    if (start == size) start = 0;
    while (size > start && (running->tail[size - 1] == '\n' || running->tail[size - 1] == '\r')) size--;
    error_set(err, COND_INLET_COMMAND_FAILED, "the command \"%s\" %s%s%.*s", command->argv[0], how, size > start ? "; it said last: " : "",
              (int)(size - start), running->tail + start);
    return error_hint(err, "The same batch with the same rows is given to it again at the next start.");
}

bool command_run(const struct command *command, struct error *err)
{
    struct running running = {0};
    int status = 0;
    if (!start(command, &running, err)) return false;
    bool ended = await(command, &running, &status, err);
    close(running.said);
    if (!ended) return false;
    return (WIFEXITED(status) && WEXITSTATUS(status) == 0) || refuse_status(command, &running, status, err);
}
