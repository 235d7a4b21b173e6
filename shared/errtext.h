/* A sentence about what was wrong, built where it is noticed and carried to the caller. */
#ifndef NUMD_SHARED_ERRTEXT_H
#define NUMD_SHARED_ERRTEXT_H

#include <stdarg.h>
#include <stdio.h>

struct errtext {
  char text[240];
};

/* Sets the sentence and returns `status`, so that `return errtext_set(e, NUMD_ESHAPE, ...)` reads well. */
__attribute__((format(printf, 3, 4))) static inline int errtext_set(struct errtext *e, int status,
                                                                    const char *format, ...) {
  va_list args;
  va_start(args, format);
  vsnprintf(e->text, sizeof(e->text), format, args);
  va_end(args);
  return status;
}

#endif
