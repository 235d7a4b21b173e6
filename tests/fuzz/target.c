/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/fuzz/target.h"

#include <sys/mman.h>
#include <unistd.h>

#include "server/host/scoreboard.h"
#include "server/kernels/kernels.h"
#include "server/worker/door_ring.h"
#include "server/worker/sigbus.h"
#include "tests/fuzz/fuzz.h"

int target_object(int64_t bytes) {
  int fd = memfd_create("fuzz", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  MUST(fd >= 0 && ftruncate(fd, bytes) == 0);
  return fd;
}

static void attach_all(struct target *t) {
  struct errtext err = {""};
  uint64_t bytes = 0;
  for (unsigned i = 0; i < TARGET_SEGMENTS; i++) {
    MUST(session_attach(&t->session, i, target_object(TARGET_BYTES), &bytes, &err) == 0);
    t->memory[i] = t->session.segments[i]->data;
  }
}

struct target *target_get(void) {
  static struct target target;
  struct scoreboard *scoreboard = NULL;
  int fd = -1;
  if (target.runner)
    return &target;
  MUST(kernels_init(NULL) == 0 && sigbus_install() == 0 && scoreboard_new(&scoreboard, &fd) == 0);
  close(fd);
  MUST(session_init(&target.session, scoreboard, 0) == 0 &&
       ring_door_new(&target.session, &target.session.ring) == 0);
  MUST(session_add_runner(&target.session, &target.runner) == 0);
  target.runner->call_id = 1; /* nobody cancels it */
  attach_all(&target);
  return &target;
}

#define PERIOD 251

/* Differs from byte to byte, so that what is moved is seen. */
static void fill(uint8_t with, char *to) {
  for (int64_t at = 0; at < PERIOD; at++)
    to[at] = (char)(with * (at + 1));
  for (int64_t done = PERIOD; done < TARGET_BYTES; done *= 2)
    memcpy(to + done, to, (size_t)(TARGET_BYTES - done < done ? TARGET_BYTES - done : done));
}

void target_fill(struct target *t, uint8_t with) {
  for (unsigned i = 0; i < TARGET_SEGMENTS; i++)
    fill(with, t->memory[i]);
}

bool target_is_filled(const struct target *t, uint8_t with, unsigned but, int64_t from, int64_t to) {
  static char wanted[TARGET_BYTES];
  fill(with, wanted);
  if (to > TARGET_BYTES) /* an output of no elements may be anywhere */
    to = TARGET_BYTES;
  if (from >= to) /* no exception */
    from = to = 0;
  for (unsigned i = 0; i < TARGET_SEGMENTS; i++) {
    const int64_t first = i == but ? from : 0, second = i == but ? to : 0;
    if (memcmp(t->memory[i], wanted, (size_t)first) != 0 ||
        memcmp(t->memory[i] + second, wanted + second, (size_t)(TARGET_BYTES - second)) != 0)
      return false;
  }
  return true;
}
