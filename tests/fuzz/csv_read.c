/* csv_read -- CSV files under many options: the fast path of every instruction set against the careful one, one range against
 * two, and plain lines against a splitter of three lines. The first byte chooses the options. */
#include "formats/csv_read.h"
#include "tests/fuzz/fuzz_reader.h"

#define SCHEMA "a STRING, n INT, d DOUBLE, t TIMESTAMP, y DATE, m DECIMAL(10,2), b BOOLEAN, c STRING"
#define CORRUPT ", _corrupt_record STRING"
static const struct fuzz_setup setups[] = {
    {SCHEMA CORRUPT, {{NULL}}},
    {"a STRING, b STRING" CORRUPT, {{NULL}}},
    {SCHEMA, {{"mode", "DROPMALFORMED"}, {"header", "true"}}},
    {SCHEMA, {{"mode", "FAILFAST"}}},
    {SCHEMA CORRUPT, {{"multiLine", "true"}}},
    {SCHEMA CORRUPT, {{"multiLine", "true"}, {"header", "true"}, {"escape", "\""}, {"comment", "#"}}},
    {"a STRING, b STRING, c STRING" CORRUPT, {{"sep", "||"}, {"multiLine", "true"}, {"escape", ""}}},
    {"a STRING, b STRING, c STRING" CORRUPT, {{"sep", "\t"}, {"quote", ""}, {"ignoreLeadingWhiteSpace", "true"}, {"ignoreTrailingWhiteSpace", "true"}}},
    {"a STRING, b STRING, c STRING" CORRUPT, {{"encoding", "UTF-16"}, {"multiLine", "true"}}},
    {"a STRING, b STRING, c STRING" CORRUPT, {{"encoding", "ISO-8859-1"}, {"sep", ";"}, {"nullValue", "N"}, {"emptyValue", "E"}}},
    {"a STRING, b STRING" CORRUPT, {{"unescapedQuoteHandling", "STOP_AT_CLOSING_QUOTE"}, {"comment", "#"}}},
    {"a STRING, b STRING" CORRUPT, {{"unescapedQuoteHandling", "BACK_TO_DELIMITER"}, {"maxColumns", "3"}}},
    {"a STRING, b STRING" CORRUPT, {{"unescapedQuoteHandling", "SKIP_VALUE"}, {"maxCharsPerColumn", "3"}}},
    {"a STRING, b STRING" CORRUPT, {{"unescapedQuoteHandling", "RAISE_ERROR"}, {"skipRows", "1"}}},
    {"a STRING, b STRING" CORRUPT, {{"lineSep", "\r\n"}, {"multiLine", "true"}}},
    {"a STRING, b STRING" CORRUPT, {{"escape", "a"}, {"charToEscapeQuoteEscaping", "\\"}, {"lineSep", "|"}}},
    {SCHEMA, {{"timestampFormat", "dd/MM/yyyy HH:mm[:ss]"}, {"dateFormat", "d MMM yyyy"}, {"locale", "fr"}}},
};
static struct fuzz_reader readers[COUNTOF(setups)];

/* Two columns of lines without quotes, escapes, blanks and bytes beyond ASCII: what the comma parts. */
static void check_against_splitter(const struct fuzz_reader *reader, struct slice text, const char *path)
{
    for (size_t i = 0; i < text.size; i++)
        if (text.data[i] == '"' || text.data[i] == '\\' || text.data[i] == '\r' || text.data[i] <= ' ' * (text.data[i] != '\n') || text.data[i] >= 0x7f) return;
    struct buffer got = {0}, wanted = {0};
    struct range_outcome outcome;
    for (struct slice rest = text; rest.size;) {
        struct slice line = fuzz_line(&rest);
        const uint8_t *comma = line.size ? memchr(line.data, ',', line.size) : NULL;
        size_t first = comma ? (size_t)(comma - line.data) : line.size;
        size_t commas = 0, second = 0;
        for (size_t i = 0; i < line.size; i++) commas += line.data[i] == ',';
        while (first + 1 + second < line.size && line.data[first + 1 + second] != ',') second++;
        if (line.size == 0) continue;
        if (first) buffer_append(&wanted, line.data, first);
        else buffer_text(&wanted, "NULL");
        buffer_text(&wanted, "|");
        if (commas && second) buffer_append(&wanted, line.data + first + 1, second);
        else buffer_text(&wanted, "NULL");
        buffer_text(&wanted, "|");
        if (commas != 1) buffer_append(&wanted, line.data, line.size);
        else buffer_text(&wanted, "NULL");
        buffer_text(&wanted, "\n");
    }
    fuzz_read_file(&csv_reader, reader, path, &outcome, &got);
    fuzz_check_same(&got, &wanted, "the splitter reads something else");
    buffer_free(&got);
    buffer_free(&wanted);
}

static void fuzz_one(struct slice input)
{
    static const char *const isas[] = {"avx512", "avx2", "scalar"};
    size_t choice = fuzz_byte(&input) % COUNTOF(setups);
    struct fuzz_reader *reader = fuzz_reader_of(&readers[choice], &csv_reader, &setups[choice]);
    const char *path = fuzz_file("a.csv", input);
    struct buffer careful = {0}, fast = {0};
    struct range_outcome expected, got;
    struct reader *inner = reader->reader;
    bool was_fast = inner->fast, was_stream = inner->fast_stream;
    setenv("INLET_ISA", "scalar", 1);
    inner->fast = inner->fast_stream = false;
    fuzz_read_file(&csv_reader, reader, path, &expected, &careful);
    inner->fast = was_fast;
    inner->fast_stream = was_stream;
    for (size_t i = 0; i < COUNTOF(isas); i++) {
        setenv("INLET_ISA", isas[i], 1);
        buffer_clear(&fast);
        fuzz_read_file(&csv_reader, reader, path, &got, &fast);
        fuzz_check_same(&careful, &fast, isas[i]);
        fuzz_check(got.records_bad == expected.records_bad && got.records_framed == expected.records_framed, "%s counts otherwise", isas[i]);
    }
    bool header = setups[choice].options[1][0] && strcmp(setups[choice].options[1][0], "header") == 0;
    if (input.size && !header && csv_reader.splittable(inner, path)) {
        buffer_clear(&fast);
        fuzz_read_halves(&csv_reader, reader, path, (int64_t)(input.data[0] % input.size), &got, &fast);
        fuzz_check_same(&careful, &fast, "cut in two");
    }
    if (choice == 1) check_against_splitter(reader, input, path);
    buffer_free(&careful);
    buffer_free(&fast);
}
