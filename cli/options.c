/* options -- `inlet options FORMAT`: what a format, a sink or the session takes, from the tables that parse it. */
#include "cli/cli.h"
#include "loader/reference.h"

#include <stdio.h>

static int options_run(struct arguments *arguments)
{
    struct buffer out = {0};
    struct error err;
    error_clear(&err);
    if (flag_value(arguments, "schema")) options_print_schema(&out);
    else if (flag_value(arguments, "page")) reference_print_page(&out);
    else if (!arguments->word_count) arguments->json ? reference_print_list_json(&out) : reference_print_list(&out);
    for (size_t i = 0; i < arguments->word_count; i++) {
        bool ok = arguments->json ? reference_print_format_json(arguments->words[i], &out, &err) : reference_print_format(arguments->words[i], &out, &err);
        if (ok) continue;
        buffer_free(&out);
        return fail_with(&err);
    }
    if (out.size && out.data[out.size - 1] != '\n') buffer_byte(&out, '\n');
    print_buffer(&out);
    return EXIT_DONE;
}

static const struct flag options_flags[] = {{"schema", 0, NULL, "the JSON Schema of the pipeline file, for editors"},
                                            {"page", 0, NULL, "the whole reference as Markdown"}, {0}};
const struct verb options_verb = {"options", "options [FLAGS] [FORMAT...]", "the options of a format, a sink or the session",
                                  "FORMAT is a source or sink (json, csv, text, cloudFiles, parquet, delta, console, foreachBatch, ...) or `conf`.",
                                  options_flags, options_run};
