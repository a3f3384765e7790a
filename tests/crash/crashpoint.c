/* crashpoint -- runs a command and stops it at its N-th state-changing system call: killed before or after it, or the call made to fail.
 *
 *   crashpoint [--only=CLASS,...] [--list=FILE] [--record=FILE] [ACTION] -- COMMAND [ARGUMENT...]
 *
 *   --kill-before=N      SIGKILL to every process of the command right before call N runs
 *   --kill-after=N       the same right after it
 *   --fail=N:ERRNO       call N returns ERRNO without having run (ERRNO by name: ENOSPC, EIO, EINTR, EMFILE, ...)
 *   --fail-from=N:ERRNO  call N and all behind it
 *   --lie=N:ERRNO        call N runs, but its caller is told ERRNO
 *   --short=N            write N is given half its bytes
 *   --list=FILE          one line a call: number, class, name, result, path, second path (tab-separated)
 *   --record=FILE        what each call that succeeded did, with the bytes it wrote: enough to do it again (tests/crash/powercut.py)
 *   --only=CLASS,...     what is counted; default: all but open, read and stream
 *
 * Classes: create (open that may create or truncate), write, sync, truncate, rename, link, unlink, mkdir, rmdir, attribute, and
 * open (every other open), read, stream (writes to pipes, terminals, sockets).
 * Exit: the command's own status; 137 where it was killed; 125 for a fault of this program. A last line "calls N" and, where the action
 * took place, "hit N" goes to the --list file. Works by seccomp (RET_TRACE) and ptrace: only the calls of the set stop, threads and
 * children included, whatever library makes them. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef __x86_64__
#error "crashpoint knows the registers of x86-64 only"
#endif

enum call_class {
    CLASS_CREATE, CLASS_WRITE, CLASS_SYNC, CLASS_TRUNCATE, CLASS_RENAME, CLASS_LINK, CLASS_UNLINK, CLASS_MKDIR, CLASS_RMDIR, CLASS_ATTRIBUTE,
    CLASS_OPEN, CLASS_READ, CLASS_STREAM, CLASS_COUNT
};
static const char *const class_names[CLASS_COUNT] = {"create", "write", "sync", "truncate", "rename", "link", "unlink", "mkdir", "rmdir",
                                                     "attribute", "open", "read", "stream"};

/* Where a call has its paths: argument numbers, -1 for none. A folder argument of AT_CALLER means the working folder. */
enum { NONE = -1, AT_CALLER = -2 };
struct call_shape {
    long number;
    const char *name;
    enum call_class class;
    int fd;                     /* The descriptor it works on. */
    int folder, path;           /* First path. */
    int folder2, path2;         /* Second path. */
};
static const struct call_shape shapes[] = {
    {SYS_open, "open", CLASS_OPEN, NONE, AT_CALLER, 0, NONE, NONE},
    {SYS_openat, "openat", CLASS_OPEN, NONE, 0, 1, NONE, NONE},
    {SYS_creat, "creat", CLASS_CREATE, NONE, AT_CALLER, 0, NONE, NONE},
    {SYS_read, "read", CLASS_READ, 0, NONE, NONE, NONE, NONE},
    {SYS_pread64, "pread", CLASS_READ, 0, NONE, NONE, NONE, NONE},
    {SYS_write, "write", CLASS_WRITE, 0, NONE, NONE, NONE, NONE},
    {SYS_pwrite64, "pwrite", CLASS_WRITE, 0, NONE, NONE, NONE, NONE},
    {SYS_writev, "writev", CLASS_WRITE, 0, NONE, NONE, NONE, NONE},
    {SYS_pwritev, "pwritev", CLASS_WRITE, 0, NONE, NONE, NONE, NONE},
    {SYS_copy_file_range, "copy_file_range", CLASS_WRITE, 2, NONE, NONE, NONE, NONE},
    {SYS_sendfile, "sendfile", CLASS_WRITE, 0, NONE, NONE, NONE, NONE},
    {SYS_fsync, "fsync", CLASS_SYNC, 0, NONE, NONE, NONE, NONE},
    {SYS_fdatasync, "fdatasync", CLASS_SYNC, 0, NONE, NONE, NONE, NONE},
    {SYS_msync, "msync", CLASS_SYNC, NONE, NONE, NONE, NONE, NONE},
    {SYS_sync_file_range, "sync_file_range", CLASS_ATTRIBUTE, 0, NONE, NONE, NONE, NONE},
    {SYS_ftruncate, "ftruncate", CLASS_TRUNCATE, 0, NONE, NONE, NONE, NONE},
    {SYS_truncate, "truncate", CLASS_TRUNCATE, NONE, AT_CALLER, 0, NONE, NONE},
    {SYS_fallocate, "fallocate", CLASS_TRUNCATE, 0, NONE, NONE, NONE, NONE},
    {SYS_rename, "rename", CLASS_RENAME, NONE, AT_CALLER, 0, AT_CALLER, 1},
    {SYS_renameat, "renameat", CLASS_RENAME, NONE, 0, 1, 2, 3},
    {SYS_renameat2, "renameat2", CLASS_RENAME, NONE, 0, 1, 2, 3},
    {SYS_link, "link", CLASS_LINK, NONE, AT_CALLER, 0, AT_CALLER, 1},
    {SYS_linkat, "linkat", CLASS_LINK, NONE, 0, 1, 2, 3},
    {SYS_symlink, "symlink", CLASS_LINK, NONE, AT_CALLER, 1, NONE, NONE},
    {SYS_symlinkat, "symlinkat", CLASS_LINK, NONE, 1, 2, NONE, NONE},
    {SYS_unlink, "unlink", CLASS_UNLINK, NONE, AT_CALLER, 0, NONE, NONE},
    {SYS_unlinkat, "unlinkat", CLASS_UNLINK, NONE, 0, 1, NONE, NONE},
    {SYS_mkdir, "mkdir", CLASS_MKDIR, NONE, AT_CALLER, 0, NONE, NONE},
    {SYS_mkdirat, "mkdirat", CLASS_MKDIR, NONE, 0, 1, NONE, NONE},
    {SYS_rmdir, "rmdir", CLASS_RMDIR, NONE, AT_CALLER, 0, NONE, NONE},
    {SYS_chmod, "chmod", CLASS_ATTRIBUTE, NONE, AT_CALLER, 0, NONE, NONE},
    {SYS_fchmod, "fchmod", CLASS_ATTRIBUTE, 0, NONE, NONE, NONE, NONE},
    {SYS_fchmodat, "fchmodat", CLASS_ATTRIBUTE, NONE, 0, 1, NONE, NONE},
    {SYS_utimensat, "utimensat", CLASS_ATTRIBUTE, NONE, 0, 1, NONE, NONE},
};
enum { SHAPE_COUNT = sizeof shapes / sizeof *shapes };

static const struct { const char *name; int value; } errnos[] = {
    {"EIO", EIO}, {"ENOSPC", ENOSPC}, {"EINTR", EINTR}, {"EMFILE", EMFILE}, {"ENFILE", ENFILE}, {"EDQUOT", EDQUOT}, {"EFBIG", EFBIG},
    {"EROFS", EROFS}, {"EACCES", EACCES}, {"EPERM", EPERM}, {"ENOMEM", ENOMEM}, {"EXDEV", EXDEV}, {"EINVAL", EINVAL}, {"EAGAIN", EAGAIN}, {"ENOENT", ENOENT}, {"EOPNOTSUPP", EOPNOTSUPP},
};

enum action { ACTION_NONE, KILL_BEFORE, KILL_AFTER, FAIL_ONCE, FAIL_FROM, LIE, SHORT_WRITE };
enum { THREADS_MAX = 1024 };

struct tracee {
    pid_t id;
    bool awaiting_exit;         /* Stopped at a call, now running until its end. */
    long number;                /* Of that call. */
    const struct call_shape *shape;
    enum call_class class;
    char path[PATH_MAX], path2[PATH_MAX];
};

static struct {
    enum action action;
    long at;
    int error;
    bool counted[CLASS_COUNT];
    FILE *list, *record;
    long calls;
    bool hit;
    struct tracee *tracees[THREADS_MAX];
    size_t tracee_count;
    pid_t first;
    int status;
} run;

static void die(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("crashpoint: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(125);
}

/* --- The command's side -------------------------------------------------------------------------------- */

static void install_filter(void)
{
    struct sock_filter code[SHAPE_COUNT + 5];
    size_t size = 0;
    code[size++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
    for (size_t i = 0; i < SHAPE_COUNT; i++)
        code[size++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)shapes[i].number, (unsigned char)(SHAPE_COUNT - i), 0);
    code[size++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    code[size++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE);
    struct sock_fprog program = {(unsigned short)size, code};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) {
        perror("crashpoint: seccomp");
        _exit(125);
    }
}

static pid_t start(char **command)
{
    pid_t id = fork();
    if (id < 0) die("fork: %s", strerror(errno));
    if (id > 0) return id;
    if (ptrace(PTRACE_TRACEME, 0, 0, 0) != 0) _exit(125);
    raise(SIGSTOP);
    install_filter();
    execvp(command[0], command);
    fprintf(stderr, "crashpoint: %s: %s\n", command[0], strerror(errno));
    _exit(125);
}

/* --- Looking at a stopped call --------------------------------------------------------------------------- */

static unsigned long argument(const struct user_regs_struct *registers, int which)
{
    const unsigned long long values[] = {registers->rdi, registers->rsi, registers->rdx, registers->r10, registers->r8, registers->r9};
    return (unsigned long)values[which];
}

static void read_text(pid_t id, unsigned long address, char out[PATH_MAX])
{
    size_t used = 0;
    while (used + 1 < PATH_MAX) {
        size_t wanted = 256 - (address + used) % 256; /* Never across a page that may be absent. */
        if (wanted > PATH_MAX - 1 - used) wanted = PATH_MAX - 1 - used;
        struct iovec to = {out + used, wanted}, from = {(void *)(address + used), wanted};
        ssize_t got = process_vm_readv(id, &to, 1, &from, 1, 0);
        if (got <= 0) break;
        if (memchr(out + used, 0, (size_t)got)) return;
        used += (size_t)got;
    }
    out[used] = 0;
}

static void path_of_fd(pid_t id, int fd, char out[PATH_MAX])
{
    char link[64];
    if (fd == AT_FDCWD) snprintf(link, sizeof link, "/proc/%d/cwd", (int)id);
    else snprintf(link, sizeof link, "/proc/%d/fd/%d", (int)id, fd);
    ssize_t size = readlink(link, out, PATH_MAX - 1);
    out[size > 0 ? size : 0] = 0;
}

static void path_of(pid_t id, const struct user_regs_struct *registers, int folder, int name, char out[PATH_MAX])
{
    char text[PATH_MAX], base[PATH_MAX];
    out[0] = 0;
    if (name == NONE) return;
    read_text(id, argument(registers, name), text);
    if (strncmp(text, "/proc/self/fd/", 14) == 0) { /* A file without a name, on its way to one. */
        path_of_fd(id, atoi(text + 14), out);
        return;
    }
    if (text[0] == '/') {
        memcpy(out, text, strlen(text) + 1);
        return;
    }
    path_of_fd(id, folder == AT_CALLER ? AT_FDCWD : (int)argument(registers, folder), base);
    if (snprintf(out, PATH_MAX, "%s/%s", base, text) >= PATH_MAX) out[PATH_MAX - 1] = 0;
}

static const struct call_shape *shape_of(long number)
{
    for (size_t i = 0; i < SHAPE_COUNT; i++)
        if (shapes[i].number == number) return &shapes[i];
    return NULL;
}

static enum call_class class_of(const struct call_shape *shape, const struct user_regs_struct *registers, const char *path)
{
    if (shape->number == SYS_open || shape->number == SYS_openat) {
        unsigned long flags = argument(registers, shape->number == SYS_open ? 1 : 2);
        if (flags & O_TRUNC || (flags & O_TMPFILE) == O_TMPFILE) return CLASS_CREATE;
        return flags & O_CREAT && access(path, F_OK) != 0 ? CLASS_CREATE : CLASS_OPEN; /* A file that is there is only opened. */
    }
    if (shape->number == SYS_unlinkat && argument(registers, 2) & AT_REMOVEDIR) return CLASS_RMDIR;
    bool is_stream = path[0] != '/' || strncmp(path, "/dev/pts/", 9) == 0 || strcmp(path, "/dev/null") == 0 || strcmp(path, "/dev/tty") == 0;
    if (shape->class == CLASS_WRITE && is_stream) return CLASS_STREAM;
    return shape->class;
}

/* --- Tracees --------------------------------------------------------------------------------------------- */

static struct tracee *tracee_of(pid_t id)
{
    for (size_t i = 0; i < run.tracee_count; i++)
        if (run.tracees[i]->id == id) return run.tracees[i];
    if (run.tracee_count == THREADS_MAX) die("more than %d threads", THREADS_MAX);
    struct tracee *made = calloc(1, sizeof *made);
    if (!made) die("out of memory");
    made->id = id;
    return run.tracees[run.tracee_count++] = made;
}

static void forget(pid_t id)
{
    for (size_t i = 0; i < run.tracee_count; i++)
        if (run.tracees[i]->id == id) {
            free(run.tracees[i]);
            run.tracees[i] = run.tracees[--run.tracee_count];
            return;
        }
}

static void kill_all(void)
{
    run.hit = true;
    for (size_t i = 0; i < run.tracee_count; i++) kill(run.tracees[i]->id, SIGKILL);
}

static void go_on(pid_t id, bool to_exit, int signal)
{
    ptrace(to_exit ? PTRACE_SYSCALL : PTRACE_CONT, id, 0, (void *)(long)signal); /* Fails where it has just died. */
}

static void list(const struct tracee *tracee, const char *result)
{
    if (!run.list) return;
    fprintf(run.list, "%ld\t%s\t%s\t%s\t%s\t%s\n", tracee->number, class_names[tracee->class], tracee->shape->name, result, tracee->path, tracee->path2);
    fflush(run.list);
}

/* --- What a call did ------------------------------------------------------------------------------------- */

/* Which file that is, of all there ever are: device:inode; "-" where there is none. */
static void identify(const char *path, bool follow_links, char out[64])
{
    struct stat info;
    if ((follow_links ? stat(path, &info) : lstat(path, &info)) != 0) snprintf(out, 64, "-");
    else snprintf(out, 64, "%llu:%llu", (unsigned long long)info.st_dev, (unsigned long long)info.st_ino);
}

/* The position and the flags of an open file. */
static void look_at_fd(pid_t id, int fd, long long *position, unsigned long *flags)
{
    char name[64], line[128];
    snprintf(name, sizeof name, "/proc/%d/fdinfo/%d", (int)id, fd);
    FILE *file = fopen(name, "re");
    if (!file) die("%s: %s", name, strerror(errno));
    while (fgets(line, sizeof line, file)) {
        sscanf(line, "pos: %lld", position);
        sscanf(line, "flags: %lo", flags);
    }
    fclose(file);
}

/* The bytes that a write has left, read back from the file. */
static void record_bytes(const char *file, long long offset, long long size)
{
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    if (fd < 0) die("%s: %s", file, strerror(errno));
    while (size > 0) {
        char bytes[65536];
        ssize_t got = pread(fd, bytes, size < (long long)sizeof bytes ? (size_t)size : sizeof bytes, offset);
        if (got <= 0) die("what was written to %s cannot be read back", file);
        fwrite(bytes, 1, (size_t)got, run.record);
        offset += got;
        size -= got;
    }
    close(fd);
}

/* A line: number, class, name, file, second file, offset (a truncate: the size; an attribute: the time), flags, length, path, second path;
 * then that many bytes and the end of the line. */
static void record(pid_t id, const struct tracee *tracee, const struct user_regs_struct *registers)
{
    long long result = (long long)registers->rax, offset = 0, length = 0;
    if (!run.record || result < 0) return;
    long call = tracee->shape->number;
    unsigned long flags = 0;
    char file[64] = "", self[64] = "-", other[64] = "-";
    bool is_open = tracee->class == CLASS_CREATE;
    bool by_fd = is_open || tracee->shape->fd != NONE || (call == SYS_utimensat && argument(registers, 1) == 0);
    int fd = is_open ? (int)result : (int)argument(registers, tracee->shape->fd != NONE ? tracee->shape->fd : 0);
    if (by_fd) snprintf(file, sizeof file, "/proc/%d/fd/%d", (int)id, fd);
    identify(by_fd ? file : tracee->path, by_fd, self);
    if (tracee->path2[0]) identify(tracee->path2, false, other);
    struct stat info;
    if (tracee->class == CLASS_WRITE) {
        length = result;
        look_at_fd(id, fd, &offset, &flags);
        offset -= result;
        if (call == SYS_pwrite64 || call == SYS_pwritev) offset = (long long)argument(registers, 3);
        if (call == SYS_copy_file_range && argument(registers, 3)) die("copy_file_range at an offset cannot be recorded");
    } else if (is_open) {
        flags = call == SYS_creat ? O_CREAT | O_TRUNC : argument(registers, call == SYS_open ? 1 : 2);
    } else if (tracee->class == CLASS_TRUNCATE && stat(by_fd ? file : tracee->path, &info) == 0) {
        offset = (long long)info.st_size;
    } else if (call == SYS_utimensat && stat(by_fd ? file : tracee->path, &info) == 0) {
        offset = (long long)info.st_mtim.tv_sec * 1000000000 + info.st_mtim.tv_nsec;
    }
    fprintf(run.record, "%ld\t%s\t%s\t%s\t%s\t%lld\t%lu\t%lld\t%s\t%s\n", tracee->number, class_names[tracee->class], tracee->shape->name, self, other,
            offset, flags, length, tracee->path, tracee->path2);
    if (length > 0) record_bytes(file, offset, length);
    fputc('\n', run.record);
}

static bool is_hit(long number)
{
    return run.action == FAIL_FROM ? number >= run.at : number == run.at && run.action != ACTION_NONE;
}

/* What a build with --coverage writes when the program has ended: never disturbed, or the counters of the very runs that count would be lost. */
static bool are_counters(const char *path)
{
    size_t size = strlen(path);
    return size > 5 && strcmp(path + size - 5, ".gcda") == 0;
}

static void end_of_program(pid_t id)
{
    memset(run.counted, 0, sizeof run.counted);
    go_on(id, false, 0);
}

/* The call is about to run. */
static void at_call(pid_t id)
{
    struct user_regs_struct registers;
    struct tracee *tracee = tracee_of(id);
    if (ptrace(PTRACE_GETREGS, id, 0, &registers) != 0) return go_on(id, false, 0);
    const struct call_shape *shape = shape_of((long)registers.orig_rax);
    if (!shape) return go_on(id, false, 0);
    tracee->path2[0] = 0;
    if (shape->fd != NONE) path_of_fd(id, (int)argument(&registers, shape->fd), tracee->path);
    else path_of(id, &registers, shape->folder, shape->path, tracee->path);
    path_of(id, &registers, shape->folder2, shape->path2, tracee->path2);
    tracee->shape = shape;
    if (are_counters(tracee->path)) return end_of_program(id);
    tracee->class = class_of(shape, &registers, tracee->path);
    if (!run.counted[tracee->class]) return go_on(id, false, 0);
    tracee->number = ++run.calls;
    tracee->awaiting_exit = true;
    if (!is_hit(tracee->number)) return go_on(id, run.list || run.record, 0);
    if (run.action == KILL_BEFORE) {
        list(tracee, "killed before");
        return kill_all();
    }
    if (run.action == FAIL_ONCE || run.action == FAIL_FROM) {
        run.hit = true;
        registers.orig_rax = (unsigned long long)-1; /* Skipped; the caller sees rax. */
        registers.rax = (unsigned long long)-(long)run.error;
        ptrace(PTRACE_SETREGS, id, 0, &registers);
        tracee->awaiting_exit = false;
        list(tracee, strerrorname_np(run.error));
        return go_on(id, false, 0);
    }
    if (run.action == SHORT_WRITE && tracee->class == CLASS_WRITE && shape->number != SYS_writev && shape->number != SYS_pwritev && registers.rdx > 1) {
        run.hit = true;
        registers.rdx /= 2;
        ptrace(PTRACE_SETREGS, id, 0, &registers);
    }
    go_on(id, true, 0);
}

/* The call has run. */
static void at_exit_of_call(pid_t id)
{
    struct tracee *tracee = tracee_of(id);
    struct user_regs_struct registers;
    if (!tracee->awaiting_exit || ptrace(PTRACE_GETREGS, id, 0, &registers) != 0) return go_on(id, false, 0);
    tracee->awaiting_exit = false;
    char result[32];
    snprintf(result, sizeof result, "%lld", (long long)registers.rax);
    bool hit = is_hit(tracee->number);
    list(tracee, hit && run.action == KILL_AFTER ? "killed after" : result);
    record(id, tracee, &registers);
    if (hit && run.action == KILL_AFTER) return kill_all();
    if (hit && run.action == LIE) {
        run.hit = true;
        registers.rax = (unsigned long long)-(long)run.error;
        ptrace(PTRACE_SETREGS, id, 0, &registers);
    }
    go_on(id, false, 0);
}

static void on_stop(pid_t id, int status)
{
    int signal = WSTOPSIG(status), event = status >> 16;
    bool dying = run.hit && (run.action == KILL_BEFORE || run.action == KILL_AFTER);
    if (dying) {
        tracee_of(id); /* Born while the others were killed. */
        kill(id, SIGKILL);
        return;
    }
    if (event == PTRACE_EVENT_SECCOMP) return at_call(id);
    if (signal == (SIGTRAP | 0x80)) return at_exit_of_call(id);
    if (event) { /* fork, vfork, clone, exec */
        unsigned long other;
        if (event != PTRACE_EVENT_EXEC && ptrace(PTRACE_GETEVENTMSG, id, 0, &other) == 0) tracee_of((pid_t)other);
        return go_on(id, false, 0);
    }
    bool is_birth = signal == SIGSTOP; /* The stop every new tracee begins with. */
    tracee_of(id);
    go_on(id, false, is_birth ? 0 : signal);
}

static void follow(void)
{
    for (;;) {
        int status;
        pid_t id = waitpid(-1, &status, __WALL);
        if (id < 0 && errno == EINTR) continue;
        if (id < 0) return;
        if (WIFSTOPPED(status)) on_stop(id, status);
        else {
            if (id == run.first) run.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
            forget(id);
        }
    }
}

/* --- Arguments ------------------------------------------------------------------------------------------- */

static int errno_of(const char *name)
{
    for (size_t i = 0; i < sizeof errnos / sizeof *errnos; i++)
        if (strcmp(errnos[i].name, name) == 0) return errnos[i].value;
    die("unknown errno '%s'", name);
    return 0;
}

static void parse_only(char *text)
{
    memset(run.counted, 0, sizeof run.counted);
    for (char *next, *at = text; at; at = next) {
        next = strchr(at, ',');
        if (next) *next++ = 0;
        size_t i = 0;
        while (i < CLASS_COUNT && strcmp(class_names[i], at) != 0) i++;
        if (i == CLASS_COUNT) die("unknown class '%s'", at);
        run.counted[i] = true;
    }
}

static void parse_action(const char *name, const char *value)
{
    static const struct { const char *name; enum action action; bool with_errno; } actions[] = {
        {"kill-before", KILL_BEFORE, false}, {"kill-after", KILL_AFTER, false}, {"fail", FAIL_ONCE, true},
        {"fail-from", FAIL_FROM, true}, {"lie", LIE, true}, {"short", SHORT_WRITE, false}};
    for (size_t i = 0; i < sizeof actions / sizeof *actions; i++) {
        if (strcmp(actions[i].name, name) != 0) continue;
        char *end;
        run.action = actions[i].action;
        run.at = strtol(value, &end, 10);
        if (run.at < 1 || end == value || *end != (actions[i].with_errno ? ':' : 0)) die("--%s wants N%s", name, actions[i].with_errno ? ":ERRNO" : "");
        if (actions[i].with_errno) run.error = errno_of(end + 1);
        return;
    }
    die("unknown option --%s", name);
}

static char **parse(char **at)
{
    for (size_t i = 0; i < CLASS_COUNT; i++) run.counted[i] = i < CLASS_OPEN;
    for (; *at && strcmp(*at, "--") != 0; at++) {
        char *value = strchr(*at, '=');
        if (strncmp(*at, "--", 2) != 0 || !value) die("what is '%s'?", *at);
        *value++ = 0;
        bool is_list = strcmp(*at, "--list") == 0;
        if (strcmp(*at, "--only") == 0) parse_only(value);
        else if (is_list || strcmp(*at, "--record") == 0) {
            FILE *file = *(is_list ? &run.list : &run.record) = fopen(value, "we");
            if (!file) die("%s: %s", value, strerror(errno));
        } else parse_action(*at + 2, value);
    }
    if (!*at || !at[1]) die("no command behind --");
    return at + 1;
}

int main(int count, char **words)
{
    (void)count;
    char **command = parse(words + 1);
    run.first = start(command);
    int status;
    if (waitpid(run.first, &status, 0) != run.first || !WIFSTOPPED(status)) die("the command did not start");
    long options = PTRACE_O_TRACESECCOMP | PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACEEXEC |
                   PTRACE_O_EXITKILL;
    if (ptrace(PTRACE_SETOPTIONS, run.first, 0, options) != 0) die("ptrace: %s", strerror(errno));
    tracee_of(run.first);
    go_on(run.first, false, 0);
    follow();
    if (run.list) {
        fprintf(run.list, "calls %ld\n", run.calls);
        if (run.hit) fprintf(run.list, "hit %ld\n", run.at);
        fclose(run.list);
    }
    if (run.record && fclose(run.record) != 0) die("the record could not be written");
    return run.status;
}
