/* uri -- file URIs as Spark prints them, Hive partition paths, Hadoop globs. */
#pragma once
#include "base/arena.h"
#include "base/bytes.h"
#include "base/error.h"

/* "/a b/c%d" -> "file:///a%20b/c%25d" (three slashes; Spark's log and input_file_name) . java.net.URI's escaping: é stays as it is. */
void uri_from_path(struct buffer *out, const char *path, const char *prefix /* "file://" or "file:" */);
void uri_escape_component(struct buffer *out, const char *text, size_t size); /* The escaping of one name. */
char *path_from_uri(struct arena *arena, const char *uri); /* file:/x, file:///x with %XX decoded; a plain path is returned as it is. */

/* Hive escaping of partition names and values (format-semantics 13). */
void partition_escape(struct buffer *out, const char *text, size_t size);
void partition_unescape(struct buffer *out, const char *text, size_t size);
#define HIVE_DEFAULT_PARTITION "__HIVE_DEFAULT_PARTITION__"

/* Hadoop globs: ? * [abc] [a-z] [^a] [!a] \c {a,b}; '*' does not cross '/'. */
struct glob;
bool glob_has_magic(const char *pattern);
struct glob *glob_compile(struct arena *arena, const char *pattern, struct error *err) MUST_CHECK;
bool glob_match(const struct glob *glob, const char *text);
