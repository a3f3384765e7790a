/* json_print -- keys, commas, values. */
#include "base/json_print.h"
#include "base/civil.h"
#include "base/number.h"

#include <inttypes.h>
#include <math.h>

static void put_key(struct json_print *json, const char *key)
{
    if (json->has_items & 1) buffer_byte(json->out, ',');
    json->has_items |= 1;
    if (!key) return;
    buffer_json_string(json->out, key, strlen(key));
    buffer_byte(json->out, ':');
}

void json_begin(struct json_print *json, const char *key, char bracket)
{
    put_key(json, key);
    buffer_byte(json->out, (uint8_t)bracket);
    json->has_items <<= 1;
}

void json_end(struct json_print *json, char bracket)
{
    buffer_byte(json->out, (uint8_t)bracket);
    json->has_items >>= 1;
}

void json_put_text(struct json_print *json, const char *key, const char *text)
{
    put_key(json, key);
    if (text) buffer_json_string(json->out, text, strlen(text));
    else buffer_text(json->out, "null");
}

void json_put_int(struct json_print *json, const char *key, int64_t value)
{
    put_key(json, key);
    buffer_printf(json->out, "%" PRId64, value);
}

void json_put_real(struct json_print *json, const char *key, double value)
{
    char text[DOUBLE_TEXT_MAX];
    put_key(json, key);
    if (isfinite(value)) buffer_append(json->out, text, print_double_json(value, text));
    else buffer_text(json->out, "null");
}

void json_put_bool(struct json_print *json, const char *key, bool value)
{
    put_key(json, key);
    buffer_text(json->out, value ? "true" : "false");
}

void json_put_null(struct json_print *json, const char *key)
{
    put_key(json, key);
    buffer_text(json->out, "null");
}

void json_put_raw(struct json_print *json, const char *key, const char *text)
{
    put_key(json, key);
    buffer_text(json->out, text);
}

void json_put_time(struct json_print *json, const char *key, int64_t utc_us)
{
    char text[TIMESTAMP_TEXT_MAX];
    put_key(json, key);
    if (utc_us) buffer_printf(json->out, "\"%.*s\"", (int)print_timestamp_iso(utc_us, text), text);
    else buffer_text(json->out, "null");
}
