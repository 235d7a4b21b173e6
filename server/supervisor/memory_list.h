/* SPDX-License-Identifier: BSD-3-Clause */
/* Who holds which memory: the answer to the method `memory`. */
#ifndef NUMD_SERVER_SUPERVISOR_MEMORY_LIST_H
#define NUMD_SERVER_SUPERVISOR_MEMORY_LIST_H

#include "server/supervisor/broker.h"
#include "server/supervisor/workers.h"

/* The objects that a user's sessions hold, and by which processes, as JSON text in a new memfd: its
 * descriptor, or -errno. */
int memory_list(const struct workers *workers, const struct broker *broker, uint32_t uid);

#endif
