/* retake -- failed files that can plausibly be read by now are let in again.
 *
 * No row of a failed file is in any output: the run that met it was thrown away with its staging folder, and the batch was
 * planned anew without it. So it may be taken like a new file; it gets a new ordinal, in a batch that has not begun. */
#pragma once
#include "loader/ledger.h"

enum retake_reach {
    RETAKE_CHANGED,    /* What can be opened now and is not as it was when it failed, or could not be opened then. */
    RETAKE_READABLE,   /* All that can be opened now: a disk that gave an I/O error may give the bytes today. */
    RETAKE_ALL         /* Somebody asks for it. */
};

struct retake_counts {
    int64_t retaken, gone, kept;
};

/* What is not there any more becomes vanished, with the reason it failed for. */
bool retake_files(struct ledger *ledger, uint32_t source_id, const struct inlet_context *context, enum retake_reach reach,
                  struct retake_counts *counts, struct error *err) MUST_CHECK;
