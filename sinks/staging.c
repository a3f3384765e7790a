/* staging -- folders by descriptor, renames that may be repeated, and the order of syncs. */
#include "sinks/staging.h"
#include "base/plant.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ENTER_TRIES = 100 };
enum { FOLDER_FLAGS = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC };

static int open_root(const char *root, struct error *err)
{
    int fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC); /* The sink's path itself may be a symlink. */
    if (fd < 0) error_errno(err, "could not open folder \"%s\"", root);
    return fd;
}

/* Opens the folder `name` below `parent`, creating it durably where it is not there. Closes parent. */
static int enter(int parent, const char *root, const char *name, bool first, struct error *err)
{
    int fd = -1;
    bool made = mkdirat(parent, name, 0755) == 0;
    if (!made && errno != EEXIST) error_errno(err, "could not create folder \"%s\" below \"%s\"", name, root);
    else if ((made || first) && fsync(parent) != 0) error_errno(err, "could not sync the folder above \"%s\" below \"%s\"", name, root);
    else if ((fd = openat(parent, name, FOLDER_FLAGS)) < 0) error_errno(err, "could not open folder \"%s\" below \"%s\"", name, root);
    int reason = errno;
    close(parent);
    errno = reason;
    return fd;
}

bool staging_begin(struct staging *staging, const char *root, const char *query_id, bool first, struct error *err)
{
    snprintf(staging->relative, sizeof staging->relative, STAGING_FOLDER "/%s", query_id);
    staging_sweep(root, query_id);
    const char *const levels[] = {STAGING_FOLDER, query_id};
    /* Another query that ends now may remove the empty _inlet between our mkdir and our open. */
    for (int tries = 0; tries < ENTER_TRIES; tries++) {
        int fd = open_root(root, err);
        if (fd < 0) return false;
        for (size_t i = 0; fd >= 0 && i < COUNTOF(levels); i++) fd = enter(fd, root, levels[i], first && !PLANTED(44), err);
        staging->folder = fd;
        if (fd >= 0) return true;
        if (errno != ENOENT) return false;
    }
    return false;
}

int staging_create(const struct staging *staging, const char *name, struct error *err)
{
    int fd = openat(staging->folder, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (fd < 0) error_errno(err, "could not create file \"%s/%s\"", staging->relative, name);
    return fd;
}

int staging_reopen(const struct staging *staging, const char *name, struct error *err)
{
    int fd = openat(staging->folder, name, O_WRONLY | O_APPEND | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) error_errno(err, "could not open file \"%s/%s\"", staging->relative, name);
    return fd;
}

bool staging_sync(const struct staging *staging, struct error *err) { return PLANTED(48) || file_sync(staging->folder, staging->relative, err); }

void staging_close(struct staging *staging)
{
    if (staging->folder >= 0) close(staging->folder);
    staging->folder = -1;
}

/* --- publishing ----------------------------------------------------------------------------------- */

static bool refuse_missing(const struct manifest_file *file, struct error *err)
{
    error_set(err, COND_INLET_SINK_MISMATCH, "the staged file \"%s\" is gone and \"%s\" does not stand in its place with %lld bytes",
              file->staged, file->final_name, (long long)file->size);
    return error_hint(err, "Somebody has changed the sink's folder since the batch was prepared; put the file back.");
}

static bool stands_in_place(int root, const struct manifest_file *file)
{
    struct stat info;
    return fstatat(root, file->final_name, &info, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(info.st_mode) && info.st_size == file->size;
}

/* Never over an existing name, also where the file system has no such rename. */
static int rename_no_replace(int root, const char *from, const char *to)
{
    if (renameat2(root, from, root, to, RENAME_NOREPLACE) == 0) return 0;
    if (errno != EINVAL && errno != ENOSYS) return -1;
    if (linkat(root, from, root, to, 0) != 0) return -1;
    return unlinkat(root, from, 0);
}

static bool publish_file(int root, const struct manifest_file *file, struct error *err)
{
    struct stat info;
    if (fstatat(root, file->staged, &info, AT_SYMLINK_NOFOLLOW) != 0) {
        if (errno != ENOENT && errno != ENOTDIR) return error_errno(err, "could not look up file \"%s\"", file->staged);
        return stands_in_place(root, file) || refuse_missing(file, err);
    }
    if (!S_ISREG(info.st_mode) || info.st_size != file->size)
        return error_set(err, COND_INLET_DAMAGED_FILE, "the staged file \"%s\" has %lld bytes, not %lld as prepared", file->staged,
                         (long long)info.st_size, (long long)file->size);
    if (rename_no_replace(root, file->staged, file->final_name) == 0) return true;
    if (errno != EEXIST) return error_errno(err, "could not rename \"%s\" to \"%s\"", file->staged, file->final_name);
    /* The name is derived from query, batch and plan, so what stands there is an earlier try's. */
    if (!stands_in_place(root, file))
        return error_set(err, COND_INLET_SINK_MISMATCH, "a file \"%s\" of another size stands where a file of this batch belongs", file->final_name);
    if (unlinkat(root, file->staged, 0) != 0) return error_errno(err, "could not remove file \"%s\"", file->staged);
    return true;
}

static int by_text(const void *a, const void *b) { return strcmp(*(const char *const *)a, *(const char *const *)b); }

/* The distinct folders of names, sorted; "" is the root. In the arena. */
static size_t distinct_folders(struct arena *arena, const struct manifest *manifest, bool staged, const char ***out)
{
    const char **folders = ARENA_ARRAY(arena, const char *, manifest->count + 1);
    size_t kept = 0;
    for (size_t i = 0; i < manifest->count; i++) {
        const char *name = staged ? manifest->files[i].staged : manifest->files[i].final_name;
        const char *slash = strrchr(name, '/');
        size_t size = slash ? (size_t)(slash - name) : 0;
        const char *last = kept ? folders[kept - 1] : NULL;
        if (last && strncmp(last, name, size) == 0 && !last[size]) continue;
        folders[kept++] = arena_strndup(arena, name, size);
    }
    qsort(folders, kept, sizeof *folders, by_text);
    size_t count = 0;
    for (size_t i = 0; i < kept; i++)
        if (count == 0 || strcmp(folders[count - 1], folders[i]) != 0) folders[count++] = folders[i];
    *out = folders;
    return count;
}

static bool make_folders(struct arena *arena, const char *root, const char **folders, size_t count, bool again, struct error *err)
{
    for (size_t i = 0; i < count; i++) {
        if (!folders[i][0]) continue;
        const char *path = path_join(arena, root, folders[i]);
        if (!(again ? directories_settle(path, err) : directories_make(path, err))) return false;
    }
    return true;
}

static bool sync_folders(struct arena *arena, const char *root, const char **folders, size_t count, struct error *err)
{
    if (PLANTED(3)) return true;
    for (size_t i = 0; i < count; i++)
        if (!directory_sync(folders[i][0] ? path_join(arena, root, folders[i]) : root, err)) return false;
    return true;
}

/* Staged names that are gone for good must not come back after a power cut; the folder itself may be gone already. */
bool staging_settle(const char *root, const struct manifest *manifest, struct error *err)
{
    if (manifest->count == 0) return true;
    struct arena *arena = arena_new("settle");
    const char **folders;
    size_t count = distinct_folders(arena, manifest, true, &folders);
    bool ok = true;
    for (size_t i = 0; ok && i < count; i++) {
        const char *path = path_join(arena, root, folders[i]);
        struct stat info;
        ok = (stat(path, &info) != 0 && errno == ENOENT) || directory_sync(path, err);
    }
    arena_free(arena);
    return ok;
}

static bool publish_files(const char *root, const struct manifest *manifest, struct error *err)
{
    int fd = open_root(root, err);
    if (fd < 0) return false;
    bool ok = true;
    for (size_t i = 0; ok && i < manifest->count; i++) ok = publish_file(fd, &manifest->files[i], err);
    close(fd);
    return ok;
}

bool staging_rename(const char *root, const struct manifest *manifest, bool again, struct error *err)
{
    if (manifest->count == 0) return true;
    struct arena *arena = arena_new("publish");
    const char **folders;
    size_t count = distinct_folders(arena, manifest, false, &folders);
    bool ok = make_folders(arena, root, folders, count, again, err) && publish_files(root, manifest, err);
    arena_free(arena);
    return ok;
}

bool staging_sync_names(const char *root, const struct manifest *manifest, struct error *err)
{
    if (manifest->count == 0) return true;
    struct arena *arena = arena_new("publish");
    const char **folders;
    size_t count = distinct_folders(arena, manifest, false, &folders);
    bool ok = sync_folders(arena, root, folders, count, err);
    arena_free(arena);
    return ok;
}

/* --- sweeping ------------------------------------------------------------------------------------- */

static bool is_dots(const char *name) { return strcmp(name, ".") == 0 || strcmp(name, "..") == 0; }

/* The folder is flat: what is not a plain file in it was not put there by us and stays. */
static void sweep_query(int parent, const char *query_id)
{
    int fd = openat(parent, query_id, FOLDER_FLAGS);
    DIR *folder = fd >= 0 ? fdopendir(fd) : NULL;
    if (!folder) {
        if (fd >= 0) close(fd);
        return;
    }
    const struct dirent *entry;
    while ((entry = readdir(folder)))
        if (!is_dots(entry->d_name)) unlinkat(fd, entry->d_name, 0);
    closedir(folder);
}

static int open_inlet(int *top, const char *root)
{
    *top = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (*top < 0) return -1;
    int fd = openat(*top, STAGING_FOLDER, FOLDER_FLAGS);
    if (fd < 0) close(*top);
    return fd;
}

void staging_sweep(const char *root, const char *query_id)
{
    if (PLANTED(42)) return;
    int top, fd = open_inlet(&top, root);
    if (fd < 0) return;
    sweep_query(fd, query_id);
    close(fd);
    close(top);
}

void staging_tidy(const char *root, const char *query_id)
{
    int top, fd = open_inlet(&top, root);
    if (fd < 0) return;
    unlinkat(fd, query_id, AT_REMOVEDIR);
    close(fd);
    unlinkat(top, STAGING_FOLDER, AT_REMOVEDIR); /* Fails while another query stages here. */
    close(top);
}
