/* tasks -- cuts the files of a batch into units of work.
 *
 * The cut depends on the files alone, never on the number of threads: a re-run of the same plan, on another
 * machine even, gives the same tasks and so the same row groups. */
#pragma once
#include "formats/format.h"
#include "loader/ledger.h"

/* Tasks in file order: big files are split where the reader can (record ends are found by the readers), small ones are gathered. */
struct plan_task *tasks_cut(struct arena *arena, const struct ledger_input *files, size_t file_count,
                            const struct reader_ops *ops, const struct reader *reader, size_t *task_count);

/* The work of a planned task: ranges with paths, and sizes and times as planned. read_ahead: some workers have nothing to do. */
struct source_task task_resolve(struct arena *arena, const struct plan_task *from, const struct ledger_input *files, bool read_ahead);
const char *input_path(struct arena *arena, const struct ledger_input *file);
