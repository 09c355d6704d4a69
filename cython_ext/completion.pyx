"""What alternating minimisation does to the observed entries of a matrix, row by row.

A row (of the CSR or of the CSC copy) is worked on by one thread, from its first entry to its last:
the bits do not depend on the number of threads. Rows of factors are padded with zeros to a multiple
of :func:`lanes` numbers.
"""

from cython cimport floating
from cython.parallel cimport prange

from libc.stddef cimport ptrdiff_t, size_t
from libc.stdint cimport int32_t, int64_t
from libc.stdlib cimport free, malloc

cdef extern from *:
    """
    #include <math.h>
    #include <stdlib.h>
    #include <string.h>
    #include "kernels.h"

    /* What the clones of a function for newer processors call must be part of them. */
    #if defined(__GNUC__)
    #define SKRAND_COMPLETION_INLINE static inline __attribute__((always_inline))
    #else
    #define SKRAND_COMPLETION_INLINE static inline
    #endif

    /* Both compilers have vectors and their shuffles, from some version on. */
    #if defined(__clang__) || (defined(__GNUC__) && __GNUC__ >= 12)
    #define SKRAND_COMPLETION_VECTORS 1
    #else
    #define SKRAND_COMPLETION_VECTORS 0
    #endif

    /* How a row is solved. */
    #define SKRAND_MEASURE 0
    #define SKRAND_EXACT 1
    #define SKRAND_CONJUGATE 2
    #define SKRAND_COORDINATE 3
    #define SKRAND_POSITIVE 4
    #define SKRAND_MEASURE_POSITIVE 5
    #define SKRAND_SKETCHED 6

    /* Rows of a sketch for each unknown; shorter rows of the matrix are solved exactly. */
    #define SKRAND_SKETCH_ROWS 4

    /* Rows of at most so many entries, and fewer than unknowns, are solved exactly in any mode. */
    #define SKRAND_SHORT 8

    #define REAL float
    #define EPSILON 5e-7
    /* Four numbers of a vector's: the sums of its halves, or itself. */
    #define FOLD(a) (__builtin_shufflevector(a, a, 0, 1, 2, 3)                                    \\
                     + __builtin_shufflevector(a, a, 4, 5, 6, 7))
    #define NAME(x) skrand_completion_f_##x
    #include "completion.h"
    #undef REAL
    #undef EPSILON
    #undef FOLD
    #undef NAME
    #define REAL double
    #define EPSILON 1e-15
    #define FOLD(a) (a)
    #define NAME(x) skrand_completion_d_##x
    #include "completion.h"
    #undef REAL
    #undef EPSILON
    #undef FOLD
    #undef NAME
    """
    const int SKRAND_MEASURE
    const int SKRAND_EXACT
    const int SKRAND_CONJUGATE
    const int SKRAND_COORDINATE
    const int SKRAND_POSITIVE
    const int SKRAND_MEASURE_POSITIVE
    const int SKRAND_SKETCHED
    size_t skrand_completion_f_space(ptrdiff_t, ptrdiff_t, int) noexcept nogil
    size_t skrand_completion_d_space(ptrdiff_t, ptrdiff_t, int) noexcept nogil
    void skrand_completion_f_solve_row(
        ptrdiff_t, ptrdiff_t, ptrdiff_t, const int32_t *, const float *, const float *,
        const float *, const float *, float, const float *, int, double, ptrdiff_t, float *,
        double *, double *, double *, float *) noexcept nogil
    void skrand_completion_d_solve_row(
        ptrdiff_t, ptrdiff_t, ptrdiff_t, const int32_t *, const double *, const double *,
        const double *, const double *, double, const double *, int, double, ptrdiff_t, double *,
        double *, double *, double *, double *) noexcept nogil
    void skrand_completion_f_row_products(
        ptrdiff_t, ptrdiff_t, const int32_t *, const float *, const float *, float *) noexcept nogil
    void skrand_completion_d_row_products(
        ptrdiff_t, ptrdiff_t, const int32_t *, const double *, const double *,
        double *) noexcept nogil
    void skrand_completion_f_row_adjoint(
        ptrdiff_t, ptrdiff_t, const int32_t *, const float *, const float *, float, const float *,
        const float *, float *) noexcept nogil
    void skrand_completion_d_row_adjoint(
        ptrdiff_t, ptrdiff_t, const int32_t *, const double *, const double *, double,
        const double *, const double *, double *) noexcept nogil

MEASURE = SKRAND_MEASURE
EXACT = SKRAND_EXACT
CONJUGATE = SKRAND_CONJUGATE
COORDINATE = SKRAND_COORDINATE
POSITIVE = SKRAND_POSITIVE
MEASURE_POSITIVE = SKRAND_MEASURE_POSITIVE
SKETCHED = SKRAND_SKETCHED


def lanes(size_t itemsize):
    """Return how many numbers of `itemsize` bytes the length of a factor's row is a multiple of."""
    return 32 // itemsize


cdef int _segment(
    ptrdiff_t first, ptrdiff_t last, ptrdiff_t used, const int64_t *indptr,
    const int32_t *indices, const floating *values, const floating *weights, const floating *fixed,
    const floating *offset, const floating *alpha, const floating *scale, ptrdiff_t q, int mode,
    double eta, ptrdiff_t steps, floating *x, double *loss, double *gradient, double *size
) noexcept nogil:
    """Solve the rows of a segment; nonzero if there is no memory for it."""
    cdef ptrdiff_t i, start, n
    cdef size_t most = 0, need
    cdef floating *space
    cdef const floating *weight = NULL
    for i in range(first, last):
        n = indptr[i + 1] - indptr[i]
        if floating is float:
            need = skrand_completion_f_space(n, q, mode)
        else:
            need = skrand_completion_d_space(n, q, mode)
        most = max(most, need)
    space = <floating *> malloc(most * sizeof(floating))
    if space == NULL:
        return 1
    for i in range(first, last):
        start = indptr[i]
        n = indptr[i + 1] - start
        if weights != NULL:
            weight = weights + start
        if floating is float:
            skrand_completion_f_solve_row(
                n, used, q, indices + start, values + start, weight, fixed, offset,
                alpha[i], scale, mode, eta, steps, x + i * q, loss + i, gradient + i, size + i,
                space)
        else:
            skrand_completion_d_solve_row(
                n, used, q, indices + start, values + start, weight, fixed, offset,
                alpha[i], scale, mode, eta, steps, x + i * q, loss + i, gradient + i, size + i,
                space)
    free(space)
    return 0


def solve_rows(
    const int64_t[::1] indptr,
    const int32_t[::1] indices,
    const floating[::1] values,
    const floating[::1] weights,
    const floating[:, ::1] fixed,
    const floating[::1] offset,
    const floating[::1] alpha,
    const floating[::1] scale,
    floating[:, ::1] x,
    double[:, ::1] figures,
    const int64_t[::1] cuts,
    ptrdiff_t used,
    int mode,
    double eta,
    ptrdiff_t steps,
    int threads,
):
    """Solve, or improve, the ridge regression of every row on the factor of the other side.

    Row i minimises ``sum_e w_e (b_e - offset_j - fixed_j . x)^2 + alpha_i |x|^2`` over its entries
    ``e = (i, j)``.

    Parameters
    ----------
    indptr, indices, values
        The observed entries in CSR form, indices within `fixed`.
    weights : of shape (nnz,) or (0,)
        Positive weights of the entries; empty for all 1.
    fixed : of shape (n, q)
        The other side's factor; q is a multiple of the lanes and columns from `used` on are zero.
    offset : of shape (n,)
        What is subtracted from the entries of each column.
    alpha : of shape (m,)
        Ridge of each row.
    scale : of shape (q,)
        Mean squares of the columns of `fixed`, positive; entries times it preconditions.
    x : of shape (m, q)
        In: where to start; out: the rows found.
    figures : of shape (3, m)
        Out, for the x that came in: the weighted squared misfit of each row, the squared norm of
        its gradient (halved), and of the gradient at zero that it is compared with.
    cuts : of shape (parts + 1,)
        Rows at which the work is cut.
    used : int
        Columns of `fixed` in use.
    mode : int
        MEASURE, EXACT (Cholesky, `steps` refinements), CONJUGATE (at most `steps` steps),
        SKETCHED (the same, preconditioned by a sketch of the row's own regression), or
        COORDINATE and POSITIVE (at most `steps` rounds of coordinate descent; the latter keeps x
        from falling below 0, and MEASURE_POSITIVE measures its gradient).
    eta : float
        Conjugate gradients stop at this fraction of the gradient that they started with,
        coordinate descent when a round moves x by less than this fraction.
    steps, threads : int
    """
    cdef ptrdiff_t part, parts = cuts.shape[0] - 1, m = indptr.shape[0] - 1, q = fixed.shape[1]
    cdef int failed = 0
    cdef const int32_t *index = &indices[0] if indices.shape[0] else NULL
    cdef const floating *value = &values[0] if values.shape[0] else NULL
    cdef const floating *weight = &weights[0] if weights.shape[0] else NULL
    if x.shape[0] != m or alpha.shape[0] != m or figures.shape[0] != 3 or figures.shape[1] != m:
        raise ValueError("x, alpha and figures must have one row for each row of the entries.")
    if x.shape[1] != q or scale.shape[0] != q or offset.shape[0] != fixed.shape[0] or used > q:
        raise ValueError("fixed, x, scale and offset do not fit together.")
    if q % (32 // <ptrdiff_t> sizeof(floating)) or q == 0:
        raise ValueError("The factors are not padded.")
    if indices.shape[0] != indptr[m] or values.shape[0] != indptr[m]:
        raise ValueError("indptr, indices and values do not fit together.")
    if weights.shape[0] and weights.shape[0] != values.shape[0]:
        raise ValueError("weights and values must have the same length.")
    if parts < 1 or cuts[0] != 0 or cuts[parts] != m:
        raise ValueError("cuts must run from 0 to the number of rows.")
    if m == 0 or fixed.shape[0] == 0:
        return
    for part in prange(parts, nogil=True, num_threads=threads, schedule="dynamic", chunksize=1):
        failed |= _segment(
            cuts[part], cuts[part + 1], used, &indptr[0], index, value, weight, &fixed[0, 0],
            &offset[0], &alpha[0], &scale[0], q, mode, eta, steps, &x[0, 0], &figures[0, 0],
            &figures[1, 0], &figures[2, 0])
    if failed:
        raise MemoryError("There is no memory for the rows of the factor that one row needs.")


def products(
    const int64_t[::1] indptr,
    const int32_t[::1] indices,
    const floating[:, ::1] U,
    const floating[:, ::1] V,
    floating[::1] out,
    int threads,
):
    """Store ``U_i . V_j`` for every observed entry (i, j)."""
    cdef ptrdiff_t i, start, m = indptr.shape[0] - 1, q = U.shape[1]
    if U.shape[0] != m or V.shape[1] != q or out.shape[0] != indptr[m]:
        raise ValueError("The factors do not fit the entries.")
    if indices.shape[0] != indptr[m] or q % (32 // <ptrdiff_t> sizeof(floating)):
        raise ValueError("The entries do not fit together, or the factors are not padded.")
    if out.shape[0] == 0:
        return
    for i in prange(m, nogil=True, num_threads=threads, schedule="static", chunksize=64):
        start = indptr[i]
        if indptr[i + 1] > start:
            if floating is float:
                skrand_completion_f_row_products(
                    indptr[i + 1] - start, q, &indices[start], &U[i, 0], &V[0, 0], &out[start])
            else:
                skrand_completion_d_row_products(
                    indptr[i + 1] - start, q, &indices[start], &U[i, 0], &V[0, 0], &out[start])


def adjoint(
    const int64_t[::1] indptr,
    const int32_t[::1] indices,
    const floating[::1] values,
    const floating[::1] weights,
    const floating[::1] shift,
    const floating[::1] offset,
    const floating[:, ::1] V,
    floating[:, ::1] out,
    int threads,
):
    """Store the observed entries, less offsets, times `V`.

    Row i is ``sum_j w_ij (value_ij - shift_i - offset_j) V_j``. No weights means all 1, no `shift`
    and `offset` means none is subtracted.
    """
    cdef ptrdiff_t i, start, m = indptr.shape[0] - 1, q = V.shape[1]
    cdef const floating *weight = &weights[0] if weights.shape[0] else NULL
    cdef const floating *fixed = &offset[0] if offset.shape[0] else NULL
    cdef floating less
    if out.shape[0] != m or out.shape[1] != q or values.shape[0] != indptr[m]:
        raise ValueError("The output or the values do not fit the entries.")
    if indices.shape[0] != indptr[m] or q % (32 // <ptrdiff_t> sizeof(floating)):
        raise ValueError("The entries do not fit together, or the factors are not padded.")
    if weights.shape[0] and weights.shape[0] != values.shape[0]:
        raise ValueError("weights and values must have the same length.")
    if offset.shape[0] and (offset.shape[0] != V.shape[0] or shift.shape[0] != m):
        raise ValueError("shift and offset do not fit the entries.")
    if q == 0 or m == 0:
        return
    for i in prange(m, nogil=True, num_threads=threads, schedule="static", chunksize=64):
        start = indptr[i]
        less = shift[i] if fixed != NULL else 0
        if indptr[i + 1] == start:
            out[i, :] = 0
        elif floating is float:
            skrand_completion_f_row_adjoint(
                indptr[i + 1] - start, q, &indices[start], &values[start],
                weight + start if weight != NULL else NULL, less, fixed, &V[0, 0], &out[i, 0])
        else:
            skrand_completion_d_row_adjoint(
                indptr[i + 1] - start, q, &indices[start], &values[start],
                weight + start if weight != NULL else NULL, less, fixed, &V[0, 0], &out[i, 0])
