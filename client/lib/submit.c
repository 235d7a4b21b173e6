/* SPDX-License-Identifier: BSD-3-Clause */
#include "client/lib/submit.h"

#include "client/lib/slot.h"
#include "client/lib/slot_choice.h"

/* Makes the slot and the record of a ring call free: the call CHANNEL_SLOTS before it may still have them. */
static int make_room(struct channel *ch, uint64_t number) {
  uint64_t earlier = number - CHANNEL_SLOTS;
  while (pending_look(&ch->pending, ch->memory, earlier)) {
    struct slot *slot = channel_slot(ch->memory, earlier);
    bool there =
        wake_wait_client(&ch->waiter, &slot->seq, channel_seq_done(earlier), WAKE_SPIN_MAX_NS, INT64_MAX);
    if (!there && channel_is_lost(ch) && !pending_is_done(ch->memory, earlier)) {
      pending_lose(&ch->pending, earlier);
      return channel_lost_call();
    }
  }
  return pending_put_aside(&ch->pending, earlier);
}

static int submit_to_ring(struct channel *ch, uint32_t plan_id, int n, const uint64_t bindings[],
                          uint64_t *number) {
  uint64_t call = ch->next;
  int r;
  if (!pending_is_free(&ch->pending, call) && (r = make_room(ch, call)))
    return r;
  pending_add(&ch->pending, call);
  ch->next = call + 1;
  slot_hand_over(ch, channel_slot(ch->memory, call), ch->memory->spill[call % CHANNEL_SLOTS], plan_id, n,
                 bindings, 0, channel_seq_submitted(call));
  wake_settle(&ch->waiter);
  *number = call;
  return 0;
}

int channel_submit(struct channel *ch, uint32_t plan_id, int n, const uint64_t bindings[], uint64_t *number) {
  if (atomic_load_explicit(&ch->single_state, memory_order_acquire) != CALL_NONE ||
      atomic_load_explicit(&ch->pending.n, memory_order_relaxed) != 0)
    return submit_to_ring(ch, plan_id, n, bindings, number);
  if (__builtin_expect(--ch->until_choice < 0, 0)) {
    ch->until_choice = CHANNEL_FIRST_CHOICE;
    if (wake_peer_spins(&ch->waiter))
      slot_choose(ch);
  }
  uint64_t call = ch->next_single++;
  atomic_store_explicit(&ch->single_state, CALL_PENDING, memory_order_relaxed);
  *number = SINGLE_CALL | call;
  slot_hand_over(ch, &ch->memory->single[ch->single_at], ch->memory->single_spill, plan_id, n, bindings,
                 ch->single_at, single_seq_submitted(call));
  return 0;
}
