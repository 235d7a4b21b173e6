/* SPDX-License-Identifier: BSD-3-Clause */
/* One poll handle drives the door. When the socket is readable, one recvmsg reads, every whole frame is
 * handled and its answer put into `out`, and one sendmsg writes all answers at once. Only if that would block
 * does the handle wait for the socket to be writable. So a call costs one recvmsg and one sendmsg. */
#include "server/worker/door_socket.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "protocol/wire.h"
#include "server/host/log.h"
#include "server/worker/methods.h"
#include "shared/fdpass.h"
#include "shared/memfd.h"
#include "shared/trace.h"

#define IN_ROOM ((size_t)64 << 10)
#define OUT_ROOM ((size_t)16 << 10)

static void wait_for(struct door_socket *door, int events);

/* What msgpack writes through. A failure is remembered in out_failed and ends the connection at the next
 * flush. */
static int put_out(void *data, const char *bytes, size_t n) {
  struct door_socket *door = data;
  if (door->out_failed || door->out_len - door->out_sent + n > DOOR_OUTPUT_MAX) {
    door->out_failed = true;
    return -1;
  }
  if (door->out_len + n > door->out_room) {
    size_t room = door->out_room * 2 > door->out_len + n ? door->out_room * 2 : door->out_len + n;
    char *grown = realloc(door->out, room);
    if (!grown) {
      door->out_failed = true;
      return -1;
    }
    door->out = grown;
    door->out_room = room;
  }
  memcpy(door->out + door->out_len, bytes, n);
  door->out_len += n;
  return 0;
}

void door_rewind(struct door_socket *door, size_t mark) {
  door->out_len = mark;
  while (door->n_out_fds > 0 && door->out_fds[door->n_out_fds - 1].at >= door->out_base + mark)
    close(door->out_fds[--door->n_out_fds].fd);
}

int door_take_fd(struct door_socket *door) {
  if (door->n_fds == 0)
    return DOOR_FD_NONE;
  int fd = door->fds[0];
  memmove(&door->fds[0], &door->fds[1], sizeof(int) * (size_t)--door->n_fds);
  return fd;
}

int door_put_fd(struct door_socket *door, size_t mark, int fd) {
  if (door->n_out_fds == DOOR_FDS_MAX) {
    close(fd);
    return -ENOSPC;
  }
  door->out_fds[door->n_out_fds++] = (struct door_fd){door->out_base + mark, fd};
  return 0;
}

/* One sendmsg. If a descriptor belongs beside the first byte, it is sent along; the bytes end before the next
 * byte that has one. */
static ssize_t send_some(struct door_socket *door) {
  size_t at = door->out_sent, end = door->out_len;
  int n = 0, fds[FDPASS_MAX];
  while (n < door->n_out_fds && n < FDPASS_MAX && door->out_fds[n].at == door->out_base + at) {
    fds[n] = door->out_fds[n].fd;
    n++;
  }
  if (n < door->n_out_fds && door->out_fds[n].at - door->out_base < end)
    end = (size_t)(door->out_fds[n].at - door->out_base);
  ssize_t sent = fdpass_send(door->fd, door->out + at, end - at, fds, n);
  for (int i = 0; sent > 0 && i < n; i++)
    close(fds[i]);
  if (sent > 0 && n > 0) {
    door->n_out_fds -= n;
    memmove(&door->out_fds[0], &door->out_fds[n], sizeof(door->out_fds[0]) * (size_t)door->n_out_fds);
  }
  return sent;
}

/* 0 when all is written, -EAGAIN when it would block, other -errno when the client is gone. */
static int write_out(struct door_socket *door) {
  while (door->out_sent < door->out_len) {
    ssize_t n = send_some(door);
    if (n < 0)
      return (int)n;
    door->out_sent += (size_t)n;
  }
  door->out_base += door->out_len;
  door->out_len = door->out_sent = 0;
  return 0;
}

void door_flush(struct door_socket *door) {
  if (door->closing)
    return;
  if (door->out_failed) {
    log_warning("session ends: %zu bytes of answers were not read by the client",
                door->out_len - door->out_sent);
    door_close(door);
    return;
  }
  int rc = write_out(door);
  trace_stamp(TRACE_SIGNALLED);
  if (rc == 0) {
    wait_for(door, UV_READABLE);
  } else if (rc == -EAGAIN) {
    memmove(door->out, door->out + door->out_sent, door->out_len - door->out_sent);
    door->out_base += door->out_sent;
    door->out_len -= door->out_sent;
    door->out_sent = 0;
    wait_for(door, UV_READABLE | UV_WRITABLE);
  } else {
    door_close(door);
  }
}

/* Handles one frame. False when the connection is closing. */
static bool handle_frame(struct door_socket *door, const char *frame, size_t len) {
  struct wire_message message;
  struct errtext err;
  int status = wire_parse(frame, len, &message, &err);
  if (status != 0) {
    door_goodbye(door, status, "%s", err.text);
    return false;
  }
  methods_handle(door, &message);
  wire_free(&message);
  return !door->closing;
}

/* Handles every whole frame of the input and keeps the rest. */
static void handle_input(struct door_socket *door) {
  size_t pos = 0, bytes = 0;
  struct errtext err;
  int rc = 0;
  while (pos < door->in_len && (rc = wire_scan(door->in + pos, door->in_len - pos, &bytes, &err)) > 0) {
    if (!handle_frame(door, door->in + pos, bytes))
      return;
    pos += bytes;
  }
  if (rc < 0) {
    door_goodbye(door, NUMD_EPROTOCOL, "%s", err.text);
    return;
  }
  door->in_len -= pos;
  door->in_want = door->in_len > 0 ? bytes : 0;
  memmove(door->in, door->in + pos, door->in_len);
}

/* Makes room for the rest of a frame that has begun; a buffer that had to grow shrinks again when it is
 * empty. */
static int make_room(struct door_socket *door) {
  size_t room = door->in_want > IN_ROOM ? door->in_want : IN_ROOM;
  if (room <= door->in_room && (door->in_room == IN_ROOM || door->in_len > 0))
    return 0;
  if (room < door->in_room * 2 && door->in_len > 0)
    room = door->in_room * 2;
  char *in = realloc(door->in, room);
  if (!in)
    return -ENOMEM;
  door->in = in;
  door->in_room = room;
  return 0;
}

/* Only shared memory is kept. A client could send its own end of this connection: while we had that open, we
 * would never see the end of file by which we know that the client is gone. */
static int keep_file(int fd) {
  if (memfd_seals(fd) >= 0)
    return fd;
  close(fd);
  return DOOR_FD_REFUSED;
}

/* Keeps the descriptors that came with the last bytes. False: there are too many, and the connection ends. */
static bool keep_fds(struct door_socket *door, const int fds[], int n, int truncated) {
  int i = 0;
  for (; i < n && door->n_fds < DOOR_FDS_MAX; i++)
    door->fds[door->n_fds++] = keep_file(fds[i]);
  bool fits = i == n && !truncated;
  for (; i < n; i++)
    close(fds[i]);
  if (!fits)
    door_goodbye(door, NUMD_ELIMIT, "more than %d descriptors beside one message, or %d unclaimed",
                 FDPASS_MAX, DOOR_FDS_MAX);
  return fits;
}

static void read_in(struct door_socket *door) {
  int fds[FDPASS_MAX], n_fds, truncated;
  if (make_room(door) < 0) {
    door_goodbye(door, NUMD_ENOMEMORY, "out of memory");
    return;
  }
  ssize_t n =
      fdpass_recv(door->fd, door->in + door->in_len, door->in_room - door->in_len, fds, &n_fds, &truncated);
  trace_stamp(TRACE_TAKEN);
  if (n == -EAGAIN)
    return;
  if (n <= 0) {
    door_close(door);
    return;
  }
  if (!keep_fds(door, fds, n_fds, truncated))
    return;
  door->in_len += (size_t)n;
  if (door->in_len >= door->in_want)
    handle_input(door);
  door_flush(door);
}

static void on_poll(uv_poll_t *poll, int status, int events) {
  struct door_socket *door = poll->data;
  if (status < 0) {
    door_close(door);
    return;
  }
  if (events & UV_WRITABLE)
    door_flush(door);
  if (!door->closing && events & (UV_READABLE | UV_DISCONNECT))
    read_in(door);
}

static void wait_for(struct door_socket *door, int events) {
  if (door->events == events)
    return;
  door->events = events;
  uv_poll_start(&door->poll, events, on_poll);
}

static void on_hello_timeout(uv_timer_t *timer) {
  struct door_socket *door = timer->data;
  if (!door->said_hello)
    door_goodbye(door, NUMD_ETIMEOUT, "no hello within %d ms", DOOR_HELLO_MS);
}

int door_open(struct door_socket *door, uv_loop_t *loop, int fd, void (*on_close)(struct door_socket *door)) {
  memset(door, 0, sizeof(*door));
  door->fd = fd;
  door->on_close = on_close;
  door->out_room = OUT_ROOM;
  door->out = malloc(OUT_ROOM);
  if (!door->out || make_room(door) < 0)
    return -ENOMEM;
  msgpack_packer_init(&door->pk, door, put_out);
  int rc = uv_poll_init(loop, &door->poll, fd); /* makes it non-blocking */
  if (rc < 0)
    return rc;
  door->poll.data = door;
  uv_timer_init(loop, &door->hello_timer);
  door->hello_timer.data = door;
  uv_timer_start(&door->hello_timer, on_hello_timeout, DOOR_HELLO_MS, 0);
  wait_for(door, UV_READABLE);
  return 0;
}

/* Only the handle is closed here. The descriptor stays open until door_deinit, when no call of the client
 * runs any more: the client takes the end of file as the sign of that. */
static void on_poll_closed(uv_handle_t *handle) {
  struct door_socket *door = handle->data;
  door->on_close(door);
}

void door_close(struct door_socket *door) {
  if (door->closing)
    return;
  door->closing = true;
  uv_close((uv_handle_t *)&door->hello_timer, NULL);
  uv_close((uv_handle_t *)&door->poll, on_poll_closed);
}

void door_goodbye(struct door_socket *door, int status, const char *format, ...) {
  struct errtext text;
  va_list args;
  if (door->closing)
    return;
  va_start(args, format);
  vsnprintf(text.text, sizeof(text.text), format, args);
  va_end(args);
  log_info("session ends: %s: %s", status_name(status), text.text);
  wire_pack_goodbye(&door->pk, status, text.text);
  if (!door->out_failed)
    write_out(door);
  door_close(door);
}

void door_deinit(struct door_socket *door) {
  for (int i = 0; i < door->n_fds; i++)
    if (door->fds[i] >= 0)
      close(door->fds[i]);
  for (int i = 0; i < door->n_out_fds; i++)
    close(door->out_fds[i].fd);
  close(door->fd);
  free(door->in);
  free(door->out);
  door->in = door->out = NULL;
  door->n_fds = door->n_out_fds = 0;
}
