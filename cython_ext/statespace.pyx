"""Linear recurrences with a diagonal matrix: many series through one bank of modes.

Each series is worked on by one thread, in the order of time: the bits do not depend on the number
of threads.
"""

from cython cimport floating
from cython.parallel cimport prange, threadid

import numpy as np

cdef extern from *:
    """
    #include <string.h>
    #include "kernels.h"

    /* Outputs are computed for some steps at once, a tile of them at a time: the sums then stay in
     * registers, and what is read of the outputs' weights serves all these steps. */
    #define SKRAND_SS_STEPS 4
    #define SKRAND_SS_TILE 8

    /* Divide by the largest magnitude, which is returned; 1 if all are zero. */
    #define SKRAND_SS_SCALE(TYPE, NAME)                                                          \\
    static double NAME(const TYPE *u, ptrdiff_t n, double *out)                                  \\
    {                                                                                            \\
        double top = 0.0;                                                                        \\
        for (ptrdiff_t t = 0; t < n; t++)                                                        \\
            top = fabs((double) u[t]) > top ? fabs((double) u[t]) : top;                         \\
        top = top > 0.0 ? top : 1.0;                                                             \\
        for (ptrdiff_t t = 0; t < n; t++)                                                        \\
            out[t] = (double) u[t] / top;                                                        \\
        return top;                                                                              \\
    }
    SKRAND_SS_SCALE(float, skrand_ss_scale_f32)
    SKRAND_SS_SCALE(double, skrand_ss_scale_f64)

    /* z <- a z + b u for complex z; real parts come first in all three. */
    static inline void skrand_ss_step(
        const double *a, const double *b, double u, const double *z, double *next, ptrdiff_t m)
    {
        for (ptrdiff_t k = 0; k < m; k++) {
            double re = z[k], im = z[m + k];
            next[k] = a[k] * re - a[m + k] * im + b[k] * u;
            next[m + k] = a[k] * im + a[m + k] * re + b[m + k] * u;
        }
    }

    /* A tile of outputs of each of the steps whose states follow each other in z. Weights have p
     * columns and 2 m rows; the signs of those of imaginary parts are theirs. */
    static inline void skrand_ss_read(
        const double *weights, ptrdiff_t p, const double *z, ptrdiff_t m,
        double x[SKRAND_SS_STEPS][SKRAND_SS_TILE])
    {
        memset(x, 0, SKRAND_SS_STEPS * SKRAND_SS_TILE * sizeof(double));
        for (ptrdiff_t k = 0; k < 2 * m; k++) {
            const double *w = weights + k * p;
            for (int s = 0; s < SKRAND_SS_STEPS; s++) {
                double v = z[2 * m * s + k];
                for (int e = 0; e < SKRAND_SS_TILE; e++)
                    x[s][e] += v * w[e];
            }
        }
    }

    /* Run one series through the bank; out has p numbers, a multiple of the tile, and z has room
     * for STEPS + 1 states. The sums of squares of all outputs, or the last outputs. */
    SKRAND_CLONES
    static void skrand_ss_scan(
        const double *u, ptrdiff_t n, const double *a, const double *b, ptrdiff_t m,
        const double *weights, ptrdiff_t p, int squares, double *z, double *out)
    {
        double x[SKRAND_SS_STEPS][SKRAND_SS_TILE];
        double *state = z + 2 * m * SKRAND_SS_STEPS;
        memset(z, 0, 2 * m * (SKRAND_SS_STEPS + 1) * sizeof(double));
        memset(out, 0, p * sizeof(double));
        for (ptrdiff_t t = 0; t < n; t += SKRAND_SS_STEPS) {
            ptrdiff_t steps = t + SKRAND_SS_STEPS < n ? SKRAND_SS_STEPS : n - t;
            for (ptrdiff_t s = 0; s < steps; s++)
                skrand_ss_step(a, b, u[t + s], s ? z + 2 * m * (s - 1) : state, z + 2 * m * s, m);
            memcpy(state, z + 2 * m * (steps - 1), 2 * m * sizeof(double));
            if (!squares && t + steps < n)
                continue;
            for (ptrdiff_t j = 0; j < p; j += SKRAND_SS_TILE) {
                skrand_ss_read(weights + j, p, z, m, x);
                if (!squares)
                    memcpy(out + j, x[steps - 1], sizeof(x[0]));
                else
                    for (ptrdiff_t s = 0; s < steps; s++)
                        for (int e = 0; e < SKRAND_SS_TILE; e++)
                            out[j + e] += x[s][e] * x[s][e];
            }
        }
    }
    """
    int SKRAND_SS_STEPS
    int SKRAND_SS_TILE
    double skrand_ss_scale_f32(const float *u, ptrdiff_t n, double *out) nogil
    double skrand_ss_scale_f64(const double *u, ptrdiff_t n, double *out) nogil
    void skrand_ss_scan(
        const double *u, ptrdiff_t n, const double *a, const double *b, ptrdiff_t m,
        const double *weights, ptrdiff_t p, int squares, double *z, double *out) nogil

from libc.math cimport sqrt

#: Columns of the weights come in multiples of this.
TILE = SKRAND_SS_TILE


def scan(
    const floating[:, ::1] U, const double[::1] decay, const double[::1] gain,
    const double[:, ::1] weights, bint rms, floating[:, :] out, int n_threads,
):
    """Run each row of U through ``z <- decay z + gain u`` and read outputs of the states.

    Parameters
    ----------
    U : memoryview of shape (n, T)
        Series, finite, T at least 1.
    decay, gain : memoryview of shape (2 m,)
        Of the m modes: real parts, then imaginary parts.
    weights : memoryview of shape (2 m, p)
        Output j at a time is ``sum_k weights[k, j] Re z_k + weights[m + k, j] Im z_k``; p is a
        multiple of TILE.
    rms : bool
        Root mean square over time of each output, instead of the outputs at the last step.
    out : memoryview of shape (n, q)
        The first q of the p outputs; overwritten.
    n_threads : int
        Threads.
    """
    cdef Py_ssize_t n = U.shape[0], T = U.shape[1], m = decay.shape[0] // 2
    cdef Py_ssize_t p = weights.shape[1], q = out.shape[1], i, j
    cdef Py_ssize_t room = T + p + 2 * m * (SKRAND_SS_STEPS + 1)
    cdef double[:, ::1] buffer = np.empty((n_threads, room))
    cdef double *work
    cdef double *series
    cdef double top
    for i in prange(n, nogil=True, schedule="static", num_threads=n_threads):
        work = &buffer[threadid(), 0]
        series = work + p
        if floating is float:
            top = skrand_ss_scale_f32(&U[i, 0], T, series)
        else:
            top = skrand_ss_scale_f64(&U[i, 0], T, series)
        skrand_ss_scan(
            series, T, &decay[0], &gain[0], m, &weights[0, 0], p, rms, series + T, work)
        for j in range(q):
            if rms:
                out[i, j] = <floating> (top * sqrt(work[j] / T))
            else:
                out[i, j] = <floating> (top * work[j])
