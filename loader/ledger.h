/* ledger -- what is known of every file and every batch: the memory that makes "exactly once" true.
 *
 * An LMDB environment in <checkpoint>/ledger, beside `metadata` ({"id":"<uuid>"}, as Spark writes it) and
 * inlet.lock. Files are numbered when they are admitted (ordinals, per source, consecutive); a batch is a
 * short list of ordinal ranges; pending, planned and committed are derived from where an ordinal stands.
 *
 *   files      (source, directory, name) -> ordinal, written once; rewritten only for exceptions
 *   recent     the newest rows of files, until ledger_merge moves them there; the two are read as one
 *   pending    (source, first ordinal)   -> packed run of files that no batch has finished yet
 *   done       (source, first ordinal)   -> packed run of files with their outcomes; header: batch id
 *   unsettled  (source, directory, name) -> files that somebody may still be writing
 *   batches    batch id -> what was planned and committed, compact;  open: plan and manifest of the open one
 *   directories, marks, cleaned, settings, progress
 *
 * Invariants, asserted by number:
 *   L1 a file is in exactly one state: unsettled, pending, in batch N, failed, skipped, vanished.
 *   L2 plan(N) is durable before a byte of N is read, or with prepared(N), whose sink leaves nothing behind without it;
 *      prepared(N) before anything of N is visible; commit(N) before any cleaning of N and before plan(N+1) takes effect.
 *   L5 batch ids are consecutive; at most one batch is open.
 *   L6 per file: records framed = good + bad; nothing dropped that was not framed. Checked before prepared(N).
 *   L7 nothing is forgotten: no function removes a file's row, except back to unsettled.
 *   L8 no step's cost grows with the number of files, save a listing's own look-ups.
 *   L9 directory marks: see struct directory_mark.
 *   L10 a row stands in `files` or in `recent`, never in both.
 * (L3 and L4 bind the sink and the state store; the ledger keeps what they need.)
 *
 * Threads: functions that write, and ledger_known, belong to the stream's coordinator. Functions that
 * read may be called from any thread at any time, also beside the owner from another process; each opens
 * read transactions that last at most 10,000 rows or 100 ms and closes them before it returns. One process
 * opens a checkpoint once: a status page reads through the owner's handle.
 * Every write function is one durable transaction: when it returns true the change is on disk; when it
 * returns false nothing of it is, unless the error says that the ledger has to be opened again. */
#pragma once
#include "base/arena.h"
#include "base/bytes.h"
#include "base/context.h"
#include "base/error.h"
#include "base/uuid.h"
#include "listing/sighting.h"
#include "sources/source.h"

struct ledger;

/* --- Opening ---------------------------------------------------------------------------------------- */

struct ledger_owner {
    bool running;              /* Somebody holds the lock now. */
    int64_t pid;               /* 0 where unknown. */
    int64_t start_us;          /* When the owner opened the checkpoint. */
    char host[256];
};

/* Opens for writing; creates the checkpoint if there is none. INLET_CHECKPOINT_OWNED names pid and start time,
 * INLET_CHECKPOINT_OF_SPARK, INLET_CHECKPOINT_DAMAGED (metadata without ledger, ids that differ, bad pages),
 * INLET_CHECKPOINT_NEWER. The context is borrowed (clock, log) and outlives the ledger. A child process
 * that was forked without exec would keep the lock. */
struct ledger *ledger_open(const char *checkpoint, const struct inlet_context *context, struct error *err) MUST_CHECK;
/* Opens for reading, beside an owner or without one. No ledger: INLET_NOT_FOUND. */
struct ledger *ledger_open_read(const char *checkpoint, const struct inlet_context *context, struct error *err) MUST_CHECK;
void ledger_close(struct ledger *ledger); /* NULL is allowed. */
bool ledger_exists(const char *checkpoint); /* metadata or a ledger stands there. */
/* Who holds the checkpoint; false only when the lock file cannot be read. No file: not running. */
bool ledger_owner(const char *checkpoint, struct ledger_owner *out, struct error *err) MUST_CHECK;
const char *ledger_query_id(const struct ledger *ledger);
bool ledger_is_new(const struct ledger *ledger); /* This open created it. */
int64_t ledger_created_us(const struct ledger *ledger);

/* --- Settings: facts of identity, notes -------------------------------------------------------------- */

struct ledger_setting {
    const char *name;          /* "sink.path", "source.0.path", "listing.last_full_us", ... at most 400 bytes. */
    const char *value;         /* NULL deletes. */
};

/* *value is NULL where the setting does not exist. */
bool ledger_setting_get(struct ledger *ledger, struct arena *arena, const char *name, const char **value, struct error *err) MUST_CHECK;
bool ledger_setting_int(struct ledger *ledger, const char *name, int64_t otherwise, int64_t *value, struct error *err) MUST_CHECK;
bool ledger_setting_set(struct ledger *ledger, const struct ledger_setting *settings, size_t count, struct error *err) MUST_CHECK;
/* Stores the facts that are not there yet; one that differs is INLET_CHECKPOINT_MISMATCH, which names it, what was and what is. */
bool ledger_facts_check(struct ledger *ledger, const struct ledger_setting *facts, size_t count, struct error *err) MUST_CHECK;

/* --- Discovery ---------------------------------------------------------------------------------------- */

enum file_identity {
    IDENTITY_PATH,             /* Once per path. */
    IDENTITY_PATH_AND_MTIME,   /* allowOverwrites: once per path and modification time. */
    IDENTITY_NAME              /* fileNameOnly: once per base name (files of one admission are all taken, as in Spark). */
};

struct ledger_source {
    uint32_t id;               /* Below 65,536. */
    enum file_identity identity;
    bool latest_first;         /* Batches take the newest pending first. */
};

/* known[i]: names[i] of the directory needs no look: it has a row (vanished ones do not count), or stands among
 * the unsettled, which discovery looks at anyway. mtimes_us: needed for IDENTITY_PATH_AND_MTIME, else NULL;
 * with it a name is known only if that version is. */
bool ledger_known(struct ledger *ledger, const struct ledger_source *source, const char *directory,
                  const char *const *names, const int64_t *mtimes_us, size_t count, bool *known, struct error *err) MUST_CHECK;

enum admission_verdict {
    ADMIT_PENDING,             /* Gets an ordinal. */
    ADMIT_UNSETTLED,           /* Somebody may still be writing it: kept with the time it was first seen so. */
    ADMIT_SKIPPED,             /* Refused by rule for good (maxFileAge, modifiedAfter, includeExistingFiles=false): kept with reason. */
    ADMIT_FORGET               /* An unsettled one that has gone: its entry is dropped. */
};

struct admission {
    struct sighting sighting;
    enum admission_verdict verdict;
    int64_t check_us;          /* UNSETTLED: when it is worth another look. */
    const char *reason;        /* UNSETTLED, SKIPPED: why, one sentence. Borrowed. */
};

/* L9: the directory's every admissible name has a row, and nothing has changed since. Device, inode, mtime and ctime were
 * taken before the scan, found unchanged after it, and at least 2 s old. */
struct directory_mark {
    const char *directory;
    uint64_t device, inode;
    int64_t mtime_ns, ctime_ns;
    uint64_t options_digest;   /* Of the discovery options; another digest makes the mark void. */
};

/* What one discovery cycle (or one slice of a large one) leaves behind, in one transaction. Nothing in it: no transaction. */
struct discovery {
    struct admission *admissions; /* Any order; sorted in place. Those with rows already are passed over (same identity). */
    size_t count;
    const struct directory_mark *marks;
    size_t mark_count;
    const struct ledger_setting *notes;
    size_t note_count;
    /* Filled: */
    size_t admitted, unsettled, skipped, already_known;
    int64_t admitted_bytes;
};

/* New files get consecutive ordinals in order of (mtime, path), so that pending is read in the right order. */
bool ledger_admit(struct ledger *ledger, const struct ledger_source *source, struct discovery *discovery, struct error *err) MUST_CHECK;

struct take_limits;
struct ledger_input;
struct plan;
struct prepared;
/* A plan in the transaction that admits its files, and prepared in it too: all of it is durable, or nothing is. Both calls may come
 * more than once, and must not write to the ledger. */
struct early_plan {
    const struct take_limits *limits;
    /* Is given what ledger_take would give now, in the arena; NULL: no plan yet. */
    const struct plan *(*make)(void *user, int64_t batch_id, struct ledger_input *files, size_t count);
    /* Runs the batch of that plan; NULL: it is run later, by the plan that is durable then. What it gives lives until the transaction ends. */
    const struct prepared *(*run)(void *user);
    void *user;
    struct arena *arena;
    bool planned;              /* Filled: plan(batch_id) is durable. */
};
/* The same, and then plans what is pending, if no batch is open and anything was admitted. `early` NULL: only admits. */
bool ledger_admit_and_plan(struct ledger *ledger, const struct ledger_source *source, struct discovery *discovery, struct early_plan *early,
                           struct error *err) MUST_CHECK;

/* Where there are more recent rows than their bound, moves some to `files`: slice by slice, each a transaction of its own. Mostly there is
 * nothing to do. To be called between batches. */
bool ledger_merge(struct ledger *ledger, struct error *err) MUST_CHECK;

struct unsettled_file {
    struct sighting sighting;  /* As last seen. */
    int64_t first_seen_us, check_us;
    const char *reason;
};
/* Unsettled files in key order, behind *after (NULL: from the start), at most count_max; small by nature. */
bool ledger_unsettled(struct ledger *ledger, uint32_t source_id, const struct unsettled_file *after, size_t count_max,
                      struct arena *arena, struct unsettled_file **files, size_t *count, struct error *err) MUST_CHECK;

bool ledger_mark_get(struct ledger *ledger, uint32_t source_id, const char *directory, struct directory_mark *out, bool *found,
                     struct error *err) MUST_CHECK;
/* All marks of a source are void (a full pass is wanted). */
bool ledger_marks_clear(struct ledger *ledger, uint32_t source_id, struct error *err) MUST_CHECK;

/* --- Batches ------------------------------------------------------------------------------------------ */

/* One pending or planned file. Text lives in the caller's arena; `directory` is shared between files of one directory. */
struct ledger_input {
    uint32_t source_id;
    int64_t ordinal;
    const char *directory, *name;
    int64_t size, mtime_us, ctime_us;
    uint64_t device, inode;
    int64_t admitted_us;
};

struct take_limits {
    int64_t files_max;         /* 0: no limit. */
    int64_t bytes_max;         /* 0: no limit. */
    bool bytes_cross;          /* Auto Loader: the file that crosses bytes_max is still taken; Spark: it is not, except as the first. */
    int64_t ordinal_end;       /* Only ordinals below it (what was there when an availableNow run began); 0: no limit. */
};

/* The next pending files in the source's order; at least one if there is one. Files of the open batch are not pending. */
bool ledger_take(struct ledger *ledger, const struct ledger_source *source, const struct take_limits *limits, struct arena *arena,
                 struct ledger_input **files, size_t *count, struct error *err) MUST_CHECK;
/* The ordinal that the next admitted file will get. */
bool ledger_next_ordinal(struct ledger *ledger, uint32_t source_id, int64_t *ordinal, struct error *err) MUST_CHECK;

struct plan_piece {            /* A part of one of the plan's files. */
    uint32_t file_index;       /* Into open_batch.files: the files of the ranges, without the removed, range by range. */
    int64_t start, end;        /* Bytes; end -1: to the end. */
};

struct plan_task {
    struct plan_piece *pieces;
    size_t count;
};

#define WATERMARK_NONE INT64_MIN

struct plan {
    int64_t batch_id;
    struct source_range *ranges; /* Of ordinals. Every ordinal in them was taken, or is gone or in `removed`. */
    size_t range_count;
    struct source_ordinal { uint32_t source_id; int64_t ordinal; } *removed; /* Taken out by replan; kept by the ledger itself. */
    size_t removed_count;
    struct plan_task *tasks;
    size_t task_count;
    int64_t batch_time_us;
    int64_t watermark_late_us, watermark_evict_us; /* WATERMARK_NONE: none. */
    const char *settings;        /* Effective settings as text (JSON). */
    const char *pipeline_digest, *plan_digest;
    const char *limits;          /* What decided the batch's size, as text, for `inlet plan` and history; may be "". */
};

/* Ranges of the files as taken (any order within a source; consecutive ordinals are joined). In the arena. */
struct source_range *plan_ranges(struct arena *arena, const struct ledger_input *files, size_t count, uint32_t schema_version, size_t *range_count);

enum batch_stage { BATCH_NONE, BATCH_PLANNED, BATCH_PREPARED };

struct open_batch {
    enum batch_stage stage;
    struct plan plan;
    struct ledger_input *files;  /* PLANNED: in range order, by ordinal within a range. NULL when prepared: the inputs are never read again. */
    size_t file_count;
    struct slice manifest;       /* PREPARED. */
    uint64_t state_version;
    int64_t rows, records_bad, records_dropped, bytes, prepared_us;
};

/* The open batch, for recovery and for whoever runs it. BATCH_NONE: only `stage` is filled. */
bool ledger_open_batch(struct ledger *ledger, struct arena *arena, struct open_batch *out, struct error *err) MUST_CHECK;
/* Id of the last committed batch; -1: none. */
bool ledger_last_committed(struct ledger *ledger, int64_t *batch_id, struct error *err) MUST_CHECK;

/* plan(N). L5: N is last committed + 1 and no batch is open. plan->removed must be empty. */
bool ledger_plan(struct ledger *ledger, const struct plan *plan, struct error *err) MUST_CHECK;
/* The same, and prepared(N) in the same transaction, if early->run gives it; the other members are not looked at. */
bool ledger_plan_and_prepare(struct ledger *ledger, const struct plan *plan, const struct early_plan *early, struct error *err) MUST_CHECK;

enum removal_kind {
    REMOVE_UNSETTLED,          /* Changed while it was read: back to unsettled. */
    REMOVE_FAILED,             /* With its reason; visible, never cleaned. */
    REMOVE_SKIPPED,            /* ignoreMissingFiles and the like. */
    REMOVE_VANISHED            /* Not there any more; taken again should it come back. */
};

/* A file when it could not be read: what must differ before it is worth another try. */
struct failed_look {
    int64_t size, mtime_us, ctime_us; /* ctime_us 0: it could not even be looked at. */
    uint64_t device, inode;
    bool could_open;
};

struct removal {
    uint32_t source_id;
    int64_t ordinal;
    enum removal_kind kind;
    const char *reason;
    struct failed_look look;   /* FAILED: */
};

/* Takes files out of the open plan; `plan` is the whole new text of plan(N) (ranges as they were; new tasks, whose file_index
 * counts without all removed files; new digest). plan->removed is ignored: the ledger adds the removals to what it has. */
bool ledger_replan(struct ledger *ledger, const struct plan *plan, const struct removal *removals, size_t count, struct error *err) MUST_CHECK;
/* Gives plan(N) up before it is prepared (nothing is left in it, or it must be cut anew): what is still in it is pending again. */
bool ledger_unplan(struct ledger *ledger, int64_t batch_id, struct error *err) MUST_CHECK;

enum outcome_state {
    OUTCOME_INGESTED,
    OUTCOME_EMPTY,             /* Zero bytes. */
    OUTCOME_CORRUPT            /* ignoreCorruptFiles: damaged, what came before the damage was kept. */
};

struct file_outcome {
    uint32_t source_id;
    int64_t ordinal;
    enum outcome_state state;
    int64_t rows, records_framed, records_bad, records_dropped, records_surplus;
    int64_t bytes;
    const char *note;          /* Damage text, or NULL. */
};

struct prepared {
    int64_t batch_id;
    struct slice manifest;     /* The sink's; opaque here. */
    const struct file_outcome *outcomes; /* One for every file of the plan, in the order of open_batch.files. */
    size_t outcome_count;
    uint64_t state_version;
    int64_t rows_out;          /* Rows in the manifest. */
    int64_t bytes_out;
};

bool ledger_prepare(struct ledger *ledger, const struct prepared *prepared, struct error *err) MUST_CHECK;
/* commit(N), and plan(N+1) in the same transaction when next is not NULL; notes too, and the batch's progress text (StreamingQueryProgress
 * JSON), of which the last 100 are kept; NULL: none. */
bool ledger_commit(struct ledger *ledger, int64_t batch_id, const struct plan *next, const struct ledger_setting *notes, size_t note_count,
                   const char *progress, struct error *err) MUST_CHECK;

/* --- Failed files ---------------------------------------------------------------------------------------- */

struct failed_file {
    uint32_t source_id;
    int64_t ordinal;
    const char *directory, *name; /* directory NULL: not known (fileNameOnly, failed under an older version). */
    struct failed_look look;
};
/* Failed files behind the ordinal `after` (-1: from the first), at most count_max; small by nature, whatever the number of files. */
bool ledger_failed(struct ledger *ledger, uint32_t source_id, int64_t after, size_t count_max, struct arena *arena, struct failed_file **files,
                   size_t *count, struct error *err) MUST_CHECK;
/* Files that failed under an older version become known to ledger_failed: once a walk over all files, then nothing. */
bool ledger_failed_complete(struct ledger *ledger, struct error *err) MUST_CHECK;

struct retake {
    uint32_t source_id;
    int64_t ordinal;
    bool gone;                 /* It is not there any more: vanished, with the reason it failed for. */
};
#define RETAKE_REASON "it could not be read before, and is tried again"
/* Lets failed files in again: they are unsettled, discovery's next look decides; admitted they get a new ordinal. */
bool ledger_retake(struct ledger *ledger, const struct retake *retakes, size_t count, struct error *err) MUST_CHECK;

/* --- Cleaning ------------------------------------------------------------------------------------------ */

/* Committed batches are cleaned in order; the ledger keeps one position: (batch, index of its next file). */
struct cleaning {
    bool found;                /* There is a committed batch that is not cleaned. */
    int64_t batch_id, commit_us;
    size_t index;              /* Files of the batch that are done with. */
    struct ledger_input *files; /* The next ones, from `index`, at most count_max. */
    size_t file_count;         /* 0: the batch has no more; report it with ledger_cleaned, count 0. */
};

enum clean_result {
    CLEAN_DONE,                /* Moved to `target`, or deleted (target NULL). */
    CLEAN_KEPT,                /* Left alone for good, with its reason (it changed after it was read). */
    CLEAN_GONE,                /* It was not there. */
    CLEAN_RETRY                /* Could not be; tried again later. */
};

struct cleaned_file {
    enum clean_result result;
    const char *target;        /* Where it went. */
    const char *reason;        /* KEPT, RETRY. */
};

bool ledger_cleaning(struct ledger *ledger, size_t count_max, struct arena *arena, struct cleaning *out, struct error *err) MUST_CHECK;
/* Results for the next `count` files of the batch as ledger_cleaning gave them; `last`: the batch is done. `archive_base`: files whose target is
 * archive_base + path (or, with path_base, archive_base + "/" + path relative to path_base) need no row of their own; NULL for deletion. */
bool ledger_cleaned(struct ledger *ledger, int64_t batch_id, const struct cleaned_file *results, size_t count, bool last,
                    const char *archive_base, const char *path_base, struct error *err) MUST_CHECK;
/* Nothing up to and including the last committed batch is to be cleaned (cleaning was off until now). */
bool ledger_cleaning_skip(struct ledger *ledger, struct error *err) MUST_CHECK;
/* Files whose cleaning is to be tried again, behind *after (NULL: from the first); result them one by one. */
bool ledger_cleaning_retries(struct ledger *ledger, const struct ledger_input *after, size_t count_max, struct arena *arena, struct ledger_input **files, size_t *count,
                             struct error *err) MUST_CHECK;
bool ledger_cleaned_retry(struct ledger *ledger, uint32_t source_id, int64_t ordinal, const struct cleaned_file *result, struct error *err) MUST_CHECK;

/* --- Questions ------------------------------------------------------------------------------------------ */

enum file_state {
    FILE_UNKNOWN, FILE_UNSETTLED, FILE_PENDING, FILE_PLANNED, FILE_PREPARED, FILE_COMMITTED, FILE_FAILED, FILE_SKIPPED, FILE_VANISHED,
    FILE_STATE_COUNT
};
const char *file_state_name(enum file_state state); /* "pending", "committed", ... */

struct ledger_file {
    uint32_t source_id;
    const char *directory, *name;
    enum file_state state;
    int64_t ordinal;           /* -1: never admitted. */
    int64_t batch_id;          /* -1: in none. */
    int64_t size, mtime_us;    /* As admitted; -1 where not known. */
    int64_t seen_us;           /* Admitted, or first seen. */
    int64_t planned_us, committed_us; /* 0: not yet. */
    int64_t changed_us;        /* FAILED, SKIPPED, VANISHED: since when. */
    enum outcome_state outcome; /* PREPARED, COMMITTED: */
    int64_t rows, records_framed, records_bad, records_dropped, records_surplus, bytes;
    const char *reason;        /* Or NULL. */
    bool cleaned;              /* Moved or deleted. */
    enum clean_result clean_result; /* Where clean_us is not 0. */
    int64_t clean_us;
    const char *clean_target;  /* Where it was moved, or NULL. */
    const char *clean_reason;
};

/* One file by path (IDENTITY_NAME: pass the identity of the source). FILE_UNKNOWN: the ledger has never seen it. */
bool ledger_find(struct ledger *ledger, const struct ledger_source *source, const char *directory, const char *name, struct arena *arena,
                 struct ledger_file *out, struct error *err) MUST_CHECK;

struct ledger_filter {
    uint32_t states;           /* Mask of 1 << file_state; 0: all. */
    int64_t batch_id;          /* -1: all. */
    const char *prefix;        /* Of the path; NULL: all. */
};

struct ledger_scan;            /* A walk over files, directory by directory, in bounded memory and short transactions. */
struct ledger_scan *ledger_scan_new(struct ledger *ledger, const struct ledger_filter *filter);
/* *file is valid until the next call; *end true: no more. */
bool ledger_scan_next(struct ledger_scan *scan, const struct ledger_file **file, bool *end, struct error *err) MUST_CHECK;
void ledger_scan_free(struct ledger_scan *scan);

struct ledger_batch {
    int64_t batch_id;
    enum batch_stage stage;    /* BATCH_NONE: committed. */
    int64_t files, rows, rows_out, records_bad, records_dropped, bytes, bytes_out;
    int64_t planned_us, prepared_us, committed_us; /* Wall clock. */
    int64_t batch_time_us, watermark_late_us, watermark_evict_us;
    uint64_t state_version;
    const char *plan_digest, *pipeline_digest, *limits;
    struct source_range *ranges;
    size_t range_count;
    int64_t cleaned_files;     /* Files done with by the cleaner. */
    int64_t cleaned_us;
};
/* Batches first, first + 1, ... (or downwards from `first`; first -1: from the newest), the open one too. */
bool ledger_batches(struct ledger *ledger, int64_t first, bool newest_first, size_t count_max, struct arena *arena, struct ledger_batch **batches,
                    size_t *count, struct error *err) MUST_CHECK;

struct ledger_counts {
    int64_t files[FILE_STATE_COUNT]; /* By state. */
    int64_t pending_bytes;     /* Of files that are pending or in an open, unprepared batch. */
    int64_t rows, rows_out, bytes, bytes_out, records_bad, records_dropped; /* Of committed batches. */
    int64_t batches;           /* Committed. */
    int64_t cleaned;           /* Files moved or deleted. */
    int64_t last_batch_id;     /* Committed; -1: none. */
    int64_t last_commit_us;    /* 0: none. */
};
bool ledger_counts(struct ledger *ledger, struct ledger_counts *out, struct error *err) MUST_CHECK; /* O(1). */

/* The last 100 progress texts, oldest first. */
bool ledger_progress_list(struct ledger *ledger, struct arena *arena, const char ***texts, size_t *count, struct error *err) MUST_CHECK;

/* Walks the whole ledger and checks every value and counter (`inlet fsck`, tests). */
bool ledger_verify(struct ledger *ledger, struct error *err) MUST_CHECK;
