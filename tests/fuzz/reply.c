/* SPDX-License-Identifier: BSD-3-Clause */
/* The C client's reading of responses: a server that answers whatever it likes, with descriptors beside it,
 * to a program that uses most of the library. The input is a sequence of chunks: a byte for the descriptor
 * beside it, two for its length, and its bytes; all lie in the socket before the client asks, which then
 * reads end of file. */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client/numd.h"
#include "shared/channel.h"
#include "shared/fdpass.h"
#include "tests/fuzz/fuzz.h"

#define BYTES_MAX 65536
#define OBJECT_BYTES 65536

int __wrap_connect(int fd, const struct sockaddr *address, socklen_t length);
void __real_sem_await_hint(sem_t *, int64_t);
void __wrap_sem_await_hint(sem_t *, int64_t);

static struct input in;
static int server = -1;

static int make_object(int64_t bytes) {
  int fd = memfd_create("fuzz", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  MUST(fd >= 0 && ftruncate(fd, bytes) == 0);
  return fd;
}

/* A channel in which the first call of each kind is answered already. */
static int make_channel(uint32_t status) {
  struct channel_memory *memory = NULL;
  int fd = -1;
  MUST(channel_new(NUMD_WAIT_AUTO, &memory, &fd) == 0);
  for (unsigned i = 0; i < SINGLE_SLOTS; i++) {
    memory->single[i].seq = single_seq_done(0);
    memory->single[i].status = (int32_t)status;
    memory->single[i].detail = status;
  }
  for (unsigned i = 0; i < CHANNEL_SLOTS; i++) {
    memory->slots[i].seq = channel_seq_done(i);
    memory->slots[i].status = (int32_t)status;
  }
  channel_unmap(memory);
  return fd;
}

static int make_fd(uint8_t kind) {
  switch (kind % 8) {
    case 1:
      return make_channel(kind >> 3);
    case 2:
      return make_object(OBJECT_BYTES);
    case 3:
      return make_object(sizeof(struct channel_memory));
    case 4:
      return open("/dev/null", O_RDWR | O_CLOEXEC);
    case 5:
      return make_object(0);
    default:
      return -1;
  }
}

/* Everything that the server will ever say goes into the socket. */
static void answer_all(int sock) {
  for (size_t total = 0; in.left > 3;) {
    int fd = make_fd(input_byte(&in));
    size_t n = input_byte(&in);
    n |= (size_t)input_byte(&in) << 8;
    n = n < in.left ? n : in.left;
    if (n > 0 && (total += n) < BYTES_MAX)
      MUST(fdpass_send(sock, in.at, n, &fd, fd >= 0) == (ssize_t)n);
    in.at += n;
    in.left -= n;
    if (fd >= 0)
      close(fd);
  }
  shutdown(sock, SHUT_WR);
}

int __wrap_connect(int fd, const struct sockaddr *address, socklen_t length) {
  int ends[2];
  if (server >= 0)
    return -1; /* only once: errno is of no interest */
  MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
  MUST(dup3(ends[0], fd, O_CLOEXEC) == fd);
  close(ends[0]);
  server = ends[1];
  answer_all(server);
  return 0;
}

/* Nobody will ever post. */
void __wrap_sem_await_hint(sem_t *sem, int64_t deadline) {
  __real_sem_await_hint(sem, 0);
}

static void use_plan(numd_conn *conn, numd_array *a) {
  const int64_t shape[] = {8};
  numd_program *g = numd_program_new();
  numd_plan *plan = NULL;
  numd_scalar result;
  numd_ticket ticket;
  char *text = NULL;
  MUST(g);
  int x = numd_program_input(g, NUMD_FLOAT64, 1, shape, NULL);
  int y = numd_program_op(g, NUMD_OP_SUM, 1, &x, NULL);
  numd_program_result(g, y);
  if (numd_prepare(conn, g, &plan) == 0) {
    const numd_arg arg = {.array = a};
    if (numd_plan_explain(plan, &text) == 0)
      free(text);
    (void)numd_plan_call(plan, 1, &arg, &result, 1000000);
    if (numd_plan_submit(plan, 1, &arg, &ticket) == 0)
      while (numd_wait(&ticket, 0, &result) == NUMD_ETIMEOUT)
        (void)numd_cancel(&ticket);
    numd_plan_unref(plan);
  }
  numd_program_free(g);
}

static void use_arrays(numd_conn *conn, numd_array *a) {
  const numd_arg args[] = {{.array = a}, {.array = a}};
  numd_array *out = NULL, *other = NULL;
  numd_handle handle;
  char *json = NULL;
  if (numd_apply(conn, NUMD_OP_ADD, NULL, 2, args, &out, NULL) == 0)
    numd_array_unref(out);
  if (numd_array_export(a, &handle) == 0 && numd_array_import(conn, &handle, &other) == 0)
    numd_array_unref(other);
  (void)numd_publish(a, "name", 1);
  if (numd_open(conn, "name", &other) == 0)
    numd_array_unref(other);
  if (numd_memory(conn, &json) == 0)
    free(json);
}

static void use(numd_conn *conn) {
  const int64_t shape[] = {8};
  numd_array *a = NULL;
  char *json = NULL;
  if (numd_array_zeros(conn, NUMD_FLOAT64, 1, shape, &a) != 0)
    return;
  use_plan(conn, a);
  use_arrays(conn, a);
  numd_array_unref(a);
  if (numd_stats(conn, &json) == 0)
    free(json);
  (void)numd_ping(conn, 1000000);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  in = (struct input){data, size};
  uint8_t how = input_byte(&in);
  const numd_options options = {.size = sizeof(options),
                                .address = "/tmp/numd-fuzz.sock",
                                .no_start = 1,
                                .door = how & 1 ? NUMD_DOOR_SOCKET : NUMD_DOOR_RING};
  numd_conn *conn = NULL;
  int r = numd_connect(&options, &conn);
  MUST(r >= 0);
  if (r == 0) {
    use(conn);
    numd_conn_unref(conn);
  }
  if (server >= 0)
    close(server);
  server = -1;
  return 0;
}
