/* generate -- the benchmark's input: NDJSON or CSV files of nested, repeatable records.
 *
 *   generate ndjson|csv FOLDER FILES ROWS_PER_FILE [SEED]
 *
 * NDJSON rows: long id, string, double, int, boolean, ISO timestamp, nested struct (struct in it), array of
 * strings, array of ints, null and missing fields; about 255 bytes. CSV: the flat columns, some quoted. */
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

int main(int argc, char **argv)
{
    if (argc < 5) {
        fprintf(stderr, "usage: generate ndjson|csv FOLDER FILES ROWS_PER_FILE [SEED]\n");
        return 2;
    }
    int csv = strcmp(argv[1], "csv") == 0;
    long files = atol(argv[3]), rows = atol(argv[4]);
    state = argc > 5 ? strtoull(argv[5], NULL, 10) : 42;
    mkdir(argv[2], 0755);
    uint64_t id = 0;
    for (long f = 0; f < files; f++) {
        char path[4096];
        snprintf(path, sizeof path, "%s/part-%05ld.%s", argv[2], f, csv ? "csv" : "json");
        FILE *out = fopen(path, "w");
        if (!out) { perror(path); return 1; }
        setvbuf(out, NULL, _IOFBF, 1 << 20);
        if (csv) fprintf(out, "id,device,kind,ts,value,count,ok,label,city,lat,lon,note\n");
        for (long i = 0; i < rows; i++) (csv ? put_csv : put_json)(out, id++);
        if (fclose(out) != 0) { perror(path); return 1; }
    }
    return 0;
}
