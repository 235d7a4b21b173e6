/* Sessions: a connection as a Python object.
 *
 * An array holds its connection itself, so a Session only answers questions and makes arrays; closing it
 * drops its own reference. The process has a default session, opened at first use. All open sessions are
 * on a list, by which an unpickled array finds one to its daemon. */
#include "docstrings.h"
#include "pynumd.h"

struct session {
  PyObject_HEAD numd_conn *conn; /* NULL: closed */
  struct session *next, *previous;
};

SHARED_LOCK(lock); /* of the list, of `conn` of those on it, and of default_session */
static struct session *sessions;
static PyObject *default_session;

static void session_link(struct session *self) {
  SHARED_ENTER(lock);
  self->next = sessions;
  if (sessions)
    sessions->previous = self;
  sessions = self;
  SHARED_LEAVE(lock);
}

/* With the lock. */
static void session_unlink(struct session *self) {
  if (self->next)
    self->next->previous = self->previous;
  if (self->previous)
    self->previous->next = self->next;
  else if (sessions == self)
    sessions = self->next;
  self->next = self->previous = NULL;
}

static PyObject *session_wrap(numd_conn *conn) {
  struct session *self = PyObject_New(struct session, &session_type);
  if (!self) {
    numd_conn_unref(conn);
    return NULL;
  }
  self->conn = conn;
  self->next = self->previous = NULL;
  session_link(self);
  return (PyObject *)self;
}

static void session_release(struct session *self) {
  SHARED_ENTER(lock);
  numd_conn *conn = self->conn;
  if (conn)
    session_unlink(self);
  self->conn = NULL;
  SHARED_LEAVE(lock);
  if (!conn)
    return;
  Py_BEGIN_ALLOW_THREADS;
  numd_conn_unref(conn);
  Py_END_ALLOW_THREADS;
}

static void session_dealloc(PyObject *object) {
  session_release((struct session *)object);
  PyObject_Free(object);
}

static PyObject *session_open(const numd_options *options) {
  numd_conn *conn = NULL;
  int status;
  Py_BEGIN_ALLOW_THREADS;
  status = numd_connect(options, &conn);
  Py_END_ALLOW_THREADS;
  return status == NUMD_OK ? session_wrap(conn) : raise_status(status);
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
static PyObject *default_get(PyObject *opened) {
  PyObject *left = opened;
  SHARED_ENTER(lock);
  if (opened && !conn_of(default_session)) {
    left = default_session;
    default_session = opened;
  }
  PyObject *found = conn_of(default_session) ? Py_NewRef(default_session) : NULL;
  SHARED_LEAVE(lock);
  Py_XDECREF(left);
  return found;
}

PyObject *session_get_default(void) {
  PyObject *found = default_get(NULL), *opened = found ? NULL : session_open(NULL);
  return opened ? default_get(opened) : found;
}

numd_conn *session_conn(PyObject *session) {
  int given = session && session != Py_None;
  if (given && !PyObject_TypeCheck(session, &session_type)) {
    PyErr_Format(PyExc_TypeError, "session is a %s, not a numd.Session", Py_TYPE(session)->tp_name);
    return NULL;
  }
  session = given ? Py_NewRef(session) : session_get_default();
  numd_conn *conn = session ? conn_hold(session) : NULL;
  if (!conn && !PyErr_Occurred())
    PyErr_SetString(PyExc_ValueError, "the session is closed");
  Py_XDECREF(session);
  return conn;
}

/* A reference to the connection of an open session with that daemon, the default one first, or NULL. */
static numd_conn *session_find(const char *address) {
  SHARED_ENTER(lock);
  numd_conn *found = conn_of(default_session);
  if (found && strcmp(numd_conn_address(found), address))
    found = NULL;
  for (struct session *s = sessions; s && !found; s = s->next)
    if (!strcmp(numd_conn_address(s->conn), address))
      found = s->conn;
  if (found)
    numd_conn_ref(found);
  SHARED_LEAVE(lock);
  return found;
}

numd_conn *session_conn_at(const char *address) {
  numd_conn *found = session_find(address);
  if (found)
    return found;
  PyObject *opened = session_open(&(numd_options){.address = address, .no_start = 1});
  if (!opened)
    return NULL;
  found = conn_hold(opened);
  /* The first session of a process becomes its default, so that what it makes fits what it was given;
   * further ones live as long as the process, for the arrays that will arrive next. */
  SHARED_ENTER(lock);
  if (!default_session)
    default_session = opened;
  SHARED_LEAVE(lock);
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
      [NUMD_WAIT_AUTO] = "auto",
      [NUMD_WAIT_SPIN] = "spin",
      [NUMD_WAIT_HANDOFF] = "handoff",
      [NUMD_WAIT_SLEEP] = "sleep",
  };
  PyObject *address = Py_None, *path = NULL;
  int start = 1;
  const char *door = "ring", *wait = "auto";
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|O$pss:connect", keywords, &address, &start, &door, &wait))
    return NULL;
  int door_number = choice_parse("door", door, doors, 2);
  int wait_number = door_number < 0 ? -1 : choice_parse("wait", wait, waits, 4);
  if (wait_number < 0 || (address != Py_None && !PyUnicode_FSConverter(address, &path)))
    return NULL;
  PyObject *session = session_open(&(numd_options){
      .address = path ? PyBytes_AS_STRING(path) : NULL,
      .no_start = !start,
      .door = (enum numd_door)door_number,
      .wait = (enum numd_wait)wait_number,
  });
  Py_XDECREF(path);
  return session;
}

PyObject *session_stats_of(numd_conn *conn) {
  char *text = NULL;
  int status;
  Py_BEGIN_ALLOW_THREADS;
  status = numd_stats(conn, &text);
  numd_conn_unref(conn);
  Py_END_ALLOW_THREADS;
  if (status != NUMD_OK)
    return raise_status(status);
  PyObject *json = PyImport_ImportModule("json");
  PyObject *stats = json ? PyObject_CallMethod(json, "loads", "s", text) : NULL;
  Py_XDECREF(json);
  free(text);
  return stats;
}

static PyObject *session_stats(PyObject *self, PyObject *unused) {
  numd_conn *conn = session_conn(self);
  return conn ? session_stats_of(conn) : NULL;
}

static PyObject *session_ping(PyObject *self, PyObject *args) {
  double timeout = 5;
  if (!PyArg_ParseTuple(args, "|d:ping", &timeout))
    return NULL;
  numd_conn *conn = session_conn(self);
  if (!conn)
    return NULL;
  int status;
  int64_t timeout_ns = timeout < 1e9 ? (int64_t)(timeout * 1e9) : NUMD_FOREVER;
  Py_BEGIN_ALLOW_THREADS;
  status = numd_ping(conn, timeout_ns);
  numd_conn_unref(conn);
  Py_END_ALLOW_THREADS;
  if (status != NUMD_OK)
    return raise_status(status);
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
  CONN_HELD conn = session_conn(self);
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

PyTypeObject session_type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "numd.Session",
    .tp_doc = DOC_SESSION,
    .tp_basicsize = sizeof(struct session),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .tp_dealloc = session_dealloc,
    .tp_repr = session_repr,
    .tp_methods = session_methods,
    .tp_getset = session_getset,
};
