/* discover -- listing and notifications into the ledger: rules, half-written files, marks, backfill. */
#include "loader/discover.h"
#include "base/panic.h"
#include "base/uuid.h"
#include "base/workers.h"
#include "listing/settle.h"
#include "listing/walk.h"
#include "loader/preview.h"
#include "loader/roots.h"
#include "notify/notify.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    SLICE_FILES = 500000,           /* Admitted in one transaction at most. */
    JUDGED_TOGETHER = 8192,         /* New files that wait for their judgement, which takes system calls. */
    JUDGED_ALONE = 64,              /* So few are not worth threads. */
    POLL_SLICE_MS = 100,            /* A wait looks at the cancel token so often. */
    LIST_INTERVAL_US = 250000,      /* Without notifications a service lists so often. */
    LIMITED_INTERVAL_US = 1000000,  /* With watches for a part only. */
    ROOTS_INTERVAL_US = 1000000     /* Watches do not tell that a load path leads elsewhere: they look themselves, when asked. */
};
#define FULL_PASS_US (24 * 3600 * (int64_t)1000000)

#define STARTED_SETTING "source.0.started_us"
#define NEWEST_SETTING "source.0.newest_mtime_us"
#define FULL_PASS_SETTING "source.0.full_pass_us"

struct discoverer {
    const struct pipeline_reader *reader;
    struct ledger *ledger;
    struct inlet_context *context;
    struct ledger_source source;
    struct arena *arena;             /* As long as the discoverer. */
    struct walk *walk;
    uint64_t digest;
    struct notify *notify;           /* NULL: listing only. */
    uint64_t *unreadable;            /* Hashes of the folders whose trouble was told: once each, not at every listing. */
    size_t unreadable_count, unreadable_capacity;
    bool limited_said;
    int64_t started_us;              /* 0: this checkpoint has never looked. */
    int64_t newest_us;               /* Newest mtime of earlier cycles, for maxFileAge. */
    int64_t last_list_us, last_full_us;
};

struct judgement {
    enum admission_verdict verdict;
    int64_t check_us;
    bool wait_is_long;               /* Empty and young: `once` does not wait for it. */
    const char *reason;
};

struct fresh_file {                  /* Found, and judged when enough of them are together. */
    struct sighting sighting;
    struct judgement judgement;
};

/* One cycle: what was seen so far and is not in the ledger yet. */
struct cycle {
    struct discoverer *owner;
    struct discovery_report *report;
    struct arena *arena;
    struct admission *admissions;
    size_t count, capacity;
    struct arena *fresh_arena;
    struct fresh_file *fresh;        /* At most JUDGED_TOGETHER. */
    size_t fresh_count;
    struct directory_mark *marks;
    size_t mark_count, mark_capacity;
    int64_t now_us, newest_us;
};

struct ledger_source discoverer_source(const struct pipeline_reader *reader)
{
    const struct source_settings *settings = &reader->settings;
    enum file_identity identity = settings->file_name_only ? IDENTITY_NAME : settings->allow_overwrites ? IDENTITY_PATH_AND_MTIME : IDENTITY_PATH;
    return (struct ledger_source){.id = 0, .identity = identity, .latest_first = settings->latest_first};
}

uint64_t discoverer_digest(const struct pipeline_reader *reader)
{
    const struct source_settings *settings = &reader->settings;
    struct buffer text = {0};
    for (size_t i = 0; i < reader->load_count; i++) buffer_printf(&text, "%s\n", reader->load[i]);
    buffer_printf(&text, "%d %d %d %d %d %s %" PRId64 " %" PRId64, settings->recursive, settings->subtree, settings->strict_glob, settings->file_name_only,
                  settings->allow_overwrites, settings->path_glob_filter ? settings->path_glob_filter : "", settings->modified_after_us,
                  settings->modified_before_us);
    uint64_t digest = hash_bytes(text.data, text.size);
    buffer_free(&text);
    return digest;
}

static struct walk *make_walk(const struct pipeline_reader *reader, struct arena *arena, bool use_marks, bool service, bool read_ahead, struct error *err)
{
    const struct source_settings *settings = &reader->settings;
    struct walk_spec spec = {
        .load = reader->load, .load_count = reader->load_count, .strict_glob = settings->strict_glob, .subtree = settings->subtree,
        .path_glob_filter = settings->path_glob_filter, .modified_after_us = settings->modified_after_us, .modified_before_us = settings->modified_before_us,
        .stat_known = settings->allow_overwrites, .use_marks = use_marks && !settings->allow_overwrites,
        .own = reader->own, .own_count = reader->own_count, .root_may_go = service, .read_ahead = read_ahead};
    return walk_new(&spec, arena, err);
}

static bool enters(void *user, const char *directory) { return walk_enters(((struct discoverer *)user)->walk, directory); }

/* Watches are a help, never a need: without them the service lists. */
static void open_notify(struct discoverer *discoverer)
{
    size_t count;
    const char *const *roots = walk_roots(discoverer->walk, &count);
    struct notify_spec spec = {.roots = roots, .root_count = count, .user = discoverer, .enters = enters};
    struct error err;
    error_clear(&err);
    discoverer->notify = inotify_notify.open(&spec, &err);
    if (discoverer->notify) return;
    char text[1024];
    error_format(&err, text, sizeof text);
    log_event(discoverer->context, LOG_WARN, "notify.unavailable", "%s Going on by listing.", text);
}

struct discoverer *discoverer_open(const struct pipeline_reader *reader, struct ledger *ledger, struct inlet_context *context,
                                   const struct ledger_source *source, bool service, struct error *err)
{
    struct discoverer *discoverer = calloc(1, sizeof *discoverer);
    if (!discoverer) panic_out_of_memory(sizeof *discoverer);
    discoverer->reader = reader;
    discoverer->ledger = ledger;
    discoverer->context = context;
    discoverer->source = *source;
    discoverer->arena = arena_new("discovery");
    discoverer->digest = discoverer_digest(reader);
    discoverer->walk = make_walk(reader, discoverer->arena, true, service, context->thread_count > 1, err);
    bool ok = discoverer->walk && ledger_setting_int(ledger, STARTED_SETTING, 0, &discoverer->started_us, err) &&
              ledger_setting_int(ledger, NEWEST_SETTING, INT64_MIN, &discoverer->newest_us, err) &&
              ledger_setting_int(ledger, FULL_PASS_SETTING, 0, &discoverer->last_full_us, err);
    if (!ok) {
        discoverer_close(discoverer);
        return NULL;
    }
    if (service && reader->settings.use_notifications) open_notify(discoverer);
    return discoverer;
}

void discoverer_close(struct discoverer *discoverer)
{
    if (!discoverer) return;
    if (discoverer->notify) inotify_notify.close(discoverer->notify);
    arena_free(discoverer->arena);
    free(discoverer);
}

/* --- Judging one sighting ---------------------------------------------------------------------------------- */

struct judging {
    const struct source_settings *settings;
    bool first_look;                 /* Of this checkpoint. */
    int64_t newest_us, now_us;
};

static bool is_too_old(const struct judging *judging, const struct sighting *sighting)
{
    int64_t age_us = judging->settings->max_file_age_us;
    return age_us >= 0 && judging->newest_us != INT64_MIN && sighting->mtime_us < judging->newest_us - age_us;
}

static struct judgement judge(const struct judging *judging, struct sighting *sighting)
{
    struct settle_answer answer;
    settle_check(sighting, judging->now_us, &answer);
    if (answer.settlement == SETTLE_GONE) return (struct judgement){.verdict = ADMIT_FORGET};
    if (answer.settlement == NOT_SETTLED) return (struct judgement){ADMIT_UNSETTLED, answer.check_us, answer.empty_young, answer.reason};
    if (judging->first_look && !judging->settings->include_existing)
        return (struct judgement){.verdict = ADMIT_SKIPPED, .reason = "it was there before the first start (includeExistingFiles is false)"};
    if (is_too_old(judging, sighting)) return (struct judgement){.verdict = ADMIT_SKIPPED, .reason = "it is older than maxFileAge before the newest file"};
    return (struct judgement){.verdict = ADMIT_PENDING};
}

/* --- Collecting a cycle ------------------------------------------------------------------------------------ */

static bool flush(struct cycle *cycle, const struct ledger_setting *notes, size_t note_count, struct early_plan *early, struct error *err)
{
    struct discovery discovery = {.admissions = cycle->admissions, .count = cycle->count, .marks = cycle->marks, .mark_count = cycle->mark_count,
                                  .notes = notes, .note_count = note_count};
    if (!ledger_admit_and_plan(cycle->owner->ledger, &cycle->owner->source, &discovery, early, err)) return false;
    cycle->report->admitted += discovery.admitted;
    cycle->report->unsettled += discovery.unsettled;
    cycle->report->skipped += discovery.skipped;
    cycle->report->admitted_bytes += discovery.admitted_bytes;
    cycle->count = cycle->capacity = cycle->mark_count = cycle->mark_capacity = 0;
    cycle->admissions = NULL;
    cycle->marks = NULL;
    arena_reset(cycle->arena);
    return true;
}

static void add(struct cycle *cycle, const struct sighting *sighting, const struct judgement *judgement)
{
    if (cycle->count == cycle->capacity) {
        size_t wanted = cycle->capacity ? cycle->capacity * 2 : 64;
        struct admission *grown = ARENA_ARRAY(cycle->arena, struct admission, wanted);
        if (cycle->count) memcpy(grown, cycle->admissions, cycle->count * sizeof *grown);
        cycle->admissions = grown;
        cycle->capacity = wanted;
    }
    const char *directory = sighting->directory;
    if (cycle->count && strcmp(cycle->admissions[cycle->count - 1].sighting.directory, directory) == 0)
        directory = cycle->admissions[cycle->count - 1].sighting.directory;
    else directory = arena_strdup(cycle->arena, directory);
    struct admission *admission = &cycle->admissions[cycle->count++];
    *admission = (struct admission){*sighting, judgement->verdict, judgement->check_us, judgement->reason};
    admission->sighting.directory = directory;
    admission->sighting.name = arena_strdup(cycle->arena, sighting->name);
    if (judgement->verdict == ADMIT_PENDING && sighting->mtime_us > cycle->newest_us) cycle->newest_us = sighting->mtime_us;
    int64_t *next = judgement->wait_is_long ? &cycle->report->empty_check_us : &cycle->report->next_check_us;
    if (judgement->verdict == ADMIT_UNSETTLED && (!*next || judgement->check_us < *next)) *next = judgement->check_us;
}

static bool flush_full(struct cycle *cycle, struct error *err) { return cycle->count < SLICE_FILES || flush(cycle, NULL, 0, NULL, err); }

static struct judging judging_of(const struct cycle *cycle)
{
    const struct discoverer *owner = cycle->owner;
    return (struct judging){&owner->reader->settings, owner->started_us == 0, owner->newest_us, cycle->now_us};
}

static bool visit_known(void *user, const char *directory, const char *const *names, const int64_t *mtimes_us, size_t count, bool *known, struct error *err)
{
    struct cycle *cycle = user;
    return ledger_known(cycle->owner->ledger, &cycle->owner->source, directory, names, mtimes_us, count, known, err);
}

/* Each worker takes the next few files until there are none. */
struct judges {
    struct judging judging;
    struct fresh_file *fresh;
    size_t count;
    _Atomic size_t next;
};

static void judge_some(void *user, unsigned worker)
{
    enum { STRIDE = 16 };
    struct judges *judges = user;
    (void)worker;
    for (;;) {
        size_t from = atomic_fetch_add(&judges->next, STRIDE), end = from + STRIDE < judges->count ? from + STRIDE : judges->count;
        if (from >= judges->count) return;
        for (size_t i = from; i < end; i++) judges->fresh[i].judgement = judge(&judges->judging, &judges->fresh[i].sighting);
    }
}

/* L9: nothing is written before all of them are added; a folder whose mark waits to be written may have files among them. */
static bool judge_fresh(struct cycle *cycle, struct error *err)
{
    size_t count = cycle->fresh_count;
    struct judges judges = {.judging = judging_of(cycle), .fresh = cycle->fresh, .count = count};
    if (!count) return true;
    workers_run(count < JUDGED_ALONE ? 1 : cycle->owner->context->thread_count, judge_some, &judges);
    for (size_t i = 0; i < count; i++)
        if (cycle->fresh[i].judgement.verdict != ADMIT_FORGET) add(cycle, &cycle->fresh[i].sighting, &cycle->fresh[i].judgement);
    cycle->fresh = NULL;
    cycle->fresh_count = 0;
    arena_reset(cycle->fresh_arena);
    return flush_full(cycle, err);
}

static bool visit_found(void *user, const struct sighting *sighting, struct error *err)
{
    struct cycle *cycle = user;
    if (!cycle->fresh) cycle->fresh = ARENA_ARRAY(cycle->fresh_arena, struct fresh_file, JUDGED_TOGETHER);
    struct fresh_file *file = &cycle->fresh[cycle->fresh_count];
    file->sighting = *sighting;
    const char *directory = cycle->fresh_count ? file[-1].sighting.directory : NULL;
    file->sighting.directory = directory && strcmp(directory, sighting->directory) == 0 ? directory : arena_strdup(cycle->fresh_arena, sighting->directory);
    file->sighting.name = arena_strdup(cycle->fresh_arena, sighting->name);
    return ++cycle->fresh_count < JUDGED_TOGETHER || judge_fresh(cycle, err);
}

static bool visit_seen(void *user, const struct walk_mark *mark, struct error *err)
{
    struct cycle *cycle = user;
    (void)err;
    if (cycle->mark_count == cycle->mark_capacity) {
        size_t wanted = cycle->mark_capacity ? cycle->mark_capacity * 2 : 16;
        struct directory_mark *grown = ARENA_ARRAY(cycle->arena, struct directory_mark, wanted);
        if (cycle->mark_count) memcpy(grown, cycle->marks, cycle->mark_count * sizeof *grown);
        cycle->marks = grown;
        cycle->mark_capacity = wanted;
    }
    cycle->marks[cycle->mark_count++] = (struct directory_mark){arena_strdup(cycle->arena, mark->directory), mark->device, mark->inode, mark->mtime_ns,
                                                                mark->ctime_ns, cycle->owner->digest};
    return true;
}

static bool visit_marked(void *user, const char *directory, struct walk_mark *mark, bool *found, struct error *err)
{
    struct cycle *cycle = user;
    struct directory_mark stored;
    if (!ledger_mark_get(cycle->owner->ledger, cycle->owner->source.id, directory, &stored, found, err)) return false;
    if (*found && stored.options_digest != cycle->owner->digest) *found = false;
    if (*found) *mark = (struct walk_mark){directory, stored.device, stored.inode, stored.mtime_ns, stored.ctime_ns};
    return true;
}

static bool is_told(struct discoverer *owner, const char *directory)
{
    uint64_t hash = hash_bytes(directory, strlen(directory));
    for (size_t i = 0; i < owner->unreadable_count; i++)
        if (owner->unreadable[i] == hash) return true;
    if (owner->unreadable_count == owner->unreadable_capacity) {
        size_t wanted = owner->unreadable_capacity ? owner->unreadable_capacity * 2 : 16;
        uint64_t *grown = ARENA_ARRAY(owner->arena, uint64_t, wanted);
        if (owner->unreadable_count) memcpy(grown, owner->unreadable, owner->unreadable_count * sizeof *grown);
        owner->unreadable = grown;
        owner->unreadable_capacity = wanted;
    }
    owner->unreadable[owner->unreadable_count++] = hash;
    return false;
}

static void visit_unreadable(void *user, const char *directory, const struct error *why)
{
    struct cycle *cycle = user;
    cycle->report->unreadable++;
    if (!is_told(cycle->owner, directory)) log_event(cycle->owner->context, LOG_WARN, "listing.unreadable", "folder=%s %s", directory, why->message);
}

/* Files that somebody was still writing get their next look. */
static bool look_again(struct cycle *cycle, struct error *err)
{
    struct discoverer *owner = cycle->owner;
    struct arena *arena = arena_new("unsettled");
    struct unsettled_file *files, last;
    const struct unsettled_file *after = NULL;
    size_t count;
    bool ok = true;
    do {
        ok = ledger_unsettled(owner->ledger, owner->source.id, after, 1000, arena, &files, &count, err);
        for (size_t i = 0; ok && i < count; i++) {
            struct judging judging = judging_of(cycle);
            judging.first_look = false; /* It was still growing then: it is new. */
            if (files[i].reason && strcmp(files[i].reason, RETAKE_REASON) == 0) judging.newest_us = INT64_MIN; /* It was admitted once: maxFileAge had its say. */
            struct sighting sighting = files[i].sighting;
            struct judgement judgement = judge(&judging, &sighting);
            add(cycle, &sighting, &judgement);
        }
        ok = ok && flush_full(cycle, err);
        if (ok && count) last = files[count - 1], after = &last;
    } while (ok && count == 1000);
    arena_free(arena);
    return ok;
}

/* --- Notifications ------------------------------------------------------------------------------------------ */

static bool take_hint(struct cycle *cycle, const struct walk_visitor *visitor, const struct notify_hint *hint, struct error *err)
{
    struct discoverer *owner = cycle->owner;
    struct walk_stats stats;
    if (!hint->name) return walk_run_under(owner->walk, hint->directory, visitor, cycle->now_us, &owner->context->cancel, &stats, err);
    struct sighting sighting;
    bool found, known;
    if (!walk_look_at(owner->walk, hint->directory, hint->name, &sighting, &found, err)) return false;
    if (!found) return true;
    int64_t mtime = sighting.mtime_us;
    const int64_t *mtimes = owner->source.identity == IDENTITY_PATH_AND_MTIME ? &mtime : NULL;
    if (!ledger_known(owner->ledger, &owner->source, hint->directory, &hint->name, mtimes, 1, &known, err)) return false;
    if (known) return true;
    sighting.known_complete = hint->known_complete;
    return visitor->found(cycle, &sighting, err);
}

static bool take_hints(struct cycle *cycle, const struct walk_visitor *visitor, bool *rescan, struct error *err)
{
    struct discoverer *owner = cycle->owner;
    struct arena *arena = arena_new("hints");
    struct notify_batch batch;
    bool ok = inotify_notify.poll(owner->notify, 0, arena, &batch, err);
    *rescan = ok && batch.rescan;
    for (size_t i = 0; ok && !*rescan && i < batch.count; i++) ok = take_hint(cycle, visitor, &batch.hints[i], err);
    arena_free(arena);
    return ok;
}

static bool is_limited(struct discoverer *discoverer)
{
    const char *why = inotify_notify.limited(discoverer->notify);
    if (why && !discoverer->limited_said) log_event(discoverer->context, LOG_WARN, "notify.limited", "%s", why);
    discoverer->limited_said = why != NULL;
    return why != NULL;
}

/* Is a listing due? Always without notifications; with them at the start, by backfillInterval, and where not all is watched. */
static bool listing_due(struct discoverer *discoverer, int64_t now_us)
{
    int64_t backfill = discoverer->reader->settings.backfill_interval_us;
    if (!discoverer->notify || !discoverer->last_list_us) return true;
    if (is_limited(discoverer) && now_us - discoverer->last_list_us >= LIMITED_INTERVAL_US) return true;
    if (now_us - discoverer->last_list_us >= FULL_PASS_US || now_us < discoverer->last_list_us) return true;
    return backfill > 0 && now_us - discoverer->last_list_us >= backfill;
}

static bool list_all(struct cycle *cycle, const struct walk_visitor *visitor, struct error *err)
{
    struct discoverer *owner = cycle->owner;
    /* Marks are void once a day: whatever went wrong with one is mended then. */
    bool full = cycle->now_us - owner->last_full_us >= FULL_PASS_US || cycle->now_us < owner->last_full_us;
    if (full && owner->started_us && !ledger_marks_clear(owner->ledger, owner->source.id, err)) return false;
    if (full) owner->last_full_us = cycle->now_us;
    struct walk_stats stats;
    if (!walk_run(owner->walk, visitor, cycle->now_us, &owner->context->cancel, &stats, err)) return false;
    owner->last_list_us = cycle->now_us;
    log_event(owner->context, LOG_DEBUG, "listing.done", "folders=%" PRId64 " unchanged=%" PRId64 " known=%" PRId64 " new=%" PRId64, stats.directories,
              stats.directories_passed_over, stats.files_known, stats.files_found);
    return true;
}

/* What the cycle leaves behind beside files; written only where it changes. */
static bool finish(struct cycle *cycle, int64_t full_before, struct early_plan *early, struct error *err)
{
    struct discoverer *owner = cycle->owner;
    struct ledger_setting notes[3];
    size_t count = 0;
    bool first = owner->started_us == 0;
    if (first) notes[count++] = (struct ledger_setting){STARTED_SETTING, arena_printf(cycle->arena, "%" PRId64, cycle->now_us)};
    if (cycle->newest_us > owner->newest_us && owner->reader->settings.max_file_age_us >= 0)
        notes[count++] = (struct ledger_setting){NEWEST_SETTING, arena_printf(cycle->arena, "%" PRId64, cycle->newest_us)};
    if (owner->last_full_us != full_before)
        notes[count++] = (struct ledger_setting){FULL_PASS_SETTING, arena_printf(cycle->arena, "%" PRId64, owner->last_full_us)};
    int64_t newest = cycle->newest_us;
    if (!flush(cycle, notes, count, early, err)) return false;
    if (first) owner->started_us = cycle->now_us;
    if (newest > owner->newest_us) owner->newest_us = newest;
    return true;
}

bool discoverer_look(struct discoverer *discoverer, struct early_plan *early, struct discovery_report *report, struct error *err)
{
    memset(report, 0, sizeof *report);
    struct cycle cycle = {.owner = discoverer, .report = report, .arena = arena_new("cycle"), .fresh_arena = arena_new("fresh files"),
                          .now_us = context_now_us(discoverer->context), .newest_us = INT64_MIN};
    struct walk_visitor visitor = {.user = &cycle, .known = visit_known, .found = visit_found, .seen = visit_seen, .marked = visit_marked,
                                   .unreadable = visit_unreadable};
    int64_t full_before = discoverer->last_full_us;
    bool rescan = false;
    bool ok = look_again(&cycle, err);
    if (ok && discoverer->notify) ok = take_hints(&cycle, &visitor, &rescan, err);
    if (ok && (rescan || listing_due(discoverer, cycle.now_us))) ok = list_all(&cycle, &visitor, err);
    if (ok) ok = judge_fresh(&cycle, err) && finish(&cycle, full_before, early, err);
    if (ok && discoverer->notify) ok = inotify_notify.acknowledge(discoverer->notify, err);
    if (!ok) { /* What was told or listed is not in the ledger: a service that goes on (a full disk) must list again. */
        discoverer->last_list_us = 0;
        discoverer->last_full_us = full_before;
    }
    arena_free(cycle.fresh_arena);
    arena_free(cycle.arena);
    return ok || error_context(err, "looking for new files");
}

/* --- Waiting ------------------------------------------------------------------------------------------------ */

static int64_t next_listing_us(struct discoverer *discoverer)
{
    if (!discoverer->notify) return discoverer->last_list_us + LIST_INTERVAL_US;
    int64_t next = discoverer->last_list_us + FULL_PASS_US, backfill = discoverer->reader->settings.backfill_interval_us;
    if (backfill > 0) next = discoverer->last_list_us + backfill;
    if (is_limited(discoverer) && discoverer->last_list_us + LIMITED_INTERVAL_US < next) next = discoverer->last_list_us + LIMITED_INTERVAL_US;
    return next;
}

static int64_t steady_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* How long to wait for, at most: a wall clock that was set back must not make an hour of it. */
static int64_t wait_length_us(struct discoverer *discoverer, int64_t until_us)
{
    int64_t now = context_now_us(discoverer->context), end = next_listing_us(discoverer);
    if (until_us && until_us < end) end = until_us;
    int64_t longest = discoverer->notify ? ROOTS_INTERVAL_US : LIST_INTERVAL_US;
    return end - now < longest ? end - now : longest;
}

bool discoverer_wait(struct discoverer *discoverer, int64_t until_us, struct error *err)
{
    int64_t end = steady_us() + wait_length_us(discoverer, until_us);
    struct pollfd watch = {.fd = discoverer->notify ? inotify_notify.fd(discoverer->notify) : -1, .events = POLLIN};
    for (;;) {
        int64_t left_ms = (end - steady_us() + 999) / 1000;
        if (cancel_soon(&discoverer->context->cancel) || left_ms <= 0) return true;
        int timeout = left_ms < POLL_SLICE_MS ? (int)left_ms : POLL_SLICE_MS;
        int ready = poll(&watch, 1, timeout); /* A negative fd is passed over: then this is a sleep. */
        if (ready < 0 && errno != EINTR) return error_errno(err, "could not wait for notifications");
        if (ready > 0) return true;
    }
}

/* --- Preview: the same rules, nothing written ----------------------------------------------------------------- */

struct preview {
    const struct pipeline_reader *reader;
    struct ledger *ledger;
    struct ledger_source source;
    struct judging judging;
    preview_fn call;
    void *user;
};

static bool preview_known(void *user, const char *directory, const char *const *names, const int64_t *mtimes_us, size_t count, bool *known, struct error *err)
{
    struct preview *preview = user;
    if (preview->ledger) return ledger_known(preview->ledger, &preview->source, directory, names, mtimes_us, count, known, err);
    memset(known, 0, count * sizeof *known);
    return true;
}

static bool preview_found(void *user, const struct sighting *sighting, struct error *err)
{
    struct preview *preview = user;
    struct sighting fresh = *sighting;
    struct judgement judgement = judge(&preview->judging, &fresh);
    return judgement.verdict == ADMIT_FORGET || preview->call(preview->user, &fresh, judgement.verdict, judgement.reason, err);
}

bool discover_preview(const struct pipeline_reader *reader, struct ledger *ledger, struct inlet_context *context, preview_fn call, void *user, struct error *err)
{
    struct arena *arena = arena_new("preview");
    struct preview preview = {.reader = reader, .ledger = ledger, .source = discoverer_source(reader), .call = call, .user = user};
    int64_t started = 0, newest = INT64_MIN;
    bool ok = !ledger || (ledger_setting_int(ledger, STARTED_SETTING, 0, &started, err) && ledger_setting_int(ledger, NEWEST_SETTING, INT64_MIN, &newest, err));
    preview.judging = (struct judging){&reader->settings, started == 0, newest, context_now_us(context)};
    struct walk_visitor visitor = {.user = &preview, .known = preview_known, .found = preview_found};
    struct walk *walk = ok ? make_walk(reader, arena, false, false, false, err) : NULL;
    struct walk_stats stats;
    ok = walk && walk_run(walk, &visitor, preview.judging.now_us, &context->cancel, &stats, err);
    arena_free(arena);
    return ok;
}

const char *discover_why_not(const struct pipeline_reader *reader, const char *path, struct arena *arena, struct error *err)
{
    struct walk *walk = make_walk(reader, arena, false, false, false, err);
    return walk ? walk_why_not(walk, path, arena) : NULL;
}

bool discover_judge(const struct pipeline_reader *reader, struct ledger *ledger, struct inlet_context *context, struct sighting *sighting,
                    enum admission_verdict *verdict, const char **reason, struct error *err)
{
    int64_t started = 0, newest = INT64_MIN;
    if (ledger && (!ledger_setting_int(ledger, STARTED_SETTING, 0, &started, err) || !ledger_setting_int(ledger, NEWEST_SETTING, INT64_MIN, &newest, err)))
        return false;
    struct judging judging = {&reader->settings, started == 0, newest, context_now_us(context)};
    struct judgement judgement = judge(&judging, sighting);
    *verdict = judgement.verdict;
    *reason = judgement.reason;
    return true;
}
