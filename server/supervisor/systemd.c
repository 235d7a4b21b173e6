/* SPDX-License-Identifier: BSD-3-Clause */
#include "server/supervisor/systemd.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/host/log.h"
#include "shared/clock.h"

/* Reads the address of a Unix socket: a path, or, after an @, a name in the abstract namespace. */
static bool read_address(struct systemd *s, const char *text) {
  size_t len = strlen(text);
  if ((text[0] != '/' && text[0] != '@') || len < 2 || len >= sizeof(s->address.sun_path))
    return false;
  s->address.sun_family = AF_UNIX;
  memcpy(s->address.sun_path, text, len + 1);
  memcpy(s->address_text, text, len + 1);
  s->address_bytes = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + (text[0] == '/'));
  if (text[0] == '@')
    s->address.sun_path[0] = '\0';
  return true;
}

/* A socket to send from. It is an end of a pair, which can send to any address, so that the unit may forbid
 * the daemon to make other sockets, and by that to connect to other services. */
static int make_socket(void) {
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair) < 0)
    return -1;
  close(pair[1]);
  return pair[0];
}

void systemd_init(struct systemd *s) {
  const char *address = getenv("NOTIFY_SOCKET"), *interval = getenv("WATCHDOG_USEC"),
             *pid = getenv("WATCHDOG_PID");
  memset(s, 0, sizeof(*s));
  s->fd = -1;
  if (address && read_address(s, address)) {
    s->fd = make_socket();
    if (interval && (!pid || atol(pid) == (long)getpid()))
      s->watchdog_us = strtoull(interval, NULL, 10);
  } else if (address) {
    log_warning("NOTIFY_SOCKET is no address of a Unix socket: '%s'", address);
  }
  unsetenv("NOTIFY_SOCKET");
  unsetenv("WATCHDOG_USEC");
  unsetenv("WATCHDOG_PID");
}

void systemd_deinit(struct systemd *s) {
  if (s->fd >= 0)
    close(s->fd);
  s->fd = -1;
}

void systemd_notify(const struct systemd *s, const char *format, ...) {
  char text[512];
  va_list args;
  if (s->fd < 0)
    return;
  va_start(args, format);
  int n = vsnprintf(text, sizeof(text), format, args);
  va_end(args);
  size_t len = n < 0 ? 0 : (size_t)n < sizeof(text) ? (size_t)n : sizeof(text) - 1;
  if (sendto(s->fd, text, len, MSG_NOSIGNAL, (const struct sockaddr *)&s->address, s->address_bytes) < 0)
    log_warning("the service manager cannot be told '%s': %s", text, strerror(errno));
}

void systemd_notify_reloading(const struct systemd *s) {
  systemd_notify(s, "RELOADING=1\nMONOTONIC_USEC=%" PRId64, clock_now_ns() / 1000);
}
