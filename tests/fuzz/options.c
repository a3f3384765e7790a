/* options -- "name=value" lines against every option table: source, formats, sinks, session. The first byte chooses. */
#include "base/options.h"
#include "formats/format.h"
#include "loader/source_options.h"
#include "sinks/sink.h"
#include "tests/fuzz/fuzz.h"

enum { INPUTS_MAX = 16 };

static size_t tables_of(uint8_t choice, const struct option_spec *tables[3], const char **owner)
{
    static const struct reader_ops *const readers[] = {&json_reader, &csv_reader, &text_reader};
    static const struct encoder_ops *const encoders[] = {&parquet_encoder, &json_encoder, &csv_encoder, &text_encoder};
    if (choice < 6) {
        *owner = choice < 3 ? readers[choice]->name : "cloudFiles";
        tables[0] = choice < 3 ? file_source_options : cloud_source_options;
        tables[1] = readers[choice % 3]->options;
        tables[2] = file_options;
        return 3;
    }
    *owner = encoders[choice % 4]->name;
    tables[0] = encoders[choice % 4]->options;
    tables[1] = stream_writer_options;
    return 2;
}

static void fuzz_one(struct slice input)
{
    const struct option_spec *tables[3];
    const char *owner;
    uint8_t choice = fuzz_byte(&input) % 11;
    struct arena *arena = arena_new("options");
    struct error err = {0};
    struct option_input inputs[INPUTS_MAX];
    size_t count = 0;
    for (; count < INPUTS_MAX && input.size; count++) {
        char *line = fuzz_text(fuzz_line(&input)), *equals = strchr(line, '=');
        if (equals) *equals = 0;
        inputs[count] = (struct option_input){arena_strdup(arena, line), equals ? arena_strdup(arena, equals + 1) : NULL, (int)count + 1, false};
        free(line);
    }
    if (choice == 10) {
        struct session session;
        struct buffer warnings = {0};
        if (!session_parse(arena, inputs, count, &session, &warnings, &err)) fuzz_check_error(&err);
        buffer_free(&warnings);
    } else {
        struct options options;
        struct source_settings settings;
        size_t table_count = tables_of(choice, tables, &owner);
        if (!options_parse(arena, owner, tables, table_count, inputs, count, "/base", &options, &err)) fuzz_check_error(&err);
        else if (choice < 6 && !source_settings_make(&options, choice >= 3, fuzz_session(), arena, &settings, &err)) fuzz_check_error(&err);
    }
    arena_free(arena);
}
