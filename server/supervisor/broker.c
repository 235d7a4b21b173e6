#include "server/supervisor/broker.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "protocol/status.h"
#include "shared/grow.h"

enum hold_kind { HOLD_WHOLE, HOLD_MAPPED, HOLD_BLOCK, HOLD_LEASE, HOLD_NAME };

#define NOBODY UINT32_MAX /* the holder of names, and of leases whose session has ended */

struct name {
  char text[CONTROL_NAME_BYTES];
  uint32_t note_bytes;
  uint8_t note[CONTROL_NOTE_BYTES];
};

struct hold {
  enum hold_kind kind;
  uint32_t holder, uid; /* uid: of NAME and LEASE */
  uint64_t first;       /* of BLOCK, LEASE and NAME */
  uint64_t ticket;      /* of LEASE */
  uint64_t until_ms;    /* of LEASE: when it ends; 0 while its session lives */
  struct name *name;    /* of NAME */
};

/* An object and its holds. A session that imports it twice has two segments of it, and so two holds. */
struct shared_object {
  uint8_t token[CONTROL_TOKEN_BYTES];
  int fd;
  uint32_t uid; /* of the first that shared it */
  dev_t device;
  ino_t inode;
  bool lost; /* a client that we no longer know of may still use any block of it */
  struct hold *holds;
  size_t n, room;
};

static struct holder_count *count_of(struct broker *broker, uint32_t holder) {
  return holder < BROKER_HOLDERS_MAX ? &broker->counts[holder] : NULL; /* NULL: NOBODY */
}

static int add_hold(struct broker *broker, struct shared_object *object, struct hold hold) {
  struct holder_count *count = count_of(broker, hold.holder);
  if (count &&
      (count->holds >= BROKER_HELD_MAX || (hold.kind == HOLD_LEASE && count->leases >= BROKER_LEASES_MAX)))
    return NUMD_ELIMIT;
  if (!grow((void **)&object->holds, object->n, &object->room, sizeof(hold)))
    return NUMD_ENOMEMORY;
  object->holds[object->n++] = hold;
  if (count) {
    count->holds++;
    count->leases += hold.kind == HOLD_LEASE;
  }
  return 0;
}

/* Takes a hold off its holder's counts. */
static void discount(struct broker *broker, const struct hold *hold) {
  struct holder_count *count = count_of(broker, hold->holder);
  if (count) {
    count->holds--;
    count->leases -= hold->kind == HOLD_LEASE;
  }
}

static void remove_hold(struct broker *broker, struct shared_object *object, size_t k) {
  discount(broker, &object->holds[k]);
  free(object->holds[k].name);
  struct hold *last = &object->holds[--object->n];
  object->holds[k] = *last;
  last->name = NULL;
}

static void object_deinit(struct broker *broker, struct shared_object *object) {
  while (object->n > 0)
    remove_hold(broker, object, 0);
  close(object->fd);
  free(object->holds);
}

/* Forgets the object if nobody holds it. True if it did; another object may have its place then. */
static bool settle(struct broker *broker, struct shared_object *object) {
  if (object->n > 0)
    return false;
  object_deinit(broker, object);
  struct shared_object *last = &broker->objects[--broker->n];
  *object = *last;
  *last = (struct shared_object){.fd = -1};
  return true;
}

static struct shared_object *find(struct broker *broker, const uint8_t token[CONTROL_TOKEN_BYTES]) {
  for (size_t i = 0; i < broker->n; i++)
    if (memcmp(broker->objects[i].token, token, CONTROL_TOKEN_BYTES) == 0)
      return &broker->objects[i];
  return NULL;
}

/* The hold of a kind that a session has, in the case of BLOCK on that block; or NULL. */
static struct hold *find_hold(struct shared_object *object, enum hold_kind kind, uint32_t holder,
                              uint64_t first) {
  for (size_t k = 0; k < object->n; k++) {
    struct hold *h = &object->holds[k];
    if (h->kind == kind && h->holder == holder && (kind != HOLD_BLOCK || h->first == first))
      return h;
  }
  return NULL;
}

/* ---- Objects ---- */

static struct shared_object *find_file(struct broker *broker, const struct stat *st) {
  for (size_t i = 0; i < broker->n; i++)
    if (broker->objects[i].inode == st->st_ino && broker->objects[i].device == st->st_dev)
      return &broker->objects[i];
  return NULL;
}

uint64_t broker_count_objects(const struct broker *broker, uint32_t uid) {
  uint64_t n = 0;
  for (size_t i = 0; i < broker->n; i++)
    n += broker->objects[i].uid == uid;
  return n;
}

int broker_share(struct broker *broker, uint32_t holder, uint32_t uid, int fd,
                 uint8_t token[CONTROL_TOKEN_BYTES]) {
  struct shared_object *known, object = {.fd = fd, .uid = uid};
  struct stat st;
  int status = 0;
  if (fd < 0)
    return NUMD_EINTERNAL;
  if (fstat(fd, &st) < 0)
    status = NUMD_EINTERNAL;
  else if ((known = find_file(broker, &st))) {
    close(fd);
    memcpy(token, known->token, CONTROL_TOKEN_BYTES);
    return add_hold(broker, known, (struct hold){.kind = HOLD_WHOLE, .holder = holder});
  } else if (broker_count_objects(broker, uid) >= broker->objects_max)
    status = NUMD_ELIMIT;
  else if (!grow((void **)&broker->objects, broker->n, &broker->room, sizeof(object)))
    status = NUMD_ENOMEMORY;
  else if (getrandom(object.token, sizeof(object.token), 0) != sizeof(object.token))
    status = NUMD_EINTERNAL;
  if (status == 0)
    status = add_hold(broker, &object, (struct hold){.kind = HOLD_WHOLE, .holder = holder});
  if (status != 0) {
    close(fd);
    return status;
  }
  object.device = st.st_dev;
  object.inode = st.st_ino;
  memcpy(token, object.token, CONTROL_TOKEN_BYTES);
  broker->objects[broker->n++] = object;
  return 0;
}

int broker_import(struct broker *broker, uint32_t holder, const uint8_t token[CONTROL_TOKEN_BYTES], int *fd) {
  struct shared_object *object = find(broker, token);
  if (!object)
    return NUMD_ESEGMENT;
  *fd = object->fd;
  return add_hold(broker, object, (struct hold){.kind = HOLD_WHOLE, .holder = holder});
}

void broker_drop(struct broker *broker, uint32_t holder, const uint8_t token[CONTROL_TOKEN_BYTES]) {
  struct shared_object *object = find(broker, token);
  if (!object)
    return;
  struct hold *h = find_hold(object, HOLD_WHOLE, holder, 0);
  if (!h)
    h = find_hold(object, HOLD_MAPPED, holder, 0);
  if (h)
    remove_hold(broker, object, (size_t)(h - object->holds));
  if (!find_hold(object, HOLD_WHOLE, holder, 0) && !find_hold(object, HOLD_MAPPED, holder, 0))
    for (size_t k = object->n; k-- > 0;)
      if (object->holds[k].kind == HOLD_BLOCK && object->holds[k].holder == holder)
        remove_hold(broker, object, k);
  settle(broker, object);
}

/* ---- Blocks ---- */

static int hold_block(struct broker *broker, struct shared_object *object, uint32_t holder, uint64_t first) {
  if (find_hold(object, HOLD_BLOCK, holder, first))
    return 0;
  return add_hold(broker, object, (struct hold){.kind = HOLD_BLOCK, .holder = holder, .first = first});
}

/* Ends the leases that a session has of a block. */
static void give_up_leases(struct broker *broker, struct shared_object *object, uint32_t holder,
                           uint64_t first) {
  for (size_t k = object->n; k-- > 0;) {
    const struct hold *h = &object->holds[k];
    if (h->kind == HOLD_LEASE && h->holder == holder && h->first == first)
      remove_hold(broker, object, k);
  }
}

/* Adds a lease of a block that another hold keeps, too. So a session with as many leases as it may have can
 * do without those of the same block that it has already. */
static int add_lease(struct broker *broker, struct shared_object *object, uint32_t holder, uint32_t uid,
                     uint64_t first, uint64_t *ticket) {
  const struct holder_count *count = count_of(broker, holder);
  if (count && count->leases >= BROKER_LEASES_MAX)
    give_up_leases(broker, object, holder, first);
  *ticket = ++broker->last_ticket;
  return add_hold(
      broker, object,
      (struct hold){.kind = HOLD_LEASE, .holder = holder, .uid = uid, .first = first, .ticket = *ticket});
}

int broker_lend(struct broker *broker, uint32_t holder, uint32_t uid,
                const uint8_t token[CONTROL_TOKEN_BYTES], uint64_t first, uint64_t *ticket) {
  struct shared_object *object = find(broker, token);
  int status =
      object && holder < BROKER_HOLDERS_MAX ? hold_block(broker, object, holder, first) : NUMD_ESEGMENT;
  return status != 0 ? status : add_lease(broker, object, holder, uid, first, ticket);
}

/* Whether anybody has a hold on this very block. */
static bool is_held(const struct shared_object *object, uint64_t first) {
  for (size_t k = 0; k < object->n; k++)
    if (object->holds[k].kind >= HOLD_BLOCK && object->holds[k].first == first)
      return true;
  return false;
}

int broker_take(struct broker *broker, uint32_t holder, const uint8_t token[CONTROL_TOKEN_BYTES],
                uint64_t first, uint64_t ticket) {
  struct shared_object *object = find(broker, token);
  if (!object || !is_held(object, first))
    return NUMD_ESEGMENT;
  int status = hold_block(broker, object, holder, first);
  for (size_t k = 0; status == 0 && k < object->n; k++)
    if (object->holds[k].kind == HOLD_LEASE && object->holds[k].ticket == ticket) {
      remove_hold(broker, object, k);
      break;
    }
  struct hold *whole = find_hold(object, HOLD_WHOLE, holder, 0);
  if (status == 0 && whole)
    whole->kind = HOLD_MAPPED;
  return status;
}

void broker_give(struct broker *broker, uint32_t holder, const uint8_t token[CONTROL_TOKEN_BYTES],
                 uint64_t first) {
  struct shared_object *object = find(broker, token);
  struct hold *h = object ? find_hold(object, HOLD_BLOCK, holder, first) : NULL;
  if (h)
    remove_hold(broker, object, (size_t)(h - object->holds));
  if (object)
    settle(broker, object);
}

bool broker_is_free(struct broker *broker, uint32_t holder, const uint8_t token[CONTROL_TOKEN_BYTES],
                    uint64_t first) {
  const struct shared_object *object = find(broker, token);
  if (!object || object->lost || is_held(object, first))
    return false;
  for (size_t k = 0; k < object->n; k++)
    if (object->holds[k].kind == HOLD_WHOLE && object->holds[k].holder != holder)
      return false;
  return true;
}

/* ---- Names ---- */

/* The name and the note of a message; NULL if out of memory. */
static struct name *name_new(const struct control_message *what) {
  struct name *name = calloc(1, sizeof(*name));
  if (!name)
    return NULL;
  memcpy(name->text, what->name, sizeof(name->text));
  memcpy(name->note, what->note, sizeof(name->note));
  name->note_bytes = what->note_bytes;
  return name;
}

static struct hold *find_name(const struct broker *broker, uint32_t uid, const char *name,
                              struct shared_object **object) {
  for (size_t i = 0; i < broker->n; i++)
    for (size_t k = 0; k < broker->objects[i].n; k++) {
      struct hold *h = &broker->objects[i].holds[k];
      if (h->kind == HOLD_NAME && h->uid == uid && strcmp(h->name->text, name) == 0) {
        *object = &broker->objects[i];
        return h;
      }
    }
  return NULL;
}

static size_t count_names(const struct broker *broker, uint32_t uid) {
  size_t n = 0;
  for (size_t i = 0; i < broker->n; i++)
    for (size_t k = 0; k < broker->objects[i].n; k++)
      n += broker->objects[i].holds[k].kind == HOLD_NAME && broker->objects[i].holds[k].uid == uid;
  return n;
}

int broker_publish(struct broker *broker, uint32_t uid, const struct control_message *what) {
  struct shared_object *object = find(broker, what->token), *before = NULL;
  if (!object)
    return NUMD_ESEGMENT;
  if (what->note_bytes > sizeof(what->note))
    return NUMD_EINVAL;
  const struct hold *old = find_name(broker, uid, what->name, &before);
  if (old && !what->flag)
    return NUMD_EEXIST;
  if (!old && count_names(broker, uid) >= BROKER_NAMES_MAX)
    return NUMD_ELIMIT;
  const size_t k = old ? (size_t)(old - before->holds) : 0; /* the holds may move when one more is added */
  struct name *name = name_new(what);
  if (!name)
    return NUMD_ENOMEMORY;
  int status = add_hold(
      broker, object,
      (struct hold){.kind = HOLD_NAME, .holder = NOBODY, .uid = uid, .first = what->first, .name = name});
  if (status != 0) {
    free(name);
    return status;
  }
  if (before) {
    remove_hold(broker, before, k);
    settle(broker, before);
  }
  return 0;
}

int broker_open(struct broker *broker, uint32_t holder, uint32_t uid, struct control_message *what) {
  struct shared_object *object;
  struct hold *h = find_name(broker, uid, what->name, &object);
  if (!h)
    return NUMD_ESEGMENT;
  memcpy(what->token, object->token, CONTROL_TOKEN_BYTES);
  memcpy(what->note, h->name->note, sizeof(what->note));
  what->note_bytes = h->name->note_bytes;
  what->first = h->first;
  return add_lease(broker, object, holder, uid, what->first, &what->ticket);
}

int broker_unpublish(struct broker *broker, uint32_t uid, const char *name) {
  struct shared_object *object;
  struct hold *h = find_name(broker, uid, name, &object);
  if (!h)
    return NUMD_ESEGMENT;
  remove_hold(broker, object, (size_t)(h - object->holds));
  settle(broker, object);
  return 0;
}

/* ---- Ends ---- */

static size_t count_left(const struct broker *broker, uint32_t uid) {
  size_t n = 0;
  for (size_t i = 0; i < broker->n; i++)
    for (size_t k = 0; k < broker->objects[i].n; k++)
      n += broker->objects[i].holds[k].until_ms != 0 && broker->objects[i].holds[k].uid == uid;
  return n;
}

void broker_drop_all(struct broker *broker, uint32_t holder, bool lost, uint64_t now_ms) {
  size_t room = SIZE_MAX; /* for leases that stay */
  for (size_t i = 0; i < broker->n;) {
    struct shared_object *object = &broker->objects[i];
    for (size_t k = object->n; k-- > 0;) {
      struct hold *h = &object->holds[k];
      if (h->holder != holder)
        continue;
      if (h->kind == HOLD_LEASE && room == SIZE_MAX) {
        size_t n = count_left(broker, h->uid);
        room = n < BROKER_HELD_MAX ? BROKER_HELD_MAX - n : 0;
      }
      if (h->kind == HOLD_LEASE && room > 0) {
        room--;
        discount(broker, h);
        h->holder = NOBODY;
        h->until_ms = now_ms + BROKER_LEASE_MS;
      } else {
        object->lost |= lost;
        remove_hold(broker, object, k);
      }
    }
    if (!settle(broker, object))
      i++;
  }
}

bool broker_expire(struct broker *broker, uint64_t now_ms) {
  bool more = false;
  for (size_t i = 0; i < broker->n;) {
    struct shared_object *object = &broker->objects[i];
    for (size_t k = object->n; k-- > 0;) {
      const struct hold *h = &object->holds[k];
      if (h->kind != HOLD_LEASE || h->until_ms == 0)
        continue;
      if (h->until_ms <= now_ms)
        remove_hold(broker, object, k);
      else
        more = true;
    }
    if (!settle(broker, object))
      i++;
  }
  return more;
}

void broker_deinit(struct broker *broker) {
  for (size_t i = 0; i < broker->n; i++)
    object_deinit(broker, &broker->objects[i]);
  free(broker->objects);
  memset(broker, 0, sizeof(*broker));
}

/* ---- Upgrade in place ---- */

static int tell_hold(const struct shared_object *object, const struct hold *hold, int control) {
  struct control_message m = {
      .type = CONTROL_ADOPT, .uid = hold->uid, .gid = object->uid, .first = hold->first};
  memcpy(m.token, object->token, sizeof(m.token));
  m.ticket = hold->ticket;
  if (hold->name) {
    memcpy(m.name, hold->name->text, sizeof(m.name));
    memcpy(m.note, hold->name->note, sizeof(m.note));
    m.note_bytes = hold->name->note_bytes;
  }
  return control_send(control, &m, object->fd);
}

int broker_hand_over(struct broker *broker, int control) {
  int rc = 0;
  for (size_t i = 0; i < broker->n && rc == 0; i++) {
    struct shared_object *object = &broker->objects[i];
    const struct hold none = {.uid = object->uid};
    size_t told = 0;
    object->lost = true;
    for (size_t k = 0; k < object->n && rc == 0; k++)
      if (object->holds[k].kind == HOLD_NAME || object->holds[k].kind == HOLD_LEASE) {
        rc = tell_hold(object, &object->holds[k], control);
        told++;
      }
    if (rc == 0 && told == 0) /* a client may be about to import it, by a token that another client sent */
      rc = tell_hold(object, &none, control);
  }
  return rc;
}

/* The object of a token, which is added to the table if it is not there. fd becomes the broker's. */
static struct shared_object *adopt_object(struct broker *broker, const struct control_message *what, int fd) {
  struct shared_object *known = find(broker, what->token);
  struct stat st;
  if (known || fstat(fd, &st) < 0 ||
      !grow((void **)&broker->objects, broker->n, &broker->room, sizeof(*broker->objects))) {
    close(fd);
    return known;
  }
  struct shared_object *object = &broker->objects[broker->n++];
  *object = (struct shared_object){
      .fd = fd, .uid = what->gid, .device = st.st_dev, .inode = st.st_ino, .lost = true};
  memcpy(object->token, what->token, sizeof(object->token));
  return object;
}

int broker_adopt(struct broker *broker, const struct control_message *what, int fd, uint64_t now_ms) {
  struct shared_object *object = adopt_object(broker, what, fd);
  struct hold hold = {.kind = HOLD_LEASE,
                      .holder = NOBODY,
                      .uid = what->uid,
                      .first = what->first,
                      .ticket = what->ticket,
                      .until_ms = now_ms + BROKER_LEASE_MS};
  int status = object ? 0 : NUMD_ENOMEMORY;
  if (status == 0 && what->name[0] != '\0') {
    hold.kind = HOLD_NAME;
    hold.until_ms = 0;
    hold.name = name_new(what);
    status = hold.name ? 0 : NUMD_ENOMEMORY;
  }
  if (status == 0)
    status = add_hold(broker, object, hold);
  if (status != 0)
    free(hold.name);
  if (what->ticket > broker->last_ticket)
    broker->last_ticket = what->ticket;
  if (object)
    settle(broker, object);
  return status;
}

/* ---- Telling ---- */

void broker_each(const struct broker *broker, uint32_t uid, void (*each)(void *arg, int fd), void *arg) {
  for (size_t i = 0; i < broker->n; i++) {
    const struct shared_object *object = &broker->objects[i];
    for (size_t k = 0; k < object->n; k++)
      if ((object->holds[k].kind == HOLD_NAME || object->holds[k].kind == HOLD_LEASE) &&
          object->holds[k].uid == uid) {
        each(arg, object->fd);
        break;
      }
  }
}

void broker_print(const struct broker *broker, FILE *out, uint32_t uid, uint64_t device, uint64_t inode) {
  const char *comma = "";
  size_t n_leases = 0;
  fprintf(out, "\"names\": [");
  for (size_t i = 0; i < broker->n; i++) {
    const struct shared_object *object = &broker->objects[i];
    if (object->device != device || object->inode != inode)
      continue;
    for (size_t k = 0; k < object->n; k++) {
      n_leases += object->holds[k].kind == HOLD_LEASE;
      if (object->holds[k].kind == HOLD_NAME && object->holds[k].uid == uid) {
        fprintf(out, "%s\"%s\"", comma, object->holds[k].name->text);
        comma = ", ";
      }
    }
  }
  fprintf(out, "], \"handles_in_flight\": %zu", n_leases);
}
