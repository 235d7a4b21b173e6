/* SPDX-License-Identifier: BSD-3-Clause */
/* The control channel, over which the supervisor and a worker talk: one fixed struct a packet, over a socket
 * pair (SOCK_SEQPACKET), with descriptors beside it. Both ends are always of the same build.
 *
 *   SESSION  supervisor -> worker   here is a client (its socket beside it): serve it; with a first allowance
 *                                   of each quota as the note
 *   STOP     supervisor -> worker   the daemon ends: say goodbye
 *   SHARE    worker -> supervisor   keep this object (beside it) and name it; REPLY with the token
 *   IMPORT   worker -> supervisor   the object of this token; REPLY with the object beside it
 *   DROP     worker -> supervisor   this session no longer holds the token; not answered
 *   PING     supervisor -> worker   say that you are alive
 *   PONG     worker -> supervisor   I am; with the serial number of the PING
 *   READY, ADOPT                    between two supervisors, see upgrade.c
 *   CHARGE   worker -> supervisor   may it hold so much more (first) of a quota (flag)? REPLY with how much,
 *                                   and how much of that is reserve (ticket); ELIMIT with what its user has
 *   DISCHARGE   worker -> supervisor   it needs so much (first) of a quota (flag) no longer; not answered
 *   CHARGED                         between two supervisors, as CHARGE and DISCHARGE are: charges.h
 *   HELD     worker -> supervisor   what its user holds; REPLY with a number for each quota as the note, but
 *                                   descriptors as the ticket
 *   MEMORY   worker -> supervisor   who holds what; REPLY with a text (JSON) beside it
 *   LEND, TAKE, GIVE, IS_FREE    worker -> supervisor   holds on a block of an object, as broker.h says; all
 *                                but GIVE are answered
 *   PUBLISH, OPEN, UNPUBLISH     worker -> supervisor   names of blocks, with notes that only clients read
 *
 * Every question has a serial number, which its answer repeats. A REPLY that comes after its worker has given
 * the question up is not taken for the answer to the next one, nor an old PONG for a sign of life.
 *
 * A token is 128 random bits: a client that knows it may have the object. */
#ifndef NUMD_SERVER_HOST_CONTROL_CHANNEL_H
#define NUMD_SERVER_HOST_CONTROL_CHANNEL_H

#include <stdint.h>
#include <sys/types.h>

#define CONTROL_TOKEN_BYTES 16
#define CONTROL_NAME_BYTES 128 /* with the zero at its end */
#define CONTROL_NOTE_BYTES 512

enum control_type {
  CONTROL_SESSION = 1,
  CONTROL_STOP,
  CONTROL_SHARE,
  CONTROL_IMPORT,
  CONTROL_DROP,
  CONTROL_LEND,
  CONTROL_TAKE,
  CONTROL_GIVE,
  CONTROL_IS_FREE,
  CONTROL_PUBLISH,
  CONTROL_OPEN,
  CONTROL_UNPUBLISH,
  CONTROL_MEMORY,
  CONTROL_HELD,
  CONTROL_CHARGE,
  CONTROL_DISCHARGE,
  CONTROL_CHARGED,
  CONTROL_PING,
  CONTROL_PONG,
  CONTROL_READY,
  CONTROL_ADOPT,
  CONTROL_REPLY,
};

struct control_message {
  uint32_t type;
  int32_t status;  /* REPLY: numd_status */
  uint64_t serial; /* of a question and of its answer */
  int32_t pid;     /* SESSION: the client, as the kernel tells */
  uint32_t uid, gid;
  uint8_t token[CONTROL_TOKEN_BYTES];
  uint64_t first;  /* of a block: the offset of its first byte; CHARGE, DISCHARGE: an amount */
  uint64_t ticket; /* TAKE; REPLY to LEND and OPEN; REPLY to HELD: descriptors */
  uint32_t flag;   /* PUBLISH: it may replace another; SESSION: the client is a guest (worker/main.c);
                      REPLY to IS_FREE: yes; REPLY to SHARE: the quota is used up; CHARGE: enum quota */
  uint32_t note_bytes;
  char name[CONTROL_NAME_BYTES];
  uint8_t note[CONTROL_NOTE_BYTES];
};

/* Sends a message, with a descriptor beside it unless fd is -1 (the caller keeps it). 0 or -errno. */
int control_send(int sock, const struct control_message *message, int fd);

/* Receives a message: 1, with the descriptor beside it or -1 in *fd; 0 at end of file; or -errno (-EAGAIN,
 * -EPROTO). */
int control_recv(int sock, struct control_message *message, int *fd);

#endif
