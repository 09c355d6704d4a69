"""One sweep over a matrix for a residual and its product with the transpose.

Rows are cut into segments by the shape alone, each adds to a sum of its own, and the caller adds
those in the order of the segments: the bits do not depend on the number of threads.
"""

from cython cimport floating
from cython.parallel cimport prange

from libc.stdint cimport int32_t, int64_t

ctypedef fused index_t:
    int32_t
    int64_t

cdef extern from *:
    """
    #include "kernels.h"

    /* Rows in fours: x and the sum are loaded once for all of them, and four chains of additions
     * hide each other's latency. The centre is taken off on the way, which costs no memory traffic
     * and loses no digits to a large offset. The hardware does not foresee four rows at once, so
     * that they would come at half the speed of memory: 64 KiB ahead they are asked for into the
     * second cache, half of a group of four rows in each of the two loops over it. */
    #define SKRAND_LS_AHEAD 65536
    #define SKRAND_LS_CHUNK 32

    #define SKRAND_LS_PREFETCH(REAL, FIRST)                                                      \\
        if (more)                                                                                \\
            for (ptrdiff_t j = 2 * from; j < 2 * to; j += 64 / (ptrdiff_t) sizeof(REAL))         \\
                __builtin_prefetch((FIRST) + j, 0, 2);

    #define SKRAND_LS_SEGMENT(NAME, REAL)                                                        \\
    SKRAND_CLONES                                                                                \\
    static void NAME(const REAL *a, ptrdiff_t rows, ptrdiff_t d, const double *c,                \\
                     const double *scale, const double *b, const double *x, double *r,           \\
                     double *sum)                                                                \\
    {                                                                                            \\
        const ptrdiff_t ahead = SKRAND_LS_AHEAD / (ptrdiff_t) sizeof(REAL);                      \\
        ptrdiff_t i = 0;                                                                         \\
        for (; i + 4 <= rows; i += 4) {                                                          \\
            const REAL *p = a + i * d, *q = p + d, *s = q + d, *t = s + d;                       \\
            const int more = (rows - i) * d >= ahead + 4 * d;                                    \\
            double e = 0.0, f = 0.0, g = 0.0, h = 0.0;                                           \\
            for (ptrdiff_t from = 0; from < d; from += SKRAND_LS_CHUNK) {                        \\
                const ptrdiff_t to = from + SKRAND_LS_CHUNK < d ? from + SKRAND_LS_CHUNK : d;    \\
                SKRAND_LS_PREFETCH(REAL, p + ahead)                                              \\
                _Pragma("omp simd reduction(+:e,f,g,h)")                                         \\
                for (ptrdiff_t j = from; j < to; j++) {                                          \\
                    e += ((double) p[j] - c[j]) * x[j];                                          \\
                    f += ((double) q[j] - c[j]) * x[j];                                          \\
                    g += ((double) s[j] - c[j]) * x[j];                                          \\
                    h += ((double) t[j] - c[j]) * x[j];                                          \\
                }                                                                                \\
            }                                                                                    \\
            r[i] = b[i] - scale[i] * e;                                                          \\
            r[i + 1] = b[i + 1] - scale[i + 1] * f;                                              \\
            r[i + 2] = b[i + 2] - scale[i + 2] * g;                                              \\
            r[i + 3] = b[i + 3] - scale[i + 3] * h;                                              \\
            e = scale[i] * r[i];                                                                 \\
            f = scale[i + 1] * r[i + 1];                                                         \\
            g = scale[i + 2] * r[i + 2];                                                         \\
            h = scale[i + 3] * r[i + 3];                                                         \\
            for (ptrdiff_t from = 0; from < d; from += SKRAND_LS_CHUNK) {                        \\
                const ptrdiff_t to = from + SKRAND_LS_CHUNK < d ? from + SKRAND_LS_CHUNK : d;    \\
                SKRAND_LS_PREFETCH(REAL, p + ahead + 2 * d)                                      \\
                _Pragma("omp simd")                                                              \\
                for (ptrdiff_t j = from; j < to; j++)                                            \\
                    sum[j] += (e * ((double) p[j] - c[j]) + f * ((double) q[j] - c[j]))          \\
                            + (g * ((double) s[j] - c[j]) + h * ((double) t[j] - c[j]));         \\
            }                                                                                    \\
        }                                                                                        \\
        for (; i < rows; i++) {                                                                  \\
            const REAL *p = a + i * d;                                                           \\
            double e = 0.0;                                                                      \\
            _Pragma("omp simd reduction(+:e)")                                                   \\
            for (ptrdiff_t j = 0; j < d; j++)                                                    \\
                e += ((double) p[j] - c[j]) * x[j];                                              \\
            r[i] = b[i] - scale[i] * e;                                                          \\
            e = scale[i] * r[i];                                                                 \\
            _Pragma("omp simd")                                                                  \\
            for (ptrdiff_t j = 0; j < d; j++)                                                    \\
                sum[j] += e * ((double) p[j] - c[j]);                                            \\
        }                                                                                        \\
    }
    SKRAND_LS_SEGMENT(skrand_ls_segment_double, double)
    SKRAND_LS_SEGMENT(skrand_ls_segment_float, float)

    #define SKRAND_LS_SUMS(NAME, REAL)                                                           \\
    SKRAND_CLONES                                                                                \\
    static void NAME(const REAL *a, ptrdiff_t rows, ptrdiff_t d, const double *c,                \\
                     const double *weights, double *sum)                                         \\
    {                                                                                            \\
        for (ptrdiff_t i = 0; i < rows; i++) {                                                   \\
            const REAL *p = a + i * d;                                                           \\
            const double w = weights[i];                                                         \\
            _Pragma("omp simd")                                                                  \\
            for (ptrdiff_t j = 0; j < d; j++)                                                    \\
                sum[j] += w * ((double) p[j] - c[j]);                                            \\
        }                                                                                        \\
    }
    SKRAND_LS_SUMS(skrand_ls_sums_double, double)
    SKRAND_LS_SUMS(skrand_ls_sums_float, float)
    """
    void skrand_ls_segment_double(
        const double *a, Py_ssize_t rows, Py_ssize_t d, const double *c, const double *scale,
        const double *b, const double *x, double *r, double *sums) noexcept nogil
    void skrand_ls_segment_float(
        const float *a, Py_ssize_t rows, Py_ssize_t d, const double *c, const double *scale,
        const double *b, const double *x, double *r, double *sums) noexcept nogil
    void skrand_ls_sums_double(
        const double *a, Py_ssize_t rows, Py_ssize_t d, const double *c, const double *weights,
        double *sums) noexcept nogil
    void skrand_ls_sums_float(
        const float *a, Py_ssize_t rows, Py_ssize_t d, const double *c, const double *weights,
        double *sums) noexcept nogil


cdef int _check_edges(const int64_t[::1] edges, Py_ssize_t rows) except -1:
    cdef Py_ssize_t s
    if edges[0] != 0 or edges[edges.shape[0] - 1] != rows:
        raise ValueError("Shapes do not match.")
    for s in range(edges.shape[0] - 1):
        if edges[s] > edges[s + 1]:
            raise ValueError("The edges of the segments must not fall.")
    return 0


def weighted_sums(
    const floating[:, ::1] A,
    const double[::1] center,
    const double[::1] weights,
    double[:, ::1] sums,
    const int64_t[::1] edges,
    int threads,
):
    """Add, a row a segment, the weighted sums of the rows of A less the centre to `sums`.

    Segment s has the rows from ``edges[s]`` to ``edges[s + 1]``.
    """
    cdef Py_ssize_t d = A.shape[1], segments = edges.shape[0] - 1, s, first
    if not (
        weights.shape[0] == A.shape[0]
        and center.shape[0] == sums.shape[1] == d
        and sums.shape[0] == segments
    ):
        raise ValueError("Shapes do not match.")
    _check_edges(edges, A.shape[0])
    if d == 0 or A.shape[0] == 0:
        return
    for s in prange(segments, nogil=True, num_threads=threads, schedule="dynamic"):
        first = edges[s]
        if edges[s + 1] > first:
            if floating is double:
                skrand_ls_sums_double(
                    &A[first, 0], edges[s + 1] - first, d, &center[0], &weights[first],
                    &sums[s, 0])
            else:
                skrand_ls_sums_float(
                    &A[first, 0], edges[s + 1] - first, d, &center[0], &weights[first],
                    &sums[s, 0])


def residual(
    const floating[:, ::1] A,
    const double[::1] center,
    const double[::1] scale,
    const double[::1] b,
    const double[::1] x,
    double[::1] r,
    double[:, ::1] sums,
    const int64_t[::1] edges,
    int threads,
):
    """Fill ``r = b - M x`` and, a row a segment, ``M_s^T r_s``; M is A centred, then scaled.

    Segment s has the rows from ``edges[s]`` to ``edges[s + 1]``. `sums` is added to.
    """
    cdef Py_ssize_t d = A.shape[1], segments = edges.shape[0] - 1, s, first
    if not (
        scale.shape[0] == b.shape[0] == r.shape[0] == A.shape[0]
        and center.shape[0] == x.shape[0] == sums.shape[1] == d
        and sums.shape[0] == segments
    ):
        raise ValueError("Shapes do not match.")
    _check_edges(edges, A.shape[0])
    if d == 0 or A.shape[0] == 0:
        r[:] = b
        return
    for s in prange(segments, nogil=True, num_threads=threads, schedule="dynamic"):
        first = edges[s]
        if edges[s + 1] > first:
            if floating is double:
                skrand_ls_segment_double(
                    &A[first, 0], edges[s + 1] - first, d, &center[0], &scale[first],
                    &b[first], &x[0], &r[first], &sums[s, 0])
            else:
                skrand_ls_segment_float(
                    &A[first, 0], edges[s + 1] - first, d, &center[0], &scale[first],
                    &b[first], &x[0], &r[first], &sums[s, 0])


def sparse_residual(
    const floating[::1] data,
    const index_t[::1] indices,
    const index_t[::1] indptr,
    double shift,
    const double[::1] scale,
    const double[::1] b,
    const double[::1] x,
    double[::1] r,
    double[:, ::1] sums,
    const int64_t[::1] edges,
    int threads,
):
    """Do :func:`residual` for CSR rows, less the centre: fill ``r = b - scale (A x - shift)``.

    A row a segment, ``A_s^T (scale r)_s`` is added to `sums`.
    """
    cdef Py_ssize_t n = indptr.shape[0] - 1, segments = edges.shape[0] - 1, s, i
    cdef int wrong = 0
    if not (
        scale.shape[0] == b.shape[0] == r.shape[0] == n
        and x.shape[0] == sums.shape[1]
        and sums.shape[0] == segments
        and indices.shape[0] == data.shape[0]
    ):
        raise ValueError("Shapes do not match.")
    _check_edges(edges, n)
    if x.shape[0] == 0 or data.shape[0] == 0:
        for i in range(n):
            r[i] = b[i] + scale[i] * shift
        return
    for s in prange(segments, nogil=True, num_threads=threads, schedule="dynamic"):
        for i in range(edges[s], edges[s + 1]):
            if not 0 <= indptr[i] <= indptr[i + 1] <= data.shape[0]:
                wrong |= 1
                break
            wrong |= _sparse_row(
                &data[0] + indptr[i], &indices[0] + indptr[i], indptr[i + 1] - indptr[i],
                x.shape[0],
                shift, scale[i], b[i], &x[0], &sums[s, 0], &r[i])
    if wrong:
        raise ValueError("The indices of the sparse matrix are out of range.")


cdef inline int _sparse_row(
    const floating *data, const index_t *indices, index_t count, Py_ssize_t d, double shift,
    double scale, double b, const double *x, double *sums, double *r
) noexcept nogil:
    cdef double total = 0.0
    cdef index_t k
    for k in range(count):
        if not 0 <= indices[k] < d:
            return 1
        total += data[k] * x[indices[k]]
    r[0] = b - scale * (total - shift)
    total = scale * r[0]
    for k in range(count):
        sums[indices[k]] += data[k] * total
    return 0
