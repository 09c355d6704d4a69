"""Sparse representations of many rows at once: orthogonal matching pursuit and the elastic net.

Products with all rows are the caller's, by BLAS on blocks; here is what each row then needs for
itself. A call works on one thread and releases the interpreter lock.
"""

from cython cimport floating

from libc.math cimport fabs, sqrt
from libc.stdint cimport int32_t
from libc.stdlib cimport free, malloc

from scipy.linalg.cython_blas cimport dgemv, dsyrk

cdef extern from *:
    """
    #include "kernels.h"

    SKRAND_CLONES
    static double skrand_dot(const double *a, const double *b, ptrdiff_t m)
    {
        double s = 0.0;
        #pragma omp simd reduction(+:s)
        for (ptrdiff_t j = 0; j < m; j++)
            s += a[j] * b[j];
        return s;
    }

    SKRAND_CLONES
    static void skrand_axpy(double alpha, const double *a, double *b, ptrdiff_t m)
    {
        #pragma omp simd
        for (ptrdiff_t j = 0; j < m; j++)
            b[j] += alpha * a[j];
    }
    """
    double skrand_dot(const double *a, const double *b, ptrdiff_t m) nogil
    void skrand_axpy(double alpha, const double *a, double *b, ptrdiff_t m) nogil


def pursue(
    const floating[:, ::1] X, const int32_t[::1] chosen, ptrdiff_t step, double[:, :, ::1] Q,
    double[:, :, ::1] R, double[:, ::1] along, double[:, ::1] residual,
):
    """Take one more atom into each row's basis and take its part out of the residual.

    Parameters
    ----------
    X : memoryview of shape (n, D)
        Atoms.
    chosen : memoryview of shape (b,)
        The new atom of each row; negative: none.
    step : int
        Atoms so far, the same for all rows.
    Q : memoryview of shape (b, k, D)
        Orthonormal basis of the atoms of each row.
    R : memoryview of shape (b, k, k)
        Atom j is the combination ``R[:, j]`` of the basis.
    along : memoryview of shape (b, k)
        The rows in that basis.
    residual : memoryview of shape (b, D)
        What is left of each row. A row whose atom adds nothing new is left alone.
    """
    cdef ptrdiff_t i, j, t, b = residual.shape[0], D = X.shape[1]
    cdef double dot, length, before
    cdef double *q
    if Q.shape[0] < b or Q.shape[1] <= step or Q.shape[2] != D or residual.shape[1] != D:
        raise ValueError("the basis does not fit the rows")
    if R.shape[0] < b or R.shape[1] <= step or R.shape[2] <= step or along.shape[0] < b \
            or along.shape[1] <= step or chosen.shape[0] < b:
        raise ValueError("the coefficients do not fit the rows")
    for i in range(b):
        if chosen[i] >= X.shape[0]:
            raise ValueError("an atom is out of range")
    with nogil:
        for i in range(b):
            if chosen[i] < 0:
                continue
            q = &Q[i, step, 0]
            for t in range(D):
                q[t] = X[chosen[i], t]
            before = sqrt(skrand_dot(q, q, D))
            # Gram-Schmidt twice is enough.
            for _ in range(2):
                for j in range(step):
                    dot = skrand_dot(q, &Q[i, j, 0], D)
                    R[i, j, step] += dot
                    skrand_axpy(-dot, &Q[i, j, 0], q, D)
            length = sqrt(skrand_dot(q, q, D))
            if length <= 1e-10 * before:
                for t in range(D):
                    q[t] = 0.0
                R[i, step, step] = 1.0
                continue
            R[i, step, step] = length
            for t in range(D):
                q[t] /= length
            dot = skrand_dot(q, &residual[i, 0], D)
            along[i, step] = dot
            skrand_axpy(-dot, q, &residual[i, 0], D)


def elastic_net(
    const floating[:, ::1] X, const int32_t[::1] rows, const int32_t[:, ::1] active,
    const int32_t[::1] counts, double[:, ::1] coef, const double[::1] l1, const double[::1] l2,
    double tol, ptrdiff_t max_sweeps, floating[:, ::1] residual,
):
    """Minimise ``l1 |c|_1 + l2 / 2 |c|^2 + 1/2 |x - c A|^2`` for each row x over its own atoms A.

    By coordinate descent on the Gram matrix of the atoms, until no subgradient is off by more than
    ``tol * l1``.

    Parameters
    ----------
    X : memoryview of shape (n, D)
        Atoms.
    rows : memoryview of shape (b,)
        Which row of X each problem is for.
    active : memoryview of shape (b, m)
        Atoms of each problem; the first ``counts[i]`` count.
    coef : memoryview of shape (b, m)
        Coefficients: the start, and the answer.
    l1, l2 : memoryviews of shape (b,)
        Penalties.
    residual : memoryview of shape (b, D)
        What the answer leaves of each row.

    Returns
    -------
    n_unfinished : int
        Problems that reached `max_sweeps`.
    """
    cdef ptrdiff_t i, j, k, t, sweep, b = rows.shape[0], D = X.shape[1], m = active.shape[1]
    cdef ptrdiff_t unfinished = 0
    cdef int count, width = <int> D, one = 1, ld = <int> m
    cdef double unit = 1.0, nought = 0.0, worst, off, value, old, target
    cdef double *A
    cdef double *G
    cdef double *g
    cdef double *x
    cdef char *lower = "L"
    cdef char *trans = "T"
    if active.shape[0] < b or counts.shape[0] < b or coef.shape[0] < b or coef.shape[1] < m \
            or l1.shape[0] < b or l2.shape[0] < b or residual.shape[0] < b \
            or residual.shape[1] != D:
        raise ValueError("the arrays do not have the same number of rows")
    for i in range(b):
        if counts[i] > m or not 0 <= rows[i] < X.shape[0]:
            raise ValueError("a problem is out of range")
        for j in range(counts[i]):
            if not 0 <= active[i, j] < X.shape[0]:
                raise ValueError("an atom is out of range")
    if b == 0 or m == 0 or D == 0:
        return 0
    A = <double *> malloc((m * D + m * m + m + D) * sizeof(double))
    if A == NULL:
        raise MemoryError()
    G = A + m * D
    g = G + m * m
    x = g + m
    with nogil:
        for i in range(b):
            count = counts[i]
            for t in range(D):
                x[t] = X[rows[i], t]
            for j in range(count):
                for t in range(D):
                    A[j * D + t] = X[active[i, j], t]
            if count > 0:
                dsyrk(lower, trans, &count, &width, &unit, A, &width, &nought, G, &ld)
                dgemv(trans, &width, &count, &unit, A, &width, x, &one, &nought, g, &one)
            for j in range(count):
                for k in range(j):
                    G[j * m + k] = G[k * m + j]
            # g holds the products of the atoms with the residual.
            for j in range(count):
                if coef[i, j] != 0.0:
                    skrand_axpy(-coef[i, j], &G[j * m], g, count)
            sweep = 0
            while True:
                worst = 0.0
                for j in range(count):
                    old = coef[i, j]
                    target = g[j] + old * G[j * m + j]
                    value = fabs(target) - l1[i]
                    if value <= 0.0 or G[j * m + j] + l2[i] <= 0.0:
                        value = 0.0
                    else:
                        value = value / (G[j * m + j] + l2[i])
                        if target < 0.0:
                            value = -value
                    if value != old:
                        off = fabs(value - old) * (G[j * m + j] + l2[i])
                        worst = off if off > worst else worst
                        skrand_axpy(old - value, &G[j * m], g, count)
                        coef[i, j] = value
                sweep += 1
                if worst <= tol * l1[i]:
                    break
                if sweep >= max_sweeps:
                    unfinished += 1
                    break
            for j in range(count):
                if coef[i, j] != 0.0:
                    skrand_axpy(-coef[i, j], A + j * D, x, D)
            for t in range(D):
                residual[i, t] = <floating> x[t]
    free(A)
    return unfinished
