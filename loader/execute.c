/* execute -- workers, the ordered hand-over to the sink, and telling bad files from bad sinks. */
#include "loader/execute.h"
#include "base/panic.h"
#include "base/workers.h"
#include "loader/raw_text.h"
#include "loader/tasks.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* Below this a batch is done by the coordinator alone: threads would cost more than they give. */
enum { THREADS_FROM_BYTES = 512 << 10 };
/* A task that holds more than this waits for its turn and is written while it grows. */
enum { TASK_MEMORY_MAX = 40 << 20 };

struct hand_over {
    pthread_mutex_t lock;
    pthread_cond_t moved;
    size_t next_task;            /* To be taken by a worker. */
    size_t next_append;          /* The task whose turn it is to be written. */
    size_t window;               /* Tasks in the air at most. */
    bool appending, failed;
    bool has_writer;             /* A thread of its own writes, so that no worker waits for the disk. */
    struct sink_task **done;     /* By task; NULL until finished. */
};

struct run {
    const struct execution *execution;
    struct execution_result *result;
    struct error *err;
    struct hand_over hand;
    _Atomic int64_t rows;
    size_t failed_task;
};

/* The first failure by task order wins, so that the message does not depend on timing more than it must. */
static void fail_run(struct run *run, size_t task, const struct error *err, enum failure_kind kind, uint32_t file)
{
    pthread_mutex_lock(&run->hand.lock);
    if (!run->hand.failed || task < run->failed_task) {
        run->failed_task = task;
        run->result->kind = kind;
        run->result->file_index = file;
        if (run->err) *run->err = *err;
    }
    run->hand.failed = true;
    pthread_cond_broadcast(&run->hand.moved);
    pthread_mutex_unlock(&run->hand.lock);
}

static bool is_failed(struct run *run)
{
    pthread_mutex_lock(&run->hand.lock);
    bool failed = run->hand.failed;
    pthread_mutex_unlock(&run->hand.lock);
    return failed;
}

/* Waits for a place in the window. False: nothing is left, or the run failed. */
static bool take_task(struct run *run, size_t *task)
{
    struct hand_over *hand = &run->hand;
    pthread_mutex_lock(&hand->lock);
    while (!hand->failed && hand->next_task < run->execution->task_count && hand->next_task >= hand->next_append + hand->window)
        pthread_cond_wait(&hand->moved, &hand->lock);
    bool got = !hand->failed && hand->next_task < run->execution->task_count;
    if (got) *task = hand->next_task++;
    pthread_mutex_unlock(&hand->lock);
    return got;
}

/* Writes all finished tasks whose turn has come. One thread at a time; the others go on parsing. */
static void append_ready(struct run *run)
{
    struct hand_over *hand = &run->hand;
    const struct execution *execution = run->execution;
    pthread_mutex_lock(&hand->lock);
    while (!hand->appending && !hand->failed && hand->next_append < execution->task_count && hand->done[hand->next_append]) {
        size_t index = hand->next_append;
        struct sink_task *task = hand->done[index];
        hand->appending = true;
        pthread_mutex_unlock(&hand->lock);
        struct error err;
        error_clear(&err);
        bool ok = execution->sink_ops->stage_append(execution->sink, task, &err);
        if (!ok) fail_run(run, index, &err, FAILURE_SINK, 0);
        else execution->sink_ops->task_free(task);
        pthread_mutex_lock(&hand->lock);
        hand->appending = false;
        if (!ok) break;
        hand->done[index] = NULL;
        hand->next_append++;
        pthread_cond_broadcast(&hand->moved);
    }
    pthread_mutex_unlock(&hand->lock);
}

/* Waits for the task whose turn it is. False: all are written, or the run failed. */
static bool wait_for_turn(struct run *run)
{
    struct hand_over *hand = &run->hand;
    pthread_mutex_lock(&hand->lock);
    while (!hand->failed && hand->next_append < run->execution->task_count && !hand->done[hand->next_append])
        pthread_cond_wait(&hand->moved, &hand->lock);
    bool more = !hand->failed && hand->next_append < run->execution->task_count;
    pthread_mutex_unlock(&hand->lock);
    return more;
}

static void *writer_main(void *user)
{
    while (wait_for_turn(user)) append_ready(user);
    return NULL;
}

/* A task that grew large is written while it grows, once all tasks before it are. */
static bool append_early(struct run *run, size_t index, struct sink_task *task, struct error *err)
{
    struct hand_over *hand = &run->hand;
    if (!hand->has_writer) append_ready(run); /* Those before it may be done and waiting for somebody to write them. */
    pthread_mutex_lock(&hand->lock);
    while (!hand->failed && hand->next_append < index) pthread_cond_wait(&hand->moved, &hand->lock);
    bool mine = !hand->failed;
    pthread_mutex_unlock(&hand->lock);
    return !mine || run->execution->sink_ops->stage_append(run->execution->sink, task, err);
}

static bool leaves_plan(enum condition condition)
{
    return condition == COND_PATH_NOT_FOUND || condition == COND_FAILED_READ_FILE_NOT_EXIST || condition == COND_INLET_FILE_CHANGED ||
           condition == COND_INLET_PERMISSION || condition == COND_INLET_IO;
}

static void fail_reading(struct run *run, size_t index, const struct source_task *task, const struct error *err)
{
    if (leaves_plan(err->condition))
        for (size_t i = 0; i < task->range_count; i++)
            if (strncmp(task->ranges[i].path, err->file, sizeof err->file - 1) == 0) { /* It keeps so much of a long path. */
                fail_run(run, index, err, FAILURE_INPUT_FILE, task->file_index[i]);
                return;
            }
    fail_run(run, index, err, FAILURE_DATA, 0);
}

struct worker_state {
    struct scan *scan;
    struct chunk in, out;
    struct arena *arena;             /* Of the task at work: */
    struct source_task task;
    struct range_outcome *outcomes;  /* One per range of it. */
};

/* Ranges of one file may be those of several tasks, and so of several workers: under the lock. */
static void add_outcomes(struct run *run, const struct worker_state *state)
{
    for (size_t i = 0; i < state->task.range_count; i++) {
        const struct range_outcome *from = &state->outcomes[i];
        struct file_outcome *to = &run->execution->outcomes[state->task.file_index[i]];
        to->rows += from->rows;
        to->records_framed += from->records_framed;
        to->records_bad += from->records_bad;
        to->records_dropped += from->records_dropped;
        to->records_surplus += from->records_surplus;
        to->bytes += from->bytes;
        if (!from->ignored_corrupt) continue;
        to->state = OUTCOME_CORRUPT;
        to->note = arena_strdup(run->execution->notes, from->damage);
    }
}

static bool add_chunk(struct run *run, struct worker_state *state, size_t index, struct sink_task *task, struct error *err)
{
    const struct execution *execution = run->execution;
    struct chunk *chunk = &state->in;
    if (execution->project) {
        if (!project_chunk(execution->project, &state->in, execution->constants, state->task.file_index, &state->out,
                           execution->context->budget, err)) return false;
        chunk = &state->out;
    }
    int64_t rows = chunk_selected(chunk);
    bool ok = raw_text_repair(chunk, execution->raw_text, execution->raw_text_count, execution->context->budget, err) &&
              execution->sink_ops->task_add(task, chunk, err);
    if (execution->project) chunk_reset(&state->out); /* Gives the reader its buffers back. */
    if (!ok) return false;
    atomic_fetch_add_explicit(&run->rows, rows, memory_order_relaxed);
    atomic_fetch_add_explicit(&execution->live->rows, rows, memory_order_relaxed);
    if (execution->sink_ops->task_memory(task) > TASK_MEMORY_MAX) return append_early(run, index, task, err);
    return true;
}

static void count_live(const struct execution *execution, const struct source_task *task)
{
    atomic_fetch_add_explicit(&execution->live->bytes, task->bytes, memory_order_relaxed);
    atomic_fetch_add_explicit(&execution->live->files, (int64_t)task->range_count, memory_order_relaxed);
}

/* From here on some workers have nothing to do. */
static bool is_last_round(const struct execution *execution, size_t index)
{
    unsigned workers = execution->context->thread_count ? execution->context->thread_count : 1;
    return index >= execution->task_count - execution->task_count % workers;
}

static bool run_task(struct run *run, struct worker_state *state, size_t index)
{
    const struct execution *execution = run->execution;
    struct error err;
    error_clear(&err);
    struct sink_task *task = execution->sink_ops->task_new(execution->sink, (uint32_t)index, &err);
    if (!task) {
        fail_run(run, index, &err, FAILURE_SINK, 0);
        return false;
    }
    arena_reset(state->arena);
    state->task = task_resolve(state->arena, &execution->tasks[index], execution->files, is_last_round(execution, index));
    state->outcomes = ARENA_ARRAY(state->arena, struct range_outcome, state->task.range_count + 1);
    execution->reader_ops->scan_begin(state->scan, state->task.ranges, state->task.range_count, state->outcomes);
    for (;;) {
        if (is_failed(run)) goto drop;
        if (cancel_now(&execution->context->cancel)) {
            error_set(&err, COND_INLET_CANCELLED, "the batch was stopped");
            fail_run(run, index, &err, FAILURE_DATA, 0);
            goto drop;
        }
        enum pull pull = execution->reader_ops->scan_next(state->scan, &state->in, &err);
        if (pull == PULL_FAILED) {
            fail_reading(run, index, &state->task, &err);
            goto drop;
        }
        if (pull == PULL_END) break;
        if (!add_chunk(run, state, index, task, &err)) {
            fail_run(run, index, &err, FAILURE_SINK, 0);
            goto drop;
        }
    }
    if (!execution->sink_ops->task_finish(task, &err)) {
        fail_run(run, index, &err, FAILURE_SINK, 0);
        goto drop;
    }
    count_live(execution, &state->task);
    pthread_mutex_lock(&run->hand.lock);
    add_outcomes(run, state);
    run->hand.done[index] = task;
    pthread_cond_broadcast(&run->hand.moved);
    pthread_mutex_unlock(&run->hand.lock);
    return true;

drop:
    execution->sink_ops->task_free(task);
    return false;
}

static void worker_main(void *user, unsigned worker)
{
    (void)worker;
    struct run *run = user;
    const struct execution *execution = run->execution;
    struct worker_state state = {0};
    struct error err;
    error_clear(&err);
    state.scan = execution->reader_ops->scan_new(execution->reader, execution->context, &err);
    if (!state.scan) {
        fail_run(run, 0, &err, FAILURE_DATA, 0);
        return;
    }
    state.arena = arena_new("task");
    chunk_init(&state.in, execution->read_schema);
    chunk_init(&state.out, execution->output_schema);
    size_t index;
    while (take_task(run, &index) && run_task(run, &state, index))
        if (!run->hand.has_writer) append_ready(run);
    if (!run->hand.has_writer) append_ready(run);
    chunk_fini(&state.out);
    chunk_fini(&state.in);
    execution->reader_ops->scan_free(state.scan);
    arena_free(state.arena);
}

bool execute_batch(const struct execution *execution, struct execution_result *result, struct error *err)
{
    memset(result, 0, sizeof *result);
    if (!execution->task_count) return true;
    struct run run = {.execution = execution, .result = result, .err = err};
    unsigned workers = execution->context->thread_count;
    if (execution->input_bytes < THREADS_FROM_BYTES || execution->task_count == 1) workers = 1;
    if (workers > execution->task_count) workers = (unsigned)execution->task_count;
    run.hand.done = calloc(execution->task_count, sizeof *run.hand.done);
    if (!run.hand.done) panic_out_of_memory(execution->task_count * sizeof *run.hand.done);
    pthread_mutex_init(&run.hand.lock, NULL);
    pthread_cond_init(&run.hand.moved, NULL);
    pthread_t writer;
    run.hand.has_writer = workers > 1 && thread_start(&writer, writer_main, &run);
    run.hand.window = workers + 1 + run.hand.has_writer;
    workers_run(workers, worker_main, &run);
    if (run.hand.has_writer) pthread_join(writer, NULL);
    for (size_t i = 0; i < execution->task_count; i++)
        if (run.hand.done[i]) execution->sink_ops->task_free(run.hand.done[i]);
    free(run.hand.done);
    pthread_cond_destroy(&run.hand.moved);
    pthread_mutex_destroy(&run.hand.lock);
    result->rows = atomic_load(&run.rows);
    invariant(run.hand.failed || run.hand.next_append == execution->task_count);
    return !run.hand.failed;
}
