/* SPDX-License-Identifier: BSD-3-Clause */
/* Quotas: the supervisor's count of what each user holds, by which it grants more or refuses.
 *
 * A session that is given to a worker gets a first allowance; the worker asks for more (CHARGE) and gives
 * back (DISCHARGE), and what it had when it ends is given back for it. So a worker, whatever it has become,
 * can use up its own user's quotas and no others.
 *
 * A grant has a reserve beyond what was asked for. It is so small that all sessions which a user may have
 * could have two reserves without needing more than an eighth of what was free, and nothing if the limit is
 * small. So a user may be refused from seven eighths of a large limit on; small limits are exact.
 *
 * After an upgrade in place (upgrade.h) the successor counts for both daemons. The old daemon sends it what
 * its sessions ask for and give back, and passes the answers on; if several have been replaced, each sends to
 * the next. A daemon forgets what was granted to those before it when their connection ends. */
#ifndef NUMD_SERVER_SUPERVISOR_CHARGES_H
#define NUMD_SERVER_SUPERVISOR_CHARGES_H

#include <stdbool.h>
#include <stdint.h>

#include "server/host/control_channel.h"
#include "server/supervisor/accounts.h"

struct worker_process;
struct workers;

struct charges {
  struct workers *workers;
  struct accounts accounts;
  bool has_successor, has_predecessor;
  int successor, predecessor; /* connections to them */
  bool owes;                  /* the successor is to be told of what some account owes */
};

/* Counts a session that the worker is to serve, and writes its first allowance into the message. */
void charges_begin_session(struct charges *charges, struct worker_process *worker,
                           struct control_message *message);
/* Gives back all that the worker's session was granted. */
void charges_end_session(struct charges *charges, struct worker_process *worker);
/* Handles a message of a worker's about quotas. False if it is not one, or is one that others answer, too. */
bool charges_handle(struct charges *charges, struct worker_process *worker, struct control_message *message);

/* The old daemon: tells its successor what its users hold, and from then on sends it what they ask for. 0 or
 * -errno. */
int charges_hand_over(struct charges *charges, int successor);
void charges_handle_successors(struct charges *charges, struct control_message *message);
/* Tells the successor what it could not be told before. False if something is left to be told. */
bool charges_pay(struct charges *charges);
void charges_lose_successor(struct charges *charges);

/* The successor. */
void charges_set_predecessor(struct charges *charges, int predecessor);
void charges_handle_predecessors(struct charges *charges, struct control_message *message);
void charges_lose_predecessor(struct charges *charges);

void charges_deinit(struct charges *charges);

#endif
