/* schema_check -- what a sink's format cannot write, refused before anything is staged, with Spark's conditions. */
#pragma once
#include "columns/type.h"

enum type_support {
    SUPPORT_ALL,            /* JSON: nested types and VOID too. */
    SUPPORT_PARQUET,        /* All, but no empty struct. */
    SUPPORT_ATOMIC,         /* CSV: neither nested types nor VOID. */
    SUPPORT_STRING,         /* Text. */
    SUPPORT_DELTA           /* Like Parquet, without VOID. */
};

/* `label` is Spark's name of the format in messages: "CSV". `schema` is that of the data columns. */
bool schema_check_types(const struct type *schema, enum type_support support, const char *label, struct error *err) MUST_CHECK;
/* COLUMN_ALREADY_EXISTS, at any depth. */
bool schema_check_duplicates(const struct type *schema, bool case_sensitive, struct error *err) MUST_CHECK;
