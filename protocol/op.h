/* SPDX-License-Identifier: BSD-3-Clause */
/* Operations: the one list. Enum, names, messages, kernel tables, Python functions, the page that `numdctl
 * ops` prints and the tests that loop over all operations expand from it.
 *
 * A new elementwise operation is a row here, with its line of documentation in the last column, and a kernel
 * expression in server/kernels/. Names are those of the Python array API standard, and NumPy's for what the
 * standard has no function for. */
#ifndef NUMD_PROTOCOL_OP_H
#define NUMD_PROTOCOL_OP_H

#include <stdint.h>

/* Types of parameters: X(NAME, the value that a message asks for, the type that Python signatures show). The
 * type says which member of struct op_params keeps the value, so an operation takes at most one parameter of
 * each type, except FLAG: a flag is nothing but its bit. MASK has a bit for each axis. */
#define NUMD_PARAM_TYPE_LIST(X)                 \
  X(MASK, "axes", "int or tuple of int")        \
  X(FLAG, "true or false", "bool")              \
  X(DTYPE, "dtype", "dtype")                    \
  X(AXIS, "axis, negative from the end", "int") \
  X(N, "integer", "int")                        \
  X(K, "integer", "int")                        \
  X(REAL, "number", "float")                    \
  X(LIST0, "integers", "int or tuple of int")   \
  X(LIST1, "integers", "int or tuple of int")   \
  X(LIST2, "integers", "int or tuple of int")

/* Parameters: X(bit, NAME, name, type, documentation) */
#define NUMD_PARAM_LIST(X)                                                                            \
  X(0, AXES, axes, MASK, "axes to reduce or to work along; all if absent")                            \
  X(1, KEEPDIMS, keepdims, FLAG, "keep the reduced axes with length 1")                               \
  X(2, DTYPE, dtype, DTYPE, "dtype of the result")                                                    \
  X(3, AXIS, axis, AXIS, "the axis to work along")                                                    \
  X(4, CORRECTION, correction, REAL, "subtracted from the number of elements in the divisor")         \
  X(5, INITIAL, include_initial, FLAG, "begin with the value of no elements")                         \
  X(6, N, n, N, "how often")                                                                          \
  X(7, DESCENDING, descending, FLAG, "from the largest to the smallest")                              \
  X(8, STABLE, stable, FLAG, "equal elements keep their order (they always do)")                      \
  X(9, RIGHT, right, FLAG, "behind equal elements instead of before them")                            \
  X(10, INVERT, invert, FLAG, "the contrary")                                                         \
  X(11, SHAPE, shape, LIST0, "lengths of the result")                                                 \
  X(12, REPETITIONS, repetitions, LIST0, "how often along each axis")                                 \
  X(13, SHIFT, shift, LIST0, "places to move by, one for each axis in `order`, or of the flat array") \
  X(14, ORDER, order, LIST1, "axes in order")                                                         \
  X(15, K, k, K, "diagonal: 0 the main one, positive above it")                                       \
  X(16, ENDPOINT, endpoint, FLAG, "whether the last value is the second input")                       \
  X(17, UPPER, upper, FLAG, "upper instead of lower triangle")                                        \
  X(18, FULL, full_matrices, FLAG, "square factors instead of reduced ones")                          \
  X(19, ORD, ord, REAL, "order of the norm")                                                          \
  X(20, NUCLEAR, nuclear, FLAG, "the nuclear norm")                                                   \
  X(21, RTOL, rtol, REAL, "singular values below this, times the largest, count as zero")             \
  X(22, START, start, LIST1, "first index along each axis")                                           \
  X(23, STEP, step, LIST2, "step along each axis")                                                    \
  X(24, AGAINST, against, LIST2, "axes of the second input")

/* What makes an operation fast: X(NAME, sentence) */
#define NUMD_FAST_LIST(X)                                                                                    \
  X(SIMD, "loops compiled for each instruction set, fused with their neighbours, shared out over the cores") \
  X(MATH, "vector mathematics of libmvec or SLEEF, fused with its neighbours, shared out over the cores")    \
  X(TREE,                                                                                                    \
    "vector accumulators in a tree of fixed shape, fused with what it reduces, shared out over the cores")   \
  X(FUSED, "composed of fused elementwise loops and reductions: few passes over memory")                     \
  X(COPY, "block copies in the order of memory, shared out over the cores")                                  \
  X(VIEW, "no data moves inside a program; one copy at its end")                                             \
  X(CHUNKS, "chunks counted, then written, shared out over the cores")                                       \
  X(SORT, "radix or merge sort of chunks, shared out over the cores")                                        \
  X(BLAS, "OpenBLAS on one thread a tile, tiles shared out over the cores; small ones by direct loops")      \
  X(LAPACK, "LAPACK on private copies; the matrices of a batch shared out over the cores")

/* Classes of operations: X(NAME, sentence) */
#define NUMD_OP_CLASS_LIST(X)                                                   \
  X(MAP, "Elementwise, with broadcasting")                                      \
  X(REDUCE, "Over any set of axes, with keepdims")                              \
  X(SCAN, "Along one axis, giving as many elements")                            \
  X(PRODUCT, "Sums of products over an axis")                                   \
  X(VIEW, "The same elements, arranged by strides alone")                       \
  X(MOVE, "Elements copied elsewhere, by their place alone")                    \
  X(ORDER, "Elements compared, searched, selected or placed by value or index") \
  X(MAKE, "New values from parameters")                                         \
  X(LINALG, "Factorisations and what follows from them, of the last two axes")

/* What an operation computes in, from the dtype T to which its inputs promote: X(NAME, sentence for tables,
 * sentence for the documentation of one operation) */
#define NUMD_OP_TYPING_LIST(X)                                                                              \
  X(ANY, "computes in the dtype T to which the inputs promote, gives T",                                    \
    "Computes in the promoted dtype of the operands.")                                                      \
  X(FLOAT, "bool and integers of 8 and 16 bits become float32, others float64; gives that",                 \
    "Bool and integers of 8 and 16 bits become float32, other integers float64.")                           \
  X(QUOTIENT, "bool and integers become float64; gives that", "Bool and integers become float64.")          \
  X(COMPARE, "computes in T, gives bool", "The result is bool.")                                            \
  X(PART, "computes in T, gives the real dtype of its parts",                                               \
    "The result has the real dtype of complex numbers.")                                                    \
  X(SELECT, "the first input is bool, the others promote to T; gives T",                                    \
    "The first operand is bool; the others promote to the dtype of the result.")                            \
  X(ASTYPE, "gives the dtype that is asked for, by value conversion", "")                                   \
  X(SUM,                                                                                                    \
    "bool and signed accumulate in int64, unsigned in uint64, and give that; floats accumulate in float64 " \
    "or "                                                                                                   \
    "complex128 and give T",                                                                                \
    "Bool and integers accumulate in int64, unsigned ones in uint64, reals in float64.")                    \
  X(LOGICAL, "converts to bool (x != 0), gives bool",                                                       \
    "Elements count as true if they are not zero; the result is bool.")                                     \
  X(MEAN,                                                                                                   \
    "bool and integers become float64, accumulates in float64 or complex128; var and std of complex are "   \
    "real",                                                                                                 \
    "Accumulates in float64 or complex128; bool and integers give float64.")                                \
  X(INDEX, "computes in T, gives int64", "The result is int64.")                                            \
  X(GATHER, "gives the first input's dtype; the second holds indices of integers or a mask of bool",        \
    "The result has the dtype of the first operand.")                                                       \
  X(GIVEN, "the dtype that is asked for", "")                                                               \
  X(OWN, "as its documentation says", "")

/* The outputs of an operation, of which those in `mask` (bit i: output i) are roomy: their length depends on
 * the data, so they have room for the longest. The last output then counts how much of their last axis is
 * used (of the first axis by extract). */
#define NUMD_ROOMY(outputs, mask) ((outputs) | (mask) << 8)
#define NUMD_OUTPUTS_COUNT(outputs) ((outputs)&0xff)
#define NUMD_OUTPUTS_ROOMY(outputs) ((outputs) >> 8)

/* X(number, NAME, name, class, inputs, outputs, kinds, typing, parameters, ulp, fast, documentation)
 *
 * inputs   how many; -1: any number up to NUMD_OP_MAX_IN
 * outputs  how many values it gives, and by NUMD_ROOMY which of them are roomy
 * kinds    of dtype that the inputs may promote to: b bool, i signed, u unsigned, f real, c complex
 * ulp      the largest error of the float64 result in units in the last place; 0.5 is correctly rounded;
 *          0 where no rounding takes place or the error depends on the number of terms */
#define NUMD_OP_LIST(X)                                                                                      \
  X(1, ADD, add, MAP, 2, 1, "biufc", ANY, 0, 0.5, SIMD, "x1 + x2; logical or for bool")                      \
  X(2, SUBTRACT, subtract, MAP, 2, 1, "iufc", ANY, 0, 0.5, SIMD, "x1 - x2")                                  \
  X(3, MULTIPLY, multiply, MAP, 2, 1, "biufc", ANY, 0, 0.5, SIMD, "x1 * x2; logical and for bool")           \
  X(4, DIVIDE, divide, MAP, 2, 1, "biufc", QUOTIENT, 0, 0.5, SIMD, "x1 / x2 as real or complex numbers")     \
  X(5, FLOOR_DIVIDE, floor_divide, MAP, 2, 1, "iuf", ANY, 0, 0.5, SIMD,                                      \
    "x1 / x2 rounded down; integers by 0 give 0")                                                            \
  X(6, REMAINDER, remainder, MAP, 2, 1, "iuf", ANY, 0, 0, SIMD,                                              \
    "x1 modulo x2, with the sign of x2; integers by 0 give 0")                                               \
  X(7, POW, pow, MAP, 2, 1, "iufc", ANY, 0, 4, MATH, "x1 to the power x2; integers refuse negative powers")  \
  X(8, NEGATIVE, negative, MAP, 1, 1, "iufc", ANY, 0, 0, SIMD, "-x")                                         \
  X(9, POSITIVE, positive, MAP, 1, 1, "iufc", ANY, 0, 0, SIMD, "+x")                                         \
  X(10, ABS, abs, MAP, 1, 1, "biufc", PART, 0, 1, SIMD, "absolute value; of complex numbers the magnitude")  \
  X(11, SIGN, sign, MAP, 1, 1, "iufc", ANY, 0, 1, SIMD, "-1, 0 or 1; x / abs(x) of complex numbers")         \
  X(12, SQUARE, square, MAP, 1, 1, "iufc", ANY, 0, 0.5, SIMD, "x * x")                                       \
  X(13, RECIPROCAL, reciprocal, MAP, 1, 1, "fc", ANY, 0, 0.5, SIMD, "1 / x")                                 \
  X(14, SQRT, sqrt, MAP, 1, 1, "biufc", FLOAT, 0, 0.5, SIMD, "square root; NaN below zero")                  \
  X(15, EXP, exp, MAP, 1, 1, "biufc", FLOAT, 0, 4, MATH, "e to the power x")                                 \
  X(16, EXPM1, expm1, MAP, 1, 1, "biufc", FLOAT, 0, 4, MATH, "exp(x) - 1, exact near 0")                     \
  X(17, LOG, log, MAP, 1, 1, "biufc", FLOAT, 0, 4, MATH, "natural logarithm; -inf at zero, NaN below")       \
  X(18, LOG1P, log1p, MAP, 1, 1, "biufc", FLOAT, 0, 4, MATH, "log(1 + x), exact near 0")                     \
  X(19, LOG2, log2, MAP, 1, 1, "biufc", FLOAT, 0, 4, MATH, "logarithm to base 2")                            \
  X(20, LOG10, log10, MAP, 1, 1, "biufc", FLOAT, 0, 4, MATH, "logarithm to base 10")                         \
  X(21, SIN, sin, MAP, 1, 1, "biufc", FLOAT, 0, 4, MATH, "sine of x in radians")                             \
  X(22, COS, cos, MAP, 1, 1, "biufc", FLOAT, 0, 4, MATH, "cosine of x in radians")                           \
  X(23, TAN, tan, MAP, 1, 1, "biufc", FLOAT, 0, 4, MATH, "tangent of x in radians")                          \
  X(24, ASIN, asin, MAP, 1, 1, "biufc", FLOAT, 0, 4, MATH, "inverse sine")                                   \
  X(25, ACOS, acos, MAP, 1, 1, "biufc", FLOAT, 0, 4, MATH, "inverse cosine")                                 \
  X(26, ATAN, atan, MAP, 1, 1, "biufc", FLOAT, 0, 4, MATH, "inverse tangent")                                \
  X(27, SINH, sinh, MAP, 1, 1, "biufc", FLOAT, 0, 4, MATH, "hyperbolic sine")                                \
  X(28, COSH, cosh, MAP, 1, 1, "biufc", FLOAT, 0, 4, MATH, "hyperbolic cosine")                              \
  X(29, TANH, tanh, MAP, 1, 1, "biufc", FLOAT, 0, 4, MATH, "hyperbolic tangent")                             \
  X(30, ASINH, asinh, MAP, 1, 1, "biufc", FLOAT, 0, 4, MATH, "inverse hyperbolic sine")                      \
  X(31, ACOSH, acosh, MAP, 1, 1, "biufc", FLOAT, 0, 4, MATH, "inverse hyperbolic cosine")                    \
  X(32, ATANH, atanh, MAP, 1, 1, "biufc", FLOAT, 0, 4, MATH, "inverse hyperbolic tangent")                   \
  X(33, ATAN2, atan2, MAP, 2, 1, "biuf", FLOAT, 0, 4, MATH, "angle of the point (x2, x1) in radians")        \
  X(34, HYPOT, hypot, MAP, 2, 1, "biuf", FLOAT, 0, 4, MATH, "sqrt(x1^2 + x2^2) without overflow on the way") \
  X(35, LOGADDEXP, logaddexp, MAP, 2, 1, "biuf", FLOAT, 0, 4, MATH,                                          \
    "log(exp(x1) + exp(x2)); the error is relative to the greatest of its terms")                            \
  X(36, COPYSIGN, copysign, MAP, 2, 1, "biuf", FLOAT, 0, 0, SIMD, "x1 with the sign of x2")                  \
  X(37, NEXTAFTER, nextafter, MAP, 2, 1, "biuf", FLOAT, 0, 0, SIMD, "the next number after x1 towards x2")   \
  X(38, FLOOR, floor, MAP, 1, 1, "biuf", ANY, 0, 0, SIMD, "rounded down")                                    \
  X(39, CEIL, ceil, MAP, 1, 1, "biuf", ANY, 0, 0, SIMD, "rounded up")                                        \
  X(40, TRUNC, trunc, MAP, 1, 1, "biuf", ANY, 0, 0, SIMD, "rounded towards zero")                            \
  X(41, ROUND, round, MAP, 1, 1, "iufc", ANY, 0, 0, SIMD, "rounded to the nearest, halves to even")          \
  X(42, ISFINITE, isfinite, MAP, 1, 1, "biufc", COMPARE, 0, 0, SIMD, "neither infinite nor NaN")             \
  X(43, ISINF, isinf, MAP, 1, 1, "biufc", COMPARE, 0, 0, SIMD, "infinite")                                   \
  X(44, ISNAN, isnan, MAP, 1, 1, "biufc", COMPARE, 0, 0, SIMD, "NaN")                                        \
  X(45, SIGNBIT, signbit, MAP, 1, 1, "biuf", COMPARE, 0, 0, SIMD, "negative, -0 and negative NaN too")       \
  X(46, REAL, real, MAP, 1, 1, "biufc", PART, 0, 0, SIMD, "real part")                                       \
  X(47, IMAG, imag, MAP, 1, 1, "biufc", PART, 0, 0, SIMD, "imaginary part")                                  \
  X(48, CONJ, conj, MAP, 1, 1, "biufc", ANY, 0, 0, SIMD, "complex conjugate")                                \
  X(49, MAXIMUM, maximum, MAP, 2, 1, "biuf", ANY, 0, 0, SIMD, "the greater; NaN if either is")               \
  X(50, MINIMUM, minimum, MAP, 2, 1, "biuf", ANY, 0, 0, SIMD, "the smaller; NaN if either is")               \
  X(51, CLIP, clip, MAP, 3, 1, "iuf", ANY, 0, 0, SIMD, "x1 no smaller than x2 and no greater than x3")       \
  X(52, EQUAL, equal, MAP, 2, 1, "biufc", COMPARE, 0, 0, SIMD, "x1 == x2")                                   \
  X(53, NOT_EQUAL, not_equal, MAP, 2, 1, "biufc", COMPARE, 0, 0, SIMD, "x1 != x2")                           \
  X(54, LESS, less, MAP, 2, 1, "biuf", COMPARE, 0, 0, SIMD, "x1 < x2")                                       \
  X(55, LESS_EQUAL, less_equal, MAP, 2, 1, "biuf", COMPARE, 0, 0, SIMD, "x1 <= x2")                          \
  X(56, GREATER, greater, MAP, 2, 1, "biuf", COMPARE, 0, 0, SIMD, "x1 > x2")                                 \
  X(57, GREATER_EQUAL, greater_equal, MAP, 2, 1, "biuf", COMPARE, 0, 0, SIMD, "x1 >= x2")                    \
  X(58, LOGICAL_AND, logical_and, MAP, 2, 1, "biufc", LOGICAL, 0, 0, SIMD, "both are not zero")              \
  X(59, LOGICAL_OR, logical_or, MAP, 2, 1, "biufc", LOGICAL, 0, 0, SIMD, "one or both are not zero")         \
  X(60, LOGICAL_XOR, logical_xor, MAP, 2, 1, "biufc", LOGICAL, 0, 0, SIMD, "one of both is not zero")        \
  X(61, LOGICAL_NOT, logical_not, MAP, 1, 1, "biufc", LOGICAL, 0, 0, SIMD, "zero")                           \
  X(62, BITWISE_AND, bitwise_and, MAP, 2, 1, "biu", ANY, 0, 0, SIMD, "bits set in both")                     \
  X(63, BITWISE_OR, bitwise_or, MAP, 2, 1, "biu", ANY, 0, 0, SIMD, "bits set in one or both")                \
  X(64, BITWISE_XOR, bitwise_xor, MAP, 2, 1, "biu", ANY, 0, 0, SIMD, "bits set in one of both")              \
  X(65, BITWISE_INVERT, bitwise_invert, MAP, 1, 1, "biu", ANY, 0, 0, SIMD,                                   \
    "bits not set; logical not for bool")                                                                    \
  X(66, BITWISE_LEFT_SHIFT, bitwise_left_shift, MAP, 2, 1, "iu", ANY, 0, 0, SIMD,                            \
    "x1 * 2^x2; 0 if x2 is not below the number of bits")                                                    \
  X(67, BITWISE_RIGHT_SHIFT, bitwise_right_shift, MAP, 2, 1, "iu", ANY, 0, 0, SIMD,                          \
    "x1 / 2^x2 rounded down")                                                                                \
  X(68, WHERE, where, MAP, 3, 1, "biufc", SELECT, 0, 0, SIMD, "x2 where x1 is true, else x3")                \
  X(69, COPY, copy, MAP, 1, 1, "biufc", ANY, 0, 0, COPY, "the same values, in C order")                      \
  X(70, ASTYPE, astype, MAP, 1, 1, "biufc", ASTYPE, NUMD_PARAM_DTYPE, 0.5, SIMD,                             \
    "the same values in another dtype")                                                                      \
                                                                                                             \
  X(80, SUM, sum, REDUCE, 1, 1, "biufc", SUM, NUMD_PARAM_AXES | NUMD_PARAM_KEEPDIMS | NUMD_PARAM_DTYPE, 0,   \
    TREE, "sum, pairwise over blocks")                                                                       \
  X(81, PROD, prod, REDUCE, 1, 1, "biufc", SUM, NUMD_PARAM_AXES | NUMD_PARAM_KEEPDIMS | NUMD_PARAM_DTYPE, 0, \
    TREE, "product")                                                                                         \
  X(82, MAX, max, REDUCE, 1, 1, "biuf", ANY, NUMD_PARAM_AXES | NUMD_PARAM_KEEPDIMS, 0, TREE,                 \
    "largest; NaN if any is; an empty array is refused")                                                     \
  X(83, MIN, min, REDUCE, 1, 1, "biuf", ANY, NUMD_PARAM_AXES | NUMD_PARAM_KEEPDIMS, 0, TREE,                 \
    "smallest; NaN if any is; an empty array is refused")                                                    \
  X(84, MEAN, mean, REDUCE, 1, 1, "biufc", MEAN, NUMD_PARAM_AXES | NUMD_PARAM_KEEPDIMS, 0, TREE,             \
    "arithmetic mean; NaN of an empty array")                                                                \
  X(85, VAR, var, REDUCE, 1, 1, "biufc", MEAN,                                                               \
    NUMD_PARAM_AXES | NUMD_PARAM_KEEPDIMS | NUMD_PARAM_CORRECTION, 0, FUSED,                                 \
    "variance: mean of the squared distances from the mean")                                                 \
  X(86, STD, std, REDUCE, 1, 1, "biufc", MEAN,                                                               \
    NUMD_PARAM_AXES | NUMD_PARAM_KEEPDIMS | NUMD_PARAM_CORRECTION, 0, FUSED,                                 \
    "standard deviation: root of the variance")                                                              \
  X(87, ANY, any, REDUCE, 1, 1, "biufc", LOGICAL, NUMD_PARAM_AXES | NUMD_PARAM_KEEPDIMS, 0, TREE,            \
    "whether any element is true")                                                                           \
  X(88, ALL, all, REDUCE, 1, 1, "biufc", LOGICAL, NUMD_PARAM_AXES | NUMD_PARAM_KEEPDIMS, 0, TREE,            \
    "whether all elements are true")                                                                         \
  X(89, COUNT_NONZERO, count_nonzero, REDUCE, 1, 1, "biufc", INDEX, NUMD_PARAM_AXES | NUMD_PARAM_KEEPDIMS,   \
    0, FUSED, "how many elements are true")                                                                  \
  X(90, VECTOR_NORM, vector_norm, REDUCE, 1, 1, "biufc", OWN,                                                \
    NUMD_PARAM_AXES | NUMD_PARAM_KEEPDIMS | NUMD_PARAM_ORD, 0, FUSED,                                        \
    "(sum of abs(x)^ord)^(1/ord), for any ord, inf, -inf and 0; 2 if absent")                                \
  X(91, ARGMAX, argmax, SCAN, 1, 1, "biuf", INDEX, NUMD_PARAM_AXIS | NUMD_PARAM_KEEPDIMS, 0, CHUNKS,         \
    "index of the first largest element, or NaN; of the flat array without axis")                            \
  X(92, ARGMIN, argmin, SCAN, 1, 1, "biuf", INDEX, NUMD_PARAM_AXIS | NUMD_PARAM_KEEPDIMS, 0, CHUNKS,         \
    "index of the first smallest element, or NaN; of the flat array without axis")                           \
  X(93, CUMULATIVE_SUM, cumulative_sum, SCAN, 1, 1, "biufc", SUM,                                            \
    NUMD_PARAM_AXIS | NUMD_PARAM_DTYPE | NUMD_PARAM_INITIAL, 0, CHUNKS,                                      \
    "sums of the elements up to each one")                                                                   \
  X(94, CUMULATIVE_PROD, cumulative_prod, SCAN, 1, 1, "biufc", SUM,                                          \
    NUMD_PARAM_AXIS | NUMD_PARAM_DTYPE | NUMD_PARAM_INITIAL, 0, CHUNKS,                                      \
    "products of the elements up to each one")                                                               \
  X(95, DIFF, diff, SCAN, 1, 1, "biufc", ANY, NUMD_PARAM_AXIS | NUMD_PARAM_N, 0, FUSED,                      \
    "differences of neighbours, n times; of bool whether they differ")                                       \
                                                                                                             \
  X(100, MATMUL, matmul, PRODUCT, 2, 1, "biufc", ANY, 0, 0, BLAS,                                            \
    "matrix product with broadcast batch dimensions")                                                        \
  X(101, DOT, dot, PRODUCT, 2, 1, "biufc", ANY, 0, 0, BLAS,                                                  \
    "sum over the last axis of x1 and the last but one of x2")                                               \
  X(102, VECDOT, vecdot, PRODUCT, 2, 1, "biufc", ANY, NUMD_PARAM_AXIS, 0, BLAS,                              \
    "sum of conj(x1) * x2 over an axis, the last if absent")                                                 \
  X(103, TENSORDOT, tensordot, PRODUCT, 2, 1, "biufc", ANY,                                                  \
    NUMD_PARAM_N | NUMD_PARAM_ORDER | NUMD_PARAM_AGAINST, 0, BLAS,                                           \
    "sums of products over the last n axes of x1 and the first n of x2 (2 if absent), or over axes `order` " \
    "of x1 and `against` of x2")                                                                             \
  X(104, OUTER, outer, PRODUCT, 2, 1, "biufc", ANY, 0, 0, SIMD,                                              \
    "all products of an element of x1 and one of x2")                                                        \
  X(105, CROSS, cross, PRODUCT, 2, 1, "iufc", ANY, NUMD_PARAM_AXIS, 0, FUSED,                                \
    "cross product of vectors of 3 along an axis, the last if absent")                                       \
  X(106, TRACE, trace, PRODUCT, 1, 1, "biufc", SUM, NUMD_PARAM_K | NUMD_PARAM_DTYPE, 0, TREE,                \
    "sum of a diagonal of the last two axes")                                                                \
                                                                                                             \
  X(110, RESHAPE, reshape, VIEW, 1, 1, "biufc", ANY, NUMD_PARAM_SHAPE, 0, VIEW,                              \
    "the same elements in C order under another shape; one length may be -1")                                \
  X(111, PERMUTE_DIMS, permute_dims, VIEW, 1, 1, "biufc", ANY, NUMD_PARAM_ORDER, 0, VIEW,                    \
    "axes in another order; reversed if absent")                                                             \
  X(112, MATRIX_TRANSPOSE, matrix_transpose, VIEW, 1, 1, "biufc", ANY, 0, 0, VIEW,                           \
    "the last two axes exchanged")                                                                           \
  X(113, FLIP, flip, VIEW, 1, 1, "biufc", ANY, NUMD_PARAM_AXES, 0, VIEW, "elements in reverse along axes")   \
  X(114, BROADCAST_TO, broadcast_to, VIEW, 1, 1, "biufc", ANY, NUMD_PARAM_SHAPE, 0, VIEW,                    \
    "repeated to a shape by broadcasting")                                                                   \
  X(115, SLICE, slice, VIEW, 1, 1, "biufc", ANY, NUMD_PARAM_START | NUMD_PARAM_STEP | NUMD_PARAM_SHAPE, 0,   \
    VIEW, "elements start + i * step along each axis, as many as shape says")                                \
  X(116, DIAGONAL, diagonal, VIEW, 1, 1, "biufc", ANY, NUMD_PARAM_K, 0, VIEW,                                \
    "a diagonal of the last two axes")                                                                       \
                                                                                                             \
  X(120, CONCAT, concat, MOVE, -1, 1, "biufc", ANY, NUMD_PARAM_AXIS, 0, COPY,                                \
    "arrays joined along an axis; flat without axis")                                                        \
  X(121, STACK, stack, MOVE, -1, 1, "biufc", ANY, NUMD_PARAM_AXIS, 0, COPY,                                  \
    "arrays joined along a new axis")                                                                        \
  X(122, REPEAT, repeat, MOVE, 1, 1, "biufc", ANY, NUMD_PARAM_AXIS | NUMD_PARAM_N, 0, COPY,                  \
    "each element n times along an axis; of the flat array without axis")                                    \
  X(123, TILE, tile, MOVE, 1, 1, "biufc", ANY, NUMD_PARAM_REPETITIONS, 0, COPY,                              \
    "the whole array repeated along each axis")                                                              \
  X(124, ROLL, roll, MOVE, 1, 1, "biufc", ANY, NUMD_PARAM_SHIFT | NUMD_PARAM_ORDER, 0, COPY,                 \
    "elements moved along axes, round the end")                                                              \
  X(125, TRIL, tril, MOVE, 1, 1, "biufc", ANY, NUMD_PARAM_K, 0, COPY,                                        \
    "zeros above a diagonal of the last two axes")                                                           \
  X(126, TRIU, triu, MOVE, 1, 1, "biufc", ANY, NUMD_PARAM_K, 0, COPY,                                        \
    "zeros below a diagonal of the last two axes")                                                           \
                                                                                                             \
  X(130, SORT, sort, ORDER, 1, 1, "biuf", ANY, NUMD_PARAM_AXIS | NUMD_PARAM_DESCENDING | NUMD_PARAM_STABLE,  \
    0, SORT, "sorted along an axis, the last if absent; NaN last")                                           \
  X(131, ARGSORT, argsort, ORDER, 1, 1, "biuf", INDEX,                                                       \
    NUMD_PARAM_AXIS | NUMD_PARAM_DESCENDING | NUMD_PARAM_STABLE, 0, SORT,                                    \
    "indices that sort along an axis, the last if absent")                                                   \
  X(132, SEARCHSORTED, searchsorted, ORDER, 2, 1, "biuf", INDEX, NUMD_PARAM_RIGHT, 0, CHUNKS,                \
    "where elements of x2 belong in the sorted vector x1")                                                   \
  X(133, NONZERO, nonzero, ORDER, 1, NUMD_ROOMY(2, 0x1), "biufc", INDEX, 0, 0, CHUNKS,                       \
    "indices of true elements, a row for each axis; and their number")                                       \
  X(134, UNIQUE_VALUES, unique_values, ORDER, 1, NUMD_ROOMY(2, 0x1), "biuf", OWN, 0, 0, SORT,                \
    "different values, sorted; and their number")                                                            \
  X(135, UNIQUE_COUNTS, unique_counts, ORDER, 1, NUMD_ROOMY(3, 0x3), "biuf", OWN, 0, 0, SORT,                \
    "different values, how often each is there; and their number")                                           \
  X(136, UNIQUE_INVERSE, unique_inverse, ORDER, 1, NUMD_ROOMY(3, 0x1), "biuf", OWN, 0, 0, SORT,              \
    "different values, which of them each element is; and their number")                                     \
  X(137, UNIQUE_ALL, unique_all, ORDER, 1, NUMD_ROOMY(5, 0xb), "biuf", OWN, 0, 0, SORT,                      \
    "different values, first indices, which each element is, how often; and their number")                   \
  X(138, ISIN, isin, ORDER, 2, 1, "biuf", COMPARE, NUMD_PARAM_INVERT, 0, SORT,                               \
    "whether elements of x1 are in x2")                                                                      \
  X(139, TAKE, take, ORDER, 2, 1, "biufc", GATHER, NUMD_PARAM_AXIS, 0, CHUNKS,                               \
    "elements at indices along an axis; of the flat array without axis")                                     \
  X(140, TAKE_ALONG_AXIS, take_along_axis, ORDER, 2, 1, "biufc", GATHER, NUMD_PARAM_AXIS, 0, CHUNKS,         \
    "elements at an index of their own for each place, along an axis, the last if absent")                   \
  X(141, EXTRACT, extract, ORDER, 2, NUMD_ROOMY(2, 0x1), "biufc", GATHER, 0, 0, CHUNKS,                      \
    "elements of x1 where the mask x2 is true, in C order (the mask may have fewer axes: then whole "        \
    "parts); and their number")                                                                              \
  X(142, PUT, put, ORDER, 3, 1, "biufc", GATHER, NUMD_PARAM_AXIS, 0, CHUNKS,                                 \
    "x1 with x3 at indices x2 along an axis; of the flat array without axis")                                \
  X(143, PUT_ALONG_AXIS, put_along_axis, ORDER, 3, 1, "biufc", GATHER, NUMD_PARAM_AXIS, 0, CHUNKS,           \
    "x1 with x3 at an index of its own for each place, along an axis, the last if absent")                   \
  X(144, PLACE, place, ORDER, 3, 1, "biufc", GATHER, 0, 0, CHUNKS,                                           \
    "x1 with the elements of x3 in turn where the mask x2 is true")                                          \
                                                                                                             \
  X(150, FULL, full, MAKE, 1, 1, "biufc", GIVEN, NUMD_PARAM_SHAPE | NUMD_PARAM_DTYPE, 0, COPY,               \
    "one value everywhere")                                                                                  \
  X(151, ARANGE, arange, MAKE, 2, 1, "iuf", GIVEN, NUMD_PARAM_SHAPE | NUMD_PARAM_DTYPE, 0.5, CHUNKS,         \
    "x1 + i * x2 for each index i of a vector")                                                              \
  X(152, LINSPACE, linspace, MAKE, 2, 1, "biufc", GIVEN,                                                     \
    NUMD_PARAM_SHAPE | NUMD_PARAM_DTYPE | NUMD_PARAM_ENDPOINT, 1, CHUNKS,                                    \
    "evenly spaced from x1 to x2, a vector")                                                                 \
  X(153, EYE, eye, MAKE, 0, 1, "biufc", GIVEN, NUMD_PARAM_SHAPE | NUMD_PARAM_DTYPE | NUMD_PARAM_K, 0,        \
    CHUNKS, "ones on a diagonal, zeros elsewhere")                                                           \
                                                                                                             \
  X(160, CHOLESKY, cholesky, LINALG, 1, 1, "biufc", QUOTIENT, NUMD_PARAM_UPPER, 0, LAPACK,                   \
    "triangular factor of a positive definite matrix")                                                       \
  X(161, QR, qr, LINALG, 1, 2, "biufc", QUOTIENT, NUMD_PARAM_FULL, 0, LAPACK,                                \
    "orthonormal and upper triangular factor")                                                               \
  X(162, SVD, svd, LINALG, 1, 3, "biufc", QUOTIENT, NUMD_PARAM_FULL, 0, LAPACK,                              \
    "singular vectors, singular values, adjoint singular vectors")                                           \
  X(163, SVDVALS, svdvals, LINALG, 1, 1, "biufc", QUOTIENT, 0, 0, LAPACK, "singular values, largest first")  \
  X(164, EIGH, eigh, LINALG, 1, 2, "biufc", QUOTIENT, NUMD_PARAM_UPPER, 0, LAPACK,                           \
    "eigenvalues in ascending order and eigenvectors of a symmetric or hermitian matrix, of which one "      \
    "triangle is read")                                                                                      \
  X(165, EIGVALSH, eigvalsh, LINALG, 1, 1, "biufc", QUOTIENT, NUMD_PARAM_UPPER, 0, LAPACK,                   \
    "eigenvalues in ascending order of a symmetric or hermitian matrix, of which one triangle is read")      \
  X(166, EIG, eig, LINALG, 1, 2, "biufc", QUOTIENT, 0, 0, LAPACK, "complex eigenvalues and eigenvectors")    \
  X(167, EIGVALS, eigvals, LINALG, 1, 1, "biufc", QUOTIENT, 0, 0, LAPACK, "complex eigenvalues")             \
  X(168, SOLVE, solve, LINALG, 2, 1, "biufc", QUOTIENT, 0, 0, LAPACK,                                        \
    "x with x1 x = x2; x2 is a vector if it has one axis, else matrices")                                    \
  X(169, INV, inv, LINALG, 1, 1, "biufc", QUOTIENT, 0, 0, LAPACK, "inverse")                                 \
  X(170, DET, det, LINALG, 1, 1, "biufc", QUOTIENT, 0, 0, LAPACK, "determinant")                             \
  X(171, SLOGDET, slogdet, LINALG, 1, 2, "biufc", QUOTIENT, 0, 0, LAPACK,                                    \
    "sign, and logarithm of the determinant's magnitude")                                                    \
  X(172, PINV, pinv, LINALG, 1, 1, "biufc", QUOTIENT, NUMD_PARAM_RTOL, 0, LAPACK, "Moore-Penrose inverse")   \
  X(173, MATRIX_RANK, matrix_rank, LINALG, 1, 1, "biufc", INDEX, NUMD_PARAM_RTOL, 0, LAPACK,                 \
    "number of singular values above the tolerance")                                                         \
  X(174, LSTSQ, lstsq, LINALG, 2, 4, "biufc", QUOTIENT, NUMD_PARAM_RTOL, 0, LAPACK,                          \
    "least squares of one matrix: x, sums of squared residuals (NaN if the rank is not full, none if it "    \
    "has no more rows than columns), rank, singular values")                                                 \
  X(175, MATRIX_POWER, matrix_power, LINALG, 1, 1, "biufc", ANY, NUMD_PARAM_N, 0, BLAS,                      \
    "matrix product of n copies; negative powers of the inverse")                                            \
  X(176, MATRIX_NORM, matrix_norm, LINALG, 1, 1, "biufc", OWN,                                               \
    NUMD_PARAM_ORD | NUMD_PARAM_NUCLEAR | NUMD_PARAM_KEEPDIMS, 0, FUSED,                                     \
    "Frobenius norm if ord is absent; 1, -1, inf, -inf: sums of columns or rows; 2, -2 and nuclear: of "     \
    "singular values")

#define NUMD_OP_CODES 192 /* operation numbers are below this */
#define NUMD_OP_MAX_IN 16 /* inputs of one operation */
#define NUMD_OP_MAX_OUT 5 /* outputs of one operation */

typedef enum {
#define X(NAME, sentence) NUMD_CLASS_##NAME,
  NUMD_OP_CLASS_LIST(X)
#undef X
      NUMD_N_CLASSES
} numd_op_class;

typedef enum {
#define X(NAME, sentence, note) NUMD_TYPING_##NAME,
  NUMD_OP_TYPING_LIST(X)
#undef X
      NUMD_N_TYPINGS
} numd_op_typing;

typedef enum {
#define X(NAME, sentence) NUMD_FAST_##NAME,
  NUMD_FAST_LIST(X)
#undef X
      NUMD_N_FASTS
} numd_op_fast;

typedef enum {
#define X(NAME, wanted, python) NUMD_TYPE_##NAME,
  NUMD_PARAM_TYPE_LIST(X)
#undef X
      NUMD_N_PARAM_TYPES
} numd_param_type;

typedef enum {
#define X(number, NAME, name, class, n_in, n_out, kinds, typing, params, ulp, fast, doc) \
  NUMD_OP_##NAME = number,
  NUMD_OP_LIST(X)
#undef X
} numd_op;

/* Bits of the parameters: NUMD_PARAM_AXES, ... */
typedef enum {
#define X(bit, NAME, name, type, doc) NUMD_PARAM_##NAME = 1 << (bit),
  NUMD_PARAM_LIST(X)
#undef X
} numd_param;

enum {
#define X(bit, NAME, name, type, doc) NUMD_PARAM_BIT_##NAME = (bit),
  NUMD_PARAM_LIST(X)
#undef X
      NUMD_N_PARAMS /* bits are 0 to this less 1 */
};

/* What the row of an operation says. */
struct numd_op_info {
  const char *name;  /* NULL in the daemon's own tables: no operation has this number */
  const char *kinds; /* of dtypes that the inputs may promote to: letters of dtypes' kinds */
  const char *doc;   /* a sentence without its capital and full stop */
  uint32_t params;   /* NUMD_PARAM_* that it takes */
  float ulp;         /* as in the list */
  uint8_t op_class;  /* numd_op_class */
  uint8_t typing;    /* numd_op_typing */
  uint8_t fast;      /* numd_op_fast */
  int8_t n_in;       /* -1: any number up to NUMD_OP_MAX_IN */
  uint8_t n_out;
  uint8_t roomy; /* bit i: output i is roomy (NUMD_ROOMY) */
};

/* The parameter of a bit. */
struct numd_param_info {
  const char *name;
  const char *doc;
  uint8_t type; /* numd_param_type */
};

/* A word of the lists of classes, typings, ways of being fast and types of parameters. */
struct numd_word {
  const char *name; /* "MAP", "ANY", "SIMD", "AXIS" */
  const char *text; /* what it says in a table */
  const char *note; /* what it says in the documentation of one operation, or "" */
};

#endif
