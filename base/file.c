/* file -- reads and durable writes by the rules F1-F7: drafts, full writes, fsync once, rename or link, directory fsync. */
#include "base/file.h"
#include "base/draft.h"
#include "base/plant.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

bool file_read_all(const char *path, size_t size_max, struct buffer *out, struct error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return error_errno(err, "could not open file \"%s\"", path);
    for (;;) {
        uint8_t *to = buffer_reserve(out, 64 << 10);
        ssize_t got = read(fd, to, 64 << 10);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) {
            error_errno(err, "could not read file \"%s\"", path);
            close(fd);
            return false;
        }
        if (got == 0) break;
        out->size += (size_t)got;
        if (out->size > size_max) {
            close(fd);
            return error_set(err, COND_INLET_DAMAGED_FILE, "file \"%s\" is larger than %zu bytes", path, size_max);
        }
    }
    close(fd);
    return true;
}

bool write_all(int fd, const void *data, size_t size, const char *name, struct error *err)
{
    const uint8_t *at = data;
    while (size) {
        ssize_t written = write(fd, at, size);
        if (written < 0 && errno == EINTR && !PLANTED(16)) continue;
        if (written < 0) return error_errno(err, "could not write file \"%s\"", name);
        if (PLANTED(15)) return true;
        at += written;
        size -= (size_t)written;
    }
    return true;
}

bool file_sync(int fd, const char *name, struct error *err)
{
    if (fsync(fd) == 0 || (PLANTED(18) && fsync(fd) == 0)) return true;
    error_errno(err, "could not sync file \"%s\"", name);
    return false;
}

bool directory_sync(const char *path, struct error *err)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return error_errno(err, "could not open folder \"%s\"", path);
    bool ok = file_sync(fd, path, err);
    close(fd);
    return ok;
}

static void parent_of(const char *path, char out[PATH_MAX])
{
    const char *slash = strrchr(path, '/');
    size_t size = slash ? (size_t)(slash - path) : 0;
    if (!slash) snprintf(out, PATH_MAX, ".");
    else if (size == 0) snprintf(out, PATH_MAX, "/");
    else snprintf(out, PATH_MAX, "%.*s", (int)size, path);
}

bool file_sync_parent(const char *path, struct error *err)
{
    char parent[PATH_MAX];
    parent_of(path, parent);
    return directory_sync(parent, err);
}

bool file_replace(const char *path, struct slice bytes, struct error *err)
{
    struct draft draft;
    bool ok = draft_open(&draft, path, err) && write_all(draft.fd, bytes.data, bytes.size, path, err);
    if (ok) return draft_replace(&draft, err);
    draft_discard(&draft);
    return error_context(err, "replacing file \"%s\"", path);
}

bool file_create_if_absent(const char *path, struct slice bytes, bool *existed, struct error *err)
{
    struct draft draft;
    *existed = false;
    bool ok = draft_open(&draft, path, err) && write_all(draft.fd, bytes.data, bytes.size, path, err);
    if (ok || (PLANTED(19) && draft.fd >= 0)) return draft_create(&draft, existed, err);
    draft_discard(&draft);
    return error_context(err, "creating file \"%s\"", path);
}

static bool make_folders(const char *path, bool settle, struct error *err)
{
    struct stat info;
    char parent[PATH_MAX];
    parent_of(path, parent);
    if (stat(path, &info) == 0) {
        if (!S_ISDIR(info.st_mode)) return error_set(err, COND_INLET_IO, "\"%s\" is not a folder", path);
        return !settle || PLANTED(44) || directory_sync(parent, err);
    }
    if (errno != ENOENT) return error_errno(err, "could not look up folder \"%s\"", path);
    if (strcmp(parent, path) != 0 && !make_folders(parent, settle, err)) return false;
    bool is_new = mkdir(path, 0755) == 0;
    if (!is_new && errno != EEXIST) return error_errno(err, "could not create folder \"%s\"", path);
    if (PLANTED(5) || directory_sync(parent, err)) return true;
    if (is_new) rmdir(path); /* Its name may never be durable; whoever comes next would take it for that. */
    return false;
}

bool directories_make(const char *path, struct error *err) { return make_folders(path, false, err); }

bool directories_settle(const char *path, struct error *err) { return make_folders(path, true, err); }

static bool remove_entries(int parent_fd, const char *name, const char *path, struct error *err)
{
    int fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) return errno == ENOENT ? true : error_errno(err, "could not open folder \"%s\"", path);
    DIR *directory = fdopendir(fd);
    if (!directory) {
        close(fd);
        return error_errno(err, "could not read folder \"%s\"", path);
    }
    bool ok = true;
    struct dirent *entry;
    while (ok && (entry = readdir(directory))) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        if (unlinkat(fd, entry->d_name, 0) == 0 || errno == ENOENT) continue;
        if (errno != EISDIR && errno != EPERM) {
            ok = error_errno(err, "could not remove \"%s/%s\"", path, entry->d_name);
            break;
        }
        ok = remove_entries(fd, entry->d_name, path, err);
        if (ok && unlinkat(fd, entry->d_name, AT_REMOVEDIR) != 0 && errno != ENOENT)
            ok = error_errno(err, "could not remove folder \"%s/%s\"", path, entry->d_name);
    }
    closedir(directory);
    return ok;
}

bool directory_remove_tree(const char *path, struct error *err)
{
    if (!remove_entries(AT_FDCWD, path, path, err)) return false;
    if (rmdir(path) != 0 && errno != ENOENT) return error_errno(err, "could not remove folder \"%s\"", path);
    return true;
}

char *path_join(struct arena *arena, const char *directory, const char *name)
{
    if (name[0] == '/') return arena_strdup(arena, name);
    size_t size = strlen(directory);
    const char *slash = size && directory[size - 1] == '/' ? "" : "/";
    return arena_printf(arena, "%s%s%s", directory, slash, name);
}

char *path_absolute(struct arena *arena, const char *base_dir, const char *path)
{
    char *joined = path_join(arena, base_dir, path);
    char *out = arena_alloc(arena, strlen(joined) + 2);
    size_t used = 0;
    for (const char *at = joined; *at;) {
        while (*at == '/') at++;
        size_t size = strcspn(at, "/");
        if (size == 2 && memcmp(at, "..", 2) == 0) {
            while (used && out[--used] != '/') {}
        } else if (size && !(size == 1 && *at == '.')) {
            out[used++] = '/';
            memcpy(out + used, at, size);
            used += size;
        }
        at += size;
    }
    if (used == 0) out[used++] = '/';
    out[used] = 0;
    return out;
}

const char *path_basename(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}
