/* session -- the table of Spark's settings, and what a pipeline's `conf` comes to.
 *
 * Three kinds of rows: settings that change what inlet does; settings that only tune Spark's own
 * machinery, where any value gives the same rows (their help says so); and settings whose other
 * values inlet cannot honour yet (`later`): those are refused, never ignored. */
#include "base/session.h"

#include <string.h>
#include <strings.h>

#define TUNES "Tunes Spark's own machinery; inlet works differently there, and any value gives the same rows."
#define LOG_LATER "Spark's own checkpoint logs are written only at the hand-over to Spark; inlet keeps a ledger"

const struct option_spec session_options[] = {
    /* Values and names. */
    {.name = "spark.sql.session.timeZone", .kind = OPTION_TEXT, .help = "Zone in which timestamps without a zone are read and all are printed. Default: the system's."},
    {.name = "spark.sql.ansi.enabled", .kind = OPTION_BOOL, .fallback = "true", .help = "ANSI casts: what does not fit is an error instead of null. Files are read alike in both modes.", .later = "only ANSI mode is built"},
    {.name = "spark.sql.caseSensitive", .kind = OPTION_BOOL, .fallback = "false", .help = "Column names of the query and of schemas differ by case."},
    {.name = "spark.sql.columnNameOfCorruptRecord", .kind = OPTION_TEXT, .fallback = "_corrupt_record", .help = "The column that takes the text of malformed records, where the schema has it."},
    {.name = "spark.sql.timestampType", .kind = OPTION_CHOICE, .fallback = "TIMESTAMP_LTZ", .choices = "TIMESTAMP_LTZ|TIMESTAMP_NTZ", .help = "What TIMESTAMP means in a DDL schema."},
    {.name = "spark.sql.timeType.enabled", .kind = OPTION_BOOL, .fallback = "false", .help = "The TIME type.", .later = "the TIME type is not built"},
    {.name = "spark.sql.legacy.timeParserPolicy", .kind = OPTION_CHOICE, .fallback = "CORRECTED", .choices = "CORRECTED|EXCEPTION|LEGACY", .help = "How date and time patterns are read: as java.time does.", .later = "the pattern rules of Spark 2 are not built"},
    {.name = "spark.sql.binaryOutputStyle", .kind = OPTION_CHOICE, .choices = "UTF-8|BASIC|BASE64|HEX|HEX_DISCRETE", .help = "How BINARY values are printed.", .later = "only Spark's default style is built"},
    {.name = "spark.sql.sources.default", .kind = OPTION_TEXT, .fallback = "parquet", .help = "The format where a reader or a writer names none.", .never = "name the format in the pipeline"},

    /* Files. */
    {.name = "spark.sql.files.ignoreCorruptFiles", .kind = OPTION_BOOL, .fallback = "false", .help = "Keep the rows before the damage of a broken file and go on. The reader's option of this name wins."},
    {.name = "spark.sql.files.ignoreMissingFiles", .kind = OPTION_BOOL, .fallback = "false", .help = "Skip files that vanished after they were found. The reader's option of this name wins."},
    {.name = "spark.sql.files.maxRecordsPerFile", .kind = OPTION_INT, .fallback = "0", .minimum = INT64_MIN, .maximum = INT64_MAX, .help = "Most rows in one output file; 0 or less: no limit. The writer's option of this name wins."},
    {.name = "spark.sql.files.maxPartitionBytes", .kind = OPTION_TEXT, .help = TUNES},
    {.name = "spark.sql.files.openCostInBytes", .kind = OPTION_TEXT, .help = TUNES},
    {.name = "spark.sql.files.minPartitionNum", .kind = OPTION_TEXT, .help = TUNES},
    {.name = "spark.sql.files.maxPartitionNum", .kind = OPTION_TEXT, .help = TUNES},
    {.name = "spark.sql.sources.partitionColumnTypeInference.enabled", .kind = OPTION_BOOL, .fallback = "true", .help = "Partition columns that the schema lacks get a type from their values; false: STRING."},
    {.name = "spark.sql.sources.validatePartitionColumns", .kind = OPTION_BOOL, .fallback = "true", .help = "A partition value that does not fit the schema's type is an error; false: null."},
    {.name = "spark.sql.sources.binaryFile.maxLength", .kind = OPTION_INT, .fallback = "2147483647", .maximum = INT64_MAX, .help = "Longest file that binaryFile reads.", .later = "the binaryFile format comes later"},

    /* Formats. */
    {.name = "spark.sql.json.enablePartialResults", .kind = OPTION_BOOL, .fallback = "true", .help = "JSON: a bad field is null and the others are kept; false: nothing of its nested value is."},
    {.name = "spark.sql.json.enableExactStringParsing", .kind = OPTION_BOOL, .fallback = "true", .help = "JSON: a STRING column keeps the exact text of other values; false: it is written anew."},
    {.name = "spark.sql.legacy.json.enableDateTimeParsingFallback", .kind = OPTION_BOOL, .help = "JSON: dates and timestamps that do not fit the format are tried as casts. Unset: where no format is given."},
    {.name = "spark.sql.legacy.csv.enableDateTimeParsingFallback", .kind = OPTION_BOOL, .help = "CSV: dates and timestamps that do not fit the format are tried as casts. Unset: where no format is given."},
    {.name = "spark.sql.legacy.json.allowEmptyString.enabled", .kind = OPTION_BOOL, .fallback = "false", .help = "JSON: an empty string is null for types other than STRING and BINARY.", .never = "an empty string is a bad value for such types"},
    {.name = "spark.sql.jsonGenerator.ignoreNullFields", .kind = OPTION_BOOL, .fallback = "true", .help = "JSON output leaves out null fields. The writer's option ignoreNullFields wins."},
    {.name = "spark.sql.json.filterPushdown.enabled", .kind = OPTION_BOOL, .fallback = "true", .help = TUNES},
    {.name = "spark.sql.csv.filterPushdown.enabled", .kind = OPTION_BOOL, .fallback = "true", .help = TUNES},
    {.name = "spark.sql.csv.parser.columnPruning.enabled", .kind = OPTION_BOOL, .fallback = "true", .help = "CSV: only the columns that the query uses are looked at. The reader's option columnPruning wins."},
    {.name = "spark.sql.csv.parser.inputBufferSize", .kind = OPTION_TEXT, .help = TUNES},
    {.name = "spark.sql.parquet.compression.codec", .kind = OPTION_CHOICE, .fallback = "snappy", .choices = "none|uncompressed|snappy|gzip|lzo|brotli|lz4|lz4_raw|zstd", .help = "Codec of Parquet output. The writer's option compression wins."},
    {.name = "spark.sql.parquet.outputTimestampType", .kind = OPTION_CHOICE, .choices = "INT96|TIMESTAMP_MICROS|TIMESTAMP_MILLIS", .help = "Physical type of TIMESTAMP in Parquet output. Default: TIMESTAMP_MICROS, which every reader takes; Spark's own is INT96."},
    {.name = "spark.sql.parquet.writeLegacyFormat", .kind = OPTION_BOOL, .fallback = "false", .help = "Parquet output in the layout of Spark 1.4: fixed-length decimals, bag/array lists."},
    {.name = "spark.sql.parquet.mergeSchema", .kind = OPTION_BOOL, .fallback = "false", .help = "Merge the schemas of all Parquet input files.", .later = "Parquet input comes later"},
    {.name = "spark.sql.parquet.binaryAsString", .kind = OPTION_BOOL, .fallback = "false", .help = "Parquet input: BINARY without annotation is STRING.", .later = "Parquet input comes later"},
    {.name = "spark.sql.parquet.int96AsTimestamp", .kind = OPTION_BOOL, .fallback = "true", .help = "Parquet input: INT96 is a timestamp.", .later = "Parquet input comes later"},
    {.name = "spark.sql.parquet.int96TimestampConversion", .kind = OPTION_BOOL, .fallback = "false", .help = "Parquet input: shift INT96 of Impala.", .later = "Parquet input comes later"},
    {.name = "spark.sql.parquet.inferTimestampNTZ.enabled", .kind = OPTION_BOOL, .fallback = "true", .help = "Parquet input: timestamps without zone are TIMESTAMP_NTZ.", .later = "Parquet input comes later"},
    {.name = "spark.sql.parquet.datetimeRebaseModeInWrite", .kind = OPTION_CHOICE, .fallback = "CORRECTED", .choices = "CORRECTED|LEGACY|EXCEPTION", .help = "Calendar of old dates in Parquet output: proleptic Gregorian.", .later = "the hybrid calendar is not built"},
    {.name = "spark.sql.parquet.int96RebaseModeInWrite", .kind = OPTION_CHOICE, .fallback = "CORRECTED", .choices = "CORRECTED|LEGACY|EXCEPTION", .help = "Calendar of old INT96 timestamps in Parquet output: proleptic Gregorian.", .later = "the hybrid calendar is not built"},
    {.name = "spark.sql.parquet.datetimeRebaseModeInRead", .kind = OPTION_CHOICE, .fallback = "CORRECTED", .choices = "CORRECTED|LEGACY|EXCEPTION", .help = "Calendar of old dates in Parquet input.", .later = "Parquet input comes later"},
    {.name = "spark.sql.parquet.int96RebaseModeInRead", .kind = OPTION_CHOICE, .fallback = "CORRECTED", .choices = "CORRECTED|LEGACY|EXCEPTION", .help = "Calendar of old INT96 timestamps in Parquet input.", .later = "Parquet input comes later"},
    {.name = "spark.sql.parquet.fieldId.write.enabled", .kind = OPTION_BOOL, .fallback = "true", .help = "Parquet output carries the field ids of the schema's metadata."},
    {.name = "spark.sql.parquet.fieldId.read.enabled", .kind = OPTION_BOOL, .fallback = "false", .help = "Parquet input: match columns by field id.", .later = "Parquet input comes later"},
    {.name = "spark.sql.parquet.filterPushdown", .kind = OPTION_BOOL, .fallback = "true", .help = TUNES},
    {.name = "spark.sql.parquet.enableVectorizedReader", .kind = OPTION_BOOL, .fallback = "true", .help = TUNES},
    {.name = "spark.sql.parquet.columnarReaderBatchSize", .kind = OPTION_TEXT, .help = TUNES},

    /* Streaming. */
    {.name = "spark.sql.streaming.checkpointLocation", .kind = OPTION_PATH, .help = "Folder that holds the checkpoint of each query, by its name, where a writer has no checkpointLocation."},
    {.name = "spark.sql.streaming.schemaInference", .kind = OPTION_BOOL, .fallback = "true", .help = "A source without a schema gets one from its files; false: it is refused."},
    {.name = "spark.sql.streaming.minBatchesToRetain", .kind = OPTION_INT, .fallback = "100", .minimum = 1, .maximum = INT64_MAX, .help = "Batches whose plain log files stay behind the last compaction.", .never = "100 are kept"},
    {.name = "spark.sql.streaming.fileSink.log.compactInterval", .kind = OPTION_INT, .fallback = "10", .minimum = 1, .maximum = INT64_MAX, .help = "Every n-th file of _spark_metadata is a compaction.", .never = "the interval is 10"},
    {.name = "spark.sql.streaming.fileSink.log.deletion", .kind = OPTION_BOOL, .fallback = "true", .help = "Old files of _spark_metadata are deleted.", .never = "they always are, behind the last compaction"},
    {.name = "spark.sql.streaming.fileSink.log.cleanupDelay", .kind = OPTION_TEXT, .fallback = "600000", .help = "Milliseconds that old files of _spark_metadata stay.", .never = "they stay for 10 minutes"},
    {.name = "spark.sql.streaming.fileSource.log.compactInterval", .kind = OPTION_INT, .fallback = "10", .minimum = 1, .maximum = INT64_MAX, .help = TUNES " " LOG_LATER "."},
    {.name = "spark.sql.streaming.fileSource.log.deletion", .kind = OPTION_BOOL, .fallback = "true", .help = TUNES " " LOG_LATER "."},
    {.name = "spark.sql.streaming.fileSource.log.cleanupDelay", .kind = OPTION_TEXT, .help = TUNES " " LOG_LATER "."},
    {.name = "spark.sql.streaming.fileSource.cleaner.numThreads", .kind = OPTION_INT, .fallback = "1", .maximum = INT64_MAX, .help = TUNES " Files are cleaned from the ledger, before a run ends."},
    {.name = "spark.sql.streaming.fileStreamSink.ignoreMetadata", .kind = OPTION_BOOL, .fallback = "false", .help = "Read the folder of a file sink without its log.", .never = "the log of a file sink is always followed"},
    {.name = "spark.sql.streaming.noDataMicroBatches.enabled", .kind = OPTION_BOOL, .fallback = "true", .help = "Batches without rows that move state on. Without stateful operators there are none."},
    {.name = "spark.sql.streaming.noDataProgressEventInterval", .kind = OPTION_INT, .fallback = "10000", .maximum = INT64_MAX, .help = "Milliseconds between progress reports of an idle stream.", .never = "the interval is 10 seconds"},
    {.name = "spark.sql.streaming.numRecentProgressUpdates", .kind = OPTION_INT, .fallback = "100", .minimum = 1, .maximum = INT64_MAX, .help = "Progress reports that are kept.", .never = "100 are kept"},
    {.name = "spark.sql.streaming.pollingDelay", .kind = OPTION_TEXT, .help = TUNES},
    {.name = "spark.sql.streaming.commitProtocolClass", .kind = OPTION_TEXT, .fallback = "org.apache.spark.sql.execution.streaming.ManifestFileCommitProtocol", .help = "Class that commits files in Spark.", .never = "inlet commits by its own manifest"},
    {.name = "spark.sql.streaming.multipleWatermarkPolicy", .kind = OPTION_CHOICE, .fallback = "min", .choices = "min|max", .help = "Which watermark counts where a query has several.", .later = "watermarks come with the SQL engine"},
    {.name = "spark.sql.streaming.metricsEnabled", .kind = OPTION_BOOL, .fallback = "false", .help = TUNES},
    {.name = "spark.sql.streaming.stopTimeout", .kind = OPTION_DURATION, .fallback = "20s", .help = "How long a stop waits for the running batch; afterwards it stays planned and the next run continues it.", .never = "the timeout is 20 seconds"},
    {.name = "spark.sql.streaming.stateStore.providerClass", .kind = OPTION_TEXT, .help = TUNES},
    {.name = "spark.sql.streaming.stateStore.compression.codec", .kind = OPTION_TEXT, .help = TUNES},
    {.name = "spark.sql.streaming.stateStore.rocksdb.formatVersion", .kind = OPTION_TEXT, .help = TUNES},

    /* Only Spark's. */
    {.name = "spark.sql.shuffle.partitions", .kind = OPTION_INT, .fallback = "200", .minimum = 1, .maximum = INT64_MAX, .help = TUNES},
    {.name = "spark.default.parallelism", .kind = OPTION_INT, .minimum = 1, .maximum = INT64_MAX, .help = TUNES},
    {.name = "spark.sql.adaptive.enabled", .kind = OPTION_BOOL, .fallback = "true", .help = TUNES},
    {.name = "spark.sql.codegen.wholeStage", .kind = OPTION_BOOL, .fallback = "true", .help = TUNES},
    {.name = "spark.sql.maxMetadataStringLength", .kind = OPTION_INT, .fallback = "100", .maximum = INT64_MAX, .help = TUNES},
    {.name = "spark.sql.debug.maxToStringFields", .kind = OPTION_INT, .fallback = "25", .maximum = INT64_MAX, .help = TUNES},
    {.name = "spark.sql.warehouse.dir", .kind = OPTION_TEXT, .help = TUNES " inlet has no catalog."},
    {.name = "spark.app.name", .kind = OPTION_TEXT, .help = TUNES},
    {.name = "spark.master", .kind = OPTION_TEXT, .help = TUNES},

    /* Databricks. */
    {.name = "spark.databricks.cloudFiles.asyncDirListing", .kind = OPTION_BOOL, .help = TUNES},
    {.name = "spark.databricks.cloudFiles.schemaInference.sampleSize.numBytes", .kind = OPTION_BYTES, .fallback = "50gb", .help = "Bytes that schema inference looks at.", .later = "schema inference comes later"},
    {.name = "spark.databricks.cloudFiles.schemaInference.sampleSize.numFiles", .kind = OPTION_INT, .fallback = "1000", .minimum = 1, .maximum = INT64_MAX, .help = "Files that schema inference looks at.", .later = "schema inference comes later"},
    {.name = "spark.databricks.sql.rescuedDataColumn.filePath.enabled", .kind = OPTION_BOOL, .fallback = "true", .help = "The rescued data names its file.", .later = "the rescued data column comes later"},
    {.name = "spark.databricks.delta.schema.autoMerge.enabled", .kind = OPTION_BOOL, .fallback = "false", .help = "Delta tables take new columns without the writer's option mergeSchema.", .never = "set the writer's option mergeSchema"},
    {.name = NULL},
};

static bool is_known(const char *name)
{
    for (const struct option_spec *spec = session_options; spec->name; spec++)
        if (strcasecmp(spec->name, name) == 0) return true;
    return false;
}

static void warn_unknown(struct arena *arena, const struct option_input *input, struct buffer *warnings)
{
    size_t count = 0;
    const char **names = ARENA_ARRAY(arena, const char *, sizeof session_options / sizeof *session_options);
    for (const struct option_spec *spec = session_options; spec->name; spec++) names[count++] = spec->name;
    const char *nearest = nearest_name(input->name, names);
    if (!warnings) return;
    buffer_printf(warnings, "setting '%s' is not known to inlet and has no effect", input->name);
    if (input->line > 0) buffer_printf(warnings, " (line %d)", input->line);
    if (nearest) buffer_printf(warnings, "; did you mean '%s'?", nearest);
    buffer_byte(warnings, '\n');
}

static bool settle_zone(struct session *session, struct error *err)
{
    const struct option_value *value = options_get(&session->conf, "spark.sql.session.timeZone");
    session->zone = value->text ? time_zone_find(value->text, strlen(value->text), err) : time_zone_system();
    if (session->zone) return true;
    if (err && value->line > 0) err->line = value->line;
    return error_context(err, "setting spark.sql.session.timeZone to '%s'", value->hidden ? "(hidden)" : value->text);
}

bool session_parse(struct arena *arena, const struct option_input *inputs, size_t count, struct session *out,
                   struct buffer *warnings, struct error *err)
{
    struct option_input *known = ARENA_ARRAY(arena, struct option_input, count + 1);
    size_t known_count = 0;
    for (size_t i = 0; i < count; i++) {
        if (strncmp(inputs[i].name, "spark.", 6) == 0 && !is_known(inputs[i].name)) warn_unknown(arena, &inputs[i], warnings);
        else known[known_count++] = inputs[i];
    }
    const struct option_spec *tables[] = {session_options};
    memset(out, 0, sizeof *out);
    if (!options_parse(arena, "conf", tables, 1, known, known_count, NULL, &out->conf, err)) return false;
    out->ansi = options_bool(&out->conf, "spark.sql.ansi.enabled");
    out->case_sensitive = options_bool(&out->conf, "spark.sql.caseSensitive");
    out->corrupt_column = options_text(&out->conf, "spark.sql.columnNameOfCorruptRecord");
    return settle_zone(out, err);
}
