/* SPDX-License-Identifier: BSD-3-Clause */
/* Who is let in and who is told what instead. The workers are
 * programs that do nothing, for only the handing over is looked at. */
#include "server/supervisor/accept.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <msgpack.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "protocol/status.h"
#include "server/host/log.h"
#include "server/supervisor/charges.h"
#include "server/supervisor/listen.h"
#include "tests/unit/suite.h"

#define IDLE_WORKER "/bin/sleep" /* is called with numbers */
#define OTHER_USER 65533

static uv_loop_t loop;
static struct scoreboard *scoreboard;
static struct notices *notices;
static struct charges charges;
static struct listener listener;
static struct access_rule rule;
static struct workers workers;
static struct accept acceptor;
static char directory[] = "/tmp/numd-test-accept-XXXXXX", path[64];
static int n_sessions_begun;

static void on_message(void *data, struct worker_process *worker, struct control_message *message, int fd) {
  if (fd >= 0)
    close(fd);
}

static void on_ended(void *data, const struct worker_process *worker, bool lost) {}

static void on_none_left(void *data) {}

static void on_ready(void *data) {}

static void on_line_empty(void *data) {}

static void on_session(void *data) {
  n_sessions_begun++;
}

static void set_up(void) {
  static const struct workers_events events = {
      .message = on_message, .ready = on_ready, .ended = on_ended, .none_left = on_none_left};
  struct errtext err;
  int fd, notices_fd;
  log_init("test", LOG_LEVEL_ERROR); /* each refusal is a warning */
  ck_assert_ptr_nonnull(mkdtemp(strcpy(directory, "/tmp/numd-test-accept-XXXXXX")));
  ck_assert_int_eq(chmod(directory, 0755), 0);
  snprintf(path, sizeof(path), "%s/socket", directory);
  ck_assert_int_eq(uv_loop_init(&loop), 0);
  ck_assert_int_eq(scoreboard_new(&scoreboard, &fd), 0);
  ck_assert_int_eq(notices_new(&notices, &notices_fd), 0);
  notices->limits[QUOTA_SESSIONS] = 100;
  charges = (struct charges){.workers = &workers};
  rule = (struct access_rule){.n_uids = 0};
  ck_assert_msg(listener_open(&listener, path, &rule, &err) == 0, "%s", err.text);
  workers = (struct workers){.loop = &loop,
                             .scoreboard = scoreboard,
                             .scoreboard_fd = fd,
                             .notices = notices,
                             .notices_fd = notices_fd,
                             .charges = &charges,
                             .program = IDLE_WORKER,
                             .starts_max = 100,
                             .events = &events};
  workers_init(&workers);
  acceptor = (struct accept){.listen_fd = listener.fd,
                             .workers = &workers,
                             .access = &rule,
                             .sessions_max = 100,
                             .on_session = on_session,
                             .on_line_empty = on_line_empty};
  n_sessions_begun = 0;
  ck_assert_int_eq(accept_start(&acceptor), 0);
}

static void close_handle(uv_handle_t *handle, void *arg) {
  if (!uv_is_closing(handle))
    uv_close(handle, NULL);
}

static void tear_down(void) {
  accept_stop(&acceptor);
  accept_stop(&acceptor); /* again is as good */
  ck_assert_int_eq(n_sessions_begun, workers.n_sessions);
  workers_stop(&workers);
  workers_kill(&workers);
  while (workers.first)
    uv_run(&loop, UV_RUN_ONCE);
  uv_walk(&loop, close_handle, NULL);
  uv_run(&loop, UV_RUN_DEFAULT);
  ck_assert_int_eq(uv_loop_close(&loop), 0);
  accept_deinit(&acceptor);
  listener_close(&listener);
  close(workers.scoreboard_fd);
  scoreboard_unmap(scoreboard);
  close(workers.notices_fd);
  notices_unmap(notices);
  charges_deinit(&charges);
  ck_assert_int_eq(rmdir(directory), 0);
}

static int try_connect(void) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  ck_assert_int_ge(fd, 0);
  strcpy(address.sun_path, path);
  if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
    return fd;
  close(fd);
  return -1;
}

static int connect_client(void) {
  int fd = try_connect();
  ck_assert_int_ge(fd, 0);
  return fd;
}

/* What a client is told before the end of its connection: [2, "goodbye", [status, name, sentence]]. */
static int read_goodbye(int fd, char *sentence, size_t room) {
  char buffer[1024];
  size_t n = 0;
  ssize_t more;
  while ((more = read(fd, buffer + n, sizeof(buffer) - n)) > 0)
    n += (size_t)more;
  msgpack_unpacked message;
  msgpack_unpacked_init(&message);
  if (more < 0 || msgpack_unpack_next(&message, buffer, n, NULL) != MSGPACK_UNPACK_SUCCESS)
    return -1;
  const msgpack_object *at = message.data.via.array.ptr, *error = at[2].via.array.ptr;
  int status = -1;
  if (at[0].via.u64 == 2 && at[1].via.str.size == 7 && memcmp(at[1].via.str.ptr, "goodbye", 7) == 0) {
    status = (int)error[0].via.u64;
    snprintf(sentence, room, "%.*s", (int)error[2].via.str.size, error[2].via.str.ptr);
  }
  msgpack_unpacked_destroy(&message);
  close(fd);
  return status;
}

static void check_refused(int client, int status, const char *sentence) {
  char said[256] = "";
  ck_assert_int_eq(read_goodbye(client, said, sizeof(said)), status);
  ck_assert_msg(strstr(said, sentence) != NULL, "%s", said);
}

/* Whether the connection goes on: its other end is on its way to a worker. */
static bool is_held(int client) {
  char byte;
  return recv(client, &byte, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

START_TEST(each_client_gets_a_worker_of_its_own) {
  int clients[3];
  ck_assert_int_eq(accept_waiting(&acceptor), 0);
  for (int i = 0; i < 3; i++)
    clients[i] = connect_client();
  ck_assert_int_eq(accept_waiting(&acceptor), 3);
  ck_assert_int_eq(workers.n_sessions, 3);
  ck_assert_uint_eq(workers_count_sessions(&workers, getuid()), 3);
  ck_assert_uint_eq(workers_count_sessions(&workers, OTHER_USER), 0);
  ck_assert_uint_eq(notices->sessions_total, 3);
  for (int i = 0; i < 3; i++) {
    ck_assert(is_held(clients[i]));
    ck_assert_int_eq(notices->entries[i].state, WORKER_SESSION);
    ck_assert_int_eq(notices->entries[i].client_pid, getpid());
    ck_assert_uint_eq(notices->entries[i].uid, getuid());
    close(clients[i]);
  }
}
END_TEST

START_TEST(spares_are_taken_first) {
  workers.spares_wanted = 2;
  workers_refill(&workers);
  ck_assert_int_eq(workers.n_spares, 2);
  const int32_t oldest = notices->entries[0].pid;
  int client = connect_client();
  ck_assert_int_eq(accept_waiting(&acceptor), 1);
  ck_assert_int_eq(workers.n_spares, 1);
  ck_assert_int_eq(notices->entries[0].pid, oldest);
  ck_assert_int_eq(notices->entries[0].state, WORKER_SESSION);
  ck_assert(uv_is_active((uv_handle_t *)&workers.spawn_timer)); /* another will be started, a little later */
  close(client);
}
END_TEST

/* The spare's end of the channel, which the program that stands for it does not use; -1 where the kernel does
 * not let us. */
static int control_of(const struct worker_process *w) {
  int process = (int)syscall(SYS_pidfd_open, w->process.pid, 0);
  int fd = process < 0 ? -1 : (int)syscall(SYS_pidfd_getfd, process, 3, 0);
  close(process);
  return fd;
}

static void answer_ping(int control, const struct worker_process *w, uint64_t serial, int unanswered) {
  const struct control_message pong = {.type = CONTROL_PONG, .serial = serial},
                               ready = {.type = CONTROL_READY};
  ck_assert_int_eq(control_send(control, &pong, -1), 0);
  ck_assert_int_eq(control_send(control, &ready, control), 0);
  for (int i = 0; i < 2; i++)
    uv_run(&loop, UV_RUN_ONCE);
  ck_assert(w->ready);
  ck_assert_int_eq(w->n_unanswered, unanswered);
}

START_TEST(an_old_pong_is_no_sign_of_life) {
  workers.spares_wanted = 1;
  workers_refill(&workers);
  const struct worker_process *w = workers.first;
  int control = control_of(w);
  if (control < 0)
    return;
  uv_poll_stop(&acceptor.poll); /* so that the loop has the spare alone to look at */
  workers_ask(&workers);
  workers_ask(&workers);
  ck_assert_int_eq(w->n_unanswered, 2);
  answer_ping(control, w, 1, 1);
  answer_ping(control, w, 1, 1); /* again */
  answer_ping(control, w, 3, 1); /* to what was not asked */
  workers_ask(&workers);
  answer_ping(control, w, 2, 1);
  answer_ping(control, w, 3, 0);
  close(control);
}
END_TEST

START_TEST(the_daemon_serves_so_many) {
  acceptor.sessions_max = 1;
  int first = connect_client(), second = connect_client();
  ck_assert_int_eq(accept_waiting(&acceptor), 2);
  ck_assert(is_held(first));
  check_refused(second, NUMD_ELIMIT, "the daemon serves as many clients as it may");
  close(first);
}
END_TEST

START_TEST(a_user_has_so_many_sessions) {
  notices->limits[QUOTA_SESSIONS] = 2;
  int clients[3];
  for (int i = 0; i < 3; i++)
    clients[i] = connect_client();
  ck_assert_int_eq(accept_waiting(&acceptor), 3);
  ck_assert_int_eq(workers.n_sessions, 2);
  check_refused(clients[2], NUMD_ELIMIT, "quota of sessions: user ");
  for (int i = 0; i < 2; i++) {
    ck_assert(is_held(clients[i]));
    close(clients[i]);
  }
}
END_TEST

START_TEST(who_is_gone_gets_no_worker) {
  int kept = connect_client();
  for (int i = 0; i < 50; i++)
    close(connect_client());
  int half = connect_client();
  shutdown(half, SHUT_WR); /* it still reads */
  ck_assert_int_eq(accept_waiting(&acceptor), 52);
  ck_assert_int_eq(workers.n_sessions, 2);
  ck_assert(is_held(kept));
  close(kept);
  close(half);
}
END_TEST

/* While as many workers are starting as may, connections wait; those whose clients go meanwhile never get
 * one. */
START_TEST(workers_are_started_a_few_at_a_time) {
  int clients[5];
  workers.starts_max = 2;
  for (int i = 0; i < 5; i++)
    clients[i] = connect_client();
  ck_assert_int_eq(accept_waiting(&acceptor), 5);
  ck_assert_int_eq(workers.n_sessions, 2);
  ck_assert_int_eq(acceptor.line.n, 3);
  close(clients[2]);
  workers.first->ready = true;
  accept_serve(&acceptor);
  ck_assert_int_eq(workers.n_sessions, 3);
  ck_assert_int_eq(acceptor.line.n, 1);
  accept_dismiss(&acceptor);
  check_refused(clients[4], NUMD_EDISCONNECTED, "the daemon is ending");
  close(clients[0]);
  close(clients[1]);
  close(clients[3]);
}
END_TEST

START_TEST(a_user_begins_so_many_in_a_second) {
  int clients[6];
  acceptor.line.rate = 1; /* and four seconds' at once */
  for (int i = 0; i < 6; i++)
    clients[i] = connect_client();
  ck_assert_int_eq(accept_waiting(&acceptor), 6);
  ck_assert_int_eq(workers.n_sessions, 4);
  ck_assert_int_eq(acceptor.line.n, 2);
  while (workers.n_sessions < 6)
    uv_run(&loop, UV_RUN_ONCE);
  for (int i = 0; i < 6; i++)
    close(clients[i]);
}
END_TEST

START_TEST(a_worker_that_cannot_be_started_is_said) {
  workers.program = "/nonexistent/numd-worker";
  int client = connect_client();
  ck_assert_int_eq(accept_waiting(&acceptor), 1);
  ck_assert_int_eq(workers.n_sessions, 0);
  check_refused(client, NUMD_ELIMIT, "no worker could be started: No such file or directory");
}
END_TEST

static void on_enough(int number) {
  _exit(0);
}

/* As another user: connects, and is told `expected`; or if that is 0, stays until it gets SIGUSR1. */
static pid_t connect_as_other(int expected) {
  pid_t child = fork();
  if (child == 0) {
    char said[256];
    signal(SIGUSR1, on_enough);
    if (setgid(OTHER_USER) < 0 || setuid(OTHER_USER) < 0)
      _exit(100);
    int client = try_connect();
    if (client < 0)
      _exit(101);
    while (expected == 0)
      pause();
    _exit(read_goodbye(client, said, sizeof(said)) == expected ? 0 : 102);
  }
  return child;
}

static void accept_until(pid_t child, int signal) {
  int status = -1;
  while (accept_waiting(&acceptor) == 0)
    usleep(1000);
  if (signal)
    kill(child, signal);
  ck_assert_int_eq(waitpid(child, &status, 0), child);
  ck_assert_int_eq(status, 0);
}

START_TEST(another_user_is_refused_unless_the_rule_names_it) {
  if (getuid() != 0)
    return;                               /* only root can be somebody else */
  ck_assert_int_eq(chmod(path, 0666), 0); /* so that it is not the path that keeps it out */
  accept_until(connect_as_other(NUMD_EACCESS), 0);
  ck_assert_int_eq(workers.n_sessions, 0);
  ck_assert(access_add_uid(&rule, "65533"));
  accept_until(connect_as_other(0), SIGUSR1);
  ck_assert_int_eq(workers.n_sessions, 1);
  ck_assert_uint_eq(notices->entries[0].uid, OTHER_USER);
}
END_TEST

static int highest_fd(void) {
  DIR *dir = opendir("/proc/self/fd");
  int highest = 0;
  for (struct dirent *e; (e = readdir(dir));)
    highest = atoi(e->d_name) > highest && atoi(e->d_name) != dirfd(dir) ? atoi(e->d_name) : highest;
  closedir(dir);
  return highest;
}

/* One connection is refused politely by means of the reserve; accepting rests, so that the loop does not turn
 * without end, and goes on afterwards. */
START_TEST(without_descriptors_one_is_told_and_accepting_rests) {
  int first = connect_client(), second = connect_client(), filler[256], n = 0;
  struct rlimit limit, before;
  ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
  limit = before;
  limit.rlim_cur = (rlim_t)highest_fd() + 1;
  ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
  while (n < 256 && (filler[n] = open("/dev/null", O_RDONLY)) >= 0) /* gaps below the highest */
    n++;
  ck_assert_int_eq(accept_waiting(&acceptor), 0);
  ck_assert(!uv_is_active((uv_handle_t *)&acceptor.poll));
  ck_assert(uv_is_active((uv_handle_t *)&acceptor.timer));
  ck_assert_int_ge(acceptor.reserve_fd, 0); /* it is there for the next time */
  check_refused(first, NUMD_ELIMIT, "the daemon has no descriptor left");
  ck_assert(is_held(second));
  ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
  while (n > 0)
    close(filler[--n]);
  while (workers.n_sessions == 0)
    uv_run(&loop, UV_RUN_ONCE);
  ck_assert(is_held(second));
  close(second);
}
END_TEST

START_TEST(the_loop_accepts_until_it_is_stopped) {
  int client = connect_client();
  while (workers.n_sessions == 0)
    uv_run(&loop, UV_RUN_ONCE);
  accept_stop(&acceptor);
  int late = connect_client(); /* the socket is still there: somebody else may serve it */
  uv_run(&loop, UV_RUN_NOWAIT);
  ck_assert_int_eq(workers.n_sessions, 1);
  ck_assert(is_held(late));
  close(client);
  close(late);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("accept");
  TCase *t = tcase_create("accept");
  tcase_add_checked_fixture(t, set_up, tear_down);
  tcase_set_timeout(t, 60);
  tcase_add_test(t, each_client_gets_a_worker_of_its_own);
  tcase_add_test(t, spares_are_taken_first);
  tcase_add_test(t, an_old_pong_is_no_sign_of_life);
  tcase_add_test(t, the_daemon_serves_so_many);
  tcase_add_test(t, a_user_has_so_many_sessions);
  tcase_add_test(t, who_is_gone_gets_no_worker);
  tcase_add_test(t, workers_are_started_a_few_at_a_time);
  tcase_add_test(t, a_user_begins_so_many_in_a_second);
  tcase_add_test(t, a_worker_that_cannot_be_started_is_said);
  tcase_add_test(t, another_user_is_refused_unless_the_rule_names_it);
  tcase_add_test(t, without_descriptors_one_is_told_and_accepting_rests);
  tcase_add_test(t, the_loop_accepts_until_it_is_stopped);
  suite_add_tcase(suite, t);
  return suite_run(suite);
}
