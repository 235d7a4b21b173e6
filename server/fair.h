/* Turns between users: while others make calls, one user has at most half of the cores at work, however many
 * sessions, channels and calls it has. What it asks for beyond that waits, between the steps of a call, until
 * one of its own is done or the others rest; so no core idles for it. This concerns calls that are large
 * enough to be shared out; small ones take their client's time as much as ours.
 *
 * Only in a daemon that serves several users: otherwise nothing is looked at. */
#ifndef NUMD_SERVER_FAIR_H
#define NUMD_SERVER_FAIR_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct board;

/* Of one worker; any thread. */
struct fair {
  struct board *board; /* NULL: no turns */
  uint32_t entry;
  _Atomic int64_t looked_ns;
  _Atomic uint64_t others_calls; /* how many they had made then */
  atomic_bool others_active;
};

void fair_init(struct fair *fair, struct board *board, uint32_t entry);
/* Waits for this user's turn; how many cores it may have then. */
int fair_wait(struct fair *fair);

#endif
