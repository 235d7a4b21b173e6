/* SPDX-License-Identifier: BSD-3-Clause */
/* Statuses: the answers that a request can get. One list; enum, names and messages expand from it.
 *
 * Positive numbers are documented answers to the caller. Failures of our own or of the machine are
 * negative errno values inside one process and never cross to the peer. */
#ifndef NUMD_PROTOCOL_STATUS_H
#define NUMD_PROTOCOL_STATUS_H

/* X(number, NAME, message) */
#define NUMD_STATUS_LIST(X)                                          \
  X(0, OK, "success")                                                \
  X(1, EPROTOCOL, "malformed message")                               \
  X(2, EMETHOD, "unknown method")                                    \
  X(3, EVERSION, "protocol versions do not match")                   \
  X(4, EINVAL, "invalid argument")                                   \
  X(5, ESEGMENT, "no such segment")                                  \
  X(6, EPLAN, "no such plan")                                        \
  X(7, ECHANNEL, "no such channel")                                  \
  X(8, EOP, "unknown operation")                                     \
  X(9, EDTYPE, "dtype not supported here")                           \
  X(10, ESHAPE, "shapes do not match")                               \
  X(11, EBOUNDS, "operand leaves its segment")                       \
  X(12, EALIGN, "operand is not aligned to its item size")           \
  X(13, ECAST, "result cannot be cast to the output's dtype")        \
  X(14, EDOMAIN, "value outside the operation's domain")             \
  X(15, ERANGE, "scalar does not fit the dtype")                     \
  X(16, ELOST, "segment was truncated while in use")                 \
  X(17, EDESCRIPTOR, "descriptor is not a shared-memory object")     \
  X(18, EACCESS, "object cannot be opened")                          \
  X(19, EEXIST, "id is already in use")                              \
  X(20, ELIMIT, "limit reached")                                     \
  X(21, ENOMEMORY, "out of memory")                                  \
  X(22, ECANCELLED, "cancelled")                                     \
  X(23, ETIMEOUT, "time limit passed")                               \
  X(24, EDISCONNECTED, "connection to the daemon was lost")          \
  X(25, EUNAVAILABLE, "no daemon answers and none could be started") \
  X(26, EINTERNAL, "internal error")                                 \
  X(27, EINDEX, "index out of bounds")                               \
  X(28, ESINGULAR, "matrix is singular")                             \
  X(29, EDEFINITE, "matrix is not positive definite")                \
  X(30, ECONVERGE, "did not converge")

typedef enum {
#define X(number, name, message) NUMD_##name = number,
  NUMD_STATUS_LIST(X)
#undef X
} numd_status;

#endif
