/* SPDX-License-Identifier: BSD-3-Clause */
/* Connections that were accepted and wait for a worker. Users take turns, so however many connections one of
 * them opens, another's waits for one of those and not for all; and each user's begin at a certain rate. */
#ifndef NUMD_SERVER_SUPERVISOR_LINE_H
#define NUMD_SERVER_SUPERVISOR_LINE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "server/supervisor/accounts.h"

struct waiting {
  struct waiting *next;
  int fd;
  struct ucred who;
};

struct line {
  struct account *first, *last; /* users with connections that wait, in the order of their turns */
  int n;                        /* connections */
  uint64_t rate;                /* connections that a user may begin in a second; 0: any number */
};

/* A user who has rested may begin as many at once as at his rate in LINE_BURST_NS; he counts as rested until
 * he has begun as many as in LINE_RESTED_NS. */
#define LINE_BURST_NS 4000000000
#define LINE_RESTED_NS 500000000

/* Adds a connection, whose descriptor becomes the line's, or is closed without memory. */
void line_add(struct line *line, struct account *account, int fd, const struct ucred *who);
/* Takes out the connection whose turn it is, if there is one whose user may begin another now; of users who
 * have rested alone, if so wanted. Its descriptor is the caller's to close. Those whose client is gone are
 * closed and left out. */
bool line_take(struct line *line, int64_t now_ns, bool rested, int *fd, struct ucred *who);
/* Counts one that has begun. */
void line_count(const struct line *line, struct account *account, int64_t now_ns);
bool line_has_rested(const struct account *account, int64_t now_ns);
/* Whether the client has closed its end. */
bool line_is_gone(int fd);

#endif
