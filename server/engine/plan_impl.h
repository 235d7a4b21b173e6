/* SPDX-License-Identifier: BSD-3-Clause */
/* Inside of a plan: what the files of the engine that make plans and run them share.
 *
 * A program is lowered to nodes: one kernel each, over values of known dtype and shape, with every
 * cast explicit (lower.c). Nodes are gathered into groups (plan_groups.c), and each group becomes a step
 * (plan_steps.c): fused elementwise nodes, perhaps with reductions, or one product, or one array kernel. A
 * step addresses memory by places: a base, which a call provides, and an offset. Within a step values live
 * in registers: blocks of elements that stay in the L1 cache.
 *
 * A value that is read or written in parts has views: each is a base value, an offset and strides. The base
 * of a view lives in memory, in C order unless it is a binding. A buffer is a value that several nodes write,
 * each through a view of its own. */
#ifndef NUMD_SERVER_ENGINE_PLAN_IMPL_H
#define NUMD_SERVER_ENGINE_PLAN_IMPL_H

#include <stdbool.h>
#include <stdint.h>

#include "protocol/program.h"
#include "server/engine/plan.h"
#include "server/kernels/array.h"
#include "server/kernels/size_math.h"

/* ---- Lowered program ---- */

enum value_kind { VALUE_BINDING, VALUE_SCALAR, VALUE_CONSTANT, VALUE_NODE, VALUE_BUFFER, VALUE_VIEW };

struct value {
  uint8_t kind;
  uint8_t from; /* a converted constant: the dtype it was given in */
  bool weak;
  bool is_output;  /* NODE, BUFFER: it lives in an output's binding, or is the result */
  bool in_c_order; /* NODE, BUFFER: it must live in memory in C order, for views or array kernels read it */
  uint32_t index;  /* number of the binding, the node or the view's base; CONSTANT, SCALAR: byte offset */
  uint32_t last;   /* BUFFER: nodes index .. last-1 write it */
  uint32_t output; /* which output, if is_output */
  int64_t offset;  /* VIEW: bytes from the base's first element */
  struct layout layout; /* its strides count in bindings, views, and if in_c_order */
  uint64_t bits;        /* CONSTANT: the value as given */
};

enum node_kind { NODE_MAP, NODE_REDUCE, NODE_PRODUCT, NODE_ARRAY };

struct node {
  uint8_t kind, n_in;
  uint8_t op;    /* numd_op */
  uint8_t dtype; /* in which it computes */
  uint8_t acc;   /* REDUCE: the dtype in which it accumulates, and which it gives */
  uint32_t in[NUMD_OP_MAX_IN];
  uint32_t out; /* the value that it gives, or a view of the buffer that it writes; ARRAY: the first of its
                   values, which follow each other */
  kernel_map_fn map;
  kernel_reduce_fn reduce;
  struct array_job *job; /* ARRAY */
  uint32_t axes;         /* REDUCE: the axes of the input that are reduced */
  bool is_laying_out;    /* MAP: copies a result into an output that is not in C order (lower.c) */
  unsigned cost_ps;      /* an element */
};

/* How many values the node gives: `out` and those that follow it. */
static inline uint32_t node_n_results(const struct node *n) {
  return n->kind == NODE_ARRAY ? op_rows[n->op].n_out : 1;
}

/* A weak scalar that each call brings in a binding and converts, before it runs, to the dtype that kernels
 * want. */
struct scalar_use {
  uint32_t binding, offset; /* offset: of the converted item in the call's scalars */
  uint8_t from, to;         /* dtypes */
};

#define CONSTANT_BYTES 4096
#define SCALAR_BYTES 2048

struct lowered {
  struct value *values;
  uint32_t n_values;
  size_t values_room;
  struct node *nodes;
  uint32_t n_nodes;
  size_t nodes_room;
  struct scalar_use scalars[SCALAR_BYTES / MAX_ITEM_BYTES];
  uint32_t n_scalars;
  _Alignas(MAX_ITEM_BYTES) char constants[CONSTANT_BYTES];
  uint32_t constants_used;
  uint32_t n_outputs;
  struct layout outputs[MAX_OUTPUTS];
  uint8_t output_kinds[MAX_OUTPUTS];
  uint32_t output_bindings[MAX_OUTPUTS]; /* OUTPUT_ARRAY: number of the binding */
  uint32_t output_values[MAX_OUTPUTS];   /* the value that lives in each output */
  uint32_t n_bindings;
  struct layout bindings[MAX_BINDINGS]; /* of arrays */
  uint8_t binding_kinds[MAX_BINDINGS];  /* enum binding_kind */
};

enum binding_kind { BIND_INPUT, BIND_SCALAR, BIND_OUTPUT };

/* 0, a positive status with a sentence, or -ENOMEM; *out needs lowered_deinit in any case. */
int lower_program(const struct program *program, struct lowered *out, struct errtext *err);
void lowered_deinit(struct lowered *lowered);

/* ---- Steps ---- */

/* Bases: the addresses that a call provides. First its bindings by number, then these. */
enum { BASE_SCRATCH = MAX_BINDINGS, BASE_CONSTANTS, BASE_SCALARS, BASE_RESULT, BASE_REDIRECT, N_BASES };

struct place {
  uint16_t base;
  int64_t offset;
};

#define MAX_LOOPS (MAX_DIMS + 1) /* a reduction over no axes gets one more loop, of length 1 */

/* Memory that a step reads or writes: a place and its byte strides in the step's loops. */
struct memory {
  struct place place;
  bool written;
  uint8_t item_bytes;
  int64_t stride[MAX_LOOPS];
};

#define MAX_MEMORIES 96
#define MAX_REGISTERS 64
#define MAX_REDUCTIONS 4
#define BLOCK_MAX 4096
#define BLOCK_BUDGET 32768 /* bytes of L1 for the blocks of a step */

/* A kernel that a step calls once for each block. Arguments are numbers of slots: those below n_memories are
 * memories, the others registers. */
struct instruction {
  kernel_map_fn fn;
  uint8_t n_args;
  uint16_t arg[4];
  int64_t stride[4]; /* along the innermost loop */
  uint32_t node;
};

/* A reduction at the end of a step. */
struct reduction {
  kernel_reduce_fn fn;
  kernel_map_fn combine, copy; /* two accumulators into one; an accumulator */
  kernel_rows_fn rows;         /* as fn, for many reductions side by side */
  uint16_t source;             /* a slot, as an argument of an instruction */
  int64_t source_stride;
  uint8_t acc_bytes;
  uint8_t identity_bytes; /* 0: none */
  bool stops;             /* any, all: an accumulator that differs from the identity is the result */
  _Alignas(8) char identity[MAX_ITEM_BYTES];
  uint16_t target;  /* the memory of the result, with stride 0 along reduced loops */
  int64_t partials; /* offset of the partial results in scratch */
};

/* Partial results of a reduction are combined in a cascade (exec_reduce.c) of so many levels; the cascades of
 * a ROWS step lie in the thread's arena and take so many bytes at most. */
#define CASCADE_LEVELS 11
#define CASCADE_BYTES (180 * 1024)

enum step_kind { STEP_MAP, STEP_REDUCE_INNER, STEP_REDUCE_ROWS, STEP_PRODUCT, STEP_ARRAY };

/* A step: one run of loops over memories. Loops are numbered from the outermost. Of a reduction, INNER has
 * the kept loops, then the reduced ones; ROWS has the kept loops but one, then the reduced ones, then the
 * last kept one. */
struct step {
  uint8_t kind;
  uint8_t ndim, n_kept, n_reduced;
  bool empty;    /* it has no elements: nothing to do, or, in reductions, only identities to store */
  bool parallel; /* worth sharing out over cores */
  bool tiled;    /* MAP: for each block of the innermost loop all other loops run, not the other way round */
  bool transposing; /* MAP, tiled: a copy whose input is contiguous along the loop before the innermost one */
  bool nontemporal; /* MAP: outputs are written past the caches, unless a call has them as inputs too */
  uint8_t item_bytes; /* room for an item of a register: the widest dtype's size, 8 at least */
  int64_t shape[MAX_LOOPS];
  int64_t block;        /* elements of a block along the innermost loop */
  int64_t n_kept_items; /* reductions: product of the kept loops */
  int64_t n_reduced_items;
  int64_t n_units; /* MAP: blocks. INNER, ROWS: blocks, rows reduced to one result. PRODUCT: products */
  int64_t chunk;   /* reductions: units to a partial result. PRODUCT: of k, to a partial product */
  int64_t n_chunks;
  int64_t wide; /* ROWS: so many rows, which lie end to end, are added up as one row */
  uint64_t cost_ns;
  uint32_t n_memories, n_instructions, n_reductions, n_registers;
  struct memory *memories;
  struct instruction *instructions;
  struct reduction *reductions;
  /* PRODUCT: memories are A, B, C; behind the strides of the loops each has those of its rows and columns. */
  uint8_t dtype;
  int64_t m, n, k;
  int64_t panel;   /* rows or columns of C that one task computes */
  bool panel_rows; /* rows, not columns */
  bool conjugate;  /* complex vecdot: A is conjugated */
  /* ARRAY: memories are the inputs, then the outputs. */
  struct array_job *job;
  const struct array_kernel *kernel;
  int64_t shared; /* offset in scratch of what the kernel's units share */
};

/* What a call's binding is checked against. */
struct bound {
  int64_t lo, hi;       /* the bytes that the plan touches, relative to the binding */
  uint8_t kind;         /* enum binding_kind */
  uint8_t align_mask;   /* bits of the offset that must be 0 */
  uint8_t scalar_dtype; /* BIND_SCALAR */
  uint64_t exact_ok;    /* outputs: bit i for each input i that may be the very same array */
};

/* A plan that is one kernel, called once on a few bindings: what the smallest and most frequent calls are. n
 * is 0 for any other plan. Its output, if it has one, is the last binding. */
#define ONE_KERNEL_BINDINGS 4
struct one_kernel {
  kernel_map_fn fn;
  kernel_reduce_fn reduce; /* if not NULL: this instead of fn, into the result */
  int64_t n;
  int64_t stride[4];
  uint8_t n_args, binding[4];
};

struct plan {
  uint32_t n_bindings;
  int result_dtype;      /* -1: none */
  uint64_t outputs_mask; /* bit i: binding i is an output */
  struct one_kernel one;
  struct bound bounds[MAX_BINDINGS];
  struct step *copy_back[MAX_BINDINGS]; /* outputs: from BASE_REDIRECT to the binding */
  uint32_t n_outputs;
  struct layout outputs[MAX_OUTPUTS];
  uint8_t output_kinds[MAX_OUTPUTS];
  struct scalar_use *scalars;
  uint32_t n_scalars;
  char *constants;
  uint32_t n_constant_bytes;
  uint32_t n_steps;
  struct step **steps;
  int64_t scratch_bytes;
  uint64_t cost_ns;
  bool parallel;
  char *text; /* for plan_explain */
};

/* A step with room for so many memories, instructions and reductions, all zeros; NULL if out of memory. */
struct step *step_new(uint32_t n_memories, uint32_t n_instructions, uint32_t n_reductions);
void step_free(struct step *step);

/* Orders and joins the loops of a map step or of a reduction over `axes`, chooses blocks and chunks, and adds
 * the scratch that partial results need to *scratch_bytes. Before it, the step's memories have strides for
 * `ndim` loops of `shape`, in the order of the program's axes. (loop_nest.c) */
void loops_arrange(struct step *step, int ndim, const int64_t shape[], uint32_t axes, int64_t *scratch_bytes);

#define PARALLEL_MIN_NS 100000 /* steps below this are not worth waking another core */

#endif
