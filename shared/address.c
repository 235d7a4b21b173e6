/* SPDX-License-Identifier: BSD-3-Clause */
/* Anybody can make a directory in /tmp under the name that another user's daemon would choose. Such a
 * directory is passed over for one with random letters behind the name. Daemon and clients find that by its
 * owner, since nobody can make a directory that is another user's. */
#include "shared/address.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ROOT_DIRECTORY "/run/numd"
#define TMP "/tmp"
#define SOCKET_NAME "numd.sock"
#define DIRECTORY_BYTES 64

/* Whether a directory is the caller's, and no other user may write there; errno tells why not. */
static bool is_own(const char *dir) {
  struct stat st;
  if (lstat(dir, &st) < 0)
    return false;
  errno = EPERM;
  return S_ISDIR(st.st_mode) && st.st_uid == geteuid() && !(st.st_mode & (S_IWGRP | S_IWOTH));
}

static void tmp_directory(char buf[DIRECTORY_BYTES]) {
  snprintf(buf, DIRECTORY_BYTES, TMP "/numd-%u", (unsigned)geteuid());
}

/* Finds the caller's directory of random letters; of several the first by name, so that all find the same. */
static bool find_other(const char *base, char found[DIRECTORY_BYTES]) {
  const char *name = base + strlen(TMP "/");
  size_t n = strlen(name);
  DIR *tmp = opendir(TMP);
  *found = '\0';
  for (struct dirent *e; tmp && (e = readdir(tmp));) {
    char dir[DIRECTORY_BYTES];
    if (strncmp(e->d_name, name, n) != 0 || e->d_name[n] != '-')
      continue;
    int len = snprintf(dir, sizeof(dir), TMP "/%s", e->d_name);
    if (len < (int)sizeof(dir) && is_own(dir) && (!*found || strcmp(dir, found) < 0))
      strcpy(found, dir);
  }
  if (tmp)
    closedir(tmp);
  return *found != '\0';
}

/* The directory below /tmp, which is made only if the usual name is taken. */
static void choose_tmp_directory(char buf[DIRECTORY_BYTES]) {
  char base[DIRECTORY_BYTES], made[DIRECTORY_BYTES];
  tmp_directory(base);
  strcpy(buf, base);
  if (is_own(base) || errno == ENOENT || find_other(base, buf))
    return;
  snprintf(made, sizeof(made), TMP "/numd-%u-XXXXXX", (unsigned)geteuid());
  strcpy(buf, mkdtemp(made) ? made : base);
}

/* The directory in which the service manager has users keep their sockets, also for programs that were not
 * told so by their environment. */
static bool runtime_directory(char buf[DIRECTORY_BYTES]) {
  snprintf(buf, DIRECTORY_BYTES, "/run/user/%u", (unsigned)geteuid());
  return is_own(buf);
}

int address_default(char *buf, size_t len) {
  const char *env = secure_getenv("NUMD_SOCKET"), *runtime = secure_getenv("XDG_RUNTIME_DIR");
  char dir[DIRECTORY_BYTES];
  int n;
  if (env && *env) {
    n = snprintf(buf, len, "%s", env);
  } else if (geteuid() == 0) {
    n = snprintf(buf, len, "%s/%s", ROOT_DIRECTORY, SOCKET_NAME);
  } else if (runtime && *runtime == '/') {
    n = snprintf(buf, len, "%s/%s", runtime, SOCKET_NAME);
  } else {
    if (!runtime_directory(dir))
      choose_tmp_directory(dir);
    n = snprintf(buf, len, "%s/%s", dir, SOCKET_NAME);
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
  char dir[ADDRESS_BYTES], tmp[DIRECTORY_BYTES];
  tmp_directory(tmp);
  if (!directory_of(path, dir, sizeof(dir)))
    return 0;
  size_t n = strlen(tmp);
  bool is_root = strcmp(dir, ROOT_DIRECTORY) == 0, is_tmp = strncmp(dir, tmp, n) == 0;
  if (!is_root && !(is_tmp && (dir[n] == '\0' || dir[n] == '-')))
    return 0;
  if (mkdir(dir, is_tmp ? 0700 : 0755) < 0 && errno != EEXIST)
    return -errno;
  return is_own(dir) ? 0 : -errno;
}

/* Whether nobody but its owner, who is the caller or root, can put something else at a name in a directory.
 * In a sticky one, others cannot remove what is the caller's. */
static bool keeps_entries(const struct stat *st) {
  return (st->st_uid == geteuid() || st->st_uid == 0) &&
         (!(st->st_mode & (S_IWGRP | S_IWOTH)) || st->st_mode & S_ISVTX);
}

int address_open_directory(const char *path, bool *ours_alone) {
  char dir[ADDRESS_BYTES];
  struct stat st;
  if (!directory_of(path, dir, sizeof(dir)))
    strcpy(dir, *path == '/' ? "/" : ".");
  int fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0)
    return -errno;
  *ours_alone = fstat(fd, &st) == 0 && keeps_entries(&st);
  return fd;
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
