/* file -- whole-file reads and durable replacement; the rules of writing that a crash cannot break.
 *
 * Every write is checked, continued after a short count and after EINTR; fsync is never retried
 * after an error (reliability F1-F7). */
#pragma once
#include "base/arena.h"
#include "base/bytes.h"
#include "base/error.h"
#include <sys/stat.h>

bool file_read_all(const char *path, size_t size_max, struct buffer *out, struct error *err) MUST_CHECK;
bool write_all(int fd, const void *data, size_t size, const char *name, struct error *err) MUST_CHECK;
bool file_sync(int fd, const char *name, struct error *err) MUST_CHECK;
bool directory_sync(const char *path, struct error *err) MUST_CHECK;
bool file_sync_parent(const char *path, struct error *err) MUST_CHECK;
/* Replaces `path` by `bytes`: draft, fsync, name, fsync of the directory. */
bool file_replace(const char *path, struct slice bytes, struct error *err) MUST_CHECK;
/* Creates `path` with `bytes` unless it exists (a synced draft gets the name). *existed tells; that is not an error. */
bool file_create_if_absent(const char *path, struct slice bytes, bool *existed, struct error *err) MUST_CHECK;
/* mkdir -p; every created level's parent is synced. */
bool directories_make(const char *path, struct error *err) MUST_CHECK;
/* The same where a killed run may have been here before: what it made last may stand in memory only, so that is synced too. */
bool directories_settle(const char *path, struct error *err) MUST_CHECK;
bool directory_remove_tree(const char *path, struct error *err) MUST_CHECK; /* Does not follow symlinks. */
char *path_join(struct arena *arena, const char *directory, const char *name); /* name absolute: name. */
char *path_absolute(struct arena *arena, const char *base_dir, const char *path); /* Lexical: resolves "." and "..", no symlinks. */
const char *path_basename(const char *path);
