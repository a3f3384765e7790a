/* uuid -- identifiers: random (v4) and named (v5, SHA-1 of RFC 9562), and SHA-256 digests as hex. */
#pragma once
#include "base/attr.h"
#define UUID_TEXT_SIZE 37 /* 36 characters and a NUL. */
void uuid_v4(char out[UUID_TEXT_SIZE]);
void uuid_v5(const char *name_space_uuid, const void *name, size_t size, char out[UUID_TEXT_SIZE]);
#define DIGEST_TEXT_SIZE 33
void digest_text(const void *data, size_t size, char out[DIGEST_TEXT_SIZE]); /* 128-bit XXH3 in hex: identity, not security. */
void digest_words(const void *data, size_t size, uint64_t out[2]); /* The same 128 bits. */
uint64_t hash_bytes(const void *data, size_t size); /* XXH3 64. */
uint32_t crc32c(uint32_t crc, const void *data, size_t size);
