/* Sees the writes, syncs and changed names of one process and breaks them on purpose. Loaded with LD_PRELOAD, 64-bit Linux only.
 *
 *   cc -O2 -shared -fPIC -pthread -o shim.so shim.c
 *
 * Watched are files that are opened through libc while loaded, and whose path holds MARIGRAM_SHIM_PATH ("/" is every
 * file); a directory's path is taken with a slash at its end, and only its sync is of interest. A write through an O_DSYNC or O_SYNC descriptor is a kind of its own: it is a write and a sync, and it is how
 * LMDB writes its meta page. Not seen: stdio, io_uring, copy_file_range, stores through a writable map, static programs.
 *
 * Settings, all of them optional environment variables; numbers are decimal:
 *   MARIGRAM_SHIM_PATH           what a watched path holds; unset: nothing is watched
 *   MARIGRAM_SHIM_SYNC_DELAY_US  waits so long after each sync, in microseconds
 *   MARIGRAM_SHIM_MASK           which calls count: 1 write, 2 sync, 4 synchronous write, 8 truncate, 16 open,
 *                                64 rename, 128 unlink, 256 mkdir; unset: 15
 *   MARIGRAM_SHIM_KILL_AT        SIGKILL to itself instead of the n-th counted call
 *   MARIGRAM_SHIM_TORN           1: the killed write is done by half first
 *   MARIGRAM_SHIM_FAIL_AT        the n-th counted call fails ...
 *   MARIGRAM_SHIM_FAIL_COUNT     ... and so many in all; unset: 1, 0: all from then on
 *   MARIGRAM_SHIM_ERRNO          ... with this number; unset: 5 (EIO)
 *   MARIGRAM_SHIM_LATE           1: a write that fails is done all the same, as when its sync fails; 2: a
 *                                synchronous one is, any other is not
 *   MARIGRAM_SHIM_CONTROL        file of the block below, shared with the test: what was seen, what was hit, and the
 *                                settings, which the test may change while the process runs
 *   MARIGRAM_SHIM_TRACE          file that every call is appended to, as `struct record` and its bytes
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum kind { WRITE = 1, SYNC = 2, SYNC_WRITE = 4, TRUNCATE = 8, OPEN = 16, MARK = 32, RENAME = 64, UNLINK = 128, MKDIR = 256 };

/* Shared with the test, all little-endian u64 in this order: `Control` in shim.py. */
struct control {
    _Atomic uint64_t writes, syncs, sync_writes, truncates, opens, names; /* calls seen, by kind; names: the last three */
    _Atomic uint64_t counted;                                             /* calls seen that the mask counts */
    _Atomic uint64_t hits;                                                /* faults made */
    _Atomic uint64_t mask, kill_at, torn, fail_at, fail_count, fail_errno, late, sync_delay_us;
};

/* One call in the trace: `Record` in shim.py. Followed by `size` bytes: data written, path opened,
 * unlinked or made, the two paths of a rename with a NUL between, or the mark. */
struct record {
    uint32_t kind, file; /* file: number of the inode in order of first opening, from 1 */
    uint64_t offset;     /* of the write; new length of the file for a truncate, length found for an open */
    uint64_t size;
};

enum { DESCRIPTORS = 65536, FILES = 4096 };
static struct { _Atomic uint32_t file; _Atomic uint8_t synchronous; } watched[DESCRIPTORS];
static struct { dev_t device; ino_t inode; } files[FILES];
static uint32_t file_count;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of `files`, and of the order of calls in the trace */
static struct control private_control, *control = &private_control;
static const char *path_part;
static int trace = -1;

/* Raw calls: no look-up of libc's own, so nothing depends on when this is loaded. */
static int raw_open(int dir, const char *path, int flags, mode_t mode) {
    return (int)syscall(SYS_openat, dir, path, flags, mode);
}

static void setting(const char *name, _Atomic uint64_t *to) {
    const char *text = getenv(name);
    if (text && *text) *to = strtoull(text, NULL, 10);
}

__attribute__((constructor)) static void start(void) {
    const char *name = getenv("MARIGRAM_SHIM_CONTROL");
    if (name && *name) {
        int fd = raw_open(AT_FDCWD, name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        void *map = MAP_FAILED;
        if (fd >= 0 && syscall(SYS_ftruncate, fd, sizeof *control) == 0)
            map = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (map == MAP_FAILED) { perror("shim: control"); abort(); }
        control = map;
        syscall(SYS_close, fd);
    }
    if (!control->mask) control->mask = WRITE | SYNC | SYNC_WRITE | TRUNCATE;
    if (!control->fail_errno) control->fail_errno = EIO;
    if (!control->fail_at) control->fail_count = 1;
    setting("MARIGRAM_SHIM_MASK", &control->mask);
    setting("MARIGRAM_SHIM_KILL_AT", &control->kill_at);
    setting("MARIGRAM_SHIM_TORN", &control->torn);
    setting("MARIGRAM_SHIM_FAIL_AT", &control->fail_at);
    setting("MARIGRAM_SHIM_FAIL_COUNT", &control->fail_count);
    setting("MARIGRAM_SHIM_ERRNO", &control->fail_errno);
    setting("MARIGRAM_SHIM_LATE", &control->late);
    setting("MARIGRAM_SHIM_SYNC_DELAY_US", &control->sync_delay_us);
    name = getenv("MARIGRAM_SHIM_TRACE");
    if (name && *name) {
        trace = raw_open(AT_FDCWD, name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        if (trace < 0) { perror("shim: trace"); abort(); }
    }
    name = getenv("MARIGRAM_SHIM_PATH");
    if (name && *name) path_part = name;
}

static void append(enum kind kind, uint32_t file, uint64_t offset, const struct iovec *parts, int count, uint64_t size) {
    struct record head = {kind, file, offset, size};
    if (syscall(SYS_write, trace, &head, sizeof head) != (long)sizeof head) abort();
    for (int i = 0; i < count && size; i++) {
        size_t length = parts[i].iov_len < size ? parts[i].iov_len : size;
        if (syscall(SYS_write, trace, parts[i].iov_base, length) != (long)length) abort();
        size -= length;
    }
}

/* Counts a call. Returns 0 if it is to be done, else the error it is to fail with; does not return if it is to kill,
 * but for a write that is to be torn first: then -1. */
static int fault(enum kind kind) {
    switch (kind) {
    case WRITE: control->writes++; break;
    case SYNC: control->syncs++; break;
    case SYNC_WRITE: control->sync_writes++; break;
    case TRUNCATE: control->truncates++; break;
    case OPEN: control->opens++; break;
    default: control->names++; break;
    }
    if (!(control->mask & kind)) return 0;
    uint64_t n = ++control->counted, from = control->fail_at, many = control->fail_count;
    if (control->kill_at && n == control->kill_at) {
        control->hits++;
        if (control->torn && (kind == WRITE || kind == SYNC_WRITE)) return -1;
        syscall(SYS_kill, getpid(), SIGKILL);
    }
    if (from && n >= from && (!many || n - from < many)) {
        control->hits++;
        return (int)control->fail_errno;
    }
    return 0;
}

static void delay(void) {
    uint64_t us = control->sync_delay_us;
    struct timespec rest = {(time_t)(us / 1000000), (long)(us % 1000000 * 1000)};
    if (us) while (nanosleep(&rest, &rest) && errno == EINTR) {}
}

static uint32_t file_of(int fd) {
    return fd >= 0 && fd < DESCRIPTORS ? watched[fd].file : 0;
}

/* Decides whether a descriptor just opened is watched. Returns it, or -1 if the opening was to fail. */
static int opened(int fd, int flags) {
    char link[64], path[4096];
    struct stat info;
    if (fd < 0 || fd >= DESCRIPTORS) return fd;
    watched[fd].file = 0;
    if (!path_part) return fd;
    int before = errno;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 2);
    errno = before;
    if (length < 0 || fstat(fd, &info) || !(S_ISREG(info.st_mode) || S_ISDIR(info.st_mode))) return fd;
    if (S_ISDIR(info.st_mode)) path[length++] = '/';
    path[length] = 0;
    if (!strstr(path, path_part)) return fd;
    int error = fault(OPEN);
    if (error) {
        syscall(SYS_close, fd);
        errno = error;
        return -1;
    }
    pthread_mutex_lock(&lock);
    uint32_t file = 0;
    while (file < file_count && (files[file].device != info.st_dev || files[file].inode != info.st_ino)) file++;
    if (file == FILES) abort();
    if (file == file_count) {
        files[file].device = info.st_dev;
        files[file].inode = info.st_ino;
        file_count++;
    }
    watched[fd].synchronous = (flags & O_DSYNC) != 0; /* O_SYNC holds this bit */
    watched[fd].file = file + 1;
    if (trace >= 0) {
        struct iovec part = {path, (size_t)length};
        append(OPEN, file + 1, (uint64_t)info.st_size, &part, 1, (uint64_t)length);
    }
    pthread_mutex_unlock(&lock);
    return fd;
}

static size_t total(const struct iovec *parts, int count) {
    size_t size = 0;
    for (int i = 0; i < count; i++) size += parts[i].iov_len;
    return size;
}

/* Half of the bytes, then the end. */
static void tear(int fd, const struct iovec *parts, int count, off_t offset) {
    size_t left = total(parts, count) / 2;
    for (int i = 0; i < count && left; i++) {
        size_t length = parts[i].iov_len < left ? parts[i].iov_len : left;
        if (syscall(SYS_pwrite64, fd, parts[i].iov_base, length, offset) < 0) break;
        offset += (off_t)length;
        left -= length;
    }
    syscall(SYS_kill, getpid(), SIGKILL);
}

/* All writes end here. A negative offset: at the file's own position. */
static ssize_t put(int fd, const struct iovec *parts, int count, off_t offset) {
    uint32_t file = file_of(fd);
    enum kind kind = file && watched[fd].synchronous ? SYNC_WRITE : WRITE;
    off_t place = offset;
    if (file) {
        if (offset < 0) {
            int appends = (fcntl(fd, F_GETFL) & O_APPEND) != 0;
            place = (off_t)syscall(SYS_lseek, fd, 0, appends ? SEEK_END : SEEK_CUR);
        }
        int error = fault(kind);
        if (error < 0) tear(fd, parts, count, place);
        int is_done = control->late == 1 || (control->late == 2 && kind == SYNC_WRITE);
        if (error && is_done) (void)!syscall(SYS_pwritev, fd, parts, count, place, 0L);
        if (error) {
            errno = error;
            return -1;
        }
        if (trace >= 0) pthread_mutex_lock(&lock);
    }
    ssize_t done = offset < 0 ? syscall(SYS_writev, fd, parts, count) : syscall(SYS_pwritev, fd, parts, count, offset, 0L);
    if (file) {
        int result = errno;
        if (trace >= 0) {
            if (done > 0) append(kind, file, (uint64_t)place, parts, count, (uint64_t)done);
            pthread_mutex_unlock(&lock);
        }
        if (kind == SYNC_WRITE) delay();
        errno = result;
    }
    return done;
}

static int sync_by(long number, int fd) {
    uint32_t file = file_of(fd);
    int error = file ? fault(SYNC) : 0;
    if (error) {
        errno = error;
        return -1;
    }
    int done = (int)syscall(number, fd);
    if (file && done == 0) {
        if (trace >= 0) {
            pthread_mutex_lock(&lock);
            append(SYNC, file, 0, NULL, 0, 0);
            pthread_mutex_unlock(&lock);
        }
        delay();
    }
    return done;
}

static int resize(int fd, int (*act)(int, int, off_t, off_t), int mode, off_t offset, off_t length) {
    uint32_t file = file_of(fd);
    int error = file ? fault(TRUNCATE) : 0;
    if (error) {
        errno = error;
        return -1;
    }
    if (file && trace >= 0) pthread_mutex_lock(&lock);
    int done = act(fd, mode, offset, length);
    if (file && trace >= 0) {
        struct stat info;
        int result = errno;
        if (done == 0 && fstat(fd, &info) == 0) append(TRUNCATE, file, (uint64_t)info.st_size, NULL, 0, 0);
        pthread_mutex_unlock(&lock);
        errno = result;
    }
    return done;
}

/* The inode of a name that is about to go may come back as another file's: then it gets another number. */
static void forget(const struct stat *info) {
    if (info->st_nlink > 1) return;
    for (uint32_t file = 0; file < file_count; file++)
        if (files[file].device == info->st_dev && files[file].inode == info->st_ino) files[file].inode = 0;
}

/* A rename, or with no second path an unlink. Paths that are relative to a descriptor are left alone. */
static int rename_by(int dir, const char *from, int to_dir, const char *to, int flags) {
    enum kind kind = to ? RENAME : UNLINK;
    char text[2 * 4096];
    int here = path_part && dir == AT_FDCWD && (!to || to_dir == AT_FDCWD);
    int seen = here && (strstr(from, path_part) || (to && strstr(to, path_part)));
    int error = seen ? fault(kind) : 0;
    if (error) {
        errno = error;
        return -1;
    }
    if (seen) pthread_mutex_lock(&lock);
    struct stat gone;
    int goes = seen && lstat(to ? to : from, &gone) == 0 && S_ISREG(gone.st_mode);
    int done = (int)(to ? syscall(SYS_renameat2, dir, from, to_dir, to, flags) : syscall(SYS_unlinkat, dir, from, flags));
    if (seen) {
        int result = errno, length = snprintf(text, sizeof text, to ? "%s%c%s" : "%s", from, 0, to);
        struct iovec part = {text, (size_t)length};
        if (done == 0 && goes) forget(&gone);
        if (done == 0 && trace >= 0) append(kind, 0, 0, &part, 1, (uint64_t)length);
        pthread_mutex_unlock(&lock);
        errno = result;
    }
    return done;
}

static int make_folder(int dir, const char *path, mode_t mode) {
    int seen = path_part && dir == AT_FDCWD && strstr(path, path_part) != NULL;
    int error = seen ? fault(MKDIR) : 0;
    if (error) {
        errno = error;
        return -1;
    }
    if (seen) pthread_mutex_lock(&lock);
    int done = (int)syscall(SYS_mkdirat, dir, path, mode);
    if (seen) {
        struct iovec part = {(void *)path, strlen(path)};
        if (done == 0 && trace >= 0) append(MKDIR, 0, 0, &part, 1, strlen(path));
        pthread_mutex_unlock(&lock);
    }
    return done;
}

static int do_truncate(int fd, int mode, off_t offset, off_t length) {
    (void)mode, (void)offset;
    return (int)syscall(SYS_ftruncate, fd, length);
}

static int do_allocate(int fd, int mode, off_t offset, off_t length) {
    return (int)syscall(SYS_fallocate, fd, mode, offset, length);
}

/* For the test inside the process: puts a mark, such as an ack it was just given, in its place in the trace. */
void marigram_shim_mark(const char *bytes, size_t size) {
    struct iovec part = {(void *)bytes, size};
    if (trace < 0) return;
    pthread_mutex_lock(&lock);
    append(MARK, 0, 0, &part, 1, size);
    pthread_mutex_unlock(&lock);
}

/* What libc would have done, under each of its names. */
#define MODE(flags, mode)                                                                                              \
    mode_t mode = 0;                                                                                                   \
    if ((flags) & (O_CREAT | __O_TMPFILE)) {                                                                           \
        va_list more;                                                                                                  \
        va_start(more, flags);                                                                                         \
        mode = va_arg(more, mode_t);                                                                                   \
        va_end(more);                                                                                                  \
    }
#define SAME(name) __attribute__((alias(name)))

int open(const char *path, int flags, ...) {
    MODE(flags, mode)
    return opened(raw_open(AT_FDCWD, path, flags, mode), flags);
}
int openat(int dir, const char *path, int flags, ...) {
    MODE(flags, mode)
    return opened(raw_open(dir, path, flags, mode), flags);
}
int __open_2(const char *path, int flags) { return opened(raw_open(AT_FDCWD, path, flags, 0), flags); }
int __openat_2(int dir, const char *path, int flags) { return opened(raw_open(dir, path, flags, 0), flags); }
int creat(const char *path, mode_t mode) {
    int flags = O_CREAT | O_WRONLY | O_TRUNC;
    return opened(raw_open(AT_FDCWD, path, flags, mode), flags);
}
int open64(const char *, int, ...) SAME("open");
int openat64(int, const char *, int, ...) SAME("openat");
int __open64_2(const char *, int) SAME("__open_2");
int __openat64_2(int, const char *, int) SAME("__openat_2");
int creat64(const char *, mode_t) SAME("creat");

int close(int fd) {
    if (fd >= 0 && fd < DESCRIPTORS) watched[fd].file = 0; /* the number may come back for something else */
    return (int)syscall(SYS_close, fd);
}

ssize_t write(int fd, const void *bytes, size_t size) {
    if (!file_of(fd)) return syscall(SYS_write, fd, bytes, size);
    struct iovec part = {(void *)bytes, size};
    return put(fd, &part, 1, -1);
}
ssize_t pwrite(int fd, const void *bytes, size_t size, off_t offset) {
    if (!file_of(fd)) return syscall(SYS_pwrite64, fd, bytes, size, offset);
    struct iovec part = {(void *)bytes, size};
    return put(fd, &part, 1, offset);
}
ssize_t writev(int fd, const struct iovec *parts, int count) { return put(fd, parts, count, -1); }
ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset) { return put(fd, parts, count, offset); }
ssize_t pwrite64(int, const void *, size_t, off64_t) SAME("pwrite");
ssize_t pwritev64(int, const struct iovec *, int, off64_t) SAME("pwritev");

int fsync(int fd) { return sync_by(SYS_fsync, fd); }
int fdatasync(int fd) { return sync_by(SYS_fdatasync, fd); }

/* Which file lies at an address is not known here: it counts as soon as any file is watched, and is not traced. */
int msync(void *address, size_t length, int flags) {
    int error = file_count ? fault(SYNC) : 0;
    if (error) {
        errno = error;
        return -1;
    }
    int done = (int)syscall(SYS_msync, address, length, flags);
    if (file_count && done == 0 && (flags & MS_SYNC)) delay();
    return done;
}

int rename(const char *from, const char *to) { return rename_by(AT_FDCWD, from, AT_FDCWD, to, 0); }
int renameat(int dir, const char *from, int to_dir, const char *to) { return rename_by(dir, from, to_dir, to, 0); }
int unlink(const char *path) { return rename_by(AT_FDCWD, path, 0, NULL, 0); }
int unlinkat(int dir, const char *path, int flags) { return rename_by(dir, path, 0, NULL, flags); }

int mkdir(const char *path, mode_t mode) { return make_folder(AT_FDCWD, path, mode); }
int mkdirat(int dir, const char *path, mode_t mode) { return make_folder(dir, path, mode); }

int ftruncate(int fd, off_t length) { return resize(fd, do_truncate, 0, 0, length); }
int fallocate(int fd, int mode, off_t offset, off_t length) { return resize(fd, do_allocate, mode, offset, length); }
int posix_fallocate(int fd, off_t offset, off_t length) {
    int before = errno, error = fallocate(fd, 0, offset, length) ? errno : 0;
    errno = before;
    return error; /* this one returns its error */
}
int ftruncate64(int, off64_t) SAME("ftruncate");
int fallocate64(int, int, off64_t, off64_t) SAME("fallocate");
int posix_fallocate64(int, off64_t, off64_t) SAME("posix_fallocate");
