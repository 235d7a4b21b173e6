/* SPDX-License-Identifier: BSD-3-Clause */
#include "shared/address.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ROOT_DIRECTORY "/run/numd"
#define SOCKET_NAME "numd.sock"

static void tmp_directory(char *buf, size_t len) {
  snprintf(buf, len, "/tmp/numd-%u", (unsigned)geteuid());
}

int address_default(char *buf, size_t len) {
  const char *env = getenv("NUMD_SOCKET"), *runtime = getenv("XDG_RUNTIME_DIR");
  char tmp[64];
  int n;
  if (env && *env) {
    n = snprintf(buf, len, "%s", env);
  } else if (geteuid() == 0) {
    n = snprintf(buf, len, "%s/%s", ROOT_DIRECTORY, SOCKET_NAME);
  } else if (runtime && *runtime == '/') {
    n = snprintf(buf, len, "%s/%s", runtime, SOCKET_NAME);
  } else {
    tmp_directory(tmp, sizeof(tmp));
    n = snprintf(buf, len, "%s/%s", tmp, SOCKET_NAME);
  }
  return n < 0 || (size_t)n >= len || n >= ADDRESS_BYTES ? -ENAMETOOLONG : 0;
}

/* Copies the directory part of a path. 0 if the path has none or it does not fit, else 1. */
static int directory_of(const char *path, char *buf, size_t len) {
  const char *slash = strrchr(path, '/');
  size_t n = slash ? (size_t)(slash - path) : 0;
  if (n == 0 || n >= len)
    return 0;
  memcpy(buf, path, n);
  buf[n] = '\0';
  return 1;
}

int address_make_directory(const char *path) {
  char dir[ADDRESS_BYTES], tmp[64];
  struct stat st;
  tmp_directory(tmp, sizeof(tmp));
  if (!directory_of(path, dir, sizeof(dir)) || (strcmp(dir, tmp) != 0 && strcmp(dir, ROOT_DIRECTORY) != 0))
    return 0;
  if (mkdir(dir, strcmp(dir, tmp) == 0 ? 0700 : 0755) < 0 && errno != EEXIST)
    return -errno;
  if (lstat(dir, &st) < 0)
    return -errno;
  if (!S_ISDIR(st.st_mode) || st.st_uid != geteuid() || st.st_mode & (S_IWGRP | S_IWOTH))
    return -EPERM;
  return 0;
}

int address_check_directory(const char *path) {
  char dir[ADDRESS_BYTES];
  struct stat st;
  if (strncmp(path, "/tmp/", 5) != 0 || !directory_of(path, dir, sizeof(dir)) || strcmp(dir, "/tmp") == 0)
    return 0;
  if (lstat(dir, &st) < 0)
    return errno == ENOENT ? 0 : -errno;
  return S_ISDIR(st.st_mode) && (st.st_uid == geteuid() || st.st_uid == 0) ? 0 : -EPERM;
}
