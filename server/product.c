#include "server/product.h"

#include <stdlib.h>
#include <string.h>

#include "server/pool.h"

#define FLOPS_A_NS 20        /* of one core, roughly: for deciding what is worth splitting */
#define PANEL_GRAIN 64       /* columns or rows to which panels are rounded */
#define SMALL_TASK_FLOPS 1e6 /* batches of smaller products are put together */

/* ---- Setting up ---- */

/* The two matrix strides of an operand behind its batch strides. */
static void set_matrix(struct step *s, int i, int64_t rows, int64_t cols) {
  s->memories[i].stride[s->ndim] = rows;
  s->memories[i].stride[s->ndim + 1] = cols;
}

/* One batch loop; strides of 0 where an operand does not have it. */
static void add_batch_loop(struct step *s, int64_t n, int64_t a, int64_t b, int64_t c) {
  s->shape[s->ndim] = n;
  s->memories[0].stride[s->ndim] = a;
  s->memories[1].stride[s->ndim] = b;
  s->memories[2].stride[s->ndim] = c;
  s->ndim++;
}

/* The stride of axis d of `batch` leading axes of v, aligned at the end of those of the result. */
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

/* Panels by the size of the product alone, so that the result does not depend on the cores. */
static void choose_panels(struct step *s, double flops) {
  int panels = flops < 4e6 ? 1 : flops < 1e8 ? 2 : flops < 1e9 ? 4 : 8;
  s->panel_rows = s->m > s->n;
  int64_t side = s->panel_rows ? s->m : s->n;
  s->panel = align_up((side + panels - 1) / panels, PANEL_GRAIN);
  if (panels == 1 || s->panel > side)
    s->panel = side;
}

void product_arrange(struct step *s, uint8_t op, uint8_t dtype, const struct layout layouts[3]) {
  const struct layout *a = &layouts[0], *b = &layouts[1], *c = &layouts[2];
  int64_t size = dtype_rows[dtype].size, batch = 1;
  s->kind = STEP_PRODUCT;
  s->dtype = dtype;
  s->m = a->ndim >= 2 ? a->shape[a->ndim - 2] : 1;
  s->n = b->ndim >= 2 ? b->shape[b->ndim - 1] : 1;
  s->k = a->shape[a->ndim - 1];
  if (op == NUMD_OP_MATMUL)
    add_matmul_batches(s, a, b, c);
  else
    add_dot_batches(s, a, b, c);
  int last = c->ndim - 1;
  int64_t row_of_c = a->ndim < 2                            ? size
                     : op == NUMD_OP_MATMUL && b->ndim >= 2 ? c->strides[last - 1]
                                                            : c->strides[a->ndim - 2];
  if (op == NUMD_OP_MATMUL && a->ndim >= 2 && b->ndim < 2)
    row_of_c = c->strides[last];
  set_matrix(s, 0, a->ndim >= 2 ? a->strides[a->ndim - 2] : size, a->strides[a->ndim - 1]);
  set_matrix(s, 1, b->strides[b->ndim >= 2 ? b->ndim - 2 : 0], b->ndim >= 2 ? b->strides[b->ndim - 1] : size);
  set_matrix(s, 2, row_of_c, b->ndim >= 2 ? c->strides[last] : size);
  for (int d = 0; d < s->ndim; d++)
    batch *= s->shape[d];
  double flops = 2.0 * (double)s->m * (double)s->n * (double)s->k;
  s->n_units = batch;
  s->empty = batch == 0 || s->m == 0 || s->n == 0;
  choose_panels(s, flops);
  s->cost_ns = (uint64_t)(flops * (double)batch / FLOPS_A_NS);
  s->parallel = s->cost_ns >= PARALLEL_MIN_NS;
}

/* ---- Running ---- */

struct product_job {
  struct call *call;
  const struct step *step;
  int64_t n_panels, units_a_task;
};

static struct kernel_matrix matrix(const struct cursor *c, int i, int d) {
  const int64_t *stride = c->step->memories[i].stride;
  return (struct kernel_matrix){.data = c->at[i], .stride = {stride[d], stride[d + 1]}};
}

/* One panel of one product. False: no memory for the copies that it needs. */
static bool run_panel(const struct step *s, const struct cursor *c, int64_t panel) {
  struct kernel_matrix a = matrix(c, 0, s->ndim), b = matrix(c, 1, s->ndim), o = matrix(c, 2, s->ndim);
  int64_t first = panel * s->panel, m = s->m, n = s->n;
  if (s->panel_rows) {
    m = s->m - first < s->panel ? s->m - first : s->panel;
    a.data += first * a.stride[0];
    o.data += first * o.stride[0];
  } else {
    n = s->n - first < s->panel ? s->n - first : s->panel;
    b.data += first * b.stride[1];
    o.data += first * o.stride[1];
  }
  int64_t bytes = kernel_matmul_scratch(s->dtype, m, n, s->k, a.stride, b.stride, o.stride);
  void *scratch = NULL;
  if (bytes > 0 && posix_memalign(&scratch, 64, (size_t)bytes) != 0)
    return false;
  kernel_matmul(s->dtype, m, n, s->k, a, b, o, scratch);
  free(scratch);
  return true;
}

static void product_task(void *arg, int64_t task) {
  const struct product_job *j = arg;
  const struct step *s = j->step;
  int64_t unit = task / j->n_panels * j->units_a_task, last = unit + j->units_a_task;
  struct cursor c;
  if (last > s->n_units)
    last = s->n_units;
  cursor_seek(&c, j->call, s, 0, s->ndim, unit);
  for (; unit < last && !call_given_up(j->call); unit++, cursor_next(&c))
    if (!run_panel(s, &c, task % j->n_panels))
      atomic_fetch_or_explicit(&j->call->flags, CALL_NO_MEMORY, memory_order_relaxed);
}

void product_run(struct call *call, const struct step *s) {
  struct product_job j = {.call = call, .step = s, .units_a_task = 1};
  if (s->empty)
    return;
  int64_t side = s->panel_rows ? s->m : s->n;
  j.n_panels = (side + s->panel - 1) / s->panel;
  double flops = 2.0 * (double)s->m * (double)s->n * (double)s->k;
  if (flops < SMALL_TASK_FLOPS)
    j.units_a_task = 1 + (int64_t)(SMALL_TASK_FLOPS / (flops + 1));
  int64_t tasks = (s->n_units + j.units_a_task - 1) / j.units_a_task * j.n_panels;
  pool_run(s->parallel ? call->pool : NULL, tasks, product_task, &j);
}
