/* SPDX-License-Identifier: BSD-3-Clause */
/* Messages to a service manager (systemd): datagrams of lines, as sd_notify(3) describes. If the daemon was
 * not started by one, the functions do nothing. */
#ifndef NUMD_SERVER_SUPERVISOR_SYSTEMD_H
#define NUMD_SERVER_SUPERVISOR_SYSTEMD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

struct systemd {
  int fd; /* -1: there is no service manager */
  struct sockaddr_un address;
  socklen_t address_bytes;
  char address_text[sizeof(((struct sockaddr_un *)0)->sun_path) + 1]; /* as it was given */
  uint64_t watchdog_us; /* the service manager wants a sign of life this often; 0: never */
};

/* Reads NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID, and takes them out of the environment, which workers
 * inherit. */
void systemd_init(struct systemd *systemd);
void systemd_deinit(struct systemd *systemd);

/* Sends lines, "READY=1" for instance. A failure is logged. */
__attribute__((format(printf, 2, 3))) void systemd_notify(const struct systemd *systemd, const char *format,
                                                          ...);
/* Says that a reload begins; "READY=1" says afterwards that it is done. */
void systemd_notify_reloading(const struct systemd *systemd);

#endif
