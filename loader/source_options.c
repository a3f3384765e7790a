/* source_options -- the option tables of the file source in its two semantics, and their settlement. */
#include "loader/source_options.h"
#include "base/uri.h"

#include <string.h>
#include <strings.h>

#define LATER_INFERENCE "schema inference and evolution come with a later release"
#define LATER_CLOUD "cloud storage and its queues come with a later release"
#define LATER_RESCUE "the rescued data column comes with a later release"

const struct option_spec file_source_options[] = {
    {.name = "maxFilesPerTrigger", .kind = OPTION_INT, .minimum = 1, .maximum = INT32_MAX, .help = "Most files in one batch. Not together with maxBytesPerTrigger."},
    {.name = "maxBytesPerTrigger", .kind = OPTION_INT, .minimum = 1, .maximum = INT64_MAX, .help = "Most bytes in one batch: files are taken while their sum is within; always at least one."},
    {.name = "maxFileAge", .kind = OPTION_DURATION, .help = "Files older than the newest one seen by more than this are skipped, visibly. Not in the first batch; off unless set (Spark: 7d)."},
    {.name = "latestFirst", .kind = OPTION_BOOL, .fallback = "false", .help = "Newest files first. With a limit it turns maxFileAge off."},
    {.name = "fileNameOnly", .kind = OPTION_BOOL, .fallback = "false", .help = "A file is known by its name alone, whatever its folder."},
    {.name = "cleanSource", .kind = OPTION_CHOICE, .choices = "archive|delete|off", .fallback = "off", .help = "What becomes of a file after its batch is committed."},
    {.name = "sourceArchiveDir", .kind = OPTION_PATH, .help = "Folder for cleanSource=archive; below it files keep their whole path."},
    {.name = "maxCachedFiles", .kind = OPTION_INT, .minimum = 0, .maximum = INT64_MAX, .fallback = "10000", .help = "Has no effect: what is pending stands in the ledger, and nothing is listed twice for it."},
    {.name = "discardCachedInputRatio", .kind = OPTION_REAL, .fallback = "0.2", .help = "Has no effect: what is pending stands in the ledger, and nothing is listed twice for it."},
    {.name = NULL},
};

const struct option_spec cloud_source_options[] = {
    {.name = "format", .kind = OPTION_TEXT, .help = "Format of the files. Required."},
    {.name = "allowOverwrites", .kind = OPTION_BOOL, .fallback = "false", .help = "A file that changed is a new file: identity is path and modification time."},
    {.name = "backfillInterval", .kind = OPTION_INTERVAL, .help = "A full listing at this interval catches what notifications lost."},
    {.name = "cleanSource", .kind = OPTION_CHOICE, .choices = "OFF|DELETE|MOVE", .fallback = "OFF", .help = "What becomes of a file after its batch is committed and retentionDuration is over."},
    {.name = "cleanSource.retentionDuration", .kind = OPTION_INTERVAL, .fallback = "30 days", .help = "Time between the commit and the cleaning of a file; more than 7 days for DELETE."},
    {.name = "cleanSource.moveDestination", .kind = OPTION_PATH, .help = "Folder for cleanSource=MOVE; below it files keep their path relative to the load path."},
    {.name = "cleanSource.waitForCompletion", .kind = OPTION_BOOL, .fallback = "false", .help = "Has no effect: what is due is always cleaned before a run ends."},
    {.name = "includeExistingFiles", .kind = OPTION_BOOL, .fallback = "true", .help = "Files that are there at the first start are loaded. Looked at by the first start only."},
    {.name = "inferColumnTypes", .kind = OPTION_BOOL, .fallback = "false", .help = "Inferred columns get types.", .later = LATER_INFERENCE},
    {.name = "maxBytesPerTrigger", .kind = OPTION_BYTES, .help = "Soft limit of bytes in one batch: the file that crosses it is taken."},
    {.name = "maxFilesPerTrigger", .kind = OPTION_INT, .help = "Most files in one batch. Without it and maxBytesPerTrigger a batch is all that is pending, cut at 1 GiB and 100,000 files (older Auto Loaders: 1000 files)."},
    {.name = "maxFileAge", .kind = OPTION_INTERVAL, .help = "Files older than the newest one seen by more than this are skipped, visibly; at least 14 days. Off unless set."},
    {.name = "partitionColumns", .kind = OPTION_TEXT, .help = "Comma list of the key=value folder names that are columns; empty: none are."},
    {.name = "readerCaseSensitive", .kind = OPTION_BOOL, .fallback = "true", .help = "Names in the data match columns by case.", .later = LATER_RESCUE},
    {.name = "rescuedDataColumn", .kind = OPTION_TEXT, .help = "Column that takes what did not fit the schema.", .later = LATER_RESCUE},
    {.name = "schemaEvolutionMode", .kind = OPTION_CHOICE, .choices = "addNewColumns|rescue|failOnNewColumns|none|addNewColumnsWithTypeWidening", .help = "What a new column in the data does. With a schema: none."},
    {.name = "schemaHints", .kind = OPTION_TEXT, .help = "Types of some inferred columns.", .later = LATER_INFERENCE},
    {.name = "schemaLocation", .kind = OPTION_PATH, .help = "Folder of the inferred schemas. Not used where the reader has a schema."},
    {.name = "useIncrementalListing", .kind = OPTION_CHOICE, .choices = "auto|true|false", .fallback = "auto", .help = "Has no effect: folders that were fully seen and did not change are not listed again, and names need no order."},
    {.name = "useManagedFileEvents", .kind = OPTION_BOOL, .fallback = "false", .help = "Databricks' own event service.", .never = "it exists on Databricks only; use useNotifications"},
    {.name = "useNotifications", .kind = OPTION_BOOL, .fallback = "false", .help = "Be told of new files: by inotify on a local path."},
    {.name = "useStrictGlobber", .kind = OPTION_BOOL, .fallback = "false", .help = "Globs in the load path follow Spark's rules: * does not cross folders."},
    {.name = "validateOptions", .kind = OPTION_BOOL, .fallback = "true", .help = "Unknown options are refused.", .never = "inlet always refuses options that it does not know"},
    {.name = "fetchParallelism", .kind = OPTION_INT, .fallback = "1", .minimum = 1, .maximum = INT64_MAX, .help = "Threads that read the queue.", .later = LATER_CLOUD},
    {.name = "pathRewrites", .kind = OPTION_TEXT, .help = "Prefixes of paths in queue messages, and what they are here.", .later = LATER_CLOUD},
    {.name = "resourceTag.*", .kind = OPTION_TEXT, .help = "Tags of the resources that are set up.", .later = LATER_CLOUD},
    {.name = "region", .kind = OPTION_TEXT, .help = "AWS: region of bucket and queue.", .later = LATER_CLOUD},
    {.name = "queueUrl", .kind = OPTION_TEXT, .help = "AWS: the SQS queue to read.", .later = LATER_CLOUD},
    {.name = "restrictNotificationSetupToSameAWSAccountId", .kind = OPTION_BOOL, .fallback = "false", .help = "AWS: only buckets of the same account.", .later = LATER_CLOUD},
    {.name = "awsAccessKey", .kind = OPTION_TEXT, .secret = true, .help = "AWS: access key.", .later = LATER_CLOUD},
    {.name = "awsSecretKey", .kind = OPTION_TEXT, .secret = true, .help = "AWS: secret key.", .later = LATER_CLOUD},
    {.name = "roleArn", .kind = OPTION_TEXT, .help = "AWS: role to assume.", .later = LATER_CLOUD},
    {.name = "roleExternalId", .kind = OPTION_TEXT, .secret = true, .help = "AWS: external id of the role.", .later = LATER_CLOUD},
    {.name = "roleSessionName", .kind = OPTION_TEXT, .help = "AWS: session name of the role.", .later = LATER_CLOUD},
    {.name = "stsEndpoint", .kind = OPTION_TEXT, .help = "AWS: endpoint of the token service.", .later = LATER_CLOUD},
    {.name = "queueName", .kind = OPTION_TEXT, .help = "Azure: the queue to read.", .later = LATER_CLOUD},
    {.name = "connectionString", .kind = OPTION_TEXT, .secret = true, .help = "Azure: connection string of the account.", .later = LATER_CLOUD},
    {.name = "subscriptionId", .kind = OPTION_TEXT, .help = "Azure: subscription.", .later = LATER_CLOUD},
    {.name = "resourceGroup", .kind = OPTION_TEXT, .help = "Azure: resource group.", .later = LATER_CLOUD},
    {.name = "tenantId", .kind = OPTION_TEXT, .help = "Azure: tenant.", .later = LATER_CLOUD},
    {.name = "clientId", .kind = OPTION_TEXT, .help = "Azure: client.", .later = LATER_CLOUD},
    {.name = "clientSecret", .kind = OPTION_TEXT, .secret = true, .help = "Azure: secret of the client.", .later = LATER_CLOUD},
    {.name = "subscription", .kind = OPTION_TEXT, .help = "Google: the Pub/Sub subscription to read.", .later = LATER_CLOUD},
    {.name = "projectId", .kind = OPTION_TEXT, .help = "Google: project.", .later = LATER_CLOUD},
    {.name = "client", .kind = OPTION_TEXT, .help = "Google: client.", .later = LATER_CLOUD},
    {.name = "clientEmail", .kind = OPTION_TEXT, .help = "Google: service account.", .later = LATER_CLOUD},
    {.name = "privateKey", .kind = OPTION_TEXT, .secret = true, .help = "Google: key of the service account.", .later = LATER_CLOUD},
    {.name = "privateKeyId", .kind = OPTION_TEXT, .secret = true, .help = "Google: id of that key.", .later = LATER_CLOUD},
    {.name = "databricks.serviceCredential", .kind = OPTION_TEXT, .help = "Databricks: named credential.", .never = "it exists on Databricks only"},
    {.name = NULL},
};

const struct option_spec stream_writer_options[] = {
    {.name = "checkpointLocation", .kind = OPTION_PATH, .help = "Folder of the query's state. Required, unless spark.sql.streaming.checkpointLocation is set."},
    {.name = "path", .kind = OPTION_PATH, .help = "Where to write, if the writer has no `start`."},
    {.name = NULL},
};

static const int64_t day_us = 86400000000ll;

/* Refuses the value of `name`, at its line. */
static bool refuse(const struct options *options, const char *name, enum condition condition, struct error *err,
                   const char *text)
{
    const struct option_value *value = options_get(options, name);
    error_set(err, condition, "%s", text);
    if (err && value->line > 0) err->line = value->line;
    return false;
}

/* As in Spark, the reader's option timeZone goes before the session's zone. */
static const struct time_zone *zone_of(const struct options *options, const struct session *session, struct error *err)
{
    const char *name = options_has(options, "timeZone") ? options_text(options, "timeZone") : NULL;
    return name ? time_zone_option(name, err) : session->zone;
}

static bool settle_file_times(const struct options *options, const struct session *session,
                              struct source_settings *out, struct error *err)
{
    const char *after = options_text(options, "modifiedAfter"), *before = options_text(options, "modifiedBefore");
    out->modified_after_us = INT64_MIN;
    out->modified_before_us = INT64_MAX;
    if (!out->is_cloud_files) {
        if (after)
            return refuse(options, "modifiedAfter", COND_INLET_BAD_OPTION_VALUE, err,
                          "option 'modifiedAfter' is not allowed in file stream sources");
        if (before)
            return refuse(options, "modifiedBefore", COND_INLET_BAD_OPTION_VALUE, err,
                          "option 'modifiedBefore' is not allowed in file stream sources");
        return true;
    }
    const struct time_zone *zone = zone_of(options, session, err);
    if (!zone) return false;
    if (after && !cast_timestamp(after, strlen(after), zone, &out->modified_after_us))
        return refuse(options, "modifiedAfter", COND_CF_INVALID_VALUE, err,
                      "the value of option 'modifiedAfter' is not a timestamp such as 2024-01-31T00:00:00");
    if (before && !cast_timestamp(before, strlen(before), zone, &out->modified_before_us))
        return refuse(options, "modifiedBefore", COND_CF_INVALID_VALUE, err,
                      "the value of option 'modifiedBefore' is not a timestamp such as 2024-01-31T00:00:00");
    return true;
}

static bool bool_or_setting(const struct options *options, const char *name, const struct session *session,
                            const char *setting)
{
    return options_text(options, name) ? options_bool(options, name) : options_bool(&session->conf, setting);
}

static void settle_common(const struct options *options, const struct session *session, struct source_settings *out)
{
    out->recursive = options_bool(options, "recursiveFileLookup");
    out->discover_partitions = !out->recursive;
    out->path_glob_filter = options_text(options, "pathGlobFilter");
    out->base_path = options_text(options, "basePath");
    out->ignore_corrupt_files = bool_or_setting(options, "ignoreCorruptFiles", session,
                                                "spark.sql.files.ignoreCorruptFiles");
    out->ignore_missing_files = bool_or_setting(options, "ignoreMissingFiles", session,
                                                "spark.sql.files.ignoreMissingFiles");
}

/* ---- plain formats: Spark ---------------------------------------------------------------------- */

static bool settle_plain_cleaning(const struct options *options, struct source_settings *out, struct error *err)
{
    static const enum clean_mode modes[] = {CLEAN_ARCHIVE, CLEAN_DELETE, CLEAN_OFF}; /* As in `choices`. */
    out->clean = modes[options_int(options, "cleanSource")];
    out->clean_directory = options_text(options, "sourceArchiveDir");
    if (out->clean == CLEAN_ARCHIVE && !out->clean_directory)
        return refuse(options, "cleanSource", COND_INLET_BAD_OPTION_VALUE, err,
                      "archive mode of option 'cleanSource' must be used with option 'sourceArchiveDir'");
    return true;
}

static bool settle_plain(const struct options *options, struct source_settings *out, struct error *err)
{
    out->max_files = options_int(options, "maxFilesPerTrigger");
    out->max_bytes = options_int(options, "maxBytesPerTrigger");
    if (out->max_files && out->max_bytes)
        return refuse(options, "maxBytesPerTrigger", COND_INLET_BAD_OPTION_VALUE, err,
                      "options 'maxFilesPerTrigger' and 'maxBytesPerTrigger' can't be both set at the same time");
    double ratio = options_get(options, "discardCachedInputRatio")->real;
    if (!(ratio >= 0 && ratio <= 1))
        return refuse(options, "discardCachedInputRatio", COND_INLET_BAD_OPTION_VALUE, err,
                      "the value of option 'discardCachedInputRatio' must be a positive float between 0 and 1");
    out->latest_first = options_bool(options, "latestFirst");
    out->file_name_only = options_bool(options, "fileNameOnly");
    out->max_file_age_us = options_given(options, "maxFileAge") ? options_int(options, "maxFileAge") : -1;
    if (out->latest_first && (out->max_files || out->max_bytes)) out->max_file_age_us = -1;
    out->subtree = out->recursive;
    out->strict_glob = true;
    out->include_existing = true;
    return settle_plain_cleaning(options, out, err);
}

/* ---- cloudFiles: Auto Loader ------------------------------------------------------------------- */

#define AUTOMATIC_BYTES ((int64_t)1 << 30)
enum { AUTOMATIC_FILES = 100000 };

static bool settle_cloud_limits(const struct options *options, struct source_settings *out, struct error *err)
{
    out->max_files = options_int(options, "maxFilesPerTrigger");
    out->max_bytes = options_int(options, "maxBytesPerTrigger");
    out->max_bytes_crossing = true;
    if (options_given(options, "maxFilesPerTrigger") && out->max_files <= 0)
        return refuse(options, "maxFilesPerTrigger", COND_CF_MAX_MUST_BE_POSITIVE, err,
                      "the value of option 'maxFilesPerTrigger' must be positive");
    if (options_given(options, "maxBytesPerTrigger") && out->max_bytes <= 0)
        return refuse(options, "maxBytesPerTrigger", COND_CF_MAX_MUST_BE_POSITIVE, err,
                      "the value of option 'maxBytesPerTrigger' must be positive");
    if (!out->max_files && !out->max_bytes) { /* Sized by inlet: a first load of a year neither holds one plan in memory nor fails as a whole. */
        out->max_files = AUTOMATIC_FILES;
        out->max_bytes = AUTOMATIC_BYTES;
    }
    out->max_file_age_us = options_given(options, "maxFileAge") ? options_int(options, "maxFileAge") : -1;
    if (options_given(options, "maxFileAge") && out->max_file_age_us < 14 * day_us)
        return refuse(options, "maxFileAge", COND_CF_INVALID_VALUE, err,
                      "the value of option 'maxFileAge' must be at least 14 days");
    out->backfill_interval_us = options_int(options, "backfillInterval");
    if (options_given(options, "backfillInterval") && out->backfill_interval_us <= 0)
        return refuse(options, "backfillInterval", COND_CF_INVALID_VALUE, err,
                      "the value of option 'backfillInterval' must be positive");
    return true;
}

static bool settle_cloud_cleaning(const struct options *options, struct source_settings *out, struct error *err)
{
    static const enum clean_mode modes[] = {CLEAN_OFF, CLEAN_DELETE, CLEAN_MOVE}; /* As in `choices`. */
    out->clean = modes[options_int(options, "cleanSource")];
    out->clean_directory = options_text(options, "cleanSource.moveDestination");
    out->clean_retention_us = options_int(options, "cleanSource.retentionDuration");
    out->clean_wait = options_bool(options, "cleanSource.waitForCompletion");
    if (out->clean == CLEAN_MOVE && !out->clean_directory)
        return refuse(options, "cleanSource", COND_CF_INVALID_VALUE, err,
                      "option 'cleanSource' = MOVE needs option 'cleanSource.moveDestination'");
    if (out->clean_retention_us < 0)
        return refuse(options, "cleanSource.retentionDuration", COND_CF_INVALID_VALUE, err,
                      "the value of option 'cleanSource.retentionDuration' must not be negative");
    if (out->clean == CLEAN_DELETE && out->clean_retention_us <= 7 * day_us)
        return refuse(options, "cleanSource.retentionDuration", COND_CF_INVALID_VALUE, err,
                      "the value of option 'cleanSource.retentionDuration' must be greater than 7 days for cleanSource = DELETE");
    return true;
}

/* Only pipelines with a schema reach this; what evolves a schema needs an inferred one. */
static bool check_evolution(const struct options *options, struct error *err)
{
    const struct option_value *mode = options_get(options, "schemaEvolutionMode");
    if (!mode->given || strcasecmp(mode->text, "none") == 0) return true;
    if (strncasecmp(mode->text, "addNewColumns", 13) == 0)
        return refuse(options, "schemaEvolutionMode", COND_CF_ADD_NEW_NOT_SUPPORTED, err,
                      "schema evolution mode addNewColumns is not supported when the schema is specified. To use this mode, give the schema through cloudFiles.schemaHints instead");
    return refuse(options, "schemaEvolutionMode", COND_INLET_NOT_SUPPORTED_YET, err,
                  "option 'schemaEvolutionMode' other than none is not supported yet: " LATER_INFERENCE);
}

/* "a, b" -> {"a", "b"}; "" -> none. */
static void settle_partition_columns(const struct options *options, struct arena *arena, struct source_settings *out)
{
    const char *text = options_text(options, "partitionColumns");
    if (!text) return;
    const char **names = ARENA_ARRAY(arena, const char *, strlen(text) + 1);
    out->partition_columns = names;
    for (const char *p = text; *p;) {
        size_t size = strcspn(p, ","), start = strspn(p, " \t"), end = size;
        if (start > size) start = size;
        while (end > start && (p[end - 1] == ' ' || p[end - 1] == '\t')) end--;
        if (end > start) names[out->partition_column_count++] = arena_strndup(arena, p + start, end - start);
        p += size + (p[size] == ',');
    }
    if (!out->partition_column_count) out->discover_partitions = false;
}

static bool settle_cloud(const struct options *options, struct arena *arena, struct source_settings *out,
                         struct error *err)
{
    out->allow_overwrites = options_bool(options, "allowOverwrites");
    out->include_existing = options_bool(options, "includeExistingFiles");
    out->use_notifications = options_bool(options, "useNotifications");
    out->strict_glob = options_bool(options, "useStrictGlobber");
    out->subtree = true;
    settle_partition_columns(options, arena, out);
    return settle_cloud_limits(options, out, err) && settle_cloud_cleaning(options, out, err) &&
        check_evolution(options, err);
}

static bool check_glob(const struct options *options, const char *name, struct arena *arena, struct error *err)
{
    const struct option_value *value = options_get(options, name);
    if (!value->text || glob_compile(arena, value->text, err)) return true;
    if (err && value->line > 0) err->line = value->line;
    return error_context(err, "reading option '%s'", name);
}

bool source_settings_make(const struct options *options, bool is_cloud_files, const struct session *session,
                          struct arena *arena, struct source_settings *out, struct error *err)
{
    *out = (struct source_settings){.is_cloud_files = is_cloud_files};
    settle_common(options, session, out);
    if (!check_glob(options, "pathGlobFilter", arena, err) || !settle_file_times(options, session, out, err))
        return false;
    return is_cloud_files ? settle_cloud(options, arena, out, err) : settle_plain(options, out, err);
}
