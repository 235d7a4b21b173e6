/* SPDX-License-Identifier: BSD-3-Clause */
#include "client/lib/segment.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "client/lib/error.h"
#include "client/lib/rpc.h"

/* Segments longer than this are refused if they are longer than memory_limit. */
#define LIMITED_BYTES ((uint64_t)64 << 20)

static int free_id(const numd_conn *conn) {
  for (int i = 0; i < MAX_SEGMENTS; i++)
    if (!conn->segments[i])
      return i;
  return -1;
}

/* Attaches it in the current session, under the id that it has. */
static int attach(numd_segment *s) {
  struct rpc rpc;
  rpc_begin(&rpc, s->conn, "attach");
  msgpack_pack_array(&rpc.pk, 2);
  msgpack_pack_uint32(&rpc.pk, s->id);
  msgpack_pack_map(&rpc.pk, 1);
  wire_pack_str(&rpc.pk, "fd");
  msgpack_pack_true(&rpc.pk);
  int r = rpc_run(&rpc, s->fd, RPC_TIMEOUT_NS);
  rpc_end(&rpc);
  return r;
}

/* Detaches it, by a notification, since nobody waits for the answer. */
static void detach(numd_segment *s) {
  struct rpc rpc;
  if (!conn_has_session(s->conn))
    return;
  rpc_begin_notify(&rpc, s->conn, "detach");
  msgpack_pack_array(&rpc.pk, 1);
  msgpack_pack_uint32(&rpc.pk, s->id);
  rpc_notify(&rpc);
}

static void destroy(numd_segment *s) {
  numd_conn *c = s->conn;
  if (s->data)
    munmap(s->data, s->bytes);
  close(s->fd);
  if (c->segments[s->id] == s)
    c->segments[s->id] = NULL;
  free(s);
}

static int map(numd_segment *s) {
  struct stat st;
  if (fstat(s->fd, &st) < 0)
    return error_set(NUMD_EDESCRIPTOR, "%s", strerror(errno));
  if (!S_ISREG(st.st_mode) || st.st_size <= 0)
    return error_set(NUMD_EDESCRIPTOR, "not a shared-memory object with a size");
  s->bytes = (uint64_t)st.st_size;
  void *p = mmap(NULL, s->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, s->fd, 0);
  if (p == MAP_FAILED)
    return errno == ENOMEM
               ? error_no_memory()
               : error_set(NUMD_EDESCRIPTOR, "object cannot be mapped for writing: %s", strerror(errno));
  madvise(p, s->bytes, MADV_HUGEPAGE); /* has an effect where the system allows it for shared memory */
  s->data = p;
  return 0;
}

/* ---- Making and finding ---- */

/* Maps the object of fd and attaches it under a new id. fd becomes the segment's, or is closed on failure. */
static int new_segment(numd_conn *conn, int fd, bool ours, numd_segment **out) {
  int id = free_id(conn), r;
  numd_segment *s = id < 0 ? NULL : calloc(1, sizeof(*s));
  if (!s) {
    close(fd);
    return id < 0 ? error_set(NUMD_ELIMIT, "a session has at most %d segments", MAX_SEGMENTS)
                  : error_no_memory();
  }
  s->conn = conn;
  s->fd = fd;
  s->id = (uint32_t)id;
  s->ours = ours;
  atomic_init(&s->refs, 1);
  if ((r = map(s)) || (r = attach(s))) {
    destroy(s);
    return r;
  }
  conn->segments[id] = s;
  *out = s;
  return 0;
}

void segment_drop(numd_segment *s) {
  detach(s);
  destroy(s);
}

/* The memory that this process may use: the machine's, or less if its control group has a limit. */
static uint64_t memory_limit(const char **whose) {
  struct sysinfo info;
  uint64_t limit = UINT64_MAX, group;
  *whose = "the machine has, with swap";
  if (sysinfo(&info) == 0)
    limit = ((uint64_t)info.totalram + info.totalswap) * info.mem_unit;
  static const char *const files[] = {"/sys/fs/cgroup/memory.max",
                                      "/sys/fs/cgroup/memory/memory.limit_in_bytes"};
  for (size_t i = 0; i < 2; i++) {
    FILE *f = fopen(files[i], "re");
    if (f && fscanf(f, "%" SCNu64, &group) == 1 && group < limit) {
      limit = group;
      *whose = "this container may use (raise it with docker run --memory=SIZE)";
    }
    if (f)
      fclose(f);
  }
  return limit;
}

/* Makes a memfd rather than a named object, since the size of /dev/shm does not limit memfds. */
int segment_create(numd_conn *conn, uint64_t bytes, numd_segment **out) {
  const char *whose;
  uint64_t limit = memory_limit(&whose);
  if (bytes > LIMITED_BYTES && bytes > limit)
    return error_set(NUMD_ENOMEMORY, "an array of %llu bytes is wanted; %llu are all that %s",
                     (unsigned long long)bytes, (unsigned long long)limit, whose);
  int fd = memfd_create("numd-arrays", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (fd < 0 || ftruncate(fd, (off_t)bytes) < 0 || fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) < 0) {
    int err = errno;
    if (fd >= 0)
      close(fd);
    return error_set(NUMD_ENOMEMORY, "no shared memory of %llu bytes: %s", (unsigned long long)bytes,
                     strerror(err));
  }
  return new_segment(conn, fd, true, out);
}

int segment_import(numd_conn *conn, const uint8_t token[SEGMENT_TOKEN_BYTES], numd_segment **out) {
  struct rpc rpc;
  int id = free_id(conn);
  numd_segment *s = id < 0 ? NULL : calloc(1, sizeof(*s));
  if (!s)
    return id < 0 ? error_set(NUMD_ELIMIT, "a session has at most %d segments", MAX_SEGMENTS)
                  : error_no_memory();
  s->conn = conn;
  s->id = (uint32_t)id;
  atomic_init(&s->refs, 1);
  rpc_begin(&rpc, conn, "attach");
  msgpack_pack_array(&rpc.pk, 2);
  msgpack_pack_uint32(&rpc.pk, s->id);
  msgpack_pack_map(&rpc.pk, 1);
  wire_pack_str(&rpc.pk, "token");
  msgpack_pack_bin_with_body(&rpc.pk, token, SEGMENT_TOKEN_BYTES);
  int r = rpc_run(&rpc, -1, RPC_TIMEOUT_NS);
  s->fd = rpc.fd;
  rpc.fd = -1;
  rpc_end(&rpc);
  bool is_attached = r == 0;
  if (r == 0 && s->fd < 0)
    r = error_set(NUMD_EPROTOCOL, "the daemon sent no descriptor");
  if (r || (r = map(s))) {
    if (is_attached) /* so that the id can be used again */
      detach(s);
    if (s->fd >= 0)
      close(s->fd);
    free(s);
    return r;
  }
  memcpy(s->token, token, sizeof(s->token));
  s->token_epoch = conn->epoch;
  numd_conn_ref(conn);
  conn->segments[id] = s;
  *out = s;
  return 0;
}

numd_segment *segment_find(numd_conn *conn, const uint8_t token[SEGMENT_TOKEN_BYTES]) {
  static const uint8_t none[SEGMENT_TOKEN_BYTES];
  if (memcmp(token, none, sizeof(none)) == 0)
    return NULL;
  for (int i = 0; i < MAX_SEGMENTS; i++) {
    numd_segment *s = conn->segments[i];
    if (s && memcmp(s->token, token, sizeof(s->token)) == 0)
      return s;
  }
  return NULL;
}

/* ---- The user's ---- */

/* Refuses an object for whose length its file system, as /dev/shm, has no room left: a process that touched
 * the pages that it cannot have would be killed by SIGBUS. */
static int check_space(int fd) {
  struct stat st;
  struct statvfs fs;
  if (fstat(fd, &st) < 0 || fstatvfs(fd, &fs) < 0 || fs.f_blocks == 0 || st.st_blocks * 512 >= st.st_size)
    return 0;
  uint64_t wanted = (uint64_t)(st.st_size - st.st_blocks * 512),
           free_bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
  if (wanted <= free_bytes)
    return 0;
  return error_set(
      NUMD_ENOMEMORY,
      "the object has %lld bytes, of which %llu are still to be found; its file system (/dev/shm?) "
      "has %llu left of %llu. "
      "Raise its size: docker run --shm-size=SIZE, or mount -o remount,size=SIZE /dev/shm",
      (long long)st.st_size, (unsigned long long)wanted, (unsigned long long)free_bytes,
      (unsigned long long)fs.f_blocks * fs.f_frsize);
}

numd_segment *numd_segment_ref(numd_segment *segment) {
  atomic_fetch_add_explicit(&segment->refs, 1, memory_order_relaxed);
  return segment;
}

/* The last reference is dropped under the lock: without it, an import could find the segment by its token
 * between the count reaching 0 and the segment going, and would use one that is about to be unmapped. */
void numd_segment_unref(numd_segment *s) {
  if (!s)
    return;
  int refs = atomic_load_explicit(&s->refs, memory_order_relaxed);
  while (refs > 1)
    if (atomic_compare_exchange_weak_explicit(&s->refs, &refs, refs - 1, memory_order_release,
                                              memory_order_relaxed))
      return;
  numd_conn *c = s->conn;
  pthread_mutex_lock(&c->lock);
  bool last = atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) == 1;
  if (last)
    segment_drop(s);
  pthread_mutex_unlock(&c->lock);
  if (last)
    numd_conn_unref(c);
}

static int attach_foreign(numd_conn *conn, int fd, numd_segment **out) {
  int space = check_space(fd);
  if (space) {
    close(fd);
    return space;
  }
  pthread_mutex_lock(&conn->lock);
  int r = new_segment(conn, fd, false, out);
  pthread_mutex_unlock(&conn->lock);
  if (r == 0)
    numd_conn_ref(conn);
  return r;
}

int numd_segment_attach_fd(numd_conn *conn, int fd, numd_segment **out) {
  int r = conn_enter(conn), own = r ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 3);
  if (r == 0 && own < 0)
    r = error_set(NUMD_EDESCRIPTOR, "descriptor %d: %s", fd, strerror(errno));
  return r ? r : attach_foreign(conn, own, out);
}

int numd_segment_attach(numd_conn *conn, const char *name, numd_segment **out) {
  char path[256];
  int r = conn_enter(conn);
  if (r)
    return r;
  if (snprintf(path, sizeof(path), "%s%s", name[0] == '/' ? "" : "/", name) >= (int)sizeof(path))
    return error_set(NUMD_EACCESS, "name of a shared-memory object is too long");
  int fd = shm_open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0);
  if (fd < 0)
    return error_set(NUMD_EACCESS, "shared-memory object %s: %s", path, strerror(errno));
  return attach_foreign(conn, fd, out);
}

void *numd_segment_data(const numd_segment *segment) {
  return segment->data;
}

uint64_t numd_segment_bytes(const numd_segment *segment) {
  return segment->bytes;
}

/* ---- As a part of a connection ---- */

static int attach_all(numd_conn *conn) {
  int r = 0;
  for (uint32_t i = 0; r == 0 && i < MAX_SEGMENTS; i++)
    if (conn->segments[i])
      r = attach(conn->segments[i]);
  return r;
}

/* In a forked child, the segments of inherited arrays stay mapped and are attached again in its own session,
 * but their free memory is the parent's. */
static void disown_all(numd_conn *conn, bool inherited) {
  for (int i = 0; inherited && i < MAX_SEGMENTS; i++)
    if (conn->segments[i]) {
      conn->segments[i]->ours = false;
      conn->segments[i]->token_epoch = 0;
    }
}

/* Destroys the segments that are left: there are no arrays any more, so only the arena's. */
static void destroy_all(numd_conn *conn) {
  for (int i = 0; i < MAX_SEGMENTS; i++)
    if (conn->segments[i])
      destroy(conn->segments[i]);
}

const struct conn_part segment_part = {.deinit = destroy_all, .lost = disown_all, .open = attach_all};
