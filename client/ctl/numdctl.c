/* SPDX-License-Identifier: BSD-3-Clause */
/* numdctl: asks a running daemon how it is, and tells what operations there are. It never starts one. */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client/ctl/numdctl.h"
#include "client/numd.h"

#define PING_NS 5000000000

static const char usage[] =
    "Usage: numdctl [--socket=PATH] COMMAND\n"
    "\n"
    "  ping              how long the daemon takes to answer\n"
    "  status [--json]   sessions, segments, plans, calls and cores\n"
    "  memory [--json]   who holds which shared memory\n"
    "  arrays            the names of published arrays\n"
    "  ops [--markdown]  the operations: classes, types, accuracy; as the page protocol/OPERATIONS.md\n"
    "  dtypes            the dtypes of arrays\n"
    "  bench [--json]    what a call costs here, in a few seconds\n"
    "\n"
    "  --socket=PATH     the daemon's socket; otherwise $NUMD_SOCKET, else the user's default\n"
    "  --help, --version\n";

static int fail(const char *what) {
  fprintf(stderr, "numdctl: %s: %s\n", what, numd_error());
  return 1;
}

static void print_text(const char *object, const char *key) {
  const char *value = json_member(object, key);
  if (value && *value == '"')
    printf("%.*s", (int)strcspn(value + 1, "\""), value + 1);
}

static void print_bytes(uint64_t bytes) {
  static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  double n = (double)bytes;
  int i = 0;
  for (; n >= 1024 && i < 4; i++)
    n /= 1024;
  printf("%8.*f %-3s", i > 0, n, units[i]);
}

/* "2 of 2 cores free", or who holds the others. */
static void print_owners(const char *list, const char *what) {
  int n = 0, n_free = 0;
  for (const char *p = json_first(list); p; p = json_next(p), n++)
    n_free += *p == 'n';
  printf("%d of %d %s free", n_free, n, what);
  if (n_free < n)
    printf(", held by");
  for (const char *p = json_first(list); p; p = json_next(p))
    if (*p == '0')
      printf(" another user");
    else if (*p != 'n')
      printf(" %" PRIu64, (uint64_t)strtoull(p, NULL, 10));
  printf("\n");
}

static void print_session(const char *s) {
  printf("%8" PRIu64 " %8" PRIu64 " %6" PRIu64 " %12" PRIu64 " %12" PRIu64 " %8" PRIu64 " %6" PRIu64
         " %8" PRIu64 " ",
         json_number(s, "pid"), json_number(s, "client_pid"), json_number(s, "uid"),
         json_number(s, "calls_ring"), json_number(s, "calls_socket"), json_number(s, "errors"),
         json_number(s, "plans"), json_number(s, "channels"));
  printf("%8" PRIu64 " ", json_number(s, "segments"));
  print_bytes(json_number(s, "segment_bytes"));
  printf("\n");
}

static void print_list(const char *array) {
  for (const char *p = json_first(array); p; p = json_next(p))
    printf(" %.*s", (int)strcspn(p + 1, "\""), p + 1);
}

/* What holds for the worker of each session: one line, as long as they are all alike. */
static void print_sandboxes(const char *sessions) {
  for (const char *s = json_first(sessions), *before = NULL; s; before = s, s = json_next(s)) {
    const char *list = json_member(s, "sandbox"), *last = json_member(before, "sandbox");
    if (last && strncmp(list, last, strcspn(list, "]")) == 0)
      continue;
    printf("sandbox of worker %" PRIu64 "%s:", json_number(s, "pid"), json_next(s) ? " and those below" : "");
    print_list(list);
    printf("\n");
  }
}

static void print_quotas(const char *quotas) {
  printf("\n%-12s %16s %16s  of this user\n", "quota", "used", "limit");
  for (const char *q = json_first(quotas); q; q = json_next(q)) {
    const char *name = json_member(q, "name");
    printf("%-12.*s %16" PRIu64 " %16" PRIu64 "  ", (int)strcspn(name + 1, "\""), name + 1,
           json_number(q, "used"), json_number(q, "limit"));
    print_text(q, "what");
    printf("\n");
  }
}

static void print_status(const char *json, const char *address) {
  const char *daemon = json_member(json, "daemon"), *sessions = json_member(json, "sessions");
  uint64_t seconds = json_number(daemon, "uptime_ns") / 1000000000;
  printf("numd ");
  print_text(daemon, "version");
  printf(", process %" PRIu64 ", at %s, up %" PRIu64 ":%02d:%02d\n", json_number(daemon, "pid"), address,
         seconds / 3600, (int)(seconds / 60 % 60), (int)(seconds % 60));
  print_owners(json_member(json, "core_owners"), "cores");
  print_owners(json_member(json, "spin_owners"), "spin tokens");
  printf("%" PRIu64 " sessions so far, %" PRIu64 " workers lost, %" PRIu64 " spare\n\n",
         json_number(daemon, "sessions_total"), json_number(daemon, "workers_lost"),
         json_number(daemon, "spares"));
  printf("%8s %8s %6s %12s %12s %8s %6s %8s %8s %12s\n", "worker", "client", "uid", "ring calls",
         "socket calls", "errors", "plans", "channels", "segments", "bytes");
  for (const char *s = json_first(sessions); s; s = json_next(s))
    print_session(s);
  printf("\n");
  print_sandboxes(sessions);
  print_quotas(json_member(json, "quotas"));
}

static int run_status(numd_conn *conn, int json) {
  char *text = NULL;
  if (numd_stats(conn, &text) != NUMD_OK)
    return fail("status");
  if (json)
    printf("%s\n", text);
  else
    print_status(text, numd_conn_address(conn));
  free(text);
  return 0;
}

static void print_holders(const char *segment) {
  for (const char *h = json_first(json_member(segment, "holders")); h; h = json_next(h)) {
    printf(" ");
    print_text(h, "command");
    printf("(%" PRIu64 ")", json_number(h, "pid"));
  }
}

static void print_names(const char *segment, const char *format) {
  for (const char *n = json_first(json_member(segment, "names")); n; n = json_next(n))
    printf(format, (int)strcspn(n + 1, "\""), n + 1);
}

static void print_memory(const char *json) {
  uint64_t bytes = 0, used = 0;
  printf("%12s %12s %9s  %s\n", "bytes", "used", "in flight", "memory, held by, published as");
  for (const char *s = json_first(json_member(json, "segments")); s; s = json_next(s)) {
    print_bytes(json_number(s, "bytes"));
    printf(" ");
    print_bytes(json_number(s, "used"));
    printf(" %9" PRIu64 "  ", json_number(s, "handles_in_flight"));
    print_text(s, "what");
    print_holders(s);
    print_names(s, " '%.*s'");
    printf("\n");
    bytes += json_number(s, "bytes");
    used += json_number(s, "used");
  }
  print_bytes(bytes);
  printf(" ");
  print_bytes(used);
  printf("            all\n");
}

static int run_memory(numd_conn *conn, int json, int arrays) {
  char *text = NULL;
  if (numd_memory(conn, &text) != NUMD_OK)
    return fail(arrays ? "arrays" : "memory");
  if (arrays) {
    for (const char *s = json_first(json_member(text, "segments")); s; s = json_next(s))
      print_names(s, "%.*s\n");
  } else if (json) {
    printf("%s", text);
  } else {
    print_memory(text);
  }
  free(text);
  return 0;
}

static int run_ping(numd_conn *conn) {
  struct timespec before, after;
  clock_gettime(CLOCK_MONOTONIC, &before);
  if (numd_ping(conn, PING_NS) != NUMD_OK)
    return fail("ping");
  clock_gettime(CLOCK_MONOTONIC, &after);
  double us = (double)(after.tv_sec - before.tv_sec) * 1e6 + (double)(after.tv_nsec - before.tv_nsec) / 1e3;
  printf("%s answers in %.0f us\n", numd_conn_address(conn), us);
  return 0;
}

static int misuse(const char *what) {
  fprintf(stderr, "numdctl: %s\n%s", what, usage);
  return 2;
}

static int run_connected(const char *command, const char *address, int json) {
  numd_options options = {.size = sizeof(options), .address = address, .no_start = 1};
  numd_conn *conn;
  if (numd_connect(&options, &conn) != NUMD_OK)
    return fail(command);
  int code, arrays = strcmp(command, "arrays") == 0;
  if (strcmp(command, "bench") == 0)
    code = run_bench(numd_conn_address(conn), json);
  else if (arrays || strcmp(command, "memory") == 0)
    code = run_memory(conn, json, arrays);
  else
    code = strcmp(command, "ping") == 0 ? run_ping(conn) : run_status(conn, json);
  numd_conn_unref(conn);
  return code;
}

int main(int argc, char **argv) {
  static const struct option options[] = {
      {"socket", required_argument, NULL, 's'}, {"json", no_argument, NULL, 'j'},
      {"markdown", no_argument, NULL, 'm'},     {"help", no_argument, NULL, 'h'},
      {"version", no_argument, NULL, 'v'},      {NULL, 0, NULL, 0}};
  const char *address = NULL;
  int code, json = 0, markdown = 0;
  while ((code = getopt_long(argc, argv, "", options, NULL)) != -1) {
    if (code == 's')
      address = optarg;
    else if (code == 'j')
      json = 1;
    else if (code == 'm')
      markdown = 1;
    else if (code == 'h')
      return fputs(usage, stdout) < 0;
    else if (code == 'v')
      return printf("numdctl %s\n", NUMD_VERSION) < 0;
    else
      return 2;
  }
  if (optind + 1 != argc)
    return misuse("one command is wanted");
  const char *command = argv[optind];
  if (strcmp(command, "ops") == 0)
    return markdown ? print_ops_page() : print_ops();
  if (strcmp(command, "dtypes") == 0)
    return print_dtypes();
  if (strcmp(command, "ping") == 0 || strcmp(command, "status") == 0 || strcmp(command, "memory") == 0 ||
      strcmp(command, "arrays") == 0 || strcmp(command, "bench") == 0)
    return run_connected(command, address, json);
  return misuse("unknown command");
}
