/* preview -- what discovery would do, without doing it: for `inlet plan` and `inlet why`. */
#pragma once
#include "loader/ledger.h"
#include "loader/pipeline.h"

typedef bool (*preview_fn)(void *user, const struct sighting *sighting, enum admission_verdict verdict, const char *reason, struct error *err);

/* Lists and judges; `call` gets each file that has no row yet. ledger NULL: the pipeline has never run. */
bool discover_preview(const struct pipeline_reader *reader, struct ledger *ledger, struct inlet_context *context, preview_fn call, void *user,
                      struct error *err) MUST_CHECK;
/* The first listing rule that excludes the path; NULL with no error: none does. */
const char *discover_why_not(const struct pipeline_reader *reader, const char *path, struct arena *arena, struct error *err);
/* The rules behind listing: half-written, there before the first start, too old. */
bool discover_judge(const struct pipeline_reader *reader, struct ledger *ledger, struct inlet_context *context, struct sighting *sighting,
                    enum admission_verdict *verdict, const char **reason, struct error *err) MUST_CHECK;
