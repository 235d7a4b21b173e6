/* SPDX-License-Identifier: BSD-3-Clause */
/* The type Array: a Python object around one numd_array.
 *
 * The object holds nothing else. Garbage collection looks at it only because it holds its type, and by that
 * the module. Where the GIL guards them, dead ones are kept on a short list for reuse: `a + b` makes and
 * drops one each time. NumPy and others see the memory through the buffer protocol, strided and writable, and
 * keep the object alive as long as they look. */
#include "docstrings.h"
#include "pynumd.h"

#define LAYOUT(self) (array_view(self)->layout)

#ifdef Py_GIL_DISABLED
static PyObject *array_alloc(struct state *state) {
  return (PyObject *)PyObject_GC_New(struct array, state->array_type);
}

static void array_free(PyObject *self) {
  PyObject_GC_Del(self);
}

void arrays_forget_spare(struct state *state) {}
#else
static PyObject *array_alloc(struct state *state) {
  return state->n_spare_arrays
             ? PyObject_Init(state->spare_arrays[--state->n_spare_arrays], state->array_type)
             : (PyObject *)PyObject_GC_New(struct array, state->array_type);
}

/* Not once the collector has taken the module from the type, or the type from the state. */
static int takes_spare(PyObject *self) {
  const struct state *state = array_state(self);
  return ((PyHeapTypeObject *)Py_TYPE(self))->ht_module && Py_IS_TYPE(self, state->array_type) &&
         state->n_spare_arrays < SPARE_MAX;
}

static void array_free(PyObject *self) {
  struct state *state = array_state(self);
  if (takes_spare(self))
    state->spare_arrays[state->n_spare_arrays++] = self;
  else
    PyObject_GC_Del(self);
}

void arrays_forget_spare(struct state *state) {
  while (state->n_spare_arrays)
    PyObject_GC_Del(state->spare_arrays[--state->n_spare_arrays]);
}
#endif

PyObject *array_wrap(struct state *state, numd_array *view) {
  if (!view)
    return NULL;
  PyObject *self = array_alloc(state);
  if (!self) {
    numd_array_unref(view);
    return NULL;
  }
  ((struct array *)self)->view = view;
  ((struct array *)self)->state = state;
  ((struct array *)self)->of_namespace = ((struct array *)self)->is_value = false;
  PyObject_GC_Track(self);
  return self;
}

void array_dealloc(PyObject *self) {
  PyTypeObject *type = Py_TYPE(self);
  PyObject_GC_UnTrack(self);
  numd_array_unref(array_view(self));
  array_free(self);
  Py_DECREF(type);
}

static int array_traverse(PyObject *self, visitproc visit, void *arg) {
  Py_VISIT(Py_TYPE(self));
  return 0;
}

PyObject *array_new(struct state *state, numd_conn *conn, numd_dtype dtype, int ndim, const int64_t shape[]) {
  numd_array *view = NULL;
  int status = numd_array_empty(conn, dtype, ndim, shape, &view);
  return status == NUMD_OK ? array_wrap(state, view) : raise_status(state, status);
}

PyObject *array_from_scalar(struct state *state, numd_conn *conn, const numd_scalar *scalar) {
  PyObject *array = array_new(state, conn, scalar->dtype, 0, NULL);
  if (array)
    memcpy(array_view(array)->data, &scalar->c, numd_dtype_size(scalar->dtype));
  return array;
}

PyObject *array_reshaped_view(PyObject *base, int64_t offset, int ndim, const int64_t shape[],
                              const int64_t strides[]) {
  struct state *state = array_state(base);
  numd_array *from = array_view(base), *view = NULL;
  int status = numd_array_view(from, offset, from->layout->dtype, ndim, shape, strides, &view);
  return status == NUMD_OK ? array_wrap(state, view) : raise_status(state, status);
}

int array_holds(PyObject *self, const void *data) {
  const numd_layout *layout = LAYOUT(self);
  const char *first = array_view(self)->data, *last = first;
  for (int i = 0; i < layout->ndim; i++) {
    int64_t reach = (layout->shape[i] - 1) * layout->strides[i];
    *(reach < 0 ? &first : &last) += reach;
  }
  return layout->size && (const char *)data >= first && (const char *)data <= last;
}

PyObject *array_numpy(PyObject *array) {
  return PyObject_CallOneArg(array_state(array)->asarray, array);
}

PyObject *array_item(PyObject *array) {
  const numd_array *view = array_view(array);
  if (view->layout->size == 1)
    return item_object(view->layout->dtype, view->data);
  PyErr_Format(PyExc_TypeError, "only an array of one element can be a scalar; this one has %lld",
               (long long)view->layout->size);
  return NULL;
}

/* ---- Buffers */

static int is_fortran(const numd_layout *layout) {
  int64_t expected = (int64_t)numd_dtype_size(layout->dtype);
  for (int i = 0; i < layout->ndim; i++) {
    if (layout->shape[i] != 1 && layout->strides[i] != expected && layout->size)
      return 0;
    expected *= layout->shape[i];
  }
  return 1;
}

/* What stands in the way of these flags, or NULL. */
static const char *buffer_obstacle(const numd_layout *layout, int flags) {
  if ((flags & PyBUF_C_CONTIGUOUS) == PyBUF_C_CONTIGUOUS && !layout->contiguous)
    return "the array is not in C order";
  if ((flags & PyBUF_F_CONTIGUOUS) == PyBUF_F_CONTIGUOUS && !is_fortran(layout))
    return "the array is not in Fortran order";
  if ((flags & PyBUF_ANY_CONTIGUOUS) == PyBUF_ANY_CONTIGUOUS && !layout->contiguous && !is_fortran(layout))
    return "the array is not contiguous";
  if ((flags & PyBUF_STRIDES) != PyBUF_STRIDES && !layout->contiguous)
    return "the array is strided and the consumer takes no strides";
  return NULL;
}

static int array_getbuffer(PyObject *self, Py_buffer *buffer, int flags) {
  const numd_array *view = array_view(self);
  const numd_layout *layout = view->layout;
  const char *obstacle = buffer_obstacle(layout, flags);
  buffer->obj = NULL;
  if (obstacle) {
    PyErr_SetString(PyExc_BufferError, obstacle);
    return -1;
  }
  *buffer = (Py_buffer){
      .buf = view->data,
      .obj = Py_NewRef(self),
      .len = layout->nbytes,
      .itemsize = (Py_ssize_t)numd_dtype_size(layout->dtype),
      .ndim = layout->ndim,
      .format = flags & PyBUF_FORMAT ? dtype_format(layout->dtype) : NULL,
      .shape = flags & PyBUF_ND ? (Py_ssize_t *)layout->shape : NULL,
      .strides = (flags & PyBUF_STRIDES) == PyBUF_STRIDES ? (Py_ssize_t *)layout->strides : NULL,
      .internal =
          numd_array_ref(array_view(self)), /* whose layout that is: the array may get another shape */
  };
  return 0;
}

static void array_releasebuffer(PyObject *self, Py_buffer *buffer) {
  numd_array_unref(buffer->internal);
}

/* ---- Attributes */

static PyObject *array_shape(PyObject *self, void *closure) {
  return shape_tuple(LAYOUT(self)->ndim, LAYOUT(self)->shape);
}

static PyObject *array_strides(PyObject *self, void *closure) {
  return shape_tuple(LAYOUT(self)->ndim, LAYOUT(self)->strides);
}

static PyObject *array_dtype(PyObject *self, void *closure) {
  return Py_NewRef(array_state(self)->dtypes[LAYOUT(self)->dtype]);
}

static PyObject *array_ndim(PyObject *self, void *closure) {
  return PyLong_FromLong(LAYOUT(self)->ndim);
}

static PyObject *array_size(PyObject *self, void *closure) {
  return PyLong_FromLongLong(LAYOUT(self)->size);
}

static PyObject *array_nbytes(PyObject *self, void *closure) {
  return PyLong_FromLongLong(LAYOUT(self)->nbytes);
}

static PyObject *array_itemsize(PyObject *self, void *closure) {
  return PyLong_FromSize_t(numd_dtype_size(LAYOUT(self)->dtype));
}

static PyObject *array_T(PyObject *self, void *closure) {
  return array_transposed(self);
}

static PyObject *array_mT(PyObject *self, void *closure) {
  const numd_layout *from = LAYOUT(self);
  int64_t shape[NUMD_MAX_DIMS], strides[NUMD_MAX_DIMS];
  int last = from->ndim - 1;
  if (last < 1) {
    PyErr_SetString(PyExc_ValueError, "a matrix has two dimensions at least");
    return NULL;
  }
  memcpy(shape, from->shape, sizeof *shape * (size_t)from->ndim);
  memcpy(strides, from->strides, sizeof *strides * (size_t)from->ndim);
  shape[last] = from->shape[last - 1];
  shape[last - 1] = from->shape[last];
  strides[last] = from->strides[last - 1];
  strides[last - 1] = from->strides[last];
  return array_reshaped_view(self, 0, from->ndim, shape, strides);
}

/* A part of complex numbers is every other real number. */
static PyObject *array_part(PyObject *self, int second) {
  struct state *state = array_state(self);
  const numd_layout *from = LAYOUT(self);
  numd_array *view = NULL;
  numd_dtype part = from->dtype == NUMD_COMPLEX64 ? NUMD_FLOAT32 : NUMD_FLOAT64;
  int status = numd_array_view(array_view(self), second && from->size ? (int64_t)numd_dtype_size(part) : 0,
                               part, from->ndim, from->shape, from->strides, &view);
  return status == NUMD_OK ? array_wrap(state, view) : raise_status(state, status);
}

static PyObject *array_real(PyObject *self, void *closure) {
  return dtype_kind(LAYOUT(self)->dtype) == 'c' ? array_part(self, 0) : Py_NewRef(self);
}

static PyObject *array_imag(PyObject *self, void *closure) {
  return dtype_kind(LAYOUT(self)->dtype) == 'c'
             ? array_part(self, 1)
             : apply(array_state(self), NUMD_OP_IMAG, NULL, 1, &self, NULL);
}

static PyObject *array_of_numpy(PyObject *self, void *name) {
  PyObject *ndarray = array_numpy(self);
  PyObject *attribute = ndarray ? PyObject_GetAttrString(ndarray, name) : NULL;
  Py_XDECREF(ndarray);
  return attribute;
}

static PyObject *array_data(PyObject *self, void *closure) {
  return PyMemoryView_FromObject(self);
}

static PyObject *array_base(PyObject *self, void *closure) {
  Py_RETURN_NONE;
}

static PyGetSetDef array_getset[] = {
    {"shape", array_shape, array_set_shape, DOC_ARRAY_SHAPE, NULL},
    {"strides", array_strides, NULL, DOC_ARRAY_STRIDES, NULL},
    {"dtype", array_dtype, NULL, DOC_ARRAY_DTYPE, NULL},
    {"ndim", array_ndim, NULL, DOC_ARRAY_NDIM, NULL},
    {"size", array_size, NULL, DOC_ARRAY_SIZE, NULL},
    {"nbytes", array_nbytes, NULL, DOC_ARRAY_NBYTES, NULL},
    {"itemsize", array_itemsize, NULL, DOC_ARRAY_ITEMSIZE, NULL},
    {"mT", array_mT, NULL, DOC_ARRAY_MT, NULL},
    {"real", array_real, NULL, DOC_ARRAY_REAL, NULL},
    {"imag", array_imag, NULL, DOC_ARRAY_IMAG, NULL},
    {"device", array_device, NULL, DOC_ARRAY_DEVICE, NULL},
    {"flags", array_of_numpy, NULL, DOC_ARRAY_FLAGS, "flags"},
    {"flat", array_of_numpy, NULL, DOC_ARRAY_FLAT, "flat"},
    {"ctypes", array_of_numpy, NULL, DOC_ARRAY_CTYPES, "ctypes"},
    {"data", array_data, NULL, DOC_ARRAY_DATA, NULL},
    {"base", array_base, NULL, DOC_ARRAY_BASE, NULL},
    {"T", array_T, NULL, DOC_ARRAY_T, NULL},
    {0},
};

/* ---- Behaviour of the object itself */

static PyObject *array_text(PyObject *self, const char *format, PyObject *options) {
  struct state *state = array_state(self);
  PyObject *ndarray = array_numpy(self);
  PyObject *args = ndarray ? PyTuple_Pack(1, ndarray) : NULL;
  PyObject *text = args ? PyObject_Call(state->array2string, args, options) : NULL;
  PyObject *whole = text ? PyUnicode_FromFormat(format, text, state->dtypes[LAYOUT(self)->dtype]) : NULL;
  Py_XDECREF(text);
  Py_XDECREF(args);
  Py_XDECREF(ndarray);
  return whole;
}

static PyObject *array_repr(PyObject *self) {
  PyObject *options = Py_BuildValue("{ssss}", "separator", ", ", "prefix", "numd.Array(");
  PyObject *text = options ? array_text(self, "numd.Array(%U, dtype=%S)", options) : NULL;
  Py_XDECREF(options);
  return text;
}

/* That of NumPy's scalar, if the array has no dimensions. */
static PyObject *array_str(PyObject *self) {
  if (LAYOUT(self)->ndim)
    return array_text(self, "%U", NULL);
  PyObject *ndarray = array_numpy(self), *key = PyTuple_New(0);
  PyObject *scalar = ndarray && key ? PyObject_GetItem(ndarray, key) : NULL;
  PyObject *text = scalar ? PyObject_Str(scalar) : NULL;
  Py_XDECREF(ndarray);
  Py_XDECREF(key);
  Py_XDECREF(scalar);
  return text;
}

static PyObject *array_iter(PyObject *self) {
  if (LAYOUT(self)->ndim)
    return PySeqIter_New(self);
  PyErr_SetString(PyExc_TypeError, "iteration over an array without dimensions");
  return NULL;
}

/* ---- The type */

static const PyType_Slot array_slots[] = {
    {Py_tp_doc, DOC_ARRAY},
    {Py_tp_dealloc, array_dealloc},
    {Py_tp_traverse, array_traverse},
    {Py_tp_repr, array_repr},
    {Py_tp_str, array_str},
    {Py_tp_iter, array_iter},
    {Py_tp_hash, PyObject_HashNotImplemented},
    {Py_tp_richcompare, array_compare},
    {Py_bf_getbuffer, array_getbuffer},
    {Py_bf_releasebuffer, array_releasebuffer},
    {Py_tp_methods, array_methods},
    {Py_tp_getset, array_getset},
    {0},
};

static PyType_Slot *slots_append(PyType_Slot *end, const PyType_Slot *slots) {
  while (slots->slot)
    *end++ = *slots++;
  return end;
}

/* NumPy looks this up on the type: who wins where both sides could. */
static int set_priority(PyTypeObject *type) {
  PyObject *priority = PyFloat_FromDouble(1000);
  int failed = !priority || PyDict_SetItemString(type->tp_dict, "__array_priority__", priority);
  Py_XDECREF(priority);
  PyType_Modified(type);
  return failed ? -1 : 0;
}

PyObject *array_type_new(PyObject *module) {
  PyType_Slot slots[80] = {0};
  slots_append(slots_append(slots_append(slots, array_slots), number_slots), index_slots);
  PyType_Spec spec = {
      .name = "numd.Array",
      .basicsize = sizeof(struct array),
      .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION |
               Py_TPFLAGS_IMMUTABLETYPE,
      .slots = slots,
  };
  PyObject *type = PyType_FromModuleAndSpec(module, &spec, NULL);
  if (type && set_priority((PyTypeObject *)type))
    Py_CLEAR(type);
  return type;
}
