/* locale_text -- names of months, days, eras and so on in the languages that datetime patterns know. */
#pragma once
#include "base/attr.h"

/* Columns of the table; each is a list separated by '|'. */
enum locale_text {
    LOCALE_MONTH_SHORT, LOCALE_MONTH_FULL, LOCALE_MONTH_ALONE_SHORT, LOCALE_MONTH_ALONE_FULL, LOCALE_DAY_SHORT, LOCALE_DAY_FULL,
    LOCALE_HALF_DAY, LOCALE_ERA_SHORT, LOCALE_ERA_FULL, LOCALE_QUARTER_SHORT, LOCALE_QUARTER_FULL, LOCALE_OFFSET_PREFIX,
    LOCALE_TEXT_COUNT
};

/* `tag` is BCP 47 (de-DE; also de_DE). NULL: the language is not in the table. */
const char *locale_text(const char *tag, enum locale_text text);
/* All languages of the table, separated by blanks, into out (for messages). */
void locale_languages(char *out, size_t size);
bool locale_is_english(const char *tag);
