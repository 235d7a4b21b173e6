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

/* The length of the UTF-8 character that begins at `s`, which is followed by a zero; 0 if none does, or if it
 * is a control character. */
static size_t printable(const unsigned char *s) {
  size_t len = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : s[0] < 0xf5 ? 4 : 0;
  if (len == 1)
    return s[0] >= ' ' && s[0] != 0x7f;
  for (size_t i = 1; i < len; i++)
    if ((s[i] & 0xc0) != 0x80)
      return 0;
  bool control = s[0] == 0xc2 && s[1] < 0xa0,
       too_long = s[0] == 0xe0 ? s[1] < 0xa0 : s[0] == 0xf0 && s[1] < 0x90;
  bool surrogate = s[0] == 0xed && s[1] >= 0xa0, too_large = s[0] == 0xf4 && s[1] >= 0x90;
  return control || too_long || surrogate || too_large ? 0 : len;
}

/* Copies a text, as much as there is room for, with \xNN in place of each byte that does not belong to a
 * printable character. How many bytes were written. */
static size_t escape(char *out, size_t room, const char *text) {
  size_t n = 0;
  for (const unsigned char *s = (const unsigned char *)text; *s;) {
    size_t len = printable(s), wanted = len > 0 ? len : 4;
    if (n + wanted > room)
      break;
    if (len > 0)
      memcpy(out + n, s, len);
    else
      for (size_t i = 0; i < 4; i++)
        out[n + i] = i < 2 ? "\\x"[i] : "0123456789abcdef"[i == 2 ? *s >> 4 : *s & 15];
    n += wanted;
    s += len > 0 ? len : 1;
  }
  return n;
}

void log_line(struct log_site *site, enum log_level level, const char *format, ...) {
  char text[480], line[1024];
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
  if (vsnprintf(text, sizeof(text), format, args) < 0)
    text[0] = '\0';
  va_end(args);
  n += escape(line + n, sizeof(line) - n - 1, text);
  line[n++] = '\n';
  if (write(STDERR_FILENO, line, n) < 0)
    return; /* there is nowhere else to say so */
}
