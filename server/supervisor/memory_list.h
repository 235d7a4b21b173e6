/* Who holds which memory, for `memory`. */
#ifndef NUMD_SERVER_SUPERVISOR_MEMORY_LIST_H
#define NUMD_SERVER_SUPERVISOR_MEMORY_LIST_H

#include "server/supervisor/broker.h"
#include "server/supervisor/workers.h"

/* Who holds what of a user's memory, as text (JSON) in a new descriptor. -errno. */
int memory_list(const struct workers *workers, const struct broker *broker, uint32_t uid);

#endif
