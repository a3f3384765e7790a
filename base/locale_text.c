/* locale_text -- see base/locale_names.inc, which a small Java program printed from CLDR. */
#include "base/locale_text.h"
#include <stdio.h>
#include <string.h>
#include <strings.h>

struct locale_row {
    const char *tag;
    const char *texts[LOCALE_TEXT_COUNT];
};

static const struct locale_row locale_rows[] = {
#include "base/locale_names.inc"
};

/* Same tag; '_' counts as '-'. */
static bool tag_equal(const char *row, const char *tag, size_t size)
{
    if (strlen(row) != size)
        return false;
    for (size_t i = 0; i < size; i++) {
        char c = tag[i] == '_' ? '-' : tag[i];
        if (strncasecmp(row + i, &c, 1) != 0)
            return false;
    }
    return true;
}

const char *locale_text(const char *tag, enum locale_text text)
{
    size_t language = strcspn(tag, "-_");
    if (language == 2 && strncasecmp(tag, "no", 2) == 0)
        return locale_text("nb", text);
    size_t sizes[] = {strlen(tag), language}; /* The region's row first. */
    for (size_t pass = 0; pass < COUNTOF(sizes); pass++) {
        for (size_t i = 0; i < COUNTOF(locale_rows); i++) {
            if (locale_rows[i].texts[text] && tag_equal(locale_rows[i].tag, tag, sizes[pass]))
                return locale_rows[i].texts[text];
        }
    }
    return NULL;
}

void locale_languages(char *out, size_t size)
{
    size_t used = 0;
    out[0] = 0;
    for (size_t i = 0; i < COUNTOF(locale_rows); i++) {
        if (!strchr(locale_rows[i].tag, '-') && used + 4 < size)
            used += (size_t)snprintf(out + used, size - used, "%s%s", used ? " " : "", locale_rows[i].tag);
    }
}

bool locale_is_english(const char *tag) { return strncasecmp(tag, "en", 2) == 0 && strcspn(tag, "-_") == 2; }
