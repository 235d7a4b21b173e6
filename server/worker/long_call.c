/* SPDX-License-Identifier: BSD-3-Clause */
/* A call borrows a runner while it runs; there are as many as the loop's pool has threads. The runner's
 * `cancel` names the call by its serial number, so that a cancel that comes late never hits the runner's next
 * call. */
#include "server/worker/long_call.h"

#include <stdlib.h>
#include <string.h>

#include "server/worker/allowance.h"

struct long_call {
  uv_work_t work;
  struct long_calls *calls;
  struct long_call *next, **link; /* link: the pointer that points at this call */
  struct runner *runner;          /* while it runs */
  bool cancelled;
  uint64_t serial; /* from 1 */
  uint32_t msgid;
  int result_dtype;
  struct request request;
  struct completion completion;
};

int long_calls_init(struct long_calls *calls, uv_loop_t *loop, struct session *session) {
  memset(calls, 0, sizeof(*calls));
  calls->loop = loop;
  calls->session = session;
  uv_mutex_init(&calls->lock);
  for (int i = 0; i < LONG_CALL_THREADS; i++) {
    int status = session_add_runner(session, &calls->runners[i]);
    if (status != 0)
      return status;
  }
  return 0;
}

void long_calls_deinit(struct long_calls *calls) {
  for (int i = 0; i < LONG_CALL_THREADS; i++)
    session_remove_runner(calls->session, calls->runners[i]);
  uv_mutex_destroy(&calls->lock);
}

/* A free runner, which is the call's until give_runner; NULL if the call was cancelled before it began. */
static struct runner *take_runner(struct long_call *call) {
  struct long_calls *calls = call->calls;
  uv_mutex_lock(&calls->lock);
  for (int i = 0; i < LONG_CALL_THREADS && !call->runner && !call->cancelled; i++)
    if (!calls->taken[i]) {
      calls->taken[i] = true;
      call->runner = calls->runners[i];
      runner_name_call(call->runner, call->serial);
    }
  uv_mutex_unlock(&calls->lock);
  return call->runner;
}

static void give_runner(struct long_call *call) {
  struct long_calls *calls = call->calls;
  uv_mutex_lock(&calls->lock);
  for (int i = 0; i < LONG_CALL_THREADS; i++)
    if (calls->runners[i] == call->runner)
      calls->taken[i] = false;
  call->runner = NULL;
  uv_mutex_unlock(&calls->lock);
}

static void run(uv_work_t *work) {
  struct long_call *call = work->data;
  struct runner *runner = take_runner(call);
  if (!runner)
    return;
  session_run(call->calls->session, runner, &call->request, &call->completion);
  give_runner(call);
}

static void done(uv_work_t *work, int status) {
  struct long_call *call = work->data;
  struct long_calls *calls = call->calls;
  *call->link = call->next;
  if (call->next)
    call->next->link = call->link;
  calls->n--;
  allowance_give(calls->session->allowance, QUOTA_CALLS, 1);
  calls->on_done(calls->data, call->msgid, call->result_dtype, &call->completion);
  free(call);
}

static int charge(struct long_calls *calls, struct errtext *err) {
  if (calls->n == LONG_CALLS_MAX)
    return errtext_set(err, NUMD_ELIMIT, "%d calls are under way in this session", LONG_CALLS_MAX);
  return allowance_charge(calls->session->allowance, QUOTA_CALLS, 1, err);
}

int long_call_start(struct long_calls *calls, uint32_t msgid, int result_dtype, const struct request *request,
                    struct errtext *err) {
  int status = charge(calls, err);
  if (status != 0)
    return status;
  struct long_call *call = calloc(1, sizeof(*call));
  if (!call) {
    allowance_give(calls->session->allowance, QUOTA_CALLS, 1);
    return errtext_set(err, NUMD_ENOMEMORY, "no memory for a call");
  }
  call->work.data = call;
  call->calls = calls;
  call->serial = ++calls->serial;
  call->msgid = msgid;
  call->result_dtype = result_dtype;
  call->request = *request;
  call->completion = (struct completion){.status = NUMD_ECANCELLED, .detail = NO_DETAIL};
  uv_queue_work(calls->loop, &call->work, run, done); /* it fails only without a callback */
  call->next = calls->first;
  call->link = &calls->first;
  if (call->next)
    call->next->link = &call->next;
  calls->first = call;
  calls->n++;
  return 0;
}

static void cancel(struct long_call *call) {
  call->cancelled = true;
  if (call->runner)
    atomic_store(&call->runner->cancel, call->serial);
}

int long_call_cancel(struct long_calls *calls, uint32_t msgid) {
  int n = 0;
  uv_mutex_lock(&calls->lock);
  for (struct long_call *call = calls->first; call; call = call->next)
    if (call->msgid == msgid) {
      cancel(call);
      n++;
    }
  uv_mutex_unlock(&calls->lock);
  return n;
}

void long_call_cancel_all(struct long_calls *calls) {
  uv_mutex_lock(&calls->lock);
  for (struct long_call *call = calls->first; call; call = call->next)
    cancel(call);
  uv_mutex_unlock(&calls->lock);
}
