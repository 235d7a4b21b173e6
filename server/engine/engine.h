/* SPDX-License-Identifier: BSD-3-Clause */
/* The engine in process: the daemon's plans and kernels without a daemon, for measuring what the
 * process boundary costs. Built as libnumd-engine.so.
 *
 * A program is text. The lines that make values number them from 0:
 *   in DTYPE [N ...]        an input array of that shape, C order
 *   op NAME VALUE [VALUE ...]  an operation on earlier values (reductions: over all axes)
 *   out VALUE               makes a value an output array, C order
 *   result VALUE            makes a value without dimensions the result
 * Lines that start with `out` or `result` make no value. */
#ifndef NUMD_SERVER_ENGINE_ENGINE_H
#define NUMD_SERVER_ENGINE_ENGINE_H

#include <stddef.h>

#define ENGINE_API __attribute__((visibility("default")))

struct engine_plan;

/* 0; a positive numd_status or a negative errno, with a sentence in err. */
ENGINE_API int engine_plan_new(const char *program_text, struct engine_plan **out, char *err, size_t err_len);
/* data: the inputs in their order, then the output arrays. *result gets the result as a double; result may be
 * NULL. 0 or a status. One thread at a time for each plan. */
ENGINE_API int engine_plan_run(struct engine_plan *plan, void *const data[], double *result);
ENGINE_API void engine_plan_free(struct engine_plan *plan);

#endif
