/* Log lines on stderr: "numd: info: ...", or with a journal's priority prefix if stderr is one. */
#ifndef NUMD_SERVER_LOG_H
#define NUMD_SERVER_LOG_H

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* `name` begins every line and must stay valid. Called once, before any other thread runs. */
void log_init(const char *name, enum log_level level);
enum log_level log_level(void);
/* The level of a name ("error", "warning", "info", "debug"); -1 if it is none. */
int log_level_find(const char *name);

/* One line, written whole. Any thread. */
__attribute__((format(printf, 2, 3))) void log_line(enum log_level level, const char *format, ...);

#define log_error(...) log_line(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_line(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(...) log_line(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_line(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
