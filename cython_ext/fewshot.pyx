"""Passes over a tile of rows of a soft labelling: assign, rescale to a prior, and its objective.

A tile is a range of rows. What is summed over rows comes back for each tile, so that the caller
adds it in the order of the tiles whatever thread ran them. All functions release the interpreter.
"""

from cython cimport floating

from libc.stdint cimport int32_t, int64_t
from libc.string cimport memset

import numpy as np

cdef extern from "fewshot.h":
    double LOG2_E
    void skrand_fs_prefetch(const void *row, Py_ssize_t bytes) noexcept nogil
    void skrand_fs_logits_f32(
        float scale, const float *s, const float *offset, const float *weights,
        const int32_t *places, Py_ssize_t count, const float *z, float *x, Py_ssize_t n
    ) noexcept nogil
    void skrand_fs_damp_f32(float c, const float *z, float *x, Py_ssize_t n) noexcept nogil
    void skrand_fs_weigh_f32(float unit, float *x, Py_ssize_t rows, Py_ssize_t n) noexcept nogil
    float skrand_fs_write_f32(
        const float *x, const float *old, float *out, float *sums, Py_ssize_t n) noexcept nogil
    double skrand_fs_entropy_f32(const float *z, Py_ssize_t n) noexcept nogil
    double skrand_fs_dot_f32(const float *x, const float *y, Py_ssize_t n) noexcept nogil
    void skrand_fs_logits_f64(
        double scale, const double *s, const double *offset, const double *weights,
        const int32_t *places, Py_ssize_t count, const double *z, double *x, Py_ssize_t n
    ) noexcept nogil
    void skrand_fs_damp_f64(double c, const double *z, double *x, Py_ssize_t n) noexcept nogil
    void skrand_fs_weigh_f64(double unit, double *x, Py_ssize_t rows, Py_ssize_t n) noexcept nogil
    double skrand_fs_write_f64(
        const double *x, const double *old, double *out, double *sums, Py_ssize_t n) noexcept nogil
    double skrand_fs_entropy_f64(const double *z, Py_ssize_t n) noexcept nogil
    double skrand_fs_dot_f64(const double *x, const double *y, Py_ssize_t n) noexcept nogil


# Rows that are worked on together, in the first cache; their sums are in the labels' precision.
cdef enum Block:
    BLOCK = 16

# How many rows ahead labels of neighbours are asked for.
cdef enum Ahead:
    AHEAD = 4


cdef inline void _ask(
    const int64_t[::1] indptr, const int32_t[::1] indices, const floating[:, ::1] Z, Py_ssize_t p
) noexcept nogil:
    """Bring the labels of a row's neighbours into the cache."""
    cdef Py_ssize_t q
    for q in range(indptr[p], indptr[p + 1]):
        skrand_fs_prefetch(&Z[indices[q], 0], Z.shape[1] * sizeof(floating))


def assign(
    const floating[:, ::1] scores, double scale, const floating[::1] offset,
    const int32_t[::1] labels, const int64_t[::1] indptr, const int32_t[::1] indices,
    const floating[::1] weights, double damping, const floating[:, ::1] old,
    floating[:, ::1] out, Py_ssize_t start, double[::1] sums,
):
    """Assign the rows from `start` on; return the mass that moved to another class.

    A row becomes the softmax over classes of ``scale scores + offset + sum_q w_q old_q``, the sum
    over its neighbours in the graph (CSR; none if `indptr` is None). With a graph, `damping` times
    the Kullback-Leibler divergence from the old row holds the step back. A row whose label is not
    negative is left as it is. `scores` holds the rows of the tile; everything else, all rows.
    `sums`, if given, gets the sums of the tile's new rows. Without a graph, `old` and `out` may be
    the same.
    """
    cdef Py_ssize_t rows = scores.shape[0], k = scores.shape[1]
    cdef Py_ssize_t block, size, p, q, i, count = 0
    cdef bint graph = indptr is not None
    cdef floating[::1] buffer = np.empty(
        (BLOCK + 1) * k, dtype=np.float32 if floating is float else np.float64
    )
    cdef floating* work = &buffer[k]
    cdef floating* x
    cdef const floating* w = NULL
    cdef const int32_t* places = NULL
    cdef double moved = 0.0
    # Damped logits are to base 2 already.
    cdef double unit = 1.0 if graph else LOG2_E
    cdef floating* part = NULL
    if out.shape[0] < start + rows or out.shape[1] != k or offset.shape[0] != k:
        raise ValueError("shapes do not fit")
    if old.shape[0] != out.shape[0] or old.shape[1] != k or labels.shape[0] != out.shape[0]:
        raise ValueError("shapes do not fit")
    if graph and indptr.shape[0] != out.shape[0] + 1:
        raise ValueError("shapes do not fit")
    if sums is not None:
        if sums.shape[0] != k:
            raise ValueError("shapes do not fit")
        sums[:] = 0.0
        part = &buffer[0]
    with nogil:
        for block in range((rows + BLOCK - 1) // BLOCK):
            size = min(rows - block * BLOCK, <Py_ssize_t> BLOCK)
            for i in range(size):
                p = block * BLOCK + i
                q = start + p
                x = work + i * k
                if graph:
                    if p + AHEAD < rows:
                        _ask(indptr, indices, old, q + AHEAD)
                    count = indptr[q + 1] - indptr[q]
                    if count:
                        w, places = &weights[indptr[q]], &indices[indptr[q]]
                if floating is float:
                    skrand_fs_logits_f32(
                        <float> scale, &scores[p, 0], &offset[0],
                        w, places, count, &old[0, 0], x, k)
                else:
                    skrand_fs_logits_f64(
                        scale, &scores[p, 0], &offset[0],
                        w, places, count, &old[0, 0], x, k)
            q = start + block * BLOCK
            if floating is float:
                if graph:
                    skrand_fs_damp_f32(<float> damping, &old[q, 0], work, size * k)
                skrand_fs_weigh_f32(<float> unit, work, size, k)
            else:
                if graph:
                    skrand_fs_damp_f64(damping, &old[q, 0], work, size * k)
                skrand_fs_weigh_f64(unit, work, size, k)
            if part:
                memset(part, 0, k * sizeof(floating))
            for i in range(size):
                p = q + i
                if labels[p] >= 0:
                    continue
                if floating is float:
                    moved += skrand_fs_write_f32(work + i * k, &old[p, 0], &out[p, 0], part, k)
                else:
                    moved += skrand_fs_write_f64(work + i * k, &old[p, 0], &out[p, 0], part, k)
            if part:
                for i in range(k):
                    sums[i] += part[i]
    return moved


def rescale(
    floating[:, ::1] Z, const int32_t[::1] labels, const floating[::1] factor, double[::1] sums
):
    """Multiply columns of the unlabelled rows by `factor`, and scale rows back to sum one.

    `sums` gets the column sums of the result.
    """
    cdef Py_ssize_t rows = Z.shape[0], k = Z.shape[1], p, i
    cdef floating[::1] part = np.zeros(
        k, dtype=np.float32 if floating is float else np.float64
    )
    cdef floating* x
    if labels.shape[0] != rows or factor.shape[0] != k or sums.shape[0] != k:
        raise ValueError("shapes do not fit")
    with nogil:
        for i in range(k):
            sums[i] = 0.0
        for p in range(rows):
            if labels[p] < 0:
                x = &Z[p, 0]
                for i in range(k):
                    x[i] *= factor[i]
                if floating is float:
                    skrand_fs_write_f32(x, x, x, &part[0], k)
                else:
                    skrand_fs_write_f64(x, x, x, &part[0], k)
            if p % BLOCK == BLOCK - 1 or p == rows - 1:
                for i in range(k):
                    sums[i] += part[i]
                    part[i] = 0.0


def entropy(const floating[:, ::1] Z):
    """Return the sum of ``z log z``."""
    cdef Py_ssize_t k = Z.shape[1], p
    cdef double total = 0.0
    with nogil:
        for p in range(Z.shape[0]):
            if floating is float:
                total += skrand_fs_entropy_f32(&Z[p, 0], k)
            else:
                total += skrand_fs_entropy_f64(&Z[p, 0], k)
    return total


def agreement(
    const int64_t[::1] indptr, const int32_t[::1] indices, const floating[::1] weights,
    const floating[:, ::1] Z, Py_ssize_t start, Py_ssize_t stop,
):
    """Return ``sum_pq w_pq z_p.z_q`` over the rows p of a tile and all their neighbours q."""
    cdef Py_ssize_t k = Z.shape[1], p, first, count
    cdef floating[:, ::1] room = np.zeros(
        (2, k), dtype=np.float32 if floating is float else np.float64
    )
    cdef floating* zero = &room[0, 0]
    cdef floating* x = &room[1, 0]
    cdef double total = 0.0
    if indptr.shape[0] != Z.shape[0] + 1 or stop > Z.shape[0]:
        raise ValueError("shapes do not fit")
    with nogil:
        for p in range(start, stop):
            if p + AHEAD < stop:
                _ask(indptr, indices, Z, p + AHEAD)
            first, count = indptr[p], indptr[p + 1] - indptr[p]
            if count == 0:
                continue
            if floating is float:
                skrand_fs_logits_f32(
                    0, zero, zero, &weights[first], &indices[first], count, &Z[0, 0], x, k)
                total += skrand_fs_dot_f32(&Z[p, 0], x, k)
            else:
                skrand_fs_logits_f64(
                    0, zero, zero, &weights[first], &indices[first], count, &Z[0, 0], x, k)
                total += skrand_fs_dot_f64(&Z[p, 0], x, k)
    return total
