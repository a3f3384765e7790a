/* panic -- what happens when the program itself is wrong.
 *
 * invariant() stays in release builds: it guards what must hold whatever the input is. It is never
 * used on input, on the disk's answers or on another process's behaviour: those are errors. */
#pragma once
#include "base/attr.h"

#define invariant(condition) \
    (LIKELY(condition) ? (void)0 : panic_invariant(#condition, __FILE__, __LINE__))

#ifdef NDEBUG
#define debug_invariant(condition) ((void)0)
#else
#define debug_invariant(condition) invariant(condition)
#endif

/* Prints what was violated and where to standard error and aborts the process. */
_Noreturn void panic_invariant(const char *condition, const char *file, int line);

/* The machine has no memory left for small bookkeeping: prints and exits with status 5. */
_Noreturn void panic_out_of_memory(size_t size);
