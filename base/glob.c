/* glob -- Hadoop globs, compiled to a small program and run over all alternatives at once.
 *
 * Nested alternatives would make a backtracking matcher exponential; here every instruction is
 * visited at most once per character. Matching is by code points; bytes that are no UTF-8 match
 * as one character each. Neither '*', '?' nor a class ever matches '/'. */
#include "base/uri.h"

#include <string.h>

enum op { OP_CHAR, OP_ANY, OP_CLASS, OP_SPLIT, OP_JUMP, OP_MATCH };

struct range {
    uint32_t first, last;
};

struct instruction {
    enum op op;
    bool negated;         /* CLASS. */
    uint32_t character;   /* CHAR. */
    uint32_t next, other; /* SPLIT: both; JUMP: next. */
    const struct range *ranges;
    uint32_t range_count;
};

enum { GLOB_PROGRAM_MAX = 8192, GLOB_DEPTH_MAX = 64 };

struct glob {
    const struct instruction *program;
    uint32_t count;
};

struct compiler {
    struct arena *arena;
    const char *pattern, *p;
    struct buffer program;
    int depth;
    struct error *err;
};

static uint32_t next_character(const char **text)
{
    const uint8_t *p = (const uint8_t *)*text;
    size_t length = p[0] < 0xC2 ? 1 : p[0] < 0xE0 ? 2 : p[0] < 0xF0 ? 3 : p[0] < 0xF5 ? 4 : 1;
    uint32_t point = length == 1 ? p[0] : p[0] & (0x7Fu >> length);
    for (size_t i = 1; i < length; i++) {
        if ((p[i] & 0xC0) != 0x80) { /* Not UTF-8 (or its end): the byte alone, outside of Unicode. */
            *text += 1;
            return 0x110000u + p[0];
        }
        point = point << 6 | (p[i] & 0x3Fu);
    }
    *text += length;
    return length == 1 && p[0] >= 0x80 ? 0x110000u + p[0] : point;
}

static struct instruction *at(struct compiler *compiler, uint32_t index)
{
    return (struct instruction *)(void *)compiler->program.data + index;
}

static uint32_t here(const struct compiler *compiler)
{
    return (uint32_t)(compiler->program.size / sizeof(struct instruction));
}

static uint32_t emit(struct compiler *compiler, struct instruction instruction)
{
    buffer_append(&compiler->program, &instruction, sizeof instruction);
    return here(compiler) - 1;
}

static bool refuse(struct compiler *compiler, const char *what)
{
    return error_set(compiler->err, COND_INLET_BAD_OPTION_VALUE, "invalid glob '%s': %s", compiler->pattern, what);
}

/* One end of a range in a class; false at the end of the pattern. */
static bool class_character(struct compiler *compiler, uint32_t *out)
{
    if (*compiler->p == '\\') compiler->p++;
    if (!*compiler->p) return false;
    *out = next_character(&compiler->p);
    return true;
}

static bool compile_class(struct compiler *compiler)
{
    struct instruction class = {.op = OP_CLASS};
    struct buffer ranges = {0};
    compiler->p++;
    if (*compiler->p == '^' || *compiler->p == '!') {
        class.negated = true;
        compiler->p++;
    }
    bool closed = true, ordered = true;
    for (bool first = true; first || *compiler->p != ']'; first = false) { /* A leading ']' stands for itself. */
        struct range range;
        if (!(closed = class_character(compiler, &range.first))) break;
        range.last = range.first;
        if (compiler->p[0] == '-' && compiler->p[1] && compiler->p[1] != ']') {
            compiler->p++;
            if (!(closed = class_character(compiler, &range.last))) break;
            ordered &= range.first <= range.last;
        }
        buffer_append(&ranges, &range, sizeof range);
    }
    class.range_count = (uint32_t)(ranges.size / sizeof(struct range));
    if (closed && class.range_count) {
        struct range *copy = ARENA_ARRAY(compiler->arena, struct range, class.range_count);
        memcpy(copy, ranges.data, ranges.size);
        class.ranges = copy;
    }
    buffer_free(&ranges);
    if (!closed) return refuse(compiler, "a character class is not closed");
    if (!ordered) return refuse(compiler, "a range in a character class ends before it begins");
    compiler->p++;
    emit(compiler, class);
    return true;
}

static bool compile_sequence(struct compiler *compiler);

/* {a,b,c}: a chain of splits; every alternative ends with a jump behind the last. The jumps are linked through
 * `next` until that place is known. */
static bool compile_alternatives(struct compiler *compiler)
{
    if (++compiler->depth > GLOB_DEPTH_MAX) return refuse(compiler, "alternatives are nested too deeply");
    uint32_t jumps = UINT32_MAX;
    do {
        compiler->p++;
        uint32_t split = emit(compiler, (struct instruction){.op = OP_SPLIT});
        at(compiler, split)->next = split + 1;
        if (!compile_sequence(compiler)) return false;
        jumps = emit(compiler, (struct instruction){.op = OP_JUMP, .next = jumps});
        at(compiler, split)->other = here(compiler);
    } while (*compiler->p == ',');
    if (*compiler->p != '}') return refuse(compiler, "a '{' is not closed");
    compiler->p++;
    compiler->depth--;
    /* The last split has no other alternative: its second way fails. An empty class never matches. */
    emit(compiler, (struct instruction){.op = OP_CLASS});
    for (uint32_t behind = here(compiler); jumps != UINT32_MAX;) {
        uint32_t previous = at(compiler, jumps)->next;
        at(compiler, jumps)->next = behind;
        jumps = previous;
    }
    return true;
}

/* x* without '/': L1: split L2, L3; L2: any; jump L1; L3: */
static void compile_star(struct compiler *compiler)
{
    uint32_t split = emit(compiler, (struct instruction){.op = OP_SPLIT});
    emit(compiler, (struct instruction){.op = OP_ANY});
    emit(compiler, (struct instruction){.op = OP_JUMP, .next = split});
    at(compiler, split)->next = split + 1;
    at(compiler, split)->other = here(compiler);
}

static bool compile_one(struct compiler *compiler)
{
    if (here(compiler) > GLOB_PROGRAM_MAX) return refuse(compiler, "it is too long");
    switch (*compiler->p) {
    case '[':
        return compile_class(compiler);
    case '{':
        return compile_alternatives(compiler);
    case '*':
        while (*compiler->p == '*') compiler->p++;
        compile_star(compiler);
        return true;
    case '?':
        compiler->p++;
        emit(compiler, (struct instruction){.op = OP_ANY});
        return true;
    case '\\':
        compiler->p++;
        if (!*compiler->p) return refuse(compiler, "it ends with a backslash");
        break;
    default:
        break;
    }
    emit(compiler, (struct instruction){.op = OP_CHAR, .character = next_character(&compiler->p)});
    return true;
}

static bool compile_sequence(struct compiler *compiler)
{
    while (*compiler->p && !(compiler->depth && (*compiler->p == ',' || *compiler->p == '}')))
        if (!compile_one(compiler)) return false;
    return true;
}

bool glob_has_magic(const char *pattern)
{
    return strpbrk(pattern, "{}[]*?\\") != NULL;
}

struct glob *glob_compile(struct arena *arena, const char *pattern, struct error *err)
{
    struct compiler compiler = {.arena = arena, .pattern = pattern, .p = pattern, .err = err};
    struct glob *glob = NULL;
    if (compile_sequence(&compiler)) {
        emit(&compiler, (struct instruction){.op = OP_MATCH});
        glob = ARENA_NEW(arena, struct glob);
        glob->count = here(&compiler);
        struct instruction *program = ARENA_ARRAY(arena, struct instruction, glob->count);
        memcpy(program, compiler.program.data, compiler.program.size);
        glob->program = program;
    }
    buffer_free(&compiler.program);
    return glob;
}

/* ---- running ----------------------------------------------------------------------------------- */


static bool matches_class(const struct instruction *class, uint32_t character)
{
    bool found = false;
    for (uint32_t i = 0; i < class->range_count && !found; i++)
        found = character >= class->ranges[i].first && character <= class->ranges[i].last;
    return class->range_count && found != class->negated && character != '/';
}

struct run {
    const struct glob *glob;
    uint32_t *seen;   /* Step at which an instruction was last added. */
    uint32_t *stack;
    uint32_t step;
    uint32_t *lists[2];
    uint32_t counts[2];
};

/* Adds `start` and all that is reached from it without consuming a character. */
static void add_thread(struct run *run, int list, uint32_t start)
{
    uint32_t depth = 0;
    run->stack[depth++] = start;
    while (depth) {
        uint32_t index = run->stack[--depth];
        if (run->seen[index] == run->step) continue;
        run->seen[index] = run->step;
        const struct instruction *instruction = &run->glob->program[index];
        if (instruction->op == OP_JUMP || instruction->op == OP_SPLIT) {
            run->stack[depth++] = instruction->next;
            if (instruction->op == OP_SPLIT) run->stack[depth++] = instruction->other;
            continue;
        }
        run->lists[list][run->counts[list]++] = index;
    }
}

static bool accepts(const struct instruction *instruction, uint32_t character)
{
    switch (instruction->op) {
    case OP_CHAR: return instruction->character == character;
    case OP_ANY: return character != '/';
    case OP_CLASS: return matches_class(instruction, character);
    default: return false;
    }
}

static bool run_glob(struct run *run, const char *text)
{
    int now = 0;
    run->step = 1;
    add_thread(run, now, 0);
    while (*text && run->counts[now]) {
        uint32_t character = next_character(&text);
        run->step++;
        run->counts[!now] = 0;
        for (uint32_t i = 0; i < run->counts[now]; i++) {
            uint32_t index = run->lists[now][i];
            if (accepts(&run->glob->program[index], character)) add_thread(run, !now, index + 1);
        }
        now = !now;
    }
    if (*text) return false;
    for (uint32_t i = 0; i < run->counts[now]; i++)
        if (run->glob->program[run->lists[now][i]].op == OP_MATCH) return true;
    return false;
}

bool glob_match(const struct glob *glob, const char *text)
{
    /* Two lists, the marks, and a stack of at most twice the program: small globs run on the stack. */
    enum { SMALL = 128 };
    uint32_t small[6 * SMALL];
    struct buffer large = {0};
    size_t count = glob->count;
    uint32_t *memory = small;
    if (count > SMALL) memory = (uint32_t *)(void *)buffer_reserve(&large, 6 * count * sizeof(uint32_t));
    memset(memory, 0, 6 * count * sizeof(uint32_t));
    struct run run = {.glob = glob, .seen = memory, .lists = {memory + count, memory + 2 * count}, .stack = memory + 3 * count};
    bool matched = run_glob(&run, text);
    buffer_free(&large);
    return matched;
}
