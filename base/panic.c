/* panic -- the crash report of a violated invariant, and the end of a machine without memory. */
#include "base/panic.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

_Noreturn void panic_invariant(const char *condition, const char *file, int line)
{
    fprintf(stderr, "inlet: internal error: invariant (%s) does not hold at %s:%d; please report this\n", condition, file, line);
    abort();
}

/* Status 5 is "temporary": the batch stays planned and the next run continues it. */
_Noreturn void panic_out_of_memory(size_t size)
{
    fprintf(stderr, "[INLET_NO_MEMORY] could not allocate %zu bytes; nothing was lost, start again with more memory. SQLSTATE: 53200\n", size);
    _exit(5);
}
