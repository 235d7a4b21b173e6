/* SPDX-License-Identifier: BSD-3-Clause */
/* The whole socket door: what a client sends, with descriptors beside it, to a worker that serves it from its
 * first byte to its end. The supervisor is played by control_send, which answers each question at once. The
 * input's first byte says how many descriptors come; a sanitizer looks for leaks of memory, and here those of
 * descriptors are counted. */
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server/host/control_channel.h"
#include "server/host/log.h"
#include "server/host/quota.h"
#include "server/host/scoreboard.h"
#include "server/kernels/kernels.h"
#include "server/worker/sigbus.h"
#include "server/worker/worker.h"
#include "shared/fdpass.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/target.h"

#define BYTES_MAX 65536 /* that fit a socket's buffer at once */

int __real_control_send(int sock, const struct control_message *message, int fd);
int __wrap_control_send(int sock, const struct control_message *message, int fd);

static int supervisor = -1;

/* Every token names a fresh object, every name has a block, and every third question is refused. */
int __wrap_control_send(int sock, const struct control_message *question, int fd) {
  static unsigned n;
  struct control_message reply = {.type = CONTROL_REPLY,
                                  .serial = question->serial,
                                  .first = 64,
                                  .ticket = question->type == CONTROL_CHARGE ? 0 : 5,
                                  .flag = n & 1,
                                  .note_bytes = 4};
  if (question->type == CONTROL_DROP || question->type == CONTROL_GIVE || question->type == CONTROL_DISCHARGE)
    return 0;
  if (question->type == CONTROL_CHARGE)
    reply.first = question->first;
  reply.status = n++ % 3 == 2 ? NUMD_ESEGMENT : NUMD_OK;
  int beside = -1;
  if (question->type == CONTROL_IMPORT || question->type == CONTROL_OPEN || question->type == CONTROL_MEMORY)
    beside = target_object(4096);
  int rc = __real_control_send(supervisor, &reply, beside);
  if (beside >= 0)
    close(beside);
  return rc;
}

/* The lowest descriptor that is free. */
static int lowest_free(void) {
  int fd = fcntl(0, F_DUPFD_CLOEXEC, 0);
  MUST(fd >= 0);
  close(fd);
  return fd;
}

static void send_input(int sock, struct input *in) {
  int fds[FDPASS_MAX], n = input_byte(in) % (FDPASS_MAX + 1);
  for (int i = 0; i < n; i++)
    fds[i] = i == 5 ? open("/dev/null", O_RDWR | O_CLOEXEC) : target_object(i == 4 ? 0 : TARGET_BYTES);
  size_t left = in->left < BYTES_MAX ? in->left : BYTES_MAX;
  if (left > 0)
    MUST(fdpass_send(sock, in->at, left, fds, n) == (ssize_t)left);
  for (int i = 0; i < n; i++)
    close(fds[i]);
  shutdown(sock, SHUT_WR);
}

static struct worker_place place;

static void set_up(void) {
  struct notices *notices = NULL;
  int fd = -1, notices_fd = -1;
  if (place.scoreboard)
    return;
  log_init("fuzz", LOG_LEVEL_ERROR);
  MUST(kernels_init(NULL) == 0 && sigbus_install() == 0 && scoreboard_new(&place.scoreboard, &fd) == 0 &&
       notices_new(&notices, &notices_fd) == 0);
  quota_set_defaults(notices->limits, UINT64_C(1) << 30, 1, 64);
  place.notices = notices;
  close(fd);
  close(notices_fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct input in = {data, size};
  const struct control_message session = {.type = CONTROL_SESSION};
  set_up();
  int client[2], control[2], before = lowest_free();
  MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, client) == 0);
  MUST(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, control) == 0);
  supervisor = control[1];
  place.control = control[0];
  send_input(client[0], &in);
  MUST(worker_run(&place, &session, client[1]) == 0);
  alarm(0); /* of the worker, whose process would have ended by now */
  close(client[0]);
  close(control[0]);
  close(control[1]);
  MUST(lowest_free() == before);
  return 0;
}
