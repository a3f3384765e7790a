/* json_print -- a writer of JSON text: commas and nesting are its business, not the caller's. */
#pragma once
#include "base/bytes.h"

struct json_print {
    struct buffer *out;
    uint64_t has_items; /* One bit per open level: something stands before. At most 63 levels. */
};

void json_begin(struct json_print *json, const char *key, char bracket); /* '{' or '['; key NULL in arrays and at the top. */
void json_end(struct json_print *json, char bracket);                    /* '}' or ']'. */
void json_put_text(struct json_print *json, const char *key, const char *text); /* NULL: null. */
void json_put_int(struct json_print *json, const char *key, int64_t value);
void json_put_real(struct json_print *json, const char *key, double value);
void json_put_bool(struct json_print *json, const char *key, bool value);
void json_put_null(struct json_print *json, const char *key);
void json_put_raw(struct json_print *json, const char *key, const char *text); /* Text that is JSON already. */
void json_put_time(struct json_print *json, const char *key, int64_t utc_us);  /* ISO text; 0: null. */
