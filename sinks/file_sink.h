/* file_sink -- the sinks that write plain data files beside a _spark_metadata log: Parquet, JSON, CSV, text.
 *
 * A batch is visible once its entry stands in the log; Spark reads whole batches only, other readers see
 * each file from its rename on. One implementation, four tables of functions: what differs is the encoder
 * and what its format can hold. */
#pragma once
#include "base/aside.h"
#include "formats/sink_log.h"
#include "sinks/output.h"
#include "sinks/schema_check.h"

struct file_sink_format {
    const struct encoder_ops *encoder;
    const char *label;          /* As Spark's messages call it. */
    enum type_support support;
};

/* A batch's entry, written to the log without a name; by the sink's second thread, beside the ledger's transaction. */
struct log_job {
    struct sink_log *log;
    struct arena *arena;        /* Of what follows. */
    int64_t batch_id;           /* -1: none. */
    const char *query_id, *digest;
    struct sink_log_entry *entries;
    size_t count;
    bool written, existed;
    struct error error;         /* Unless it is written. */
};

struct file_sink {
    const struct sink_spec *spec;
    struct arena *arena;
    struct partition_layout layout;
    struct output *output;
    struct sink_log *log;
    struct aside *aside;        /* Has `log` and `job` between prepare and what comes next. */
    struct log_job job;
    struct batch_identity batch; /* Being staged; its text is borrowed until prepare. */
    const char *description;
    bool begun;                 /* A batch was staged by this process; what is published before was prepared by another. */
};

extern const struct option_spec file_sink_options[];

bool file_sink_check(const struct file_sink_format *format, const struct sink_spec *spec, struct error *err) MUST_CHECK;
bool file_sink_open(struct file_sink *sink, const struct file_sink_format *format, const struct sink_spec *spec, struct error *err) MUST_CHECK;
