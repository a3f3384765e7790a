/* ledger_failed -- files that could not be read: found without a walk over all files, and let in again.
 *
 * Beside its row each failed file has a note under its ordinal: where it lies, and what it looked like when it failed. The
 * notes stand among the settings, so that ledgers of older versions need no new table; those of files that failed under an
 * older version are made up from the rows once. L1: a file that is let in again leaves `failed` and becomes unsettled, or
 * vanished, in one transaction, and gets an ordinal of its own when it is admitted: no batch ever held it twice. */
#include "base/panic.h"
#include "loader/ledger_inner.h"

#define NOTE_PREFIX "failed."
#define NOTE_PREFIX_SIZE (sizeof NOTE_PREFIX - 1)

struct note {
    uint32_t directory_id;     /* DIRECTORY_NONE: not known, the row has the name alone (fileNameOnly, older version). */
    const char *name;
    struct failed_look look;
};

static struct key key_of_note(uint32_t source_id, int64_t ordinal)
{
    struct key key = {.size = NOTE_PREFIX_SIZE};
    memcpy(key.bytes, NOTE_PREFIX, NOTE_PREFIX_SIZE);
    key_big_endian(&key, source_id, 2);
    key_big_endian(&key, (uint64_t)ordinal, 8);
    return key;
}

static bool is_note_of(struct slice key, uint32_t source_id)
{
    return key.size == NOTE_PREFIX_SIZE + 10 && memcmp(key.data, NOTE_PREFIX, NOTE_PREFIX_SIZE) == 0 && key_read(key, NOTE_PREFIX_SIZE, 2) == source_id;
}

static int64_t ordinal_of_note(struct slice key) { return (int64_t)key_read(key, NOTE_PREFIX_SIZE + 2, 8); }

static bool note_decode(struct slice payload, struct arena *arena, struct note *note, struct error *err)
{
    struct unpack in = unpack_of(payload);
    *note = (struct note){.directory_id = (uint32_t)get_unsigned(&in)};
    note->name = get_text(&in, arena);
    note->look.size = get_signed(&in);
    note->look.mtime_us = get_signed(&in);
    note->look.ctime_us = get_signed(&in);
    note->look.device = get_unsigned(&in);
    note->look.inode = get_unsigned(&in);
    note->look.could_open = get_unsigned(&in) != 0;
    return (!in.bad && note->name) || damaged(err, "the note of a failed file cannot be read");
}

bool failed_put(struct change *change, uint32_t source_id, int64_t ordinal, uint32_t directory_id, const char *name, const struct failed_look *look,
                struct error *err)
{
    struct key key = key_of_note(source_id, ordinal);
    struct buffer out = {0};
    put_unsigned(&out, directory_id);
    put_text(&out, name);
    put_signed(&out, look->size);
    put_signed(&out, look->mtime_us);
    put_signed(&out, look->ctime_us);
    put_unsigned(&out, look->device);
    put_unsigned(&out, look->inode);
    put_unsigned(&out, look->could_open);
    bool ok = put_checked(change->txn, TABLE_SETTINGS, &key, &out, KV_PUT_ANY, err);
    buffer_free(&out);
    return ok;
}

bool failed_drop(struct change *change, uint32_t source_id, int64_t ordinal, struct error *err)
{
    struct key key = key_of_note(source_id, ordinal);
    return kv_delete(change->txn, TABLE_SETTINGS, key_slice(&key), NULL, err);
}

/* --- Notes of files that failed under an older version --------------------------------------------------------- */

struct unnoted {               /* A failed file without a note. */
    struct unnoted *next;
    uint32_t source_id;
    int64_t ordinal;
    struct note note;
};

static bool look_for_note(struct change *change, const struct named_row *row, struct unnoted **unnoted, struct error *err)
{
    struct slice payload;
    struct row decoded;
    bool found = false;
    if (!row_decode(row->payload, change->scratch, &decoded, err)) return false;
    if (decoded.kind != ROW_FAILED) return true;
    uint32_t source_id = (uint32_t)key_read(row->key, 0, 2), directory_id = (uint32_t)key_read(row->key, 2, 4);
    struct key key = key_of_note(source_id, decoded.ordinal);
    if (!get_checked(change->txn, TABLE_SETTINGS, &key, &payload, &found, err) || found) return found;
    struct unnoted *one = ARENA_ARRAY(change->scratch, struct unnoted, 1);
    *one = (struct unnoted){.next = *unnoted, .source_id = source_id, .ordinal = decoded.ordinal};
    one->note = (struct note){.directory_id = directory_id, .name = arena_strndup(change->scratch, (const char *)row->name.data, row->name.size),
                              .look = {.size = decoded.size, .mtime_us = decoded.mtime_us}};
    *unnoted = one;
    return true;
}

static bool complete_body(struct change *change, void *user, struct error *err)
{
    (void)user;
    struct named_cursor *walk = named_open(change->txn, TABLE_FILES, err);
    struct named_row row = {.found = false};
    struct unnoted *unnoted = NULL; /* What a walk shows ends with the next write: notes are written behind it. */
    bool ok = walk && named_seek(walk, slice_of(NULL, 0), &row, err);
    while (ok && row.found) ok = look_for_note(change, &row, &unnoted, err) && named_next(walk, &row, err);
    named_close(walk);
    for (struct unnoted *one = unnoted; ok && one; one = one->next)
        ok = failed_put(change, one->source_id, one->ordinal, one->note.directory_id, one->note.name, &one->note.look, err);
    return ok;
}

bool failed_count(struct kv_txn *txn, int64_t *count, struct error *err)
{
    struct kv_cursor *cursor = kv_cursor_open(txn, TABLE_SETTINGS, err);
    struct kv_row row = {.found = false};
    struct key start = key_of_text(NOTE_PREFIX);
    bool ok = cursor && kv_seek(cursor, key_slice(&start), &row, err);
    *count = 0;
    while (ok && row.found && row.key.size == NOTE_PREFIX_SIZE + 10 && memcmp(row.key.data, NOTE_PREFIX, NOTE_PREFIX_SIZE) == 0) {
        ++*count;
        ok = kv_next(cursor, &row, err);
    }
    kv_cursor_close(cursor);
    return ok;
}

bool ledger_failed_complete(struct ledger *ledger, struct error *err)
{
    struct kv_txn *txn = kv_read_begin(ledger->kv, err);
    if (!txn) return false;
    struct ledger_state state;
    int64_t notes = 0;
    bool ok = state_load(txn, &state, err);
    if (ok && state.counts.files[FILE_FAILED]) ok = failed_count(txn, &notes, err);
    kv_read_end(txn);
    return ok && (notes >= state.counts.files[FILE_FAILED] || ledger_change(ledger, complete_body, NULL, err));
}

/* --- Asking, and letting in again ---------------------------------------------------------------------------------- */

static bool file_of_note(struct kv_txn *txn, const struct kv_row *row, uint32_t source_id, struct directory_cache *cache, struct failed_file *out, struct error *err)
{
    struct slice payload;
    struct note note;
    if (!check_row(TABLE_SETTINGS, row->key, row->value, &payload, err) || !note_decode(payload, cache->arena, &note, err)) return false;
    *out = (struct failed_file){.source_id = source_id, .ordinal = ordinal_of_note(row->key), .name = note.name, .look = note.look};
    return note.directory_id == DIRECTORY_NONE || directory_cached(cache, txn, note.directory_id, &out->directory, err);
}

bool ledger_failed(struct ledger *ledger, uint32_t source_id, int64_t after, size_t count_max, struct arena *arena, struct failed_file **files,
                   size_t *count, struct error *err)
{
    struct kv_txn *txn = kv_read_begin(ledger->kv, err);
    *count = 0;
    if (!txn) return false;
    *files = ARENA_ARRAY(arena, struct failed_file, count_max + 1);
    struct directory_cache cache = {.arena = arena};
    struct kv_cursor *cursor = kv_cursor_open(txn, TABLE_SETTINGS, err);
    struct kv_row row = {.found = false};
    struct key start = key_of_note(source_id, after + 1);
    bool ok = cursor && kv_seek(cursor, key_slice(&start), &row, err);
    while (ok && row.found && *count < count_max && is_note_of(row.key, source_id)) {
        ok = file_of_note(txn, &row, source_id, &cache, &(*files)[*count], err);
        *count += ok;
        ok = ok && kv_next(cursor, &row, err);
    }
    kv_cursor_close(cursor);
    kv_read_end(txn);
    return ok;
}

static bool let_in(struct change *change, const struct retake *retake, const struct key *row_key, const struct note *note, struct row *row, struct error *err)
{
    change->state.counts.files[FILE_FAILED]--; /* L1 */
    if (retake->gone) {
        change->state.counts.files[FILE_VANISHED]++;
        row->kind = ROW_VANISHED;
        row->since_us = change->now_us;
        return mark_drop(change, retake->source_id, note->directory_id, err) && row_put(change, row_key, row, err);
    }
    struct unsettled_row unsettled = {.size = note->look.size, .mtime_us = note->look.mtime_us, .ctime_us = note->look.ctime_us,
                                      .device = note->look.device, .inode = note->look.inode, .first_seen_us = change->now_us,
                                      .check_us = change->now_us, .reason = RETAKE_REASON};
    return row_delete(change, row_key, err) &&
           unsettled_put(change, retake->source_id, note->directory_id, note->name, &unsettled, err);
}

struct retake_job {
    const struct retake *retakes;
    size_t count;
};

static bool retake_body(struct change *change, void *user, struct error *err)
{
    const struct retake_job *job = user;
    for (size_t i = 0; i < job->count; i++) {
        const struct retake *retake = &job->retakes[i];
        struct key key = key_of_note(retake->source_id, retake->ordinal), row_key;
        struct slice payload;
        struct note note;
        struct row row;
        bool found;
        if (!get_checked(change->txn, TABLE_SETTINGS, &key, &payload, &found, err)) return false;
        if (!found) return error_set(err, COND_INLET_INTERNAL, "the file of ordinal %lld has not failed", (long long)retake->ordinal);
        if (!note_decode(payload, change->scratch, &note, err)) return false;
        if (!row_of_ordinal(change->txn, retake->source_id, note.directory_id, note.name, retake->ordinal, change->scratch, &row_key, &row, &found, err))
            return false;
        if (!found || row.kind != ROW_FAILED) return damaged(err, "the failed file '%s' has no row", note.name);
        if (note.directory_id == DIRECTORY_NONE) continue; /* Nobody knows where it lies. */
        if (!kv_delete(change->txn, TABLE_SETTINGS, key_slice(&key), NULL, err) || !let_in(change, retake, &row_key, &note, &row, err)) return false;
    }
    return true;
}

bool ledger_retake(struct ledger *ledger, const struct retake *retakes, size_t count, struct error *err)
{
    return !count || ledger_change(ledger, retake_body, &(struct retake_job){retakes, count}, err);
}
