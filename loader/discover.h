/* discover -- one source's files, by looking and by being told, into the ledger.
 *
 * Listing and notifications give the same sightings to one ledger. Notifications are hints that make the next look
 * narrow and early; the listing is the truth. */
#pragma once
#include "loader/ledger.h"
#include "loader/pipeline.h"

struct discoverer;

struct discovery_report {
    size_t admitted, unsettled, skipped;
    int64_t admitted_bytes;
    size_t unreadable;         /* Folders that could not be read: logged, looked at again by the next cycle. */
    int64_t next_check_us;     /* When an unsettled file is worth another look; 0: none. */
    int64_t empty_check_us;    /* The same for young empty files, which a drain does not wait for. */
};

/* Opens watches where the pipeline asks for notifications (and `service` is set). Touches no rows. */
struct discoverer *discoverer_open(const struct pipeline_reader *reader, struct ledger *ledger, struct inlet_context *context,
                                   const struct ledger_source *source, bool service, struct error *err) MUST_CHECK;
/* One cycle: what notifications named; a listing where one is due (always without notifications); unsettled files again. What
 * `early` (NULL: nothing) makes of the pending files is planned in the transaction that ends the cycle. */
bool discoverer_look(struct discoverer *discoverer, struct early_plan *early, struct discovery_report *report, struct error *err) MUST_CHECK;
/* Waits until something may have arrived, `until_us` (wall clock; 0: no bound) has come, or the stream is cancelled. */
bool discoverer_wait(struct discoverer *discoverer, int64_t until_us, struct error *err) MUST_CHECK;
void discoverer_close(struct discoverer *discoverer);
/* The settings that decide what is found, as a number: marks and `why` compare it. */
uint64_t discoverer_digest(const struct pipeline_reader *reader);
struct ledger_source discoverer_source(const struct pipeline_reader *reader);
