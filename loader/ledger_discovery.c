/* ledger_discovery -- what discovery asks (known?) and leaves behind (admissions, unsettled files, marks). */
#include "base/panic.h"
#include "base/uuid.h"
#include "loader/ledger_inner.h"

#include <stdlib.h>
#include <string.h>

#define ROWS_PER_TRANSACTION 10000

/* --- Known? ------------------------------------------------------------------------------------------------ */

static uint32_t row_directory(const struct ledger_source *source, uint32_t directory_id)
{
    return source->identity == IDENTITY_NAME ? DIRECTORY_NONE : directory_id;
}

/* The modification time of the version that has the row. */
static bool row_mtime(struct kv_txn *txn, uint32_t source_id, const struct row *row, struct arena *arena, int64_t *mtime_us, struct error *err)
{
    *mtime_us = row->mtime_us;
    if (row->kind != ROW_ADMITTED) return true;
    struct run run;
    struct run_file *file;
    if (!runs_find(txn, TABLE_DONE, source_id, row->ordinal, arena, &run, &file, err)) return false;
    if (!file && !runs_find(txn, TABLE_PENDING, source_id, row->ordinal, arena, &run, &file, err)) return false;
    *mtime_us = file ? file->mtime_us : INT64_MIN;
    return true;
}

/* Does this row stand for that sighting? */
static bool row_covers(struct kv_txn *txn, const struct ledger_source *source, const struct row *row, int64_t mtime_us, struct arena *arena,
                       bool *covers, struct error *err)
{
    *covers = row->kind != ROW_VANISHED;
    if (!*covers || source->identity != IDENTITY_PATH_AND_MTIME) return true;
    int64_t stored;
    if (!row_mtime(txn, source->id, row, arena, &stored, err)) return false;
    *covers = stored == mtime_us;
    return true;
}

static bool known_one(struct kv_txn *txn, const struct ledger_source *source, uint32_t directory_id, const char *name, const int64_t *mtime_us,
                      struct arena *arena, bool *known, struct error *err)
{
    *known = false;
    if (strlen(name) > NAME_SIZE_MAX) return true;
    struct key key = key_of_file(source->id, directory_id, name);
    struct slice value;
    if (!kv_get(txn, TABLE_UNSETTLED, key_slice(&key), &value, known, err)) return false;
    if (*known) return true;
    key = key_of_file(source->id, row_directory(source, directory_id), name);
    struct row row;
    bool found;
    if (!row_get(txn, &key, arena, &row, &found, err)) return false;
    if (!found) return true;
    if (source->identity == IDENTITY_PATH_AND_MTIME && !mtime_us) return true; /* Cannot be said without a look. */
    return row_covers(txn, source, &row, mtime_us ? *mtime_us : 0, arena, known, err);
}

/* --- Many names of one folder: its rows are walked once instead of being searched for name by name ------------- */

struct asked {                 /* Names by their hash, open addressing: index + 1. */
    const char *const *names;
    uint32_t *slots;
    size_t slot_mask;
    bool *known;
    size_t count, found;
};

static struct asked asked_of(const char *const *names, bool *known, size_t count, struct arena *arena)
{
    size_t slots = 64;
    while (slots < count * 2) slots *= 2;
    struct asked asked = {names, ARENA_ARRAY(arena, uint32_t, slots), slots - 1, known, count, 0};
    for (size_t i = 0; i < count; i++) {
        size_t at = hash_bytes(names[i], strlen(names[i])) & asked.slot_mask;
        while (asked.slots[at]) at = (at + 1) & asked.slot_mask;
        asked.slots[at] = (uint32_t)i + 1;
    }
    return asked;
}

static void answer(struct asked *asked, struct slice name)
{
    for (size_t at = hash_bytes(name.data, name.size) & asked->slot_mask; asked->slots[at]; at = (at + 1) & asked->slot_mask) {
        size_t i = asked->slots[at] - 1;
        if (strncmp(asked->names[i], (const char *)name.data, name.size) != 0 || asked->names[i][name.size]) continue;
        asked->found += !asked->known[i];
        asked->known[i] = true;
        return;
    }
}

/* *done: all rows of the folder were seen. A folder with many more rows than names is given up. */
static bool walk_folder(struct kv_txn *txn, enum table table, const struct key *prefix, struct asked *asked, bool *done, struct error *err)
{
    struct named_cursor *walk = named_open(txn, table, err);
    struct named_row row;
    size_t left = asked->count * 4;
    bool ok = walk && named_seek(walk, key_slice(prefix), &row, err);
    for (; ok && row.found && left > 0 && asked->found < asked->count; left--) {
        if (memcmp(row.key.data, prefix->bytes, prefix->size) != 0) break;
        struct unpack in = unpack_of(row.payload);
        if (table == TABLE_UNSETTLED || (enum row_kind)(get_unsigned(&in) & 7) != ROW_VANISHED) answer(asked, row.name);
        ok = named_next(walk, &row, err);
    }
    *done = ok && left > 0;
    named_close(walk);
    return ok;
}

/* known[] is false for all before. */
static bool known_by_walk(struct kv_txn *txn, const struct ledger_source *source, uint32_t directory_id, const char *const *names, size_t count,
                          bool *known, struct arena *arena, bool *done, struct error *err)
{
    struct key prefix = key_of_directory(source->id, directory_id);
    struct asked asked = asked_of(names, known, count, arena);
    bool unsettled_done, files_done;
    if (!walk_folder(txn, TABLE_UNSETTLED, &prefix, &asked, &unsettled_done, err) || !walk_folder(txn, TABLE_FILES, &prefix, &asked, &files_done, err)) return false;
    *done = unsettled_done && files_done;
    return true;
}

#define NAMES_FOR_A_WALK 32

static bool known_slice(struct ledger *ledger, const struct ledger_source *source, const char *directory, const char *const *names,
                        const int64_t *mtimes_us, size_t count, bool *known, struct arena *arena, struct error *err)
{
    struct kv_txn *txn = kv_read_begin(ledger->kv, err);
    if (!txn) return false;
    uint32_t id;
    bool ok = directory_find(txn, source->id, directory, &id, err);
    bool any = ok && (id != DIRECTORY_NONE || source->identity == IDENTITY_NAME), walked = false;
    memset(known, 0, count * sizeof *known);
    arena_reset(arena);
    if (any && source->identity == IDENTITY_PATH && count >= NAMES_FOR_A_WALK) ok = known_by_walk(txn, source, id, names, count, known, arena, &walked, err);
    for (size_t i = 0; any && !walked && i < count && ok; i++) {
        arena_reset(arena);
        if (!known[i]) ok = known_one(txn, source, id, names[i], mtimes_us ? &mtimes_us[i] : NULL, arena, &known[i], err);
    }
    kv_read_end(txn);
    return ok;
}

bool ledger_known(struct ledger *ledger, const struct ledger_source *source, const char *directory, const char *const *names,
                  const int64_t *mtimes_us, size_t count, bool *known, struct error *err)
{
    struct arena *arena = arena_new("ledger known");
    bool ok = true;
    for (size_t at = 0; at < count && ok; at += ROWS_PER_TRANSACTION) {
        size_t some = count - at < ROWS_PER_TRANSACTION ? count - at : ROWS_PER_TRANSACTION;
        ok = known_slice(ledger, source, directory, names + at, mtimes_us ? mtimes_us + at : NULL, some, known + at, arena, err);
    }
    arena_free(arena);
    return ok;
}

/* --- Admission ----------------------------------------------------------------------------------------------- */

/* Compares directory/name as one text, without building it. */
static int compare_paths(const struct sighting *a, const struct sighting *b)
{
    if (a->directory == b->directory || strcmp(a->directory, b->directory) == 0) return strcmp(a->name, b->name);
    size_t a_size = strlen(a->directory), b_size = strlen(b->directory);
    size_t shorter = a_size < b_size ? a_size : b_size;
    int order = memcmp(a->directory, b->directory, shorter);
    if (order) return order;
    /* One directory lies below the other, or beside it ("/a" and "/a-b"): the shorter goes on with '/'. */
    bool a_shorter = a_size < b_size;
    const char *rest = a_shorter ? b->directory + shorter : a->directory + shorter;
    if (rest[0] != '/') order = '/' - (unsigned char)rest[0];
    else {
        const char *name = a_shorter ? a->name : b->name;
        size_t rest_size = strlen(rest + 1);
        order = strncmp(name, rest + 1, rest_size);
        if (order == 0) order = (unsigned char)name[rest_size] - '/';
    }
    return a_shorter ? order : -order;
}

static int compare_admissions(const void *left, const void *right)
{
    const struct admission *a = left, *b = right;
    if (a->sighting.mtime_us != b->sighting.mtime_us) return a->sighting.mtime_us < b->sighting.mtime_us ? -1 : 1;
    return compare_paths(&a->sighting, &b->sighting);
}

/* Batches read from the end: equal times must come out in order of their paths. */
static int compare_latest_first(const void *left, const void *right)
{
    const struct admission *a = left, *b = right;
    if (a->sighting.mtime_us != b->sighting.mtime_us) return a->sighting.mtime_us < b->sighting.mtime_us ? -1 : 1;
    return -compare_paths(&a->sighting, &b->sighting);
}

struct arrival {               /* An admission on its way into the tables. */
    const struct admission *admission;
    uint32_t directory_id;     /* Of its path. */
    uint32_t row_directory_id; /* Of its row's key. */
    bool had_row;              /* A vanished file or another version stands there. */
    int64_t ordinal;
};

struct admit_job {
    const struct ledger_source *source;
    struct discovery *discovery;
    struct arena *arena;       /* For rows that are looked at; reset for each. */
    struct early_plan *early;  /* NULL: none. */
};

static int compare_arrivals(const void *left, const void *right)
{
    const struct arrival *a = left, *b = right;
    if (a->row_directory_id != b->row_directory_id) return a->row_directory_id < b->row_directory_id ? -1 : 1;
    int order = strcmp(a->admission->sighting.name, b->admission->sighting.name);
    return order ? order : (a->ordinal > b->ordinal) - (a->ordinal < b->ordinal);
}

static bool forget_unsettled(struct change *change, uint32_t source_id, uint32_t directory_id, const char *name, struct error *err)
{
    struct key key = key_of_file(source_id, directory_id, name);
    bool found;
    if (!kv_delete(change->txn, TABLE_UNSETTLED, key_slice(&key), &found, err)) return false;
    if (found) change->state.counts.files[FILE_UNSETTLED]--;
    return true;
}

static bool write_unsettled(struct change *change, const struct admit_job *job, const struct arrival *arrival, struct error *err)
{
    const struct sighting *sighting = &arrival->admission->sighting;
    struct unsettled_row row = {.first_seen_us = change->now_us};
    struct key key = key_of_file(job->source->id, arrival->directory_id, sighting->name);
    struct slice payload;
    bool found;
    if (!get_checked(change->txn, TABLE_UNSETTLED, &key, &payload, &found, err)) return false;
    if (found && !unsettled_decode(payload, job->arena, &row, err)) return false;
    row.size = sighting->size;
    row.mtime_us = sighting->mtime_us;
    row.ctime_us = sighting->ctime_us;
    row.device = sighting->device;
    row.inode = sighting->inode;
    row.check_us = arrival->admission->check_us;
    row.reason = arrival->admission->reason;
    return unsettled_put(change, job->source->id, arrival->directory_id, sighting->name, &row, err);
}

/* An older version that nobody has planned yet will never be there to be read. */
static bool drop_superseded(struct change *change, const struct admit_job *job, const struct row *row, const struct plan *open, struct error *err)
{
    if (row->ordinal < 0 || row->kind > ROW_ADMITTED_AT) return true;
    if (change->state.stage == BATCH_PLANNED && plan_holds(open, job->source->id, row->ordinal)) return true;
    int64_t files = 0, bytes = 0;
    if (!pending_remove(change, job->source->id, row->ordinal, row->ordinal + 1, &files, &bytes, err)) return false;
    change->state.counts.files[FILE_PENDING] -= files;
    change->state.counts.pending_bytes -= bytes;
    return true;
}

/* What stands in the row's place gives way: its count is taken back. */
static bool replace_row(struct change *change, const struct admit_job *job, const struct row *row, const struct plan *open, struct error *err)
{
    static const enum file_state states[] = {[ROW_FAILED] = FILE_FAILED, [ROW_SKIPPED] = FILE_SKIPPED, [ROW_VANISHED] = FILE_VANISHED};
    if (row->kind > ROW_ADMITTED_AT) change->state.counts.files[states[row->kind]]--;
    if (row->kind == ROW_FAILED && !failed_drop(change, job->source->id, row->ordinal, err)) return false;
    return drop_superseded(change, job, row, open, err);
}

/* Decides what becomes of one admission; *take: it gets a row. */
static bool look_at(struct change *change, const struct admit_job *job, struct arrival *arrival, const struct plan *open, bool *take, struct error *err)
{
    const struct admission *admission = arrival->admission;
    const struct sighting *sighting = &admission->sighting;
    *take = false;
    if (strlen(sighting->name) > NAME_SIZE_MAX) {
        return error_set(err, COND_INLET_NOT_SUPPORTED_YET, "cannot take the file '%s' in '%s': its name is over %d bytes long", sighting->name,
                         sighting->directory, NAME_SIZE_MAX);
    }
    if (!directory_make(change, job->source->id, sighting->directory, &arrival->directory_id, err)) return false;
    arrival->row_directory_id = row_directory(job->source, arrival->directory_id);
    if (admission->verdict == ADMIT_FORGET)
        return forget_unsettled(change, job->source->id, arrival->directory_id, sighting->name, err) &&
               mark_drop(change, job->source->id, arrival->directory_id, err);
    struct key key = key_of_file(job->source->id, arrival->row_directory_id, sighting->name);
    struct row row;
    bool covers = false;
    if (!row_get(change->txn, &key, job->arena, &row, &arrival->had_row, err)) return false;
    if (arrival->had_row && !row_covers(change->txn, job->source, &row, sighting->mtime_us, job->arena, &covers, err)) return false;
    if (covers) {
        job->discovery->already_known++;
        return forget_unsettled(change, job->source->id, arrival->directory_id, sighting->name, err);
    }
    if (admission->verdict == ADMIT_UNSETTLED) {
        job->discovery->unsettled++;
        return write_unsettled(change, job, arrival, err);
    }
    if (!forget_unsettled(change, job->source->id, arrival->directory_id, sighting->name, err)) return false;
    *take = true;
    return !arrival->had_row || replace_row(change, job, &row, open, err);
}

static bool take_ordinals(struct change *change, const struct admit_job *job, struct arrival *arrivals, size_t count, struct error *err)
{
    struct key key = key_of_source(job->source->id);
    struct slice payload;
    bool found;
    if (!get_checked(change->txn, TABLE_SOURCES, &key, &payload, &found, err)) return false;
    struct unpack in = found ? unpack_of(payload) : (struct unpack){NULL, NULL, false};
    int64_t next = found ? (int64_t)get_unsigned(&in) : 0;
    if (in.bad) return damaged(err, "the next ordinal of source %u cannot be read", job->source->id);
    for (size_t i = 0; i < count; i++) {
        if (arrivals[i].admission->verdict == ADMIT_PENDING) arrivals[i].ordinal = next++;
    }
    struct buffer out = {0};
    put_unsigned(&out, (uint64_t)next);
    bool ok = put_checked(change->txn, TABLE_SOURCES, &key, &out, KV_PUT_ANY, err);
    buffer_free(&out);
    return ok;
}

static bool write_pending(struct change *change, const struct admit_job *job, const struct arrival *arrivals, size_t count, struct error *err)
{
    enum { SLICE = 4096 };
    struct run_file *files = ARENA_ARRAY(change->scratch, struct run_file, SLICE);
    for (size_t i = 0; i < count;) {
        size_t filled = 0;
        for (; i < count && filled < SLICE; i++) {
            const struct sighting *sighting = &arrivals[i].admission->sighting;
            if (arrivals[i].admission->verdict != ADMIT_PENDING) continue;
            files[filled++] = (struct run_file){
                .ordinal = arrivals[i].ordinal, .directory_id = arrivals[i].directory_id, .name = sighting->name, .size = sighting->size,
                .mtime_us = sighting->mtime_us, .ctime_us = sighting->ctime_us, .admitted_us = change->now_us, .device = sighting->device,
                .inode = sighting->inode};
            job->discovery->admitted_bytes += sighting->size;
        }
        job->discovery->admitted += filled;
        if (filled && !runs_write(change, TABLE_PENDING, job->source->id, -1, files, filled, err)) return false;
    }
    change->state.counts.files[FILE_PENDING] += (int64_t)job->discovery->admitted;
    change->state.counts.pending_bytes += job->discovery->admitted_bytes;
    return true;
}

static struct row row_of_arrival(const struct change *change, const struct admit_job *job, const struct arrival *arrival)
{
    const struct sighting *sighting = &arrival->admission->sighting;
    struct row row = {.kind = ROW_ADMITTED, .ordinal = arrival->ordinal, .mtime_us = sighting->mtime_us};
    if (job->source->identity == IDENTITY_PATH_AND_MTIME) row.kind = ROW_ADMITTED_AT;
    if (arrival->admission->verdict != ADMIT_SKIPPED) return row;
    row.kind = ROW_SKIPPED;
    row.ordinal = -1;
    row.size = sighting->size;
    row.since_us = row.seen_us = change->now_us;
    row.reason = arrival->admission->reason;
    return row;
}

static bool write_rows(struct change *change, const struct admit_job *job, struct arrival *arrivals, size_t count, struct error *err)
{
    struct row_writer writer;
    bool ok = row_writer_begin(&writer, change, count, err);
    if (count) qsort(arrivals, count, sizeof *arrivals, compare_arrivals);
    for (size_t i = 0; i < count && ok; i++) {
        struct key key = key_of_file(job->source->id, arrivals[i].row_directory_id, arrivals[i].admission->sighting.name);
        struct row row = row_of_arrival(change, job, &arrivals[i]);
        ok = arrivals[i].had_row ? row_put(change, &key, &row, err) : row_add(&writer, &key, &row, err);
        if (row.kind != ROW_SKIPPED) continue;
        change->state.counts.files[FILE_SKIPPED]++;
        job->discovery->skipped++;
    }
    return ok;
}

static bool write_marks(struct change *change, const struct admit_job *job, struct error *err)
{
    for (size_t i = 0; i < job->discovery->mark_count; i++) {
        const struct directory_mark *mark = &job->discovery->marks[i];
        uint32_t id;
        if (!directory_make(change, job->source->id, mark->directory, &id, err)) return false;
        struct key key = key_of_directory(job->source->id, id);
        struct buffer payload = {0};
        put_unsigned(&payload, mark->device);
        put_unsigned(&payload, mark->inode);
        put_signed(&payload, mark->mtime_ns);
        put_signed(&payload, mark->ctime_ns);
        put_unsigned(&payload, mark->options_digest);
        bool ok = put_checked(change->txn, TABLE_MARKS, &key, &payload, KV_PUT_ANY, err);
        buffer_free(&payload);
        if (!ok) return false;
    }
    return true;
}

/* One sighting told twice (by looking and by being told) counts once. Two files of one name are two
 * under IDENTITY_NAME, as in Spark. Admissions are in order of time and path: equal ones are neighbours. */
static bool is_repeated(const struct discovery *discovery, size_t i)
{
    const struct admission *this = &discovery->admissions[i];
    return i > 0 && this->sighting.mtime_us == this[-1].sighting.mtime_us && compare_paths(&this->sighting, &this[-1].sighting) == 0;
}

/* L5: only where no batch is open. */
static bool plan_early(struct change *change, const struct admit_job *job, struct error *err)
{
    struct early_plan *early = job->early;
    struct ledger_input *files;
    size_t count;
    early->planned = false;
    if (change->state.stage != BATCH_NONE) return true;
    if (!pending_take(change->txn, &change->state, job->source, early->limits, early->arena, &files, &count, err)) return false;
    const struct plan *plan = count ? early->make(early->user, change->state.last_batch + 1, files, count) : NULL;
    early->planned = plan != NULL;
    return !plan || plan_and_prepare(change, plan, early, err);
}

static bool admit_body(struct change *change, void *user, struct error *err)
{
    struct admit_job *job = user;
    struct discovery *discovery = job->discovery;
    discovery->admitted = discovery->unsettled = discovery->skipped = discovery->already_known = 0;
    discovery->admitted_bytes = 0;
    struct open_record open = {.stage = BATCH_NONE};
    if (change->state.stage == BATCH_PLANNED && !open_record_load(change->txn, &change->state, change->scratch, &open, err)) return false;
    struct arrival *arrivals = ARENA_ARRAY(change->scratch, struct arrival, discovery->count + 1);
    size_t count = 0;
    for (size_t i = 0; i < discovery->count; i++) {
        bool take = false;
        arena_reset(job->arena);
        arrivals[count] = (struct arrival){.admission = &discovery->admissions[i], .ordinal = -1};
        if (is_repeated(discovery, i)) continue;
        if (!look_at(change, job, &arrivals[count], &open.plan, &take, err)) return false;
        if (take) count++;
    }
    if (!take_ordinals(change, job, arrivals, count, err)) return false;
    if (!write_pending(change, job, arrivals, count, err) || !write_rows(change, job, arrivals, count, err)) return false;
    return write_marks(change, job, err) && settings_put(change, discovery->notes, discovery->note_count, err) &&
           (!job->early || !discovery->admitted || plan_early(change, job, err));
}

bool ledger_admit(struct ledger *ledger, const struct ledger_source *source, struct discovery *discovery, struct error *err)
{
    return ledger_admit_and_plan(ledger, source, discovery, NULL, err);
}

bool ledger_admit_and_plan(struct ledger *ledger, const struct ledger_source *source, struct discovery *discovery, struct early_plan *early,
                           struct error *err)
{
    discovery->admitted = discovery->unsettled = discovery->skipped = discovery->already_known = 0;
    discovery->admitted_bytes = 0;
    if (early) early->planned = false;
    if (discovery->count + discovery->mark_count + discovery->note_count == 0) return true;
    if (discovery->count) {
        qsort(discovery->admissions, discovery->count, sizeof *discovery->admissions,
              source->latest_first ? compare_latest_first : compare_admissions);
    }
    struct admit_job job = {source, discovery, arena_new("ledger admission"), early};
    bool ok = ledger_change(ledger, admit_body, &job, err);
    arena_free(job.arena);
    if (early && !ok) early->planned = false; /* The body may have come to its end. */
    return ok;
}

bool ledger_next_ordinal(struct ledger *ledger, uint32_t source_id, int64_t *ordinal, struct error *err)
{
    struct kv_txn *txn = kv_read_begin(ledger->kv, err);
    if (!txn) return false;
    struct key key = key_of_source(source_id);
    struct slice payload;
    bool found;
    bool ok = get_checked(txn, TABLE_SOURCES, &key, &payload, &found, err);
    struct unpack in = ok && found ? unpack_of(payload) : (struct unpack){NULL, NULL, false};
    *ordinal = ok && found ? (int64_t)get_unsigned(&in) : 0;
    kv_read_end(txn);
    return ok;
}

/* --- Unsettled files ---------------------------------------------------------------------------------------- */

static bool unsettled_of_row(struct kv_txn *txn, const struct named_row *row, struct directory_cache *cache, struct unsettled_file *out, struct error *err)
{
    struct unsettled_row entry;
    if (!unsettled_decode(row->payload, cache->arena, &entry, err)) return false;
    *out = (struct unsettled_file){.first_seen_us = entry.first_seen_us, .check_us = entry.check_us, .reason = entry.reason};
    out->sighting = (struct sighting){.size = entry.size, .mtime_us = entry.mtime_us, .ctime_us = entry.ctime_us, .device = entry.device, .inode = entry.inode};
    out->sighting.name = arena_strndup(cache->arena, (const char *)row->name.data, row->name.size);
    return directory_cached(cache, txn, (uint32_t)key_read(row->key, 2, 4), &out->sighting.directory, err);
}

static bool unsettled_page(struct kv_txn *txn, uint32_t source_id, const struct unsettled_file *after, size_t count_max, struct arena *arena,
                           struct unsettled_file *files, size_t *count, struct error *err)
{
    struct key start = key_of_source(source_id);
    uint32_t id = DIRECTORY_NONE;
    if (after && !directory_find(txn, source_id, after->sighting.directory, &id, err)) return false;
    if (after) start = key_of_file(source_id, id, after->sighting.name);
    struct directory_cache cache = {.arena = arena};
    struct named_cursor *walk = named_open(txn, TABLE_UNSETTLED, err);
    struct named_row row = {.found = false};
    bool ok = walk && named_seek(walk, key_slice(&start), &row, err);
    if (ok && after && row.found && slice_equal(row.key, key_slice(&start))) ok = named_next(walk, &row, err);
    while (ok && row.found && *count < count_max && key_read(row.key, 0, 2) == source_id) {
        ok = unsettled_of_row(txn, &row, &cache, &files[*count], err);
        if (!ok) break;
        (*count)++;
        ok = named_next(walk, &row, err);
    }
    named_close(walk);
    return ok;
}

bool ledger_unsettled(struct ledger *ledger, uint32_t source_id, const struct unsettled_file *after, size_t count_max, struct arena *arena,
                      struct unsettled_file **files, size_t *count, struct error *err)
{
    *count = 0;
    struct kv_txn *txn = kv_read_begin(ledger->kv, err);
    if (!txn) return false;
    int64_t rows;
    bool ok = kv_count(txn, TABLE_UNSETTLED, &rows, err);
    if (ok && (size_t)rows < count_max) count_max = (size_t)rows;
    if (count_max > ROWS_PER_TRANSACTION) count_max = ROWS_PER_TRANSACTION;
    *files = ARENA_ARRAY(arena, struct unsettled_file, count_max + 1);
    ok = ok && unsettled_page(txn, source_id, after, count_max, arena, *files, count, err);
    kv_read_end(txn);
    return ok;
}

/* --- Marks ---------------------------------------------------------------------------------------------------- */

bool ledger_mark_get(struct ledger *ledger, uint32_t source_id, const char *directory, struct directory_mark *out, bool *found, struct error *err)
{
    *found = false;
    struct kv_txn *txn = kv_read_begin(ledger->kv, err);
    if (!txn) return false;
    uint32_t id;
    bool ok = directory_find(txn, source_id, directory, &id, err);
    struct slice payload;
    if (ok && id != DIRECTORY_NONE) {
        struct key key = key_of_directory(source_id, id);
        ok = get_checked(txn, TABLE_MARKS, &key, &payload, found, err);
    }
    if (ok && *found) {
        struct unpack in = unpack_of(payload);
        *out = (struct directory_mark){.directory = directory, .device = get_unsigned(&in)};
        out->inode = get_unsigned(&in);
        out->mtime_ns = get_signed(&in);
        out->ctime_ns = get_signed(&in);
        out->options_digest = get_unsigned(&in);
        if (in.bad) ok = damaged(err, "a directory's mark cannot be read");
    }
    kv_read_end(txn);
    return ok;
}

static bool marks_clear_body(struct change *change, void *user, struct error *err)
{
    uint32_t source_id = *(const uint32_t *)user;
    struct key start = key_of_source(source_id);
    for (;;) {
        struct kv_cursor *cursor = kv_cursor_open(change->txn, TABLE_MARKS, err);
        struct kv_row row = {.found = false};
        bool ok = cursor && kv_seek(cursor, key_slice(&start), &row, err);
        bool more = ok && row.found && key_read(row.key, 0, 2) == source_id;
        struct key key = {.size = 0};
        if (more) memcpy(key.bytes, row.key.data, key.size = row.key.size);
        kv_cursor_close(cursor);
        if (!more) return ok;
        if (!kv_delete(change->txn, TABLE_MARKS, key_slice(&key), NULL, err)) return false;
    }
}

bool ledger_marks_clear(struct ledger *ledger, uint32_t source_id, struct error *err)
{
    return ledger_change(ledger, marks_clear_body, &source_id, err);
}
