/* generate -- the benchmark's input: files of repeatable records, in several shapes.
 *
 *   generate SHAPE FOLDER FILES ROWS_PER_FILE [SEED]
 *   generate tree FOLDER FOLDERS FILES_PER_FOLDER [FIRST]   one-record files, name-<number>.json, from number FIRST
 *
 * ndjson: long id, string, double, int, boolean, ISO timestamp, nested struct (struct in it), array of
 * strings, array of ints, null and missing fields; about 255 bytes. csv: the flat columns, some quoted.
 * wide, text, nulls, distinct, deep, numbers, pretty: NDJSON (pretty: one indented array a file) of one trait each.
 * plain: CSV without quotes. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static uint64_t state;

static uint64_t next_random(void)
{
    uint64_t z = (state += 0x9e3779b97f4a7c15u);
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static const char *const words[] = {"alpha", "bravo", "charlie", "delta", "echo", "foxtrot", "golf", "hotel", "india", "juliett",
                                    "kilo", "lima", "mike", "november", "oscar", "papa", "quebec", "romeo", "sierra", "tango"};
static const char *const cities[] = {"Berlin", "Paris", "London", "Madrid", "Rom", "Wien", "Oslo", "Z\xc3\xbcrich", "Praha", "Lisboa"};
static const char *const kinds[] = {"click", "view", "purchase", "login", "logout", "search"};

static const char *word(void) { return words[next_random() % 20]; }

static void put_time(FILE *out, uint64_t second)
{
    /* 2024-01-01 plus up to 300 days, without the library: month lengths of a leap year. */
    static const int lengths[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int day = (int)(second / 86400 % 300), month = 0;
    while (day >= lengths[month]) day -= lengths[month++];
    uint64_t in_day = second % 86400;
    fprintf(out, "2024-%02d-%02dT%02d:%02d:%02d.%03dZ", month + 1, day + 1, (int)(in_day / 3600), (int)(in_day / 60 % 60),
            (int)(in_day % 60), (int)(next_random() % 1000));
}

static void put_json(FILE *out, uint64_t id)
{
    uint64_t r = next_random();
    fprintf(out, "{\"id\":%" PRIu64 ",\"device\":\"dev-%05d\",\"kind\":\"%s\",\"ts\":\"", id, (int)(r % 50000), kinds[r / 7 % 6]);
    put_time(out, r % 25920000);
    fprintf(out, "\",\"value\":%.4f,\"count\":%d,\"ok\":%s,", (double)(next_random() % 100000000) / 10000.0 - 2000.0,
            (int)(next_random() % 1000), r & 1 ? "true" : "false");
    fprintf(out, "\"user\":{\"name\":\"%s %s\",\"age\":%d,\"geo\":{\"city\":\"%s\",\"lat\":%.5f,\"lon\":%.5f}},", word(), word(),
            (int)(r % 80), cities[r / 11 % 10], (double)(r % 18000000) / 100000 - 90, (double)(r / 3 % 36000000) / 100000 - 180);
    fprintf(out, "\"tags\":[");
    for (uint64_t i = 0, n = r / 13 % 4; i < n; i++) fprintf(out, "%s\"%s\"", i ? "," : "", word());
    fprintf(out, "],\"scores\":[%d,%d]", (int)(r % 100), (int)(r / 100 % 100));
    if (r % 10) fprintf(out, ",\"note\":\"%s %s %s\"", word(), word(), word());
    else if (r % 20) fprintf(out, ",\"note\":null");
    fprintf(out, "}\n");
}

static void put_csv(FILE *out, uint64_t id)
{
    uint64_t r = next_random();
    fprintf(out, "%" PRIu64 ",dev-%05d,%s,", id, (int)(r % 50000), kinds[r / 7 % 6]);
    put_time(out, r % 25920000);
    fprintf(out, ",%.4f,%d,%s,\"%s, %s\",%s,%.5f,%.5f,\"%s %s %s\"\n", (double)(next_random() % 100000000) / 10000.0 - 2000.0,
            (int)(next_random() % 1000), r & 1 ? "true" : "false", word(), word(), cities[r / 11 % 10],
            (double)(r % 18000000) / 100000 - 90, (double)(r / 3 % 36000000) / 100000 - 180, word(), word(), word());
}

enum { WIDE_COLUMNS = 120, NULL_COLUMNS = 40, NUMBER_COLUMNS = 16, DEPTH = 10 };

/* 120 columns: words, numbers and truth values by turns. */
static void put_wide(FILE *out, uint64_t id)
{
    fprintf(out, "{\"id\":%" PRIu64, id);
    for (int i = 0; i < WIDE_COLUMNS; i++) {
        uint64_t r = next_random();
        if (i % 4 == 0) fprintf(out, ",\"name_%d\":\"%s\"", i, words[r % 20]);
        else if (i % 4 == 1) fprintf(out, ",\"count_%d\":%d", i, (int)(r % 100000));
        else if (i % 4 == 2) fprintf(out, ",\"value_%d\":%.3f", i, (double)(r % 10000000) / 1000);
        else fprintf(out, ",\"flag_%d\":%s", i, r & 1 ? "true" : "false");
    }
    fprintf(out, "}\n");
}

/* Texts of 200 to 2,200 bytes with escapes and letters beyond ASCII. */
static void put_text(FILE *out, uint64_t id)
{
    uint64_t r = next_random();
    fprintf(out, "{\"id\":%" PRIu64 ",\"title\":\"%s %s\",\"body\":\"", id, word(), word());
    for (uint64_t i = 0, n = 30 + r % 300; i < n; i++) {
        uint64_t w = next_random();
        fprintf(out, "%s%s", words[w % 20], w % 37 == 0 ? "\\n" : w % 41 == 0 ? " \\\"" : w % 29 == 0 ? " Z\xc3\xbcrich " : " ");
    }
    fprintf(out, "\",\"language\":\"%s\"}\n", r & 1 ? "de" : "en");
}

/* One field in twenty has a value; half of the others are null, half are missing. */
static void put_nulls(FILE *out, uint64_t id)
{
    fprintf(out, "{\"id\":%" PRIu64, id);
    for (int i = 0; i < NULL_COLUMNS; i++) {
        uint64_t r = next_random();
        if (r % 20 == 0 && i % 2) fprintf(out, ",\"c%d\":%d", i, (int)(r / 20 % 1000));
        else if (r % 20 == 0) fprintf(out, ",\"c%d\":\"%s\"", i, words[r / 20 % 20]);
        else if (r & 1) fprintf(out, ",\"c%d\":null", i);
    }
    fprintf(out, "}\n");
}

/* No text comes twice. */
static void put_distinct(FILE *out, uint64_t id)
{
    uint64_t a = next_random(), b = next_random(), c = next_random(), d = next_random();
    fprintf(out, "{\"id\":%" PRIu64 ",\"key\":\"%016" PRIx64 "-%016" PRIx64 "\",\"session\":\"%016" PRIx64 "\",", id, a, b, c);
    fprintf(out, "\"mail\":\"%s.%" PRIx64 "@example.org\",\"path\":\"/%s/%s/%" PRIx64 ".html\"}\n", word(), d & 0xffffffffff, word(), word(), d >> 24);
}

static void put_level(FILE *out, int level)
{
    uint64_t r = next_random();
    fprintf(out, "{\"n\":%d,\"s\":\"%s\",\"items\":[", (int)(r % 1000), words[r / 1000 % 20]);
    for (uint64_t i = 0, n = r / 20000 % 3; i < n; i++) fprintf(out, "%s{\"k\":\"%s\",\"v\":%d}", i ? "," : "", word(), (int)(next_random() % 100));
    fprintf(out, "]");
    if (level < DEPTH) {
        fprintf(out, ",\"child\":");
        put_level(out, level + 1);
    }
    fprintf(out, "}");
}

/* Ten structs within one another, each with an array of structs. */
static void put_deep(FILE *out, uint64_t id)
{
    fprintf(out, "{\"id\":%" PRIu64 ",\"root\":", id);
    put_level(out, 1);
    fprintf(out, "}\n");
}

static void put_numbers(FILE *out, uint64_t id)
{
    fprintf(out, "{\"id\":%" PRIu64, id);
    for (int i = 0; i < NUMBER_COLUMNS; i++) {
        uint64_t r = next_random();
        if (i % 2) fprintf(out, ",\"n%d\":%" PRId64, i, (int64_t)(r >> (i * 3 % 40 + 2)));
        else fprintf(out, ",\"n%d\":%.*g", i, 4 + i % 12, (double)(int64_t)r / 1e12);
    }
    fprintf(out, "}\n");
}

static void put_pretty(FILE *out, uint64_t id)
{
    uint64_t r = next_random();
    fprintf(out, "  {\n    \"id\": %" PRIu64 ",\n    \"device\": \"dev-%05d\",\n    \"ts\": \"", id, (int)(r % 50000));
    put_time(out, r % 25920000);
    fprintf(out, "\",\n    \"value\": %.4f,\n    \"user\": {\n      \"name\": \"%s %s\",\n      \"age\": %d\n    },\n    \"tags\": [\n      \"%s\",\n      \"%s\"\n    ]\n  }",
            (double)(next_random() % 100000000) / 10000.0, word(), word(), (int)(r % 80), word(), word());
}

static void put_plain(FILE *out, uint64_t id)
{
    uint64_t r = next_random();
    fprintf(out, "%" PRIu64 ",dev-%05d,%s,", id, (int)(r % 50000), kinds[r / 7 % 6]);
    put_time(out, r % 25920000);
    fprintf(out, ",%.4f,%d,%s,%s,%.5f,%.5f\n", (double)(next_random() % 100000000) / 10000.0 - 2000.0, (int)(next_random() % 1000),
            r & 1 ? "true" : "false", cities[r / 11 % 10], (double)(r % 18000000) / 100000 - 90, (double)(r / 3 % 36000000) / 100000 - 180);
}

struct shape {
    const char *name, *suffix, *head, *between, *tail;
    void (*put)(FILE *out, uint64_t id);
};

static const struct shape shapes[] = {
    {"ndjson", "json", "", "", "", put_json},
    {"csv", "csv", "id,device,kind,ts,value,count,ok,label,city,lat,lon,note\n", "", "", put_csv},
    {"wide", "json", "", "", "", put_wide},
    {"text", "json", "", "", "", put_text},
    {"nulls", "json", "", "", "", put_nulls},
    {"distinct", "json", "", "", "", put_distinct},
    {"deep", "json", "", "", "", put_deep},
    {"numbers", "json", "", "", "", put_numbers},
    {"pretty", "json", "[\n", ",\n", "\n]\n", put_pretty},
    {"plain", "csv", "id,device,kind,ts,value,count,ok,city,lat,lon\n", "", "", put_plain},
};

static int fail(const char *path)
{
    fprintf(stderr, "generate: %s: %s\n", path, strerror(errno));
    return 1;
}

static int write_shape(const struct shape *shape, const char *folder, long files, long rows)
{
    uint64_t id = 0;
    for (long f = 0; f < files; f++) {
        char path[4096];
        snprintf(path, sizeof path, "%s/part-%05ld.%s", folder, f, shape->suffix);
        FILE *out = fopen(path, "w");
        if (!out) return fail(path);
        setvbuf(out, NULL, _IOFBF, 1 << 20);
        fputs(shape->head, out);
        for (long i = 0; i < rows; i++) {
            if (i) fputs(shape->between, out);
            shape->put(out, id++);
        }
        fputs(shape->tail, out);
        if (fclose(out) != 0) return fail(path);
    }
    return 0;
}

/* Names of 24 bytes, as the ledger's target has them. */
static int write_tree(const char *folder, long folders, long files, uint64_t first)
{
    for (long d = 0; d < folders; d++) {
        char path[4096];
        snprintf(path, sizeof path, "%s/folder-%04ld", folder, d);
        mkdir(path, 0755);
        for (long f = 0; f < files; f++) {
            uint64_t number = first + (uint64_t)d * (uint64_t)files + (uint64_t)f;
            snprintf(path, sizeof path, "%s/folder-%04ld/event-%013" PRIu64 ".json", folder, d, number);
            FILE *out = fopen(path, "w");
            if (!out) return fail(path);
            fprintf(out, "{\"id\":%" PRIu64 ",\"kind\":\"%s\",\"value\":%d}\n", number, kinds[number % 6], (int)(number * 7919 % 1000));
            if (fclose(out) != 0) return fail(path);
        }
    }
    return 0;
}

int main(int argc, char **argv)
{
    if (argc < 5) {
        fprintf(stderr, "usage: generate SHAPE FOLDER FILES ROWS_PER_FILE [SEED]\n       generate tree FOLDER FOLDERS FILES_PER_FOLDER [FIRST]\n");
        return 2;
    }
    uint64_t last = argc > 5 ? strtoull(argv[5], NULL, 10) : 0;
    mkdir(argv[2], 0755);
    if (strcmp(argv[1], "tree") == 0) return write_tree(argv[2], atol(argv[3]), atol(argv[4]), last);
    state = argc > 5 ? last : 42;
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        if (strcmp(argv[1], shapes[i].name) == 0) return write_shape(&shapes[i], argv[2], atol(argv[3]), atol(argv[4]));
    fprintf(stderr, "generate: there is no shape '%s'\n", argv[1]);
    return 2;
}
