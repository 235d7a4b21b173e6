/* SPDX-License-Identifier: BSD-3-Clause */
/* Makes allocations and system calls of a process fail, one after another: to be preloaded into the daemon or
 * a client.
 *
 * NUMD_FAIL names a file of which struct control is mapped. The process that it names counts the calls that
 * could fail and that come from numd's own code or from msgpack within it; call number `at` fails, or all
 * from it on. What these callers have allocated and not freed is counted, too. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))
#define TABLE (1u << 16)

struct control {
  _Atomic int32_t pid;
  _Atomic int32_t for_ever;
  _Atomic int64_t at;      /* from 0; -1: none */
  _Atomic int64_t n_calls; /* that could have failed */
  _Atomic int64_t n_failed;
  _Atomic int64_t n_live; /* allocations */
  char name[32];          /* of the first that failed */
};

static struct control *control;

/* What was allocated; 0: free; 1: was used, and may be again. */
static _Atomic uintptr_t live[TABLE];

void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);
void *__libc_memalign(size_t, size_t);
void __libc_free(void *);

__attribute__((constructor)) static void set_up(void) {
  const char *path = getenv("NUMD_FAIL");
  int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
  void *p =
      fd >= 0 ? mmap(NULL, sizeof(struct control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) : MAP_FAILED;
  if (fd >= 0)
    close(fd);
  control = p == MAP_FAILED ? NULL : p;
}

static bool is_armed(void) {
  return control && atomic_load_explicit(&control->pid, memory_order_relaxed) == getpid();
}

/* Whether the code at an address is ours: of the worker, the library, or msgpack's. */
static bool is_ours(const void *code) {
  static const char *const objects[] = {"numd-worker", "libnumd", "libmsgpack", "fail-session"};
  Dl_info info;
  if (!dladdr(code, &info) || !info.dli_fname)
    return false;
  const char *slash = strrchr(info.dli_fname, '/'), *base = slash ? slash + 1 : info.dli_fname;
  for (size_t i = 0; i < sizeof(objects) / sizeof(objects[0]); i++)
    if (strncmp(base, objects[i], strlen(objects[i])) == 0)
      return true;
  return false;
}

static bool fails(const char *name, const void *caller) {
  if (!is_armed() || !is_ours(caller))
    return false;
  int64_t call = atomic_fetch_add(&control->n_calls, 1), at = atomic_load(&control->at);
  if (at < 0 || (control->for_ever ? call < at : call != at))
    return false;
  if (atomic_fetch_add(&control->n_failed, 1) == 0)
    strncpy(control->name, name, sizeof(control->name) - 1);
  return true;
}

static void *keep(void *p, const void *caller) {
  if (!p || !is_armed() || !is_ours(caller))
    return p;
  for (uint32_t i = (uint32_t)((uintptr_t)p >> 4), n = 0; n < TABLE; i++, n++) {
    uintptr_t seen = 0;
    if (atomic_compare_exchange_strong(&live[i % TABLE], &seen, (uintptr_t)p) ||
        (seen == 1 && atomic_compare_exchange_strong(&live[i % TABLE], &seen, (uintptr_t)p))) {
      atomic_fetch_add(&control->n_live, 1);
      return p;
    }
  }
  return p;
}

static void forget(void *p) {
  if (!p || !control || !is_armed())
    return;
  for (uint32_t i = (uint32_t)((uintptr_t)p >> 4), n = 0; n < TABLE; i++, n++) {
    uintptr_t seen = (uintptr_t)p;
    if (atomic_compare_exchange_strong(&live[i % TABLE], &seen, 1)) {
      atomic_fetch_sub(&control->n_live, 1);
      return;
    }
    if (seen == 0)
      return;
  }
}

#define CALLER __builtin_return_address(0)

/* ---- Allocations ---- */

static void *no_memory(void) {
  errno = ENOMEM;
  return NULL;
}

EXPORT void *malloc(size_t bytes) {
  return fails("malloc", CALLER) ? no_memory() : keep(__libc_malloc(bytes), CALLER);
}

EXPORT void *calloc(size_t n, size_t bytes) {
  return fails("calloc", CALLER) ? no_memory() : keep(__libc_calloc(n, bytes), CALLER);
}

EXPORT void *realloc(void *p, size_t bytes) {
  if (fails("realloc", CALLER))
    return no_memory();
  forget(p);
  return keep(__libc_realloc(p, bytes), CALLER);
}

EXPORT void *aligned_alloc(size_t alignment, size_t bytes) {
  return fails("aligned_alloc", CALLER) ? no_memory() : keep(__libc_memalign(alignment, bytes), CALLER);
}

EXPORT int posix_memalign(void **out, size_t alignment, size_t bytes) {
  if (fails("posix_memalign", CALLER))
    return ENOMEM;
  *out = keep(__libc_memalign(alignment, bytes), CALLER);
  return *out ? 0 : ENOMEM;
}

static char *copy(const char *s, size_t n, const void *caller) {
  char *p = __libc_malloc(n + 1);
  if (p) {
    memcpy(p, s, n);
    p[n] = 0;
  }
  return keep(p, caller);
}

EXPORT char *strdup(const char *s) {
  return fails("strdup", CALLER) ? no_memory() : copy(s, strlen(s), CALLER);
}

EXPORT char *strndup(const char *s, size_t n) {
  return fails("strndup", CALLER) ? no_memory() : copy(s, strnlen(s, n), CALLER);
}

EXPORT void free(void *p) {
  forget(p);
  __libc_free(p);
}

/* ---- System calls: as they are, or -1 with an error ---- */

#define REAL(name) ((__typeof__(name) *)dlsym(RTLD_NEXT, #name))
#define FAIL(name, error, result) \
  do {                            \
    if (fails(#name, CALLER)) {   \
      errno = (error);            \
      return (result);            \
    }                             \
  } while (0)

EXPORT void *mmap(void *at, size_t bytes, int protection, int flags, int fd, off_t offset) {
  FAIL(mmap, ENOMEM, MAP_FAILED);
  return REAL(mmap)(at, bytes, protection, flags, fd, offset);
}

EXPORT int memfd_create(const char *name, unsigned flags) {
  FAIL(memfd_create, EMFILE, -1);
  return REAL(memfd_create)(name, flags);
}

EXPORT int ftruncate(int fd, off_t bytes) {
  FAIL(ftruncate, ENOSPC, -1);
  return REAL(ftruncate)(fd, bytes);
}

EXPORT int fstat(int fd, struct stat *st) {
  FAIL(fstat, EIO, -1);
  return REAL(fstat)(fd, st);
}

EXPORT int shm_open(const char *name, int flags, mode_t mode) {
  FAIL(shm_open, EMFILE, -1);
  return REAL(shm_open)(name, flags, mode);
}

EXPORT int fcntl(int fd, int command, ...) {
  va_list args;
  FAIL(fcntl, EMFILE, -1);
  va_start(args, command);
  void *argument = va_arg(args, void *);
  va_end(args);
  return REAL(fcntl)(fd, command, argument);
}

EXPORT int socket(int domain, int type, int protocol) {
  FAIL(socket, EMFILE, -1);
  return REAL(socket)(domain, type, protocol);
}

EXPORT int socketpair(int domain, int type, int protocol, int fds[2]) {
  FAIL(socketpair, EMFILE, -1);
  return REAL(socketpair)(domain, type, protocol, fds);
}

EXPORT int connect(int fd, const struct sockaddr *address, socklen_t bytes) {
  FAIL(connect, ECONNREFUSED, -1);
  return REAL(connect)(fd, address, bytes);
}

EXPORT ssize_t sendmsg(int fd, const struct msghdr *message, int flags) {
  FAIL(sendmsg, ENOBUFS, -1);
  return REAL(sendmsg)(fd, message, flags);
}

EXPORT ssize_t recvmsg(int fd, struct msghdr *message, int flags) {
  FAIL(recvmsg, ECONNRESET, -1);
  return REAL(recvmsg)(fd, message, flags);
}

EXPORT ssize_t send(int fd, const void *bytes, size_t n, int flags) {
  FAIL(send, ENOBUFS, -1);
  return REAL(send)(fd, bytes, n, flags);
}

EXPORT ssize_t pread(int fd, void *bytes, size_t n, off_t offset) {
  FAIL(pread, EIO, -1);
  return REAL(pread)(fd, bytes, n, offset);
}

EXPORT int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*main)(void *),
                          void *arg) {
  if (fails("pthread_create", CALLER))
    return EAGAIN;
  return REAL(pthread_create)(thread, attributes, main, arg);
}
