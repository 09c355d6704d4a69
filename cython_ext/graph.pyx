"""Graphs of points: the largest products of each row, and the dual of a doubly stochastic one.

Each row is worked on by one thread, in an order that the shape alone fixes: the bits do not depend
on the number of threads.
"""

from cython cimport floating
from cython.parallel cimport prange

from libc.stdint cimport int32_t, int64_t

cdef extern from *:
    """
    #include "kernels.h"

    #define SKRAND_TOP(TYPE, NAME, ABS)                                                          \\
    /* Move the q entries of largest magnitude to the front; return the least of them. */        \\
    static TYPE NAME##_select(TYPE *v, int32_t *c, ptrdiff_t count, ptrdiff_t q)                 \\
    {                                                                                            \\
        ptrdiff_t low = 0, high = count - 1;                                                     \\
        TYPE least;                                                                              \\
        while (low < high) {                                                                     \\
            TYPE x = ABS(v[low]), y = ABS(v[(low + high) / 2]), z = ABS(v[high]);                \\
            TYPE pivot = x > y ? (y > z ? y : (x > z ? z : x)) : (x > z ? x : (y > z ? z : y));  \\
            ptrdiff_t i = low, j = high;                                                         \\
            while (i <= j) {                                                                     \\
                while (ABS(v[i]) > pivot) i++;                                                   \\
                while (ABS(v[j]) < pivot) j--;                                                   \\
                if (i <= j) {                                                                    \\
                    TYPE t = v[i]; int32_t s = c[i];                                             \\
                    v[i] = v[j]; c[i] = c[j];                                                    \\
                    v[j] = t; c[j] = s;                                                          \\
                    i++; j--;                                                                    \\
                }                                                                                \\
            }                                                                                    \\
            if (q - 1 <= j) high = j;                                                            \\
            else if (q - 1 >= i) low = i;                                                        \\
            else break;                                                                          \\
        }                                                                                        \\
        least = ABS(v[0]);                                                                       \\
        for (ptrdiff_t k = 1; k < q; k++)                                                        \\
            least = ABS(v[k]) < least ? ABS(v[k]) : least;                                       \\
        return least;                                                                            \\
    }                                                                                            \\
    /* Sort by column: shell sort, for some tens of entries. */                                  \\
    static void NAME##_sort(TYPE *v, int32_t *c, ptrdiff_t n)                                    \\
    {                                                                                            \\
        static const ptrdiff_t gaps[] = {701, 301, 132, 57, 23, 10, 4, 1};                       \\
        for (int g = 0; g < 8; g++) {                                                            \\
            for (ptrdiff_t i = gaps[g]; i < n; i++) {                                            \\
                int32_t column = c[i];                                                           \\
                TYPE value = v[i];                                                               \\
                ptrdiff_t j = i;                                                                 \\
                for (; j >= gaps[g] && c[j - gaps[g]] > column; j -= gaps[g]) {                  \\
                    c[j] = c[j - gaps[g]];                                                       \\
                    v[j] = v[j - gaps[g]];                                                       \\
                }                                                                                \\
                c[j] = column;                                                                   \\
                v[j] = value;                                                                    \\
            }                                                                                    \\
        }                                                                                        \\
    }                                                                                            \\
    static inline int32_t NAME##_hits(const TYPE *t, ptrdiff_t m, TYPE bar)                      \\
    {                                                                                            \\
        int32_t hits = 0;                                                                        \\
        _Pragma("omp simd reduction(+:hits)")                                                    \\
        for (ptrdiff_t j = 0; j < m; j++)                                                        \\
            hits += ABS(t[j]) > bar;                                                             \\
        return hits;                                                                             \\
    }                                                                                            \\
    /* Scan one row of a tile, for what exceeds the bar, 64 entries at a time, then 8, then one. \\
     * Up to 2 q are kept; then the smaller half goes and the bar rises. */                      \\
    SKRAND_CLONES                                                                                \\
    static void NAME##_scan(                                                                     \\
        const TYPE *t, ptrdiff_t m, ptrdiff_t first, ptrdiff_t skip, ptrdiff_t q,                \\
        TYPE *v, int32_t *c, int32_t *count, TYPE *bar)                                          \\
    {                                                                                            \\
        ptrdiff_t n = *count;                                                                    \\
        TYPE least = *bar;                                                                       \\
        for (ptrdiff_t start = 0; start < m; start += 64) {                                      \\
            ptrdiff_t end = start + 64 < m ? start + 64 : m;                                     \\
            if (end - start == 64 && !NAME##_hits(t + start, 64, least))                         \\
                continue;                                                                        \\
            for (ptrdiff_t part = start; part < end; part += 8) {                                \\
                ptrdiff_t stop = part + 8 < end ? part + 8 : end;                                \\
                if (stop - part == 8 && !NAME##_hits(t + part, 8, least))                        \\
                    continue;                                                                    \\
                for (ptrdiff_t j = part; j < stop; j++) {                                        \\
                    if (ABS(t[j]) > least && j != skip) {                                        \\
                        v[n] = t[j];                                                             \\
                        c[n++] = (int32_t) (first + j);                                          \\
                        if (n == 2 * q) {                                                        \\
                            least = NAME##_select(v, c, n, q);                                   \\
                            n = q;                                                               \\
                        }                                                                        \\
                    }                                                                            \\
                }                                                                                \\
            }                                                                                    \\
        }                                                                                        \\
        *count = (int32_t) n;                                                                    \\
        *bar = least;                                                                            \\
    }
    SKRAND_TOP(float, skrand_top_f32, fabsf)
    SKRAND_TOP(double, skrand_top_f64, fabs)

    /* One row of the dual: sum of the positive parts, of their squares, and their number. */
    static ptrdiff_t skrand_dual_row(
        const int32_t *column, const double *c, ptrdiff_t m, double own, const double *a,
        double *sum, double *square)
    {
        double s = 0.0, s2 = 0.0;
        ptrdiff_t n = 0;
        for (ptrdiff_t k = 0; k < m; k++) {
            double x = own + a[column[k]] + c[k];
            x = x > 0.0 ? x : 0.0;
            s += x;
            s2 += x * x;
            n += x > 0.0;
        }
        *sum = s;
        *square = s2;
        return n;
    }
    """
    float skrand_top_f32_select(float *v, int32_t *c, ptrdiff_t count, ptrdiff_t q) nogil
    double skrand_top_f64_select(double *v, int32_t *c, ptrdiff_t count, ptrdiff_t q) nogil
    void skrand_top_f32_sort(float *v, int32_t *c, ptrdiff_t n) nogil
    void skrand_top_f64_sort(double *v, int32_t *c, ptrdiff_t n) nogil
    void skrand_top_f32_scan(
        const float *t, ptrdiff_t m, ptrdiff_t first, ptrdiff_t skip, ptrdiff_t q, float *v,
        int32_t *c, int32_t *count, float *bar) nogil
    void skrand_top_f64_scan(
        const double *t, ptrdiff_t m, ptrdiff_t first, ptrdiff_t skip, ptrdiff_t q, double *v,
        int32_t *c, int32_t *count, double *bar) nogil
    ptrdiff_t skrand_dual_row(
        const int32_t *column, const double *c, ptrdiff_t m, double own, const double *a,
        double *sum, double *square) nogil


def top_scan(
    const floating[:, ::1] tile, ptrdiff_t row, ptrdiff_t column, floating[:, ::1] values,
    int32_t[:, ::1] columns, int32_t[::1] counts, floating[::1] bars,
):
    """Add a tile of products to the largest ones of its rows.

    Parameters
    ----------
    tile : memoryview of shape (b, m)
        Products; entry (i, j) belongs to row ``row + i`` and column ``column + j`` of the whole.
        Those with equal row and column are passed over; a negative `row` keeps them.
    values, columns : memoryviews of shape (b, 2 q)
        What is kept so far.
    counts, bars : memoryviews of shape (b,)
        How many are kept, and what a new one has to exceed in magnitude.
    """
    cdef ptrdiff_t i, skip, b = tile.shape[0], m = tile.shape[1], q = values.shape[1] // 2
    if values.shape[0] < b or columns.shape[0] < b or counts.shape[0] < b or bars.shape[0] < b:
        raise ValueError("the buffers have fewer rows than the tile")
    if columns.shape[1] < 2 * q or q < 1:
        raise ValueError("the buffers must have the same even number of columns")
    with nogil:
        for i in range(b):
            skip = row + i - column if row >= 0 else -1
            if floating is float:
                skrand_top_f32_scan(
                    &tile[i, 0], m, column, skip, q, &values[i, 0], &columns[i, 0], &counts[i],
                    &bars[i])
            else:
                skrand_top_f64_scan(
                    &tile[i, 0], m, column, skip, q, &values[i, 0], &columns[i, 0], &counts[i],
                    &bars[i])


def top_finish(floating[:, ::1] values, int32_t[:, ::1] columns, int32_t[::1] counts):
    """Leave the q largest entries of each row in front, by column; set the counts to at most q."""
    cdef ptrdiff_t i, b = values.shape[0], q = values.shape[1] // 2
    if columns.shape[0] < b or columns.shape[1] < 2 * q or counts.shape[0] < b:
        raise ValueError("the buffers do not have the same shape")
    with nogil:
        for i in range(b):
            if floating is float:
                if counts[i] > q:
                    skrand_top_f32_select(&values[i, 0], &columns[i, 0], counts[i], q)
                    counts[i] = <int32_t> q
                skrand_top_f32_sort(&values[i, 0], &columns[i, 0], counts[i])
            else:
                if counts[i] > q:
                    skrand_top_f64_select(&values[i, 0], &columns[i, 0], counts[i], q)
                    counts[i] = <int32_t> q
                skrand_top_f64_sort(&values[i, 0], &columns[i, 0], counts[i])


def dual_pass(
    const int64_t[::1] indptr, const int32_t[::1] indices, const double[::1] data,
    const double[::1] a, double[::1] sums, double[::1] squares, int32_t[::1] counts, int threads,
):
    """Sum the positive parts of ``a_i + a_j + C_ij`` along each row of a sparse C, and more.

    Parameters
    ----------
    indptr, indices, data : memoryviews
        C, in rows.
    a : memoryview of shape (n,)
        The dual variable.
    sums, squares, counts : memoryviews of shape (n,)
        Sum, sum of squares and number of the positive parts, by row.
    """
    cdef ptrdiff_t i, n = a.shape[0]
    _check_graph(indptr, indices, n)
    if data.shape[0] < indptr[n] or sums.shape[0] < n or squares.shape[0] < n \
            or counts.shape[0] < n:
        raise ValueError("the arrays do not have the same length")
    if indptr[n] == 0:
        for i in range(n):
            sums[i], squares[i], counts[i] = 0.0, 0.0, 0
        return
    for i in prange(n, nogil=True, num_threads=threads, schedule="static"):
        counts[i] = <int32_t> skrand_dual_row(
            &indices[0] + indptr[i], &data[0] + indptr[i], indptr[i + 1] - indptr[i], a[i],
            &a[0], &sums[i], &squares[i])


def active_columns(
    const int64_t[::1] indptr, const int32_t[::1] indices, const double[::1] data,
    const double[::1] a, const int64_t[::1] starts, int32_t[::1] active, int threads,
):
    """List the columns whose positive part is not zero, row by row.

    `starts` of shape (n + 1,) is the running sum of the counts of :func:`dual_pass` at the same a.
    """
    cdef ptrdiff_t i, n = a.shape[0]
    cdef int64_t k, at
    _check_graph(indptr, indices, n)
    if starts.shape[0] < n + 1 or active.shape[0] < starts[n] or data.shape[0] < indptr[n]:
        raise ValueError("the arrays do not have the same length")
    for i in prange(n, nogil=True, num_threads=threads, schedule="static"):
        at = starts[i]
        for k in range(indptr[i], indptr[i + 1]):
            if a[i] + a[indices[k]] + data[k] > 0.0 and at < starts[i + 1]:
                active[at] = indices[k]
                at = at + 1


def pattern_product(
    const int64_t[::1] starts, const int32_t[::1] columns, const double[::1] v, double[::1] out,
    int threads,
):
    """Set ``out_i`` to the sum of ``v_i + v_j`` over the listed columns j of row i."""
    cdef ptrdiff_t i, n = v.shape[0]
    cdef int64_t k
    cdef double s
    _check_graph(starts, columns, n)
    if out.shape[0] < n:
        raise ValueError("the arrays do not have the same length")
    for i in prange(n, nogil=True, num_threads=threads, schedule="static"):
        s = 0.0
        for k in range(starts[i], starts[i + 1]):
            s = s + v[columns[k]]
        out[i] = s + v[i] * <double> (starts[i + 1] - starts[i])


cdef int _check_graph(
    const int64_t[::1] indptr, const int32_t[::1] indices, ptrdiff_t n
) except -1:
    """Check the shape; that the columns are below n is scipy.sparse's to keep."""
    if indptr.shape[0] != n + 1 or indptr[0] != 0 or indices.shape[0] < indptr[n]:
        raise ValueError("the rows of the graph do not fit its number of entries")
    return 0
