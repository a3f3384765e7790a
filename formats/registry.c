/* registry -- every reader and encoder by name, those of later releases too: they are refused by name. */
#include "formats/format.h"

#include <strings.h>

#define LATER_INPUT "this input format comes with a later release"
#define LATER_SOURCE "sources other than files come with a later release"

static const struct reader_ops parquet_reader = {.name = "parquet", .later = LATER_INPUT};
static const struct reader_ops orc_reader = {.name = "orc", .later = LATER_INPUT};
static const struct reader_ops avro_reader = {.name = "avro", .later = LATER_INPUT};
static const struct reader_ops xml_reader = {.name = "xml", .later = LATER_INPUT};
static const struct reader_ops binary_file_reader = {.name = "binaryFile", .later = LATER_INPUT};
static const struct reader_ops delta_reader = {.name = "delta", .later = LATER_SOURCE};
static const struct reader_ops kafka_reader = {.name = "kafka", .later = LATER_SOURCE};
static const struct reader_ops rate_reader = {.name = "rate", .later = LATER_SOURCE};
static const struct reader_ops rate_micro_batch_reader = {.name = "rate-micro-batch", .later = LATER_SOURCE};
static const struct reader_ops socket_reader = {.name = "socket", .later = LATER_SOURCE};

static const struct reader_ops *const readers[] = {
    &json_reader,  &csv_reader,   &text_reader,  &parquet_reader, &orc_reader,              &avro_reader,   &xml_reader,
    &binary_file_reader, &delta_reader, &kafka_reader, &rate_reader, &rate_micro_batch_reader, &socket_reader, NULL,
};

static const struct encoder_ops *const encoders[] = {&parquet_encoder, &json_encoder, &csv_encoder, &text_encoder, NULL};

const struct reader_ops *const *reader_list(void)
{
    return readers;
}

const struct encoder_ops *const *encoder_list(void)
{
    return encoders;
}

static bool refuse_unknown(const char *name, const char *const *names, struct error *err)
{
    error_set(err, COND_DATA_SOURCE_NOT_FOUND, "failed to find the data source: %s", name);
    const char *nearest = nearest_name(name, names);
    if (nearest) error_hint(err, "Did you mean '%s'?", nearest);
    return false;
}

const struct reader_ops *reader_find(const char *name, struct error *err)
{
    const char *names[COUNTOF(readers) + 1] = {0};
    for (size_t i = 0; readers[i]; i++) {
        names[i] = readers[i]->name;
        if (strcasecmp(readers[i]->name, name) != 0) continue;
        if (!readers[i]->later) return readers[i];
        error_set(err, COND_INLET_NOT_SUPPORTED_YET, "reading format %s is not supported yet: %s", readers[i]->name, readers[i]->later);
        return NULL;
    }
    names[COUNTOF(readers) - 1] = "cloudFiles"; /* A pipeline's format, though not a file's. */
    refuse_unknown(name, names, err);
    return NULL;
}

const struct encoder_ops *encoder_find(const char *name, struct error *err)
{
    const char *names[COUNTOF(encoders)] = {0};
    for (size_t i = 0; encoders[i]; i++) {
        names[i] = encoders[i]->name;
        if (strcasecmp(encoders[i]->name, name) == 0) return encoders[i];
    }
    refuse_unknown(name, names, err);
    return NULL;
}
