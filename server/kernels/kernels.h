/* SPDX-License-Identifier: BSD-3-Clause */
/* Kernels: pure functions of checked addresses, strides and counts. They allocate nothing, know
 * neither requests nor sessions, and cannot fail for their arguments.
 *
 * Contract of all of them:
 *  - Counts are in elements, strides in bytes and of either sign, 0 for one value repeated.
 *  - Addresses and strides are multiples of the dtype's alignment; nothing more is assumed (vector
 *    loads are unaligned ones).
 *  - Aliasing: an input may be exactly the output (same address, same stride, same item size);
 *    otherwise they do not overlap. Inputs may overlap each other in any way.
 *  - A bool is read as "byte != 0" (memory shared with others may hold any byte) and written 0 or 1.
 *  - Integers wrap around. Float results follow IEEE 754: NaN, infinities and signed zero survive.
 *  - Memory may change while a kernel reads it: results are then unspecified, but no kernel here
 *    takes an address or a loop bound from data.
 *
 * A file that ends in .isa.c has a family of loops and is compiled once for each instruction set (see
 * kernels.mk, and variants in kernels.c); `kernels_init` chooses at run time. */
#ifndef NUMD_SERVER_KERNELS_KERNELS_H
#define NUMD_SERVER_KERNELS_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/list.h"

/* Facts about the data that a map kernel reports, or-ed together; 0 where there is nothing to say. */
enum {
  KERNEL_NEGATIVE_POWER = 1, /* an integer was to be raised to a negative power */
  KERNEL_INDEX = 2,          /* an index was out of bounds */
  KERNEL_SINGULAR = 4,       /* a matrix has no inverse */
  KERNEL_DEFINITE = 8,       /* a matrix is not positive definite */
  KERNEL_CONVERGE = 16,      /* an iteration did not converge, or would not for Inf and NaN */
  KERNEL_VALUE = 32,         /* another value that the operation refuses */
};

/* The status that flags come to; 0 if there are none. */
int kernel_flags_status(unsigned flags);

/* out[i] = f(in0[i], ...) for i < n. ptr and stride hold the inputs, then the output.
 * Returns KERNEL_* flags. n may be 0. */
typedef unsigned (*kernel_map_fn)(int64_t n, char *const ptr[], const int64_t stride[]);

/* *acc = in[0] op in[1] op ... in[n-1], for n >= 1. Sums of floats are pairwise or better over n. */
typedef void (*kernel_reduce_fn)(int64_t n, const char *in, int64_t stride, char *acc);

/* Reductions side by side: acc[j] = in(0, j) op in(1, j) op ... in(rows-1, j) for j < n, from left to right,
 * where in(r, j) is at in + r * row_stride + j * stride and acc is contiguous; rows >= 1. With `more` the
 * terms are added to what acc holds. */
typedef void (*kernel_rows_fn)(int64_t rows, int64_t n, const char *in, int64_t row_stride, int64_t stride,
                               char *acc, bool more);

/* Chooses the instruction set: one of kernels_isa_names, or NULL for the best that this CPU has.
 * -ENOTSUP if the CPU lacks it or the name is unknown. Called once before any lookup; a second call
 * changes the choice (tests do). */
int kernels_init(const char *isa);
const char *kernels_isa(void);
extern const char *const kernels_isa_names[]; /* worst first, NULL-terminated; those built in */

/* The loop of a MAP operation that computes in `dtype`: all inputs have it (for `where` all but the
 * first, which is bool) and the output has op_map_result(op, dtype). NULL: there is none.
 * There is one for each dtype whose kind the row names, but: operations of typing FLOAT and QUOTIENT have
 * loops for real and complex dtypes alone, and those of typing LOGICAL none for complex ones.
 * COPY is defined for every dtype; ASTYPE is not here but kernel_cast. */
kernel_map_fn kernel_map(numd_op op, numd_dtype dtype);

/* Copies n items of `size` (1, 2, 4, 8 or 16) bytes, both contiguous, past the caches where the instruction
 * set can: for outputs that will not be read soon. Ends with the fence that such stores need. */
void kernel_nontemporal_copy(int64_t n, int size, const char *from, char *to);

/* Copies rows x cols items of 1, 2, 4, 8 or 16 bytes to rows that are to_step bytes apart. Where they come
 * from, columns are from_step bytes apart and the items of each lie together. The two do not overlap. */
void kernel_transpose_copy(int item, int64_t rows, int64_t cols, const char *from, int64_t from_step,
                           char *to, int64_t to_step);

/* One input of dtype `from`, output of dtype `to`; equal ones copy. Float to integer truncates;
 * NaN and out-of-range values give the same bits as NumPy's C cast on x86-64 (the minimum of the type) and
 * are not undefined behaviour. To bool: x != 0 (NaN is true). Never NULL for known dtypes. */
kernel_map_fn kernel_cast(numd_dtype from, numd_dtype to);

/* A reduction of items of dtype `in`; *acc gets the dtype that it accumulates in, which that of its result is
 * converted from: SUM and PROD accumulate as the list says (SUM and PROD of bool and signed integers in
 * int64, unsigned in uint64, reals in float64, complex in complex128), COUNT_NONZERO in int64, MAX and MIN in
 * their own dtype, ANY and ALL in bool (as max and min of 0 and 1). Others are composed of these by their
 * plan. NULL: no such loop; then the input is first cast to *acc, for which there is a loop (bool for
 * COUNT_NONZERO, ANY and ALL). */
kernel_reduce_fn kernel_reduce(numd_op op, numd_dtype in, numd_dtype *acc);

/* The same side by side; there is one wherever kernel_reduce has a loop. */
kernel_rows_fn kernel_reduce_rows(numd_op op, numd_dtype in);

/* The map operation that combines two partial results of a reduction (ADD for SUM, ...), on the dtype in
 * which it accumulates; also how whole rows are accumulated. */
numd_op kernel_reduce_combine(numd_op op);

/* The identity in acc_dtype, written as 16 bytes at most; 0 if the operation has none (MAX, MIN). */
int kernel_reduce_identity(numd_op op, numd_dtype acc_dtype, void *out);

/* One matrix operand: element (i, j) is at data + i * stride[0] + j * stride[1] bytes. */
struct kernel_matrix {
  char *data;
  int64_t stride[2];
};

/* C (m x n) = A (m x k) B (k x n), all of `dtype` (bool: or of ands; integers wrap). C does not
 * overlap A or B. Real and complex floats go to BLAS with one thread, where a stride of one operand
 * forces a copy it is made in `scratch`. Thread-safe. k may be 0 (C is then zero).
 * The caller may split C into panels of columns or rows and compute them concurrently. */
void kernel_matmul(numd_dtype dtype, int64_t m, int64_t n, int64_t k, struct kernel_matrix a,
                   struct kernel_matrix b, struct kernel_matrix c, void *scratch);

/* Bytes of scratch that kernel_matmul needs for these arguments; 0 if none. -1: no such product. */
int64_t kernel_matmul_scratch(numd_dtype dtype, int64_t m, int64_t n, int64_t k, const int64_t a_stride[2],
                              const int64_t b_stride[2], const int64_t c_stride[2]);

/* Whether loops are faster for it than calls of kernel_matmul: then a batch of `count` such products may be
 * had in one call, without scratch. batch: bytes from one to the next of A, B and C. The results have the
 * same bits. */
bool kernel_matmul_is_small(numd_dtype dtype, int64_t m, int64_t n, int64_t k);
void kernel_matmul_batch(numd_dtype dtype, int64_t count, int64_t m, int64_t n, int64_t k,
                         struct kernel_matrix a, struct kernel_matrix b, struct kernel_matrix c,
                         const int64_t batch[3]);

/* *c = the sum of conj(a[i]) b[i], complex64 or complex128. Strides in bytes. */
void kernel_vdot(numd_dtype dtype, int64_t k, const char *a, int64_t a_stride, const char *b,
                 int64_t b_stride, char *c);

/* Rough time of one element of a map or reduce loop in L1, in picoseconds: for deciding what is worth
 * splitting. */
unsigned kernel_cost_ps(numd_op op, numd_dtype dtype);

#endif
