/* SPDX-License-Identifier: BSD-3-Clause */
/* Matrix products as steps: how one is divided, and running the parts.
 *
 * Shapes and strides alone decide how, never the number of cores, so that results do not depend on that
 * number. One product may be divided into panels of C or, where C is small and k is long, into chunks of k
 * whose products are added up in order. The products of a batch are shared out whole; products so small that
 * plain loops beat BLAS go to the kernel many at a time, as many as follow each other in the innermost batch
 * loop. */
#include "server/engine/product.h"

#include <stdlib.h>
#include <string.h>

#include "server/engine/pool.h"

#define FLOPS_A_NS 20   /* of one core, roughly: for deciding what is worth splitting */
#define BYTES_A_NS 10   /* read from memory */
#define PANEL_GRAIN 8   /* columns or rows to which panels are rounded */
#define PANEL_SIDE 1024 /* two panels for so many rows: narrower panels pack the other operand too often */
#define PANEL_MIN_FLOPS 4e6   /* smaller products are not divided */
#define SMALL_TASK_FLOPS 1e6  /* batches of smaller products are put together */
#define PRODUCT_FLOPS 200     /* what one product costs beside its own flops */
#define CHUNK_ITEMS 65536     /* of the operands, to a chunk of k at least */
#define CHUNKED_ITEMS 1048576 /* from here on k may be divided */
#define CHUNKED_OUTPUT 4096   /* items of C at most */
#define CHUNKS 64

/* ---- Setting up ---- */

/* Sets the two matrix strides of an operand, behind its batch strides. */
static void set_matrix(struct step *s, int i, int64_t rows, int64_t cols) {
  s->memories[i].stride[s->ndim] = rows;
  s->memories[i].stride[s->ndim + 1] = cols;
}

/* Adds a batch loop; an operand without that axis has stride 0. */
static void add_batch_loop(struct step *s, int64_t n, int64_t a, int64_t b, int64_t c) {
  s->shape[s->ndim] = n;
  s->memories[0].stride[s->ndim] = a;
  s->memories[1].stride[s->ndim] = b;
  s->memories[2].stride[s->ndim] = c;
  s->ndim++;
}

/* The stride of v along axis d of the result's batch axes: v has `batch` batch axes, of which the first is
 * the result's axis `lead`. 0 where v is broadcast. */
static int64_t batch_stride(const struct layout *v, int batch, int lead, int d) {
  int e = d - lead;
  return e < 0 || e >= batch || v->shape[e] == 1 ? 0 : v->strides[e];
}

static void add_matmul_batches(struct step *s, const struct layout *a, const struct layout *b,
                               const struct layout *c) {
  int na = a->ndim > 2 ? a->ndim - 2 : 0, nb = b->ndim > 2 ? b->ndim - 2 : 0, n = na > nb ? na : nb;
  for (int d = 0; d < n; d++)
    add_batch_loop(s, c->shape[d], batch_stride(a, na, n - na, d), batch_stride(b, nb, n - nb, d),
                   c->strides[d]);
}

static void add_dot_batches(struct step *s, const struct layout *a, const struct layout *b,
                            const struct layout *c) {
  int na = a->ndim > 2 ? a->ndim - 2 : 0, nb = b->ndim > 2 ? b->ndim - 2 : 0, rows = a->ndim >= 2;
  for (int d = 0; d < na; d++)
    add_batch_loop(s, c->shape[d], a->strides[d], 0, c->strides[d]);
  for (int d = 0; d < nb; d++)
    add_batch_loop(s, c->shape[na + rows + d], 0, b->strides[d], c->strides[na + rows + d]);
}

/* For vecdot: all axes but the last are batch axes. */
static void add_vector_batches(struct step *s, const struct layout *a, const struct layout *b,
                               const struct layout *c) {
  for (int d = 0; d < c->ndim; d++)
    add_batch_loop(s, c->shape[d], batch_stride(a, a->ndim - 1, c->ndim + 1 - a->ndim, d),
                   batch_stride(b, b->ndim - 1, c->ndim + 1 - b->ndim, d), c->strides[d]);
}

/* Panels of whole rows of C as C lies in memory, where there are enough rows: OpenBLAS was measured to take
 * up to a third longer for panels of columns. Their number is even, since the number of cores often is. */
static void choose_panels(struct step *s, double flops) {
  const int64_t row = llabs(s->memories[2].stride[s->ndim]), col = llabs(s->memories[2].stride[s->ndim + 1]);
  s->panel_rows = s->n == 1 || (s->m > 1 && (row >= col ? s->m >= PANEL_SIDE / 8 || s->m >= s->n
                                                        : s->n < PANEL_SIDE / 8 && s->m >= s->n));
  const int64_t side = s->panel_rows ? s->m : s->n, panels = 2 * parts_of(side, PANEL_SIDE);
  s->panel = align_up(parts_of(side, panels), PANEL_GRAIN);
  if (flops < PANEL_MIN_FLOPS || s->panel > side)
    s->panel = side;
}

/* Chunks of k, for a single product with little output. */
static void choose_chunks(struct step *s) {
  s->chunk = s->k;
  s->n_chunks = 1;
  if (s->n_units != 1 || s->m > CHUNKED_OUTPUT || s->n > CHUNKED_OUTPUT || s->m * s->n > CHUNKED_OUTPUT)
    return;
  const int64_t side = s->m + s->n, chunks = s->k / (CHUNK_ITEMS / side);
  if (s->k < CHUNKED_ITEMS / side || s->k / CHUNKS < s->m * s->n)
    return;
  const int64_t count = smaller(chunks, CHUNKS);
  s->chunk = align_up(parts_of(s->k, count), PANEL_GRAIN);
  s->n_chunks = parts_of(s->k, s->chunk);
}

/* The time for the arithmetic or for reading the operands, whichever is longer. */
static double product_ns(const struct step *s, double flops, double batch) {
  const double items =
      (double)s->m * (double)s->k + (double)s->k * (double)s->n + (double)s->m * (double)s->n;
  const double arithmetic = (flops + PRODUCT_FLOPS) / FLOPS_A_NS;
  const double reading = items * dtype_rows[s->dtype].size / BYTES_A_NS;
  return batch * (arithmetic > reading ? arithmetic : reading);
}

/* vecdot: products of 1 x k and k x 1 matrices. */
static void arrange_vectors(struct step *s, uint8_t dtype, const struct layout layouts[3]) {
  const struct layout *a = &layouts[0], *b = &layouts[1];
  const int64_t size = dtype_rows[dtype].size;
  s->m = s->n = 1;
  s->k = a->shape[a->ndim - 1];
  s->conjugate = dtype_rows[dtype].kind == 'c';
  add_vector_batches(s, a, b, &layouts[2]);
  set_matrix(s, 0, size, a->strides[a->ndim - 1]);
  set_matrix(s, 1, b->strides[b->ndim - 1], size);
  set_matrix(s, 2, size, size);
}

static void arrange_matrices(struct step *s, uint8_t op, uint8_t dtype, const struct layout layouts[3]) {
  const struct layout *a = &layouts[0], *b = &layouts[1], *c = &layouts[2];
  const int64_t size = dtype_rows[dtype].size;
  s->m = a->ndim >= 2 ? a->shape[a->ndim - 2] : 1;
  s->n = b->ndim >= 2 ? b->shape[b->ndim - 1] : 1;
  s->k = a->shape[a->ndim - 1];
  if (op == NUMD_OP_MATMUL)
    add_matmul_batches(s, a, b, c);
  else
    add_dot_batches(s, a, b, c);
  const int last = c->ndim - 1;
  int64_t row_of_c = a->ndim < 2                            ? size
                     : op == NUMD_OP_MATMUL && b->ndim >= 2 ? c->strides[last - 1]
                                                            : c->strides[a->ndim - 2];
  if (op == NUMD_OP_MATMUL && a->ndim >= 2 && b->ndim < 2)
    row_of_c = c->strides[last];
  set_matrix(s, 0, a->ndim >= 2 ? a->strides[a->ndim - 2] : size, a->strides[a->ndim - 1]);
  set_matrix(s, 1, b->strides[b->ndim >= 2 ? b->ndim - 2 : 0], b->ndim >= 2 ? b->strides[b->ndim - 1] : size);
  set_matrix(s, 2, row_of_c, b->ndim >= 2 ? c->strides[last] : size);
}

void product_arrange(struct step *s, uint8_t op, uint8_t dtype, const struct layout layouts[3]) {
  int64_t batch = 1;
  s->kind = STEP_PRODUCT;
  s->dtype = dtype;
  if (op == NUMD_OP_VECDOT)
    arrange_vectors(s, dtype, layouts);
  else
    arrange_matrices(s, op, dtype, layouts);
  for (int d = 0; d < s->ndim; d++)
    batch *= s->shape[d];
  double flops = 2.0 * (double)s->m * (double)s->n * (double)s->k;
  s->n_units = batch;
  s->empty = batch == 0 || s->m == 0 || s->n == 0;
  if (!s->empty) {
    choose_panels(s, flops);
    choose_chunks(s);
  }
  s->cost_ns = s->empty ? 0 : cost_of(product_ns(s, flops, (double)batch));
  s->parallel = s->cost_ns >= PARALLEL_MIN_NS;
}

/* ---- Running ---- */

struct product_job {
  struct call *call;
  const struct step *step;
  int64_t n_panels, units_a_task;
  char *partial; /* a matrix C for each chunk, in C order, one behind the other */
};

static struct kernel_matrix matrix(const struct cursor *c, int i, int d) {
  const int64_t *stride = c->step->memories[i].stride;
  return (struct kernel_matrix){.data = c->at[i], .stride = {stride[d], stride[d + 1]}};
}

/* One product, or a part of one. */
struct part {
  int64_t m, n, k;
  struct kernel_matrix a, b, c;
};

static struct part part_of(const struct cursor *cursor) {
  const struct step *s = cursor->step;
  return (struct part){
      s->m, s->n, s->k, matrix(cursor, 0, s->ndim), matrix(cursor, 1, s->ndim), matrix(cursor, 2, s->ndim)};
}

static void take_panel(const struct step *s, struct part *p, int64_t panel) {
  const int64_t first = panel * s->panel;
  if (s->panel_rows) {
    p->m = smaller(s->m - first, s->panel);
    p->a.data += first * p->a.stride[0];
    p->c.data += first * p->c.stride[0];
  } else {
    p->n = smaller(s->n - first, s->panel);
    p->b.data += first * p->b.stride[1];
    p->c.data += first * p->c.stride[1];
  }
}

static void no_memory(struct call *call) {
  atomic_fetch_or_explicit(&call->flags, CALL_NO_MEMORY, memory_order_relaxed);
}

/* Scratch for the copies of operands that the kernel makes for this part. False if out of memory. */
static bool part_scratch(const struct step *s, const struct part *p, void **scratch) {
  const int64_t bytes =
      s->conjugate ? 0
                   : kernel_matmul_scratch(s->dtype, p->m, p->n, p->k, p->a.stride, p->b.stride, p->c.stride);
  *scratch = NULL;
  return bytes == 0 || posix_memalign(scratch, 64, (size_t)bytes) == 0;
}

static void multiply(const struct step *s, const struct part *p, void *scratch) {
  if (s->conjugate)
    kernel_vdot(s->dtype, p->k, p->a.data, p->a.stride[1], p->b.data, p->b.stride[0], p->c.data);
  else
    kernel_matmul(s->dtype, p->m, p->n, p->k, p->a, p->b, p->c, scratch);
}

/* Computes one panel of each of the products first .. last-1. */
static void run_units(const struct product_job *j, int64_t first, int64_t last, int64_t panel) {
  const struct step *s = j->step;
  struct cursor c;
  void *scratch;
  cursor_seek(&c, j->call, s, 0, s->ndim, first);
  struct part p = part_of(&c);
  take_panel(s, &p, panel);
  if (!part_scratch(s, &p, &scratch)) {
    no_memory(j->call);
    return;
  }
  for (; first < last && !call_given_up(j->call); first++, cursor_next(&c)) {
    p = part_of(&c);
    take_panel(s, &p, panel);
    multiply(s, &p, scratch);
  }
  free(scratch);
}

/* Computes the small products first .. last-1: as many at once as follow each other in the innermost batch
 * loop. */
static void run_small(const struct product_job *j, int64_t first, int64_t last) {
  const struct step *s = j->step;
  const int inner = s->ndim - 1;
  const int64_t batch[3] = {s->memories[0].stride[inner], s->memories[1].stride[inner],
                            s->memories[2].stride[inner]};
  struct cursor c;
  cursor_seek(&c, j->call, s, 0, inner, first / s->shape[inner]);
  for (int64_t at = first % s->shape[inner], count; first < last && !call_given_up(j->call);
       first += count, at = 0, cursor_next(&c)) {
    struct part p = part_of(&c);
    count = smaller(s->shape[inner] - at, last - first);
    p.a.data += at * batch[0];
    p.b.data += at * batch[1];
    p.c.data += at * batch[2];
    kernel_matmul_batch(s->dtype, count, p.m, p.n, p.k, p.a, p.b, p.c, batch);
  }
}

static void product_task(void *arg, int64_t task) {
  const struct product_job *j = arg;
  const struct step *s = j->step;
  const int64_t first = task / j->n_panels * j->units_a_task;
  const int64_t last = smaller(first + j->units_a_task, s->n_units);
  if (s->ndim > 0 && !s->conjugate && kernel_matmul_is_small(s->dtype, s->m, s->n, s->k))
    run_small(j, first, last);
  else
    run_units(j, first, last, task % j->n_panels);
}

/* ---- Chunks of k ---- */

static int64_t partial_bytes(const struct step *s) {
  return align_up(s->m * s->n * dtype_rows[s->dtype].size, 64);
}

static void chunk_task(void *arg, int64_t task) {
  const struct product_job *j = arg;
  const struct step *s = j->step;
  const int64_t item = dtype_rows[s->dtype].size, first = task * s->chunk;
  struct cursor c;
  void *scratch;
  cursor_seek(&c, j->call, s, 0, s->ndim, 0);
  struct part p = part_of(&c);
  p.k = smaller(s->k - first, s->chunk);
  p.a.data += first * p.a.stride[1];
  p.b.data += first * p.b.stride[0];
  p.c = (struct kernel_matrix){j->partial + task * partial_bytes(s), {s->n * item, item}};
  if (call_given_up(j->call))
    return;
  if (!part_scratch(s, &p, &scratch)) {
    no_memory(j->call);
    return;
  }
  multiply(s, &p, scratch);
  free(scratch);
}

/* Adds the chunks' products up in order; the last addition writes C. */
static void add_chunks(const struct product_job *j) {
  const struct step *s = j->step;
  const int64_t item = dtype_rows[s->dtype].size;
  const kernel_map_fn add = kernel_map(NUMD_OP_ADD, s->dtype);
  struct cursor cursor;
  cursor_seek(&cursor, j->call, s, 0, s->ndim, 0);
  const struct kernel_matrix c = matrix(&cursor, 2, s->ndim);
  for (int64_t t = 1; t + 1 < s->n_chunks; t++)
    add(s->m * s->n, (char *const[]){j->partial, j->partial + t * partial_bytes(s), j->partial},
        (const int64_t[]){item, item, item});
  const char *last = j->partial + (s->n_chunks - 1) * partial_bytes(s);
  for (int64_t i = 0; i < s->m; i++)
    add(s->n,
        (char *const[]){j->partial + i * s->n * item, (char *)last + i * s->n * item,
                        c.data + i * c.stride[0]},
        (const int64_t[]){item, item, c.stride[1]});
}

static void run_chunks(struct product_job *j) {
  const struct step *s = j->step;
  void *partial;
  if (posix_memalign(&partial, 64, (size_t)(s->n_chunks * partial_bytes(s))) != 0) {
    no_memory(j->call);
    return;
  }
  j->partial = partial;
  pool_run(s->parallel ? j->call->pool : NULL, j->call, s->n_chunks, chunk_task, j);
  add_chunks(j);
  free(partial);
}

void product_run(struct call *call, const struct step *s) {
  struct product_job j = {.call = call, .step = s, .units_a_task = 1};
  if (s->empty)
    return;
  if (s->n_chunks > 1) {
    run_chunks(&j);
    return;
  }
  const int64_t side = s->panel_rows ? s->m : s->n;
  j.n_panels = parts_of(side, s->panel);
  const double flops = 2.0 * (double)s->m * (double)s->n * (double)s->k + PRODUCT_FLOPS;
  if (flops < SMALL_TASK_FLOPS)
    j.units_a_task = 1 + (int64_t)(SMALL_TASK_FLOPS / flops);
  const int64_t tasks = parts_of(s->n_units, j.units_a_task) * j.n_panels;
  pool_run(s->parallel ? call->pool : NULL, call, tasks, product_task, &j);
}
