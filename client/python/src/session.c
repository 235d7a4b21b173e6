/* SPDX-License-Identifier: BSD-3-Clause */
/* Sessions: a connection as a Python object.
 *
 * An array holds its connection itself, so a Session only answers questions and makes arrays; closing it
 * drops its own reference. The process has a default session, opened at first use. All open sessions are
 * on a list, by which an unpickled array finds one to its daemon. */
#include "docstrings.h"
#include "pynumd.h"

struct session {
  PyObject_HEAD numd_conn *conn; /* NULL: closed */
  struct session_link link;      /* to itself where it is on no list */
};

SHARED_LOCK(lock); /* of the lists, of `conn` of those on it, and of the default sessions */

static void link_init(struct session_link *link) {
  link->next = link->previous = link;
}

/* With the lock. */
static void link_remove(struct session_link *link) {
  link->next->previous = link->previous;
  link->previous->next = link->next;
  link_init(link);
}

int sessions_init(struct state *state) {
  link_init(&state->sessions);
  state->kept_sessions = PyList_New(0);
  return state->kept_sessions ? 0 : -1;
}

void sessions_forget(struct state *state) {
  SHARED_ENTER(lock);
  while (state->sessions.next != &state->sessions)
    link_remove(state->sessions.next);
  SHARED_LEAVE(lock);
}

static struct session *session_at(struct session_link *link) {
  return (struct session *)((char *)link - offsetof(struct session, link));
}

static void session_link(struct state *state, struct session *self) {
  SHARED_ENTER(lock);
  self->link = (struct session_link){state->sessions.next, &state->sessions};
  self->link.next->previous = self->link.previous->next = &self->link;
  SHARED_LEAVE(lock);
}

static PyObject *session_wrap(struct state *state, numd_conn *conn) {
  struct session *self = PyObject_GC_New(struct session, state->session_type);
  if (!self) {
    numd_conn_unref(conn);
    return NULL;
  }
  self->conn = conn;
  session_link(state, self);
  PyObject_GC_Track(self);
  return (PyObject *)self;
}

static void session_release(struct session *self) {
  SHARED_ENTER(lock);
  numd_conn *conn = self->conn;
  if (conn)
    link_remove(&self->link);
  self->conn = NULL;
  SHARED_LEAVE(lock);
  if (!conn)
    return;
  Py_BEGIN_ALLOW_THREADS;
  numd_conn_unref(conn);
  Py_END_ALLOW_THREADS;
}

static void session_dealloc(PyObject *object) {
  PyTypeObject *type = Py_TYPE(object);
  PyObject_GC_UnTrack(object);
  session_release((struct session *)object);
  PyObject_GC_Del(object);
  Py_DECREF(type);
}

static int session_traverse(PyObject *object, visitproc visit, void *arg) {
  Py_VISIT(Py_TYPE(object));
  return 0;
}

static PyObject *session_open(struct state *state, const numd_options *options) {
  numd_conn *conn = NULL;
  int status;
  Py_BEGIN_ALLOW_THREADS;
  status = numd_connect(options, &conn);
  Py_END_ALLOW_THREADS;
  return status == NUMD_OK ? session_wrap(state, conn) : raise_status(state, status);
}

/* The connection of a session, or NULL, with the lock; no reference. */
static numd_conn *conn_of(PyObject *session) {
  return session ? ((struct session *)session)->conn : NULL;
}

/* A reference to the connection of a session; NULL, without an exception, if it is closed. */
static numd_conn *conn_hold(PyObject *session) {
  SHARED_ENTER(lock);
  numd_conn *conn = conn_of(session);
  if (conn)
    numd_conn_ref(conn);
  SHARED_LEAVE(lock);
  return conn;
}

/* The default session, which is `opened` from now on if there is none that is open. Takes that reference
 * over; gives a new one, or NULL. */
static PyObject *default_get(struct state *state, PyObject *opened) {
  PyObject *left = opened;
  SHARED_ENTER(lock);
  if (opened && !conn_of(state->default_session)) {
    left = state->default_session;
    state->default_session = opened;
  }
  PyObject *found = conn_of(state->default_session) ? Py_NewRef(state->default_session) : NULL;
  SHARED_LEAVE(lock);
  Py_XDECREF(left);
  return found;
}

PyObject *session_get_default(struct state *state) {
  PyObject *found = default_get(state, NULL), *opened = found ? NULL : session_open(state, NULL);
  return opened ? default_get(state, opened) : found;
}

numd_conn *session_conn(struct state *state, PyObject *session) {
  int given = session && session != Py_None;
  if (given && !Py_IS_TYPE(session, state->session_type)) {
    PyErr_Format(PyExc_TypeError, "session is a %s, not a numd.Session", Py_TYPE(session)->tp_name);
    return NULL;
  }
  session = given ? Py_NewRef(session) : session_get_default(state);
  numd_conn *conn = session ? conn_hold(session) : NULL;
  if (!conn && !PyErr_Occurred())
    PyErr_SetString(PyExc_ValueError, "the session is closed");
  Py_XDECREF(session);
  return conn;
}

/* A reference to the connection of an open session with that daemon, the default one first, or NULL. */
static numd_conn *session_find(struct state *state, const char *address) {
  SHARED_ENTER(lock);
  numd_conn *found = conn_of(state->default_session);
  if (found && strcmp(numd_conn_address(found), address))
    found = NULL;
  for (struct session_link *at = state->sessions.next; at != &state->sessions && !found; at = at->next)
    if (!strcmp(numd_conn_address(session_at(at)->conn), address))
      found = session_at(at)->conn;
  if (found)
    numd_conn_ref(found);
  SHARED_LEAVE(lock);
  return found;
}

/* The first session of a process becomes its default, so that what it makes fits what it was given; further
 * ones live as long as the module, for the arrays that will arrive next. Takes the reference over. */
static int session_keep(struct state *state, PyObject *opened) {
  SHARED_ENTER(lock);
  int is_first = !state->default_session;
  if (is_first)
    state->default_session = opened;
  SHARED_LEAVE(lock);
  if (is_first)
    return 0;
  int status = PyList_Append(state->kept_sessions, opened);
  Py_DECREF(opened);
  return status;
}

numd_conn *session_conn_at(struct state *state, const char *address) {
  numd_conn *found = session_find(state, address);
  if (found)
    return found;
  PyObject *opened =
      session_open(state, &(numd_options){.size = sizeof(numd_options), .address = address, .no_start = 1});
  if (!opened)
    return NULL;
  found = conn_hold(opened);
  if (session_keep(state, opened) && found) {
    numd_conn_unref(found);
    found = NULL;
  }
  return found;
}

static int choice_parse(const char *what, const char *text, const char *const names[], int n) {
  for (int i = 0; i < n; i++)
    if (!strcmp(text, names[i]))
      return i;
  PyErr_Format(PyExc_ValueError, "%s is '%s'; it can be '%s', '%s'%s", what, text, names[0], names[1],
               n > 2 ? ", ..." : "");
  return -1;
}

PyObject *session_connect(PyObject *module, PyObject *args, PyObject *kwargs) {
  static char *keywords[] = {"address", "start", "door", "wait", NULL};
  static const char *const doors[] = {
      [NUMD_DOOR_RING] = "ring",
      [NUMD_DOOR_SOCKET] = "socket",
  };
  static const char *const waits[] = {
#define X(NAME, name) [NUMD_WAIT_##NAME] = #name,
      NUMD_WAIT_LIST(X)
#undef X
  };
  PyObject *address = Py_None, *path = NULL;
  int start = 1;
  const char *door = "ring", *wait = "auto";
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|O$pss:connect", keywords, &address, &start, &door, &wait))
    return NULL;
  int door_number = choice_parse("door", door, doors, 2);
  int wait_number = door_number < 0 ? -1 : choice_parse("wait", wait, waits, NUMD_N_WAITS);
  if (wait_number < 0 || (address != Py_None && !PyUnicode_FSConverter(address, &path)))
    return NULL;
  PyObject *session = session_open(module_state(module), &(numd_options){
                                                             .size = sizeof(numd_options),
                                                             .address = path ? PyBytes_AS_STRING(path) : NULL,
                                                             .no_start = !start,
                                                             .door = (enum numd_door)door_number,
                                                             .wait = (enum numd_wait)wait_number,
                                                         });
  Py_XDECREF(path);
  return session;
}

PyObject *session_stats_of(struct state *state, numd_conn *conn) {
  char *text = NULL;
  int status;
  Py_BEGIN_ALLOW_THREADS;
  status = numd_stats(conn, &text);
  numd_conn_unref(conn);
  Py_END_ALLOW_THREADS;
  if (status != NUMD_OK)
    return raise_status(state, status);
  PyObject *read = imported(state, IMPORT_READ_JSON);
  PyObject *stats = read ? PyObject_CallFunction(read, "s", text) : NULL;
  free(text);
  return stats;
}

static PyObject *session_stats(PyObject *self, PyObject *unused) {
  struct state *state = state_of(self);
  numd_conn *conn = session_conn(state, self);
  return conn ? session_stats_of(state, conn) : NULL;
}

static PyObject *session_ping(PyObject *self, PyObject *args) {
  struct state *state = state_of(self);
  double timeout = 5;
  if (!PyArg_ParseTuple(args, "|d:ping", &timeout))
    return NULL;
  numd_conn *conn = session_conn(state, self);
  if (!conn)
    return NULL;
  int status;
  int64_t timeout_ns = timeout < 1e9 ? (int64_t)(timeout * 1e9) : NUMD_FOREVER;
  Py_BEGIN_ALLOW_THREADS;
  status = numd_ping(conn, timeout_ns);
  numd_conn_unref(conn);
  Py_END_ALLOW_THREADS;
  if (status != NUMD_OK)
    return raise_status(state, status);
  Py_RETURN_NONE;
}

static PyObject *session_close(PyObject *self, PyObject *unused) {
  session_release((struct session *)self);
  Py_RETURN_NONE;
}

static PyObject *session_enter(PyObject *self, PyObject *unused) {
  return Py_NewRef(self);
}

static PyObject *session_exit(PyObject *self, PyObject *args) {
  return session_close(self, NULL);
}

static PyObject *session_address(PyObject *self, void *closure) {
  struct state *state = state_of(self);
  CONN_HELD conn = session_conn(state, self);
  return conn ? PyUnicode_DecodeFSDefault(numd_conn_address(conn)) : NULL;
}

static PyObject *session_closed(PyObject *self, void *closure) {
  CONN_HELD conn = conn_hold(self);
  return PyBool_FromLong(!conn);
}

static PyObject *session_repr(PyObject *self) {
  CONN_HELD conn = conn_hold(self);
  return conn ? PyUnicode_FromFormat("<numd.Session to %s>", numd_conn_address(conn))
              : PyUnicode_FromString("<numd.Session, closed>");
}

static PyMethodDef session_methods[] = {
    {"ping", session_ping, METH_VARARGS, DOC_SESSION_PING},
    {"stats", session_stats, METH_NOARGS, DOC_SESSION_STATS},
    {"close", session_close, METH_NOARGS, DOC_SESSION_CLOSE},
    {"__enter__", session_enter, METH_NOARGS, NULL},
    {"__exit__", session_exit, METH_VARARGS, NULL},
    {0},
};

static PyGetSetDef session_getset[] = {
    {"address", session_address, NULL, DOC_SESSION_ADDRESS, NULL},
    {"closed", session_closed, NULL, DOC_SESSION_CLOSED, NULL},
    {0},
};

PyObject *session_type_new(PyObject *module) {
  PyType_Slot slots[] = {
      {Py_tp_doc, DOC_SESSION},
      {Py_tp_dealloc, session_dealloc},
      {Py_tp_traverse, session_traverse},
      {Py_tp_repr, session_repr},
      {Py_tp_methods, session_methods},
      {Py_tp_getset, session_getset},
      {0},
  };
  PyType_Spec spec = {
      .name = "numd.Session",
      .basicsize = sizeof(struct session),
      .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION |
               Py_TPFLAGS_IMMUTABLETYPE,
      .slots = slots,
  };
  return PyType_FromModuleAndSpec(module, &spec, NULL);
}
