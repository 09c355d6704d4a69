"""Sparse representations of many rows at once: orthogonal matching pursuit and the elastic net.

Products with all rows are the caller's, by BLAS on blocks; here is what each row then needs for
itself. A call works on one thread and releases the interpreter lock.
"""

from cython cimport floating

from libc.math cimport fabs, sqrt
from libc.stdint cimport int32_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy

from scipy.linalg.cython_blas cimport dgemm, dgemv, sgemm, sgemv
from scipy.linalg.cython_lapack cimport dposv

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

    #define SKRAND_AXPY(TYPE, NAME)                                                              \\
    SKRAND_CLONES                                                                                \\
    static void NAME(double alpha, const TYPE *a, double *b, ptrdiff_t m)                        \\
    {                                                                                            \\
        _Pragma("omp simd")                                                                      \\
        for (ptrdiff_t j = 0; j < m; j++)                                                        \\
            b[j] += alpha * a[j];                                                                \\
    }
    SKRAND_AXPY(float, skrand_axpy_f32)
    SKRAND_AXPY(double, skrand_axpy)
    """
    double skrand_dot(const double *a, const double *b, ptrdiff_t m) nogil
    void skrand_axpy_f32(double alpha, const float *a, double *b, ptrdiff_t m) nogil
    void skrand_axpy(double alpha, const double *a, double *b, ptrdiff_t m) nogil


#: Sweeps that leave the support nearly right: a solution over it pays only then.
cdef enum:
    _SWEEPS_BEFORE = 16

#: Atoms whose products with the others are taken at a time.
cdef enum:
    _STRIP = 16


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


cdef void _axpy(double alpha, const floating *a, double *b, ptrdiff_t m) noexcept nogil:
    if floating is float:
        skrand_axpy_f32(alpha, a, b, m)
    else:
        skrand_axpy(alpha, a, b, m)


cdef void _gram(const floating *A, floating *G, int count, int D) noexcept nogil:
    """Multiply the rows of A with each other.

    In strips, whose products are small enough for BLAS to multiply without packing its arguments.
    """
    cdef int first = 0, last, strip
    cdef ptrdiff_t j, k
    cdef floating unit = 1.0, nought = 0.0
    cdef char *trans = "T"
    cdef char *plain = "N"
    while first < count:
        strip = _STRIP if count - first > _STRIP else count - first
        last = first + strip
        if floating is float:
            sgemm(
                trans, plain, &last, &strip, &D, &unit, <float *> A, &D,
                <float *> A + first * <ptrdiff_t> D, &D, &nought, G + first * <ptrdiff_t> count,
                &count)
        else:
            dgemm(
                trans, plain, &last, &strip, &D, &unit, <double *> A, &D,
                <double *> A + first * <ptrdiff_t> D, &D, &nought, G + first * <ptrdiff_t> count,
                &count)
        for j in range(first):
            for k in range(first, last):
                G[j * count + k] = G[k * count + j]
        first = last


cdef double _sweep(
    double *c, double *g, const floating *G, ptrdiff_t m, double l1, double l2,
) noexcept nogil:
    """Minimise over one coefficient after the other; return the largest subgradient met."""
    cdef ptrdiff_t j
    cdef double worst = 0.0, scale, target, value, off
    for j in range(m):
        scale = G[j * m + j] + l2
        target = g[j] + c[j] * G[j * m + j]
        value = fabs(target) - l1
        if value <= 0.0 or scale <= 0.0:
            value = 0.0
        else:
            value = value / scale
            if target < 0.0:
                value = -value
        if value != c[j]:
            off = fabs(value - c[j]) * scale
            worst = off if off > worst else worst
            _axpy(c[j] - value, G + j * m, g, m)
            c[j] = value
    return worst


cdef void _solve_support(
    double *c, double *g, const floating *G, ptrdiff_t m, double l1, double l2,
    int32_t *support, double *H, double *d,
) noexcept nogil:
    """Move towards the minimum over the coefficients that are not zero, their signs kept.

    As far as the first that would change its sign, which becomes zero: the objective falls.
    `support`, `H` and `d` are work space for m, m * m and m numbers.
    """
    cdef ptrdiff_t j, k, first = -1
    cdef double length = 1.0
    cdef int n = 0, one = 1, info = 0
    cdef char *lower = "L"
    for j in range(m):
        if c[j] != 0.0:
            support[n] = <int32_t> j
            n += 1
    if n == 0:
        return
    for j in range(n):
        for k in range(j, n):
            H[j * n + k] = G[support[j] * m + support[k]]
        H[j * n + j] += l2
        d[j] = g[support[j]] - l2 * c[support[j]] - (l1 if c[support[j]] > 0.0 else -l1)
    dposv(lower, &n, &one, H, &n, d, &n, &info)
    if info != 0:
        # Dependent atoms and no ridge: no one minimum.
        return
    for j in range(n):
        k = support[j]
        if c[k] * d[j] < 0.0 and fabs(c[k]) <= length * fabs(d[j]):
            length, first = fabs(c[k] / d[j]), k
    for j in range(n):
        k = support[j]
        _axpy(-length * d[j], G + k * m, g, m)
        c[k] += length * d[j]
    if first >= 0:
        _axpy(c[first], G + first * m, g, m)
        c[first] = 0.0


def elastic_net(
    const floating[:, ::1] X, const int32_t[::1] rows, const int32_t[:, ::1] active,
    const int32_t[::1] counts, double[:, ::1] coef, const double[::1] l1, const double[::1] l2,
    const double[::1] tols, ptrdiff_t max_sweeps, floating[:, ::1] residual,
):
    """Minimise ``l1 |c|_1 + l2 / 2 |c|^2 + 1/2 |x - c A|^2`` for each row x over its own atoms A.

    By coordinate descent on the Gram matrix of the atoms, with exact solutions over the support in
    between, until no subgradient is off by more than ``tols * l1``.

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
    l1, l2, tols : memoryviews of shape (b,)
        Penalties and tolerances.
    residual : memoryview of shape (b, D)
        What the answer leaves of each row.

    Returns
    -------
    n_unfinished : int
        Problems that reached `max_sweeps`.
    """
    cdef ptrdiff_t i, j, t, sweep, b = rows.shape[0], D = X.shape[1], m = active.shape[1]
    cdef ptrdiff_t unfinished = 0
    cdef int count, width = <int> D, one = 1
    cdef floating unit = 1.0, nought = 0.0
    cdef double worst
    cdef floating *A
    cdef floating *G
    cdef floating *products
    cdef double *H
    cdef double *g
    cdef double *d
    cdef double *x
    cdef int32_t *support
    cdef char *trans = "T"
    if active.shape[0] < b or counts.shape[0] < b or coef.shape[0] < b or coef.shape[1] < m \
            or l1.shape[0] < b or l2.shape[0] < b or tols.shape[0] < b or residual.shape[0] < b \
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
    A = <floating *> malloc((m * D + m * m + m) * sizeof(floating))
    H = <double *> malloc((m * m + 2 * m + D) * sizeof(double))
    support = <int32_t *> malloc(m * sizeof(int32_t))
    if A == NULL or H == NULL or support == NULL:
        free(A)
        free(H)
        free(support)
        raise MemoryError()
    G = A + m * D
    products = G + m * m
    g = H + m * m
    d = g + m
    x = d + m
    with nogil:
        for i in range(b):
            count = counts[i]
            for j in range(count):
                memcpy(A + j * D, &X[active[i, j], 0], D * sizeof(floating))
            if count > 0:
                _gram(A, G, count, width)
                if floating is float:
                    sgemv(
                        trans, &width, &count, &unit, A, &width, <float *> &X[rows[i], 0], &one,
                        &nought, products, &one)
                else:
                    dgemv(
                        trans, &width, &count, &unit, A, &width, <double *> &X[rows[i], 0], &one,
                        &nought, products, &one)
            # g holds the products of the atoms with the residual.
            for j in range(count):
                g[j] = products[j]
            for j in range(count):
                if coef[i, j] != 0.0:
                    _axpy(-coef[i, j], G + j * count, g, count)
            sweep = 0
            while True:
                worst = _sweep(&coef[i, 0], g, G, count, l1[i], l2[i])
                sweep += 1
                if worst <= tols[i] * l1[i]:
                    break
                if sweep >= max_sweeps:
                    unfinished += 1
                    break
                if sweep % _SWEEPS_BEFORE == 0:
                    _solve_support(&coef[i, 0], g, G, count, l1[i], l2[i], support, H, d)
            for t in range(D):
                x[t] = X[rows[i], t]
            for j in range(count):
                if coef[i, j] != 0.0:
                    _axpy(-coef[i, j], A + j * D, x, D)
            for t in range(D):
                residual[i, t] = <floating> x[t]
    free(A)
    free(H)
    free(support)
    return unfinished
