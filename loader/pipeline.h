/* pipeline -- one pipeline file, read and checked: what to read, what to do, where to write.
 *
 * pipeline_load touches nothing but the file itself and its `schema: {file:}`. Everything a stream needs
 * afterwards is here, resolved: absolute paths, parsed options, ops tables. Immutable after loading; all of it
 * lives in the arena given. Facts that need the landing zone (partition columns, hence the query's
 * output) are resolved by the loader with select_resolve. */
#pragma once
#include "base/session.h"
#include "base/tree.h"
#include "engine/select.h"
#include "formats/format.h"
#include "loader/source_options.h"
#include "sinks/sink.h"

enum trigger_kind { TRIGGER_DEFAULT, TRIGGER_PROCESSING_TIME, TRIGGER_ONCE, TRIGGER_AVAILABLE_NOW };

struct pipeline_reader {
    const char *format;              /* Canonical: "cloudFiles", or the same as reader->name. */
    const struct reader_ops *reader; /* Of the files: cloudFiles.format's for cloudFiles. */
    const struct type *schema;       /* STRUCT as the user gave it, made nullable; text's fixed one. Never NULL. */
    struct options options;          /* Source table, reader->options, file_options: one look-up for all. */
    struct source_settings settings;
    const char *const *load;         /* Absolute paths (globs allowed) or URLs. */
    size_t load_count;
    const char *own[2];              /* Output and checkpoint: never read as input. */
    size_t own_count;
};

struct pipeline_writer {
    const struct sink_ops *sink;
    const char *const *partition_by; /* As written. */
    size_t partition_count;
    enum trigger_kind trigger;
    int64_t trigger_interval_us;     /* TRIGGER_PROCESSING_TIME; 0: at once. */
    struct options options;          /* sink->options, the encoder's, stream_writer_options. */
    const char *path;                /* `start` or option path: absolute or a URL; NULL where the sink has none. */
    const char *checkpoint;          /* Absolute; never NULL. */
    const char *const *command;      /* foreachBatch: argv, NULL-terminated; else NULL. */
};

struct pipeline {
    const char *file;                /* Absolute path of the pipeline file. */
    const char *base_dir;            /* Its folder. */
    const char *name;                /* queryName; the file's stem where not given. */
    struct session session;
    struct pipeline_reader reader;
    const char *query;               /* SQL text as written; NULL: none. */
    int query_line, partition_line;  /* Where query and partitionBy stand; 0: nowhere. */
    const struct select *select;     /* Parsed; never NULL. */
    struct pipeline_writer writer;
    const char *warnings;            /* Lines ended by newlines; "" where none. */
    /* Canonical text of all that decides what rows come out of given files: formats, schema, options that
     * shape rows, query, conf, partitionBy. Part of a plan's digest; without secrets, limits or paths. */
    const char *shape_text;
};

/* NULL: *err says what and at which line. Exit status 78 conditions. */
struct pipeline *pipeline_load(struct arena *arena, const char *path, struct error *err) MUST_CHECK;
/* The same from text (tests, standard input); `name` stands for the file in messages and decides base_dir. */
struct pipeline *pipeline_parse(struct arena *arena, const char *file, struct slice text, struct error *err) MUST_CHECK;

/* Adds which pipeline file it was, and the line where the condition tells it, to an error met after reading it. */
void pipeline_explain(const struct pipeline *pipeline, struct error *err);
