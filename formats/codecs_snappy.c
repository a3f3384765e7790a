/* codecs_snappy -- snappy: raw blocks, and Hadoop's framing around them. */
#include "formats/codecs_hadoop.h"
#include "formats/codecs_words.h"

#include "base/panic.h"

#include <dlfcn.h>
#include <pthread.h>
#include <snappy-c.h>
#include <string.h>

static void no_memory(void) { panic_out_of_memory(0); }

/* The library is C++: a failed allocation would be an exception that nobody catches. */
static void set_new_handler(void)
{
    void (*handler)(void) = no_memory, (*(*set)(void (*)(void)))(void) = NULL;
    *(void **)&set = dlsym(RTLD_DEFAULT, "_ZSt15set_new_handlerPFvvE");
    if (set) set(handler);
}

/* A stretch is tried on its first bytes: the library spends its time on what it cannot make smaller (random numbers and texts), hunting for
 * chance matches of four bytes. What saves less than an eighth is put as it is: a few per cent in size for most of the time. Numbers of eight bytes
 * have a quicker way of their own. */
enum { TRIAL_SIZE = 16 << 10, STRETCH_SIZE = 128 << 10, LITERAL_HEAD = 5 };

static size_t put_size(uint8_t *to, size_t size)
{
    size_t at = 0;
    for (; size >= 0x80; size >>= 7) to[at++] = (uint8_t)(size | 0x80);
    to[at++] = (uint8_t)size;
    return at;
}

/* The elements of a block without the size that the library puts before them. */
static bool put_compressed(struct slice bytes, struct buffer *out)
{
    uint8_t head[10];
    size_t size = snappy_max_compressed_length(bytes.size), head_size = put_size(head, bytes.size);
    uint8_t *to = buffer_reserve(out, size);
    if (snappy_compress((const char *)bytes.data, bytes.size, (char *)to, &size) != SNAPPY_OK) return false;
    memmove(to, to + head_size, size - head_size);
    out->size += size - head_size;
    return true;
}

/* One literal element (format_description.txt, 2.1): tag 63, the size less one in four bytes. */
static void put_literal(struct slice bytes, struct buffer *out)
{
    uint8_t *to = buffer_reserve(out, LITERAL_HEAD + bytes.size);
    uint32_t less = (uint32_t)(bytes.size - 1);
    to[0] = 63 << 2;
    for (size_t i = 0; i < 4; i++) to[1 + i] = (uint8_t)(less >> 8 * i);
    memcpy(to + LITERAL_HEAD, bytes.data, bytes.size);
    out->size += LITERAL_HEAD + bytes.size;
}

/* What the stretches of one block have taught about the next ones. */
struct block_state {
    bool words_tried, words; /* Words are the way: as small as the library's, or nearly. */
    unsigned phase;
    size_t trial_size;       /* What they made of TRIAL_SIZE bytes. */
};

static size_t words_size(struct slice bytes, unsigned phase, struct buffer *out)
{
    size_t start = out->size;
    snappy_words_put(bytes, phase, out);
    size_t size = out->size - start;
    out->size = start;
    return size;
}

/* The sample knows few words: a look one byte earlier, which finds longer matches and fewer of them, may be better on the long run. */
static void try_words(struct block_state *state, struct slice trial, size_t library_size, struct buffer *out)
{
    unsigned late = snappy_words_phase(trial), early = (late + 7) % 8;
    size_t late_size = words_size(trial, late, out), early_size = words_size(trial, early, out);
    state->words_tried = true;
    state->phase = early_size < late_size ? early : late;
    state->trial_size = early_size < late_size ? early_size : late_size;
    state->words = state->trial_size <= library_size + library_size / 10;
}

/* Where the bytes turn out worse than the trial's, the next stretch is tried anew. */
static void put_words(struct block_state *state, struct slice bytes, struct buffer *out)
{
    size_t start = out->size;
    snappy_words_put(bytes, state->phase, out);
    size_t wanted = bytes.size / 64 * (state->trial_size / (TRIAL_SIZE / 64));
    if (out->size - start > wanted + wanted / 8) state->words = state->words_tried = false;
}

static bool put_stretch(struct block_state *state, struct slice bytes, struct buffer *out)
{
    if (state->words) return put_words(state, bytes, out), true;
    if (bytes.size < 2 * TRIAL_SIZE) return put_compressed(bytes, out);
    size_t start = out->size;
    struct slice trial = slice_of(bytes.data, TRIAL_SIZE), rest = slice_of(bytes.data + TRIAL_SIZE, bytes.size - TRIAL_SIZE);
    if (!put_compressed(trial, out)) return false;
    size_t size = out->size - start;
    if (size >= TRIAL_SIZE / 8 * 7) return put_literal(rest, out), true;
    if (!state->words_tried) try_words(state, trial, size, out);
    return state->words ? put_words(state, rest, out), true : put_compressed(rest, out);
}

bool codec_snappy_compress(struct slice bytes, struct buffer *out)
{
    static pthread_once_t handler = PTHREAD_ONCE_INIT;
    struct block_state state = {0};
    pthread_once(&handler, set_new_handler);
    if (bytes.size > UINT32_MAX) return false;
    out->size += put_size(buffer_reserve(out, 10), bytes.size);
    for (size_t at = 0; at < bytes.size; at += STRETCH_SIZE) {
        size_t left = bytes.size - at;
        if (!put_stretch(&state, slice_of(bytes.data + at, left < STRETCH_SIZE ? left : STRETCH_SIZE), out)) return false;
    }
    return true;
}

bool codec_snappy_block(struct slice bytes, uint8_t *out, size_t capacity, size_t *size)
{
    if (snappy_uncompressed_length((const char *)bytes.data, bytes.size, size) != SNAPPY_OK || *size > capacity) return false;
    return snappy_uncompress((const char *)bytes.data, bytes.size, (char *)out, size) == SNAPPY_OK;
}

static enum decode snappy_step(void *state, struct slice *in, bool in_end, uint8_t *out, size_t size, size_t *written, const char **reason)
{
    return hadoop_step(state, codec_snappy_block, in, in_end, out, size, written, reason);
}

static void snappy_fini(void *state) { hadoop_fini(state); }

const struct decoder_ops snappy_decoder = {"snappy", sizeof(struct hadoop_state), snappy_step, snappy_fini};
