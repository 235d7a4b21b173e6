/* SPDX-License-Identifier: BSD-3-Clause */
/* How other libraries get at an Array: DLPack, and what the array API standard asks of an array object.
 *
 * A capsule holds a reference to the Array's view, so the memory stays as long as the consumer keeps the
 * tensor, which it may free in any thread, and after Python's end. The layout of the structures is DLPack's
 * ABI, versions 0 and 1 (github.com/dmlc/dlpack, include/dlpack/dlpack.h). Devices: there is one, the host's
 * memory. */
#include "pynumd.h"

#define DL_CPU 1
#define DL_FLAG_IS_COPIED 2
#define ANY_VERSION "dltensor"
#define VERSIONED "dltensor_versioned"

struct dl_tensor {
  void *data;
  int32_t device_type, device_id;
  int32_t ndim;
  uint8_t code, bits;
  uint16_t lanes;
  int64_t *shape, *strides; /* in elements */
  uint64_t byte_offset;
};

struct dl_managed {
  struct dl_tensor tensor;
  void *manager;
  void (*deleter)(struct dl_managed *self);
};

struct dl_versioned {
  uint32_t major, minor;
  void *manager;
  void (*deleter)(struct dl_versioned *self);
  uint64_t flags;
  struct dl_tensor tensor;
};

/* What a capsule points to, one of the two; `view` is the reference that it holds. */
struct exported {
  union {
    struct dl_managed managed;
    struct dl_versioned versioned;
  };
  numd_array *view;
  int64_t strides[NUMD_MAX_DIMS];
};

static void exported_free(struct exported *self) {
  numd_array_unref(self->view);
  PyMem_RawFree(self);
}

static void managed_delete(struct dl_managed *self) {
  exported_free(self->manager);
}

static void versioned_delete(struct dl_versioned *self) {
  exported_free(self->manager);
}

/* A consumer renames the capsule whose tensor it takes. */
static void capsule_free(PyObject *capsule) {
  struct exported *self = NULL;
  if (PyCapsule_IsValid(capsule, ANY_VERSION))
    self = PyCapsule_GetPointer(capsule, ANY_VERSION);
  else if (PyCapsule_IsValid(capsule, VERSIONED))
    self = PyCapsule_GetPointer(capsule, VERSIONED);
  if (self)
    exported_free(self);
}

static uint8_t dl_code(numd_dtype dtype) {
  switch (dtype_kind(dtype)) {
    case 'i':
      return 0;
    case 'u':
      return 1;
    case 'f':
      return 2;
    case 'c':
      return 5;
    default:
      return 6; /* bool */
  }
}

/* Strides of DLPack count elements; those of every second byte of an int16 have no such number. */
static int strides_count(const numd_layout *layout, int64_t strides[]) {
  int64_t item = (int64_t)numd_dtype_size(layout->dtype);
  for (int i = 0; i < layout->ndim; i++) {
    if (layout->strides[i] % item && layout->shape[i] > 1) {
      PyErr_Format(PyExc_BufferError, "DLPack cannot express strides of %lld bytes for items of %lld",
                   (long long)layout->strides[i], (long long)item);
      return -1;
    }
    strides[i] = layout->strides[i] / item;
  }
  return 0;
}

static struct exported *exported_new(PyObject *array) {
  numd_array *view = array_view(array);
  struct exported *self = PyMem_RawCalloc(1, sizeof *self);
  if (!self)
    PyErr_NoMemory();
  else if (strides_count(view->layout, self->strides)) {
    PyMem_RawFree(self);
    self = NULL;
  } else
    self->view = numd_array_ref(view);
  return self;
}

static struct dl_tensor tensor_of(struct exported *self) {
  const numd_array *view = self->view;
  return (struct dl_tensor){.data = view->data,
                            .device_type = DL_CPU,
                            .ndim = view->layout->ndim,
                            .code = dl_code(view->layout->dtype),
                            .bits = (uint8_t)(8 * numd_dtype_size(view->layout->dtype)),
                            .lanes = 1,
                            .shape = (int64_t *)view->layout->shape,
                            .strides = self->strides};
}

static PyObject *capsule_new(PyObject *array, int versioned, int is_copy) {
  struct exported *self = exported_new(array);
  if (!self)
    return NULL;
  if (versioned)
    self->versioned = (struct dl_versioned){.major = 1,
                                            .manager = self,
                                            .deleter = versioned_delete,
                                            .flags = is_copy ? DL_FLAG_IS_COPIED : 0,
                                            .tensor = tensor_of(self)};
  else
    self->managed =
        (struct dl_managed){.tensor = tensor_of(self), .manager = self, .deleter = managed_delete};
  PyObject *capsule = PyCapsule_New(self, versioned ? VERSIONED : ANY_VERSION, capsule_free);
  if (!capsule)
    exported_free(self);
  return capsule;
}

/* (type, id), a tuple of ints, must be the host's. */
static int device_check(PyObject *device) {
  int type, id;
  if (device == Py_None)
    return 0;
  if (!PyTuple_Check(device) || !PyArg_ParseTuple(device, "ii", &type, &id)) {
    PyErr_SetString(PyExc_TypeError, "dl_device is a tuple (type, id)");
    return -1;
  }
  if (type == DL_CPU && id == 0)
    return 0;
  PyErr_Format(PyExc_BufferError, "the array is in the host's memory, device (1, 0), not (%d, %d)", type, id);
  return -1;
}

PyObject *array_dlpack(PyObject *self, PyObject *args, PyObject *kwargs) {
  static char *keywords[] = {"stream", "max_version", "dl_device", "copy", NULL};
  PyObject *stream = Py_None, *version = Py_None, *device = Py_None, *copy = Py_None;
  int major = 0, minor = 0;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|$OOOO:__dlpack__", keywords, &stream, &version, &device,
                                   &copy) ||
      device_check(device))
    return NULL;
  if (version != Py_None && !PyTuple_Check(version)) {
    PyErr_SetString(PyExc_TypeError, "max_version is a tuple (major, minor)");
    return NULL;
  }
  if (version != Py_None &&
      !PyArg_ParseTuple(version, "ii;max_version is a tuple (major, minor)", &major, &minor))
    return NULL;
  if (stream != Py_None) {
    PyErr_SetString(PyExc_BufferError, "the host's memory has no streams");
    return NULL;
  }
  int copies = copy == Py_None ? 0 : PyObject_IsTrue(copy);
  if (copies < 0)
    return NULL;
  PyObject *array = copies ? apply(array_state(self), NUMD_OP_COPY, NULL, 1, &self, NULL) : Py_NewRef(self);
  PyObject *capsule = array ? capsule_new(array, major >= 1, copies) : NULL;
  Py_XDECREF(array);
  return capsule;
}

PyObject *array_dlpack_device(PyObject *self, PyObject *unused) {
  return Py_BuildValue("(ii)", DL_CPU, 0);
}

/* ---- The array API standard */

int device_parse(PyObject *device) {
  if (device == Py_None || (PyUnicode_Check(device) && PyUnicode_CompareWithASCIIString(device, "cpu") == 0))
    return 0;
  PyErr_Format(PyExc_ValueError, "unknown device %R: the only one is 'cpu'", device);
  return -1;
}

PyObject *array_device(PyObject *self, void *closure) {
  return PyUnicode_InternFromString("cpu");
}

PyObject *array_to_device(PyObject *self, PyObject *args, PyObject *kwargs) {
  static char *keywords[] = {"", "stream", NULL};
  PyObject *device, *stream = Py_None;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|$O:to_device", keywords, &device, &stream) ||
      device_parse(device))
    return NULL;
  if (stream == Py_None)
    return Py_NewRef(self);
  PyErr_SetString(PyExc_ValueError, "the host's memory has no streams");
  return NULL;
}

/* The revisions of the standard whose functions are here: later ones added to earlier ones. */
static int version_known(PyObject *version) {
  static const char *const versions[] = {"2021.12", "2022.12", "2023.12", "2024.12", "2025.12"};
  for (size_t i = 0; i < sizeof versions / sizeof *versions; i++)
    if (version == Py_None ||
        (PyUnicode_Check(version) && PyUnicode_CompareWithASCIIString(version, versions[i]) == 0))
      return 1;
  return 0;
}

PyObject *array_namespace(PyObject *self, PyObject *args, PyObject *kwargs) {
  static char *keywords[] = {"api_version", NULL};
  PyObject *version = Py_None;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|$O:__array_namespace__", keywords, &version))
    return NULL;
  if (version_known(version))
    return Py_XNewRef(imported(array_state(self), IMPORT_NAMESPACE));
  PyErr_Format(PyExc_ValueError,
               "unknown revision %R of the array API standard: 2021.12 to 2025.12 are known", version);
  return NULL;
}
