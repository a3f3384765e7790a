/* reference -- what the option tables say, for people and for editors.
 *
 * `inlet options FORMAT`, the reference page and etc/pipeline.schema.json all come from here, so that none of
 * them can say anything but what is parsed. */
#pragma once
#include "base/options.h"

/* Names that reference_print_format takes, one line each: readers, sinks, cloudFiles, conf. */
void reference_print_list(struct buffer *out);
void reference_print_list_json(struct buffer *out); /* An object a line. */
/* All options of one format as text: as a source, as a sink; `conf`: the settings. False: DATA_SOURCE_NOT_FOUND. */
bool reference_print_format(const char *format, struct buffer *out, struct error *err) MUST_CHECK;
/* The same as one JSON object. */
bool reference_print_format_json(const char *format, struct buffer *out, struct error *err) MUST_CHECK;
/* The whole reference as a Markdown page. */
void reference_print_page(struct buffer *out);
/* The JSON Schema of the pipeline file (draft 7), for editors. */
void options_print_schema(struct buffer *out);
