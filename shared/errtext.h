/* SPDX-License-Identifier: BSD-3-Clause */
/* A sentence about what was wrong, built where it is noticed and carried to the caller. */
#ifndef NUMD_SHARED_ERRTEXT_H
#define NUMD_SHARED_ERRTEXT_H

#include <stdarg.h>
#include <stdio.h>

struct errtext {
  char text[240];
};

__attribute__((format(printf, 2, 3))) static inline void errtext_write(struct errtext *e, const char *format,
                                                                       ...) {
  va_list args;
  va_start(args, format);
  vsnprintf(e->text, sizeof(e->text), format, args);
  va_end(args);
}

/* Sets the sentence and gives `status`, so that `return errtext_set(e, NUMD_ESHAPE, ...)` reads well. A
 * macro, so that the compiler sees the status at the call and knows that it is not 0. */
static inline int errtext_same(int status) {
  return status;
}
#define errtext_set(e, status, ...) (errtext_write((e), __VA_ARGS__), errtext_same(status))

#endif
