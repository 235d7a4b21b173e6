/* SPDX-License-Identifier: BSD-3-Clause */
/* numd: options, then the supervisor. */
#include <assert.h>
#include <errno.h>
#include <getopt.h>
#include <linux/close_range.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "protocol/version.h"
#include "server/host/log.h"
#include "server/supervisor/listen.h"
#include "server/supervisor/supervisor.h"

#define IDLE_MS 1000
#define WORKER_MEMORY_MIN ((uint64_t)256 << 20) /* stacks of threads, buffers of OpenBLAS, a plan */

static const char usage[] =
    "Usage: numd [OPTION...]\n"
    "Serves arrays in shared memory: other processes on this host have operations done on them.\n"
    "\n"
    "  --socket=PATH             listen at PATH; the default is $NUMD_SOCKET, else /run/numd/numd.sock for\n"
    "                            root, else numd.sock in $XDG_RUNTIME_DIR, /run/user/UID or /tmp/numd-UID\n"
    "  --workers-max=N           serve at most N clients at once (256)\n"
    "  --spares=N                keep N workers ready for clients to come (2)\n"
    "  --connect-rate=N          let a user begin N sessions a second, and 4 N at once; others wait (100)\n"
    "  --exit-when-idle[=SECS]   end SECS (1) after the last client left, or if none comes within 10\n"
    "  --allow-uid=UID           serve this user, too; may be repeated\n"
    "  --group=NAME              serve the members of this group, too\n"
    "  --quota=NAME=N            let a user have N of NAME at once (status shows use); may be repeated: "
    "sessions,\n"
    "                            bytes, segments, plans, channels, calls, descriptors; K, M, G, T multiply\n"
    "  --worker-memory=BYTES     private memory of a worker at most (the machine's)\n"
    "  --call-max=SECS           give up calls that run longer (never)\n"
    "  --no-sandbox              let workers keep all rights that their user has, for debugging\n"
    "  --log-level=LEVEL         error, warning, info or debug (info)\n"
    "  --help, --version\n"
    "\n"
    "Log lines go to standard error. A socket passed by a service manager (LISTEN_FDS) is used if there is\n"
    "one. SIGTERM and SIGINT end the daemon; its clients' data stays theirs. SIGUSR2 has the installed "
    "program take\n"
    "over while sessions end, SIGHUP replaces spare workers.\n";

enum option_code {
  OPT_SOCKET = 1,
  OPT_WORKERS_MAX,
  OPT_SPARES,
  OPT_CONNECT_RATE,
  OPT_IDLE,
  OPT_ALLOW_UID,
  OPT_GROUP,
  OPT_QUOTA,
  OPT_WORKER_MEMORY,
  OPT_CALL_MAX,
  OPT_NO_SANDBOX,
  OPT_TAKE_OVER,
  OPT_LOG_LEVEL,
  OPT_HELP,
  OPT_VERSION
};

static const struct option options[] = {
    {"socket", required_argument, NULL, OPT_SOCKET},
    {"workers-max", required_argument, NULL, OPT_WORKERS_MAX},
    {"spares", required_argument, NULL, OPT_SPARES},
    {"connect-rate", required_argument, NULL, OPT_CONNECT_RATE},
    {"exit-when-idle", optional_argument, NULL, OPT_IDLE},
    {"allow-uid", required_argument, NULL, OPT_ALLOW_UID},
    {"group", required_argument, NULL, OPT_GROUP},
    {"quota", required_argument, NULL, OPT_QUOTA},
    {"worker-memory", required_argument, NULL, OPT_WORKER_MEMORY},
    {"call-max", required_argument, NULL, OPT_CALL_MAX},
    {"no-sandbox", no_argument, NULL, OPT_NO_SANDBOX},
    {"take-over", no_argument, NULL, OPT_TAKE_OVER}, /* given by a daemon to its successor alone */
    {"log-level", required_argument, NULL, OPT_LOG_LEVEL},
    {"help", no_argument, NULL, OPT_HELP},
    {"version", no_argument, NULL, OPT_VERSION},
    {NULL, 0, NULL, 0},
};

/* Ends the program if `text` is not a number from min to max. */
static double number_or_die(const char *option, const char *text, double min, double max) {
  char *end;
  assert(text); /* getopt_long saw to it */
  errno = 0;
  double value = strtod(text, &end);
  if (*text == '\0' || *end != '\0' || errno != 0 || !(value >= min && value <= max)) {
    fprintf(stderr, "numd: --%s: a number from %g to %g is wanted, not '%s'\n", option, min, max, text);
    exit(2);
  }
  return value;
}

/* Ends the program with a message unless the value of an option is good. */
static void check_or_die(bool good, const char *option, const char *wanted) {
  if (good)
    return;
  fprintf(stderr, "numd: --%s: %s is wanted, not '%s'\n", option, wanted, optarg);
  exit(2);
}

static enum log_level level_or_die(const char *text) {
  int level = log_level_find(text);
  check_or_die(level >= 0, "log-level", "error, warning, info or debug");
  return (enum log_level)level;
}

/* The options that bound what clients may do. */
static void parse_bound(int code, struct supervisor_options *out) {
  switch (code) {
    case OPT_ALLOW_UID:
      check_or_die(access_add_uid(&out->access, optarg), "allow-uid", "a user's number (64 at most)");
      break;
    case OPT_GROUP:
      check_or_die(access_set_group(&out->access, optarg), "group", "a group that exists, or its number,");
      break;
    case OPT_QUOTA:
      check_or_die(quota_parse(optarg, out->quotas), "quota", "NAME=N with one of the names of --help");
      break;
    case OPT_WORKER_MEMORY:
      check_or_die(quota_parse_size(optarg, &out->workers.worker_memory) &&
                       out->workers.worker_memory >= WORKER_MEMORY_MIN,
                   "worker-memory", "a size of 256M or more");
      break;
    case OPT_CALL_MAX:
      out->workers.call_max_ns = (uint64_t)(1e9 * number_or_die("call-max", optarg, 0.01, 1e6));
      break;
    default:
      out->workers.no_sandbox = true;
  }
}

static void parse(int argc, char **argv, struct supervisor_options *out, enum log_level *level) {
  int code;
  while ((code = getopt_long(argc, argv, "", options, NULL)) != -1) {
    switch (code) {
      case OPT_SOCKET:
        out->socket = optarg;
        break;
      case OPT_WORKERS_MAX:
        out->workers_max = (int)number_or_die("workers-max", optarg, 1, 960);
        break;
      case OPT_SPARES:
        out->spares = (int)number_or_die("spares", optarg, 0, 64);
        break;
      case OPT_CONNECT_RATE:
        out->connect_rate = (uint64_t)number_or_die("connect-rate", optarg, 1, 1e6);
        break;
      case OPT_IDLE:
        out->idle_ms = optarg ? (int)(1000 * number_or_die("exit-when-idle", optarg, 0, 1e6)) : IDLE_MS;
        break;
      case OPT_ALLOW_UID:
      case OPT_GROUP:
      case OPT_QUOTA:
      case OPT_WORKER_MEMORY:
      case OPT_CALL_MAX:
      case OPT_NO_SANDBOX:
        parse_bound(code, out);
        break;
      case OPT_TAKE_OVER:
        out->take_over = true;
        break;
      case OPT_LOG_LEVEL:
        *level = level_or_die(optarg);
        break;
      case OPT_HELP:
        fputs(usage, stdout);
        exit(0);
      case OPT_VERSION:
        printf("numd %s\n", NUMD_VERSION);
        exit(0);
      default:
        fputs("Try 'numd --help'.\n", stderr);
        exit(2);
    }
  }
  if (optind < argc) {
    fprintf(stderr, "numd: '%s' is not an option\nTry 'numd --help'.\n", argv[optind]);
    exit(2);
  }
}

/* Closes the descriptors that the program that started us left open, except those that are meant for us. */
static void close_strangers(bool take_over) {
  unsigned first = take_over ? TAKE_OVER_CONTROL + 1 : 3u + (unsigned)listen_inherited();
  syscall(SYS_close_range, first, ~0u, 0);
}

int main(int argc, char **argv) {
  char address[ADDRESS_BYTES];
  enum log_level level = LOG_LEVEL_INFO;
  struct supervisor_options o = {
      .workers_max = 256, .spares = 2, .connect_rate = 100, .idle_ms = -1, .argv = argv};
  parse(argc, argv, &o, &level);
  log_init("numd", level);
  close_strangers(o.take_over);
  if (!o.socket) {
    if (address_default(address, sizeof(address)) < 0) {
      log_error("the default path of the socket is too long; use --socket");
      return 1;
    }
    o.socket = address;
  }
  return supervisor_run(&o);
}
