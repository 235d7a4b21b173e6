/* SPDX-License-Identifier: BSD-3-Clause */
/* A user's rate is kept by one time, `due_ns`: each connection that begins moves it one interval on, from now
 * at the earliest. Another may begin as long as that leaves it at most LINE_BURST_NS ahead. */
#include "server/supervisor/line.h"

#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

static void append(struct line *line, struct account *account) {
  account->next_in_line = NULL;
  if (line->last)
    line->last->next_in_line = account;
  else
    line->first = account;
  line->last = account;
}

static struct account *pop(struct line *line) {
  struct account *a = line->first;
  line->first = a->next_in_line;
  if (!line->first)
    line->last = NULL;
  return a;
}

bool line_is_gone(int fd) {
  struct pollfd p = {.fd = fd};
  return poll(&p, 1, 0) > 0 && p.revents & (POLLHUP | POLLERR);
}

void line_add(struct line *line, struct account *account, int fd, const struct ucred *who) {
  struct waiting *w = calloc(1, sizeof(*w)), **at = &account->waiting;
  if (!w) {
    close(fd);
    return;
  }
  *w = (struct waiting){.fd = fd, .who = *who};
  if (!account->waiting)
    append(line, account);
  else
    at = &account->last_waiting->next;
  *at = account->last_waiting = w;
  account->n_waiting++;
  line->n++;
}

/* The account's connection that has waited longest. */
static struct waiting take_first(struct line *line, struct account *account) {
  struct waiting *w = account->waiting, taken = *w;
  account->waiting = w->next;
  account->n_waiting--;
  line->n--;
  free(w);
  return taken;
}

bool line_has_rested(const struct account *account, int64_t now_ns) {
  return account->due_ns < now_ns + LINE_RESTED_NS;
}

/* Between two connections of a user. */
static int64_t interval_ns(const struct line *line) {
  return line->rate > 0 ? (int64_t)((1000000000 + line->rate - 1) / line->rate) : 0;
}

static bool may_begin(const struct line *line, const struct account *account, int64_t now_ns, bool rested) {
  if (rested)
    return line_has_rested(account, now_ns);
  return account->due_ns + interval_ns(line) <= now_ns + LINE_BURST_NS;
}

/* Takes the user's first connection that is not gone. */
static bool take_from(struct line *line, struct account *account, int *fd, struct ucred *who) {
  while (account->waiting) {
    struct waiting w = take_first(line, account);
    if (line_is_gone(w.fd)) {
      close(w.fd);
      continue;
    }
    *fd = w.fd;
    *who = w.who;
    return true;
  }
  return false;
}

bool line_take(struct line *line, int64_t now_ns, bool rested, int *fd, struct ucred *who) {
  const struct account *end = line->last;
  bool taken = false;
  for (bool more = line->first; more && !taken;) {
    struct account *a = pop(line);
    more = a != end;
    taken = may_begin(line, a, now_ns, rested) && take_from(line, a, fd, who);
    if (a->waiting)
      append(line, a);
  }
  return taken;
}

void line_count(const struct line *line, struct account *account, int64_t now_ns) {
  int64_t from = account->due_ns > now_ns ? account->due_ns : now_ns;
  if (line->rate > 0)
    account->due_ns = from + interval_ns(line);
}
