/* ledger_rows -- keys, directories, unsettled files: what discovery asks and what it leaves behind. */
#include "base/panic.h"
#include "loader/ledger_inner.h"

#include <stdlib.h>

/* --- Keys ------------------------------------------------------------------------------------------------ */

struct key key_of_source(uint32_t source_id)
{
    struct key key = {.size = 0};
    invariant(source_id < 65536);
    key_big_endian(&key, source_id, 2);
    return key;
}

struct key key_of_ordinal(uint32_t source_id, int64_t ordinal)
{
    struct key key = key_of_source(source_id);
    key_big_endian(&key, (uint64_t)ordinal, 8);
    return key;
}

struct key key_of_number(uint64_t number)
{
    struct key key = {.size = 0};
    key_big_endian(&key, number, 8);
    return key;
}

struct key key_of_text(const char *text)
{
    struct key key = {.size = strlen(text)};
    invariant(key.size > 0 && key.size <= 500);
    memcpy(key.bytes, text, key.size);
    return key;
}

struct key key_of_directory(uint32_t source_id, uint32_t directory_id)
{
    struct key key = key_of_source(source_id);
    key_big_endian(&key, directory_id, 4);
    return key;
}

struct key key_of_file(uint32_t source_id, uint32_t directory_id, const char *name)
{
    struct key key = key_of_directory(source_id, directory_id);
    size_t size = strlen(name);
    invariant(size <= NAME_SIZE_MAX);
    memcpy(key.bytes + key.size, name, size);
    key.size += size;
    return key;
}

/* --- Directories ------------------------------------------------------------------------------------------- */

/* Finds the path's slot: *id, or DIRECTORY_NONE and in *key the free slot. */
static bool directory_slot(struct kv_txn *txn, uint32_t source_id, const char *path, uint32_t *id, struct key *key, struct error *err)
{
    size_t size = strlen(path);
    uint64_t hash = hash_bytes(path, size);
    for (unsigned probe = 0; probe < 256; probe++) {
        *key = key_of_source(source_id);
        key_big_endian(key, hash, 8);
        key_big_endian(key, probe, 1);
        struct slice payload;
        bool found;
        if (!get_checked(txn, TABLE_DIRECTORIES, key, &payload, &found, err)) return false;
        *id = DIRECTORY_NONE;
        if (!found) return true;
        struct unpack in = unpack_of(payload);
        uint32_t candidate = (uint32_t)get_unsigned(&in);
        struct slice stored = get_bytes(&in);
        if (in.bad) return damaged(err, "a directory of the ledger cannot be read");
        if (!slice_equal(stored, slice_of(path, size))) continue;
        *id = candidate;
        return true;
    }
    return damaged(err, "the ledger has 256 directories of one hash");
}

bool directory_find(struct kv_txn *txn, uint32_t source_id, const char *path, uint32_t *id, struct error *err)
{
    struct key key;
    return directory_slot(txn, source_id, path, id, &key, err);
}

bool directory_make(struct change *change, uint32_t source_id, const char *path, uint32_t *id, struct error *err)
{
    struct key key;
    if (!directory_slot(change->txn, source_id, path, id, &key, err)) return false;
    if (*id != DIRECTORY_NONE) return true;
    *id = change->state.next_directory++;
    struct buffer payload = {0};
    put_unsigned(&payload, *id);
    put_bytes(&payload, slice_text(path));
    bool ok = put_checked(change->txn, TABLE_DIRECTORIES, &key, &payload, KV_PUT_NEW, err);
    buffer_clear(&payload);
    put_unsigned(&payload, source_id);
    put_bytes(&payload, slice_text(path));
    struct key number = {.size = 0};
    key_big_endian(&number, *id, 4);
    ok = ok && put_checked(change->txn, TABLE_DIRECTORY_NAMES, &number, &payload, KV_PUT_NEW, err);
    buffer_free(&payload);
    return ok;
}

bool directory_path(struct kv_txn *txn, uint32_t id, struct arena *arena, const char **path, struct error *err)
{
    struct key key = {.size = 0};
    key_big_endian(&key, id, 4);
    struct slice payload;
    bool found;
    if (!get_checked(txn, TABLE_DIRECTORY_NAMES, &key, &payload, &found, err)) return false;
    if (!found) return damaged(err, "the ledger has lost the name of directory %u", id);
    struct unpack in = unpack_of(payload);
    get_unsigned(&in);
    struct slice text = get_bytes(&in);
    if (in.bad) return damaged(err, "a directory of the ledger cannot be read");
    *path = arena_strndup(arena, (const char *)text.data, text.size);
    return true;
}

static void cache_grow(struct directory_cache *cache)
{
    size_t capacity = cache->capacity ? cache->capacity * 2 : 64;
    struct directory_slot *slots = ARENA_ARRAY(cache->arena, struct directory_slot, capacity);
    for (size_t i = 0; i < cache->capacity; i++) {
        if (!cache->slots[i].path) continue;
        size_t at = cache->slots[i].id * 2654435761u & (capacity - 1);
        while (slots[at].path) at = (at + 1) & (capacity - 1);
        slots[at] = cache->slots[i];
    }
    cache->slots = slots;
    cache->capacity = capacity;
}

bool directory_cached(struct directory_cache *cache, struct kv_txn *txn, uint32_t id, const char **path, struct error *err)
{
    if (cache->count * 2 >= cache->capacity) cache_grow(cache);
    size_t at = id * 2654435761u & (cache->capacity - 1);
    while (cache->slots[at].path && cache->slots[at].id != id) at = (at + 1) & (cache->capacity - 1);
    if (!cache->slots[at].path) {
        const char *text;
        if (!directory_path(txn, id, cache->arena, &text, err)) return false;
        cache->slots[at] = (struct directory_slot){id, text};
        cache->count++;
    }
    *path = cache->slots[at].path;
    return true;
}

/* --- Unsettled files -------------------------------------------------------------------------------------------- */

bool mark_drop(struct change *change, uint32_t source_id, uint32_t directory_id, struct error *err)
{
    struct key key = key_of_directory(source_id, directory_id);
    return kv_delete(change->txn, TABLE_MARKS, key_slice(&key), NULL, err);
}

bool unsettled_decode(struct slice payload, struct arena *arena, struct unsettled_row *row, struct error *err)
{
    struct unpack in = unpack_of(payload);
    *row = (struct unsettled_row){.size = get_signed(&in)};
    row->mtime_us = get_signed(&in);
    row->ctime_us = get_signed(&in);
    row->device = get_unsigned(&in);
    row->inode = get_unsigned(&in);
    row->first_seen_us = get_signed(&in);
    row->check_us = get_signed(&in);
    row->reason = get_text(&in, arena);
    return !in.bad || damaged(err, "an unsettled file of the ledger cannot be read");
}

bool unsettled_put(struct change *change, uint32_t source_id, uint32_t directory_id, const char *name, const struct unsettled_row *row,
                   struct error *err)
{
    struct key key = key_of_file(source_id, directory_id, name);
    struct slice old;
    bool found;
    if (!kv_get(change->txn, TABLE_UNSETTLED, key_slice(&key), &old, &found, err)) return false;
    if (!found) change->state.counts.files[FILE_UNSETTLED]++;
    struct buffer payload = {0};
    put_signed(&payload, row->size);
    put_signed(&payload, row->mtime_us);
    put_signed(&payload, row->ctime_us);
    put_unsigned(&payload, row->device);
    put_unsigned(&payload, row->inode);
    put_signed(&payload, row->first_seen_us);
    put_signed(&payload, row->check_us);
    put_text(&payload, row->reason);
    bool ok = put_checked(change->txn, TABLE_UNSETTLED, &key, &payload, KV_PUT_ANY, err);
    buffer_free(&payload);
    return ok;
}
