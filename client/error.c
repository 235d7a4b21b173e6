#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "client/internal.h"

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

int numd_op_find(const char *name) {
  return op_find(name, strlen(name));
}

const char *numd_op_name(numd_op op) {
  return op_known(op) ? op_rows[op].name : NULL;
}

int numd_dtype_find(const char *name) {
  return dtype_find(name, strlen(name));
}

const char *numd_dtype_name(numd_dtype dtype) {
  return dtype_known(dtype) ? dtype_rows[dtype].name : NULL;
}

size_t numd_dtype_size(numd_dtype dtype) {
  return dtype_known(dtype) ? dtype_rows[dtype].size : 0;
}
