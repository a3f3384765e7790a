/* meter -- a thread that looks at the stream's counters ten times a second and redraws one line. */
#include "cli/meter.h"
#include "base/panic.h"
#include "cli/cli.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

struct meter {
    struct stream *stream;
    const char *name;
    pthread_t thread;
    _Atomic bool stop;
    struct timespec start;
};

static double seconds_since(const struct timespec *start)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)(now.tv_sec - start->tv_sec) + (double)(now.tv_nsec - start->tv_nsec) / 1e9;
}

static void put_left(struct buffer *out, double seconds)
{
    long left = (long)(seconds + 0.5);
    if (left >= 3600) buffer_printf(out, "%ld:%02ld:%02ld", left / 3600, left / 60 % 60, left % 60);
    else buffer_printf(out, "%ld:%02ld", left / 60, left % 60);
}

static void put_bar(struct buffer *out, double share)
{
    enum { WIDTH = 20 };
    int filled = (int)(share * WIDTH + 0.5);
    buffer_byte(out, '[');
    for (int i = 0; i < WIDTH; i++) buffer_byte(out, i < filled ? '#' : ' ');
    buffer_printf(out, "] %3d%%", (int)(share * 100));
}

static void draw(struct meter *meter)
{
    struct stream_live *live = stream_live(meter->stream);
    int64_t rows = live->total_rows + live->counts.rows, bytes = live->total_bytes + live->counts.bytes;
    int64_t files = live->total_files + live->counts.files;
    int64_t left = live->pending_bytes - live->counts.bytes;
    double seconds = seconds_since(&meter->start);
    struct buffer out = {0};
    buffer_printf(&out, "\r\033[K%s ", meter->name);
    if (left < 0) left = 0;
    if (bytes + left > 0) put_bar(&out, (double)bytes / (double)(bytes + left));
    buffer_text(&out, "  ");
    put_count(&out, files);
    buffer_text(&out, " files  ");
    put_size(&out, bytes);
    buffer_text(&out, "  ");
    put_count(&out, rows);
    buffer_text(&out, " rows  ");
    put_count(&out, seconds > 0 ? (int64_t)((double)rows / seconds) : 0);
    buffer_text(&out, " rows/s");
    if (bytes > 0 && left > 0 && seconds > 0.5) {
        buffer_text(&out, "  ETA ");
        put_left(&out, (double)left * seconds / (double)bytes);
    }
    struct winsize size;
    size_t columns = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col ? size.ws_col : 80;
    if (out.size > columns + 4) out.size = columns + 4; /* The escape at the start takes no column. */
    if (write(STDERR_FILENO, out.data, out.size) < 0) atomic_store(&meter->stop, true);
    buffer_free(&out);
}

static void *meter_main(void *argument)
{
    struct meter *meter = argument;
    while (!atomic_load(&meter->stop)) {
        draw(meter);
        nanosleep(&(struct timespec){.tv_nsec = 100000000}, NULL);
    }
    return NULL;
}

struct meter *meter_start(struct stream *stream, const char *name)
{
    const char *terminal = getenv("TERM");
    if (!isatty(STDERR_FILENO) || !terminal || strcmp(terminal, "dumb") == 0) return NULL;
    struct meter *meter = calloc(1, sizeof *meter);
    if (!meter) panic_out_of_memory(sizeof *meter);
    meter->stream = stream;
    meter->name = name;
    clock_gettime(CLOCK_MONOTONIC, &meter->start);
    if (pthread_create(&meter->thread, NULL, meter_main, meter) == 0) return meter;
    free(meter);
    return NULL;
}

void meter_stop(struct meter *meter)
{
    if (!meter) return;
    atomic_store(&meter->stop, true);
    pthread_join(meter->thread, NULL);
    if (write(STDERR_FILENO, "\r\033[K", 4) < 0) { /* The terminal is gone; so is the line. */
    }
    free(meter);
}
