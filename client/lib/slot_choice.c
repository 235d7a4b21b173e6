/* SPDX-License-Identifier: BSD-3-Clause */
#include "client/lib/slot_choice.h"

#include "client/lib/slot.h"
#include "shared/clock.h"

#define NEXT_CHOICE (1 << 18)   /* calls until the next time: cores may have changed */
#define PINGS 24                /* by which one slot is timed */
#define CHOICE_LIMIT_NS 2000000 /* how long one choice may take */

/* Sends a ping through the present single slot, which names `next` as the slot of the next call. Whether it
 * was answered at once. */
static bool ping(struct channel *ch, uint16_t next) {
  struct slot *slot = &ch->memory->single[ch->single_at];
  uint64_t call = ch->next_single++;
  slot_hand_over(ch, slot, NULL, 0, 0, NULL, SLOT_PING | next, single_seq_submitted(call));
  ch->single_at = next;
  for (int i = 0; i < 4; i++)
    if (wake_look_client(&ch->waiter, &slot->seq, single_seq_done(call)))
      return true;
  while (!wake_wait_client(&ch->waiter, &slot->seq, single_seq_done(call), WAKE_SPIN_MAX_NS, INT64_MAX))
    if (channel_is_lost(ch))
      return false;
  return false;
}

/* How long a ping through a slot takes, in nanoseconds; INT64_MAX if the worker was not spinning. */
static int64_t time_slot(struct channel *ch, uint16_t at) {
  if (!ping(ch, at))
    return INT64_MAX;
  int64_t started = clock_now_ns();
  for (int i = 0; i < PINGS; i++)
    if (!ping(ch, at))
      return INT64_MAX;
  return (clock_now_ns() - started) / PINGS;
}

/* Chooses the single slot whose cache line changes hands most quickly between the two cores. */
void slot_choose(struct channel *ch) {
  int64_t best_ns = INT64_MAX, limit = clock_deadline(CHOICE_LIMIT_NS);
  uint16_t best = ch->single_at;
  ch->until_choice = CHANNEL_FIRST_CHOICE;
  for (uint16_t at = 0; at < SINGLE_SLOTS; at++) {
    int64_t ns = time_slot(ch, at);
    if (ns == INT64_MAX || clock_now_ns() > limit)
      return; /* cores are busy: a later call tries again */
    if (ns < best_ns) {
      best_ns = ns;
      best = at;
    }
  }
  if (ping(ch, best))
    ch->until_choice = NEXT_CHOICE;
}
