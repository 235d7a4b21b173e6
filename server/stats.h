/* What `stats` answers: the board as a map. */
#ifndef NUMD_SERVER_STATS_H
#define NUMD_SERVER_STATS_H

#include <msgpack.h>

#include "server/board.h"

void stats_pack(msgpack_packer *pk, const struct board *board);

#endif
