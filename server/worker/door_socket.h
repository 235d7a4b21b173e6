/* SPDX-License-Identifier: BSD-3-Clause */
/* The socket door: one client's connection, msgpack-RPC frames in and out, descriptors beside them.
 *
 * It belongs to the main thread and its loop. Input and output are bounded: a frame by the codec's limits,
 * descriptors that no request claimed by DOOR_FDS_MAX, answers that the client does not read by
 * DOOR_OUTPUT_MAX. A client that goes beyond a limit is told so in a `goodbye` notification, if that can be
 * written without waiting, and is disconnected. */
#ifndef NUMD_SERVER_WORKER_DOOR_SOCKET_H
#define NUMD_SERVER_WORKER_DOOR_SOCKET_H

#include <msgpack.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "server/worker/session.h"
#include "shared/errtext.h"

#define DOOR_FDS_MAX 16
#define DOOR_OUTPUT_MAX ((size_t)4 << 20)
#define DOOR_HELLO_MS 5000

struct worker;
struct door_socket;

/* A descriptor to be sent beside byte number `at`, counted from the first byte that the door ever put out. */
struct door_fd {
  uint64_t at;
  int fd;
};

struct door_socket {
  uv_poll_t poll;
  uv_timer_t hello_timer;
  int fd;
  int events; /* what the poll handle waits for */
  bool closing, said_hello;
  void (*on_close)(struct door_socket *door);
  struct worker *worker; /* whose door it is; set by the owner */
  /* in */
  char *in;
  size_t in_len, in_room;
  size_t in_want; /* bytes of the next frame at least */
  int fds[DOOR_FDS_MAX];
  int n_fds;
  /* out */
  char *out;
  size_t out_len, out_room, out_sent;
  uint64_t out_base; /* how many bytes were put out before out[0] */
  struct door_fd out_fds[DOOR_FDS_MAX];
  int n_out_fds;
  msgpack_packer pk; /* writes to out */
  bool out_failed;   /* no memory or beyond the limit */
};

/* Serves `fd`, which becomes the door's. on_close is called once, from the loop, when the client has gone or
 * was sent away; nothing is read or written after. 0 or -errno. */
int door_open(struct door_socket *door, uv_loop_t *loop, int fd, void (*on_close)(struct door_socket *door));

/* Ends the connection. Idempotent. */
void door_close(struct door_socket *door);
/* Says goodbye with a status and a sentence, logs it, and closes. */
__attribute__((format(printf, 3, 4))) void door_goodbye(struct door_socket *door, int status,
                                                        const char *format, ...);
/* Frees what the door holds and closes the connection, by which the client knows that none of its calls is
 * being run. To be called after on_close, when the loop has closed the handles. */
void door_deinit(struct door_socket *door);

/* The oldest descriptor that came in and was not claimed, now the caller's; or one of these: */
#define DOOR_FD_NONE (-1)    /* there is none */
#define DOOR_FD_REFUSED (-2) /* it was no shared memory, and was closed at once */
int door_take_fd(struct door_socket *door);
/* Sends fd, which becomes the door's, beside the byte at a mark. 0 or -ENOSPC (fd is closed). */
int door_put_fd(struct door_socket *door, size_t mark, int fd);

/* A place in the output, for door_rewind: that takes back what was put out after it. */
static inline size_t door_mark(const struct door_socket *door) {
  return door->out_len;
}
void door_rewind(struct door_socket *door, size_t mark);

/* Writes what can be written now. */
void door_flush(struct door_socket *door);

#endif
