/* Inside of a plan: what the lower files, the plan files, loops.c and the exec files share.
 *
 * A program is lowered to nodes: one kernel each, over values of known dtype and shape, with every
 * cast explicit (lower.c). Nodes are gathered into groups (plan_groups.c), which become steps (plan_steps.c):
 * a fused group of elementwise nodes, perhaps with reductions at its end, one product, or one array kernel. A
 * step addresses memory by places: a base, which a call provides, and an offset. Within a group values live
 * in registers: blocks of elements that stay in L1.
 *
 * Values that are looked at or written in parts have views: a base value, an offset and strides. Such a base
 * lives in memory, in C order unless it is a binding. A buffer is a value that several nodes write, each
 * through a view of its own. */
#ifndef NUMD_SERVER_PLAN_IMPL_H
#define NUMD_SERVER_PLAN_IMPL_H

#include <stdbool.h>
#include <stdint.h>

#include "protocol/program.h"
#include "server/kernels/array.h"
#include "server/kernels/whole.h"
#include "server/plan.h"

/* ---- Lowered program ---- */

enum value_kind { VALUE_BINDING, VALUE_SCALAR, VALUE_CONSTANT, VALUE_NODE, VALUE_BUFFER, VALUE_VIEW };

struct value {
  uint8_t kind;
  uint8_t from; /* a converted constant: the dtype it was given in */
  bool weak;
  bool is_output;       /* NODE, BUFFER: an output claimed it; it lives in that binding or the result */
  bool in_c_order;      /* NODE, BUFFER: it lives in memory in C order, for somebody counts on that */
  uint32_t index;       /* binding, byte offset in the constants or scalars, node, or the view's base */
  uint32_t last;        /* BUFFER: nodes index .. last-1 write it */
  uint32_t output;      /* where is_output */
  int64_t offset;       /* VIEW: bytes from the base's first element */
  struct layout layout; /* strides are meant for bindings and views, and where in_c_order */
  uint64_t bits;        /* VALUE_CONSTANT: the value as given */
};

enum node_kind { NODE_MAP, NODE_REDUCE, NODE_PRODUCT, NODE_ARRAY };

struct node {
  uint8_t kind, n_in;
  uint8_t op;    /* numd_op, as a name */
  uint8_t dtype; /* what it computes in */
  uint8_t acc;   /* reduce: the dtype that it accumulates in and gives */
  uint32_t in[NUMD_OP_MAX_IN];
  uint32_t out; /* the value that it gives, or a view of the buffer that it writes; of ARRAY the first of
                   several */
  kernel_map_fn map;
  kernel_reduce_fn reduce;
  struct array_job *job; /* ARRAY */
  uint32_t axes;         /* reduce: of the input */
  bool is_laying_out;    /* map: copies a result into an output that is not in C order, see lower.c */
  unsigned cost_ps;
};

/* A weak scalar that a call brings, converted into the dtype that is computed in. */
struct scalar_use {
  uint32_t binding, offset;
  uint8_t from, to;
};

#define CONSTANT_BYTES 4096
#define SCALAR_BYTES 2048

struct lowered {
  struct value *values;
  uint32_t n_values, values_cap;
  struct node *nodes;
  uint32_t n_nodes, nodes_cap;
  struct scalar_use scalars[SCALAR_BYTES / MAX_ITEM_BYTES];
  uint32_t n_scalars;
  _Alignas(MAX_ITEM_BYTES) char constants[CONSTANT_BYTES];
  uint32_t constants_used;
  uint32_t n_outputs;
  struct layout outputs[MAX_OUTPUTS];
  uint8_t output_kinds[MAX_OUTPUTS];
  uint32_t output_bindings[MAX_OUTPUTS]; /* binding numbers; of OUTPUT_ARRAY alone */
  uint32_t output_values[MAX_OUTPUTS];   /* values that live in the outputs */
  uint32_t n_bindings;
  struct layout bindings[MAX_BINDINGS]; /* of arrays */
  uint8_t binding_kinds[MAX_BINDINGS];  /* enum binding_kind */
};

enum binding_kind { BIND_INPUT, BIND_SCALAR, BIND_OUTPUT };

/* 0, a positive status with a sentence, or -ENOMEMORY. *out is initialised in any case. */
int lower_program(const struct program *program, struct lowered *out, struct errtext *err);
void lowered_deinit(struct lowered *lowered);

/* ---- Steps ---- */

/* Bases of a call: its bindings, then these. */
enum { BASE_SCRATCH = MAX_BINDINGS, BASE_CONSTANTS, BASE_SCALARS, BASE_RESULT, BASE_REDIRECT, N_BASES };

struct place {
  uint16_t base;
  int64_t offset;
};

#define MAX_LOOPS (MAX_DIMS + 1) /* a reduction over no axes gets a loop of its own */

/* Memory that a step reads or writes: a place and its byte strides in the step's loops. */
struct memory {
  struct place place;
  bool written;
  uint8_t item_bytes;
  int64_t stride[MAX_LOOPS];
};

#define MAX_MEMORIES 96
#define MAX_REGISTERS 64
#define BLOCK_MAX 4096
#define BLOCK_BUDGET 32768 /* bytes of L1 for the blocks of a step */

/* One kernel call a block. Arguments below n_memories are memories, others registers. */
struct instruction {
  kernel_map_fn fn;
  uint8_t n_args;
  uint16_t arg[4];
  int64_t stride[4]; /* along the innermost loop */
  uint32_t node;
};

/* A reduction at the end of a group. `source` as an instruction's argument. */
struct reduction {
  kernel_reduce_fn fn;
  kernel_map_fn combine, copy; /* of accumulators */
  kernel_rows_fn rows;         /* as fn, side by side */
  uint16_t source;
  int64_t source_stride;
  uint8_t acc_bytes;
  uint8_t identity_bytes; /* 0: none */
  bool stops;             /* any and all: an accumulator that differs from the identity decides */
  _Alignas(8) char identity[MAX_ITEM_BYTES];
  uint16_t target;  /* memory, with stride 0 along reduced loops */
  int64_t partials; /* offset of partial results in scratch */
};

/* Partial results of a reduction are combined in a cascade of so many levels; those of rows lie in the
 * thread's arena and take so many bytes at most. */
#define CASCADE_LEVELS 11
#define CASCADE_BYTES (180 * 1024)

enum step_kind { STEP_MAP, STEP_REDUCE_INNER, STEP_REDUCE_ROWS, STEP_PRODUCT, STEP_ARRAY };

/* Loops are outermost first. In reductions the kept loops and the reduced ones are contiguous:
 * INNER: kept loops, then reduced ones. ROWS: kept loops but the last, reduced ones, the last kept. */
struct step {
  uint8_t kind;
  uint8_t ndim, n_kept, n_reduced;
  bool empty;    /* nothing to do, or identities to store */
  bool parallel; /* worth sharing out */
  bool tiled;    /* MAP: the outer loops run inside each block of the innermost one, not around all of them */
  bool turned;   /* MAP, tiled: one copy, of what lies together along the loop before the innermost one */
  bool stream;   /* MAP: outputs go past the caches unless they are inputs too */
  uint8_t item_bytes; /* of a register's items: the widest dtype's, 8 at least */
  int64_t shape[MAX_LOOPS];
  int64_t block;        /* elements of a block along the innermost loop */
  int64_t n_kept_items; /* reductions: product of the kept loops */
  int64_t n_reduced_items;
  int64_t n_units; /* MAP: blocks in all. INNER: blocks to one kept element. ROWS: rows to one */
  int64_t chunk;   /* reductions: units (INNER) or rows (ROWS) to a partial result */
  int64_t n_chunks;
  int64_t wide; /* ROWS: so many rows, which lie end to end, are taken for one */
  uint64_t cost_ns;
  uint32_t n_memories, n_instructions, n_reductions, n_registers;
  struct memory *memories;
  struct instruction *instructions;
  struct reduction *reductions;
  /* Products: memories are A, B, C; the last two strides of each are its rows and columns. */
  uint8_t dtype;
  int64_t m, n, k;
  int64_t panel; /* columns or rows of C computed by one task */
  bool panel_rows;
  bool conjugate;       /* A, of complex vecdot */
  int64_t task_scratch; /* bytes */
  /* Array kernels: memories are the inputs, then the outputs. */
  struct array_job *job;
  const struct array_kernel *kernel;
  int64_t shared; /* offset of the kernel's scratch */
};

/* What a call's binding is checked against. */
struct bound {
  int64_t lo, hi; /* bytes touched, relative to the binding */
  uint8_t kind;   /* enum binding_kind */
  uint8_t align_mask;
  uint8_t scalar_dtype;
  uint64_t exact_ok; /* outputs: inputs that may be the very same array */
};

/* A plan that is one kernel over a few arrays that are bound, in one block: the smallest and most
 * frequent calls. n is 0 for any other plan. Its output, if it has one, is the last binding. */
#define ONE_KERNEL_BINDINGS 4
struct one_kernel {
  kernel_map_fn fn;
  kernel_reduce_fn reduce; /* or this, into the result */
  int64_t n;
  int64_t stride[4];
  uint8_t n_args, binding[4];
};

struct plan {
  uint32_t n_bindings;
  int result_dtype; /* -1: none */
  uint64_t outputs_mask;
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

/* One value inside a group that is being made into a step; built by plan.c, arranged by loops.c. */
struct step *step_new(uint32_t n_memories, uint32_t n_instructions, uint32_t n_reductions);
void step_free(struct step *step);

/* Orders and joins the loops of a map step or a reduction over `axes`, chooses blocks and chunks, adds what
 * scratch it needs to *scratch_bytes. The step's memories have strides for `ndim` loops of `shape` in program
 * order. */
void loops_arrange(struct step *step, int ndim, const int64_t shape[], uint32_t axes, int64_t *scratch_bytes);

#define PARALLEL_MIN_NS 100000 /* steps below this are not worth waking another core */

#endif
