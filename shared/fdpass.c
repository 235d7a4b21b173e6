/* SPDX-License-Identifier: BSD-3-Clause */
#include "shared/fdpass.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

ssize_t fdpass_send(int sock, const void *data, size_t len, const int fds[], int n_fds) {
  struct iovec iov = {.iov_base = (void *)data, .iov_len = len};
  union {
    char bytes[CMSG_SPACE(sizeof(int) * FDPASS_MAX)];
    struct cmsghdr align;
  } control;
  struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
  if (n_fds > FDPASS_MAX)
    return -EINVAL;
  if (n_fds > 0) {
    memset(&control, 0, sizeof(control));
    msg.msg_control = control.bytes;
    msg.msg_controllen = CMSG_SPACE(sizeof(int) * (size_t)n_fds);
    struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int) * (size_t)n_fds);
    memcpy(CMSG_DATA(c), fds, sizeof(int) * (size_t)n_fds);
  }
  ssize_t n;
  do
    n = sendmsg(sock, &msg, MSG_NOSIGNAL);
  while (n < 0 && errno == EINTR);
  return n < 0 ? -errno : n;
}

/* Takes the descriptors out of a control message: the first FDPASS_MAX are kept, others closed. */
static void take_fds(struct cmsghdr *c, int fds[FDPASS_MAX], int *n_fds, int *truncated) {
  size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
  for (size_t i = 0; i < n; i++) {
    int fd;
    memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
    if (*n_fds < FDPASS_MAX) {
      fds[(*n_fds)++] = fd;
    } else {
      close(fd);
      *truncated = 1;
    }
  }
}

ssize_t fdpass_recv(int sock, void *data, size_t len, int fds[FDPASS_MAX], int *n_fds, int *truncated) {
  struct iovec iov = {.iov_base = data, .iov_len = len};
  union {
    char bytes[CMSG_SPACE(sizeof(int) * FDPASS_MAX)];
    struct cmsghdr align;
  } control;
  struct msghdr msg = {.msg_iov = &iov,
                       .msg_iovlen = 1,
                       .msg_control = control.bytes,
                       .msg_controllen = sizeof(control.bytes)};
  *n_fds = 0;
  *truncated = 0;
  ssize_t n;
  do
    n = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC);
  while (n < 0 && errno == EINTR);
  if (n < 0)
    return -errno;
  for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c))
    if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
      take_fds(c, fds, n_fds, truncated);
  if (msg.msg_flags & MSG_CTRUNC)
    *truncated = 1;
  return n;
}
