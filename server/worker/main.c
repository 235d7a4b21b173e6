/* SPDX-License-Identifier: BSD-3-Clause */
/* numd-worker: a process that serves one client and no other.
 *
 * It begins as a spare: it does in advance what takes time, then blocks until the supervisor sends it a
 * client's socket. Before it reads a byte from the client, it becomes the client's user and enters its
 * sandbox. It serves the session and ends with it.
 *
 * Run by the supervisor as `numd-worker SUPERVISOR_PID ENTRY LOG_LEVEL`, with the control socket, the
 * scoreboard and the notices as descriptors 3 to 5. */
#include <errno.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "server/host/log.h"
#include "server/host/machine.h"
#include "server/host/notices.h"
#include "server/host/scoreboard.h"
#include "server/kernels/kernels.h"
#include "server/worker/drop_rights.h"
#include "server/worker/sandbox.h"
#include "server/worker/sigbus.h"
#include "server/worker/worker.h"

#define CONTROL_FD 3
#define SCOREBOARD_FD 4
#define NOTICES_FD 5

/* Has the kernel end this process with its parent. A change of the user cancels that, so it is asked for
 * again afterwards. */
static void die_with(pid_t supervisor) {
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (getppid() != supervisor)
    _exit(0);
}

static void set_up_signals(void) {
  signal(SIGPIPE, SIG_IGN);
  signal(SIGINT, SIG_IGN); /* of the terminal: the supervisor decides */
  signal(SIGTERM, SIG_DFL);
}

/* What a spare does in advance. 0 or -errno. */
static int prepare(struct worker_place *place) {
  syscall(SYS_close_range, NOTICES_FD + 1, ~0u, 0); /* whatever else the parent left open */
  set_up_signals();
  machine_raise_fd_limit(); /* every segment has a descriptor */
  int rc = scoreboard_map(SCOREBOARD_FD, &place->scoreboard);
  if (rc == 0)
    rc = notices_map(NOTICES_FD, &place->notices);
  if (rc == 0)
    rc = sigbus_install();
  if (rc == 0)
    rc = kernels_init(NULL);
  if (rc == 0 && !place->notices->options.no_sandbox)
    rc = sandbox_prepare();
  close(SCOREBOARD_FD);
  close(NOTICES_FD);
  return rc;
}

/* Waits for a client, and answers the supervisor's questions for a sign of life meanwhile. 1, with the
 * client's socket in *client; 0 if the daemon ends; or -errno. */
static int await_client(struct control_message *who, int *client) {
  const struct control_message ready = {.type = CONTROL_READY};
  int rc = control_send(CONTROL_FD, &ready, -1);
  if (rc < 0)
    return rc;
  while ((rc = control_recv(CONTROL_FD, who, client)) == 1 && who->type == CONTROL_PING) {
    const struct control_message alive = {.type = CONTROL_PONG, .serial = who->serial};
    control_send(CONTROL_FD, &alive, -1);
  }
  if (rc == 1 && who->type == CONTROL_SESSION && *client >= 0)
    return 1;
  return rc < 0 ? rc : 0;
}

/* Gives up the rights that serving does not need. A guest is a client of another user whom a daemon that does
 * not run as root was told to serve. Its worker cannot become that user and keeps the daemon's rights, so a
 * guest may not have objects opened by name. A client that lacks a group which its worker has to keep becomes
 * a guest. 0 or -errno. */
static int confine(const struct worker_place *place, struct control_message *who, int client,
                   pid_t supervisor) {
  int rc = who->flag ? drop_rights_staying() : drop_rights_to_peer(client, who->uid, who->gid);
  if (rc < 0)
    return rc;
  who->flag = who->flag || rc == 1;
  struct sandbox_options options = {.may_open_names = !who->flag,
                                    .memory_bytes = place->notices->options.worker_memory};
  uint32_t held = SANDBOX_NO_NEW_PRIVS | (who->flag ? 0 : SANDBOX_IDENTITY);
  die_with(supervisor);
  if (prctl(PR_GET_DUMPABLE) == 0)
    held |= SANDBOX_UNTRACED;
  rc = place->notices->options.no_sandbox ? 0 : sandbox_enter(&options, &held);
  atomic_store(&place->scoreboard->entries[place->entry].sandbox, held);
  return rc;
}

static int serve(const struct worker_place *place, struct control_message *who, int client,
                 pid_t supervisor) {
  char name[16];
  int rc = confine(place, who, client, supervisor);
  if (rc < 0)
    return rc;
  snprintf(name, sizeof(name), "numd:%d", who->pid);
  prctl(PR_SET_NAME, name);
  return worker_run(place, who, client);
}

int main(int argc, char **argv) {
  static char name[32];
  struct control_message who = {0};
  struct worker_place place = {.control = CONTROL_FD};
  int client = -1;
  if (argc != 4) {
    fprintf(stderr, "numd-worker is started by numd\n");
    return 2;
  }
  pid_t supervisor = (pid_t)atoi(argv[1]);
  place.entry = (uint32_t)atoi(argv[2]);
  snprintf(name, sizeof(name), "numd-worker[%d]", (int)getpid());
  log_init(name, (enum log_level)atoi(argv[3]));
  die_with(supervisor);
  int rc = place.entry < SCOREBOARD_ENTRIES ? prepare(&place) : -EINVAL;
  if (rc == 0)
    rc = await_client(&who, &client);
  if (rc == 1)
    rc = serve(&place, &who, client, supervisor);
  if (rc < 0)
    log_error("cannot serve: %s", strerror(-rc));
  scoreboard_unmap(place.scoreboard);
  notices_unmap(place.notices);
  return rc < 0;
}
