// For tests, on Linux: loaded before libc (LD_PRELOAD), it records what a process does to the files of one folder, and
// lets single operations fail. shim.js compiles it; control.js and log.js know its two formats.
//
// KEYVAL_FAULTS_FOLDER   the folder; files elsewhere are not touched
// KEYVAL_FAULTS_LOG      the log: records are appended
// KEYVAL_FAULTS_CONTROL  the control file, which is mapped
//
// Order. An operation and its record happen under a lock of all threads and processes, so the records stand in the order
// of the operations. A mark (an acknowledgement, say) is appended by the program itself, after the call that it is about
// has returned: its record stands behind those of the call. Reads are not recorded, nor what is written to -shm files:
// the index of the log lives in shared memory, and a power cut leaves anything of it.
//
// All calls go straight to the kernel, and errno is theirs. One file of more than 400 lines, so that one command compiles it.
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

// ---- The formats: the same numbers stand in control.js and log.js.

enum kind { NONE, DB, WAL, SHM, OTHER, FOLDER, KINDS };
enum operation { SYNC, WRITE, READ, TRUNCATE, OPEN, UNLINK, RENAME, MAKE_FOLDER, LOCK, OPERATIONS };
enum record_type {
  R_CREATE = 1, R_FOUND, R_WRITE, R_TRUNCATE, R_SYNC, R_UNLINK, R_RENAME, R_LINK, R_MAKE_FOLDER, R_REMOVE_FOLDER, R_MARK
};

// The calls with the numbers `first` to `last` fail, and `per_million` of all.
// Where `kills` is set, a sync that fails is the last that the process knows of.
struct rule { _Atomic int32_t calls, injected, first, last, per_million, error, is_short, delay_us, kills; };
struct control {
  _Atomic int32_t changes, kill_at, seed, reserved;
  struct rule rules[OPERATIONS][KINDS];
};
struct record {
  uint32_t magic; uint16_t type, kind; int32_t result, pid; uint64_t inode; int64_t offset; uint32_t path_bytes, data_bytes;
};
#define MAGIC 0x4b56464cu
#define CONTROL_BYTES 4096
_Static_assert(sizeof(struct control) <= CONTROL_BYTES, "the control file is one page");

// ---- State of the process.

#define FILES 65536
static struct { uint64_t inode; char *path; unsigned char kind; int broken; } files[FILES];
static struct control nobody, *control = &nobody;
static char folder[PATH_MAX];
static size_t folder_bytes;
static int log_file = -1;
static pthread_mutex_t order = PTHREAD_MUTEX_INITIALIZER;

static void begin(void) {
  pthread_mutex_lock(&order);
  if (log_file >= 0) while (syscall(SYS_flock, log_file, LOCK_EX) != 0 && errno == EINTR) {}
}

static void end(void) {
  if (log_file >= 0) syscall(SYS_flock, log_file, LOCK_UN);
  pthread_mutex_unlock(&order);
}

// The lock of the log is of one open file, which a forked child would share.
static void reopen_log(void) {
  const char *path = getenv("KEYVAL_FAULTS_LOG");
  if (path) log_file = syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  pthread_mutex_init(&order, NULL);
}

static void __attribute__((constructor)) start(void) {
  static int started;
  if (started++) return;
  const char *watched = getenv("KEYVAL_FAULTS_FOLDER"), *path = getenv("KEYVAL_FAULTS_CONTROL");
  if (!watched) return;
  folder_bytes = strnlen(watched, sizeof folder - 1);
  memcpy(folder, watched, folder_bytes);
  reopen_log();
  pthread_atfork(NULL, NULL, reopen_log);
  if (!path) return;
  int file = syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC, 0);
  if (file < 0) return;
  void *page = mmap(NULL, CONTROL_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  if (page != MAP_FAILED) control = page;
  syscall(SYS_close, file);
}

static int is_ours(const char *path) {
  return folder_bytes && !strncmp(path, folder, folder_bytes) && (path[folder_bytes] == '/' || !path[folder_bytes]);
}

static int ends_with(const char *path, const char *end) {
  size_t bytes = strlen(path), end_bytes = strlen(end);
  return bytes >= end_bytes && !strcmp(path + bytes - end_bytes, end);
}

static enum kind kind_of(const char *path) {
  if (ends_with(path, "-wal")) return WAL;
  if (ends_with(path, "-shm")) return SHM;
  return ends_with(path, ".db") ? DB : OTHER;
}

static const char *absolute(int at, const char *path, char *buffer) {
  if (path[0] == '/') return path;
  char link[64];
  ssize_t bytes;
  if (at == AT_FDCWD) strcpy(link, "/proc/self/cwd");
  else snprintf(link, sizeof link, "/proc/self/fd/%d", at);
  bytes = readlink(link, buffer, PATH_MAX - 1);
  if (bytes < 0) return path;
  snprintf(buffer + bytes, PATH_MAX - bytes, "/%s", path);
  return buffer;
}

static int is_watched(int file) { return file >= 0 && file < FILES && files[file].kind != NONE; }

static void watch(int file, const char *path) {
  struct stat found;
  if (file < 0 || file >= FILES || fstat(file, &found)) return;
  files[file].inode = found.st_ino;
  files[file].broken = 0;
  files[file].path = strdup(path); // kept for ever: another thread may be recording with the old one
  files[file].kind = S_ISDIR(found.st_mode) ? FOLDER : kind_of(path);
}

// ---- The log. Called between `begin` and `end`.

static void record_at(int type, enum kind kind, uint64_t inode, int64_t offset, int result, const char *path,
                      const void *data, size_t bytes) {
  if (log_file < 0) return;
  struct record head = { MAGIC, type, kind, result, getpid(), inode, offset, path ? strlen(path) : 0, bytes };
  struct iovec parts[3] = { { &head, sizeof head }, { (void *)path, head.path_bytes }, { (void *)data, bytes } };
  syscall(SYS_writev, log_file, parts, 3);
}

static void record(int type, int file, int64_t offset, int result, const void *data, size_t bytes) {
  if (type == R_WRITE && files[file].kind == SHM) return;
  record_at(type, files[file].kind, files[file].inode, offset, result, files[file].path, data, bytes);
}

// ---- Faults.

static uint32_t mix(uint32_t n) {
  n ^= n >> 16; n *= 0x7feb352du; n ^= n >> 15; n *= 0x846ca68bu;
  return n ^ n >> 16;
}

// Counts a call, waits as long as its rule says, and gives the error with which it has to fail, or 0.
static int fault(enum operation operation, enum kind kind, uint32_t *chance) {
  struct rule *rule = &control->rules[operation][kind];
  int32_t call = atomic_fetch_add(&rule->calls, 1) + 1, delay = rule->delay_us;
  if (delay > 0) nanosleep(&(struct timespec){ delay / 1000000, delay % 1000000 * 1000L }, NULL);
  uint32_t drawn = mix(call ^ mix(control->seed + (operation * KINDS + kind) * 0x9e3779b9u));
  if (chance) *chance = mix(drawn);
  int is_counted = rule->first > 0 && call >= rule->first && call <= rule->last;
  if (!is_counted && (int32_t)(drawn % 1000000) >= rule->per_million) return 0;
  atomic_fetch_add(&rule->injected, 1);
  return rule->error ? rule->error : EIO;
}

static void end_here(void) {
  syscall(SYS_kill, getpid(), SIGKILL);
  for (;;) pause();
}

// Before an operation that changes something, under the lock: with the whole order at rest, a kill cuts no record.
static void change(void) {
  int32_t number = atomic_fetch_add(&control->changes, 1) + 1;
  if (number == control->kill_at) end_here();
}

static long failed(int error) { errno = error; return -1; }

// ---- Opening and closing.

static int opened(int at, const char *given, int flags, mode_t mode) {
  char buffer[PATH_MAX];
  const char *path = folder_bytes ? absolute(at, given, buffer) : given;
  if (!is_ours(path)) return syscall(SYS_openat, at, given, flags, mode);
  int error = fault(OPEN, kind_of(path), NULL);
  if (error) return failed(error);
  begin();
  struct stat found;
  int existed = stat(path, &found) == 0;
  if ((!existed && flags & O_CREAT) || flags & O_TRUNC) change();
  int file = syscall(SYS_openat, at, given, flags, mode), kept = errno;
  if (file >= 0) {
    watch(file, path);
    record(existed ? R_FOUND : R_CREATE, file, 0, 0, NULL, 0);
    if (existed && flags & O_TRUNC) record(R_TRUNCATE, file, 0, 0, NULL, 0);
  }
  end();
  errno = kept;
  return file;
}

#define WITH_MODE \
  mode_t mode = 0; \
  if (flags & (O_CREAT | O_TMPFILE)) { va_list more; va_start(more, flags); mode = va_arg(more, mode_t); va_end(more); }
int open(const char *path, int flags, ...) { WITH_MODE return opened(AT_FDCWD, path, flags, mode); }
int open64(const char *path, int flags, ...) { WITH_MODE return opened(AT_FDCWD, path, flags, mode); }
int openat(int at, const char *path, int flags, ...) { WITH_MODE return opened(at, path, flags, mode); }
int openat64(int at, const char *path, int flags, ...) { WITH_MODE return opened(at, path, flags, mode); }
int __open_2(const char *path, int flags) { return opened(AT_FDCWD, path, flags, 0); }
int __open64_2(const char *path, int flags) { return opened(AT_FDCWD, path, flags, 0); }
int creat(const char *path, mode_t mode) { return opened(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode); }
int creat64(const char *path, mode_t mode) { return opened(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode); }

int close(int file) {
  if (is_watched(file)) files[file].kind = NONE;
  return syscall(SYS_close, file);
}

static int copied(int from, int to) {
  if (to >= 0 && to < FILES && is_watched(from)) files[to] = files[from];
  return to;
}
int dup(int file) { return copied(file, syscall(SYS_dup, file)); }
int dup3(int file, int to, int flags) { return copied(file, syscall(SYS_dup3, file, to, flags)); }
int dup2(int file, int to) { return file == to ? to : copied(file, syscall(SYS_dup3, file, to, 0)); }

// Locks are taken, and not given back, under the rule.
static int is_locking(int file, int command, const void *argument) {
  return (command == F_SETLK || command == F_SETLKW) && is_watched(file) && ((const struct flock *)argument)->l_type != F_UNLCK;
}

#define CONTROL_FILE \
  va_list more; va_start(more, command); void *argument = va_arg(more, void *); va_end(more); \
  int error = is_locking(file, command, argument) ? fault(LOCK, files[file].kind, NULL) : 0; \
  if (error) return failed(error); \
  int result = syscall(SYS_fcntl, file, command, argument); \
  return command == F_DUPFD || command == F_DUPFD_CLOEXEC ? copied(file, result) : result;
int fcntl(int file, int command, ...) { CONTROL_FILE }
int fcntl64(int file, int command, ...) { CONTROL_FILE }

// ---- Reading and writing.

static int reading(int file) { return is_watched(file) ? fault(READ, files[file].kind, NULL) : 0; }
static ssize_t read_at(int file, void *data, size_t bytes, off_t offset) {
  int error = reading(file);
  return error ? failed(error) : syscall(SYS_pread64, file, data, bytes, offset);
}
ssize_t pread(int file, void *data, size_t bytes, off_t offset) { return read_at(file, data, bytes, offset); }
ssize_t pread64(int file, void *data, size_t bytes, off_t offset) { return read_at(file, data, bytes, offset); }
ssize_t read(int file, void *data, size_t bytes) {
  int error = reading(file);
  return error ? failed(error) : syscall(SYS_read, file, data, bytes);
}

// At `offset`, or, below 0, where the file stands.
static ssize_t plain_write(int file, const void *data, size_t bytes, off_t offset) {
  return offset < 0 ? syscall(SYS_write, file, data, bytes) : syscall(SYS_pwrite64, file, data, bytes, offset);
}

static off_t place(int file, off_t offset) {
  struct stat found;
  if (fcntl(file, F_GETFL, NULL) & O_APPEND) return fstat(file, &found) ? 0 : found.st_size;
  return offset < 0 ? syscall(SYS_lseek, file, 0L, SEEK_CUR) : offset;
}

// A short write is what a full disk does: a part is written and told; the attempt to write the rest fails.
static ssize_t written(int file, const void *data, size_t bytes, off_t offset) {
  if (!is_watched(file)) return plain_write(file, data, bytes, offset);
  uint32_t chance;
  int error = fault(WRITE, files[file].kind, &chance), rest = files[file].broken;
  files[file].broken = 0;
  if (rest) return failed(rest);
  if (error && control->rules[WRITE][files[file].kind].is_short && bytes > 1) {
    files[file].broken = error;
    bytes = 1 + chance % (bytes - 1);
  } else if (error) return failed(error);
  begin();
  change();
  off_t from = place(file, offset);
  ssize_t count = plain_write(file, data, bytes, offset);
  int kept = errno;
  if (count > 0) record(R_WRITE, file, from, 0, data, count);
  end();
  errno = kept;
  return count;
}
ssize_t pwrite(int file, const void *data, size_t bytes, off_t offset) { return written(file, data, bytes, offset); }
ssize_t pwrite64(int file, const void *data, size_t bytes, off_t offset) { return written(file, data, bytes, offset); }
ssize_t write(int file, const void *data, size_t bytes) { return written(file, data, bytes, -1); }

// Part by part, as a kernel may do it too.
static ssize_t gathered(int file, const struct iovec *parts, int count, off_t offset) {
  ssize_t total = 0;
  for (int at = 0; at < count; at++) {
    ssize_t one = written(file, parts[at].iov_base, parts[at].iov_len, offset < 0 ? -1 : offset + total);
    if (one < 0) return total ? total : -1;
    total += one;
    if ((size_t)one < parts[at].iov_len) break;
  }
  return total;
}
ssize_t writev(int file, const struct iovec *parts, int count) {
  return is_watched(file) ? gathered(file, parts, count, -1) : syscall(SYS_writev, file, parts, count);
}
ssize_t pwritev(int file, const struct iovec *parts, int count, off_t offset) {
  return is_watched(file) ? gathered(file, parts, count, offset) : syscall(SYS_pwritev, file, parts, count, offset, 0L);
}
ssize_t pwritev64(int file, const struct iovec *parts, int count, off_t offset) { return pwritev(file, parts, count, offset); }

// Whoever copies inside the kernel is sent to the ordinary way.
ssize_t copy_file_range(int from, off_t *from_at, int to, off_t *to_at, size_t bytes, unsigned flags) {
  if (is_watched(to)) return failed(ENOSYS);
  return syscall(SYS_copy_file_range, from, from_at, to, to_at, bytes, flags);
}

static int truncated(int file, off_t bytes) {
  if (!is_watched(file)) return syscall(SYS_ftruncate, file, bytes);
  int error = fault(TRUNCATE, files[file].kind, NULL);
  if (error) return failed(error);
  begin();
  change();
  int result = syscall(SYS_ftruncate, file, bytes), kept = errno;
  if (result == 0 && files[file].kind != SHM) record(R_TRUNCATE, file, bytes, 0, NULL, 0);
  end();
  errno = kept;
  return result;
}
int ftruncate(int file, off_t bytes) { return truncated(file, bytes); }
int ftruncate64(int file, off_t bytes) { return truncated(file, bytes); }
int fallocate(int file, int mode, off_t offset, off_t bytes) {
  return is_watched(file) ? failed(EOPNOTSUPP) : syscall(SYS_fallocate, file, mode, offset, bytes);
}
int posix_fallocate(int file, off_t offset, off_t bytes) {
  return is_watched(file) ? EOPNOTSUPP : syscall(SYS_fallocate, file, 0, offset, bytes) ? errno : 0;
}

// A sync that is made to fail writes nothing out: what it covered is for the rebuilder to keep or to drop.
static int synced(int file, long call) {
  if (!is_watched(file)) return syscall(call, file);
  int error = fault(SYNC, files[file].kind, NULL);
  begin();
  change();
  int result = error ? -1 : syscall(call, file), kept = error ? error : errno;
  record(R_SYNC, file, 0, result ? -kept : 0, NULL, 0);
  end();
  if (error && control->rules[SYNC][files[file].kind].kills) end_here();
  errno = kept;
  return result;
}
int fsync(int file) { return synced(file, SYS_fsync); }
int fdatasync(int file) { return synced(file, SYS_fdatasync); }

// ---- Names.

#define BEFORE_NAME(operation, path) \
  int error = fault(operation, kind_of(path), NULL); \
  if (error) return failed(error); \
  begin(); \
  change();
#define AFTER_NAME(type, path, data) \
  int kept = errno; \
  if (result == 0) record_at(type, kind_of(path), 0, 0, 0, path, data, data ? strlen(data) : 0); \
  end(); \
  errno = kept; \
  return result;

static int unlinked(int at, const char *given, int flags) {
  char buffer[PATH_MAX];
  const char *path = absolute(at, given, buffer), *none = NULL;
  if (!is_ours(path)) return syscall(SYS_unlinkat, at, given, flags);
  BEFORE_NAME(UNLINK, path)
  int result = syscall(SYS_unlinkat, at, given, flags);
  AFTER_NAME(flags & AT_REMOVEDIR ? R_REMOVE_FOLDER : R_UNLINK, path, none)
}
int unlink(const char *path) { return unlinked(AT_FDCWD, path, 0); }
int unlinkat(int at, const char *path, int flags) { return unlinked(at, path, flags); }
int rmdir(const char *path) { return unlinked(AT_FDCWD, path, AT_REMOVEDIR); }

static int renamed(int from_at, const char *given, int to_at, const char *given_to, unsigned flags) {
  char buffer[PATH_MAX], to_buffer[PATH_MAX];
  const char *path = absolute(from_at, given, buffer), *to = absolute(to_at, given_to, to_buffer);
  if (!is_ours(path) && !is_ours(to)) return syscall(SYS_renameat2, from_at, given, to_at, given_to, flags);
  BEFORE_NAME(RENAME, path)
  int result = syscall(SYS_renameat2, from_at, given, to_at, given_to, flags);
  AFTER_NAME(R_RENAME, path, to)
}
int rename(const char *path, const char *to) { return renamed(AT_FDCWD, path, AT_FDCWD, to, 0); }
int renameat(int at, const char *path, int to_at, const char *to) { return renamed(at, path, to_at, to, 0); }
int renameat2(int at, const char *path, int to_at, const char *to, unsigned flags) {
  return renamed(at, path, to_at, to, flags);
}

static int linked(int from_at, const char *given, int to_at, const char *given_to, int flags) {
  char buffer[PATH_MAX], to_buffer[PATH_MAX];
  const char *path = absolute(from_at, given, buffer), *to = absolute(to_at, given_to, to_buffer);
  if (!is_ours(path) && !is_ours(to)) return syscall(SYS_linkat, from_at, given, to_at, given_to, flags);
  BEFORE_NAME(RENAME, path)
  int result = syscall(SYS_linkat, from_at, given, to_at, given_to, flags);
  AFTER_NAME(R_LINK, path, to)
}
int link(const char *path, const char *to) { return linked(AT_FDCWD, path, AT_FDCWD, to, 0); }
int linkat(int at, const char *path, int to_at, const char *to, int flags) { return linked(at, path, to_at, to, flags); }

static int made(int at, const char *given, mode_t mode) {
  char buffer[PATH_MAX];
  const char *path = absolute(at, given, buffer), *none = NULL;
  if (!is_ours(path)) return syscall(SYS_mkdirat, at, given, mode);
  BEFORE_NAME(MAKE_FOLDER, path)
  int result = syscall(SYS_mkdirat, at, given, mode);
  AFTER_NAME(R_MAKE_FOLDER, path, none)
}
int mkdir(const char *path, mode_t mode) { return made(AT_FDCWD, path, mode); }
int mkdirat(int at, const char *path, mode_t mode) { return made(at, path, mode); }
