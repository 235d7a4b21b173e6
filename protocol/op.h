/* Operations: the one list. The enum, names, wire, kernel tables, Python functions, the page that
 * `numdctl ops` prints and the tests that loop over all operations expand from it.
 *
 * A new elementwise operation is a row here, a kernel expression in server/kernels/map.c and its
 * line of documentation, which is the last column of the row. */
#ifndef NUMD_PROTOCOL_OP_H
#define NUMD_PROTOCOL_OP_H

/* X(number, NAME, name, class, inputs, typing, ulp, documentation)
 *
 * class   MAP      elementwise, with broadcasting
 *         REDUCE   over any set of axes, with keepdims
 *         PRODUCT  sums of products over an axis (matmul, dot)
 * typing  what the operation computes in, from the promoted dtype T of its inputs:
 *         ANY      computes in T, gives T
 *         NUMBER   as ANY, but bool is refused
 *         FLOAT    bool and integers become float64; gives that
 *         COMPARE  computes in T, gives bool
 *         SELECT   the first input is bool, the others promote to T; gives T
 *         ASTYPE   gives the dtype that the request names, by value conversion
 *         SUM      bool and integers accumulate in int64, float32 in float64; gives int64 or T
 *         LOGICAL  converts to bool (x != 0), gives bool
 *         MEAN     as FLOAT, accumulates in float64
 * ulp     the largest error of the float64 result in units in the last place; 0.5 is correctly rounded;
 *         0 where no rounding takes place or the error depends on the number of terms */
#define NUMD_OP_LIST(X)                                                                         \
  X(1, ADD, add, MAP, 2, ANY, 0.5, "x1 + x2; logical or for bool")                              \
  X(2, SUBTRACT, subtract, MAP, 2, NUMBER, 0.5, "x1 - x2")                                      \
  X(3, MULTIPLY, multiply, MAP, 2, ANY, 0.5, "x1 * x2; logical and for bool")                   \
  X(4, DIVIDE, divide, MAP, 2, FLOAT, 0.5, "x1 / x2 as real numbers")                           \
  X(5, NEGATIVE, negative, MAP, 1, NUMBER, 0, "-x")                                             \
  X(6, ABS, abs, MAP, 1, ANY, 0, "absolute value")                                              \
  X(7, SQRT, sqrt, MAP, 1, FLOAT, 0.5, "square root; NaN below zero")                           \
  X(8, EXP, exp, MAP, 1, FLOAT, 1, "e to the power x")                                          \
  X(9, LOG, log, MAP, 1, FLOAT, 1, "natural logarithm; -inf at zero, NaN below")                \
  X(10, SIN, sin, MAP, 1, FLOAT, 1, "sine of x in radians")                                     \
  X(11, COS, cos, MAP, 1, FLOAT, 1, "cosine of x in radians")                                   \
  X(12, TANH, tanh, MAP, 1, FLOAT, 1, "hyperbolic tangent")                                     \
  X(13, POWER, power, MAP, 2, NUMBER, 1, "x1 to the power x2; integers refuse negative powers") \
  X(14, MAXIMUM, maximum, MAP, 2, ANY, 0, "the greater; NaN if either is")                      \
  X(15, MINIMUM, minimum, MAP, 2, ANY, 0, "the smaller; NaN if either is")                      \
  X(16, EQUAL, equal, MAP, 2, COMPARE, 0, "x1 == x2")                                           \
  X(17, NOT_EQUAL, not_equal, MAP, 2, COMPARE, 0, "x1 != x2")                                   \
  X(18, LESS, less, MAP, 2, COMPARE, 0, "x1 < x2")                                              \
  X(19, LESS_EQUAL, less_equal, MAP, 2, COMPARE, 0, "x1 <= x2")                                 \
  X(20, GREATER, greater, MAP, 2, COMPARE, 0, "x1 > x2")                                        \
  X(21, GREATER_EQUAL, greater_equal, MAP, 2, COMPARE, 0, "x1 >= x2")                           \
  X(22, WHERE, where, MAP, 3, SELECT, 0, "x2 where x1 is true, else x3")                        \
  X(23, COPY, copy, MAP, 1, ANY, 0, "the same values")                                          \
  X(24, ASTYPE, astype, MAP, 1, ASTYPE, 0.5, "the same values in another dtype")                \
  X(40, SUM, sum, REDUCE, 1, SUM, 0, "sum, pairwise over blocks")                               \
  X(41, PROD, prod, REDUCE, 1, SUM, 0, "product")                                               \
  X(42, MAX, max, REDUCE, 1, ANY, 0, "largest; NaN if any is; an empty array is refused")       \
  X(43, MIN, min, REDUCE, 1, ANY, 0, "smallest; NaN if any is; an empty array is refused")      \
  X(44, MEAN, mean, REDUCE, 1, MEAN, 0, "arithmetic mean; NaN of an empty array")               \
  X(45, ANY, any, REDUCE, 1, LOGICAL, 0, "whether any element is true")                         \
  X(46, ALL, all, REDUCE, 1, LOGICAL, 0, "whether all elements are true")                       \
  X(60, MATMUL, matmul, PRODUCT, 2, ANY, 0, "matrix product with broadcast batch dimensions")   \
  X(61, DOT, dot, PRODUCT, 2, ANY, 0, "sum over the last axis of x1 and the last but one of x2")

#define NUMD_OP_CODES 64 /* operation numbers are below this */

typedef enum {
#define X(number, NAME, name, class, n_in, typing, ulp, doc) NUMD_OP_##NAME = number,
  NUMD_OP_LIST(X)
#undef X
} numd_op;

#endif
