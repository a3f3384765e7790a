/* clean -- archives or deletes the files of committed batches (cleanSource), driven by the ledger alone.
 *
 * Only after the durable commit; identity is checked again after the file was taken aside, so a file that a producer
 * replaced in the meantime is never lost; a clash of names never overwrites; a crash at any point is repaired by
 * cleaning the same file again. */
#pragma once
#include "loader/ledger.h"
#include "loader/pipeline.h"

struct clean_result_counts {
    int64_t cleaned, kept, gone, retried;
};

/* Cleans what is due (retention), all of it. Off: marks everything as not to be cleaned. Failures of single files are
 * logged and tried again later; false only when the ledger fails. */
bool clean_due(struct ledger *ledger, const struct pipeline_reader *reader, struct inlet_context *context,
               struct clean_result_counts *counts, struct error *err) MUST_CHECK;
/* Refuses archive folders that the source would read again, or that lie in it (file-source.md 5.1). */
bool clean_check(const struct pipeline_reader *reader, struct error *err) MUST_CHECK;
