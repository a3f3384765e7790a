/* input -- the bytes of one file or file range, decompressed, as a stream of blocks.
 *
 * The codec comes from the file name (format-semantics 1.1): .gz .gzip .bz2 .deflate .snappy .lz4 .zst .zstd, any
 * case; .snappy and .lz4 are Hadoop's block formats, LZ4 frames are recognised as well. Anything else is
 * read as it is. Damage (truncated or corrupt stream) is INLET_DAMAGED_FILE with the byte offset in the
 * compressed file; all bytes decoded before it have been delivered. */
#pragma once
#include "base/bytes.h"
#include "base/context.h"
#include "base/error.h"
#include "base/utf8.h"
#include "stores/store.h"

enum codec { CODEC_NONE, CODEC_GZIP, CODEC_BZIP2, CODEC_DEFLATE, CODEC_SNAPPY, CODEC_LZ4, CODEC_ZSTD };

enum codec codec_of_path(const char *path);
bool codec_find(const char *name, enum codec *out); /* Names of the `compression` option of text writers, and Hadoop's classes. */
const char *codec_suffix(enum codec codec);         /* ".gz", "" */

struct input;

/* Opens `path`. start/end in bytes of the file as stored; end -1: to its end. A range is only for CODEC_NONE. *stat gets what was opened. */
struct input *input_open(const struct store_ops *store, const char *path, int64_t start, int64_t end,
                         const struct cancel *cancel, struct object_stat *stat, struct error *err) MUST_CHECK;
/* An input over bytes in memory (tests; a piece of a file that another thread inflated). Borrowed. */
struct input *input_memory(struct slice bytes, int64_t byte_start);
/* Reads up to `size` bytes into `buffer`; *got 0 means the end. May go past `end` of the range when asked
 * with past_end (to finish the record that began inside it). */
bool input_read(struct input *input, void *buffer, size_t size, bool past_end, size_t *got, struct error *err) MUST_CHECK;
/* A thread of its own decompresses ahead of the reads. Before the first read; nothing where there is no codec. For whole reads: until
 * their end or failure the counters below stand still. */
void input_read_ahead(struct input *input);
/* From now on reads deliver valid UTF-8: text of `charset` is converted, ill-formed parts become U+FFFD, and a byte order mark at
 * the start is dropped. For whole files, before the first read. A read may end inside a character. */
void input_convert(struct input *input, enum charset charset);
int64_t input_bytes_stored(const struct input *input); /* Bytes taken from the store so far. */
/* After the last byte: size and mtime still as opened, else INLET_FILE_CHANGED. */
bool input_check_unchanged(struct input *input, struct error *err) MUST_CHECK;
void input_close(struct input *input);

/* Compression of text output: whole segments. Concatenated segments form one valid file (gzip members, ...) where
 * codec_concatenates(); a .deflate file holds exactly one segment. */
bool codec_concatenates(enum codec codec);
bool codec_compress(enum codec codec, struct slice bytes, struct buffer *out, struct error *err) MUST_CHECK;

/* Page codecs of Parquet: raw snappy, zstd (level 3), gzip, lz4_raw, none. In pages.c. */
enum page_codec { PAGE_UNCOMPRESSED = 0, PAGE_SNAPPY = 1, PAGE_GZIP = 2, PAGE_LZ4_HADOOP = 5, PAGE_ZSTD = 6, PAGE_LZ4_RAW = 7 }; /* Numbers of parquet.thrift. */
bool page_compress(enum page_codec codec, int level, struct slice bytes, struct buffer *out, struct error *err) MUST_CHECK;
bool page_decompress(enum page_codec codec, struct slice bytes, void *out, size_t out_size, struct error *err) MUST_CHECK; /* Exactly out_size bytes. */
