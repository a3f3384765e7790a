/* codecs_snappy -- snappy: raw blocks, and Hadoop's framing around them. */
#include "formats/codecs_hadoop.h"

#include "base/panic.h"

#include <dlfcn.h>
#include <pthread.h>
#include <snappy-c.h>

static void no_memory(void) { panic_out_of_memory(0); }

/* The library is C++: a failed allocation would be an exception that nobody catches. */
static void set_new_handler(void)
{
    void (*handler)(void) = no_memory, (*(*set)(void (*)(void)))(void) = NULL;
    *(void **)&set = dlsym(RTLD_DEFAULT, "_ZSt15set_new_handlerPFvvE");
    if (set) set(handler);
}

bool codec_snappy_compress(struct slice bytes, struct buffer *out)
{
    static pthread_once_t handler = PTHREAD_ONCE_INIT;
    pthread_once(&handler, set_new_handler);
    size_t size = snappy_max_compressed_length(bytes.size);
    uint8_t *to = buffer_reserve(out, size);
    if (snappy_compress((const char *)bytes.data, bytes.size, (char *)to, &size) != SNAPPY_OK) return false;
    out->size += size;
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
