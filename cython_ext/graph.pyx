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
    #include <string.h>

    #define SKRAND_TOP(TYPE, BITS, NAME, ABS)                                                    \\
    static inline TYPE NAME##_value(BITS bits)                                                   \\
    {                                                                                            \\
        TYPE value;                                                                              \\
        memcpy(&value, &bits, sizeof value);                                                     \\
        return value;                                                                            \\
    }                                                                                            \\
    static inline BITS NAME##_bits(TYPE value)                                                   \\
    {                                                                                            \\
        BITS bits;                                                                               \\
        memcpy(&bits, &value, sizeof bits);                                                      \\
        return bits;                                                                             \\
    }                                                                                            \\
    static inline int32_t NAME##_above(const TYPE *v, ptrdiff_t n, TYPE bar)                     \\
    {                                                                                            \\
        int32_t count = 0;                                                                       \\
        _Pragma("omp simd reduction(+:count)")                                                   \\
        for (ptrdiff_t k = 0; k < n; k++)                                                        \\
            count += ABS(v[k]) > bar;                                                            \\
        return count;                                                                            \\
    }                                                                                            \\
    /* Of n > q entries above the bar keep the q largest in magnitude, in their order, or any    \\
     * set of at most `most` that holds these; return how many and raise the bar. Of equal ones  \\
     * the first are kept. Bits of positive numbers are ordered as the numbers are: bisection    \\
     * over them ends, and its steps are vector code without branches. */                        \\
    SKRAND_CLONES                                                                                \\
    static ptrdiff_t NAME##_keep(                                                                \\
        TYPE *v, int32_t *c, ptrdiff_t n, ptrdiff_t q, ptrdiff_t most, TYPE *bar)                \\
    {                                                                                            \\
        ptrdiff_t above = n, kept = 0, equal = 0;                                                \\
        TYPE largest = 0;                                                                        \\
        _Pragma("omp simd reduction(max:largest)")                                               \\
        for (ptrdiff_t k = 0; k < n; k++)                                                        \\
            largest = ABS(v[k]) > largest ? ABS(v[k]) : largest;                                 \\
        /* At least q are above low, and fewer above high. */                                    \\
        BITS low = NAME##_bits(*bar), high = NAME##_bits(largest);                               \\
        while (above > most && high - low > 1) {                                                 \\
            BITS middle = low + (high - low) / 2;                                                \\
            ptrdiff_t count = NAME##_above(v, n, NAME##_value(middle));                          \\
            if (count >= q) {                                                                    \\
                low = middle;                                                                    \\
                above = count;                                                                   \\
            }                                                                                    \\
            else                                                                                 \\
                high = middle;                                                                   \\
        }                                                                                        \\
        if (above > most) {                                                                      \\
            /* Entries of magnitude high are the q-th to the above-th largest. */                \\
            low = high;                                                                          \\
            equal = q - NAME##_above(v, n, NAME##_value(high));                                  \\
        }                                                                                        \\
        *bar = NAME##_value(low);                                                                \\
        for (ptrdiff_t k = 0; k < n; k++) {                                                      \\
            TYPE value = v[k];                                                                   \\
            int tie = (ABS(value) == *bar) & (equal > 0);                                        \\
            v[kept] = value;                                                                     \\
            c[kept] = c[k];                                                                      \\
            kept += (ABS(value) > *bar) | tie;                                                   \\
            equal -= tie;                                                                        \\
        }                                                                                        \\
        return kept;                                                                             \\
    }                                                                                            \\
    /* Mark which of 64 entries exceed the bar, one byte each; return whether any does. */       \\
    static inline int NAME##_marked(const TYPE *t, TYPE bar, unsigned char *hit)                 \\
    {                                                                                            \\
        uint64_t any[8];                                                                         \\
        _Pragma("omp simd")                                                                      \\
        for (int j = 0; j < 64; j++)                                                             \\
            hit[j] = ABS(t[j]) > bar;                                                            \\
        memcpy(any, hit, 64);                                                                    \\
        return (any[0] | any[1] | any[2] | any[3] | any[4] | any[5] | any[6] | any[7]) != 0;     \\
    }                                                                                            \\
    /* Scan one row of a tile for what exceeds the bar: 64 entries at a time, of these 8 at a    \\
     * time, and those without branches. Rows have room for `width` entries, of which the        \\
     * smallest go when 8 more might not fit. */                                                 \\
    SKRAND_CLONES                                                                                \\
    static void NAME##_scan(                                                                     \\
        const TYPE *t, ptrdiff_t m, ptrdiff_t first, ptrdiff_t skip, ptrdiff_t q,                \\
        ptrdiff_t width, TYPE *v, int32_t *c, int32_t *count, TYPE *bar)                         \\
    {                                                                                            \\
        ptrdiff_t n = *count;                                                                    \\
        TYPE least = *bar, rest[64];                                                             \\
        unsigned char hit[64];                                                                   \\
        for (ptrdiff_t start = 0; start < m; start += 64) {                                      \\
            const TYPE *block = t + start;                                                       \\
            if (m - start < 64) {                                                                \\
                memset(rest, 0, sizeof rest);                                                    \\
                memcpy(rest, block, (m - start) * sizeof(TYPE));                                 \\
                block = rest;                                                                    \\
            }                                                                                    \\
            if (!NAME##_marked(block, least, hit))                                               \\
                continue;                                                                        \\
            if (skip >= start && skip < start + 64)                                              \\
                hit[skip - start] = 0;                                                           \\
            for (int part = 0; part < 64; part += 8) {                                           \\
                uint64_t any;                                                                    \\
                memcpy(&any, hit + part, 8);                                                     \\
                if (!any)                                                                        \\
                    continue;                                                                    \\
                for (int j = part; j < part + 8; j++) {                                          \\
                    v[n] = block[j];                                                             \\
                    c[n] = (int32_t) (first + start + j);                                        \\
                    n += hit[j];                                                                 \\
                }                                                                                \\
                if (n + 8 > width)                                                               \\
                    n = NAME##_keep(v, c, n, q, q + (width - q) / 4, &least);                    \\
            }                                                                                    \\
        }                                                                                        \\
        *count = (int32_t) n;                                                                    \\
        *bar = least;                                                                            \\
    }
    SKRAND_TOP(float, uint32_t, skrand_top_f32, fabsf)
    SKRAND_TOP(double, uint64_t, skrand_top_f64, fabs)

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
    ptrdiff_t skrand_top_f32_keep(
        float *v, int32_t *c, ptrdiff_t n, ptrdiff_t q, ptrdiff_t most, float *bar) nogil
    ptrdiff_t skrand_top_f64_keep(
        double *v, int32_t *c, ptrdiff_t n, ptrdiff_t q, ptrdiff_t most, double *bar) nogil
    void skrand_top_f32_scan(
        const float *t, ptrdiff_t m, ptrdiff_t first, ptrdiff_t skip, ptrdiff_t q, ptrdiff_t width,
        float *v, int32_t *c, int32_t *count, float *bar) nogil
    void skrand_top_f64_scan(
        const double *t, ptrdiff_t m, ptrdiff_t first, ptrdiff_t skip, ptrdiff_t q,
        ptrdiff_t width, double *v, int32_t *c, int32_t *count, double *bar) nogil
    ptrdiff_t skrand_dual_row(
        const int32_t *column, const double *c, ptrdiff_t m, double own, const double *a,
        double *sum, double *square) nogil


#: Entries that a row of the buffers must have room for beyond the q to be kept.
cdef enum:
    _SPARE = 16


def top_scan(
    const floating[:, ::1] tile, ptrdiff_t row, ptrdiff_t column, ptrdiff_t q,
    floating[:, ::1] values, int32_t[:, ::1] columns, int32_t[::1] counts, floating[::1] bars,
):
    """Add a tile of products to the largest ones of its rows.

    Parameters
    ----------
    tile : memoryview of shape (b, m)
        Products; entry (i, j) belongs to row ``row + i`` and column ``column + j`` of the whole.
        Those with equal row and column are passed over; a negative `row` keeps them.
    q : int
        How many of each row are wanted.
    values, columns : memoryviews of shape (b, width)
        What is kept so far, the q largest among it, in the order it came; ``width >= q + 16``.
    counts, bars : memoryviews of shape (b,)
        How many are kept, and what a new one has to exceed in magnitude.
    """
    cdef ptrdiff_t i, skip, b = tile.shape[0], m = tile.shape[1], width = values.shape[1]
    _check_buffers(b, q, width, values.shape[0], columns, counts, bars.shape[0])
    with nogil:
        for i in range(b):
            skip = row + i - column if row >= 0 else -1
            if floating is float:
                skrand_top_f32_scan(
                    &tile[i, 0], m, column, skip, q, width, &values[i, 0], &columns[i, 0],
                    &counts[i], &bars[i])
            else:
                skrand_top_f64_scan(
                    &tile[i, 0], m, column, skip, q, width, &values[i, 0], &columns[i, 0],
                    &counts[i], &bars[i])


def top_finish(
    ptrdiff_t q, floating[:, ::1] values, int32_t[:, ::1] columns, int32_t[::1] counts,
    floating[::1] bars,
):
    """Leave the q largest entries of each row in front, in the order they came; fewer if fewer.

    Of entries of equal magnitude the first stay. The counts are then at most q.
    """
    cdef ptrdiff_t i, b = values.shape[0]
    _check_buffers(b, q, values.shape[1], b, columns, counts, bars.shape[0])
    with nogil:
        for i in range(b):
            if counts[i] <= q:
                continue
            if floating is float:
                counts[i] = <int32_t> skrand_top_f32_keep(
                    &values[i, 0], &columns[i, 0], counts[i], q, q, &bars[i])
            else:
                counts[i] = <int32_t> skrand_top_f64_keep(
                    &values[i, 0], &columns[i, 0], counts[i], q, q, &bars[i])


cdef int _check_buffers(
    ptrdiff_t b, ptrdiff_t q, ptrdiff_t width, ptrdiff_t rows, const int32_t[:, ::1] columns,
    const int32_t[::1] counts, ptrdiff_t bars,
) except -1:
    if rows < b or columns.shape[0] < b or counts.shape[0] < b or bars < b:
        raise ValueError("the buffers have fewer rows than the tile")
    if q < 1 or width < q + _SPARE or columns.shape[1] != width:
        raise ValueError("the buffers have no room for the entries to keep and 16 more")
    return 0


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
