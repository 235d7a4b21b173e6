/* SPDX-License-Identifier: BSD-3-Clause */
/* A daemon for tests of the client library's modules: a thread that answers every request at once, computes
 * nothing, and counts what it was asked. One session at a time. */
#ifndef NUMD_TESTS_FAKE_DAEMON_H
#define NUMD_TESTS_FAKE_DAEMON_H

#include <check.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "client/numd.h"
#include "protocol/wire.h"
#include "shared/channel.h"
#include "shared/fdpass.h"

#define FAKE_SEGMENT_BYTES (1 << 20) /* of what it gives for a token */

enum fake_method {
  FAKE_HELLO,
  FAKE_ATTACH,
  FAKE_DETACH,
  FAKE_SHARE,
  FAKE_LEND,
  FAKE_TAKE,
  FAKE_GIVE,
  FAKE_RETURNED,
  FAKE_PREPARE,
  FAKE_RELEASE,
  FAKE_OPEN_CHANNEL,
  FAKE_PING,
  FAKE_METHODS
};

static const char *const fake_names[FAKE_METHODS] = {"hello",   "attach",  "detach",       "share",
                                                     "lend",    "take",    "give",         "returned",
                                                     "prepare", "release", "open_channel", "ping"};

static struct {
  char address[sizeof(((struct sockaddr_un *)0)->sun_path)];
  int listener;
  pthread_t thread;
  atomic_int sock; /* of the session */
  atomic_int asked[FAKE_METHODS];
  atomic_bool is_returned; /* the answer about every part of a segment */
  numd_conn *conn;
} fake;

/* ---- Answers ---- */

static void fake_pack_prepared(msgpack_packer *pk, const msgpack_object *object) {
  static struct program program;
  struct errtext err;
  ck_assert_int_eq(wire_read_program(object, &program, &err), 0);
  msgpack_pack_map(pk, 1);
  wire_pack_str(pk, "outputs");
  msgpack_pack_array(pk, program.n_outputs);
  for (int i = 0; i < program.n_outputs; i++)
    wire_pack_layout(
        pk, program.outputs[i].open_shape ? &program.operands[0].layout : &program.outputs[i].layout);
}

static void fake_pack_returned(msgpack_packer *pk, uint32_t n) {
  msgpack_pack_array(pk, n);
  for (uint32_t i = 0; i < n; i++)
    if (fake.is_returned)
      msgpack_pack_true(pk);
    else
      msgpack_pack_false(pk);
}

static int fake_memfd(void) {
  int fd = memfd_create("fake", MFD_CLOEXEC);
  ck_assert(fd >= 0 && ftruncate(fd, FAKE_SEGMENT_BYTES) == 0);
  return fd;
}

/* Packs the result; gives the descriptor that goes beside it, or -1. */
static int fake_pack_result(enum fake_method method, msgpack_packer *pk, const msgpack_object *params) {
  struct channel_memory *memory;
  int fd = -1;
  switch (method) {
    case FAKE_ATTACH:
      msgpack_pack_nil(pk);
      return wire_get(&params[1], "token") ? fake_memfd() : -1;
    case FAKE_SHARE:
      msgpack_pack_bin_with_body(pk, "0123456789abcdef", 16);
      return -1;
    case FAKE_LEND:
      msgpack_pack_uint32(pk, 1);
      return -1;
    case FAKE_RETURNED:
      fake_pack_returned(pk, params[1].via.array.size);
      return -1;
    case FAKE_PREPARE:
      fake_pack_prepared(pk, &params[1]);
      return -1;
    case FAKE_OPEN_CHANNEL:
      ck_assert_int_eq(channel_new(NUMD_WAIT_AUTO, &memory, &fd), 0);
      channel_unmap(memory);
      msgpack_pack_map(pk, 1);
      wire_pack_str(pk, "channel");
      msgpack_pack_uint32(pk, 0);
      return fd;
    default:
      msgpack_pack_nil(pk);
      return -1;
  }
}

static enum fake_method fake_method(const struct wire_message *m) {
  int i = 0;
  while (i < FAKE_METHODS &&
         (strlen(fake_names[i]) != m->method_len || memcmp(fake_names[i], m->method, m->method_len) != 0))
    i++;
  ck_assert_msg(i < FAKE_METHODS, "unexpected method %.*s", (int)m->method_len, m->method);
  return (enum fake_method)i;
}

static void fake_answer(int sock, const struct wire_message *m) {
  msgpack_sbuffer out;
  msgpack_packer pk;
  enum fake_method method = fake_method(m);
  atomic_fetch_add(&fake.asked[method], 1);
  if (m->type == WIRE_NOTIFY)
    return;
  msgpack_sbuffer_init(&out);
  msgpack_packer_init(&pk, &out, msgpack_sbuffer_write);
  wire_pack_result(&pk, m->msgid);
  int fd = fake_pack_result(method, &pk, m->params.via.array.ptr);
  (void)fdpass_send(sock, out.data, out.size, &fd, fd >= 0);
  if (fd >= 0)
    close(fd);
  msgpack_sbuffer_destroy(&out);
}

/* ---- Sessions ---- */

static void fake_serve(int sock) {
  static char in[WIRE_FRAME_MAX];
  struct errtext err;
  struct wire_message m;
  size_t len = 0, whole;
  for (;;) {
    int fds[FDPASS_MAX], n_fds, truncated;
    ssize_t n = fdpass_recv(sock, in + len, sizeof(in) - len, fds, &n_fds, &truncated);
    if (n <= 0)
      return;
    for (int i = 0; i < n_fds; i++)
      close(fds[i]);
    len += (size_t)n;
    while (wire_scan(in, len, &whole, &err) == 1) {
      ck_assert_int_eq(wire_parse(in, whole, &m, &err), 0);
      fake_answer(sock, &m);
      wire_free(&m);
      memmove(in, in + whole, len -= whole);
    }
  }
}

static void *fake_main(void *unused) {
  int sock;
  while ((sock = accept(fake.listener, NULL, NULL)) >= 0) {
    fake.sock = sock;
    fake_serve(sock);
    close(sock);
  }
  return unused;
}

/* Ends the session, and has the connection open another. */
static inline void fake_hang_up(void) {
  int sessions = fake.asked[FAKE_HELLO];
  shutdown(fake.sock, SHUT_RDWR);
  while (numd_ping(fake.conn, 1000000000) || fake.asked[FAKE_HELLO] == sessions)
    usleep(1000);
}

/* A fixture: the daemon, and a connection to it. */
static inline void fake_setup(void) {
  struct sockaddr_un a = {.sun_family = AF_UNIX};
  const char *dir = getenv("TMPDIR");
  snprintf(fake.address, sizeof(fake.address), "%s/numd-fake-%d.sock", dir ? dir : "/tmp", getpid());
  memcpy(a.sun_path, fake.address, sizeof(a.sun_path));
  fake.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  ck_assert_int_eq(bind(fake.listener, (struct sockaddr *)&a, sizeof(a)), 0);
  ck_assert_int_eq(listen(fake.listener, 4), 0);
  ck_assert_int_eq(pthread_create(&fake.thread, NULL, fake_main, NULL), 0);
  const numd_options options = {.size = sizeof(options), .address = fake.address, .no_start = 1};
  int r = numd_connect(&options, &fake.conn);
  ck_assert_msg(r == 0, "%s", numd_error());
}

static inline void fake_teardown(void) {
  numd_conn_unref(fake.conn);
  shutdown(fake.sock, SHUT_RDWR); /* a block that is kept for a child keeps the connection, too */
  shutdown(fake.listener, SHUT_RDWR);
  pthread_join(fake.thread, NULL);
  close(fake.listener);
  unlink(fake.address);
}

#endif
