"""Passes over a tile of rows of a soft labelling: assign, rescale to a prior, and its energy.

A tile is a range of rows. What is summed over rows comes back for each tile, so that the caller
adds it in the order of the tiles whatever thread ran them. All functions release the interpreter.
"""

from cython cimport floating

from libc.stdint cimport int32_t, int64_t
from libc.string cimport memcpy

import numpy as np

cdef extern from *:
    """
    #include "kernels.h"

    #if SKRAND_GCC_GLIBC_X86_64
    __attribute__((simd("notinbranch"))) double log(double);
    __attribute__((simd("notinbranch"))) float logf(float);
    #endif

    /* Logits x of a step that is held back by c times the divergence from the labels z are
     * (x + c log z) / (1 + c): damp overwrites z.
     *
     * Shift subtracts the largest. Nothing is left below -69, of exponential 1e-30, so that a class
     * can come back and products of two stay normal in single precision. The bound is there, and
     * not beside the exponential, where the compiler would take it after a slow call.
     *
     * Write scales x to sum one, into out, and adds it to the sums; it returns how much of its mass
     * was not in old, which may be out. The order of additions is the same wherever the rows lie.
     *
     * Energy is sum z (log z - scale s) or, of a labelled row, - sum z scale s; t is room for n
     * numbers. */
    #define SKRAND_FS_ROWS(TYPE, REAL, EXP, LOG)                                                 \\
    /* e^x, in place, of numbers in the range of shift */                                        \\
    SKRAND_CLONES                                                                                \\
    static void skrand_fs_exp_##TYPE(REAL *x, ptrdiff_t n)                                       \\
    {                                                                                            \\
        _Pragma("omp simd")                                                                      \\
        for (ptrdiff_t i = 0; i < n; i++)                                                        \\
            x[i] = EXP(x[i]);                                                                    \\
    }                                                                                            \\
                                                                                                 \\
    /* x += w y */                                                                               \\
    SKRAND_CLONES                                                                                \\
    static void skrand_fs_axpy_##TYPE(REAL w, const REAL *y, REAL *x, ptrdiff_t n)               \\
    {                                                                                            \\
        for (ptrdiff_t i = 0; i < n; i++)                                                        \\
            x[i] += w * y[i];                                                                    \\
    }                                                                                            \\
                                                                                                 \\
    SKRAND_CLONES                                                                                \\
    static void skrand_fs_damp_##TYPE(REAL c, REAL *z, REAL *x, ptrdiff_t n)                     \\
    {                                                                                            \\
        REAL share = 1 / (1 + c);                                                                \\
        _Pragma("omp simd")                                                                      \\
        for (ptrdiff_t i = 0; i < n; i++)                                                        \\
            z[i] = LOG(z[i] > (REAL) 1e-30 ? z[i] : (REAL) 1e-30);                               \\
        for (ptrdiff_t i = 0; i < n; i++)                                                        \\
            x[i] = share * (x[i] + c * z[i]);                                                    \\
    }                                                                                            \\
                                                                                                 \\
    /* x = scale s + offset */                                                                   \\
    SKRAND_CLONES                                                                                \\
    static void skrand_fs_logits_##TYPE(                                                         \\
        REAL scale, const REAL *s, const REAL *offset, REAL *x, ptrdiff_t n)                     \\
    {                                                                                            \\
        for (ptrdiff_t i = 0; i < n; i++)                                                        \\
            x[i] = scale * s[i] + offset[i];                                                     \\
    }                                                                                            \\
                                                                                                 \\
    SKRAND_CLONES                                                                                \\
    static void skrand_fs_shift_##TYPE(REAL *x, ptrdiff_t n)                                     \\
    {                                                                                            \\
        REAL top = x[0];                                                                         \\
        _Pragma("omp simd reduction(max:top)")                                                   \\
        for (ptrdiff_t i = 0; i < n; i++)                                                        \\
            top = x[i] > top ? x[i] : top;                                                       \\
        for (ptrdiff_t i = 0; i < n; i++)                                                        \\
            x[i] = x[i] - top < -69 ? -69 : x[i] - top;                                          \\
    }                                                                                            \\
                                                                                                 \\
    SKRAND_CLONES                                                                                \\
    static REAL skrand_fs_write_##TYPE(                                                          \\
        const REAL *x, const REAL *old, REAL *out, REAL *sums, ptrdiff_t n)                      \\
    {                                                                                            \\
        REAL part[16] = {0}, total = 0, moved = 0, gained[16] = {0};                             \\
        ptrdiff_t i = 0;                                                                         \\
        for (; i + 16 <= n; i += 16)                                                             \\
            for (int lane = 0; lane < 16; lane++)                                                \\
                part[lane] += x[i + lane];                                                       \\
        for (; i < n; i++)                                                                       \\
            total += x[i];                                                                       \\
        for (int lane = 0; lane < 16; lane++)                                                    \\
            total += part[lane];                                                                 \\
        total = 1 / total;                                                                       \\
        for (i = 0; i + 16 <= n; i += 16)                                                        \\
            for (int lane = 0; lane < 16; lane++) {                                              \\
                REAL z = x[i + lane] * total, more = z - old[i + lane];                          \\
                gained[lane] += more > 0 ? more : 0;                                             \\
                out[i + lane] = z;                                                               \\
                sums[i + lane] += z;                                                             \\
            }                                                                                    \\
        for (; i < n; i++) {                                                                     \\
            REAL z = x[i] * total, more = z - old[i];                                            \\
            moved += more > 0 ? more : 0;                                                        \\
            out[i] = z;                                                                          \\
            sums[i] += z;                                                                        \\
        }                                                                                        \\
        for (int lane = 0; lane < 16; lane++)                                                    \\
            moved += gained[lane];                                                               \\
        return moved;                                                                            \\
    }                                                                                            \\
                                                                                                 \\
    SKRAND_CLONES                                                                                \\
    static double skrand_fs_energy_##TYPE(                                                       \\
        const REAL *z, const REAL *s, double scale, int entropy, REAL *t, ptrdiff_t n)           \\
    {                                                                                            \\
        double total = 0.0;                                                                      \\
        if (entropy) {                                                                           \\
            _Pragma("omp simd")                                                                  \\
            for (ptrdiff_t i = 0; i < n; i++)                                                    \\
                t[i] = LOG(z[i] > (REAL) 1e-30 ? z[i] : (REAL) 1e-30);                           \\
        }                                                                                        \\
        else                                                                                     \\
            for (ptrdiff_t i = 0; i < n; i++)                                                    \\
                t[i] = 0;                                                                        \\
        _Pragma("omp simd reduction(+:total)")                                                   \\
        for (ptrdiff_t i = 0; i < n; i++)                                                        \\
            total += z[i] * ((double) t[i] - scale * s[i]);                                      \\
        return total;                                                                            \\
    }                                                                                            \\
                                                                                                 \\
    SKRAND_CLONES                                                                                \\
    static double skrand_fs_dot_##TYPE(const REAL *x, const REAL *y, ptrdiff_t n)                \\
    {                                                                                            \\
        REAL part[16] = {0};                                                                     \\
        double total = 0.0;                                                                      \\
        ptrdiff_t i = 0;                                                                         \\
        for (; i + 16 <= n; i += 16)                                                             \\
            for (int lane = 0; lane < 16; lane++)                                                \\
                part[lane] += x[i + lane] * y[i + lane];                                         \\
        for (; i < n; i++)                                                                       \\
            total += (double) x[i] * y[i];                                                       \\
        for (int lane = 0; lane < 16; lane++)                                                    \\
            total += part[lane];                                                                 \\
        return total;                                                                            \\
    }
    SKRAND_FS_ROWS(f32, float, expf, logf)
    SKRAND_FS_ROWS(f64, double, exp, log)
    """
    void skrand_fs_exp_f32(float *x, Py_ssize_t n) noexcept nogil
    void skrand_fs_exp_f64(double *x, Py_ssize_t n) noexcept nogil
    void skrand_fs_axpy_f32(float w, const float *y, float *x, Py_ssize_t n) noexcept nogil
    void skrand_fs_axpy_f64(double w, const double *y, double *x, Py_ssize_t n) noexcept nogil
    void skrand_fs_damp_f32(float c, float *z, float *x, Py_ssize_t n) noexcept nogil
    void skrand_fs_damp_f64(double c, double *z, double *x, Py_ssize_t n) noexcept nogil
    void skrand_fs_logits_f32(
        float scale, const float *s, const float *offset, float *x, Py_ssize_t n) noexcept nogil
    void skrand_fs_logits_f64(
        double scale, const double *s, const double *offset, double *x, Py_ssize_t n) noexcept nogil
    void skrand_fs_shift_f32(float *x, Py_ssize_t n) noexcept nogil
    void skrand_fs_shift_f64(double *x, Py_ssize_t n) noexcept nogil
    double skrand_fs_dot_f32(const float *x, const float *y, Py_ssize_t n) noexcept nogil
    double skrand_fs_dot_f64(const double *x, const double *y, Py_ssize_t n) noexcept nogil
    float skrand_fs_write_f32(
        const float *x, const float *old, float *out, float *sums, Py_ssize_t n) noexcept nogil
    double skrand_fs_write_f64(
        const double *x, const double *old, double *out, double *sums, Py_ssize_t n) noexcept nogil
    double skrand_fs_energy_f32(
        const float *z, const float *s, double scale, bint entropy, float *t, Py_ssize_t n
    ) noexcept nogil
    double skrand_fs_energy_f64(
        const double *z, const double *s, double scale, bint entropy, double *t, Py_ssize_t n
    ) noexcept nogil


# Rows whose exponentials are taken together.
cdef enum Block:
    BLOCK = 64


cdef floating* _aligned(floating[::1] buffer) noexcept nogil:
    """Return where the buffer has its first multiple of 64 bytes.

    Where a loop of exponentials passes from vectors to single numbers, and so the last bit, depends
    on the alignment.
    """
    cdef size_t address = <size_t> &buffer[0]
    return <floating*> ((address + 63) & ~(<size_t> 63))


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
    `sums` gets the sums of the tile's new rows. Without a graph, `old` and `out` may be the same.
    """
    cdef Py_ssize_t rows = scores.shape[0], k = scores.shape[1]
    cdef Py_ssize_t block, b, e, p, q, i, kept
    cdef bint graph = indptr is not None
    cdef floating[::1] buffer = np.empty(
        2 * (min(rows, <Py_ssize_t> BLOCK) * k + 16) + k,
        dtype=np.float32 if floating is float else np.float64,
    )
    cdef floating* work = _aligned(buffer)
    cdef floating* was = _aligned(buffer[min(rows, <Py_ssize_t> BLOCK) * k + 16:])
    # Sums of a block, in the precision of the labels.
    cdef floating* part = &buffer[2 * (min(rows, <Py_ssize_t> BLOCK) * k + 16)]
    cdef floating* x
    cdef double moved = 0.0
    if out.shape[0] < start + rows or out.shape[1] != k or offset.shape[0] != k:
        raise ValueError("shapes do not fit")
    if old.shape[0] != out.shape[0] or old.shape[1] != k or labels.shape[0] != out.shape[0]:
        raise ValueError("shapes do not fit")
    if sums.shape[0] != k or (graph and indptr.shape[0] != out.shape[0] + 1):
        raise ValueError("shapes do not fit")
    with nogil:
        for i in range(k):
            sums[i] = 0.0
        for block in range((rows + BLOCK - 1) // BLOCK):
            b = block * BLOCK
            e = min(b + BLOCK, rows)
            kept = 0
            for p in range(b, e):
                if labels[start + p] >= 0:
                    continue
                x = work + kept * k
                if floating is float:
                    skrand_fs_logits_f32(<float> scale, &scores[p, 0], &offset[0], x, k)
                else:
                    skrand_fs_logits_f64(scale, &scores[p, 0], &offset[0], x, k)
                if graph:
                    for q in range(indptr[start + p], indptr[start + p + 1]):
                        if floating is float:
                            skrand_fs_axpy_f32(weights[q], &old[indices[q], 0], x, k)
                        else:
                            skrand_fs_axpy_f64(weights[q], &old[indices[q], 0], x, k)
                    memcpy(was + kept * k, &old[start + p, 0], k * sizeof(floating))
                kept += 1
            if kept == 0:
                continue
            if graph:
                if floating is float:
                    skrand_fs_damp_f32(<float> damping, was, work, kept * k)
                else:
                    skrand_fs_damp_f64(damping, was, work, kept * k)
            for p in range(kept):
                if floating is float:
                    skrand_fs_shift_f32(work + p * k, k)
                else:
                    skrand_fs_shift_f64(work + p * k, k)
            if floating is float:
                skrand_fs_exp_f32(work, kept * k)
            else:
                skrand_fs_exp_f64(work, kept * k)
            for i in range(k):
                part[i] = 0.0
            x = work
            for p in range(b, e):
                if labels[start + p] >= 0:
                    continue
                if floating is float:
                    moved += skrand_fs_write_f32(
                        x, &old[start + p, 0], &out[start + p, 0], part, k)
                else:
                    moved += skrand_fs_write_f64(
                        x, &old[start + p, 0], &out[start + p, 0], part, k)
                x += k
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


def energy(
    const floating[:, ::1] scores, double scale, double support_weight,
    const int32_t[::1] labels, const floating[:, ::1] Z, Py_ssize_t start,
):
    """Return the tile's distances and entropies.

    A row adds ``-scale z.scores + z.log z``; a labelled one, ``-support_weight scale z.scores``.
    """
    cdef Py_ssize_t rows = scores.shape[0], k = scores.shape[1], p
    cdef floating[::1] room = np.empty(
        k + 16, dtype=np.float32 if floating is float else np.float64
    )
    cdef floating* t = _aligned(room)
    cdef double total = 0.0, weight
    cdef bint free
    if Z.shape[0] < start + rows or Z.shape[1] != k or labels.shape[0] != Z.shape[0]:
        raise ValueError("shapes do not fit")
    with nogil:
        for p in range(rows):
            free = labels[start + p] < 0
            weight = scale if free else scale * support_weight
            if floating is float:
                total += skrand_fs_energy_f32(
                    &Z[start + p, 0], &scores[p, 0], weight, free, t, k)
            else:
                total += skrand_fs_energy_f64(
                    &Z[start + p, 0], &scores[p, 0], weight, free, t, k)
    return total


def agreement(
    const int64_t[::1] indptr, const int32_t[::1] indices, const floating[::1] weights,
    const floating[:, ::1] Z, Py_ssize_t start, Py_ssize_t stop,
):
    """Return ``sum_pq w_pq z_p.z_q`` over the rows p of a tile and all their neighbours q."""
    cdef Py_ssize_t k = Z.shape[1], p, q
    cdef double total = 0.0
    if indptr.shape[0] != Z.shape[0] + 1 or stop > Z.shape[0]:
        raise ValueError("shapes do not fit")
    with nogil:
        for p in range(start, stop):
            for q in range(indptr[p], indptr[p + 1]):
                if floating is float:
                    total += weights[q] * skrand_fs_dot_f32(&Z[p, 0], &Z[indices[q], 0], k)
                else:
                    total += weights[q] * skrand_fs_dot_f64(&Z[p, 0], &Z[indices[q], 0], k)
    return total
