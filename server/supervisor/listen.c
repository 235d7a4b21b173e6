/* SPDX-License-Identifier: BSD-3-Clause */
/* The process that has the lock on PATH.lock owns PATH. The owner removes the lock file when it ends. Between
 * another process's opening the file and locking it, the file may have been removed, and a third process may
 * have made and locked a new one. So after locking, a process checks that the file it has locked is still the
 * one at that name, or begins again. */
#include "server/supervisor/listen.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 128
#define FIRST_INHERITED 3

int listen_inherited(void) {
  const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");
  if (!pid || !fds || atol(pid) != (long)getpid())
    return 0;
  int n = atoi(fds);
  return n < 0 || n > 64 ? 0 : n;
}

#define LOCK_TRIES 50
#define LOCK_PAUSE_US 10000

static bool is_own_file(int fd, struct stat *st) {
  return fstat(fd, st) == 0 && S_ISREG(st->st_mode) && st->st_uid == geteuid();
}

/* -EADDRINUSE: another process has the lock. It is tried for half a second: a daemon that was killed while it
 * forked has left a child that has its descriptors, the lock among them, until it becomes a worker. */
static int take_lock(struct listener *l, struct errtext *err) {
  struct stat ours, there;
  for (int tries = 1;; tries++) {
    int fd = open(l->lock_path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
      return -errno;
    if (!is_own_file(fd, &ours)) {
      close(fd);
      return errtext_set(err, -EPERM, "%s is another user's, or no file", l->lock_path);
    }
    if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
      int rc = errno == EWOULDBLOCK ? -EADDRINUSE : -errno;
      close(fd);
      if (rc != -EADDRINUSE || tries >= LOCK_TRIES)
        return rc;
      usleep(LOCK_PAUSE_US);
      continue;
    }
    if (lstat(l->lock_path, &there) == 0 && ours.st_ino == there.st_ino && ours.st_dev == there.st_dev) {
      l->lock_fd = fd;
      return 0;
    }
    close(fd);
  }
}

static int make_address(const char *path, struct sockaddr_un *address) {
  memset(address, 0, sizeof(*address));
  address->sun_family = AF_UNIX;
  if (strlen(path) >= sizeof(address->sun_path))
    return -ENAMETOOLONG;
  strcpy(address->sun_path, path);
  return 0;
}

/* Removes the socket that a dead daemon left at the path. -EADDRINUSE: a daemon answers there. -EEXIST: what
 * is there is no socket. */
static int clear_path(const char *path) {
  struct sockaddr_un address;
  struct stat st;
  if (lstat(path, &st) < 0)
    return errno == ENOENT ? 0 : -errno;
  if (!S_ISSOCK(st.st_mode))
    return -EEXIST;
  int rc = make_address(path, &address),
      probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (probe < 0)
    return -errno;
  if (rc == 0 && connect(probe, (struct sockaddr *)&address, sizeof(address)) == 0)
    rc = -EADDRINUSE;
  else if (rc == 0 && errno != ECONNREFUSED)
    rc = errno == EAGAIN ? -EADDRINUSE : -errno;
  close(probe);
  if (rc == 0 && unlink(path) < 0 && errno != ENOENT)
    rc = -errno;
  return rc;
}

/* Gives the socket to the group. In a directory where others may write, what is at the path may be something
 * else by now, so there it is refused. */
static int give_to_group(const struct listener *l, gid_t group, struct errtext *err) {
  const char *slash = strrchr(l->path, '/');
  bool ours_alone = false;
  int directory = address_open_directory(l->path, &ours_alone), rc = directory < 0 ? directory : 0;
  if (rc == 0 && !ours_alone)
    rc =
        errtext_set(err, -EPERM,
                    "%s cannot be given to the group: others may write in its directory, or own it", l->path);
  else if (rc == 0 &&
           fchownat(directory, slash ? slash + 1 : l->path, (uid_t)-1, group, AT_SYMLINK_NOFOLLOW) < 0)
    rc = -errno;
  if (directory >= 0)
    close(directory);
  return rc;
}

/* The mode is right from the beginning, since there is no way to change it later but by the path. */
static int bind_path(struct listener *l, const struct access_rule *access, struct errtext *err) {
  mode_t mode = access_socket_mode(access);
  struct sockaddr_un address;
  int rc = make_address(l->path, &address);
  if (rc < 0)
    return rc;
  l->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (l->fd < 0)
    return -errno;
  mode_t before = umask(0777 & ~mode);
  if (bind(l->fd, (struct sockaddr *)&address, sizeof(address)) < 0)
    rc = -errno;
  umask(before);
  if (rc < 0)
    return rc;
  if (mode == 0660)
    rc = give_to_group(l, access->group, err);
  if (rc == 0 && listen(l->fd, BACKLOG) < 0)
    rc = -errno;
  if (rc < 0)
    unlink(l->path);
  return rc;
}

/* Takes descriptor 3, from the service manager or the daemon before us. */
static int take_socket(struct listener *l, struct errtext *err) {
  int yes = 0;
  socklen_t len = sizeof(yes);
  if (getsockopt(FIRST_INHERITED, SOL_SOCKET, SO_ACCEPTCONN, &yes, &len) < 0 || !yes)
    return errtext_set(err, -EINVAL, "the inherited descriptor is not a listening socket");
  fcntl(FIRST_INHERITED, F_SETFD, FD_CLOEXEC);
  fcntl(FIRST_INHERITED, F_SETFL, fcntl(FIRST_INHERITED, F_GETFL) | O_NONBLOCK);
  l->fd = FIRST_INHERITED;
  return 0;
}

static int take_inherited(struct listener *l, struct errtext *err) {
  unsetenv("LISTEN_PID");
  unsetenv("LISTEN_FDS");
  unsetenv("LISTEN_FDNAMES");
  l->inherited = true;
  return take_socket(l, err);
}

static int set_paths(struct listener *l, const char *path, struct errtext *err) {
  memset(l, 0, sizeof(*l));
  l->fd = l->lock_fd = -1;
  if (strlen(path) >= sizeof(l->path))
    return errtext_set(err, -ENAMETOOLONG, "the socket's path is longer than %zu bytes", sizeof(l->path) - 1);
  strcpy(l->path, path);
  snprintf(l->lock_path, sizeof(l->lock_path), "%s.lock", path);
  return 0;
}

int listener_take_over(struct listener *l, const char *path, struct errtext *err) {
  struct stat st;
  int rc = set_paths(l, path, err);
  if (rc == 0)
    rc = take_socket(l, err);
  if (rc < 0)
    return rc;
  l->inherited = fstat(FIRST_INHERITED + 1, &st) < 0 || !S_ISREG(st.st_mode);
  if (l->inherited)
    close(FIRST_INHERITED + 1);
  else
    fcntl(l->lock_fd = FIRST_INHERITED + 1, F_SETFD, FD_CLOEXEC);
  return 0;
}

int listener_open(struct listener *l, const char *path, const struct access_rule *access,
                  struct errtext *err) {
  int rc = set_paths(l, path, err);
  if (rc < 0)
    return rc;
  if (listen_inherited() > 0)
    return take_inherited(l, err);
  rc = address_make_directory(path);
  if (rc < 0)
    return errtext_set(err, rc, "the directory of %s: %s", path,
                       rc == -EPERM ? "it must be ours, and not writable by others" : strerror(-rc));
  err->text[0] = '\0';
  rc = take_lock(l, err);
  if (rc == 0)
    rc = clear_path(path);
  if (rc == 0)
    rc = bind_path(l, access, err);
  if (rc == -EADDRINUSE)
    errtext_set(err, rc, "a daemon is alive at %s already", path);
  else if (rc == -EEXIST)
    errtext_set(err, rc, "%s exists and is not a socket", path);
  else if (rc < 0 && !err->text[0])
    errtext_set(err, rc, "cannot listen at %s: %s", path, strerror(-rc));
  if (rc < 0) {
    if (l->lock_fd >= 0)
      unlink(l->lock_path);
    if (l->fd >= 0)
      close(l->fd);
    if (l->lock_fd >= 0)
      close(l->lock_fd);
    l->fd = l->lock_fd = -1;
  }
  return rc;
}

void listener_release(struct listener *l) {
  if (l->lock_fd < 0)
    return;
  unlink(l->path);
  unlink(l->lock_path);
  close(l->lock_fd);
  l->lock_fd = -1;
}

void listener_abandon(struct listener *l) {
  if (l->lock_fd >= 0)
    close(l->lock_fd);
  l->lock_fd = -1;
}

void listener_close(struct listener *l) {
  listener_release(l);
  if (l->fd >= 0)
    close(l->fd);
  l->fd = -1;
}
