/* settle -- is anybody still writing this file?
 *
 * A granted read lease says that no process has the file open for writing; it is given back at once, before anything is
 * read. Where no lease can be had (another user's file without the capability, a network file system) the file
 * is settled when mtime and ctime are 2 s old. An empty file younger than 60 s is not settled: many producers create
 * first and write later. A file that moved in, or is known to be complete, is settled. */
#pragma once
#include "base/error.h"
#include "listing/sighting.h"

#define SETTLE_QUIET_US 2000000
#define SETTLE_EMPTY_US 60000000

enum settlement { SETTLED, NOT_SETTLED, SETTLE_GONE };

struct settle_answer {
    enum settlement settlement;
    int64_t check_us;        /* NOT_SETTLED: when to look again. */
    bool empty_young;        /* NOT_SETTLED because it is empty and young: `once` does not wait for it. */
    const char *reason;      /* NOT_SETTLED: why; static text. */
};

/* Looks again at what was sighted and refreshes size and times in *sighting. now_us: wall clock. Errors other than "gone" leave the
 * decision to the clock: a file that cannot be opened settles by time and fails when it is read. */
void settle_check(struct sighting *sighting, int64_t now_us, struct settle_answer *answer);
