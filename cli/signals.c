/* signals -- stopping politely, and telling systemd. */
#include "cli/cli.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* The one global of the program: a handler has no other way to reach the token. */
static struct cancel *_Atomic the_cancel;

/* What a running batch gets to end in after the first signal; then it stays planned, and the next run continues it. */
enum { STOP_TIMEOUT_S = 20 };

static void on_signal(int number)
{
    (void)number;
    int before = atomic_fetch_add(&the_cancel->level, 1);
    if (before >= 2) _exit(130); /* A third one means it. */
    if (before == 0) alarm(STOP_TIMEOUT_S);
}

void stop_softly(struct inlet_context *context)
{
    int running = 0;
    if (atomic_compare_exchange_strong(&context->cancel.level, &running, 1)) alarm(STOP_TIMEOUT_S);
}

static void on_alarm(int number)
{
    (void)number;
    int soon = 1;
    atomic_compare_exchange_strong(&the_cancel->level, &soon, 2);
}

/* The ledger is mapped: a page that the disk cannot give, or that was cut off under a reader, comes as this signal. */
static void on_bus_error(int number)
{
    static const char text[] = "[INLET_CHECKPOINT_DAMAGED] a page of the ledger could not be read: its file was cut short, or the disk failed. "
                               "Restore the checkpoint folder from a backup. SQLSTATE: 58030\n";
    (void)number;
    if (write(STDERR_FILENO, text, sizeof text - 1) < 0) { /* Nobody listens; the exit status says it. */
    }
    _exit(EXIT_BATCH_FAILED);
}

void signals_install(struct inlet_context *context)
{
    the_cancel = &context->cancel;
    struct sigaction action = {.sa_handler = on_signal};
    sigemptyset(&action.sa_mask);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    struct sigaction timeout = {.sa_handler = on_alarm};
    sigaction(SIGALRM, &timeout, NULL);
    struct sigaction bus = {.sa_handler = on_bus_error, .sa_flags = SA_RESETHAND};
    sigaction(SIGBUS, &bus, NULL);
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    sigaction(SIGPIPE, &ignore, NULL);
    sigaction(SIGXFSZ, &ignore, NULL); /* A file size limit is an error of write(2), not a death. */
    signal(SIGCHLD, SIG_DFL);          /* Who started us may ignore it, and then the kernel keeps no status of a command. */
    sigaction(SIGIO, &ignore, NULL);   /* Somebody opens a file for writing in the moment in which its lease is held. */
}

void signals_done(void)
{
    static struct cancel over;
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART}; /* What is left to print is printed. */
    sigemptyset(&action.sa_mask);
    the_cancel = &over;
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    signal(SIGALRM, SIG_IGN);
}

void notify_systemd(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (!path || (path[0] != '/' && path[0] != '@') || strlen(path) >= sizeof address.sun_path) return;
    memcpy(address.sun_path, path, strlen(path));
    if (address.sun_path[0] == '@') address.sun_path[0] = 0; /* Abstract. */
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return;
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
    if (sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&address, size) < 0) {
        /* systemd went away: readiness is advice, the work goes on. */
    }
    close(fd);
}
