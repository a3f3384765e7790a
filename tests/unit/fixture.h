/* fixture -- what every unit test includes: cmocka with its prerequisites, and one arena and error for the tests of a program. */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/arena.h"
#include "base/error.h"

UNUSED static struct arena *arena;
static struct error err;

UNUSED static int start(void **state)
{
    (void)state;
    arena = arena_new("test");
    error_clear(&err);
    return 0;
}

UNUSED static int stop(void **state)
{
    (void)state;
    arena_free(arena);
    return 0;
}
