/* reference -- the option tables as text, Markdown and JSON. The JSON Schema is in reference_schema.c. */
#include "loader/reference.h"
#include "loader/reference_tables.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* ---- which tables belong to a format ------------------------------------------------------------ */

static void add_table(struct section *section, const struct option_spec *table)
{
    if (table) section->tables[section->table_count++] = table;
}

static const struct reader_ops *find_reader(const char *format)
{
    for (const struct reader_ops *const *reader = reader_list(); *reader; reader++)
        if (strcasecmp((*reader)->name, format) == 0) return *reader;
    return NULL;
}

static const struct sink_ops *find_sink(const char *format)
{
    for (const struct sink_ops *const *sink = sink_list(); *sink; sink++)
        if (strcasecmp((*sink)->name, format) == 0) return *sink;
    return NULL;
}

static struct section reader_section(const struct reader_ops *reader)
{
    struct section section = {.format = reader->name, .use = "source", .later = reader->later};
    if (reader->later) return section;
    add_table(&section, reader->options);
    add_table(&section, file_source_options);
    add_table(&section, file_options);
    return section;
}

static struct section cloud_section(void)
{
    struct section section = {.format = "cloudFiles", .use = "source", .prefix = "cloudFiles."};
    add_table(&section, cloud_source_options);
    add_table(&section, file_options);
    return section;
}

static struct section sink_section(const struct sink_ops *sink)
{
    struct section section = {.format = sink->name, .use = "sink", .later = sink->later};
    if (sink->later) return section;
    add_table(&section, stream_writer_options);
    add_table(&section, sink->options);
    const struct encoder_ops *encoder = sink->encoder ? encoder_find(sink->encoder, NULL) : NULL;
    if (encoder) add_table(&section, encoder->options);
    return section;
}

static struct section conf_section(void)
{
    struct section section = {.format = "conf", .use = "settings"};
    add_table(&section, session_options);
    return section;
}

size_t sections_of(const char *format, struct section out[2])
{
    size_t count = 0;
    const struct reader_ops *reader = find_reader(format);
    const struct sink_ops *sink = find_sink(format);
    if (strcasecmp(format, "conf") == 0) out[count++] = conf_section();
    if (strcasecmp(format, "cloudFiles") == 0) out[count++] = cloud_section();
    if (reader) out[count++] = reader_section(reader);
    if (sink) out[count++] = sink_section(sink);
    return count;
}

static bool is_listed(const char *const *names, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcasecmp(names[i], name) == 0) return true;
    return false;
}

size_t section_names(const char **names, size_t names_max)
{
    size_t count = 0;
    names[count++] = "cloudFiles";
    for (const struct reader_ops *const *reader = reader_list(); *reader && count < names_max - 2; reader++)
        names[count++] = (*reader)->name;
    for (const struct sink_ops *const *sink = sink_list(); *sink && count < names_max - 2; sink++)
        if (!is_listed(names, count, (*sink)->name)) names[count++] = (*sink)->name;
    names[count++] = "conf";
    names[count] = NULL;
    return count;
}

/* ---- rows -------------------------------------------------------------------------------------- */

static const char *kind_text(const struct option_spec *spec)
{
    switch (spec->kind) {
    case OPTION_TEXT: return "text";
    case OPTION_BOOL: return "true or false";
    case OPTION_INT: return "integer";
    case OPTION_REAL: return "number";
    case OPTION_BYTES: return "byte size (512m, 10g)";
    case OPTION_DURATION: return "duration (30s, 7d; a bare number is milliseconds)";
    case OPTION_INTERVAL: return "interval (1 day, 30 minutes)";
    case OPTION_CHAR: return "one character, or empty for none";
    case OPTION_CHOICE: return NULL;
    case OPTION_PATH: return "path";
    }
    return NULL;
}

static void print_kind(const struct option_spec *spec, struct buffer *out)
{
    const char *kind = kind_text(spec);
    if (kind) {
        buffer_text(out, kind);
        return;
    }
    for (const char *p = spec->choices; *p; p++) {
        if (*p == '|') buffer_text(out, ", ");
        else buffer_byte(out, (uint8_t)*p);
    }
}

/* A default as it can be read: control characters as escapes, the empty text as "". */
static void print_default(const char *text, struct buffer *out)
{
    if (!*text) buffer_text(out, "\"\"");
    for (; *text; text++) {
        if (*text == '\n') buffer_text(out, "\\n");
        else if (*text == '\r') buffer_text(out, "\\r");
        else if (*text == '\t') buffer_text(out, "\\t");
        else buffer_byte(out, (uint8_t)*text);
    }
}

/* In front of the reason why an option cannot be changed. */
static const char *never_label(const struct option_spec *spec)
{
    return spec->fallback ? "Only the default is taken" : "Not taken";
}

static void print_row_text(const struct section *section, const struct option_spec *spec, struct buffer *out)
{
    buffer_printf(out, "  %s%s\n      ", section->prefix ? section->prefix : "", spec->name);
    print_kind(spec, out);
    if (spec->fallback) {
        buffer_text(out, "; default ");
        print_default(spec->fallback, out);
    }
    buffer_byte(out, '\n');
    if (spec->help) buffer_printf(out, "      %s\n", spec->help);
    if (spec->later) buffer_printf(out, "      Not built yet: %s.\n", spec->later);
    if (spec->never) buffer_printf(out, "      %s: %s.\n", never_label(spec), spec->never);
}

static void print_section_text(const struct section *section, struct buffer *out)
{
    bool is_conf = strcmp(section->use, "settings") == 0;
    buffer_printf(out, is_conf ? "%s: the %s of a query\n" : "%s as a %s\n", section->format, section->use);
    if (section->later) buffer_printf(out, "  Not built yet: %s.\n", section->later);
    for (size_t t = 0; t < section->table_count; t++) {
        const char *prefix = section->prefix;
        struct section rows = *section;
        rows.prefix = t == 0 ? prefix : NULL; /* Only Auto Loader's own names carry it. */
        for (const struct option_spec *spec = section->tables[t]; spec->name; spec++) print_row_text(&rows, spec, out);
    }
}

static bool refuse_format(const char *format, struct error *err)
{
    const char *names[SECTION_NAMES_MAX];
    section_names(names, SECTION_NAMES_MAX);
    error_set(err, COND_DATA_SOURCE_NOT_FOUND, "failed to find the data source: %s", format);
    const char *nearest = nearest_name(format, names);
    if (nearest) error_hint(err, "Did you mean '%s'?", nearest);
    return false;
}

void reference_print_list(struct buffer *out)
{
    const char *names[SECTION_NAMES_MAX];
    size_t count = section_names(names, SECTION_NAMES_MAX);
    for (size_t i = 0; i < count; i++) {
        struct section sections[2];
        size_t found = sections_of(names[i], sections);
        buffer_printf(out, "%-18s", names[i]);
        for (size_t j = 0; j < found; j++)
            buffer_printf(out, "%s%s%s", j ? ", " : "", sections[j].use, sections[j].later ? " (not built yet)" : "");
        buffer_byte(out, '\n');
    }
}

void reference_print_list_json(struct buffer *out)
{
    const char *names[SECTION_NAMES_MAX];
    size_t count = section_names(names, SECTION_NAMES_MAX);
    for (size_t i = 0; i < count; i++) {
        struct section sections[2];
        size_t found = sections_of(names[i], sections);
        buffer_printf(out, "{\"format\":\"%s\"", names[i]);
        for (size_t j = 0; j < found; j++) buffer_printf(out, ",\"%s\":{\"built\":%s}", sections[j].use, sections[j].later ? "false" : "true");
        buffer_text(out, "}\n");
    }
}

bool reference_print_format(const char *format, struct buffer *out, struct error *err)
{
    struct section sections[2];
    size_t count = sections_of(format, sections);
    if (!count) return refuse_format(format, err);
    for (size_t i = 0; i < count; i++) {
        if (i) buffer_byte(out, '\n');
        print_section_text(&sections[i], out);
    }
    return true;
}

/* ---- JSON -------------------------------------------------------------------------------------- */

static void print_pair(struct buffer *out, const char *key, const char *text)
{
    if (!text) return;
    buffer_printf(out, ",\"%s\":", key);
    buffer_json_string(out, text, strlen(text));
}

static void print_row_json(const char *prefix, const struct option_spec *spec, struct buffer *out)
{
    struct buffer kind = {0};
    print_kind(spec, &kind);
    buffer_printf(out, "{\"name\":\"%s%s\"", prefix ? prefix : "", spec->name);
    print_pair(out, "type", buffer_string(&kind));
    print_pair(out, "default", spec->fallback);
    print_pair(out, "help", spec->help);
    print_pair(out, "aliasOf", spec->alias_of);
    print_pair(out, "notBuiltYet", spec->later);
    print_pair(out, "notTaken", spec->never);
    buffer_byte(out, '}');
    buffer_free(&kind);
}

bool reference_print_format_json(const char *format, struct buffer *out, struct error *err)
{
    struct section sections[2];
    size_t count = sections_of(format, sections);
    if (!count) return refuse_format(format, err);
    buffer_printf(out, "{\"format\":\"%s\"", sections[0].format);
    for (size_t i = 0; i < count; i++) {
        bool first = true;
        buffer_printf(out, ",\"%s\":{", sections[i].use);
        if (sections[i].later) {
            buffer_text(out, "\"notBuiltYet\":");
            buffer_json_string(out, sections[i].later, strlen(sections[i].later));
            buffer_byte(out, ',');
        }
        buffer_text(out, "\"options\":[");
        for (size_t t = 0; t < sections[i].table_count; t++)
            for (const struct option_spec *spec = sections[i].tables[t]; spec->name; spec++, first = false) {
                if (!first) buffer_byte(out, ',');
                print_row_json(t == 0 ? sections[i].prefix : NULL, spec, out);
            }
        buffer_text(out, "]}");
    }
    buffer_text(out, "}\n");
    return true;
}

/* ---- Markdown ---------------------------------------------------------------------------------- */

/* Cells must not hold the table's own sign. */
static void print_cell(const char *text, struct buffer *out)
{
    for (; *text; text++) {
        if (*text == '|') buffer_byte(out, '\\');
        buffer_byte(out, *text == '\n' ? ' ' : (uint8_t)*text);
    }
}

static void print_row_page(const char *prefix, const struct option_spec *spec, struct buffer *out)
{
    struct buffer text = {0};
    buffer_printf(out, "| `%s%s` | ", prefix ? prefix : "", spec->name);
    print_kind(spec, &text);
    print_cell(buffer_string(&text), out);
    buffer_text(out, " | ");
    buffer_clear(&text);
    if (spec->fallback) print_default(spec->fallback, &text);
    if (text.size) {
        buffer_byte(out, '`');
        print_cell(buffer_string(&text), out);
        buffer_byte(out, '`');
    }
    buffer_text(out, " | ");
    if (spec->help) print_cell(spec->help, out);
    if (spec->later) {
        buffer_text(out, " *Not built yet: ");
        print_cell(spec->later, out);
        buffer_text(out, ".*");
    }
    if (spec->never) {
        buffer_printf(out, " *%s: ", never_label(spec));
        print_cell(spec->never, out);
        buffer_text(out, ".*");
    }
    buffer_text(out, " |\n");
    buffer_free(&text);
}

static void print_table_page(const char *title, const char *prefix, const struct option_spec *table, struct buffer *out)
{
    if (!table || !table->name) return;
    buffer_printf(out, "\n## %s\n\n| option | value | default | meaning |\n| --- | --- | --- | --- |\n", title);
    for (const struct option_spec *spec = table; spec->name; spec++) print_row_page(prefix, spec, out);
}

static void print_readers_page(struct buffer *out)
{
    char title[128];
    print_table_page("Every file source", NULL, file_options, out);
    print_table_page("Plain formats (Spark's file source)", NULL, file_source_options, out);
    print_table_page("cloudFiles (Auto Loader)", "cloudFiles.", cloud_source_options, out);
    for (const struct reader_ops *const *reader = reader_list(); *reader; reader++) {
        if ((*reader)->later) continue;
        snprintf(title, sizeof title, "Reading %s", (*reader)->name);
        print_table_page(title, NULL, (*reader)->options, out);
    }
}

static void print_sinks_page(struct buffer *out)
{
    char title[128];
    print_table_page("Every sink", NULL, stream_writer_options, out);
    for (const struct sink_ops *const *sink = sink_list(); *sink; sink++) {
        if ((*sink)->later) continue;
        snprintf(title, sizeof title, "Sink %s", (*sink)->name);
        print_table_page(title, NULL, (*sink)->options, out);
        const struct encoder_ops *encoder = (*sink)->encoder ? encoder_find((*sink)->encoder, NULL) : NULL;
        if (!encoder) continue;
        snprintf(title, sizeof title, "Sink %s: its files", (*sink)->name);
        print_table_page(title, NULL, encoder->options, out);
    }
}

void reference_print_page(struct buffer *out)
{
    buffer_text(out, "# Options and settings\n\nWritten by `inlet options --page` from the tables that parse them. Names are taken in any case; for `cloudFiles`,\n"
                     "`X` and `cloudFiles.X` are the same. An option that its format does not know is refused.\n");
    print_readers_page(out);
    print_sinks_page(out);
    print_table_page("Settings (conf)", NULL, session_options, out);
}
