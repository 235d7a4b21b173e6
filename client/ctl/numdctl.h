/* SPDX-License-Identifier: BSD-3-Clause */
/* The parts of numdctl. */
#ifndef NUMD_CLIENT_CTL_NUMDCTL_H
#define NUMD_CLIENT_CTL_NUMDCTL_H

#include <stdint.h>

/* ---- numdctl_lists.c: what it prints from the lists, without a daemon. Each gives the exit status. ---- */

int print_ops(void);
/* The page protocol/OPERATIONS.md. */
int print_ops_page(void);
int print_dtypes(void);

/* ---- numdctl_bench.c ---- */

/* Measures calls to the daemon at the address and prints a table, or JSON. The exit status. */
int run_bench(const char *address, int json);

/* ---- numdctl_json.c: looking things up in JSON text that the library made: well-formed, strings without
 * quotes in them. Each function takes where a value begins; NULL stays NULL. ---- */

const char *json_member(const char *object, const char *key);
/* The first element of an array, or the one after another; NULL at the end. */
const char *json_first(const char *array);
const char *json_next(const char *element);
/* A member that is a whole number; 0 without it. */
uint64_t json_number(const char *object, const char *key);

#endif
