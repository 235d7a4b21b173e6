/* SPDX-License-Identifier: BSD-3-Clause */
/* The calling thread's last error: a status and a sentence about it. */
#ifndef NUMD_CLIENT_LIB_ERROR_H
#define NUMD_CLIENT_LIB_ERROR_H

#include "protocol/list.h"
#include "shared/errtext.h"

/* Sets the thread's sentence and gives status. A macro, so that a compiler sees which status it is. */
__attribute__((format(printf, 1, 2))) void error_write(const char *format, ...);
#define error_set(status, ...) (error_write(__VA_ARGS__), errtext_same(status))
int error_status(int status); /* the status's message alone */
#define error_no_memory() error_set(NUMD_ENOMEMORY, "%s", status_message(NUMD_ENOMEMORY))

#endif
