/* SPDX-License-Identifier: BSD-3-Clause */
#include "server/host/control_channel.h"

#include <errno.h>
#include <stdbool.h>
#include <unistd.h>

#include "shared/fdpass.h"

int control_send(int sock, const struct control_message *message, int fd) {
  ssize_t n = fdpass_send(sock, message, sizeof(*message), &fd, fd >= 0 ? 1 : 0);
  return n < 0 ? (int)n : 0;
}

int control_recv(int sock, struct control_message *message, int *fd) {
  int fds[FDPASS_MAX], n_fds, truncated;
  ssize_t n = fdpass_recv(sock, message, sizeof(*message), fds, &n_fds, &truncated);
  bool whole = n == (ssize_t)sizeof(*message);
  *fd = whole && n_fds > 0 ? fds[0] : -1;
  for (int i = whole ? 1 : 0; i < n_fds; i++)
    close(fds[i]);
  if (n <= 0)
    return (int)n;
  return whole ? 1 : -EPROTO;
}
