/* text_write -- the text encoder: one STRING column, a line a row; null is an empty line (format-semantics 7). */
#include "formats/text_piece.h"
#include <string.h>

static const struct option_spec text_write_options[] = {
    TEXT_COMPRESSION_OPTION,
    {.name = "encoding", .kind = OPTION_TEXT, .fallback = "UTF-8", .help = "UTF-8: text is written as it is."},
    TEXT_LINE_SEPARATOR_OPTION,
    {.name = NULL},
};

static bool append_rows(const void *settings, const struct column *columns, const uint32_t *rows, uint32_t count, struct buffer *out,
                        struct error *err)
{
    (void)err;
    const struct slice *separator = settings;
    const struct column *column = &columns[0];
    for (uint32_t i = 0; i < count; i++) {
        uint32_t row = rows ? rows[i] : i;
        if (column_is_valid(column, row) && column->offsets[row + 1] > column->offsets[row])
            buffer_append(out, column->data + column->offsets[row], (size_t)(column->offsets[row + 1] - column->offsets[row]));
        buffer_append(out, separator->data, separator->size);
    }
    return true;
}

static bool check_schema(const struct type *schema, struct error *err)
{
    if (schema->field_count != 1)
        return error_set(err, COND_INLET_TEXT_ONE_COLUMN, "Text data source supports only a single column, and you have %zu columns",
                         schema->field_count);
    if (schema->fields[0].type->kind == TYPE_STRING)
        return true;
    struct buffer type = {0};
    type_print_ddl(schema->fields[0].type, &type);
    error_set(err, COND_UNSUPPORTED_DATA_TYPE_FOR_DATASOURCE, "The Text datasource doesn't support the column `%s` of the type \"%s\"",
              schema->fields[0].name, buffer_string(&type));
    buffer_free(&type);
    return false;
}

static struct encoder *text_open(const struct encoder_spec *spec, struct arena *arena, struct error *err)
{
    struct encoder *encoder = ARENA_NEW(arena, struct encoder);
    struct slice *separator = ARENA_NEW(arena, struct slice);
    encoder->append = append_rows;
    encoder->settings = separator;
    if (!check_schema(spec->schema, err) || !text_encoder_init(encoder, spec, ".txt", arena, err) ||
        !text_line_separator(spec->options, separator, err))
        return NULL;
    if (encoder->charset != CHARSET_UTF8) {
        error_set(err, COND_INLET_BAD_OPTION_VALUE, "option 'encoding' cannot be '%s': text is written in UTF-8",
                  options_text(spec->options, "encoding"));
        return NULL;
    }
    return encoder;
}

const struct encoder_ops text_encoder = {.name = "text", .options = text_write_options, .open = text_open, TEXT_PIECE_OPS};
