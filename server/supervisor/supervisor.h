/* The supervisor: listens, keeps spare workers ready, hands each connection to one, reaps the dead, and ends
 * the daemon. It never reads a byte from a client. */
#ifndef NUMD_SERVER_SUPERVISOR_SUPERVISOR_H
#define NUMD_SERVER_SUPERVISOR_SUPERVISOR_H

#include <stdbool.h>
#include <sys/types.h>
#include <uv.h>

#include "server/host/scoreboard.h"
#include "server/supervisor/access.h"
#include "server/supervisor/broker.h"
#include "server/supervisor/listen.h"
#include "server/supervisor/systemd.h"

struct supervisor_options {
  const char *socket; /* path */
  int workers_max;    /* sessions at once */
  int spares;
  int idle_ms; /* end this long after the last client left; -1: never */
  struct access_rule access;
  uint64_t quotas[N_QUOTAS]; /* 0: the default */
  struct scoreboard_options scoreboard;
  bool take_over; /* from a daemon that gave us its socket: upgrade.h */
  char **argv;    /* what a successor is started with */
};

struct child; /* children.c: a worker process */

struct supervisor {
  struct supervisor_options options;
  uv_loop_t loop;
  struct listener listener;
  uv_poll_t accept_poll;
  uv_timer_t accept_timer; /* accepting rests after descriptors ran out */
  uv_timer_t idle_timer, stop_timer, spawn_timer, lease_timer;
  uv_timer_t watchdog_timer, upgrade_timer;
  uv_signal_t sigterm, sigint, sighup, sigusr2;
  struct service service;
  struct scoreboard *scoreboard;
  int scoreboard_fd;
  int reserve_fd; /* given up to refuse a connection politely when descriptors ran out */
  struct broker broker;
  char worker_path[4096], program_path[4096];
  uv_process_t successor; /* this and the next three: upgrade.c */
  uv_poll_t upgrade_poll;
  int upgrade_fd, upgrade_handles;
  struct child *children;
  bool entry_used[SCOREBOARD_ENTRIES];
  int n_spares, n_sessions;
  int n_failures; /* spares in a row that died or did not start: the next waits longer */
  int n_silent;   /* spares in a row that were ended because they did not answer */
  bool retired;   /* a successor has taken over: the last session ends the daemon */
  bool stopping;
};

/* Runs the daemon until it ends. The process's exit code. */
int supervisor_run(const struct supervisor_options *options);

/* children.c calls these. */
void supervisor_session_ended(struct supervisor *s); /* n_sessions was lowered */
void supervisor_child_gone(struct supervisor *s);    /* the last may be what a stop waits for */
void supervisor_expire_leases(struct supervisor *s); /* some may be given up later */
/* Calls back for each session of a user, with the processes of its worker and client. */
void children_each_session(struct supervisor *s, uint32_t uid,
                           void (*each)(void *arg, int worker, int client), void *arg);
/* Who holds what of a user's memory, as text in a new descriptor. -errno. (memory_list.c) */
int memory_list(struct supervisor *s, uint32_t uid);

/* Accepts no more, and ends after the last session. */
void supervisor_retire(struct supervisor *s);
/* Asks every worker for a sign of life, and ends spares that gave none; whether some do (watchdog.h). */
bool children_ask(struct supervisor *s);
/* Ends the spares; new ones take their places. */
void children_renew_spares(struct supervisor *s);
/* Starts spares as far as they are missing, now or, after failures, later. */
void children_refill(struct supervisor *s);
/* As children_refill, but a little later if a spare is left. */
void children_refill_soon(struct supervisor *s);
/* How many sessions a user has. */
uint64_t children_count_sessions(const struct supervisor *s, uint32_t uid);
/* Hands a connection (which stays the caller's) to a worker. 0 or -errno. */
int children_serve(struct supervisor *s, int client, const struct ucred *who);
/* Asks all to end, or makes them. */
void children_stop(struct supervisor *s);
void children_kill(struct supervisor *s);

#endif
