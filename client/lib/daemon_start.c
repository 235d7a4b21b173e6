/* SPDX-License-Identifier: BSD-3-Clause */
/* Starting a daemon for a client that finds none. The program is looked for beside the library, in bin/
 * beside it (Python's package), as installed, and on PATH. It runs in a process session of its own, so that
 * it outlives its client and gets no signals of the terminal. */
#include "client/lib/daemon_start.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/numd.h"

static bool is_program(const char *path) {
  return access(path, X_OK) == 0;
}

/* `name` relative to the directory of this library (or program, where it is linked statically). */
static bool beside_library(const char *name, char *out, size_t len) {
  Dl_info info;
  if (!dladdr((void *)(uintptr_t)&numd_connect, &info) || !info.dli_fname)
    return false;
  const char *slash = strrchr(info.dli_fname, '/');
  int dir = slash ? (int)(slash - info.dli_fname) : 0;
  int n = snprintf(out, len, "%.*s%s%s", dir, info.dli_fname, slash ? "/" : "./", name);
  return n > 0 && (size_t)n < len && is_program(out);
}

static bool on_path(char *out, size_t len) {
  const char *path = getenv("PATH");
  for (const char *p = path ? path : ""; *p;) {
    size_t n = strcspn(p, ":");
    if (n > 0 && (size_t)snprintf(out, len, "%.*s/numd", (int)n, p) < len && is_program(out))
      return true;
    p += n + (p[n] == ':');
  }
  return false;
}

int daemon_find(const char *asked, char *out, size_t len) {
  const char *given = asked ? asked : getenv("NUMD_DAEMON");
  if (given && *given) {
    snprintf(out, len, "%s", given);
    return is_program(out) ? 0 : -errno;
  }
  static const char *const places[] = {"numd", "bin/numd", "../bin/numd"};
  for (size_t i = 0; i < sizeof places / sizeof places[0]; i++)
    if (beside_library(places[i], out, len))
      return 0;
  return on_path(out, len) ? 0 : -ENOENT;
}

/* Runs in the grandchild, a fork of a process that may have threads: only async-signal-safe calls. */
static void become_daemon(const char *program, const char *address) {
  const char *log = getenv("NUMD_LOG");
  int null = open("/dev/null", O_RDWR), to = log ? open(log, O_WRONLY | O_CREAT | O_APPEND, 0600) : null;
  setsid();
  if (chdir("/") < 0 || null < 0 || to < 0)
    _exit(126);
  dup2(null, 0);
  dup2(null, 1);
  dup2(to, 2);
  close_range(3, ~0u, 0);
  execl(program, program, "--socket", address, "--exit-when-idle", (char *)NULL);
  _exit(127);
}

int daemon_start(const char *program, const char *address) {
  int status;
  pid_t child = _Fork();
  if (child < 0)
    return -errno;
  if (child == 0) {
    pid_t grandchild = _Fork();
    if (grandchild == 0)
      become_daemon(program, address);
    _exit(grandchild < 0);
  }
  while (waitpid(child, &status, 0) < 0)
    if (errno != EINTR)
      return -errno;
  return status == 0 ? 0 : -EAGAIN;
}
