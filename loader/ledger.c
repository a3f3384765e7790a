/* ledger -- opening, owning and creating a checkpoint; the state record; settings.
 *
 * Order of a first start: the ledger is built in `ledger.new` (a half-written LMDB file would be unreadable for ever), renamed
 * to `ledger`, and only then `metadata` is written. So: a ledger without metadata is repaired, metadata without a
 * ledger is damage. The lock file is taken before anything else is touched. */
#include "base/file.h"
#include "base/plant.h"
#include "base/panic.h"
#include "base/tree.h"
#include "loader/ledger_inner.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

const char *const ledger_tables[TABLE_COUNT] = {
    [TABLE_STATE] = "state",           [TABLE_SETTINGS] = "settings", [TABLE_SOURCES] = "sources",
    [TABLE_DIRECTORIES] = "directories", [TABLE_DIRECTORY_NAMES] = "directory_names", [TABLE_FILES] = "files",
    [TABLE_PENDING] = "pending",       [TABLE_DONE] = "done",         [TABLE_UNSETTLED] = "unsettled",
    [TABLE_MARKS] = "marks",           [TABLE_BATCHES] = "batches",   [TABLE_OPEN] = "open",
    [TABLE_CLEANED] = "cleaned",       [TABLE_RETRIES] = "retries",   [TABLE_PROGRESS] = "progress",
    [TABLE_RECENT] = "recent",
};

/* --- The state record ---------------------------------------------------------------------------------- */

static void state_encode(const struct ledger_state *state, struct buffer *out)
{
    put_text(out, state->query_id);
    put_signed(out, state->created_us);
    put_signed(out, state->last_batch);
    put_unsigned(out, state->stage);
    put_unsigned(out, state->next_directory);
    put_signed(out, state->next_progress);
    put_signed(out, state->cleaning_batch);
    put_unsigned(out, state->cleaning_source);
    put_signed(out, state->cleaning_ordinal);
    const struct ledger_counts *counts = &state->counts;
    put_unsigned(out, FILE_STATE_COUNT);
    for (size_t i = 0; i < FILE_STATE_COUNT; i++) put_signed(out, counts->files[i]);
    put_signed(out, counts->pending_bytes);
    put_signed(out, counts->rows);
    put_signed(out, counts->rows_out);
    put_signed(out, counts->bytes);
    put_signed(out, counts->bytes_out);
    put_signed(out, counts->records_bad);
    put_signed(out, counts->records_dropped);
    put_signed(out, counts->batches);
    put_signed(out, counts->cleaned);
    put_signed(out, counts->last_commit_us);
}

static bool state_decode(struct slice payload, struct ledger_state *state, struct error *err)
{
    struct unpack in = unpack_of(payload);
    *state = (struct ledger_state){.stage = BATCH_NONE};
    uint64_t id_size = get_unsigned(&in); /* As put_text: size + 1. */
    if (in.bad || id_size != UUID_TEXT_SIZE || (size_t)(in.end - in.at) < UUID_TEXT_SIZE - 1) return damaged(err, "the state of the ledger cannot be read");
    memcpy(state->query_id, in.at, UUID_TEXT_SIZE - 1);
    in.at += UUID_TEXT_SIZE - 1;
    state->created_us = get_signed(&in);
    state->last_batch = get_signed(&in);
    state->stage = (enum batch_stage)get_unsigned(&in);
    state->next_directory = (uint32_t)get_unsigned(&in);
    state->next_progress = get_signed(&in);
    state->cleaning_batch = get_signed(&in);
    state->cleaning_source = (uint32_t)get_unsigned(&in);
    state->cleaning_ordinal = get_signed(&in);
    struct ledger_counts *counts = &state->counts;
    uint64_t states = get_unsigned(&in);
    for (size_t i = 0; i < states && i < FILE_STATE_COUNT; i++) counts->files[i] = get_signed(&in);
    counts->pending_bytes = get_signed(&in);
    counts->rows = get_signed(&in);
    counts->rows_out = get_signed(&in);
    counts->bytes = get_signed(&in);
    counts->bytes_out = get_signed(&in);
    counts->records_bad = get_signed(&in);
    counts->records_dropped = get_signed(&in);
    counts->batches = get_signed(&in);
    counts->cleaned = get_signed(&in);
    counts->last_commit_us = get_signed(&in);
    counts->last_batch_id = state->last_batch;
    if (in.bad || states != FILE_STATE_COUNT || state->stage > BATCH_PREPARED) return damaged(err, "the state of the ledger cannot be read");
    return true;
}

bool state_load(struct kv_txn *txn, struct ledger_state *state, struct error *err)
{
    struct key key = key_of_text("state");
    struct slice payload;
    bool found;
    if (!get_checked(txn, TABLE_STATE, &key, &payload, &found, err)) return false;
    if (!found) return damaged(err, "the ledger has lost its state record");
    return state_decode(payload, state, err);
}

bool state_store(struct kv_txn *txn, const struct ledger_state *state, struct error *err)
{
    for (size_t i = 0; i < FILE_STATE_COUNT; i++) invariant(state->counts.files[i] >= 0); /* L1: every file is counted once. */
    invariant(state->last_batch >= -1);                                                    /* L5 */
    struct buffer payload = {0};
    state_encode(state, &payload);
    struct key key = key_of_text("state");
    bool ok = put_checked(txn, TABLE_STATE, &key, &payload, KV_PUT_ANY, err);
    buffer_free(&payload);
    return ok;
}

struct change_job {
    struct change change;
    change_fn body;
    void *user;
};

static bool change_run(struct kv_txn *txn, void *user, struct error *err)
{
    struct change_job *job = user;
    arena_reset(job->change.scratch);
    job->change.txn = txn;
    if (!state_load(txn, &job->change.state, err)) return false;
    if (!job->body(&job->change, job->user, err)) return false;
    return state_store(txn, &job->change.state, err);
}

bool ledger_change(struct ledger *ledger, change_fn body, void *user, struct error *err)
{
    if (ledger->lock_fd < 0) return error_set(err, COND_INLET_INTERNAL, "cannot write to a ledger that is open for reading");
    struct change_job job = {.body = body, .user = user};
    job.change = (struct change){.ledger = ledger, .scratch = arena_new("ledger change"), .now_us = context_now_us(ledger->context)};
    bool ok = kv_update(ledger->kv, change_run, &job, err);
    arena_free(job.change.scratch);
    return ok;
}

/* --- The owner's lock ------------------------------------------------------------------------------------ */

static char *checkpoint_file(struct arena *arena, const char *checkpoint, const char *name)
{
    return arena_printf(arena, "%s/%s", checkpoint, name);
}

static void parse_owner(const char *text, struct ledger_owner *out)
{
    long long pid = 0, start = 0;
    char host[256] = "";
    sscanf(text, "%lld %lld %255s", &pid, &start, host);
    out->pid = pid;
    out->start_us = start;
    memcpy(out->host, host, sizeof out->host);
}

static bool read_owner(int fd, const char *path, struct ledger_owner *out, struct error *err)
{
    char text[400];
    ssize_t size = pread(fd, text, sizeof text - 1, 0);
    if (size < 0) return error_errno(err, "could not read the lock file '%s'", path);
    text[size] = 0;
    parse_owner(text, out);
    return true;
}

bool ledger_owner(const char *checkpoint, struct ledger_owner *out, struct error *err)
{
    *out = (struct ledger_owner){.running = false};
    char path[4096 + 16];
    snprintf(path, sizeof path, "%s/inlet.lock", checkpoint);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return errno == ENOENT || errno == ENOTDIR || error_errno(err, "could not open the lock file '%s'", path);
    bool ok = read_owner(fd, path, out, err);
    /* A shared try: granted means that nobody owns it; given back at once. */
    if (flock(fd, LOCK_SH | LOCK_NB) == 0) flock(fd, LOCK_UN);
    else out->running = true;
    close(fd);
    return ok;
}

static bool refuse_owned(int fd, const char *checkpoint, const char *path, struct error *err)
{
    struct ledger_owner owner = {0};
    if (!read_owner(fd, path, &owner, err)) return false;
    time_t seconds = (time_t)(owner.start_us / 1000000);
    struct tm utc;
    char when[40] = "an unknown time";
    if (owner.start_us && gmtime_r(&seconds, &utc)) strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", &utc);
    char host[256] = "";
    bool known_host = gethostname(host, sizeof host - 1) == 0 && owner.host[0] && strcmp(host, owner.host) != 0;
    error_set(err, COND_INLET_CHECKPOINT_OWNED, "the checkpoint '%s' is in use by process %lld%s%s, started at %s", checkpoint, (long long)owner.pid,
              known_host ? " on " : "", known_host ? owner.host : "", when);
    return error_hint(err, "Only one process may run a query on a checkpoint; status, files and why may be asked beside it.");
}

static bool write_owner(int fd, const char *path, int64_t now_us, struct error *err)
{
    char host[256] = "";
    if (gethostname(host, sizeof host - 1) != 0) host[0] = 0;
    char text[400];
    int size = snprintf(text, sizeof text, "%lld %lld %s\n", (long long)getpid(), (long long)now_us, host);
    if (ftruncate(fd, 0) != 0) return error_errno(err, "could not write the lock file '%s'", path);
    return write_all(fd, text, (size_t)size, path, err);
}

/* A reader's question (ledger_owner) holds the lock for a moment, so a refusal is tried a few times. */
static bool try_lock(int fd)
{
    for (int i = 0; i < 5; i++) {
        if (flock(fd, LOCK_EX | LOCK_NB) == 0) return true;
        if (errno != EWOULDBLOCK && errno != EINTR) return false;
        struct timespec pause = {.tv_nsec = 3000000};
        nanosleep(&pause, NULL);
    }
    return false;
}

static bool take_lock(struct ledger *ledger, struct arena *arena, struct error *err)
{
    const char *path = checkpoint_file(arena, ledger->checkpoint, "inlet.lock");
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (fd < 0) return error_errno(err, "could not open the lock file '%s'", path);
    bool ok = try_lock(fd);
    if (!ok && errno == EWOULDBLOCK) refuse_owned(fd, ledger->checkpoint, path, err);
    else if (!ok) error_errno(err, "could not lock '%s'", path);
    else ok = write_owner(fd, path, context_now_us(ledger->context), err);
    if (!ok) {
        close(fd);
        return false;
    }
    ledger->lock_fd = fd;
    return true;
}

/* --- What stands in the folder ----------------------------------------------------------------------------- */

static bool exists(const char *path)
{
    struct stat info;
    return lstat(path, &info) == 0;
}

bool ledger_exists(const char *checkpoint)
{
    struct arena *arena = arena_new("ledger");
    bool found = exists(checkpoint_file(arena, checkpoint, "metadata")) || exists(checkpoint_file(arena, checkpoint, "ledger"));
    arena_free(arena);
    return found;
}

static bool refuse_spark(const char *checkpoint, struct arena *arena, struct error *err)
{
    static const char *const folders[] = {"offsets", "commits", "sources", "state"};
    for (size_t i = 0; i < COUNTOF(folders); i++) {
        if (!exists(checkpoint_file(arena, checkpoint, folders[i]))) continue;
        error_set(err, COND_INLET_CHECKPOINT_SPARK, "the folder '%s' is a checkpoint of Apache Spark: it has '%s'", checkpoint, folders[i]);
        return error_hint(err, "Give inlet a checkpointLocation of its own; taking over a Spark checkpoint is the work of the hand-over.");
    }
    return true;
}

/* LMDB needs coherent maps and locks that die with their owner. */
static bool refuse_network(const char *checkpoint, struct error *err)
{
    struct statfs info;
    if (statfs(checkpoint, &info) != 0) return error_errno(err, "could not look at the file system of '%s'", checkpoint);
    const char *name = NULL;
    switch ((unsigned long)info.f_type) {
    case 0x6969: name = "NFS"; break;
    case 0x517b: case 0xff534d42: case 0xfe534d42: name = "SMB"; break;
    case 0x5346414f: name = "AFS"; break;
    case 0x00c36400: name = "Ceph"; break;
    default: return true;
    }
    error_set(err, COND_INLET_NOT_SUPPORTED_YET, "the checkpoint '%s' cannot live on the network file system %s", checkpoint, name);
    return error_hint(err, "Put checkpointLocation on a local disk; sources and sinks may stay where they are.");
}

static bool read_metadata(struct ledger *ledger, struct arena *arena, const char *path, struct error *err)
{
    struct buffer text = {0};
    bool ok = file_read_all(path, 65536, &text, err);
    struct tree *tree = ok ? tree_parse_json(arena, slice_of(text.data, text.size), NULL) : NULL;
    const char *id = tree_get_text(tree, "id", NULL);
    buffer_free(&text);
    if (!ok) return false;
    if (!id) return damaged(err, "the file '%s' does not hold the query's id", path);
    if (strcmp(id, ledger->query_id) == 0) return true;
    return damaged(err, "the file '%s' names the query %s, the ledger beside it belongs to %s", path, id, ledger->query_id);
}

static bool ensure_metadata(struct ledger *ledger, struct arena *arena, struct error *err)
{
    const char *path = checkpoint_file(arena, ledger->checkpoint, "metadata");
    if (exists(path)) return read_metadata(ledger, arena, path, err);
    char *text = arena_printf(arena, "{\"id\":\"%s\"}", ledger->query_id);
    bool existed;
    return file_create_if_absent(path, slice_text(text), &existed, err);
}

/* --- Creating ------------------------------------------------------------------------------------------------ */

struct birth {
    int64_t now_us;
    char query_id[UUID_TEXT_SIZE];
};

static bool write_format(struct kv_txn *txn, void *user, struct error *err)
{
    (void)user;
    struct buffer format = {0};
    put_unsigned(&format, LEDGER_FORMAT);
    struct key key = key_of_text("format");
    bool ok = put_checked(txn, TABLE_STATE, &key, &format, KV_PUT_ANY, err);
    buffer_free(&format);
    return ok;
}

static bool write_first_state(struct kv_txn *txn, void *user, struct error *err)
{
    const struct birth *birth = user;
    struct ledger_state state = {.created_us = birth->now_us, .last_batch = -1, .stage = BATCH_NONE, .next_directory = DIRECTORY_NONE + 1};
    memcpy(state.query_id, birth->query_id, UUID_TEXT_SIZE);
    return write_format(txn, NULL, err) && state_store(txn, &state, err);
}

static bool create_ledger(struct ledger *ledger, struct arena *arena, const char *path, struct error *err)
{
    const char *draft = checkpoint_file(arena, ledger->checkpoint, "ledger.new");
    if (!directory_remove_tree(draft, err)) return false; /* Of a first start that was cut short. */
    if (mkdir(draft, 0777) != 0) return error_errno(err, "could not make the folder '%s'", draft);
    struct kv *kv = kv_open(draft, KV_CREATE, ledger_tables, TABLE_COUNT, err);
    if (!kv) return false;
    struct birth birth = {.now_us = context_now_us(ledger->context)};
    uuid_v4(birth.query_id);
    bool ok = kv_update(kv, write_first_state, &birth, err);
    kv_close(kv);
    if (!ok || !(PLANTED(50) || directory_sync(draft, err))) return false;
    if (rename(draft, path) != 0) return error_errno(err, "could not rename '%s' to '%s'", draft, path);
    ledger->is_new = true;
    return directory_sync(ledger->checkpoint, err);
}

/* --- Opening --------------------------------------------------------------------------------------------------- */

/* The format is read before the tables are opened by name: a newer ledger may have others. */
static bool check_format(const char *path, uint64_t *format, struct error *err)
{
    struct kv *kv = kv_open(path, KV_READ, ledger_tables, 1, err);
    if (!kv) return false;
    struct kv_txn *txn = kv_read_begin(kv, err);
    struct key key = key_of_text("format");
    struct slice payload;
    bool found = false;
    bool ok = txn && get_checked(txn, TABLE_STATE, &key, &payload, &found, err);
    *format = 0;
    if (ok && found) {
        struct unpack in = unpack_of(payload);
        *format = get_unsigned(&in);
    }
    kv_read_end(txn);
    kv_close(kv);
    if (!ok) return false;
    if (!found || *format == 0) return damaged(err, "the ledger '%s' does not say its format", path);
    if (*format <= LEDGER_FORMAT) return true;
    error_set(err, COND_INLET_CHECKPOINT_NEWER, "the ledger '%s' has format %llu, this inlet reads up to %d", path, (unsigned long long)*format, LEDGER_FORMAT);
    return error_hint(err, "Use the inlet that wrote it, or a newer one.");
}

/* A ledger of an older format becomes one of this when it is opened for writing: tables first, then the number, so that a crash between
 * the two leaves what an older program still reads. Who only reads leaves it as it is; its table of recent rows reads as empty. */
static bool open_kv(struct ledger *ledger, const char *path, enum kv_mode mode, struct error *err)
{
    uint64_t format;
    if (!check_format(path, &format, err)) return false;
    bool older = format < LEDGER_FORMAT, upgrade = older && mode == KV_WRITE;
    ledger->kv = kv_open(path, upgrade ? KV_EXTEND : mode, ledger_tables, older && !upgrade ? TABLE_RECENT : TABLE_COUNT, err);
    if (!ledger->kv || !upgrade) return ledger->kv != NULL;
    log_event(ledger->context, LOG_INFO, "ledger.upgrade", "from=%" PRIu64 " to=%d", format, LEDGER_FORMAT);
    return kv_update(ledger->kv, write_format, NULL, err);
}

static bool open_store(struct ledger *ledger, const char *path, enum kv_mode mode, struct error *err)
{
    int dead;
    if (!open_kv(ledger, path, mode, err)) return false;
    if (mode == KV_WRITE && !kv_clear_dead_readers(ledger->kv, &dead, err)) return false;
    struct kv_txn *txn = kv_read_begin(ledger->kv, err);
    if (!txn) return false;
    struct ledger_state state;
    bool ok = state_load(txn, &state, err);
    kv_read_end(txn);
    if (!ok) return false;
    memcpy(ledger->query_id, state.query_id, UUID_TEXT_SIZE);
    ledger->created_us = state.created_us;
    return true;
}

static struct ledger *ledger_new(const char *checkpoint, const struct inlet_context *context)
{
    struct ledger *ledger = calloc(1, sizeof *ledger);
    char *copy = strdup(checkpoint);
    if (!ledger || !copy) panic_out_of_memory(sizeof *ledger);
    size_t size = strlen(copy);
    while (size > 1 && copy[size - 1] == '/') copy[--size] = 0;
    const char *rows = getenv("INLET_RECENT_ROWS");
    *ledger = (struct ledger){.checkpoint = copy, .context = context, .lock_fd = -1, .recent = recent_bounds_of(rows ? strtoll(rows, NULL, 10) : RECENT_ROWS)};
    return ledger;
}

static bool open_owned(struct ledger *ledger, struct arena *arena, struct error *err)
{
    const char *checkpoint = ledger->checkpoint;
    const char *path = checkpoint_file(arena, checkpoint, "ledger");
    const char *metadata = checkpoint_file(arena, checkpoint, "metadata");
    if (!exists(path) && !refuse_spark(checkpoint, arena, err)) return false;
    if (!(exists(path) ? directories_make : directories_settle)(checkpoint, err) || !refuse_network(checkpoint, err)) return false;
    if (!take_lock(ledger, arena, err)) return false;
    if (!exists(path)) {
        if (exists(metadata)) return damaged(err, "the checkpoint '%s' has metadata, but its ledger is missing", checkpoint);
        if (!create_ledger(ledger, arena, path, err)) return false;
    } else if (!exists(metadata) && !directory_sync(checkpoint, err)) { /* A first start that was cut short: its ledger's name comes first. */
        return false;
    }
    return open_store(ledger, path, KV_WRITE, err) && ensure_metadata(ledger, arena, err);
}

struct ledger *ledger_open(const char *checkpoint, const struct inlet_context *context, struct error *err)
{
    struct ledger *ledger = ledger_new(checkpoint, context);
    struct arena *arena = arena_new("ledger open");
    bool ok = open_owned(ledger, arena, err);
    arena_free(arena);
    if (ok) return ledger;
    ledger_close(ledger);
    return NULL;
}

static bool open_beside(struct ledger *ledger, struct arena *arena, struct error *err)
{
    const char *path = checkpoint_file(arena, ledger->checkpoint, "ledger");
    if (exists(path)) return open_store(ledger, path, KV_READ, err);
    if (!refuse_spark(ledger->checkpoint, arena, err)) return false;
    if (exists(checkpoint_file(arena, ledger->checkpoint, "metadata"))) {
        return damaged(err, "the checkpoint '%s' has metadata, but its ledger is missing", ledger->checkpoint);
    }
    return error_set(err, COND_INLET_NOT_FOUND, "there is no checkpoint in '%s' yet", ledger->checkpoint);
}

struct ledger *ledger_open_read(const char *checkpoint, const struct inlet_context *context, struct error *err)
{
    struct ledger *ledger = ledger_new(checkpoint, context);
    struct arena *arena = arena_new("ledger open");
    bool ok = open_beside(ledger, arena, err);
    arena_free(arena);
    if (ok) return ledger;
    ledger_close(ledger);
    return NULL;
}

void ledger_close(struct ledger *ledger)
{
    if (!ledger) return;
    kv_close(ledger->kv);
    if (ledger->lock_fd >= 0) close(ledger->lock_fd); /* Last: the lock guards the store. */
    free(ledger->checkpoint);
    free(ledger);
}

const char *ledger_query_id(const struct ledger *ledger) { return ledger->query_id; }
bool ledger_is_new(const struct ledger *ledger) { return ledger->is_new; }
int64_t ledger_created_us(const struct ledger *ledger) { return ledger->created_us; }

/* --- Settings -------------------------------------------------------------------------------------------------- */

static bool setting_read(struct kv_txn *txn, struct arena *arena, const char *name, const char **value, struct error *err)
{
    struct key key = key_of_text(name);
    struct slice payload;
    bool found;
    *value = NULL;
    if (!get_checked(txn, TABLE_SETTINGS, &key, &payload, &found, err)) return false;
    if (found) *value = arena_strndup(arena, (const char *)payload.data, payload.size);
    return true;
}

bool ledger_setting_get(struct ledger *ledger, struct arena *arena, const char *name, const char **value, struct error *err)
{
    struct kv_txn *txn = kv_read_begin(ledger->kv, err);
    if (!txn) return false;
    bool ok = setting_read(txn, arena, name, value, err);
    kv_read_end(txn);
    return ok;
}

bool ledger_setting_int(struct ledger *ledger, const char *name, int64_t otherwise, int64_t *value, struct error *err)
{
    struct arena *arena = arena_new("ledger setting");
    const char *text;
    bool ok = ledger_setting_get(ledger, arena, name, &text, err);
    *value = otherwise;
    if (ok && text) {
        char *end;
        errno = 0;
        *value = strtoll(text, &end, 10);
        if (errno || *end || end == text) ok = damaged(err, "the ledger's setting '%s' is '%s', not a number", name, text);
    }
    arena_free(arena);
    return ok;
}

bool settings_put(struct change *change, const struct ledger_setting *settings, size_t count, struct error *err)
{
    for (size_t i = 0; i < count; i++) {
        struct key key = key_of_text(settings[i].name);
        if (!settings[i].value) {
            if (!kv_delete(change->txn, TABLE_SETTINGS, key_slice(&key), NULL, err)) return false;
            continue;
        }
        struct buffer payload = {0};
        buffer_text(&payload, settings[i].value);
        bool ok = put_checked(change->txn, TABLE_SETTINGS, &key, &payload, KV_PUT_ANY, err);
        buffer_free(&payload);
        if (!ok) return false;
    }
    return true;
}

struct settings_job {
    const struct ledger_setting *settings;
    size_t count;
};

static bool settings_body(struct change *change, void *user, struct error *err)
{
    const struct settings_job *job = user;
    return settings_put(change, job->settings, job->count, err);
}

bool ledger_setting_set(struct ledger *ledger, const struct ledger_setting *settings, size_t count, struct error *err)
{
    if (count == 0) return true;
    return ledger_change(ledger, settings_body, &(struct settings_job){settings, count}, err);
}

/* What a fact is called where people read it. */
static const char *fact_label(const char *name)
{
    if (strcmp(name, "source.0.kind") == 0) return "a source of the kind";
    if (strcmp(name, "source.0.identity") == 0) return "files known by (fileNameOnly, allowOverwrites)";
    if (strcmp(name, "sink.partition_by") == 0) return "an output with partitionBy";
    return name;
}

bool ledger_facts_check(struct ledger *ledger, const struct ledger_setting *facts, size_t count, struct error *err)
{
    struct arena *arena = arena_new("ledger facts");
    struct ledger_setting *missing = ARENA_ARRAY(arena, struct ledger_setting, count + 1);
    size_t missing_count = 0;
    bool ok = true;
    for (size_t i = 0; i < count && ok; i++) {
        const char *value;
        ok = ledger_setting_get(ledger, arena, facts[i].name, &value, err);
        if (ok && !value) missing[missing_count++] = facts[i];
        if (!ok || !value || strcmp(value, facts[i].value) == 0) continue;
        ok = error_set(err, COND_INLET_CHECKPOINT_MISMATCH, "the checkpoint '%s' was made for %s '%s'; the pipeline file now asks for '%s'",
                       ledger->checkpoint, fact_label(facts[i].name), value, facts[i].value);
        error_hint(err, "Put the old value back, or give the changed pipeline a checkpointLocation of its own.");
    }
    if (ok) ok = ledger_setting_set(ledger, missing, missing_count, err);
    arena_free(arena);
    return ok;
}
