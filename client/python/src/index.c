/* SPDX-License-Identifier: BSD-3-Clause */
/* Basic indexing: ints, slices, Ellipsis and None give a view of the same memory, or one element, which is a
 * value; assignment stores through such a view. A selection walks the key once and collects the offset and
 * the axes that stay.
 *
 * Keys with arrays or lists are left to numd._standard.index. */
#include "pynumd.h"

struct selection {
  const numd_layout *from;
  int axis; /* the next one of `from` */
  int ndim; /* of the view */
  int64_t offset;
  int64_t shape[NUMD_MAX_DIMS];
  int64_t strides[NUMD_MAX_DIMS];
};

static int select_axis(struct selection *s, int64_t length, int64_t stride) {
  if (s->ndim == NUMD_MAX_DIMS) {
    PyErr_Format(PyExc_IndexError, "more than %d dimensions", NUMD_MAX_DIMS);
    return -1;
  }
  s->shape[s->ndim] = length;
  s->strides[s->ndim++] = stride;
  return 0;
}

static int select_rest(struct selection *s, int until) {
  for (; s->axis < until; s->axis++)
    if (select_axis(s, s->from->shape[s->axis], s->from->strides[s->axis]))
      return -1;
  return 0;
}

static int select_number(struct selection *s, Py_ssize_t index) {
  int64_t length = s->from->shape[s->axis];
  if (index < -length || index >= length) {
    PyErr_Format(PyExc_IndexError, "index %zd is out of bounds for axis %d with size %lld", index, s->axis,
                 (long long)length);
    return -1;
  }
  s->offset += (index < 0 ? index + length : index) * s->from->strides[s->axis++];
  return 0;
}

static int select_slice(struct selection *s, PyObject *slice) {
  Py_ssize_t start, stop, step;
  if (PySlice_Unpack(slice, &start, &stop, &step))
    return -1;
  int64_t stride = s->from->strides[s->axis];
  Py_ssize_t length = PySlice_AdjustIndices(s->from->shape[s->axis++], &start, &stop, step);
  if (length)
    s->offset += start * stride;
  return select_axis(s, length, length > 1 ? stride * step : stride);
}

static int is_number(const struct state *state, PyObject *item) {
  if (array_check(state, item)) {
    const numd_layout *layout = array_view(item)->layout;
    char kind = dtype_kind(layout->dtype);
    return !layout->ndim && (kind == 'i' || kind == 'u');
  }
  return PyIndex_Check(item) && !PyBool_Check(item) && !Py_IS_TYPE(item, (PyTypeObject *)state->ndarray);
}

static int is_basic_item(const struct state *state, PyObject *item) {
  return item == Py_None || item == Py_Ellipsis || PySlice_Check(item) || is_number(state, item);
}

/* Whether all items are; a tuple is a sequence of them. */
static int is_basic(const struct state *state, PyObject *key) {
  if (!PyTuple_Check(key))
    return is_basic_item(state, key);
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(key); i++)
    if (!is_basic_item(state, PyTuple_GET_ITEM(key, i)))
      return 0;
  return 1;
}

/* By one of numd._standard.index's functions. */
static PyObject *by_arrays(struct state *state, enum import which, PyObject *self, PyObject *key,
                           PyObject *value) {
  PyObject *function = imported(state, which);
  return function ? PyObject_CallFunctionObjArgs(function, self, key, value, NULL) : NULL;
}

static int select_item(struct selection *s, PyObject *item, int axes_after) {
  if (item == Py_None)
    return select_axis(s, 1, 0);
  if (item == Py_Ellipsis)
    return select_rest(s, s->from->ndim - axes_after);
  if (PySlice_Check(item))
    return select_slice(s, item);
  Py_ssize_t index = PyNumber_AsSsize_t(item, PyExc_IndexError);
  return index == -1 && PyErr_Occurred() ? -1 : select_number(s, index);
}

/* How many axes the items use, or -1. */
static int items_axes(PyObject *const *items, Py_ssize_t n) {
  int axes = 0, ellipses = 0;
  for (Py_ssize_t i = 0; i < n; i++) {
    ellipses += items[i] == Py_Ellipsis;
    if (items[i] == Py_None || items[i] == Py_Ellipsis)
      continue;
    axes++;
  }
  if (ellipses <= 1)
    return axes;
  PyErr_SetString(PyExc_IndexError, "an index can have only one Ellipsis");
  return -1;
}

static int select_items(struct selection *s, PyObject *const *items, Py_ssize_t n) {
  int axes = items_axes(items, n);
  if (axes < 0)
    return -1;
  if (axes > s->from->ndim) {
    PyErr_Format(PyExc_IndexError, "%d indices for an array of dimension %d", axes, s->from->ndim);
    return -1;
  }
  for (Py_ssize_t i = 0; i < n; i++) {
    axes -= items[i] != Py_None && items[i] != Py_Ellipsis;
    if (select_item(s, items[i], axes))
      return -1;
  }
  return select_rest(s, s->from->ndim);
}

static PyObject *selection_view(struct selection *s, PyObject *array) {
  int64_t size = 1;
  for (int i = 0; i < s->ndim; i++)
    size *= s->shape[i];
  return array_reshaped_view(array, size ? s->offset : 0, s->ndim, s->shape, s->strides);
}

static int select_key(struct selection *s, PyObject *key) {
  return PyTuple_Check(key) ? select_items(s, PySequence_Fast_ITEMS(key), PyTuple_GET_SIZE(key))
                            : select_items(s, &key, 1);
}

/* Whether the key names one element, and not a view of it: no dimension is left, and no Ellipsis asks for
 * one all the same. */
static int is_element(const struct selection *s, PyObject *key) {
  if (s->ndim)
    return 0;
  for (Py_ssize_t i = 0; PyTuple_Check(key) && i < PyTuple_GET_SIZE(key); i++)
    if (PyTuple_GET_ITEM(key, i) == Py_Ellipsis)
      return 0;
  return key != Py_Ellipsis;
}

static char *element(PyObject *self, const struct selection *s) {
  return (char *)array_view(self)->data + s->offset;
}

static PyObject *element_get(PyObject *self, struct selection *s) {
  const struct array *array = (struct array *)self;
  if (array->is_value)
    return Py_NewRef(self);
  return array->of_namespace ? array_of_namespace(selection_view(s, self)) : value_at(self, element(self, s));
}

static PyObject *array_subscript(PyObject *self, PyObject *key) {
  struct selection s = {.from = array_view(self)->layout};
  struct state *state = array_state(self);
  if (!is_basic(state, key))
    return value_of(by_arrays(state, IMPORT_INDEX_GET, self, key, NULL));
  if (select_key(&s, key))
    return NULL;
  return is_element(&s, key) ? element_get(self, &s) : selection_view(&s, self);
}

/* By a key without arrays. */
static int assign_selected(PyObject *self, PyObject *key, PyObject *value) {
  struct selection s = {.from = array_view(self)->layout};
  if (select_key(&s, key))
    return -1;
  if (!s.ndim && array_is_number(array_state(self), value))
    return array_store(self, element(self, &s), value);
  PyObject *target = selection_view(&s, self);
  int status = target ? array_assign(target, value) : -1;
  Py_XDECREF(target);
  return status;
}

static int array_ass_subscript(PyObject *self, PyObject *key, PyObject *value) {
  if (!value) {
    PyErr_SetString(PyExc_ValueError, "cannot delete array elements");
    return -1;
  }
  struct state *state = array_state(self);
  if (is_basic(state, key))
    return assign_selected(self, key, value);
  PyObject *done = by_arrays(state, IMPORT_INDEX_SET, self, key, value);
  Py_XDECREF(done);
  return done ? 0 : -1;
}

static Py_ssize_t array_length(PyObject *self) {
  const numd_layout *layout = array_view(self)->layout;
  if (layout->ndim)
    return layout->shape[0];
  PyErr_SetString(PyExc_TypeError, "an array without dimensions has no len()");
  return -1;
}

static PyObject *array_sequence_item(PyObject *self, Py_ssize_t index) {
  struct selection s = {.from = array_view(self)->layout};
  if (!s.from->ndim) {
    PyErr_SetString(PyExc_IndexError, "an array without dimensions cannot be indexed by a number");
    return NULL;
  }
  if (select_number(&s, index) || select_rest(&s, s.from->ndim))
    return NULL;
  return s.ndim ? selection_view(&s, self) : value_at(self, element(self, &s));
}

static int array_contains(PyObject *self, PyObject *value) {
  struct state *state = array_state(self);
  PyObject *equal = PyObject_RichCompare(self, value, Py_EQ);
  if (!equal || !array_check(state, equal)) {
    int same = equal ? PyObject_IsTrue(equal) : -1;
    Py_XDECREF(equal);
    return same;
  }
  PyObject *any = op_call(state, op_function_find(NUMD_OP_ANY), &equal, 1, NULL, RESULTS_VALUES);
  int found = any ? PyObject_IsTrue(any) : -1;
  Py_XDECREF(any);
  Py_DECREF(equal);
  return found;
}

const PyType_Slot index_slots[] = {
    {Py_mp_length, array_length},
    {Py_mp_subscript, array_subscript},
    {Py_mp_ass_subscript, array_ass_subscript},
    {Py_sq_length, array_length},
    {Py_sq_item, array_sequence_item},
    {Py_sq_contains, array_contains},
    {0},
};
