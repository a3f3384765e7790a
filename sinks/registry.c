/* registry -- every sink by name, those of later releases too: they are refused by name. */
#include "sinks/sink.h"

#include <strings.h>

#define LATER_FORMAT "this output format comes with a later release"
#define LATER_SINK "this sink comes with a later release"

static const struct sink_ops orc_sink = {.name = "orc", .later = LATER_FORMAT};
static const struct sink_ops avro_sink = {.name = "avro", .later = LATER_FORMAT};
static const struct sink_ops xml_sink = {.name = "xml", .later = LATER_FORMAT};
static const struct sink_ops kafka_sink = {.name = "kafka", .later = LATER_SINK};
static const struct sink_ops memory_sink = {.name = "memory", .later = LATER_SINK};
static const struct sink_ops noop_sink = {.name = "noop", .later = LATER_SINK};
static const struct sink_ops jdbc_sink = {.name = "jdbc", .later = LATER_SINK};
static const struct sink_ops postgresql_sink = {.name = "postgresql", .later = LATER_SINK};

static const struct sink_ops *const sinks[] = {
    &parquet_sink, &json_sink, &csv_sink, &text_sink, &delta_sink,  &console_sink, &foreach_batch_sink, &orc_sink,
    &avro_sink,    &xml_sink,  &kafka_sink, &memory_sink, &noop_sink, &jdbc_sink,  &postgresql_sink,    NULL,
};

const struct sink_ops *const *sink_list(void)
{
    return sinks;
}

const struct sink_ops *sink_find(const char *name, struct error *err)
{
    const char *names[COUNTOF(sinks)] = {0};
    for (size_t i = 0; sinks[i]; i++) {
        names[i] = sinks[i]->name;
        if (strcasecmp(sinks[i]->name, name) != 0) continue;
        if (!sinks[i]->later) return sinks[i];
        error_set(err, COND_INLET_NOT_SUPPORTED_YET, "writing format %s is not supported yet: %s", sinks[i]->name, sinks[i]->later);
        return NULL;
    }
    error_set(err, COND_DATA_SOURCE_NOT_FOUND, "failed to find the data source: %s", name);
    const char *nearest = nearest_name(name, names);
    if (nearest) error_hint(err, "Did you mean '%s'?", nearest);
    return NULL;
}
