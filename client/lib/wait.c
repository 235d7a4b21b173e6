/* SPDX-License-Identifier: BSD-3-Clause */
#include "client/lib/wait.h"

#include <string.h>
#include <time.h>

#include "client/lib/error.h"
#include "client/lib/thread_channel.h"
#include "shared/clock.h"
#include "shared/trace.h"

static int failed(int status, uint32_t detail) {
  if (detail != NO_DETAIL)
    return error_set(status, "%s (binding %u of the call)", status_message(status), detail);
  return error_status(status);
}

/* Waits for a slice at most: the owner by the waiting policy, another thread by sleeping for a moment. */
static void wait_a_while(struct channel *ch, _Atomic uint32_t *seq, uint32_t done, int64_t spin_ns,
                         int64_t deadline) {
  if (thread_channel_is_mine(ch)) {
    wake_wait_client(&ch->waiter, seq, done, spin_ns, deadline);
    return;
  }
  struct timespec pause = {.tv_nsec = 50000};
  nanosleep(&pause, NULL);
}

/* Waits until *seq == done. 0, ETIMEOUT or EDISCONNECTED. */
static int wait_for(struct channel *ch, _Atomic uint32_t *seq, uint32_t done, int64_t spin_ns,
                    int64_t timeout_ns) {
  if (wake_look_client(&ch->waiter, seq, done))
    return 0;
  int64_t deadline = timeout_ns == NUMD_FOREVER ? INT64_MAX : clock_deadline(timeout_ns);
  for (;;) {
    bool late = deadline != INT64_MAX && clock_now_ns() >= deadline;
    if (!late)
      wait_a_while(ch, seq, done, spin_ns, deadline);
    else if (thread_channel_is_mine(ch))
      wake_settle(&ch->waiter);
    if (wake_is(seq, done))
      return 0;
    /* After a slice without the answer: if the worker is gone, the socket is at its end. */
    if (channel_is_lost(ch))
      return wake_is(seq, done) ? 0 : NUMD_EDISCONNECTED;
    if (late)
      return error_set(NUMD_ETIMEOUT, "the call is not done within the time limit");
  }
}

static int wait_single(struct channel *ch, uint64_t call, int64_t spin_ns, int64_t timeout_ns,
                       struct item *result) {
  struct slot *slot = &ch->memory->single[ch->single_at];
  if (ch->next_single != call + 1 ||
      atomic_load_explicit(&ch->single_state, memory_order_relaxed) != CALL_PENDING)
    return error_set(NUMD_EINVAL, "this ticket was finished before");
  int r = wait_for(ch, &slot->seq, single_seq_done(call), spin_ns, timeout_ns);
  trace_stamp(TRACE_WOKEN);
  if (r == NUMD_ETIMEOUT)
    return r;
  int status = slot->status;
  uint32_t detail = slot->detail;
  memcpy(result, slot->result, sizeof(slot->result));
  atomic_store_explicit(&ch->single_state, CALL_NONE, memory_order_release);
  if (__builtin_expect((r | status) == 0, 1))
    return 0;
  return r ? channel_lost_call() : failed(status, detail);
}

static int wait_ring(struct channel *ch, uint64_t call, int64_t spin_ns, int64_t timeout_ns,
                     struct item *result) {
  struct call_answer answer;
  for (;;) {
    int found = pending_take(&ch->pending, ch->memory, call, &answer);
    if (found == 1) {
      *result = answer.result;
      return answer.status ? failed(answer.status, answer.detail) : 0;
    }
    if (found < 0)
      return error_set(NUMD_EINVAL, "this ticket was finished before");
    int r = wait_for(ch, &channel_slot(ch->memory, call)->seq, channel_seq_done(call), spin_ns, timeout_ns);
    if (r == NUMD_ETIMEOUT)
      return r;
    if (r) {
      pending_lose(&ch->pending, call);
      return channel_lost_call();
    }
  }
}

int channel_wait(struct channel *ch, uint64_t number, int64_t spin_ns, int64_t timeout_ns,
                 struct item *result) {
  return number & SINGLE_CALL ? wait_single(ch, number & ~SINGLE_CALL, spin_ns, timeout_ns, result)
                              : wait_ring(ch, number, spin_ns, timeout_ns, result);
}
