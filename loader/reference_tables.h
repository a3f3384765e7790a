/* reference_tables -- which option tables belong to which format: shared by the printers of the reference. */
#pragma once
#include "formats/format.h"
#include "loader/source_options.h"
#include "sinks/sink.h"

struct section {
    const char *format, *use;  /* "json", "source" */
    const char *prefix;        /* Of the first table's names; NULL: none. */
    const char *later;         /* The whole format is not built. */
    const struct option_spec *tables[4];
    size_t table_count;
};

enum { SECTION_NAMES_MAX = 64 };

size_t sections_of(const char *format, struct section out[2]); /* 0: no such format. */
size_t section_names(const char **names, size_t names_max);    /* NULL-terminated. */
