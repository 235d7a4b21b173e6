/* SPDX-License-Identifier: BSD-3-Clause */
/* Threads beside a process's main thread. */
#ifndef NUMD_SHARED_THREAD_H
#define NUMD_SHARED_THREAD_H

#include <pthread.h>
#include <signal.h>

/* Starts a thread that leaves all signals to other threads, but for SIGBUS, which a thread gets for what it
 * does itself. 0 or a positive errno. */
static inline int thread_start(pthread_t *thread, void *(*fn)(void *arg), void *arg) {
  sigset_t all, before;
  sigfillset(&all);
  sigdelset(&all, SIGBUS);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  int rc = pthread_create(thread, NULL, fn, arg);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  return rc;
}

#endif
