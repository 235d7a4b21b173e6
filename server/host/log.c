/* SPDX-License-Identifier: BSD-3-Clause */
#include "server/host/log.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shared/clock.h"

static const struct {
  const char *name;
  int priority; /* syslog's */
} levels[] = {{"error", 3}, {"warning", 4}, {"info", 6}, {"debug", 7}};

static const char *log_name = "numd";
static enum log_level log_max = LOG_LEVEL_INFO;
static bool log_journal;

void log_init(const char *name, enum log_level level) {
  log_name = name;
  log_max = level;
  log_journal = getenv("JOURNAL_STREAM") != NULL;
}

enum log_level log_level(void) {
  return log_max;
}

int log_level_find(const char *name) {
  for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++)
    if (strcmp(levels[i].name, name) == 0)
      return (int)i;
  return -1;
}

/* Counts a line of a site. -1: it is to be left out; else how many lines were left out before it. */
static int64_t count(struct log_site *site) {
  int64_t now = clock_now_ns(), since = atomic_load(&site->since_ns);
  if (since != 0 && now - since < LOG_PERIOD_NS)
    return atomic_fetch_add(&site->n, 1) < LOG_BURST ? 0 : -1;
  atomic_store(&site->since_ns, now);
  int64_t n = atomic_exchange(&site->n, 1);
  return n > LOG_BURST ? n - LOG_BURST : 0;
}

void log_line(struct log_site *site, enum log_level level, const char *format, ...) {
  char line[512];
  size_t n = 0;
  va_list args;
  if (level > log_max)
    return;
  int64_t left_out = count(site);
  if (left_out < 0)
    return;
  if (log_journal)
    n = (size_t)snprintf(line, sizeof(line), "<%d>", levels[level].priority);
  n += (size_t)snprintf(line + n, sizeof(line) - n, "%s: %s: ", log_name, levels[level].name);
  if (left_out > 0)
    n += (size_t)snprintf(line + n, sizeof(line) - n, "(%lld more like this were left out) ",
                          (long long)left_out);
  va_start(args, format);
  int more = vsnprintf(line + n, sizeof(line) - n - 1, format, args);
  va_end(args);
  n += more < 0 ? 0 : (size_t)more < sizeof(line) - n - 1 ? (size_t)more : sizeof(line) - n - 2;
  line[n++] = '\n';
  if (write(STDERR_FILENO, line, n) < 0)
    return; /* there is nowhere else to say so */
}
