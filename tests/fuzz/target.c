#include "tests/fuzz/target.h"

#include <sys/mman.h>
#include <unistd.h>

#include "server/board.h"
#include "server/door_ring.h"
#include "server/guard.h"
#include "server/kernels/kernels.h"
#include "server/quota.h"
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
  struct board *board = NULL;
  int fd = -1;
  if (target.runner)
    return &target;
  MUST(kernels_init(NULL) == 0 && guard_install() == 0 && board_new(&board, &fd) == 0);
  quota_set_defaults(board->limits, UINT64_C(1) << 30, 1, 64);
  close(fd);
  MUST(session_init(&target.session, board, 0) == 0 &&
       ring_door_new(&target.session, &target.session.ring) == 0);
  MUST(session_add_runner(&target.session, &target.runner) == 0);
  target.runner->call_id = 1; /* nobody cancels it */
  attach_all(&target);
  return &target;
}

/* Differs from byte to byte, so that what is moved is seen. */
static char pattern(uint8_t with, int64_t at) {
  return (char)(with * (at % 251 + 1));
}

void target_fill(struct target *t, uint8_t with) {
  for (unsigned i = 0; i < TARGET_SEGMENTS; i++)
    for (int64_t at = 0; at < TARGET_BYTES; at++)
      t->memory[i][at] = pattern(with, at);
}

bool target_is_filled(const struct target *t, uint8_t with, unsigned but, int64_t from, int64_t to) {
  for (unsigned i = 0; i < TARGET_SEGMENTS; i++)
    for (int64_t at = 0; at < TARGET_BYTES; at++) {
      if (i == but && at == from && to > from)
        at = to;
      if (at < TARGET_BYTES && t->memory[i][at] != pattern(with, at))
        return false;
    }
  return true;
}
