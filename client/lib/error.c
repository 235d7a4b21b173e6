/* SPDX-License-Identifier: BSD-3-Clause */
#include "client/lib/error.h"

#include <stdarg.h>
#include <stdio.h>

#include "client/numd.h"

static __thread char last[512];

void error_write(const char *format, ...) {
  va_list args;
  va_start(args, format);
  vsnprintf(last, sizeof(last), format, args);
  va_end(args);
}

int error_status(int status) {
  return error_set(status, "%s", status_message(status));
}

const char *numd_error(void) {
  return last;
}

const char *numd_status_name(int status) {
  return status_name(status);
}

const char *numd_status_message(int status) {
  return status_message(status);
}
