/* draft -- a file in the making, which gets its name when it is complete and on disk.
 *
 * It has no name until then (O_TMPFILE), so a crash leaves nothing to sweep. Where the file system has no such
 * files, or there is no /proc to name one by, it lies beside its place as ".NAME.RANDOM.tmp", locked: what a killed
 * process left there is removed by the next draft of the same NAME. */
#pragma once
#include "base/error.h"
#include <limits.h>

struct draft {
    int fd;                 /* For writing; not for closing. */
    bool named, synced;
    char path[PATH_MAX];    /* Where it will stand. */
    char name[PATH_MAX];    /* What it is called until then, if anything. */
};

bool draft_open(struct draft *draft, const char *path, struct error *err) MUST_CHECK;
/* Sends what is written on its way to the disk without waiting, so that the first sync behind it finds all drafts with their
 * blocks: they share one commit of the file system's journal. Only speed comes of it. */
void draft_start(const struct draft *draft);
/* Ahead of naming it: several drafts that are written first and synced behind one another share one commit of the file system's
 * journal. Not needed before draft_create and draft_replace, which sync what is not. */
bool draft_sync(struct draft *draft, struct error *err) MUST_CHECK;
/* Both sync the file, give it its name, sync the folder, and close the draft, whatever comes of it. */
bool draft_create(struct draft *draft, bool *existed, struct error *err) MUST_CHECK; /* Never over an existing file: *existed tells. */
bool draft_replace(struct draft *draft, struct error *err) MUST_CHECK;
/* Gives it its name at once, over what stands there, and syncs nothing: for a file that nobody looks at before another one is
 * there, ahead of which the caller syncs this one and its folder. It stays open until draft_discard. */
bool draft_place(struct draft *draft, struct error *err) MUST_CHECK;
void draft_discard(struct draft *draft);
