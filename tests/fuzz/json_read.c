/* json_read -- JSON files under many options: the fast path of every instruction set against the careful one, one range against
 * two, and plain objects against jansson. The first byte chooses the options. */
#include "base/tree.h"
#include "formats/json_read.h"
#include "tests/fuzz/fuzz_reader.h"

#define SCHEMA "a STRING, n BIGINT, d DOUBLE, m DECIMAL(10,2), t TIMESTAMP, y DATE, b BOOLEAN, l ARRAY<INT>, s STRUCT<x: STRING, y: ARRAY<STRUCT<z: INT>>>, k MAP<STRING, STRING>, f FLOAT, i TINYINT, z BINARY, u TIMESTAMP_NTZ"
#define NESTED "s STRUCT<a: STRING, n: INT, s: STRUCT<a: STRING, l: ARRAY<STRUCT<a: STRING, n: INT>>>, k: MAP<STRING, STRUCT<a: STRING, z: BINARY>>>, l ARRAY<MAP<STRING, ARRAY<STRING>>>, a STRING, n BIGINT, z BINARY"
static const struct fuzz_setup setups[] = {
    {SCHEMA ", _corrupt_record STRING", {{NULL}}},
    {"a STRING, _corrupt_record STRING", {{NULL}}},
    {SCHEMA, {{"mode", "DROPMALFORMED"}}},
    {SCHEMA, {{"mode", "FAILFAST"}}},
    {SCHEMA ", _corrupt_record STRING", {{"multiLine", "true"}}},
    {SCHEMA ", _corrupt_record STRING", {{"allowComments", "true"}, {"allowUnquotedFieldNames", "true"}, {"allowNumericLeadingZeros", "true"}, {"allowBackslashEscapingAnyCharacter", "true"}, {"allowUnquotedControlChars", "true"}}},
    {SCHEMA ", _corrupt_record STRING", {{"allowSingleQuotes", "false"}, {"allowNonNumericNumbers", "false"}}},
    {SCHEMA ", _corrupt_record STRING", {{"lineSep", "||"}}},
    {SCHEMA ", _corrupt_record STRING", {{"encoding", "UTF-16LE"}, {"lineSep", "\n"}}},
    {SCHEMA ", _corrupt_record STRING", {{"encoding", "UTF-32"}, {"multiLine", "true"}}},
    {SCHEMA ", _corrupt_record STRING", {{"encoding", "ISO-8859-1"}, {"lineSep", "\n"}}},
    {SCHEMA, {{"timestampFormat", "dd/MM/yyyy HH:mm[:ss]"}, {"dateFormat", "d MMM yyyy"}, {"timestampNTZFormat", "yyyy-MM-dd'T'HH"}, {"locale", "de-DE"}}},
    {"l ARRAY<ARRAY<STRUCT<a: STRING, b: MAP<STRING, DOUBLE>>>>, a STRING, _corrupt_record STRING", {{NULL}}},
    {SCHEMA ", _corrupt_record STRING", {{"maxNestingDepth", "5"}, {"maxNumLen", "8"}, {"maxStringLen", "12"}}},
    {NESTED ", _corrupt_record STRING", {{"multiLine", "true"}}},
    {NESTED, {{"multiLine", "true"}, {"mode", "DROPMALFORMED"}, {"allowComments", "true"}, {"allowUnquotedControlChars", "true"}}},
    {NESTED ", _corrupt_record STRING", {{NULL}}},
};
static struct fuzz_reader readers[COUNTOF(setups)];

/* What jansson takes as an object with a text `a`, the reader takes with the same text: the last of equal names, and one line. */
static void check_against_jansson(const struct fuzz_reader *reader, struct slice line, const char *path)
{
    struct arena *arena = arena_new("second parser");
    struct error err = {0};
    struct tree *tree = line.size && !memchr(line.data, '\n', line.size) && !memchr(line.data, '\r', line.size) ? tree_parse_json(arena, line, &err) : NULL;
    const struct tree *a = tree ? tree_get(tree, "a") : NULL;
    if (a && a->kind == TREE_TEXT && !memchr(a->text, 0, a->text_size)) {
        struct buffer text = {0}, wanted = {0};
        struct range_outcome outcome;
        fuzz_read_file(&json_reader, reader, path, &outcome, &text);
        buffer_append(&wanted, a->text, a->text_size);
        buffer_text(&wanted, "|NULL\n");
        fuzz_check(outcome.records_bad == 0, "jansson takes what is a bad record here");
        fuzz_check_same(&text, &wanted, "jansson reads another text");
        buffer_free(&text);
        buffer_free(&wanted);
    }
    arena_free(arena);
}

static void fuzz_one(struct slice input)
{
    static const char *const isas[] = {"avx512", "avx2", "scalar"};
    size_t choice = fuzz_byte(&input) % COUNTOF(setups);
    struct fuzz_reader *reader = fuzz_reader_of(&readers[choice], &json_reader, &setups[choice]);
    const char *path = fuzz_file("a.json", input);
    struct buffer careful = {0}, fast = {0};
    struct range_outcome expected, got;
    bool was_fast = reader->reader->settings.fast;
    setenv("INLET_ISA", "scalar", 1);
    reader->reader->settings.fast = false;
    fuzz_read_file(&json_reader, reader, path, &expected, &careful);
    reader->reader->settings.fast = was_fast;
    for (size_t i = 0; i < COUNTOF(isas); i++) {
        setenv("INLET_ISA", isas[i], 1);
        buffer_clear(&fast);
        fuzz_read_file(&json_reader, reader, path, &got, &fast);
        fuzz_check_same(&careful, &fast, isas[i]);
        fuzz_check(got.records_bad == expected.records_bad && got.records_framed == expected.records_framed && got.records_surplus == expected.records_surplus,
                   "%s counts %lld of %lld records as bad, the careful path %lld of %lld", isas[i], (long long)got.records_bad, (long long)got.records_framed,
                   (long long)expected.records_bad, (long long)expected.records_framed);
    }
    if (input.size && json_reader.splittable(reader->reader, path)) {
        buffer_clear(&fast);
        fuzz_read_halves(&json_reader, reader, path, (int64_t)(input.data[0] % input.size), &got, &fast);
        fuzz_check_same(&careful, &fast, "cut in two");
    }
    if (choice == 1) check_against_jansson(reader, input, path);
    buffer_free(&careful);
    buffer_free(&fast);
}
