/* datetime_internal -- a compiled datetime pattern, as its compiler, parser and printer see it. */
#pragma once
#include "base/civil_internal.h"

enum datetime_field {
    FIELD_YEAR, FIELD_YEAR_OF_ERA, FIELD_ERA, FIELD_MONTH, FIELD_DAY, FIELD_DAY_OF_YEAR,
    FIELD_HOUR, FIELD_CLOCK_HOUR, FIELD_HALF_HOUR /* K: 0-11 */, FIELD_HALF_CLOCK_HOUR /* h: 1-12 */, FIELD_HALF_DAY,
    FIELD_MINUTE, FIELD_SECOND, FIELD_NANO, FIELD_OFFSET,
    FIELD_WEEKDAY, FIELD_QUARTER, FIELD_WEEK_PLACE /* F; these three are only printed */, FIELD_COUNT
};

enum datetime_op_kind {
    OP_LITERAL, OP_NUMBER, OP_REDUCED_YEAR, OP_FRACTION, OP_TEXT, OP_OFFSET, OP_LOCALIZED_OFFSET, OP_ZONE_ID, OP_ZONE_TEXT, OP_OPTIONAL
};

enum sign_style { SIGN_NORMAL, SIGN_NOT_NEGATIVE, SIGN_EXCEEDS_PAD };

struct datetime_op {
    enum datetime_op_kind kind;
    enum datetime_field field;
    int width_min, width_max;   /* NUMBER, FRACTION. For OFFSET: pattern width 1..5. */
    int width_reserved;         /* NUMBER: digits that adjacent fixed-width numbers behind it will take. */
    enum sign_style sign;
    bool full;                  /* LOCALIZED_OFFSET. */
    bool zulu;                  /* OFFSET: zero is Z. */
    int end;                    /* OPTIONAL: index behind its last op. */
    struct slice text;          /* LITERAL; LOCALIZED_OFFSET: its prefix. */
    const struct slice *names;  /* TEXT. */
    int name_count, name_first; /* names[0] stands for this value. */
};

struct datetime_pattern {
    struct datetime_op *ops;
    int op_count;
};

/* Same text without regard to case (Latin, Greek, Cyrillic); returns bytes of `text` that match all of `word`, or 0. */
size_t datetime_match_text(struct slice word, const char *text, size_t size);
