/* SPDX-License-Identifier: BSD-3-Clause */
/* The waiting protocol of shared/wake.[ch] and shared/channel.h, for a model checker (spin): a client and a worker
 * that hand calls to each other, park, and wake each other. There are no time limits here, so a wake-up that gets
 * lost leaves both asleep for ever, which the checker reports as an invalid end state.
 *
 * Memory is weak. A store goes to its thread's buffer and becomes visible at some later time, however many loads
 * the thread makes meanwhile. Stores of seq and posts are releases: they become visible after all stores before
 * them. A store of `parked` is relaxed: it may overtake stores of other words. A fence waits until the buffer is
 * empty. That is what C11 allows of this program, but for loads, which are in order: those whose order matters are
 * acquire loads or follow a fence.
 *
 * Cores and gears only decide whether a side spins first, and whether a client leaves the waking for later, when it
 * has moved to the worker's core: both are free choices here, for both sides. So is which calls a client makes:
 * through the single slot, or two at once through the ring; waiting for them in the semaphore or, as an event loop
 * does, in poll for bytes on the notification socket; and whether notifications stay on.
 *
 * A word that is defined (-D) removes one of the precautions; the test shows that the checker finds each missing. */

#define SINGLE 0
#define RING 1 /* and 2: a ring of two slots */
#define CLIENT 0
#define WORKER 1

#define PARKED_SEM 1
#define PARKED_FD 2

/* What is stored to, for the buffer. The words of seq are 0 to 2. */
#define TO_PARKED 3
#define TO_SEM 4
#define TO_FD 5

#define ROOM 4 /* stores in a buffer; who has no room waits */

typedef buffer {
  byte to[ROOM];
  byte value[ROOM];
  byte n
};

buffer stores[2];
byte seq[3];    /* modulo 4: even: the client's, odd: the worker's */
byte parked[2]; /* by the side that is parked */
byte sem[2];    /* by the side that waits; a second post would only make one more look: left out */
bool fd;        /* bytes are on the client's notification socket */

/* Of wake.h's struct waiter. */
bool unsettled[2];
byte woken[2];
byte also; /* the client's */

inline put(side, what, how) {
  atomic {
    stores[side].n < ROOM;
    stores[side].to[stores[side].n] = what;
    stores[side].value[stores[side].n] = how;
    stores[side].n = stores[side].n + 1
  }
}

inline fence(side) {
  stores[side].n == 0
}

/* Makes the store at `at` visible. */
inline apply(side, at) {
  if
  :: stores[side].to[at] < TO_PARKED -> seq[stores[side].to[at]] = stores[side].value[at]
  :: stores[side].to[at] == TO_PARKED -> parked[side] = stores[side].value[at]
  :: stores[side].to[at] == TO_SEM ->
    if
    :: sem[1 - side] == 0 -> sem[1 - side] = 1
    :: else
    fi
  :: stores[side].to[at] == TO_FD -> fd = true
  fi;
  i = at;
  do
  :: i + 1 < stores[side].n ->
    stores[side].to[i] = stores[side].to[i + 1];
    stores[side].value[i] = stores[side].value[i + 1];
    i++
  :: else -> break
  od;
  stores[side].n = stores[side].n - 1;
  stores[side].to[stores[side].n] = 0;
  stores[side].value[stores[side].n] = 0;
  i = 0
}

/* A side's buffer, emptied whenever it likes. */
proctype Memory(byte side) {
  byte i;
end:
  do
  :: atomic { stores[side].n > 0 -> apply(side, 0) }
  :: atomic { stores[side].n > 1 && stores[side].to[1] == TO_PARKED && stores[side].to[0] != TO_PARKED ->
       apply(side, 1) }
  :: atomic { stores[side].n > 2 && stores[side].to[2] == TO_PARKED && stores[side].to[1] != TO_PARKED &&
       stores[side].to[0] != TO_PARKED -> apply(side, 2) }
  od
}

inline wake_parked(side, how) {
  if
  :: how & PARKED_SEM -> put(side, TO_SEM, 1)
  :: else
  fi;
  if
  :: how & PARKED_FD -> put(side, TO_FD, 1)
  :: else
  fi
}

inline wake_peer(side) {
#ifndef NO_FENCE_OF_THE_WAKER
  fence(side);
#endif
  atomic {
    unsettled[side] = false;
    seen = parked[1 - side] & ~woken[side]
  }
  wake_parked(side, seen);
  seen = 0
}

inline settle(side) {
  if
  :: unsettled[side] -> wake_peer(side)
  :: else
  fi
}

inline wake_peer_unsettled(side) {
  atomic {
    unsettled[side] = true;
#ifndef WOKEN_IS_KEPT
    woken[side] = 0;
#endif
    seen = parked[1 - side]
  }
  if
  :: seen == 0
  :: seen != 0 -> seen = 0 /* hand-off: whoever waits settles first */
  :: seen != 0 ->
    woken[side] = seen;
#ifdef WOKEN_SETTLES
    unsettled[side] = false;
#else
    unsettled[side] = side == WORKER;
#endif
    wake_parked(side, seen);
    seen = 0
  fi
}

/* ---- The worker ---- */

byte number; /* the next slot of the ring */
byte lap[3]; /* by word: the seq with which its next call comes */

inline look() {
  atomic {
    if
    :: seq[SINGLE] == lap[SINGLE] -> found = SINGLE
    :: seq[SINGLE] != lap[SINGLE] && seq[RING + number] == lap[RING + number] -> found = RING
    :: else -> found = 3
    fi
  }
}

inline park_worker() {
  put(WORKER, TO_PARKED, PARKED_SEM);
#ifndef NO_FENCE_OF_THE_PARKING
  fence(WORKER);
#endif
#ifdef NO_SECOND_LOOK
  found = 3;
#else
  look();
#endif
  if
  :: found == 3 ->
    atomic { sem[WORKER] > 0 -> sem[WORKER] = sem[WORKER] - 1 }
    look()
  :: else
  fi;
  put(WORKER, TO_PARKED, 0)
}

proctype Worker() {
  byte found = 3, seen, at;
  do
  :: look();
#ifndef NO_SETTLING_OF_THE_WORKER
    if
    :: found != SINGLE -> settle(WORKER)
    :: else
    fi;
#endif
    if
    :: found == 3 -> look() /* a spin */
    :: true
    fi;
    do
    :: found == 3 -> park_worker()
    :: else -> break
    od;
    atomic {
      at = (found == SINGLE -> SINGLE : RING + number);
      number = (found == SINGLE -> number : 1 - number);
      assert(seq[at] == lap[at]); /* nobody but the worker changes it now */
      lap[at] = (lap[at] + 2) % 4;
      found = 3
    }
    atomic {
      put(WORKER, at, (lap[at] + 3) % 4);
      at = 0
    }
    wake_peer_unsettled(WORKER)
  od
}

/* ---- The client ---- */

byte asked[3] = 3; /* by word: the seq of its last call */

#define DONE(word) (seq[word] == (asked[word] + 1) % 4)

inline submit(word) {
  asked[word] = (asked[word] + 2) % 4;
  put(CLIENT, word, asked[word]);
  wake_peer_unsettled(CLIENT)
}

inline settle_client() {
#ifndef NO_SETTLING_OF_THE_CLIENT
  settle(CLIENT)
#else
  skip
#endif
}

inline park_client(word) {
  put(CLIENT, TO_PARKED, also | PARKED_SEM);
#ifndef NO_FENCE_OF_THE_PARKING
  fence(CLIENT);
#endif
#ifdef NO_SECOND_LOOK
  if
  :: true ->
#else
  if
  :: DONE(word)
  :: else ->
#endif
    atomic { sem[CLIENT] > 0 -> sem[CLIENT] = sem[CLIENT] - 1 }
  fi;
  put(CLIENT, TO_PARKED, also)
}

/* Waits in the semaphore. */
inline wait_asleep(word) {
  do
  :: DONE(word) -> break
  :: else ->
    settle_client();
    if
    :: DONE(word) -> break
    :: else -> park_client(word)
    fi
  od
}

/* Waits in poll, as an event loop. */
inline wait_notified(word) {
  settle_client();
  also = PARKED_FD;
  put(CLIENT, TO_PARKED, also);
#ifndef NO_FENCE_OF_NOTIFICATION
  fence(CLIENT);
#endif
  do
  :: DONE(word) -> break
  :: else -> atomic { fd -> fd = false }
  od;
  if
  :: true ->
    also = 0;
    put(CLIENT, TO_PARKED, 0)
  :: true
  fi
}

inline wait(word) {
  if
  :: true -> wait_asleep(word)
  :: true -> wait_notified(word)
  fi;
  assert(lap[word] == (asked[word] + 2) % 4) /* it was taken once */
}

proctype Client() {
  byte seen;
  do
  :: submit(SINGLE);
    wait(SINGLE)
  :: submit(RING);
    settle_client();
    submit(RING + 1);
    settle_client();
    wait(RING);
    wait(RING + 1)
  od
}

init {
  atomic {
    lap[0] = 1;
    lap[1] = 1;
    lap[2] = 1;
    run Memory(CLIENT);
    run Memory(WORKER);
    run Client();
    run Worker()
  }
}
