/* ledger_inner -- what the files of the ledger share with each other and with nobody else.
 *
 * Tables, the state record (counters and positions, rewritten by every change), the shape of a change, and the
 * packed runs in which pending and finished files are kept. */
#pragma once
#include "base/kv.h"
#include "loader/ledger.h"
#include "loader/ledger_codec.h"

/* A ledger of a higher number is refused. 2: new rows of files stand in TABLE_RECENT, where an older program would not find them. */
#define LEDGER_FORMAT 2
#define NAME_SIZE_MAX 480      /* LMDB keys end at 511 bytes. */

enum table {
    TABLE_STATE,               /* "format", "state", "merged". */
    TABLE_SETTINGS,            /* name -> text. */
    TABLE_SOURCES,             /* u16 source -> next ordinal. */
    TABLE_DIRECTORIES,         /* u16 source, u64 hash, u8 probe -> id, path. */
    TABLE_DIRECTORY_NAMES,     /* u32 id -> source, path. */
    TABLE_FILES,               /* u16 source, u32 directory, name -> row. */
    TABLE_PENDING,             /* u16 source, u64 first ordinal -> run. */
    TABLE_DONE,                /* The same, with outcomes. */
    TABLE_UNSETTLED,           /* As files. */
    TABLE_MARKS,               /* u16 source, u32 directory. */
    TABLE_BATCHES,             /* u64 batch id -> compact record. */
    TABLE_OPEN,                /* "plan", "prepared". */
    TABLE_CLEANED,             /* u16 source, u64 ordinal -> what the cleaner did otherwise than by rule. */
    TABLE_RETRIES,             /* The same keys: cleaning to be tried again. */
    TABLE_PROGRESS,            /* u64 number -> JSON. */
    TABLE_RECENT,              /* As files: rows that are not there yet. From format 2 on. */
    TABLE_COUNT
};

extern const char *const ledger_tables[TABLE_COUNT];

struct recent_bounds {         /* Of TABLE_RECENT, in rows. */
    int64_t rows;              /* More of them are merged into TABLE_FILES... */
    int64_t slice;             /* ...so many in one transaction. */
    int64_t straight;          /* An admission of so many goes straight to TABLE_FILES. */
};
#define RECENT_ROWS 16384
struct recent_bounds recent_bounds_of(int64_t rows);

struct ledger {
    struct kv *kv;
    const struct inlet_context *context;
    char *checkpoint;
    int lock_fd;               /* -1: opened for reading. */
    char query_id[UUID_TEXT_SIZE];
    int64_t created_us;
    bool is_new;
    bool cleaning_off;         /* Commits move the cleaning position along. */
    struct recent_bounds recent;
};

/* One record, read at the start of a change and written at its end. */
struct ledger_state {
    char query_id[UUID_TEXT_SIZE];
    int64_t created_us;
    int64_t last_batch;        /* Committed; -1: none. */
    enum batch_stage stage;    /* Of batch last_batch + 1. */
    uint32_t next_directory;
    int64_t next_progress;
    int64_t cleaning_batch;    /* Batches below are done with. */
    uint32_t cleaning_source;  /* In that batch, files below (source, ordinal) are done with. */
    int64_t cleaning_ordinal;
    struct ledger_counts counts;
};

bool state_load(struct kv_txn *txn, struct ledger_state *state, struct error *err) MUST_CHECK;
bool state_store(struct kv_txn *txn, const struct ledger_state *state, struct error *err) MUST_CHECK;

/* A write transaction in progress. May be run more than once (base/kv.h): `user` must not be used up by it. */
struct change {
    struct ledger *ledger;
    struct kv_txn *txn;
    struct arena *scratch;     /* Reset before each run. */
    struct ledger_state state;
    int64_t now_us;
};
typedef bool (*change_fn)(struct change *change, void *user, struct error *err);
bool ledger_change(struct ledger *ledger, change_fn body, void *user, struct error *err) MUST_CHECK;
bool settings_put(struct change *change, const struct ledger_setting *settings, size_t count, struct error *err) MUST_CHECK;

/* --- Keys and directories (ledger_rows.c) ---------------------------------------------------------- */

struct key key_of_source(uint32_t source_id);
struct key key_of_ordinal(uint32_t source_id, int64_t ordinal);
struct key key_of_number(uint64_t number);
struct key key_of_text(const char *text);
struct key key_of_directory(uint32_t source_id, uint32_t directory_id);
struct key key_of_file(uint32_t source_id, uint32_t directory_id, const char *name);

#define DIRECTORY_NONE 0u      /* Also the directory of IDENTITY_NAME rows. */
/* *id is DIRECTORY_NONE where the path has none; with `change` one is made. */
bool directory_find(struct kv_txn *txn, uint32_t source_id, const char *path, uint32_t *id, struct error *err) MUST_CHECK;
bool directory_make(struct change *change, uint32_t source_id, const char *path, uint32_t *id, struct error *err) MUST_CHECK;
bool directory_path(struct kv_txn *txn, uint32_t id, struct arena *arena, const char **path, struct error *err) MUST_CHECK;

/* Paths of directories met so far, so that the files of one share the text. */
struct directory_cache {
    struct arena *arena;
    struct directory_slot { uint32_t id; const char *path; } *slots;
    size_t count, capacity;
};
bool directory_cached(struct directory_cache *cache, struct kv_txn *txn, uint32_t id, const char **path, struct error *err) MUST_CHECK;

/* --- Rows of files (ledger_files.c) ----------------------------------------------------------------- */

enum row_kind { ROW_ADMITTED, ROW_ADMITTED_AT, ROW_FAILED, ROW_SKIPPED, ROW_VANISHED };

struct row {
    enum row_kind kind;
    int64_t ordinal;           /* -1: never admitted. */
    int64_t mtime_us;          /* All but ROW_ADMITTED. */
    int64_t size, since_us, seen_us; /* FAILED, SKIPPED, VANISHED. */
    const char *reason;        /* The same; in the arena. */
};

bool row_get(struct kv_txn *txn, const struct key *key, struct arena *arena, struct row *row, bool *found, struct error *err) MUST_CHECK;
bool row_decode(struct slice payload, struct arena *arena, struct row *row, struct error *err) MUST_CHECK;
bool row_put(struct change *change, const struct key *key, const struct row *row, struct error *err) MUST_CHECK;
bool row_delete(struct change *change, const struct key *key, struct error *err) MUST_CHECK;
/* The row that a file of a run has: by path, or by name alone. *found false: another version has taken its place. */
bool row_of_ordinal(struct kv_txn *txn, uint32_t source_id, uint32_t directory_id, const char *name, int64_t ordinal, struct arena *arena,
                    struct key *key, struct row *row, bool *found, struct error *err) MUST_CHECK;

struct row_writer {            /* New rows of one change, in key order. */
    struct change *change;
    enum table table;
    struct key end;            /* The last one of TABLE_FILES. */
};
bool row_writer_begin(struct row_writer *writer, struct change *change, size_t count, struct error *err) MUST_CHECK;
bool row_add(struct row_writer *writer, const struct key *key, const struct row *row, struct error *err) MUST_CHECK;

/* A walk in key order over rows whose keys end in a name: TABLE_FILES (with TABLE_RECENT, as one), TABLE_UNSETTLED. What it shows is checked,
 * and valid until the next write. */
struct named_row {
    struct slice key, name, payload;
    bool found;                /* false: there is no such row. */
};
struct named_cursor *named_open(struct kv_txn *txn, enum table table, struct error *err) MUST_CHECK;
void named_close(struct named_cursor *walk); /* NULL is allowed; before the transaction ends. */
/* The first row >= key; an empty key: the first of all. */
bool named_seek(struct named_cursor *walk, struct slice key, struct named_row *row, struct error *err) MUST_CHECK;
bool named_next(struct named_cursor *walk, struct named_row *row, struct error *err) MUST_CHECK;

/* --- Unsettled files (ledger_rows.c) ----------------------------------------------------------------- */

struct unsettled_row {
    int64_t size, mtime_us, ctime_us, first_seen_us, check_us;
    uint64_t device, inode;
    const char *reason;
};
bool unsettled_decode(struct slice payload, struct arena *arena, struct unsettled_row *row, struct error *err) MUST_CHECK;
bool unsettled_put(struct change *change, uint32_t source_id, uint32_t directory_id, const char *name, const struct unsettled_row *row,
                   struct error *err) MUST_CHECK;

/* L9: a file of the directory lost its row; should it come back under the same directory times (a remount), it must be found. */
bool mark_drop(struct change *change, uint32_t source_id, uint32_t directory_id, struct error *err) MUST_CHECK;

/* --- Runs (ledger_runs.c) ------------------------------------------------------------------------------ */

struct run_file {
    int64_t ordinal;
    uint32_t directory_id;
    const char *name;
    int64_t size, mtime_us, ctime_us, admitted_us;
    uint64_t device, inode;
    struct file_outcome outcome; /* TABLE_DONE. */
};

struct run {
    uint32_t source_id;
    int64_t batch_id;          /* TABLE_DONE; else -1. */
    struct run_file *files;    /* Ascending ordinals. */
    size_t count;
};

/* Stores files (ascending ordinals) as runs of a bounded size. */
bool runs_write(struct change *change, enum table table, uint32_t source_id, int64_t batch_id, const struct run_file *files, size_t count,
                struct error *err) MUST_CHECK;
struct run_file *run_file_of(const struct run *run, int64_t ordinal); /* NULL: not in this run. */
/* *file NULL: the ordinal stands in no run of the table. */
bool runs_find(struct kv_txn *txn, enum table table, uint32_t source_id, int64_t ordinal, struct arena *arena, struct run *run,
               struct run_file **file, struct error *err) MUST_CHECK;
/* The run that holds `ordinal`, or the first one behind it, of the same source; *found false: none. */
bool runs_from(struct kv_cursor *cursor, enum table table, uint32_t source_id, int64_t ordinal, struct arena *arena, struct run *run, bool *found,
               struct error *err) MUST_CHECK;
/* The run that holds `ordinal`, or the last one before it. */
bool runs_upto(struct kv_cursor *cursor, enum table table, uint32_t source_id, int64_t ordinal, struct arena *arena, struct run *run, bool *found,
               struct error *err) MUST_CHECK;
/* The next run in key order, of whatever source. */
bool runs_decode(enum table table, const struct kv_row *row, struct arena *arena, struct run *run, struct error *err) MUST_CHECK;
/* Takes the ordinals [start, end) out of the pending runs. */
bool pending_remove(struct change *change, uint32_t source_id, int64_t start, int64_t end, int64_t *files, int64_t *bytes, struct error *err) MUST_CHECK;

/* --- Batches (ledger_batches.c) ------------------------------------------------------------------------- */

struct open_record {           /* TABLE_OPEN, decoded. */
    enum batch_stage stage;
    struct plan plan;
    int64_t planned_us, planned_files;
    struct slice manifest;
    uint64_t state_version;
    int64_t files, rows, rows_out, records_bad, records_dropped, bytes, bytes_out, prepared_us;
};
bool open_record_load(struct kv_txn *txn, const struct ledger_state *state, struct arena *arena, struct open_record *out, struct error *err) MUST_CHECK;
bool plan_write(struct change *change, const struct plan *plan, struct error *err) MUST_CHECK;
bool plan_and_prepare(struct change *change, const struct plan *plan, const struct early_plan *early, struct error *err) MUST_CHECK;
bool pending_take(struct kv_txn *txn, const struct ledger_state *state, const struct ledger_source *source, const struct take_limits *limits,
                  struct arena *arena, struct ledger_input **files, size_t *count, struct error *err) MUST_CHECK;
bool progress_put(struct change *change, const char *json, struct error *err) MUST_CHECK; /* ledger_query.c */
bool plan_holds(const struct plan *plan, uint32_t source_id, int64_t ordinal); /* In one of the ranges. */

struct batch_record {          /* TABLE_BATCHES, decoded. */
    struct ledger_batch batch;
    uint32_t clean_source;     /* Files below (source, ordinal) are done with; all of them if clean_all. */
    int64_t clean_ordinal;
    bool clean_all;
    const char *archive_base, *path_base;
};
bool batch_record_load(struct kv_txn *txn, int64_t batch_id, struct arena *arena, struct batch_record *out, bool *found, struct error *err) MUST_CHECK;
bool batch_record_store(struct change *change, const struct batch_record *record, struct error *err) MUST_CHECK;

/* --- Failed files (ledger_failed.c) ------------------------------------------------------------------------ */

/* The note beside the row of a failed file. */
bool failed_put(struct change *change, uint32_t source_id, int64_t ordinal, uint32_t directory_id, const char *name, const struct failed_look *look,
                struct error *err) MUST_CHECK;
bool failed_drop(struct change *change, uint32_t source_id, int64_t ordinal, struct error *err) MUST_CHECK; /* None is fine. */
bool failed_count(struct kv_txn *txn, int64_t *count, struct error *err) MUST_CHECK;

/* --- Cleaning (ledger_clean.c) --------------------------------------------------------------------------- */

struct cleaned_row {
    enum clean_result result;
    int64_t when_us;
    const char *target, *reason;
};
bool cleaned_get(struct kv_txn *txn, uint32_t source_id, int64_t ordinal, struct arena *arena, struct cleaned_row *row, bool *found, struct error *err) MUST_CHECK;
bool cleaned_decode(struct slice payload, struct arena *arena, struct cleaned_row *row, struct error *err) MUST_CHECK;
/* Where the rule of a batch puts a file; NULL where the rule is deletion. */
const char *clean_target_of(const struct batch_record *record, const char *directory, const char *name, struct arena *arena);
struct ledger_input input_of(uint32_t source_id, const struct run_file *file, const char *directory);
