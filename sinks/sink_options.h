/* sink_options -- what the sinks that write data files read from their options alike. */
#pragma once
#include "sinks/sink.h"

/* Rows of the option table that file sinks and Delta share. */
#define MAX_FILE_SIZE_OPTION \
    {.name = "maxFileSize", .kind = OPTION_BYTES, .fallback = "128m", .minimum = 1, .maximum = INT64_MAX, \
     .help = "Target size of an output file: it is closed before it would grow past this, however small the input files are."}
#define MAX_RECORDS_OPTION \
    {.name = "maxRecordsPerFile", .kind = OPTION_INT, .minimum = INT64_MIN, .maximum = INT64_MAX, \
     .help = "Most rows in one output file; 0 or less: no limit. Default: spark.sql.files.maxRecordsPerFile."}

enum { SINK_FILE_PIECES_MAX = 16384 };

int64_t sink_file_rows_max(const struct sink_spec *spec); /* 0: no limit. */
