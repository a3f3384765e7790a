/* main -- the verbs of `inlet`, their help, and the reading of arguments. */
#include "base/file.h"
#include "cli/cli.h"

#include <malloc.h>
#include <stdio.h>
#include <string.h>

static const struct verb *const verbs[] = {&run_verb,   &once_verb,    &check_verb, &plan_verb, &status_verb,  &files_verb,
                                           &why_verb,   &history_verb, &show_verb,  &retry_verb, &stop_verb, &options_verb, &fsck_verb};

static void print_help(FILE *to)
{
    fprintf(to, "inlet %s -- files that arrive in a landing zone become committed rows of a table, exactly once\n\n"
                "Usage: inlet VERB [FLAGS] [PIPELINE...]\n\n", INLET_VERSION);
    for (size_t i = 0; i < COUNTOF(verbs); i++) fprintf(to, "  %-9s %s\n", verbs[i]->name, verbs[i]->summary);
    fprintf(to, "\nFlags of every verb: --json (machine-readable output), --quiet (-q), --verbose (-v), --help (-h).\n"
                "A PIPELINE is a pipeline file or a folder of them. `inlet VERB --help` says more; the manual is inlet(1).\n"
                "Exit status: 0 done, 1 failed, 2 usage, 3 done but some file failed, 5 temporary, 6 checkpoint in use,\n"
                "7 schema needs a person, 78 bad pipeline file.\n");
}

static int print_verb_help(const struct verb *verb)
{
    printf("Usage: inlet %s\n\n%s\n", verb->synopsis, verb->help);
    if (verb->flags && verb->flags[0].name) printf("\nFlags:\n");
    for (size_t i = 0; verb->flags && verb->flags[i].name; i++) {
        char name[64];
        snprintf(name, sizeof name, "--%s%s%s", verb->flags[i].name, verb->flags[i].value_name ? " " : "",
                 verb->flags[i].value_name ? verb->flags[i].value_name : "");
        printf("  %-22s %s\n", name, verb->flags[i].help);
    }
    printf("  %-22s %s\n  %-22s %s\n  %-22s %s\n", "--json", "machine-readable output", "--quiet, -q", "errors only", "--verbose, -v", "say each step on standard error");
    return 0;
}

static const struct verb *find_verb(const char *name)
{
    const char *names[COUNTOF(verbs) + 1];
    for (size_t i = 0; i < COUNTOF(verbs); i++) {
        if (strcmp(verbs[i]->name, name) == 0) return verbs[i];
        names[i] = verbs[i]->name;
    }
    names[COUNTOF(verbs)] = NULL;
    const char *near = nearest_name(name, names);
    fprintf(stderr, "[INLET_USAGE] \"%s\" is not a verb of inlet%s%s%s `inlet --help` lists them.\n", name,
            near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : ".");
    return NULL;
}

static bool common_flag(struct arguments *arguments, const char *name, bool *help)
{
    if (strcmp(name, "--json") == 0) arguments->json = true;
    else if (strcmp(name, "--quiet") == 0 || strcmp(name, "-q") == 0) arguments->quiet = true;
    else if (strcmp(name, "--verbose") == 0 || strcmp(name, "-v") == 0) arguments->verbose = true;
    else if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) *help = true;
    else return false;
    return true;
}

static bool matches(const struct flag *flag, const char *word, const char **value)
{
    *value = NULL;
    if (word[1] != '-') return flag->letter && word[1] == flag->letter && !word[2];
    size_t size = strlen(flag->name);
    if (strncmp(word + 2, flag->name, size) != 0) return false;
    if (word[2 + size] == '=') *value = word + 3 + size;
    return !word[2 + size] || *value;
}

static bool unknown_flag(const struct arguments *arguments, const char *word)
{
    const char *names[32] = {"--json", "--quiet", "--verbose", "--help"};
    size_t count = 4;
    for (size_t i = 0; arguments->verb->flags && arguments->verb->flags[i].name && count < 31; i++)
        names[count++] = arena_printf(arguments->arena, "--%s", arguments->verb->flags[i].name);
    const char *near = nearest_name(word, names);
    if (near) usage_error(arguments, "unknown flag \"%s\"; did you mean \"%s\"?", word, near);
    else usage_error(arguments, "unknown flag \"%s\"", word);
    return false;
}

static bool own_flag(struct arguments *arguments, char **argv, int argc, int *at)
{
    const struct flag *flags = arguments->verb->flags;
    for (size_t i = 0; flags && flags[i].name; i++) {
        const char *value;
        if (!matches(&flags[i], argv[*at], &value)) continue;
        if (flags[i].value_name && !value) {
            if (*at + 1 >= argc) {
                usage_error(arguments, "--%s needs a value", flags[i].name);
                return false;
            }
            value = argv[++*at];
        }
        arguments->values[i] = value ? value : "";
        return true;
    }
    return unknown_flag(arguments, argv[*at]);
}

static bool read_arguments(struct arguments *arguments, int argc, char **argv, bool *help)
{
    arguments->words = ARENA_ARRAY(arguments->arena, const char *, argc + 1);
    bool only_words = false;
    for (int i = 0; i < argc; i++) {
        if (!only_words && strcmp(argv[i], "--") == 0) only_words = true;
        else if (only_words || argv[i][0] != '-' || !argv[i][1]) arguments->words[arguments->word_count++] = argv[i];
        else if (!common_flag(arguments, argv[i], help) && !own_flag(arguments, argv, argc, &i)) return false;
    }
    return true;
}

static int run_verb_with(const struct verb *verb, int argc, char **argv)
{
    struct inlet_context context;
    struct arguments arguments = {.verb = verb, .arena = arena_new("command line"), .context = &context};
    bool help = false;
    inlet_context_init(&context);
    int status = EXIT_USAGE;
    if (read_arguments(&arguments, argc, argv, &help)) {
        context.log_level = arguments.quiet ? LOG_ERROR : arguments.verbose ? LOG_INFO : LOG_WARN;
        signals_install(&context);
        status = help ? print_verb_help(verb) : verb->run(&arguments);
        signals_done();
    }
    arena_free(arguments.arena);
    inlet_context_fini(&context);
    return status;
}

/* Column buffers of a few MB come and go with every chunk: handing each back to the system costs more in page faults than all
 * parsing. So big blocks come from the heap and the heap's top is kept. */
static void tune_heap(void)
{
    mallopt(M_MMAP_THRESHOLD, 32 << 20);
    mallopt(M_TRIM_THRESHOLD, 128 << 20);
    mallopt(M_TOP_PAD, 4 << 20);
}

int main(int argc, char **argv)
{
    tune_heap();
    if (argc < 2) {
        print_help(stderr);
        return EXIT_USAGE;
    }
    const char *first = argv[1];
    if (strcmp(first, "--version") == 0 || strcmp(first, "-V") == 0 || strcmp(first, "version") == 0) {
        printf("inlet %s\n", INLET_VERSION);
        return 0;
    }
    if (strcmp(first, "--help") == 0 || strcmp(first, "-h") == 0 || strcmp(first, "help") == 0) {
        const struct verb *about = argc > 2 && first[0] == 'h' ? find_verb(argv[2]) : NULL;
        if (argc > 2 && first[0] == 'h') return about ? print_verb_help(about) : EXIT_USAGE;
        print_help(stdout);
        return 0;
    }
    const struct verb *verb = find_verb(first);
    return verb ? run_verb_with(verb, argc - 2, argv + 2) : EXIT_USAGE;
}
