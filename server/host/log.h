/* SPDX-License-Identifier: BSD-3-Clause */
/* Log lines on stderr: "numd: info: ...", or with a journal's priority prefix if stderr is one. */
#ifndef NUMD_SERVER_HOST_LOG_H
#define NUMD_SERVER_HOST_LOG_H

#include <stdatomic.h>
#include <stdint.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* `name` begins every line and must stay valid. Called once, before any other thread runs. */
void log_init(const char *name, enum log_level level);
enum log_level log_level(void);
/* The level of a name ("error", "warning", "info", "debug"); -1 if it is none. */
int log_level_find(const char *name);

/* A place in the source that logs. Clients can cause many lines there, so it writes at most LOG_BURST of them
 * in LOG_PERIOD_NS; its first line afterwards says how many were left out. */
#define LOG_BURST 200
#define LOG_PERIOD_NS 10000000000
struct log_site {
  _Atomic int64_t since_ns; /* when the present period began; 0: never */
  _Atomic int64_t n;        /* lines since then */
};

/* One line, written whole; any thread. What clients have a part in can be logged as it is: bytes that are no
 * printable characters of UTF-8 are written as \xNN, so a text cannot begin another line. */
__attribute__((format(printf, 3, 4))) void log_line(struct log_site *site, enum log_level level,
                                                    const char *format, ...);

#define LOG_HERE(level, ...)             \
  do {                                   \
    static struct log_site here;         \
    log_line(&here, level, __VA_ARGS__); \
  } while (0)
#define log_error(...) LOG_HERE(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) LOG_HERE(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(...) LOG_HERE(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) LOG_HERE(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
