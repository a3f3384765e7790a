/* type -- Spark's logical types, and their DDL and JSON spellings.
 *
 * Types are immutable and live in the arena they were made in; a schema is a STRUCT type. Nesting is
 * limited to 1,000 levels. */
#pragma once
#include "base/arena.h"
#include "base/bytes.h"
#include "base/error.h"

enum type_kind {
    TYPE_BOOLEAN, TYPE_TINYINT, TYPE_SMALLINT, TYPE_INT, TYPE_BIGINT, TYPE_FLOAT, TYPE_DOUBLE, TYPE_DECIMAL,
    TYPE_STRING, TYPE_BINARY, TYPE_DATE, TYPE_TIMESTAMP, TYPE_TIMESTAMP_NTZ, TYPE_ARRAY, TYPE_MAP, TYPE_STRUCT, TYPE_VOID
};
#define TYPE_DEPTH_MAX 1000

struct type {
    enum type_kind kind;
    int precision, scale;        /* DECIMAL. */
    struct field *fields;        /* STRUCT: its fields; ARRAY: "element"; MAP: "key", "value". */
    size_t field_count;
};

struct field {
    const char *name;            /* NUL-terminated; may hold any byte but NUL. */
    size_t name_size;
    const struct type *type;
    bool nullable;               /* ARRAY: containsNull; MAP value: valueContainsNull. */
    const char *metadata_json;   /* JSON object text, or NULL for {}. */
};

/* format-semantics 2.1, 2.2. The DDL text of a schema: "a INT, b STRUCT<c: STRING>"; a single type is
 * wrapped only where Spark does so. */
const struct type *type_parse_ddl(struct arena *arena, const char *text, struct error *err) MUST_CHECK;
/* Always a STRUCT: refuses anything else with INVALID_SCHEMA.NON_STRUCT_TYPE. */
const struct type *schema_parse_ddl(struct arena *arena, const char *text, struct error *err) MUST_CHECK;
/* The same where TIMESTAMP means `timestamp` (spark.sql.timestampType: TYPE_TIMESTAMP or TYPE_TIMESTAMP_NTZ). */
const struct type *schema_parse_ddl_as(struct arena *arena, const char *text, enum type_kind timestamp, struct error *err) MUST_CHECK;
const struct type *type_parse_json(struct arena *arena, struct slice text, struct error *err) MUST_CHECK;
void type_print_ddl(const struct type *type, struct buffer *out);    /* `STRUCT<a: INT>`, upper case as in Spark's messages. */
void type_print_simple(const struct type *type, struct buffer *out); /* `struct<a:int>`, as in progress and DESCRIBE. */
void type_print_json(const struct type *type, struct buffer *out);   /* JVM key order: type, fields; name, type, nullable, metadata. */
void type_print_name(const struct field *field, struct buffer *out); /* Back-quoted where needed. */
void schema_print_ddl(const struct type *schema, struct buffer *out); /* "a INT,b STRING" (toDDL). */

bool type_equal(const struct type *a, const struct type *b, bool compare_nullability);
int schema_find(const struct type *schema, const char *name, size_t size, bool case_sensitive); /* Index, or -1; -2: ambiguous. */
const struct type *type_primitive(enum type_kind kind); /* Static; not for DECIMAL and nested. */
const struct type *type_decimal(struct arena *arena, int precision, int scale);
const struct type *type_array(struct arena *arena, const struct type *element, bool contains_null);
const struct type *type_map(struct arena *arena, const struct type *key, const struct type *value, bool value_contains_null);
const struct type *type_struct(struct arena *arena, const struct field *fields, size_t count); /* Copies the fields, not their types. */
const struct type *type_copy(struct arena *arena, const struct type *type);         /* Deep. */
const struct type *type_as_nullable(struct arena *arena, const struct type *type); /* Deep copy, everything nullable (file readers). */
static inline bool type_is_nested(const struct type *type) { return type->kind == TYPE_ARRAY || type->kind == TYPE_MAP || type->kind == TYPE_STRUCT; }
static inline bool type_is_bytes(const struct type *type) { return type->kind == TYPE_STRING || type->kind == TYPE_BINARY; }
size_t type_width(enum type_kind kind); /* Bytes of one value: 1 2 4 8 16; 0 for BOOLEAN (bits), bytes, nested, VOID. */
size_t type_leaf_count(const struct type *type); /* Primitive leaves in depth-first order. */
