/* SPDX-License-Identifier: BSD-3-Clause */
/* The ring's state machine with a hostile peer: the input is what the peer does with the channel's memory,
 * its semaphores and the calls about it, while the channel's thread runs. Afterwards the channel ends, what
 * is not an output was not written, and another channel of the session answers as if nothing had been. */
#include <unistd.h>

#include "protocol/program.h"
#include "server/worker/door_ring.h"
#include "shared/channel.h"
#include "shared/clock.h"
#include "shared/sem.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/target.h"

#define N 100
#define STEPS 64

struct peer {
  struct channel_memory *memory;
  uint32_t id;
  uint64_t n_single, n_ring;
  unsigned at; /* the single slot of the next call */
  int notify_fd;
};

static void prepare_sum(struct target *t) {
  static struct program p;
  struct errtext err = {""};
  struct plan *plan = NULL;
  p.n_operands = p.n_ops = p.n_outputs = 1;
  p.operands[0] = (struct operand){.kind = OPERAND_ARRAY,
                                   .layout = {.dtype = NUMD_UINT8, .ndim = 1, .shape = {N}, .strides = {1}}};
  p.ops[0] = (struct op){.code = NUMD_OP_SUM, .n_in = 1};
  p.outputs[0] = (struct output){.value = 1, .kind = OUTPUT_RESULT, .open_dtype = true, .open_shape = true};
  MUST(session_prepare(&t->session, 0, &p, &plan, &err) == 0);
}

static void open_peer(struct target *t, enum numd_wait wait, struct peer *peer) {
  struct errtext err = {""};
  uint64_t bytes = 0;
  int fd = -1;
  memset(peer, 0, sizeof(*peer));
  peer->notify_fd = -1;
  MUST(ring_door_open(t->session.ring, wait, &peer->id, &fd, &bytes, &err) == 0);
  MUST(channel_map(fd, &peer->memory) == 0);
  close(fd);
}

static void close_peer(struct target *t, struct peer *peer) {
  struct errtext err = {""};
  MUST(ring_door_close(t->session.ring, peer->id, &err) == 0);
  channel_unmap(peer->memory);
  if (peer->notify_fd >= 0)
    close(peer->notify_fd);
}

static void fill_slot(struct slot *slot, uint64_t binding, uint16_t flags) {
  slot->plan = 0;
  slot->n_bindings = 1;
  slot->flags = flags;
  slot->reserved = 0;
  slot->bindings[0] = binding;
}

static void submit_single(struct peer *p, uint64_t binding, uint16_t flags) {
  struct slot *slot = &p->memory->single[p->at];
  fill_slot(slot, binding, flags);
  atomic_store_explicit(&slot->seq, single_seq_submitted(p->n_single++), memory_order_release);
  p->at = flags % SINGLE_SLOTS;
  sem_hint(&p->memory->worker_sem.sem);
}

static void submit_to_ring(struct peer *p, uint64_t binding, uint16_t flags) {
  struct slot *slot = channel_slot(p->memory, p->n_ring);
  fill_slot(slot, binding, flags);
  atomic_store_explicit(&slot->seq, channel_seq_submitted(p->n_ring++), memory_order_release);
  sem_hint(&p->memory->worker_sem.sem);
}

static void scribble(struct peer *p, struct input *in) {
  uint64_t value = input_word(in);
  size_t word = input_below(in, sizeof(struct channel_memory) / 8);
  __atomic_store_n((uint64_t *)(void *)p->memory + word, value, __ATOMIC_RELAXED);
}

static void ask(struct target *t, struct peer *p, struct input *in) {
  struct errtext err = {""};
  if (input_byte(in) & 1)
    (void)ring_door_cancel(t->session.ring, p->id, input_word(in), &err);
  else if (p->notify_fd < 0)
    MUST(ring_door_notify(t->session.ring, p->id, &p->notify_fd, &err) == 0);
}

static void act(struct target *t, struct peer *p, struct input *in) {
  uint8_t what = input_byte(in);
  uint64_t binding = what & 8 ? input_word(in) : binding_make(0, 64);
  switch (what & 7) {
    case 0:
      submit_single(p, binding, what & 16 ? (uint16_t)input_word(in) : (uint16_t)(what >> 5));
      break;
    case 1:
      submit_to_ring(p, binding, what & 16 ? (uint16_t)input_word(in) : 0);
      break;
    case 2:
      scribble(p, in);
      break;
    case 3: /* what it shows of itself: gear, core, how it is parked */
      __atomic_store_n((uint32_t *)(void *)&p->memory->client + what / 16 % 3, input_below(in, 1 << 24),
                       __ATOMIC_RELAXED);
      break;
    case 4:
      memset(what & 16 ? &p->memory->client_sem.sem : &p->memory->worker_sem.sem, what & 32 ? 0xff : what,
             sizeof(sem_t));
      break;
    case 5:
      for (int i = 0; i <= what >> 3; i++)
        sem_hint(&p->memory->worker_sem.sem);
      break;
    case 6:
      ask(t, p, in);
      break;
    default:
      usleep(what >> 3);
  }
}

/* A call through a channel that nobody disturbs. */
static void check_honest(struct peer *p, uint8_t with) {
  uint64_t number = p->n_single, sum = 0, expected = 0;
  for (int at = 64; at < 64 + N; at++)
    expected += (uint8_t)(with * (at % 251 + 1));
  submit_single(p, binding_make(0, 64), 0);
  struct slot *slot = &p->memory->single[0];
  int64_t deadline = clock_deadline(10000000000);
  while (atomic_load_explicit(&slot->seq, memory_order_acquire) != single_seq_done(number)) {
    MUST(clock_now_ns() < deadline);
    usleep(10);
  }
  memcpy(&sum, slot->result, sizeof(sum));
  MUST(slot->status == NUMD_OK && sum == expected);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static struct peer honest;
  struct target *t = target_get();
  struct input in = {data, size};
  struct peer peer;
  uint8_t first = input_byte(&in), with = input_byte(&in);
  if (!honest.memory) {
    prepare_sum(t);
    open_peer(t, NUMD_WAIT_SLEEP, &honest);
  }
  target_fill(t, with);
  open_peer(t, (enum numd_wait)(first % 4), &peer);
  for (int i = 0; i < STEPS && in.left > 0; i++)
    act(t, &peer, &in);
  check_honest(&honest, with);
  close_peer(t, &peer);
  MUST(target_is_filled(t, with, 0, 0, 0));
  return 0;
}
