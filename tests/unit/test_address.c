/* SPDX-License-Identifier: BSD-3-Clause */
/* Where a daemon listens, and which directories are to be trusted. */
#include "shared/address.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/suite.h"

#define OTHER_USER 65533

static char directory[64];

static void set_up(void) {
  ck_assert_ptr_nonnull(mkdtemp(strcpy(directory, "/tmp/numd-test-address-XXXXXX")));
}

static void tear_down(void) {
  ck_assert_int_eq(rmdir(directory), 0);
}

/* Runs in a child, as another user if root runs this; its exit status is what `work` gives. */
static int as_other(int (*work)(void)) {
  int status = -1;
  pid_t child = fork();
  if (child == 0)
    _exit(setgid(OTHER_USER) < 0 || setuid(OTHER_USER) < 0 ? 100 : work());
  ck_assert_int_eq(waitpid(child, &status, 0), child);
  return WEXITSTATUS(status);
}

static const char *default_path(void) {
  static char path[ADDRESS_BYTES];
  ck_assert_int_eq(address_default(path, sizeof(path)), 0);
  return path;
}

START_TEST(what_the_environment_says_comes_first) {
  setenv("XDG_RUNTIME_DIR", "/run/user/7", 1);
  setenv("NUMD_SOCKET", "/some/where", 1);
  ck_assert_str_eq(default_path(), "/some/where");
  setenv("NUMD_SOCKET", "", 1); /* as good as none */
  ck_assert_str_ne(default_path(), "");
}
END_TEST

static int default_of_a_user(void) {
  char wanted[ADDRESS_BYTES];
  unsetenv("NUMD_SOCKET");
  setenv("XDG_RUNTIME_DIR", "/run/user/7", 1);
  if (strcmp(default_path(), "/run/user/7/numd.sock") != 0)
    return 1;
  setenv("XDG_RUNTIME_DIR", "relative", 1);
  snprintf(wanted, sizeof(wanted), "/run/user/%u", (unsigned)geteuid());
  if (access(wanted, F_OK) == 0)
    strcat(wanted, "/numd.sock");
  else
    snprintf(wanted, sizeof(wanted), "/tmp/numd-%u/numd.sock", (unsigned)geteuid());
  if (strcmp(default_path(), wanted) != 0)
    return 2;
  unsetenv("XDG_RUNTIME_DIR");
  return strcmp(default_path(), wanted) != 0 ? 3 : 0;
}

START_TEST(else_it_depends_on_the_user) {
  if (geteuid() != 0) {
    ck_assert_int_eq(default_of_a_user(), 0);
    return;
  }
  unsetenv("NUMD_SOCKET");
  setenv("XDG_RUNTIME_DIR", "/run/user/0", 1);
  ck_assert_str_eq(default_path(), "/run/numd/numd.sock");
  ck_assert_int_eq(as_other(default_of_a_user), 0);
}
END_TEST

START_TEST(a_path_that_no_socket_can_have_is_refused) {
  char name[ADDRESS_BYTES + 1] = "", path[200];
  memset(name, 'x', ADDRESS_BYTES - 1);
  setenv("NUMD_SOCKET", name, 1);
  ck_assert_int_eq(address_default(path, sizeof(path)), 0);
  ck_assert_int_eq(address_default(path, 20), -ENAMETOOLONG);
  name[ADDRESS_BYTES - 1] = 'x';
  setenv("NUMD_SOCKET", name, 1);
  ck_assert_int_eq(address_default(path, sizeof(path)), -ENAMETOOLONG);
}
END_TEST

static char below[80];

static int check_below(void) {
  return -address_check_directory(below);
}

/* Anybody can make a directory in /tmp, of a name that a client looks at. */
START_TEST(a_client_trusts_no_directory_in_tmp_that_is_another_s) {
  snprintf(below, sizeof(below), "%s/socket", directory);
  ck_assert_int_eq(address_check_directory(below), 0);
  ck_assert_int_eq(address_check_directory("/tmp/socket"), 0); /* nobody's in particular */
  ck_assert_int_eq(address_check_directory("/somewhere/else"), 0);
  ck_assert_int_eq(address_check_directory("relative"), 0);
  ck_assert_int_eq(address_check_directory("/tmp/numd-test-none/socket"), 0); /* not there */
  if (geteuid() != 0)
    return;                                   /* only root can be somebody else */
  ck_assert_int_eq(as_other(check_below), 0); /* root's is as good as one's own */
  ck_assert_int_eq(chown(directory, OTHER_USER - 1, 0), 0);
  ck_assert_int_eq(as_other(check_below), EPERM);
  ck_assert_int_eq(address_check_directory(below), -EPERM);
}
END_TEST

START_TEST(a_link_is_no_directory) {
  char link_path[80], path[100];
  snprintf(link_path, sizeof(link_path), "%s-link", directory);
  snprintf(path, sizeof(path), "%s/socket", link_path);
  ck_assert_int_eq(symlink("/", link_path), 0);
  const int trusted = address_check_directory(path);
  unlink(link_path);
  ck_assert_int_eq(trusted, -EPERM);
}
END_TEST

/* As a user that has no daemon: the default directory in /tmp is made, then judged. */
static int make_default(void) {
  char dir[64], path[80];
  struct stat st;
  int wrong = 0;
  snprintf(dir, sizeof(dir), "/tmp/numd-%u", (unsigned)geteuid());
  snprintf(path, sizeof(path), "%s/numd.sock", dir);
  if (address_make_directory(path) != 0 || stat(dir, &st) < 0 || (st.st_mode & 0777) != 0700)
    wrong = 1;
  else if (address_make_directory(path) != 0) /* it is there already */
    wrong = 2;
  else if (chmod(dir, 0770) < 0 || address_make_directory(path) != -EPERM)
    wrong = 3;
  rmdir(dir);
  if (!wrong && (symlink(directory, dir) < 0 || address_make_directory(path) != -EPERM))
    wrong = 4;
  unlink(dir);
  return wrong;
}

START_TEST(a_daemon_makes_its_default_directory_for_itself_alone) {
  char path[100];
  struct stat st;
  snprintf(path, sizeof(path), "%s/none/socket", directory);
  ck_assert_int_eq(address_make_directory(path), 0); /* the caller's business */
  ck_assert_int_lt(stat(path, &st), 0);
  ck_assert_int_eq(address_make_directory("socket"), 0);
  if (geteuid() == 0) /* a user's own may be in use */
    ck_assert_int_eq(as_other(make_default), 0);
}
END_TEST

/* As a user whose directory in /tmp another one has made first. */
static int find_another(void) {
  char first[ADDRESS_BYTES], again[ADDRESS_BYTES], usual[64];
  struct stat st;
  unsetenv("NUMD_SOCKET");
  unsetenv("XDG_RUNTIME_DIR");
  snprintf(usual, sizeof(usual), "/tmp/numd-%u/", (unsigned)geteuid());
  if (address_default(first, sizeof(first)) < 0 || address_default(again, sizeof(again)) < 0)
    return 1;
  *strrchr(first, '/') = '\0';
  int wrong = lstat(first, &st) < 0                                             ? 2
              : st.st_uid != geteuid() || (st.st_mode & 07777) != 0700          ? 3
              : strncmp(again, usual, strlen(usual)) == 0                       ? 4
              : strncmp(again, first, strlen(first)) != 0                       ? 5 /* each time the same */
              : address_make_directory(again) || address_check_directory(again) ? 6
                                                                                : 0;
  rmdir(first);
  return wrong;
}

START_TEST(who_takes_the_name_first_denies_nothing) {
  char usual[64], decoy[80];
  if (geteuid() != 0)
    return; /* only root can be somebody else */
  snprintf(usual, sizeof(usual), "/tmp/numd-%d", OTHER_USER);
  snprintf(decoy, sizeof(decoy), "%s-AAAAAA", usual);
  ck_assert_int_eq(mkdir(usual, 0777), 0);
  ck_assert_int_eq(mkdir(decoy, 0777), 0);
  int as_a_directory = as_other(find_another);
  rmdir(usual);
  rmdir(decoy);
  ck_assert_int_eq(symlink(directory, usual), 0);
  int as_a_link = as_other(find_another);
  unlink(usual);
  ck_assert_int_eq(as_a_directory, 0);
  ck_assert_int_eq(as_a_link, 0);
}
END_TEST

static bool is_ours_alone(mode_t mode, uid_t owner) {
  char path[100];
  bool alone = false;
  snprintf(path, sizeof(path), "%s/socket", directory);
  ck_assert_int_eq(chmod(directory, mode), 0);
  ck_assert_int_eq(chown(directory, owner, (gid_t)-1), 0);
  int fd = address_open_directory(path, &alone);
  ck_assert_int_ge(fd, 0);
  close(fd);
  return alone;
}

START_TEST(a_directory_where_others_write_is_told) {
  bool alone;
  ck_assert(is_ours_alone(0700, geteuid()));
  ck_assert(is_ours_alone(0755, geteuid()));
  ck_assert(!is_ours_alone(0775, geteuid()));
  ck_assert(!is_ours_alone(0757, geteuid()));
  ck_assert(is_ours_alone(01777, geteuid()));
  if (geteuid() == 0)
    ck_assert(!is_ours_alone(0755, OTHER_USER));
  ck_assert_int_eq(address_open_directory("/none/socket", &alone), -ENOENT);
  int here = address_open_directory("socket", &alone);
  ck_assert_int_ge(here, 0);
  close(here);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("address");
  TCase *t = tcase_create("address");
  tcase_add_checked_fixture(t, set_up, tear_down);
  tcase_add_test(t, what_the_environment_says_comes_first);
  tcase_add_test(t, else_it_depends_on_the_user);
  tcase_add_test(t, a_path_that_no_socket_can_have_is_refused);
  tcase_add_test(t, a_client_trusts_no_directory_in_tmp_that_is_another_s);
  tcase_add_test(t, a_link_is_no_directory);
  tcase_add_test(t, a_daemon_makes_its_default_directory_for_itself_alone);
  tcase_add_test(t, who_takes_the_name_first_denies_nothing);
  tcase_add_test(t, a_directory_where_others_write_is_told);
  suite_add_tcase(suite, t);
  return suite_run(suite);
}
