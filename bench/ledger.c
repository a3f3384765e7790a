/* ledger -- the ledger at N million files: bytes a file, private memory, and what a batch of 1,000 costs.
 *
 *   ledger FOLDER FILES     prints: bytes a file; RssAnon in bytes; then for batches of files in 10 folders, an empty ledger; the
 *                           full one; in all 500 folders, empty; full: ms a batch, ms of merging recent rows a batch, longest ms of it
 *
 * Names of 24 bytes in 500 folders; a first load admits them folder by folder, as a listing gives them. */
#include "base/context.h"
#include "loader/ledger.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { FOLDERS = 500, SLICE = 200000, BATCH = 1000, BATCHES = 41 };

static struct error err;
static const struct ledger_source source = {.id = 0, .identity = IDENTITY_PATH};

static void check(bool ok)
{
    char text[2000];
    if (ok) return;
    error_format(&err, text, sizeof text);
    fprintf(stderr, "ledger: %s\n", text);
    exit(1);
}

static double now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

/* Files first .. first + count, in `spread` folders from `folder` on. */
static void admit(struct ledger *ledger, int64_t first, size_t count, size_t folder, size_t spread)
{
    struct arena *arena = arena_new("bench");
    struct discovery discovery = {.admissions = ARENA_ARRAY(arena, struct admission, count), .count = count};
    static char folders[FOLDERS][64];
    for (int i = 0; i < FOLDERS; i++) snprintf(folders[i], sizeof folders[i], "/landing/folder-%04d", i);
    for (size_t i = 0; i < count; i++) {
        int64_t number = first + (int64_t)i;
        discovery.admissions[i] = (struct admission){
            .verdict = ADMIT_PENDING,
            .sighting = {.directory = folders[(folder + i * spread / count) % FOLDERS], .name = arena_printf(arena, "event-%013lld.json", (long long)number), .size = 40,
                         .mtime_us = 1700000000000000 + number, .ctime_us = 1700000000000000 + number, .device = 1, .inode = 1000 + (uint64_t)number}};
    }
    check(ledger_admit(ledger, &source, &discovery, &err));
    arena_free(arena);
}

static void one_batch(struct ledger *ledger)
{
    struct arena *arena = arena_new("bench");
    struct take_limits limits = {0};
    struct ledger_input *files;
    size_t count;
    int64_t last;
    check(ledger_take(ledger, &source, &limits, arena, &files, &count, &err) && ledger_last_committed(ledger, &last, &err));
    struct plan_task task = {.pieces = ARENA_ARRAY(arena, struct plan_piece, count), .count = count};
    struct file_outcome *outcomes = ARENA_ARRAY(arena, struct file_outcome, count);
    for (size_t i = 0; i < count; i++) {
        task.pieces[i] = (struct plan_piece){(uint32_t)i, 0, -1};
        outcomes[i] = (struct file_outcome){.ordinal = files[i].ordinal, .state = OUTCOME_INGESTED, .rows = 1, .records_framed = 1, .bytes = 40};
    }
    struct plan plan = {.batch_id = last + 1, .tasks = &task, .task_count = 1, .batch_time_us = 1, .settings = "{}", .pipeline_digest = "p", .plan_digest = "d", .limits = ""};
    plan.watermark_late_us = plan.watermark_evict_us = WATERMARK_NONE;
    plan.ranges = plan_ranges(arena, files, count, 0, &plan.range_count);
    struct prepared prepared = {.batch_id = last + 1, .manifest = slice_of("{}", 2), .outcomes = outcomes, .outcome_count = count, .rows_out = (int64_t)count, .bytes_out = 1};
    check(ledger_plan(ledger, &plan, &err) && ledger_prepare(ledger, &prepared, &err) && ledger_commit(ledger, last + 1, NULL, NULL, 0, NULL, &err));
    arena_free(arena);
}

static int compare(const void *a, const void *b) { return (*(const double *)a > *(const double *)b) - (*(const double *)a < *(const double *)b); }

struct cost {
    double batch_ms, merge_ms, longest_ms; /* Median; mean; maximum. */
};

/* To admit, plan, prepare and commit 1,000 new files in so many folders; and between two batches, to merge. */
static struct cost cost_of(struct ledger *ledger, int64_t first, size_t spread)
{
    double times[BATCHES];
    struct cost cost = {0, 0, 0};
    for (int i = 0; i < BATCHES; i++) {
        double start = now_ms();
        admit(ledger, first + (int64_t)i * BATCH, BATCH, (size_t)i * spread, spread);
        one_batch(ledger);
        double done = now_ms();
        times[i] = done - start;
        check(ledger_merge(ledger, &err));
        double merged = now_ms() - done;
        cost.merge_ms += merged / BATCHES;
        if (merged > cost.longest_ms) cost.longest_ms = merged;
    }
    qsort(times, BATCHES, sizeof *times, compare);
    cost.batch_ms = times[BATCHES / 2];
    return cost;
}

static double private_bytes(void)
{
    FILE *status = fopen("/proc/self/status", "r");
    char line[256];
    double bytes = 0;
    while (status && fgets(line, sizeof line, status))
        if (strncmp(line, "RssAnon:", 8) == 0) bytes = strtod(line + 8, NULL) * 1024;
    if (status) fclose(status);
    return bytes;
}

static struct ledger *open_in(const char *root, const char *name, struct inlet_context *context)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", root, name);
    struct ledger *ledger = ledger_open(path, context, &err);
    check(ledger != NULL);
    return ledger;
}

/* In a process of its own, so that its heap is not taken for the ledger's. */
static void load(const char *root, int64_t total, struct inlet_context *context)
{
    pid_t child = fork();
    if (child == 0) {
        struct ledger *ledger = open_in(root, "full", context);
        size_t spread = (size_t)(FOLDERS * SLICE / total ? FOLDERS * SLICE / total : 1);
        for (int64_t done = 0; done < total; done += SLICE) {
            admit(ledger, done, SLICE, (size_t)(done * FOLDERS / total), spread);
            one_batch(ledger);
        }
        ledger_close(ledger);
        _exit(0);
    }
    int status;
    if (waitpid(child, &status, 0) != child || status != 0) exit(1);
}

int main(int argc, char **argv)
{
    if (argc < 3) return fprintf(stderr, "usage: ledger FOLDER FILES\n"), 2;
    int64_t total = atoll(argv[2]);
    struct inlet_context context;
    inlet_context_init(&context);
    load(argv[1], total, &context);
    char path[4096];
    struct stat info;
    snprintf(path, sizeof path, "%s/full/ledger/data.mdb", argv[1]);
    if (stat(path, &info) != 0) return perror(path), 1;
    struct ledger *small = open_in(argv[1], "empty", &context), *big = open_in(argv[1], "full", &context);
    int64_t more = total + BATCHES * BATCH;
    struct cost costs[] = {cost_of(small, total, 10), cost_of(big, total, 10), cost_of(small, more, FOLDERS), cost_of(big, more, FOLDERS)};
    printf("%.1f %.0f", (double)info.st_size / (double)total, private_bytes());
    for (int i = 0; i < 4; i++) printf(" %.3f %.3f %.3f", costs[i].batch_ms, costs[i].merge_ms, costs[i].longest_ms);
    printf("\n");
    ledger_close(small);
    ledger_close(big);
    inlet_context_fini(&context);
    return 0;
}
