/* SPDX-License-Identifier: BSD-3-Clause */
#include "shared/channel.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared/memfd.h"

static size_t mapped_bytes(void) {
  size_t page = (size_t)sysconf(_SC_PAGESIZE);
  return (sizeof(struct channel_memory) + page - 1) / page * page;
}

static struct channel_memory *map(int fd) {
  void *p = mmap(NULL, mapped_bytes(), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
  if (p == MAP_FAILED)
    return NULL;
  madvise(p, mapped_bytes(), MADV_DONTDUMP); /* in part the peer's */
  return p;
}

int channel_new(enum numd_wait wait, struct channel_memory **out, int *fd_out) {
  int err, fd = memfd_sealed("numd-channel", mapped_bytes());
  if (fd < 0)
    return fd;
  struct channel_memory *c = map(fd);
  if (!c)
    goto fail;
  c->signature = CHANNEL_SIGNATURE;
  c->n_slots = CHANNEL_SLOTS;
  c->slot_bytes = sizeof(struct slot);
  c->spill_bindings = SLOT_SPILL;
  c->wait = wait;
  c->total_bytes = mapped_bytes();
  if (sem_init(&c->client_sem.sem, 1, 0) < 0 || sem_init(&c->worker_sem.sem, 1, 0) < 0)
    goto fail;
  c->magic = CHANNEL_MAGIC;
  *out = c;
  *fd_out = fd;
  return 0;
fail:
  err = -errno;
  channel_unmap(c);
  close(fd);
  return err;
}

int channel_map(int fd, struct channel_memory **out) {
  struct stat st;
  int rc = memfd_stat(fd, &st);
  if (rc < 0)
    return rc;
  if (st.st_size != (off_t)mapped_bytes())
    return -EPROTO;
  struct channel_memory *c = map(fd);
  if (!c)
    return -errno;
  if (c->magic != CHANNEL_MAGIC || c->signature != CHANNEL_SIGNATURE || c->n_slots != CHANNEL_SLOTS ||
      c->slot_bytes != sizeof(struct slot) || c->spill_bindings != SLOT_SPILL) {
    channel_unmap(c);
    return -EPROTO;
  }
  *out = c;
  return 0;
}

void channel_unmap(struct channel_memory *channel) {
  if (channel)
    munmap(channel, mapped_bytes());
}
