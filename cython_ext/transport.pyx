# distutils: extra_compile_args = -fno-trapping-math
"""One sweep over the costs of a transport problem, and the Newton system that comes out of it.

Rows are cut into segments by the shape alone. Each segment adds to column sums of its own, and
those are added in the order of the segments: the bits do not depend on the number of threads.
"""

from cython cimport floating
from cython.parallel cimport prange

from libc.stdint cimport int32_t, int64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy

import numpy as np

cdef extern from *:
    """
    #include <stdlib.h>
    #include <string.h>
    #include "kernels.h"

    /* exp for arguments in [-708, 708]: 2^k e^r with |r| <= log(2)/2, Taylor to degree 12 (error
     * below 2e-16) in Estrin's order. Inlined, unlike a library's, so it shares the loop with the
     * rest of the row. Adding 1.5 2^52 rounds to an integer: -ffast-math would remove it. */
    static inline double skrand_ot_exp(double t)
    {
        const double magic = 6755399441055744.0;
        double k = t * 1.4426950408889634074 + magic, whole = k - magic;
        double r = (t - whole * 6.93147180369123816490e-01) - whole * 1.90821492927058770002e-10;
        int64_t bits;
        double scale, r2 = r * r, r4 = r2 * r2;
        double q0 = 1.0 / 2 + r * (1.0 / 6), q1 = 1.0 / 24 + r * (1.0 / 120);
        double q2 = 1.0 / 720 + r * (1.0 / 5040), q3 = 1.0 / 40320 + r * (1.0 / 362880);
        double q4 = 1.0 / 3628800 + r * (1.0 / 39916800), q5 = 1.0 / 479001600;
        double q = (q0 + r2 * q1) + r4 * ((q2 + r2 * q3) + r4 * (q4 + r2 * q5));
        memcpy(&bits, &k, sizeof bits);
        bits = (int64_t) ((uint64_t) bits << 52) + 0x3ff0000000000000ll;
        memcpy(&scale, &bits, sizeof scale);
        return scale * (1.0 + (r + r2 * q));
    }

    SKRAND_CLONES
    static void skrand_ot_exps(const double *t, ptrdiff_t n, double *e)
    {
        #pragma omp simd
        for (ptrdiff_t j = 0; j < n; j++) {
            double x = t[j] < -708.0 ? -708.0 : t[j];
            x = x > 708.0 ? 708.0 : x;
            e[j] = skrand_ot_exp(x);
        }
    }

    /* Plan entries Q = P / a of a segment of rows, grown as they come. Single precision is enough:
     * with a diagonal made of the same numbers (see below) the Newton matrix is the Laplacian of a
     * graph whose weights are right to single precision, so its spectrum is, too, and it is
     * positive semi-definite exactly. */
    typedef struct {
        int32_t *column;
        float *value;
        ptrdiff_t count, room, limit;
        int failed;
    } skrand_ot_entries;

    static int skrand_ot_reserve(skrand_ot_entries *list, ptrdiff_t more)
    {
        ptrdiff_t room = list->room;
        int32_t *column;
        float *value;
        if (list->count + more <= room)
            return 0;
        while (room < list->count + more)
            room += room / 2 + 1024;
        column = (int32_t *) realloc(list->column, (size_t) room * sizeof(int32_t));
        if (column)
            list->column = column;
        value = (float *) realloc(list->value, (size_t) room * sizeof(float));
        if (value)
            list->value = value;
        if (!column || !value)
            return -1;
        list->room = room;
        return 0;
    }

    /* One row. In: t, the logarithms of the entries for the old potential; out: the new potential,
     * column sums and, if tau >= 0, the entries of Q above tau, the diagonal of Q^T A Q (first m
     * places of 'diagonal') and its row sums (the other m). */
    SKRAND_CLONES
    static double skrand_ot_row(
        double *t, double *e, int32_t *place, ptrdiff_t m, ptrdiff_t count, double cut,
        double weight, double old, double eps, double *sums, double *diagonal,
        double tau, skrand_ot_entries *list)
    {
        double s = 0.0, shift = 0.0, inverse;
        ptrdiff_t kept = m;
        int packed = 0;
        if (cut > -700.0 && 4 * count < m) {
            /* Few entries matter: gather their logarithms first, then take so many exps. */
            kept = 0;
            for (ptrdiff_t j = 0; j < m; j++) {
                place[kept] = (int32_t) j;
                e[kept] = t[j];
                kept += t[j] > cut;
            }
            for (ptrdiff_t k = 0; k < kept; k++) {
                double x = e[k] > 708.0 ? 708.0 : e[k];
                e[k] = skrand_ot_exp(x);
            }
            for (ptrdiff_t k = 0; k < kept; k++)
                s += e[k];
            packed = s > 1e-3 && s < 1e250;
        }
        if (!packed) {
            kept = m;
            s = 0.0;
            #pragma omp simd reduction(+:s)
            for (ptrdiff_t j = 0; j < m; j++) {
                double x = t[j] < -708.0 ? -708.0 : t[j];
                x = x > 708.0 ? 708.0 : x;
                x = skrand_ot_exp(x);
                x = t[j] < -707.0 ? 0.0 : x;
                e[j] = x;
                s += x;
            }
            if (!(s > 1e-250 && s < 1e250)) {
                /* The old potential is no good as a shift: take the true maximum. */
                shift = t[0];
                for (ptrdiff_t j = 1; j < m; j++)
                    shift = t[j] > shift ? t[j] : shift;
                s = 0.0;
                #pragma omp simd reduction(+:s)
                for (ptrdiff_t j = 0; j < m; j++) {
                    double y = t[j] - shift, x = y < -708.0 ? -708.0 : y;
                    x = skrand_ot_exp(x);
                    x = y < -707.0 ? 0.0 : x;
                    e[j] = x;
                    s += x;
                }
            }
        }
        inverse = weight / s;
        if (packed) {
            for (ptrdiff_t k = 0; k < kept; k++)
                sums[place[k]] += inverse * e[k];
        } else {
            #pragma omp simd
            for (ptrdiff_t j = 0; j < m; j++)
                sums[j] += inverse * e[j];
        }
        if (tau >= 0.0) {
            double least = tau * s, down = 1.0 / s, total = 0.0;
            if (list->count > list->limit) {
                list->failed |= 2;
            } else if (skrand_ot_reserve(list, kept)) {
                list->failed |= 1;
            } else {
                int32_t *column = list->column + list->count;
                float *value = list->value + list->count;
                ptrdiff_t n = 0;
                for (ptrdiff_t k = 0; k < kept; k++) {
                    column[n] = packed ? place[k] : (int32_t) k;
                    value[n] = (float) (e[k] * down);
                    n += e[k] > least;
                }
                for (ptrdiff_t k = 0; k < n; k++)
                    total += (double) value[k];
                for (ptrdiff_t k = 0; k < n; k++) {
                    double v = weight * (double) value[k];
                    diagonal[column[k]] += v * (double) value[k];
                    diagonal[m + column[k]] += v * total;
                }
                list->count += n;
            }
        }
        return old - eps * (log(s) + shift);
    }

    #define SKRAND_OT_LOGS(NAME, TYPE)                                                           \\
    SKRAND_CLONES                                                                                \\
    static ptrdiff_t NAME(                                                                       \\
        const TYPE *cost, const double *g, const double *logb, double f, double inverse,         \\
        double cut, ptrdiff_t m, double *t)                                                      \\
    {                                                                                            \\
        int64_t count = 0;                                                                       \\
        _Pragma("omp simd reduction(+:count)")                                                   \\
        for (ptrdiff_t j = 0; j < m; j++) {                                                      \\
            double x = ((g[j] - (double) cost[j]) + f) * inverse + logb[j];                      \\
            t[j] = x;                                                                            \\
            count += x > cut;                                                                    \\
        }                                                                                        \\
        return (ptrdiff_t) count;                                                                \\
    }
    SKRAND_OT_LOGS(skrand_ot_logs_f64, double)
    SKRAND_OT_LOGS(skrand_ot_logs_f32, float)

    /* Sum of exp(t) cost; an infinite cost has t = -inf and counts nothing. */
    #define SKRAND_OT_EXPECT(NAME, TYPE)                                                         \\
    SKRAND_CLONES                                                                                \\
    static double NAME(const double *t, const TYPE *cost, ptrdiff_t m)                           \\
    {                                                                                            \\
        double s = 0.0;                                                                          \\
        _Pragma("omp simd reduction(+:s)")                                                       \\
        for (ptrdiff_t j = 0; j < m; j++) {                                                      \\
            double x = t[j] < -708.0 ? -708.0 : t[j];                                            \\
            double y = t[j] < -707.0 ? 0.0 : (double) cost[j];                                   \\
            x = x > 708.0 ? 708.0 : x;                                                           \\
            s += skrand_ot_exp(x) * y;                                                           \\
        }                                                                                        \\
        return s;                                                                                \\
    }
    SKRAND_OT_EXPECT(skrand_ot_expect_f64, double)
    SKRAND_OT_EXPECT(skrand_ot_expect_f32, float)

    /* Squared distances of one point to all of Yt, which has one row a coordinate. */
    SKRAND_CLONES
    static void skrand_ot_distances(
        const double *x, const double *Yt, ptrdiff_t d, ptrdiff_t m, double scale, double *cost)
    {
        for (ptrdiff_t first = 0; first < m; first += 512) {
            ptrdiff_t take = m - first < 512 ? m - first : 512;
            double *out = cost + first;
            for (ptrdiff_t j = 0; j < take; j++)
                out[j] = 0.0;
            for (ptrdiff_t k = 0; k < d; k++) {
                const double *y = Yt + k * m + first;
                double xk = x[k];
                #pragma omp simd
                for (ptrdiff_t j = 0; j < take; j++)
                    out[j] += (xk - y[j]) * (xk - y[j]);
            }
            for (ptrdiff_t j = 0; j < take; j++)
                out[j] *= scale;
        }
    }

    /* out -= Q^T (a * (Q v)) for some rows. */
    static void skrand_ot_schur(
        const int64_t *indptr, const int32_t *column, const float *value, const double *a,
        ptrdiff_t first, ptrdiff_t last, const double *v, double *out)
    {
        for (ptrdiff_t i = first; i < last; i++) {
            double s0 = 0.0, s1 = 0.0;
            int64_t p = indptr[i], end = indptr[i + 1];
            for (; p + 1 < end; p += 2) {
                s0 += (double) value[p] * v[column[p]];
                s1 += (double) value[p + 1] * v[column[p + 1]];
            }
            if (p < end)
                s0 += (double) value[p] * v[column[p]];
            s0 = a[i] * (s0 + s1);
            for (p = indptr[i]; p < end; p++)
                out[column[p]] -= s0 * (double) value[p];
        }
    }
    """
    ctypedef struct skrand_ot_entries:
        int32_t* column
        float* value
        Py_ssize_t count
        Py_ssize_t room
        Py_ssize_t limit
        int failed

    void skrand_ot_exps(const double* t, Py_ssize_t n, double* e) nogil
    double skrand_ot_row(
        double* t, double* e, int32_t* place, Py_ssize_t m, Py_ssize_t count, double cut,
        double weight, double old, double eps, double* sums, double* diagonal, double tau,
        skrand_ot_entries* entries) nogil
    Py_ssize_t skrand_ot_logs_f64(
        const double* cost, const double* g, const double* logb, double f, double inverse,
        double cut, Py_ssize_t m, double* t) nogil
    Py_ssize_t skrand_ot_logs_f32(
        const float* cost, const double* g, const double* logb, double f, double inverse,
        double cut, Py_ssize_t m, double* t) nogil
    double skrand_ot_expect_f64(const double* t, const double* cost, Py_ssize_t m) nogil
    double skrand_ot_expect_f32(const double* t, const float* cost, Py_ssize_t m) nogil
    void skrand_ot_distances(
        const double* x, const double* Yt, Py_ssize_t d, Py_ssize_t m, double scale,
        double* cost) nogil
    void skrand_ot_schur(
        const int64_t* indptr, const int32_t* column, const float* value, const double* a,
        Py_ssize_t first, Py_ssize_t last, const double* v, double* out) nogil


cdef inline Py_ssize_t _share(Py_ssize_t n, Py_ssize_t part, Py_ssize_t parts) noexcept nogil:
    return n * part // parts


def vector_exp(const double[::1] t, double[::1] out):
    """Write the kernels' own exp of every entry, for its test."""
    if t.shape[0]:
        skrand_ot_exps(&t[0], t.shape[0], &out[0])


def row_pass(
    const floating[:, ::1] cost, const double[:, ::1] X, const double[:, ::1] Yt, double scale,
    const double[::1] a, const double[::1] logb, const double[::1] g, double[::1] f, double eps,
    double cut, double tau, Py_ssize_t limit, double[::1] sums, int n_threads,
):
    """Sweep once over the costs: new row potentials, column sums and the sparse plan.

    With ``X`` (n, d) and ``Yt`` (d, m) the costs are ``scale`` times the squared distances,
    computed on the way, and `cost` is not looked at. `f` holds the old potentials and is
    overwritten. Entries of Q = P / a above `tau` are returned as CSR, with the diagonal and then
    the row sums of ``Q^T diag(a) Q``; None if `tau` is negative, or if there are more than about
    `limit` of them. With `cut` above -700, entries whose logarithm
    relative to the old potential is below it count as zero in rows where they are the most.
    """
    cdef Py_ssize_t n = a.shape[0], m = logb.shape[0], d = 0, i, segment, j
    cdef Py_ssize_t segments = min(max(n * m // 32768, <Py_ssize_t> 1), min(n, <Py_ssize_t> 16))
    cdef double[:, ::1] work = np.empty((segments, 3 * m))
    cdef double[:, ::1] partial = np.zeros((segments, m))
    cdef double[:, ::1] partial_diagonal = np.zeros((segments if tau >= 0 else 1, 2 * m))
    cdef int32_t[:, ::1] place = np.empty((segments, m), dtype=np.int32)
    cdef int64_t[::1] indptr = np.zeros(n + 1, dtype=np.int64)
    cdef bint lazy = X is not None
    cdef double inverse = 1.0 / eps
    cdef Py_ssize_t count, start
    cdef double* t
    cdef double* row
    cdef double* diagonal
    cdef int failed = 0
    cdef int32_t[::1] columns
    cdef float[::1] values
    cdef skrand_ot_entries* lists = <skrand_ot_entries*> calloc(segments, sizeof(skrand_ot_entries))
    if lists == NULL:
        raise MemoryError()
    if lazy:
        d = X.shape[1]
    for segment in range(segments):
        lists[segment].limit = limit // segments
    n_threads = min(n_threads, <int> segments)
    for segment in prange(segments, nogil=True, num_threads=n_threads, schedule="dynamic"):
        t = &work[segment, 0]
        row = &work[segment, 2 * m]
        diagonal = &partial_diagonal[segment if tau >= 0 else 0, 0]
        for i in range(_share(n, segment, segments), _share(n, segment + 1, segments)):
            if lazy:
                skrand_ot_distances(&X[i, 0], &Yt[0, 0], d, m, scale, row)
                count = skrand_ot_logs_f64(row, &g[0], &logb[0], f[i], inverse, cut, m, t)
            elif floating is double:
                count = skrand_ot_logs_f64(&cost[i, 0], &g[0], &logb[0], f[i], inverse, cut, m, t)
            else:
                count = skrand_ot_logs_f32(&cost[i, 0], &g[0], &logb[0], f[i], inverse, cut, m, t)
            f[i] = skrand_ot_row(
                t, t + m, &place[segment, 0], m, count, cut, a[i], f[i], eps,
                &partial[segment, 0], diagonal, tau, &lists[segment],
            )
            indptr[i + 1] = lists[segment].count
    for j in range(m):
        sums[j] = 0.0
    for segment in range(segments):
        failed |= lists[segment].failed
        for j in range(m):
            sums[j] += partial[segment, j]
    result = None
    if tau >= 0 and not failed:
        start = 0
        for segment in range(segments):
            for i in range(_share(n, segment, segments), _share(n, segment + 1, segments)):
                indptr[i + 1] += start
            start += lists[segment].count
            if segment:
                for j in range(2 * m):
                    partial_diagonal[0, j] += partial_diagonal[segment, j]
        columns = np.empty(start, dtype=np.int32)
        values = np.empty(start, dtype=np.float32)
        start = 0
        for segment in range(segments):
            if lists[segment].count:
                count = lists[segment].count
                memcpy(&columns[start], lists[segment].column, count * sizeof(int32_t))
                memcpy(&values[start], lists[segment].value, count * sizeof(float))
                start += count
            # One segment at a time, so that there are never two copies of all entries.
            free(lists[segment].column)
            free(lists[segment].value)
            lists[segment].column = NULL
            lists[segment].value = NULL
        result = (
            np.asarray(indptr), np.asarray(columns), np.asarray(values),
            np.array(partial_diagonal[0]),
        )
    for segment in range(segments):
        free(lists[segment].column)
        free(lists[segment].value)
    free(lists)
    if failed & 1:
        raise MemoryError()
    return result


def row_costs(
    const floating[:, ::1] cost, const double[:, ::1] X, const double[:, ::1] Yt, double scale,
    const double[::1] a, const double[::1] logb, const double[::1] g, const double[::1] f,
    double eps, double[::1] out, int n_threads,
):
    """Write ``sum_j P_ij C_ij`` of every row, for the arguments of :func:`row_pass`."""
    cdef Py_ssize_t n = a.shape[0], m = logb.shape[0], d = 0, i, segment
    cdef Py_ssize_t segments = min(max(n * m // 32768, <Py_ssize_t> 1), min(n, <Py_ssize_t> 16))
    cdef double[:, ::1] work = np.empty((segments, 3 * m))
    cdef bint lazy = X is not None
    cdef double inverse = 1.0 / eps
    cdef double* t
    cdef double* row
    if lazy:
        d = X.shape[1]
    n_threads = min(n_threads, <int> segments)
    for segment in prange(segments, nogil=True, num_threads=n_threads, schedule="dynamic"):
        t = &work[segment, 0]
        row = &work[segment, 2 * m]
        for i in range(_share(n, segment, segments), _share(n, segment + 1, segments)):
            if lazy:
                skrand_ot_distances(&X[i, 0], &Yt[0, 0], d, m, scale, row)
                skrand_ot_logs_f64(row, &g[0], &logb[0], f[i], inverse, 0.0, m, t)
                out[i] = a[i] * skrand_ot_expect_f64(t, row, m)
            elif floating is double:
                skrand_ot_logs_f64(&cost[i, 0], &g[0], &logb[0], f[i], inverse, 0.0, m, t)
                out[i] = a[i] * skrand_ot_expect_f64(t, &cost[i, 0], m)
            else:
                skrand_ot_logs_f32(&cost[i, 0], &g[0], &logb[0], f[i], inverse, 0.0, m, t)
                out[i] = a[i] * skrand_ot_expect_f32(t, &cost[i, 0], m)


cdef void _product(
    const int64_t[::1] indptr, const int32_t[::1] columns, const float[::1] values,
    const double[::1] a, const double[::1] diagonal, const double[::1] v, double[:, ::1] partial,
    double[::1] out, int n_threads,
) noexcept nogil:
    cdef Py_ssize_t n = a.shape[0], m = diagonal.shape[0], segments = partial.shape[0]
    cdef Py_ssize_t segment, j
    for segment in prange(segments, num_threads=n_threads, schedule="dynamic"):
        for j in range(m):
            partial[segment, j] = 0.0
        skrand_ot_schur(
            &indptr[0], &columns[0], &values[0], &a[0], _share(n, segment, segments),
            _share(n, segment + 1, segments), &v[0], &partial[segment, 0],
        )
    for j in range(m):
        out[j] = diagonal[j] * v[j]
    for segment in range(segments):
        for j in range(m):
            out[j] += partial[segment, j]


def conjugate_gradients(
    const int64_t[::1] indptr, const int32_t[::1] columns, const float[::1] values,
    const double[::1] a, const double[::1] diagonal, const double[::1] preconditioner,
    const double[::1] rhs, double[::1] x, double rtol, int max_iter, int n_threads,
):
    """Solve ``(diag(diagonal) - Q^T diag(a) Q) x = rhs`` from zero; return the iterations.

    `preconditioner` holds the inverse of the diagonal. Stops at a residual of `rtol` times the
    right-hand side, both in the norm that the preconditioner defines, or where rounding has made
    the matrix indefinite.
    """
    cdef Py_ssize_t m = rhs.shape[0], j
    cdef Py_ssize_t segments = min(max(columns.shape[0] // 32768, <Py_ssize_t> 1), <Py_ssize_t> 16)
    cdef double[:, ::1] partial = np.empty((segments, m))
    cdef double[::1] r = np.array(rhs), p = np.empty(m), q = np.empty(m)
    cdef double rz = 0.0, new, curvature, alpha, beta, stop
    cdef int k = 0
    if columns.shape[0] == 0:
        for j in range(m):
            x[j] = rhs[j] * preconditioner[j]
        return 0
    n_threads = min(n_threads, <int> segments)
    with nogil:
        for j in range(m):
            x[j] = 0.0
            p[j] = preconditioner[j] * r[j]
            rz += r[j] * p[j]
        stop = rtol * rtol * rz
        while k < max_iter and rz > stop:
            _product(indptr, columns, values, a, diagonal, p, partial, q, n_threads)
            curvature = 0.0
            for j in range(m):
                curvature += p[j] * q[j]
            if not curvature > 0.0:
                break
            alpha = rz / curvature
            new = 0.0
            for j in range(m):
                x[j] += alpha * p[j]
                r[j] -= alpha * q[j]
                new += r[j] * r[j] * preconditioner[j]
            beta = new / rz
            rz = new
            for j in range(m):
                p[j] = preconditioner[j] * r[j] + beta * p[j]
            k += 1
    return k
