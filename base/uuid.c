/* uuid -- RFC 9562 identifiers, XXH3 digests (the only file that includes xxhash), CRC32C. */
#include "base/uuid.h"
#include "base/panic.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <xxhash.h>

static void uuid_print(const uint8_t bytes[16], char out[UUID_TEXT_SIZE])
{
    static const char digits[] = "0123456789abcdef";
    size_t at = 0;
    for (size_t i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10) out[at++] = '-';
        out[at++] = digits[bytes[i] >> 4];
        out[at++] = digits[bytes[i] & 15];
    }
    out[at] = 0;
}

static void uuid_stamp(uint8_t bytes[16], unsigned version)
{
    bytes[6] = (uint8_t)((bytes[6] & 0x0f) | version << 4);
    bytes[8] = (uint8_t)((bytes[8] & 0x3f) | 0x80);
}

void uuid_v4(char out[UUID_TEXT_SIZE])
{
    uint8_t bytes[16];
    size_t got = 0;
    while (got < sizeof bytes) {
        ssize_t count = getrandom(bytes + got, sizeof bytes - got, 0);
        if (count > 0) got += (size_t)count;
        else invariant(errno == EINTR);
    }
    uuid_stamp(bytes, 4);
    uuid_print(bytes, out);
}

/* SHA-1 (FIPS 180-4), only for names: RFC 9562 asks for it. */
struct sha1 {
    uint32_t state[5];
    uint8_t block[64];
    uint64_t size;
};

static uint32_t rotate(uint32_t value, unsigned bits) { return value << bits | value >> (32 - bits); }

static void sha1_block(struct sha1 *sha, const uint8_t *data)
{
    uint32_t w[80];
    for (size_t i = 0; i < 16; i++)
        w[i] = (uint32_t)data[4 * i] << 24 | (uint32_t)data[4 * i + 1] << 16 | (uint32_t)data[4 * i + 2] << 8 | data[4 * i + 3];
    for (size_t i = 16; i < 80; i++) w[i] = rotate(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
    uint32_t a = sha->state[0], b = sha->state[1], c = sha->state[2], d = sha->state[3], e = sha->state[4];
    for (size_t i = 0; i < 80; i++) {
        uint32_t f, k;
        if (i < 20) { f = (b & c) | (~b & d); k = 0x5a827999; }
        else if (i < 40) { f = b ^ c ^ d; k = 0x6ed9eba1; }
        else if (i < 60) { f = (b & c) | (b & d) | (c & d); k = 0x8f1bbcdc; }
        else { f = b ^ c ^ d; k = 0xca62c1d6; }
        uint32_t next = rotate(a, 5) + f + e + k + w[i];
        e = d; d = c; c = rotate(b, 30); b = a; a = next;
    }
    sha->state[0] += a; sha->state[1] += b; sha->state[2] += c; sha->state[3] += d; sha->state[4] += e;
}

static void sha1_add(struct sha1 *sha, const void *data, size_t size)
{
    const uint8_t *at = data;
    for (; size; size--) {
        sha->block[sha->size++ & 63] = *at++;
        if ((sha->size & 63) == 0) sha1_block(sha, sha->block);
    }
}

static void sha1_end(struct sha1 *sha, uint8_t out[20])
{
    uint64_t bits = sha->size * 8;
    uint8_t end = 0x80, zero = 0, length[8];
    sha1_add(sha, &end, 1);
    while ((sha->size & 63) != 56) sha1_add(sha, &zero, 1);
    for (size_t i = 0; i < 8; i++) length[i] = (uint8_t)(bits >> (56 - 8 * i));
    sha1_add(sha, length, 8);
    for (size_t i = 0; i < 20; i++) out[i] = (uint8_t)(sha->state[i / 4] >> (24 - 8 * (i % 4)));
}

static unsigned hex_value(char digit)
{
    if (digit >= '0' && digit <= '9') return (unsigned)(digit - '0');
    return (unsigned)((digit | 32) - 'a' + 10) & 15;
}

void uuid_v5(const char *name_space_uuid, const void *name, size_t size, char out[UUID_TEXT_SIZE])
{
    uint8_t bytes[20] = {0};
    size_t at = 0;
    for (const char *text = name_space_uuid; *text && at < 32; text++) {
        if (*text == '-') continue;
        bytes[at / 2] = (uint8_t)(at % 2 ? bytes[at / 2] | hex_value(*text) : hex_value(*text) << 4);
        at++;
    }
    struct sha1 sha = {{0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0}, {0}, 0};
    sha1_add(&sha, bytes, 16);
    sha1_add(&sha, name, size);
    sha1_end(&sha, bytes);
    uuid_stamp(bytes, 5);
    uuid_print(bytes, out);
}

void digest_text(const void *data, size_t size, char out[DIGEST_TEXT_SIZE])
{
    XXH128_hash_t hash = XXH3_128bits(data, size);
    snprintf(out, DIGEST_TEXT_SIZE, "%016llx%016llx", (unsigned long long)hash.high64, (unsigned long long)hash.low64);
}

void digest_words(const void *data, size_t size, uint64_t out[2])
{
    XXH128_hash_t hash = XXH3_128bits(data, size);
    out[0] = hash.low64;
    out[1] = hash.high64;
}

uint64_t hash_bytes(const void *data, size_t size) { return XXH3_64bits(data, size); }

static uint32_t crc32c_scalar(uint32_t crc, const uint8_t *at, size_t size)
{
    for (; size; size--) {
        crc ^= *at++;
        for (int bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (0x82f63b78u & (0u - (crc & 1)));
    }
    return crc;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) static uint32_t crc32c_sse42(uint32_t crc, const uint8_t *at, size_t size)
{
    uint64_t wide = crc;
    for (; size >= 8; size -= 8, at += 8) {
        uint64_t word;
        memcpy(&word, at, 8);
        wide = __builtin_ia32_crc32di(wide, word);
    }
    crc = (uint32_t)wide;
    for (; size; size--) crc = __builtin_ia32_crc32qi(crc, *at++);
    return crc;
}
#endif

uint32_t crc32c(uint32_t crc, const void *data, size_t size)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("sse4.2")) return ~crc32c_sse42(~crc, data, size);
#endif
    return ~crc32c_scalar(~crc, data, size);
}
