/* reference_schema -- the JSON Schema of the pipeline file, for completion and checking in editors.
 *
 * Option names are listed per format but others are let through: names are taken in any case, which a
 * schema cannot say. inlet itself refuses what it does not know. */
#include "loader/reference.h"
#include "loader/reference_tables.h"

#include <stdio.h>
#include <string.h>

static void print_text(struct buffer *out, const char *text)
{
    buffer_json_string(out, text, strlen(text));
}

static const char *schema_type(const struct option_spec *spec)
{
    switch (spec->kind) {
    case OPTION_BOOL: return "[\"boolean\",\"string\"]";
    case OPTION_INT: case OPTION_BYTES: case OPTION_DURATION: return "[\"integer\",\"string\"]";
    case OPTION_REAL: return "[\"number\",\"string\"]";
    case OPTION_TEXT: return "[\"string\",\"number\",\"boolean\"]";
    default: return "\"string\"";
    }
}

static void print_examples(const char *choices, struct buffer *out)
{
    buffer_text(out, ",\"examples\":[");
    for (const char *p = choices; *p;) {
        size_t size = strcspn(p, "|");
        buffer_json_string(out, p, size);
        p += size;
        if (*p++ != '|') break;
        buffer_byte(out, ',');
    }
    buffer_byte(out, ']');
}

static void print_option(const char *prefix, const struct option_spec *spec, bool *first, struct buffer *out)
{
    size_t size = strlen(spec->name);
    if (size > 2 && strcmp(spec->name + size - 2, ".*") == 0) return;
    buffer_printf(out, "%s\n      \"%s%s\": {\"type\":%s,\"description\":", *first ? "" : ",", prefix, spec->name, schema_type(spec));
    *first = false;
    struct buffer text = {0};
    if (spec->help) buffer_text(&text, spec->help);
    if (spec->later) buffer_printf(&text, "%sNot built yet: %s.", text.size ? " " : "", spec->later);
    if (spec->never) buffer_printf(&text, "%sNot to be set: %s.", text.size ? " " : "", spec->never);
    print_text(out, buffer_string(&text));
    buffer_free(&text);
    if (spec->fallback) {
        buffer_text(out, ",\"default\":");
        print_text(out, spec->fallback);
    }
    if (spec->choices) print_examples(spec->choices, out);
    buffer_byte(out, '}');
}

static void print_definition(const char *name, const struct section *section, struct buffer *out)
{
    bool first = true;
    buffer_printf(out, ",\n    \"%s\": {\"type\":\"object\",\"properties\":{", name);
    for (size_t t = 0; t < section->table_count; t++)
        for (const struct option_spec *spec = section->tables[t]; spec->name; spec++) {
            bool is_repeated = false; /* A name in an earlier table wins. */
            for (size_t u = 0; u < t; u++)
                for (const struct option_spec *other = section->tables[u]; other->name; other++) is_repeated |= strcmp(other->name, spec->name) == 0;
            if (is_repeated) continue;
            print_option(section->prefix && t == 0 ? section->prefix : "", spec, &first, out);
        }
    buffer_text(out, "\n    }}");
}

/* Definitions "source.json", "sink.delta", ... and the formats of `use` as a list of conditions. */
static void print_definitions(struct buffer *out)
{
    const char *names[SECTION_NAMES_MAX];
    size_t count = section_names(names, SECTION_NAMES_MAX);
    for (size_t i = 0; i < count; i++) {
        struct section sections[2];
        size_t found = sections_of(names[i], sections);
        for (size_t j = 0; j < found; j++) {
            char name[128];
            snprintf(name, sizeof name, "%s.%s", sections[j].use, sections[j].format);
            if (!sections[j].later) print_definition(name, &sections[j], out);
        }
    }
}

static void print_formats(const char *use, bool as_conditions, struct buffer *out)
{
    const char *names[SECTION_NAMES_MAX];
    size_t count = section_names(names, SECTION_NAMES_MAX);
    bool first = true;
    for (size_t i = 0; i < count; i++) {
        struct section sections[2];
        size_t found = sections_of(names[i], sections);
        for (size_t j = 0; j < found; j++) {
            if (sections[j].later || strcmp(sections[j].use, use) != 0) continue;
            if (!first) buffer_byte(out, ',');
            first = false;
            if (as_conditions)
                buffer_printf(out, "\n        {\"if\":{\"properties\":{\"format\":{\"const\":\"%s\"}},\"required\":[\"format\"]},"
                                   "\"then\":{\"properties\":{\"options\":{\"$ref\":\"#/definitions/%s.%s\"}}}}",
                              sections[j].format, use, sections[j].format);
            else
                buffer_printf(out, "\"%s\"", sections[j].format);
        }
    }
}

static void print_reader(struct buffer *out)
{
    buffer_text(out, "    \"reader\": {\n      \"type\":\"object\",\"additionalProperties\":false,\n      \"properties\":{\n"
                     "        \"format\":{\"type\":\"string\",\"description\":\"Format of the files, or cloudFiles.\",\"examples\":[");
    print_formats("source", false, out);
    buffer_text(out, "]},\n"
                     "        \"schema\":{\"description\":\"DDL such as: id BIGINT, name STRING; or a file with Spark's JSON form.\",\"anyOf\":[{\"type\":\"string\"},"
                     "{\"type\":\"object\",\"properties\":{\"file\":{\"type\":\"string\"}},\"required\":[\"file\"],\"additionalProperties\":false}]},\n"
                     "        \"options\":{\"type\":\"object\"},\n"
                     "        \"load\":{\"description\":\"A path, a glob, or a list of them.\",\"anyOf\":[{\"type\":\"string\"},{\"type\":\"array\",\"items\":{\"type\":\"string\"}}]}\n"
                     "      },\n      \"allOf\":[");
    print_formats("source", true, out);
    buffer_text(out, "\n      ]\n    }");
}

static void print_writer(struct buffer *out)
{
    buffer_text(out, ",\n    \"writer\": {\n      \"type\":\"object\",\"additionalProperties\":false,\n      \"properties\":{\n"
                     "        \"format\":{\"type\":\"string\",\"description\":\"The sink.\",\"examples\":[");
    print_formats("sink", false, out);
    buffer_text(out, "]},\n"
                     "        \"outputMode\":{\"type\":\"string\",\"examples\":[\"append\"],\"default\":\"append\"},\n"
                     "        \"partitionBy\":{\"anyOf\":[{\"type\":\"string\"},{\"type\":\"array\",\"items\":{\"type\":\"string\"}}]},\n"
                     "        \"trigger\":{\"type\":\"object\",\"additionalProperties\":false,\"maxProperties\":1,\"properties\":{"
                     "\"processingTime\":{\"type\":\"string\",\"examples\":[\"2 minutes\"]},\"once\":{\"const\":true},\"availableNow\":{\"const\":true}}},\n"
                     "        \"options\":{\"type\":\"object\"},\n"
                     "        \"start\":{\"type\":\"string\",\"description\":\"Folder of the table or the files.\"},\n"
                     "        \"foreachBatch\":{\"type\":\"object\",\"additionalProperties\":false,\"required\":[\"command\"],\"properties\":{"
                     "\"command\":{\"anyOf\":[{\"type\":\"string\"},{\"type\":\"array\",\"items\":{\"type\":[\"string\",\"number\",\"boolean\"]},\"minItems\":1}]}}}\n"
                     "      },\n      \"allOf\":[");
    print_formats("sink", true, out);
    buffer_text(out, "\n      ]\n    }");
}

void options_print_schema(struct buffer *out)
{
    buffer_text(out, "{\n  \"$schema\":\"http://json-schema.org/draft-07/schema#\",\n  \"title\":\"inlet pipeline file\",\n"
                     "  \"description\":\"One streaming query: what it reads, what it does to the rows, where it writes. Written by inlet options --schema.\",\n"
                     "  \"type\":\"object\",\"additionalProperties\":false,\"required\":[\"readStream\",\"writeStream\"],\n  \"properties\":{\n"
                     "    \"name\":{\"type\":\"string\",\"pattern\":\"^[A-Za-z0-9_-]+$\",\"description\":\"The query's name. Default: the file's stem.\"},\n"
                     "    \"conf\":{\"$ref\":\"#/definitions/settings.conf\"},\n"
                     "    \"readStream\":{\"$ref\":\"#/definitions/reader\"},\n"
                     "    \"query\":{\"type\":\"string\",\"description\":\"SELECT of columns FROM input. Default: SELECT * FROM input.\"},\n"
                     "    \"writeStream\":{\"$ref\":\"#/definitions/writer\"}\n  },\n  \"definitions\":{\n");
    print_reader(out);
    print_writer(out);
    print_definitions(out);
    buffer_text(out, "\n  }\n}\n");
}
