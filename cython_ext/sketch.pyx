# distutils: extra_compile_args = -ffp-contract=off
"""Sparse sign sketches (CountSketch is the one with one entry a column) and the block SRHT.

Each thread owns a range of the output and goes through all rows in their order. So every entry
of the output is the same sum, added in the same order, for any number of threads and, where a
row is added on its own (sparse sign), for any cutting of the rows into chunks.
"""

from cython cimport floating
from cython.parallel cimport prange

from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc

ctypedef fused index_t:
    int32_t
    int64_t

cdef extern from *:
    """
    #include <string.h>
    #include "kernels.h"

    #if defined(__GNUC__)
    #define SKRAND_PREFETCH(p) __builtin_prefetch((p), 1)
    #else
    #define SKRAND_PREFETCH(p) ((void) (p))
    #endif

    /* ---- sparse sign ---------------------------------------------------------------------
     * Entry k of row i is word number i * nnz + k of the stream: 31 bits choose the place in
     * the k-th slice of the sketch, the last one is the sign. */
    #define SKRAND_STREAM_HASH 3u

    SKRAND_CLONES
    static void skrand_hash(
        uint64_t seed, uint64_t first, ptrdiff_t count, uint32_t *words)
    {
        uint32_t x[4][SKRAND_LANES], one[4];
        ptrdiff_t done = 0;
        uint64_t counter = first >> 2;
        int skip = (int) (first & 3);
        if (skip) {
            skrand_philox(seed, counter++, 0, SKRAND_STREAM_HASH, one);
            for (; skip < 4 && done < count; skip++)
                words[done++] = one[skip];
        }
        while (count - done >= 4 * SKRAND_LANES) {
            for (int i = 0; i < SKRAND_LANES; i++) {
                x[0][i] = (uint32_t) (counter + (uint64_t) i);
                x[1][i] = (uint32_t) ((counter + (uint64_t) i) >> 32);
                x[2][i] = 0;
                x[3][i] = SKRAND_STREAM_HASH;
            }
            skrand_philox_lanes(seed, x);
            for (int i = 0; i < SKRAND_LANES; i++)
                for (int w = 0; w < 4; w++)
                    words[done + 4 * i + w] = x[w][i];
            done += 4 * SKRAND_LANES;
            counter += SKRAND_LANES;
        }
        while (done < count) {
            skrand_philox(seed, counter++, 0, SKRAND_STREAM_HASH, one);
            for (int w = 0; w < 4 && done < count; w++)
                words[done++] = one[w];
        }
    }

    /* Words of `rows` rows to places: place[] is the row of the sketch, value[] +-weight. */
    SKRAND_CLONES
    static void skrand_places(
        const uint32_t *words, ptrdiff_t rows, int nnz, const int32_t *edges,
        const double *scale, double value, int32_t *place, double *values)
    {
        for (ptrdiff_t i = 0; i < rows; i++) {
            double plus = scale ? value * scale[i] : value;
            for (int k = 0; k < nnz; k++) {
                uint32_t word = words[i * nnz + k];
                uint64_t width = (uint64_t) (edges[k + 1] - edges[k]);
                place[i * nnz + k] = edges[k] + (int32_t) (((word >> 1) * width) >> 31);
                /* No branch: it would be mispredicted every other time. */
                values[i * nnz + k] = plus * (1.0 - 2.0 * (double) (int) (word & 1));
            }
        }
    }

    /* out[place] += value * row, for `rows` rows of which each is contiguous. Only places in
     * [low, high) are touched. */
    #define SKRAND_ADD_ROWS(NAME, TYPE)                                                          \\
    SKRAND_CLONES                                                                                \\
    static void NAME(                                                                            \\
        const TYPE *x, ptrdiff_t row_stride, ptrdiff_t rows, ptrdiff_t columns, int nnz,         \\
        const int32_t *place, const double *values, int32_t low, int32_t high,                   \\
        double *out, ptrdiff_t out_stride)                                                       \\
    {                                                                                            \\
        ptrdiff_t entries = rows * nnz;                                                          \\
        for (ptrdiff_t i = 0; i < rows; i++) {                                                   \\
            const TYPE *row = x + i * row_stride;                                                \\
            for (ptrdiff_t e = i * nnz; e < (i + 1) * nnz; e++) {                                \\
                if (place[e] < low || place[e] >= high)                                          \\
                    continue;                                                                    \\
                if (e + 2 < entries) {                                                           \\
                    double *next = out + place[e + 2] * out_stride;                              \\
                    for (ptrdiff_t j = 0; j < columns; j += 8)                                   \\
                        SKRAND_PREFETCH(next + j);                                               \\
                }                                                                                \\
                double v = values[e];                                                            \\
                double *target = out + place[e] * out_stride;                                    \\
                for (ptrdiff_t j = 0; j < columns; j++)                                          \\
                    target[j] += v * (double) row[j];                                            \\
            }                                                                                    \\
        }                                                                                        \\
    }
    SKRAND_ADD_ROWS(skrand_add_rows_f64, double)
    SKRAND_ADD_ROWS(skrand_add_rows_f32, float)

    /* tile = X, in C order, eight columns at a time: the reads follow eight streams, and each
     * cache line of the tile is written once. */
    #define SKRAND_GATHER(NAME, TYPE)                                                            \\
    static void NAME(                                                                            \\
        const TYPE *x, ptrdiff_t row_stride, ptrdiff_t column_stride,                            \\
        ptrdiff_t rows, ptrdiff_t columns, TYPE *tile)                                           \\
    {                                                                                            \\
        for (ptrdiff_t first = 0; first < columns; first += 8) {                                 \\
            ptrdiff_t take = columns - first < 8 ? columns - first : 8;                          \\
            const TYPE *source = x + first * column_stride;                                      \\
            for (ptrdiff_t i = 0; i < rows; i++)                                                 \\
                for (ptrdiff_t j = 0; j < take; j++)                                             \\
                    tile[i * columns + first + j] = source[i * row_stride + j * column_stride];  \\
        }                                                                                        \\
    }
    SKRAND_GATHER(skrand_gather_f64, double)
    SKRAND_GATHER(skrand_gather_f32, float)

    /* ---- fast Walsh-Hadamard transform ---------------------------------------------------
     * Of the rows of a (size, width) array, in place, not normalized. The butterflies at
     * distance h combine runs of h * width contiguous elements, so the inner loops are long
     * even for one column. Three levels at a time. */
    #define SKRAND_FWHT(NAME, TYPE)                                                              \\
    static void NAME(TYPE *restrict x, ptrdiff_t size, ptrdiff_t width)                          \\
    {                                                                                            \\
        ptrdiff_t total = size * width, run = width;                                             \\
        while (run * 8 <= total) {                                                               \\
            for (ptrdiff_t s = 0; s < total; s += 8 * run) {                                     \\
                TYPE *p0 = x + s, *p1 = p0 + run, *p2 = p1 + run, *p3 = p2 + run;                \\
                TYPE *p4 = p3 + run, *p5 = p4 + run, *p6 = p5 + run, *p7 = p6 + run;             \\
                SKRAND_IVDEP                                                                     \\
                for (ptrdiff_t j = 0; j < run; j++) {                                            \\
                    TYPE a0 = p0[j] + p1[j], a1 = p0[j] - p1[j];                                 \\
                    TYPE a2 = p2[j] + p3[j], a3 = p2[j] - p3[j];                                 \\
                    TYPE a4 = p4[j] + p5[j], a5 = p4[j] - p5[j];                                 \\
                    TYPE a6 = p6[j] + p7[j], a7 = p6[j] - p7[j];                                 \\
                    TYPE b0 = a0 + a2, b1 = a1 + a3, b2 = a0 - a2, b3 = a1 - a3;                 \\
                    TYPE b4 = a4 + a6, b5 = a5 + a7, b6 = a4 - a6, b7 = a5 - a7;                 \\
                    p0[j] = b0 + b4; p1[j] = b1 + b5; p2[j] = b2 + b6; p3[j] = b3 + b7;          \\
                    p4[j] = b0 - b4; p5[j] = b1 - b5; p6[j] = b2 - b6; p7[j] = b3 - b7;          \\
                }                                                                                \\
            }                                                                                    \\
            run *= 8;                                                                            \\
        }                                                                                        \\
        while (run < total) {                                                                    \\
            for (ptrdiff_t s = 0; s < total; s += 2 * run) {                                     \\
                TYPE *p0 = x + s, *p1 = p0 + run;                                                \\
                SKRAND_IVDEP                                                                     \\
                for (ptrdiff_t j = 0; j < run; j++) {                                            \\
                    TYPE a = p0[j] + p1[j], b = p0[j] - p1[j];                                   \\
                    p0[j] = a; p1[j] = b;                                                        \\
                }                                                                                \\
            }                                                                                    \\
            run *= 2;                                                                            \\
        }                                                                                        \\
    }
    #if defined(__GNUC__) && !defined(__clang__)
    #define SKRAND_IVDEP _Pragma("GCC ivdep")
    #else
    #define SKRAND_IVDEP
    #endif
    SKRAND_FWHT(skrand_fwht_f64, double)
    SKRAND_FWHT(skrand_fwht_f32, float)

    /* ---- block SRHT ----------------------------------------------------------------------
     * Block b of `size` rows contributes L R H D times the block: D and L are signs, R takes m
     * of the `size` rows in random order. */
    #define SKRAND_STREAM_IN 4u
    #define SKRAND_STREAM_PICK 5u
    #define SKRAND_STREAM_OUT 6u

    static inline int skrand_bit(const uint32_t *words, ptrdiff_t i)
    {
        return (int) ((words[i >> 5] >> (i & 31)) & 1);
    }

    /* in[] : the sign of each of the `size` rows. */
    static void skrand_srht_in(uint64_t seed, uint64_t block, ptrdiff_t size, double *in)
    {
        uint32_t words[4];
        uint64_t first = block * (uint64_t) size;
        for (ptrdiff_t i = 0; i < size; i++) {
            uint64_t row = first + (uint64_t) i;
            if (i == 0 || (row & 127) == 0)
                skrand_philox(seed, row >> 7, 0, SKRAND_STREAM_IN, words);
            in[i] = skrand_bit(words, (ptrdiff_t) (row & 127)) ? -1.0 : 1.0;
        }
    }

    /* pick[]: which row of the transform becomes row r of the sketch; out[]: with which sign. */
    static void skrand_srht_out(
        uint64_t seed, uint64_t block, ptrdiff_t size, ptrdiff_t m, double value,
        int32_t *order, double *out)
    {
        uint32_t words[4] = {0, 0, 0, 0}, signs[4] = {0, 0, 0, 0};
        for (ptrdiff_t i = 0; i < size; i++)
            order[i] = (int32_t) i;
        for (ptrdiff_t r = 0; r < m; r++) {
            if ((r & 3) == 0)
                skrand_philox(seed, block, (uint32_t) (r >> 2), SKRAND_STREAM_PICK, words);
            if ((r & 127) == 0)
                skrand_philox(seed, block, (uint32_t) (r >> 7), SKRAND_STREAM_OUT, signs);
            uint64_t left = (uint64_t) (size - r);
            ptrdiff_t other = r + (ptrdiff_t) ((words[r & 3] * left) >> 32);
            int32_t taken = order[other];
            order[other] = order[r];
            order[r] = taken;
            out[r] = skrand_bit(signs, r & 127) ? -value : value;
        }
    }
    """
    void skrand_hash(
        uint64_t seed, uint64_t first, Py_ssize_t count, uint32_t* words) noexcept nogil
    void skrand_places(
        const uint32_t* words, Py_ssize_t rows, int nnz, const int32_t* edges,
        const double* scale, double value, int32_t* place, double* values) noexcept nogil
    void skrand_add_rows_f64(
        const double* x, Py_ssize_t row_stride, Py_ssize_t rows, Py_ssize_t columns, int nnz,
        const int32_t* place, const double* values, int32_t low, int32_t high,
        double* out, Py_ssize_t out_stride) noexcept nogil
    void skrand_add_rows_f32(
        const float* x, Py_ssize_t row_stride, Py_ssize_t rows, Py_ssize_t columns, int nnz,
        const int32_t* place, const double* values, int32_t low, int32_t high,
        double* out, Py_ssize_t out_stride) noexcept nogil
    void skrand_gather_f64(
        const double* x, Py_ssize_t row_stride, Py_ssize_t column_stride,
        Py_ssize_t rows, Py_ssize_t columns, double* tile) noexcept nogil
    void skrand_gather_f32(
        const float* x, Py_ssize_t row_stride, Py_ssize_t column_stride,
        Py_ssize_t rows, Py_ssize_t columns, float* tile) noexcept nogil
    void skrand_fwht_f64(double* x, Py_ssize_t size, Py_ssize_t width) noexcept nogil
    void skrand_fwht_f32(float* x, Py_ssize_t size, Py_ssize_t width) noexcept nogil
    void skrand_srht_in(
        uint64_t seed, uint64_t block, Py_ssize_t size, double* signs) noexcept nogil
    void skrand_srht_out(
        uint64_t seed, uint64_t block, Py_ssize_t size, Py_ssize_t m, double value,
        int32_t* order, double* out) noexcept nogil


cdef Py_ssize_t _share(Py_ssize_t total, int part, int parts) noexcept nogil:
    return total * part // parts


# ---- sparse sign -----------------------------------------------------------------------------

cdef int _sparse_sign_part(
    const floating* x, Py_ssize_t row_stride, Py_ssize_t column_stride,
    Py_ssize_t n, Py_ssize_t columns, const double* scale, const int32_t* edges, int nnz,
    double value, uint64_t seed, uint64_t row_offset, int32_t low, int32_t high,
    double* out, Py_ssize_t out_stride,
) noexcept nogil:
    """Add all rows to the places in [low, high) of `columns` columns; -1 if out of memory."""
    cdef Py_ssize_t batch = max(<Py_ssize_t> 1, <Py_ssize_t> 512 // nnz)
    cdef bint gather = column_stride != 1 and columns > 1
    if gather:
        # Rows that are not contiguous are copied to a tile that fits in the second cache.
        batch = min(batch, max(<Py_ssize_t> 16, <Py_ssize_t> 32768 // columns))
    cdef Py_ssize_t entries = batch * nnz
    cdef uint32_t* words = <uint32_t*> malloc(entries * sizeof(uint32_t))
    cdef int32_t* place = <int32_t*> malloc(entries * sizeof(int32_t))
    cdef double* values = <double*> malloc(entries * sizeof(double))
    cdef floating* tile = NULL
    cdef const floating* rows_at
    cdef Py_ssize_t start = 0, rows, stride
    cdef int status = -1
    if gather:
        tile = <floating*> malloc(batch * columns * sizeof(floating))
    if words != NULL and place != NULL and values != NULL and (tile != NULL or not gather):
        status = 0
        while start < n:
            rows = min(batch, n - start)
            skrand_hash(seed, (row_offset + <uint64_t> start) * <uint64_t> nnz, rows * nnz, words)
            skrand_places(
                words, rows, nnz, edges, scale + start if scale != NULL else NULL, value,
                place, values,
            )
            rows_at = x + start * row_stride
            stride = row_stride
            if gather:
                if floating is double:
                    skrand_gather_f64(rows_at, row_stride, column_stride, rows, columns, tile)
                else:
                    skrand_gather_f32(rows_at, row_stride, column_stride, rows, columns, tile)
                rows_at = tile
                stride = columns
            if floating is double:
                skrand_add_rows_f64(
                    rows_at, stride, rows, columns, nnz, place, values, low, high, out, out_stride
                )
            else:
                skrand_add_rows_f32(
                    rows_at, stride, rows, columns, nnz, place, values, low, high, out, out_stride
                )
            start += rows
    free(words)
    free(place)
    free(values)
    free(tile)
    return status


def sparse_sign_dense(
    const floating[:, :] X, const double[::1] scale, const int32_t[::1] edges, double value,
    uint64_t seed, uint64_t row_offset, double[:, ::1] out, int n_threads,
):
    """Add the sketch of the rows of `X` to `out`; `scale` may be None."""
    cdef Py_ssize_t n = X.shape[0], d = X.shape[1], m = out.shape[0]
    cdef Py_ssize_t row_stride, column_stride, first, last
    cdef int nnz = <int> (edges.shape[0] - 1), part, status = 0
    cdef const double* weights = NULL
    if n == 0 or d == 0:
        return
    row_stride = X.strides[0] // <Py_ssize_t> sizeof(floating)
    column_stride = X.strides[1] // <Py_ssize_t> sizeof(floating)
    if scale is not None:
        weights = &scale[0]
    if n * d < 32768:
        n_threads = 1
    if column_stride == 1 or d == 1:
        # A thread reads the rows that fall into its range of the sketch.
        for part in prange(n_threads, nogil=True, num_threads=n_threads, schedule="static"):
            status += _sparse_sign_part(
                &X[0, 0], row_stride, column_stride, n, d, weights, &edges[0], nnz, value,
                seed, row_offset, <int32_t> _share(m, part, n_threads),
                <int32_t> _share(m, part + 1, n_threads), &out[0, 0], d,
            )
    else:
        # A thread reads its own columns.
        n_threads = <int> min(<Py_ssize_t> n_threads, d)
        for part in prange(n_threads, nogil=True, num_threads=n_threads, schedule="static"):
            first = _share(d, part, n_threads)
            last = _share(d, part + 1, n_threads)
            status += _sparse_sign_part(
                &X[0, first], row_stride, column_stride, n, last - first, weights, &edges[0], nnz,
                value, seed, row_offset, 0, <int32_t> m, &out[0, first], d,
            )
    if status != 0:
        raise MemoryError()


cdef int _sparse_sign_csr_part(
    const floating* data, const index_t* indices, const index_t* indptr, Py_ssize_t n,
    const double* scale, const int32_t* edges, int nnz, double value, uint64_t seed,
    uint64_t row_offset, int32_t low, int32_t high, double* out, Py_ssize_t d,
) noexcept nogil:
    cdef Py_ssize_t batch = max(<Py_ssize_t> 1, <Py_ssize_t> 512 // nnz)
    cdef uint32_t* words = <uint32_t*> malloc(batch * nnz * sizeof(uint32_t))
    cdef int32_t* place = <int32_t*> malloc(batch * nnz * sizeof(int32_t))
    cdef double* values = <double*> malloc(batch * nnz * sizeof(double))
    cdef double* target
    cdef double v
    cdef Py_ssize_t i, e, p, start = 0, rows
    cdef int status = -1
    if words != NULL and place != NULL and values != NULL:
        status = 0
        while start < n:
            rows = min(batch, n - start)
            skrand_hash(seed, (row_offset + <uint64_t> start) * <uint64_t> nnz, rows * nnz, words)
            skrand_places(
                words, rows, nnz, edges, scale + start if scale != NULL else NULL, value,
                place, values,
            )
            for i in range(rows):
                for e in range(i * nnz, (i + 1) * nnz):
                    if place[e] < low or place[e] >= high:
                        continue
                    v = values[e]
                    target = out + place[e] * d
                    for p in range(indptr[start + i], indptr[start + i + 1]):
                        target[indices[p]] += v * <double> data[p]
            start += rows
    free(words)
    free(place)
    free(values)
    return status


def sparse_sign_csr(
    const floating[::1] data, const index_t[::1] indices, const index_t[::1] indptr,
    const double[::1] scale, const int32_t[::1] edges, double value,
    uint64_t seed, uint64_t row_offset, double[:, ::1] out, int n_threads,
):
    """Add the sketch of the rows of a CSR matrix to `out`; `scale` may be None."""
    cdef Py_ssize_t n = indptr.shape[0] - 1, m = out.shape[0], d = out.shape[1]
    cdef int nnz = <int> (edges.shape[0] - 1), part, status = 0
    cdef const double* weights = NULL
    if n <= 0 or d == 0 or data.shape[0] == 0:
        return
    if scale is not None:
        weights = &scale[0]
    if data.shape[0] < 32768:
        n_threads = 1
    for part in prange(n_threads, nogil=True, num_threads=n_threads, schedule="static"):
        status += _sparse_sign_csr_part(
            &data[0], &indices[0], &indptr[0], n, weights, &edges[0], nnz, value, seed, row_offset,
            <int32_t> _share(m, part, n_threads), <int32_t> _share(m, part + 1, n_threads),
            &out[0, 0], d,
        )
    if status != 0:
        raise MemoryError()


# ---- block SRHT ------------------------------------------------------------------------------

cdef int _srht_part(
    const floating* x, Py_ssize_t row_stride, Py_ssize_t column_stride, Py_ssize_t n,
    Py_ssize_t columns, const double* scale, Py_ssize_t size, Py_ssize_t m, double value,
    uint64_t seed, uint64_t row_offset, double* out, Py_ssize_t out_stride,
) noexcept nogil:
    """Add all rows to `columns` columns of the sketch; -1 if out of memory."""
    # A panel of a block, of one cache line a row or more, is half of a usual second cache.
    cdef Py_ssize_t line = 64 // <Py_ssize_t> sizeof(floating)
    cdef Py_ssize_t width = max(line, 524288 // (size * <Py_ssize_t> sizeof(floating)))
    width = min(width // line * line, columns)
    cdef floating* panel = <floating*> malloc(size * width * sizeof(floating))
    cdef double* signs = <double*> malloc(size * sizeof(double))
    cdef double* values = <double*> malloc(m * sizeof(double))
    cdef int32_t* order = <int32_t*> malloc(size * sizeof(int32_t))
    cdef const floating* source
    cdef floating* row
    cdef double* target
    cdef double v
    cdef floating w
    cdef Py_ssize_t done = 0, low, rows, start, take, i, j, r
    cdef uint64_t block
    cdef int status = -1
    if panel != NULL and signs != NULL and values != NULL and order != NULL:
        status = 0
        while done < n:
            block = (row_offset + <uint64_t> done) // <uint64_t> size
            low = <Py_ssize_t> (row_offset + <uint64_t> done - block * <uint64_t> size)
            rows = min(size - low, n - done)
            skrand_srht_in(seed, block, size, signs)
            skrand_srht_out(seed, block, size, m, value, order, values)
            if scale != NULL:
                for i in range(rows):
                    signs[low + i] *= scale[done + i]
            start = 0
            while start < columns:
                take = min(width, columns - start)
                # Rows of the block that are not in this chunk are zero.
                for i in range(low * take):
                    panel[i] = 0
                for i in range((low + rows) * take, size * take):
                    panel[i] = 0
                source = x + done * row_stride + start * column_stride
                if column_stride == 1:
                    for i in range(rows):
                        w = <floating> signs[low + i]
                        row = panel + (low + i) * take
                        for j in range(take):
                            row[j] = w * source[i * row_stride + j]
                else:
                    row = panel + low * take
                    if floating is double:
                        skrand_gather_f64(source, row_stride, column_stride, rows, take, row)
                    else:
                        skrand_gather_f32(source, row_stride, column_stride, rows, take, row)
                    for i in range(rows):
                        w = <floating> signs[low + i]
                        for j in range(take):
                            row[i * take + j] *= w
                if floating is double:
                    skrand_fwht_f64(panel, size, take)
                else:
                    skrand_fwht_f32(panel, size, take)
                for r in range(m):
                    v = values[r]
                    row = panel + order[r] * take
                    target = out + r * out_stride + start
                    for j in range(take):
                        target[j] += v * <double> row[j]
                start += take
            done += rows
    free(panel)
    free(signs)
    free(values)
    free(order)
    return status


def srht_dense(
    const floating[:, :] X, const double[::1] scale, Py_ssize_t size, double value,
    uint64_t seed, uint64_t row_offset, double[:, ::1] out, int n_threads,
):
    """Add the block SRHT of the rows of `X`, in blocks of `size`, to `out`."""
    cdef Py_ssize_t n = X.shape[0], d = X.shape[1], m = out.shape[0]
    cdef Py_ssize_t row_stride, column_stride, first, last
    cdef int part, status = 0
    cdef const double* weights = NULL
    if n == 0 or d == 0:
        return
    row_stride = X.strides[0] // <Py_ssize_t> sizeof(floating)
    column_stride = X.strides[1] // <Py_ssize_t> sizeof(floating)
    if scale is not None:
        weights = &scale[0]
    n_threads = <int> min(<Py_ssize_t> n_threads, (d + 7) // 8)
    for part in prange(n_threads, nogil=True, num_threads=n_threads, schedule="static"):
        first = _share(d, part, n_threads)
        last = _share(d, part + 1, n_threads)
        status += _srht_part(
            &X[0, first], row_stride, column_stride, n, last - first, weights, size, m, value,
            seed, row_offset, &out[0, first], d,
        )
    if status != 0:
        raise MemoryError()


def walsh_hadamard(floating[:, ::1] X):
    """Replace `X`, whose number of rows is a power of two, by H X with entries +-1 in H."""
    if X.shape[0] == 0 or X.shape[1] == 0:
        return
    with nogil:
        if floating is double:
            skrand_fwht_f64(&X[0, 0], X.shape[0], X.shape[1])
        else:
            skrand_fwht_f32(&X[0, 0], X.shape[0], X.shape[1])
