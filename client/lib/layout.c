/* SPDX-License-Identifier: BSD-3-Clause */
#include "client/lib/layout.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "client/lib/error.h"

#define BUCKETS 4096

static struct layout_impl *buckets[BUCKETS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
/* The layouts without dimensions, by dtype. Results without dimensions come and go with every call, so these
 * layouts keep a reference for ever, by which a thread finds them here without the lock. */
static const numd_layout *_Atomic scalars[NUMD_DTYPE_CODES];

void layout_lock(void) {
  pthread_mutex_lock(&lock);
}

void layout_unlock(void) {
  pthread_mutex_unlock(&lock);
}

static uint64_t hash_of(const struct layout *l) {
  uint64_t h = 0x9e3779b97f4a7c15u * (1u + l->dtype + 256u * l->ndim);
  for (int d = 0; d < l->ndim; d++) {
    h = (h ^ (uint64_t)l->shape[d]) * 0xff51afd7ed558ccdu;
    h = (h ^ h >> 29 ^ (uint64_t)l->strides[d]) * 0xc4ceb9fe1a85ec53u;
  }
  return h ^ h >> 32;
}

static bool is_same(const struct layout_impl *have, const struct layout *l) {
  size_t n = sizeof(int64_t) * l->ndim;
  return have->pub.dtype == l->dtype && have->pub.ndim == l->ndim &&
         memcmp(have->pub.shape, l->shape, n) == 0 && memcmp(have->pub.strides, l->strides, n) == 0;
}

/* Makes a struct layout of what the user gave, and checks it. */
static int check(numd_dtype dtype, int ndim, const int64_t shape[], const int64_t strides[],
                 struct layout *l) {
  if (!dtype_known(dtype))
    return error_set(NUMD_EDTYPE, "no dtype has the number %d", (int)dtype);
  if (ndim < 0 || ndim > MAX_DIMS)
    return error_set(NUMD_ESHAPE, "%d dimensions; at most %d are supported", ndim, MAX_DIMS);
  l->dtype = (uint8_t)dtype;
  l->ndim = (uint8_t)ndim;
  for (int d = 0; d < ndim; d++) {
    l->shape[d] = shape[d];
    if (shape[d] < 0)
      return error_set(NUMD_ESHAPE, "negative length %lld of dimension %d", (long long)shape[d], d);
    if (strides && strides[d] % dtype_rows[dtype].align != 0)
      return error_set(NUMD_EALIGN, "stride %lld is not a multiple of %d", (long long)strides[d],
                       dtype_rows[dtype].align);
  }
  if (strides)
    memcpy(l->strides, strides, sizeof(int64_t) * (size_t)ndim);
  int64_t lo, hi, size;
  if ((!strides && layout_set_c_order(l) < 0) || layout_extent(l, &lo, &hi) < 0 ||
      layout_size(l, &size) < 0 || size > INT64_MAX / 64)
    return error_set(NUMD_ESHAPE, "array is too large");
  return 0;
}

static struct layout_impl *make(const struct layout *l, uint64_t hash) {
  size_t n = sizeof(int64_t) * l->ndim;
  struct layout_impl *impl = malloc(sizeof(*impl) + 2 * n);
  if (!impl)
    return NULL;
  memcpy(impl->dims, l->shape, n);
  memcpy(impl->dims + l->ndim, l->strides, n);
  int64_t size;
  layout_size(l, &size);
  layout_extent(l, &impl->extents[0], &impl->extents[1]);
  impl->pub = (numd_layout){.dtype = (numd_dtype)l->dtype,
                            .ndim = l->ndim,
                            .size = size,
                            .nbytes = size * dtype_rows[l->dtype].size,
                            .contiguous = layout_is_c_order(l),
                            .shape = impl->dims,
                            .strides = impl->dims + l->ndim};
  impl->hash = hash;
  atomic_init(&impl->refs, 0);
  return impl;
}

static int get(numd_dtype dtype, int ndim, const int64_t shape[], const int64_t strides[],
               const numd_layout **out) {
  struct layout l;
  int r = check(dtype, ndim, shape, strides, &l);
  if (r)
    return r;
  uint64_t hash = hash_of(&l);
  struct layout_impl **bucket = &buckets[hash % BUCKETS];
  pthread_mutex_lock(&lock);
  struct layout_impl *impl = *bucket;
  while (impl && !(impl->hash == hash && is_same(impl, &l)))
    impl = impl->next;
  if (!impl && (impl = make(&l, hash))) {
    impl->next = *bucket;
    *bucket = impl;
  }
  if (impl)
    atomic_fetch_add_explicit(&impl->refs, 1, memory_order_relaxed);
  pthread_mutex_unlock(&lock);
  if (!impl)
    return error_no_memory();
  *out = &impl->pub;
  return 0;
}

void layout_fill(const numd_layout *from, struct layout *to) {
  to->dtype = (uint8_t)from->dtype;
  to->ndim = (uint8_t)from->ndim;
  memcpy(to->shape, from->shape, sizeof(int64_t) * (size_t)from->ndim);
  memcpy(to->strides, from->strides, sizeof(int64_t) * (size_t)from->ndim);
}

const numd_layout *layout_ref(const numd_layout *layout) {
  if (layout)
    atomic_fetch_add_explicit(&((struct layout_impl *)layout)->refs, 1, memory_order_relaxed);
  return layout;
}

/* Two threads may get the layout for the table at once. It is the same one, interned; the slower thread gives
 * the reference back that the table would have kept. */
static int get_scalar(numd_dtype dtype, const numd_layout **out) {
  const numd_layout *none = NULL;
  *out = atomic_load_explicit(&scalars[dtype], memory_order_acquire);
  if (!*out) {
    int r = get(dtype, 0, NULL, NULL, out);
    if (r)
      return r;
    if (!atomic_compare_exchange_strong(&scalars[dtype], &none, *out)) {
      layout_unref(*out);
      *out = none;
    }
  }
  layout_ref(*out);
  return 0;
}

int layout_get(numd_dtype dtype, int ndim, const int64_t shape[], const int64_t strides[],
               const numd_layout **out) {
  return ndim == 0 && dtype_known(dtype) ? get_scalar(dtype, out) : get(dtype, ndim, shape, strides, out);
}

/* The last reference is dropped under the lock: without it, another thread could find the layout in the table
 * between the count reaching 0 and the layout leaving the table, and would use what is about to be freed. */
void layout_unref(const numd_layout *layout) {
  struct layout_impl *impl = (struct layout_impl *)layout;
  if (!impl)
    return;
  int refs = atomic_load_explicit(&impl->refs, memory_order_relaxed);
  while (refs > 1)
    if (atomic_compare_exchange_weak_explicit(&impl->refs, &refs, refs - 1, memory_order_release,
                                              memory_order_relaxed))
      return;
  pthread_mutex_lock(&lock);
  if (atomic_fetch_sub_explicit(&impl->refs, 1, memory_order_acq_rel) == 1) {
    struct layout_impl **p = &buckets[impl->hash % BUCKETS];
    while (*p != impl)
      p = &(*p)->next;
    *p = impl->next;
    free(impl);
  }
  pthread_mutex_unlock(&lock);
}
