/* staging -- the folder where a batch's files wait: <path>/_inlet/<query id>/<batch>-NNNNN.staged
 *
 * Files here have another extension than data files and lie below a name that readers skip, so nobody sees
 * half a file. What stands here is durable before the batch is prepared: each created folder's parent
 * is synced, each file is synced before it is closed for good, the folder at the end. It serves every batch: one of
 * its own would cost each batch two more syncs. Publishing renames into place by the manifest alone. Only the own query's folder is ever swept, through folder
 * descriptors and without following symlinks. */
#pragma once
#include "base/file.h"
#include "sinks/sink.h"

#define STAGING_FOLDER "_inlet"
#define STAGING_SUFFIX ".staged"

struct staging {
    int folder;         /* Descriptor; -1: none is open. */
    char relative[128]; /* "_inlet/<query id>" */
};

/* Sweeps what older batches of this query left, then makes the folder. `root` must exist. first: of this process, so that
 * what is there may be a killed run's and not durable yet. */
bool staging_begin(struct staging *staging, const char *root, const char *query_id, bool first, struct error *err) MUST_CHECK;
/* Creates a file (there is none yet) for writing; -1: *err. */
int staging_create(const struct staging *staging, const char *name, struct error *err) MUST_CHECK;
/* Opens a file that was synced and closed before, to append to it; -1: *err. */
int staging_reopen(const struct staging *staging, const char *name, struct error *err) MUST_CHECK;
/* Makes the names of all files durable. */
bool staging_sync(const struct staging *staging, struct error *err) MUST_CHECK;
void staging_close(struct staging *staging);

/* Renames every file of the manifest that is still staged to its final name. A file that stands at its final name with the
 * manifest's size is done. Any number of times (L3); again: another process may have begun with it. */
bool staging_rename(const char *root, const struct manifest *manifest, bool again, struct error *err) MUST_CHECK;
/* Makes the names durable. A caller that has other files to sync does so in between: that commits the renames too. */
bool staging_sync_names(const char *root, const struct manifest *manifest, struct error *err) MUST_CHECK;
/* Behind the batch's entry in the sink's log: the renames are durable where they came from, too. */
bool staging_settle(const char *root, const struct manifest *manifest, struct error *err) MUST_CHECK;
/* Removes this query's staged files. What cannot be removed stays. */
void staging_sweep(const char *root, const char *query_id);
/* Removes the query's folder and _inlet where they are empty. */
void staging_tidy(const char *root, const char *query_id);
