/* session -- the settings that are in force for one query: Spark's spark.sql.* names. */
#pragma once
#include "base/arena.h"
#include "base/civil.h"
#include "base/options.h"

struct session {
    const struct time_zone *zone;    /* spark.sql.session.timeZone; default: the system's zone. */
    bool ansi;                       /* spark.sql.ansi.enabled; default true. */
    bool case_sensitive;             /* spark.sql.caseSensitive; default false. */
    const char *corrupt_column;      /* spark.sql.columnNameOfCorruptRecord; default _corrupt_record. */
    struct options conf;             /* All known settings; names in session_options. */
};

extern const struct option_spec session_options[];

/* Unknown `spark.*` names are collected in *warnings (one line each); other unknown names are errors. */
bool session_parse(struct arena *arena, const struct option_input *inputs, size_t count, struct session *out,
                   struct buffer *warnings, struct error *err) MUST_CHECK;
