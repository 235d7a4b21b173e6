/* SPDX-License-Identifier: BSD-3-Clause */
/* numd_options grows at its end in later versions, and its `size` says how much of it the caller's numd.h
 * has. Members that an older caller does not have count as zero, which means the default. Members that a
 * newer caller has must be zero, for this library does not know them: to ignore what they ask for would be
 * worse than to refuse it. Linux reads the arguments of clone3 in the same way. */
#include "client/lib/options.h"

#include <string.h>

#include "client/lib/error.h"

#define FIRST_BYTES 40 /* of the structure in 0.1 */
#define MAX_BYTES 4096 /* a larger size is refused, so that no memory far behind the structure is read */

_Static_assert(offsetof(numd_options, reserved) + sizeof(uint32_t) == FIRST_BYTES,
               "the first structure stays");

static int check_size(const numd_options *given) {
  const unsigned char *bytes = (const unsigned char *)given;
  if (given->size < FIRST_BYTES || given->size > MAX_BYTES)
    return error_set(NUMD_EINVAL,
                     "numd_options: size is %zu, not that of the structure: begin with NUMD_OPTIONS_INIT",
                     given->size);
  for (size_t i = sizeof(*given); i < given->size; i++)
    if (bytes[i])
      return error_set(NUMD_EINVAL,
                       "numd_options: byte %zu is set, which numd " NUMD_VERSION " has no option for", i);
  return 0;
}

int options_read(const numd_options *given, numd_options *out) {
  *out = (numd_options)NUMD_OPTIONS_INIT;
  if (!given)
    return 0;
  int r = check_size(given);
  if (r)
    return r;
  memcpy(out, given, given->size < sizeof(*out) ? given->size : sizeof(*out));
  if (out->reserved)
    return error_set(NUMD_EINVAL, "numd_options: reserved is %u, and must be 0", (unsigned)out->reserved);
  if ((unsigned)out->door > NUMD_DOOR_SOCKET)
    return error_set(NUMD_EINVAL, "numd_options: no door has the number %d", (int)out->door);
  if ((unsigned)out->wait >= NUMD_N_WAITS)
    return error_set(NUMD_EINVAL, "numd_options: no way of waiting has the number %d", (int)out->wait);
  return 0;
}
