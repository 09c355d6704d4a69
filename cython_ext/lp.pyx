# distutils: extra_compile_args = -fno-trapping-math
"""Passes over the rows of an l_p regression problem.

Every pass works on blocks of rows that stay in cache: a block is standardised into a small buffer,
whatever the type and the order of the data, and everything that an iteration needs of it (its
products with vectors, the weighted Gram matrix, sums of weighted rows) is computed while it is
there. Rows are cut into segments by the shape alone. Each segment adds to sums of its own, and
those are added in the order of the segments: the bits do not depend on the number of threads.
"""

from cython.parallel cimport prange

from libc.stdint cimport int32_t, int64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memset

import numpy as np

cdef extern from *:
    """
    #include <string.h>
    #include "kernels.h"

    #define SKRAND_LP_BLOCK 64

    #if SKRAND_GCC_GLIBC_X86_64
    __attribute__((simd("notinbranch"))) double log(double);
    #endif

    /* Four doubles, one register with AVX2. */
    #if defined(__GNUC__)
    #define SKRAND_LP_INLINE static inline __attribute__((always_inline))
    typedef double skrand_v4 __attribute__((vector_size(32), aligned(8)));
    #define SKRAND_LP_LOAD(v, p) ((v) = *(const skrand_v4 *) (p))
    #define SKRAND_LP_STORE(p, v) (*(skrand_v4 *) (p) = (v))
    #define SKRAND_LP_ADD(a, s, v) ((a) += (s) * (v))
    #define SKRAND_LP_SUM(v) (((v)[0] + (v)[1]) + ((v)[2] + (v)[3]))
    #else
    #define SKRAND_LP_INLINE static inline
    typedef struct { double e[4]; } skrand_v4;
    #define SKRAND_LP_LOAD(v, p) memcpy((v).e, (p), sizeof(skrand_v4))
    #define SKRAND_LP_STORE(p, v) memcpy((p), (v).e, sizeof(skrand_v4))
    #define SKRAND_LP_ADD(a, s, v) \\
        do { for (int e_ = 0; e_ < 4; e_++) (a).e[e_] += (s) * (v).e[e_]; } while (0)
    #define SKRAND_LP_SUM(v) (((v).e[0] + (v).e[1]) + ((v).e[2] + (v).e[3]))
    #endif

    /* ---- products of small blocks --------------------------------------------------------- */

    /* C[4][4 W] += sum over k of U[k, i] P[k, j], for U with any strides, W = 1, 2, 3. Written out
     * so that the sums stay in registers: compilers do not see it through loops. */
    #define SKRAND_LP_EACH(DO, W)                                                                \\
        DO(0, 0) DO(1, 0) DO(2, 0) DO(3, 0)                                                      \\
        if (W > 1) { DO(0, 1) DO(1, 1) DO(2, 1) DO(3, 1) }                                       \\
        if (W > 2) { DO(0, 2) DO(1, 2) DO(2, 2) DO(3, 2) }
    #define SKRAND_LP_GET(i, w) SKRAND_LP_LOAD(c##i##w, C + i * ldc + 4 * w);
    #define SKRAND_LP_MORE(i, w) SKRAND_LP_ADD(c##i##w, s##i, row##w);
    #define SKRAND_LP_PUT(i, w) SKRAND_LP_STORE(C + i * ldc + 4 * w, c##i##w);
    #define SKRAND_LP_TILE(W)                                                                    \\
    SKRAND_LP_INLINE void skrand_lp_tile##W(                                                     \\
        const double *U, ptrdiff_t step, ptrdiff_t across, const double *P, ptrdiff_t ldp,       \\
        ptrdiff_t count, double *C, ptrdiff_t ldc)                                               \\
    {                                                                                            \\
        skrand_v4 c00, c10, c20, c30, c01, c11, c21, c31, c02, c12, c22, c32, row0, row1, row2;  \\
        SKRAND_LP_EACH(SKRAND_LP_GET, W)                                                         \\
        for (ptrdiff_t k = 0; k < count; k++) {                                                  \\
            const double *u = U + k * step, *p = P + k * ldp;                                    \\
            double s0 = u[0], s1 = u[across], s2 = u[2 * across], s3 = u[3 * across];            \\
            SKRAND_LP_LOAD(row0, p);                                                             \\
            if (W > 1) SKRAND_LP_LOAD(row1, p + 4);                                              \\
            if (W > 2) SKRAND_LP_LOAD(row2, p + 8);                                              \\
            SKRAND_LP_EACH(SKRAND_LP_MORE, W)                                                    \\
        }                                                                                        \\
        SKRAND_LP_EACH(SKRAND_LP_PUT, W)                                                         \\
    }
    SKRAND_LP_TILE(1)
    SKRAND_LP_TILE(2)
    SKRAND_LP_TILE(3)

    /* C[rows][columns] += U^T P over `count` terms; both sizes are multiples of 4. Of the first
     * `symmetric` rows only the upper triangle, in whole tiles, is computed. */
    SKRAND_CLONES
    static void skrand_lp_outer(
        const double *U, ptrdiff_t step, ptrdiff_t across, const double *P, ptrdiff_t ldp,
        ptrdiff_t count, ptrdiff_t rows, ptrdiff_t columns, ptrdiff_t symmetric,
        double *C, ptrdiff_t ldc)
    {
        for (ptrdiff_t i = 0; i < rows; i += 4) {
            ptrdiff_t j = i < symmetric ? i : 0, width;
            for (; j < columns; j += 4 * width) {
                ptrdiff_t left = (columns - j) / 4;
                const double *u = U + i * across, *p = P + j;
                double *tile = C + i * ldc + j;
                width = left == 4 ? 2 : left > 3 ? 3 : left;
                if (width == 3)
                    skrand_lp_tile3(u, step, across, p, ldp, count, tile, ldc);
                else if (width == 2)
                    skrand_lp_tile2(u, step, across, p, ldp, count, tile, ldc);
                else
                    skrand_lp_tile1(u, step, across, p, ldp, count, tile, ldc);
            }
        }
    }

    /* t = P x */
    SKRAND_CLONES
    static void skrand_lp_product(
        const double *P, ptrdiff_t count, ptrdiff_t D, const double *x, double *t)
    {
        ptrdiff_t k = 0;
    #if defined(__GNUC__)
        for (; k + 4 <= count; k += 4) {
            const double *p = P + k * D;
            skrand_v4 a = {0.0, 0.0, 0.0, 0.0}, b = a, c = a, d = a, y, row;
            for (ptrdiff_t j = 0; j < D; j += 4) {
                SKRAND_LP_LOAD(y, x + j);
                SKRAND_LP_LOAD(row, p + j);
                a += y * row;
                SKRAND_LP_LOAD(row, p + D + j);
                b += y * row;
                SKRAND_LP_LOAD(row, p + 2 * D + j);
                c += y * row;
                SKRAND_LP_LOAD(row, p + 3 * D + j);
                d += y * row;
            }
            t[k] = SKRAND_LP_SUM(a);
            t[k + 1] = SKRAND_LP_SUM(b);
            t[k + 2] = SKRAND_LP_SUM(c);
            t[k + 3] = SKRAND_LP_SUM(d);
        }
    #endif
        for (; k < count; k++) {
            double s = 0.0;
            for (ptrdiff_t j = 0; j < D; j++)
                s += P[k * D + j] * x[j];
            t[k] = s;
        }
    }

    /* ---- blocks of standardised rows ------------------------------------------------------ */

    typedef struct {
        const double *f64;         /* dense data, or the entries of CSR */
        const float *f32;
        const int32_t *i32;        /* columns and row starts of CSR */
        const int64_t *i64, *starts64;
        const int32_t *starts32;
        const double *center, *scale, *row_scale, *transform;
        ptrdiff_t n, d, row_stride, column_stride;
        ptrdiff_t wide, D;         /* padded widths, before and after the transform */
        int intercept, sparse, ready;
    } skrand_lp_rows;

    #define SKRAND_LP_DENSE(NAME, TYPE, FIELD)                                                   \\
    SKRAND_CLONES                                                                                \\
    static void NAME(                                                                            \\
        const skrand_lp_rows *rows, ptrdiff_t first, ptrdiff_t count, double *P)                 \\
    {                                                                                            \\
        const TYPE *source = rows->FIELD + first * rows->row_stride;                             \\
        const double *center = rows->center, *scale = rows->scale;                               \\
        ptrdiff_t d = rows->d, wide = rows->wide, step = rows->column_stride;                    \\
        if (step == 1) {                                                                         \\
            for (ptrdiff_t k = 0; k < count; k++) {                                              \\
                const TYPE *a = source + k * rows->row_stride;                                   \\
                double *p = P + k * wide, s = rows->row_scale ? rows->row_scale[first + k] : 1.0;\\
                for (ptrdiff_t j = 0; j < d; j++)                                                \\
                    p[j] = s * (((double) a[j] - center[j]) * scale[j]);                         \\
            }                                                                                    \\
            return;                                                                              \\
        }                                                                                        \\
        for (ptrdiff_t j = 0; j < d; j++) {                                                      \\
            const TYPE *a = source + j * step;                                                   \\
            for (ptrdiff_t k = 0; k < count; k++) {                                              \\
                double s = rows->row_scale ? rows->row_scale[first + k] : 1.0;                   \\
                P[k * wide + j] =                                                                \\
                    s * (((double) a[k * rows->row_stride] - center[j]) * scale[j]);             \\
            }                                                                                    \\
        }                                                                                        \\
    }
    SKRAND_LP_DENSE(skrand_lp_dense_f64, double, f64)
    SKRAND_LP_DENSE(skrand_lp_dense_f32, float, f32)

    static void skrand_lp_sparse(
        const skrand_lp_rows *rows, ptrdiff_t first, ptrdiff_t count, double *P)
    {
        for (ptrdiff_t k = 0; k < count; k++) {
            ptrdiff_t i = first + k;
            double *p = P + k * rows->wide, s = rows->row_scale ? rows->row_scale[i] : 1.0;
            int64_t start = rows->starts32 ? rows->starts32[i] : rows->starts64[i];
            int64_t stop = rows->starts32 ? rows->starts32[i + 1] : rows->starts64[i + 1];
            for (ptrdiff_t j = 0; j < rows->d; j++)
                p[j] = -s * (rows->center[j] * rows->scale[j]);
            for (int64_t e = start; e < stop; e++) {
                int64_t j = rows->i32 ? rows->i32[e] : rows->i64[e];
                double a = rows->f64 ? rows->f64[e] : (double) rows->f32[e];
                p[j] += s * (a * rows->scale[j]);
            }
        }
    }

    /* Rows first, ..., first + count - 1 as a contiguous block, in one of two buffers of
     * SKRAND_LP_BLOCK rows, or where they lie. */
    static const double *skrand_lp_block(
        const skrand_lp_rows *rows, ptrdiff_t first, ptrdiff_t count, double *raw, double *turned)
    {
        if (rows->ready)
            return rows->f64 + first * rows->D;
        ptrdiff_t wide = rows->wide, used = rows->d + (rows->intercept ? 1 : 0);
        if (rows->sparse)
            skrand_lp_sparse(rows, first, count, raw);
        else if (rows->f64)
            skrand_lp_dense_f64(rows, first, count, raw);
        else
            skrand_lp_dense_f32(rows, first, count, raw);
        for (ptrdiff_t k = 0; k < count; k++) {
            double *p = raw + k * wide;
            if (rows->intercept)
                p[rows->d] = rows->row_scale ? rows->row_scale[first + k] : 1.0;
            for (ptrdiff_t j = used; j < wide; j++)
                p[j] = 0.0;
        }
        if (!rows->transform)
            return raw;
        ptrdiff_t D = rows->D;
        memset(turned, 0, sizeof(double) * SKRAND_LP_BLOCK * (size_t) D);
        /* Rows past the end are multiplied, too, and not used: keep them finite. */
        memset(raw + count * wide, 0,
               sizeof(double) * (size_t) ((SKRAND_LP_BLOCK - count) * wide));
        skrand_lp_outer(
            raw, 1, wide, rows->transform, D, used, SKRAND_LP_BLOCK, D, 0, turned, D);
        return turned;
    }

    /* U[k] = [q[k] P[k], and up to four numbers of a row's own]. */
    SKRAND_CLONES
    static void skrand_lp_weigh(
        const double *P, ptrdiff_t count, ptrdiff_t D, const double *q,
        const double *a, const double *b, double *U)
    {
        for (ptrdiff_t k = 0; k < count; k++) {
            double *u = U + k * (D + 4), s = q ? q[k] : 1.0;
            for (ptrdiff_t j = 0; j < D; j++)
                u[j] = s * P[k * D + j];
            u[D] = a ? a[k] : 0.0;
            u[D + 1] = b ? b[k] : 0.0;
            u[D + 2] = u[D + 3] = 0.0;
        }
    }

    SKRAND_CLONES
    static void skrand_lp_norms(const double *Y, ptrdiff_t count, ptrdiff_t D, double *out)
    {
        for (ptrdiff_t k = 0; k < count; k++) {
            skrand_v4 a, row;
            double s;
    #if defined(__GNUC__)
            a = (skrand_v4) {0.0, 0.0, 0.0, 0.0};
            for (ptrdiff_t j = 0; j < D; j += 4) {
                SKRAND_LP_LOAD(row, Y + k * D + j);
                a += row * row;
            }
            s = SKRAND_LP_SUM(a);
    #else
            (void) a; (void) row;
            s = 0.0;
            for (ptrdiff_t j = 0; j < D; j++)
                s += Y[k * D + j] * Y[k * D + j];
    #endif
            out[k] = sqrt(s);
        }
    }

    /* ---- least absolute deviations -------------------------------------------------------- */

    /* r -= t; returns sum |r| and, for signs or dual variables z, sum (|r| - z r). */
    SKRAND_CLONES
    static void skrand_lp_absolute(
        const double *c, const double *t, const double *z, ptrdiff_t count, double *r, double *sums)
    {
        double total = 0.0, gap = 0.0;
        #pragma omp simd reduction(+:total, gap)
        for (ptrdiff_t k = 0; k < count; k++) {
            double value = c[k] - t[k], size = fabs(value);
            r[k] = value;
            total += size;
            gap += size - z[k] * value;
        }
        sums[0] += total;
        sums[1] += gap;
    }

    /* z = sign of r where |r| > width, else 0. */
    SKRAND_CLONES
    static void skrand_lp_split(
        const double *c, const double *t, const double *width, double factor, ptrdiff_t count,
        double *r, double *z, double *sums)
    {
        double total = 0.0;
        #pragma omp simd reduction(+:total)
        for (ptrdiff_t k = 0; k < count; k++) {
            double value = c[k] - t[k], size = fabs(value), sign = value > 0.0 ? 1.0 : -1.0;
            r[k] = value;
            z[k] = size > factor * width[k] ? sign : 0.0;
            total += size;
        }
        sums[0] += total;
    }

    /* Interior point. The pairs are u (1 + z) and v (1 - z), with v - u the residual; low is 1 + z
     * and high 1 - z. Each of the three functions is one pass of an iteration. */
    SKRAND_CLONES
    static void skrand_lp_update(
        double *low, double *high, double *u, double *v, const double *dz, const double *du,
        const double *dv, double primal, double dual, ptrdiff_t count,
        double *q, double *w, double *z, double *sums)
    {
        double total = 0.0, size = 0.0;
        #pragma omp simd reduction(+:total, size)
        for (ptrdiff_t k = 0; k < count; k++) {
            double l = low[k] + dual * dz[k], h = high[k] - dual * dz[k];
            double a = u[k] + primal * du[k], b = v[k] + primal * dv[k];
            double weight = (l * h) / (b * l + a * h);
            low[k] = l;
            high[k] = h;
            u[k] = a;
            v[k] = b;
            q[k] = weight;
            w[k] = weight * (b - a);
            z[k] = 0.5 * (l - h);
            total += a * l + b * h;
            size += fabs(b - a);
        }
        sums[0] += total;
        sums[1] += size;
    }

    #define SKRAND_LP_MAX(a, b) ((a) > (b) ? (a) : (b))

    /* Affine direction: sums are the largest ratios of step to distance (primal, dual), and the
     * two that give the complementarity after a step. */
    SKRAND_CLONES
    static void skrand_lp_affine(
        const double *low, const double *high, const double *u, const double *v, const double *q,
        const double *t, ptrdiff_t count, double *dz, double *h1, double *h2, double *sums)
    {
        double primal = sums[0], dual = sums[1], linear = 0.0, square = 0.0;
        #pragma omp simd reduction(+:linear, square) reduction(max:primal, dual)
        for (ptrdiff_t k = 0; k < count; k++) {
            double a = u[k], b = v[k], il = 1.0 / low[k], ih = 1.0 / high[k];
            double z = q[k] * (b - a - t[k]);
            double up = z * il, down = z * ih;
            double da = -a - a * up, db = -b + b * down;
            dz[k] = z;
            h1[k] = q[k] * (ih - il);
            h2[k] = q[k] * z * (db * ih + da * il);
            primal = SKRAND_LP_MAX(primal, 1.0 + up);
            primal = SKRAND_LP_MAX(primal, 1.0 - down);
            dual = SKRAND_LP_MAX(dual, -up);
            dual = SKRAND_LP_MAX(dual, down);
            linear += z * (a - b);
            square += z * (da - db);
        }
        sums[0] = primal;
        sums[1] = dual;
        sums[2] += linear;
        sums[3] += square;
    }

    /* Corrected direction; dz holds the affine one. */
    SKRAND_CLONES
    static void skrand_lp_direction(
        const double *low, const double *high, const double *u, const double *v, const double *q,
        const double *t, double mu, ptrdiff_t count, double *dz, double *du, double *dv,
        double *sums)
    {
        double primal = sums[0], dual = sums[1];
        #pragma omp simd reduction(max:primal, dual)
        for (ptrdiff_t k = 0; k < count; k++) {
            double a = u[k], b = v[k], il = 1.0 / low[k], ih = 1.0 / high[k], z = dz[k];
            double da = -a - a * (z * il), db = -b + b * (z * ih);
            double left = mu - da * z, right = mu + db * z;
            z = q[k] * (b - a - t[k] - right * ih + left * il);
            da = (left - a * z) * il - a;
            db = (right + b * z) * ih - b;
            dz[k] = z;
            du[k] = da;
            dv[k] = db;
            primal = SKRAND_LP_MAX(primal, -da / a);
            primal = SKRAND_LP_MAX(primal, -db / b);
            dual = SKRAND_LP_MAX(dual, -z * il);
            dual = SKRAND_LP_MAX(dual, z * ih);
        }
        sums[0] = primal;
        sums[1] = dual;
    }

    /* ---- powers --------------------------------------------------------------------------- */

    #define SKRAND_LP_POWER(size, exponent) exp((exponent) * log(size))
    #define SKRAND_LP_TINY(size) ((size) > 1e-150 ? (size) : 1e-150)

    /* The step t changes the dual variable to z + D (r - phi(z) - t), phi(z) = |z|^(q - 1) sign(z),
     * which is feasible: the sum of its powers q, and its product with r, bound the optimum. */
    SKRAND_CLONES
    static void skrand_lp_dual(
        const double *r, const double *z, const double *D, const double *phi, const double *t,
        double q, ptrdiff_t count, double *next, double *power, double *sums)
    {
        double norm = 0.0, product = 0.0;
        #pragma omp simd reduction(+:norm, product)
        for (ptrdiff_t k = 0; k < count; k++) {
            double value = z[k] + D[k] * (r[k] - phi[k] - t[k]), size = fabs(value);
            size = SKRAND_LP_TINY(size);
            next[k] = value;
            power[k] = SKRAND_LP_POWER(size, q - 2.0);
            norm += power[k] * value * value;
            product += value * r[k];
        }
        sums[0] += norm;
        sums[1] += product;
    }

    /* r = c - t and z = |r|^(p - 1) sign(r), with D the derivative of z, at most cap. Where the
     * dual variable `next` is nearer to 0 it is taken instead, and D is one over the derivative of
     * phi: that is the linear one of the two equations for a row that is nearly fitted. */
    SKRAND_CLONES
    static void skrand_lp_primal(
        const double *c, const double *t, const double *next, const double *power, double p,
        double cap, ptrdiff_t count, double *r, double *z, double *D, double *phi, double *g,
        double *sums)
    {
        double total = 0.0, slope = p - 1.0;
        #pragma omp simd reduction(+:total)
        for (ptrdiff_t k = 0; k < count; k++) {
            double value = c[k] - t[k], size = fabs(value);
            size = SKRAND_LP_TINY(size);
            double weight = SKRAND_LP_POWER(size, p - 2.0);
            double dual = weight * value, other = next[k], inverse = slope / power[k];
            int mixed = fabs(other) < fabs(dual);
            double derivative = mixed ? inverse : slope * weight;
            double image = mixed ? power[k] * other : value;
            double chosen = mixed ? other : dual;
            derivative = derivative > cap ? cap : derivative;
            r[k] = value;
            z[k] = chosen;
            D[k] = derivative;
            phi[k] = image;
            g[k] = chosen + derivative * (value - image);
            total += weight * value * value;
        }
        sums[0] += total;
    }

    /* The sum of |r - alpha t|^p, and of the derivative of |.|^p / p times t. */
    SKRAND_CLONES
    static void skrand_lp_line(
        const double *r, const double *t, double alpha, double p, ptrdiff_t count, double *sums)
    {
        double total = 0.0, slope = 0.0;
        #pragma omp simd reduction(+:total, slope)
        for (ptrdiff_t k = 0; k < count; k++) {
            double value = r[k] - alpha * t[k], size = fabs(value);
            size = SKRAND_LP_TINY(size);
            double weight = SKRAND_LP_POWER(size, p - 2.0);
            total += weight * value * value;
            slope += weight * value * t[k];
        }
        sums[0] += total;
        sums[1] += slope;
    }
    """
    int SKRAND_LP_BLOCK

    ctypedef struct skrand_lp_rows:
        const double* f64
        const float* f32
        const int32_t* i32
        const int64_t* i64
        const int64_t* starts64
        const int32_t* starts32
        const double* center
        const double* scale
        const double* row_scale
        const double* transform
        Py_ssize_t n, d, row_stride, column_stride, wide, D
        int intercept, sparse, ready

    const double* skrand_lp_block(
        const skrand_lp_rows* rows, Py_ssize_t first, Py_ssize_t count, double* raw,
        double* turned) noexcept nogil
    void skrand_lp_outer(
        const double* U, Py_ssize_t step, Py_ssize_t across, const double* P, Py_ssize_t ldp,
        Py_ssize_t count, Py_ssize_t rows, Py_ssize_t columns, Py_ssize_t symmetric, double* C,
        Py_ssize_t ldc) noexcept nogil
    void skrand_lp_product(
        const double* P, Py_ssize_t count, Py_ssize_t D, const double* x,
        double* t) noexcept nogil
    void skrand_lp_weigh(
        const double* P, Py_ssize_t count, Py_ssize_t D, const double* q, const double* a,
        const double* b, double* U) noexcept nogil
    void skrand_lp_norms(
        const double* Y, Py_ssize_t count, Py_ssize_t D, double* out) noexcept nogil
    void skrand_lp_absolute(
        const double* c, const double* t, const double* z, Py_ssize_t count, double* r,
        double* sums) noexcept nogil
    void skrand_lp_split(
        const double* c, const double* t, const double* width, double factor, Py_ssize_t count,
        double* r, double* z, double* sums) noexcept nogil
    void skrand_lp_update(
        double* low, double* high, double* u, double* v, const double* dz, const double* du,
        const double* dv, double primal, double dual, Py_ssize_t count, double* q, double* w,
        double* z, double* sums) noexcept nogil
    void skrand_lp_affine(
        const double* low, const double* high, const double* u, const double* v, const double* q,
        const double* t, Py_ssize_t count, double* dz, double* h1, double* h2,
        double* sums) noexcept nogil
    void skrand_lp_direction(
        const double* low, const double* high, const double* u, const double* v, const double* q,
        const double* t, double mu, Py_ssize_t count, double* dz, double* du, double* dv,
        double* sums) noexcept nogil
    void skrand_lp_dual(
        const double* r, const double* z, const double* D, const double* phi, const double* t,
        double q, Py_ssize_t count, double* next, double* power, double* sums) noexcept nogil
    void skrand_lp_primal(
        const double* c, const double* t, const double* next, const double* power, double p,
        double cap, Py_ssize_t count, double* r, double* z, double* D, double* phi, double* g,
        double* sums) noexcept nogil
    void skrand_lp_line(
        const double* r, const double* t, double alpha, double p, Py_ssize_t count,
        double* sums) noexcept nogil


cdef struct arguments:
    # What a pass is given besides the rows; which of them it uses is said where it is called.
    const double* x
    const double* y
    const double* c
    const double* q
    double* state[9]
    double scalar[4]


ctypedef void (*block_t)(
    const double* P, Py_ssize_t first, Py_ssize_t count, Py_ssize_t D, arguments* args,
    double* work, double* U, double* outer, double* sums,
) noexcept nogil


cdef enum:
    # Numbers that a segment sums, beside its sums of rows; buffers of a block.
    SUMS = 4
    BUFFERS = 6


cdef class Rows:
    """The rows of a design matrix, standardised block by block and never all at once.

    Row i is ``row_scale[i] * [(A[i] - center) * scale, 1] @ transform``, padded with zeros to a
    multiple of four columns, `width`.

    Parameters
    ----------
    A : ndarray of shape (n, d), or CSR matrix
        float32 or float64.
    center, scale : ndarray of shape (d,), float64
        Of the columns.
    row_scale : ndarray of shape (n,), float64, or None
        Of the rows; ones if None.
    intercept : bool
        Whether there is a last column of ones.
    transform : ndarray of shape (d + intercept, r), float64, or None
        The identity if None.
    """

    cdef skrand_lp_rows rows
    cdef readonly Py_ssize_t n, width
    cdef object kept

    def __init__(self, A, const double[::1] center, const double[::1] scale, row_scale,
                 bint intercept, transform):
        cdef const double[:, :] dense64
        cdef const float[:, :] dense32
        cdef const double[::1] entries64
        cdef const float[::1] entries32
        cdef const int32_t[::1] columns32, starts32
        cdef const int64_t[::1] columns64, starts64
        cdef const double[::1] by_row
        cdef double[:, ::1] padded
        cdef skrand_lp_rows* rows = &self.rows
        memset(rows, 0, sizeof(skrand_lp_rows))
        rows.n, rows.d = A.shape
        self.n = rows.n
        rows.intercept = intercept
        rows.wide = _padded(rows.d + intercept)
        rows.D = rows.wide
        if center.shape[0] != rows.d or scale.shape[0] != rows.d:
            raise ValueError("center and scale must have one number a column")
        keep = [A, center, scale]
        if rows.d:
            rows.center = &center[0]
            rows.scale = &scale[0]
        if row_scale is not None:
            by_row = row_scale
            if by_row.shape[0] != rows.n:
                raise ValueError("row_scale must have one number a row")
            keep.append(by_row)
            rows.row_scale = &by_row[0] if rows.n else NULL
        if transform is not None:
            rows.D = _padded(transform.shape[1])
            table = np.zeros((rows.wide, rows.D))
            table[: transform.shape[0], : transform.shape[1]] = transform
            padded = table
            keep.append(padded)
            rows.transform = &padded[0, 0]
        self.width = rows.D
        if hasattr(A, "indptr"):
            rows.sparse = True
            if A.dtype == np.float64:
                entries64 = A.data
                keep.append(entries64)
                rows.f64 = &entries64[0] if entries64.shape[0] else NULL
            else:
                entries32 = A.data
                keep.append(entries32)
                rows.f32 = &entries32[0] if entries32.shape[0] else NULL
            if A.indices.dtype == np.int32:
                columns32 = A.indices
                keep.append(columns32)
                rows.i32 = &columns32[0] if columns32.shape[0] else NULL
            else:
                columns64 = A.indices
                keep.append(columns64)
                rows.i64 = &columns64[0] if columns64.shape[0] else NULL
            if A.indptr.dtype == np.int32:
                starts32 = A.indptr
                keep.append(starts32)
                rows.starts32 = &starts32[0]
            else:
                starts64 = A.indptr
                keep.append(starts64)
                rows.starts64 = &starts64[0]
        elif A.dtype == np.float64:
            dense64 = A
            keep.append(dense64)
            rows.row_stride = dense64.strides[0] // <Py_ssize_t> sizeof(double)
            rows.column_stride = dense64.strides[1] // <Py_ssize_t> sizeof(double)
            rows.f64 = &dense64[0, 0] if rows.n and rows.d else NULL
        else:
            dense32 = A
            keep.append(dense32)
            rows.row_stride = dense32.strides[0] // <Py_ssize_t> sizeof(float)
            rows.column_stride = dense32.strides[1] // <Py_ssize_t> sizeof(float)
            rows.f32 = &dense32[0, 0] if rows.n and rows.d else NULL
        self.kept = keep

    @staticmethod
    def ready(const double[:, ::1] block):
        """Take rows that :meth:`take` returned."""
        cdef Rows self = Rows.__new__(Rows)
        memset(&self.rows, 0, sizeof(skrand_lp_rows))
        if block.shape[1] % 4 != 0 or block.shape[0] == 0:
            raise ValueError("the block must have rows, padded to a multiple of four columns")
        self.rows.n = self.n = block.shape[0]
        self.rows.D = self.rows.wide = self.width = block.shape[1]
        self.rows.f64 = &block[0, 0]
        self.rows.ready = True
        self.kept = [block]
        return self

    def take(self, const int64_t[::1] indices):
        """Return some rows, ``(len(indices), width)``."""
        cdef Py_ssize_t i, j, D = self.rows.D, size = SKRAND_LP_BLOCK
        cdef double[:, ::1] out = np.empty((indices.shape[0], D))
        cdef double* raw = <double*> malloc(size * self.rows.wide * sizeof(double))
        cdef double* turned = <double*> malloc(size * D * sizeof(double))
        cdef const double* row
        try:
            if raw == NULL or turned == NULL:
                raise MemoryError()
            for i in range(indices.shape[0]):
                if not 0 <= indices[i] < self.n:
                    raise IndexError("no such row")
            with nogil:
                for i in range(indices.shape[0]):
                    row = skrand_lp_block(&self.rows, indices[i], 1, raw, turned)
                    for j in range(D):
                        out[i, j] = row[j]
        finally:
            free(raw)
            free(turned)
        return np.asarray(out)

    cdef tuple _run(self, block_t visit, arguments* args, Py_ssize_t outer_rows, int n_threads,
                    bint largest=False):
        """Visit all blocks; return the sums of rows (outer_rows, width) and the other sums.

        With `largest`, the first two of the other sums are maxima.
        """
        cdef Py_ssize_t n = self.rows.n, D = self.rows.D, size = SKRAND_LP_BLOCK
        cdef Py_ssize_t blocks = (n + size - 1) // size
        cdef Py_ssize_t segments = min(max(n * D // 32768, <Py_ssize_t> 1), <Py_ssize_t> 16)
        cdef Py_ssize_t room = size * (self.rows.wide + D + D + 4 + BUFFERS) + 16
        cdef Py_ssize_t segment, first, last, block, start
        cdef double[:, :, ::1] outer
        cdef double[:, ::1] sums, work
        cdef const double* P
        cdef double* buffer
        # Each has a sum of its own: for many columns, 64 MB in all.
        segments = min(segments, max(8388608 // (D * D), <Py_ssize_t> 1))
        segments = min(segments, max(blocks, <Py_ssize_t> 1))
        outer = np.zeros((segments, max(outer_rows, <Py_ssize_t> 1), D))
        sums = np.zeros((segments, SUMS))
        work = np.empty((segments, room))
        n_threads = max(min(n_threads, <int> segments), 1)
        for segment in prange(segments, nogil=True, num_threads=n_threads, schedule="dynamic"):
            first = blocks * segment // segments
            last = blocks * (segment + 1) // segments
            buffer = &work[segment, 0]
            for block in range(first, last):
                start = block * size
                P = skrand_lp_block(
                    &self.rows, start, min(size, n - start), buffer,
                    buffer + size * self.rows.wide,
                )
                visit(
                    P, start, min(size, n - start), D, args,
                    buffer + size * (self.rows.wide + D),
                    buffer + size * (self.rows.wide + D + BUFFERS),
                    &outer[segment, 0, 0], &sums[segment, 0],
                )
        total = np.asarray(outer)[0]
        scalars = np.asarray(sums)
        for segment in range(1, segments):
            total += outer[segment]
        result = scalars[0].copy()
        for segment in range(1, segments):
            if largest:
                result[:2] = np.maximum(result[:2], scalars[segment, :2])
                result[2:] += scalars[segment, 2:]
            else:
                result += scalars[segment]
        return total, result

    def product(self, const double[::1] x, int n_threads=1):
        """Return the product with a vector of `width` numbers, (n,)."""
        out = np.empty(self.n)
        cdef double[::1] t = out
        cdef arguments args
        _check(x, self.width)
        if self.n:
            args.x, args.state[0] = &x[0], &t[0]
            self._run(_visit_product, &args, 0, n_threads)
        return out

    def norms(self, const double[:, ::1] N, int n_threads=1):
        """Return the norms of the rows of the product with `N` of shape (width, 4 k)."""
        out = np.empty(self.n)
        cdef double[::1] norm = out
        cdef arguments args
        if N.shape[0] != self.width or N.shape[1] % 4 or N.shape[1] > self.width:
            raise ValueError("N must have `width` rows, and at most so many columns, in fours")
        if self.n:
            args.x, args.state[0], args.scalar[0] = &N[0, 0], &norm[0], N.shape[1]
            self._run(_visit_norms, &args, 0, n_threads)
        return out

    def moments(self, q, const double[::1] c, int n_threads=1):
        """Return ``sum q m m^T`` and ``sum c m`` over the rows m; `q` may be None for ones."""
        cdef arguments args
        cdef const double[::1] weights
        _check(c, self.n)
        args.q = NULL
        if q is not None:
            weights = q
            _check(weights, self.n)
            args.q = &weights[0]
        args.c = &c[0]
        outer, _ = self._run(_visit_moments, &args, self.width + 4, n_threads)
        return _symmetric(outer, self.width), outer[self.width]

    def absolute(self, const double[::1] c, const double[::1] x, const double[::1] z,
                 double[::1] r, int n_threads=1):
        """Write ``r = c - M x``; return ``sum |r|``, ``sum (|r| - z r)`` and ``M^T z``."""
        cdef arguments args
        _check(c, self.n), _check(z, self.n), _check(r, self.n), _check(x, self.width)
        args.x, args.c, args.q, args.state[0] = &x[0], &c[0], &z[0], &r[0]
        outer, sums = self._run(_visit_absolute, &args, 4, n_threads)
        return sums[0], sums[1], outer[0]

    def split(self, const double[::1] c, const double[::1] x, const double[::1] band,
              double factor, double[::1] r, double[::1] z, int n_threads=1):
        """Write the residual r, and its sign z where it is above ``factor * band``, 0 elsewhere.

        Returns ``sum |r|`` and ``M^T z``.
        """
        cdef arguments args
        _check(c, self.n), _check(band, self.n), _check(r, self.n), _check(z, self.n)
        _check(x, self.width)
        args.x, args.c, args.q = &x[0], &c[0], &band[0]
        args.state[0], args.state[1], args.scalar[0] = &r[0], &z[0], factor
        outer, sums = self._run(_visit_split, &args, 4, n_threads)
        return sums[0], outer[0]

    def interior_update(self, double[:, ::1] state, double primal, double dual, int n_threads=1):
        """Take a step and set up the next system, for ``state`` as in :mod:`...solvers.ipm`.

        Returns the Gram matrix with weights q, ``M^T q (v - u)``, ``M^T z``, the complementarity
        and ``sum |v - u|``.
        """
        cdef arguments args
        self._bind(&args, state)
        args.scalar[0], args.scalar[1] = primal, dual
        outer, sums = self._run(_visit_update, &args, self.width + 4, n_threads)
        D = self.width
        return _symmetric(outer, D), outer[D], outer[D + 1], sums[0], sums[1]

    def interior_affine(self, double[:, ::1] state, const double[::1] dx, int n_threads=1):
        """Form the affine direction for a step dx.

        Returns the two sums of rows that the corrector needs, the largest ratios (primal, dual),
        and the linear and bilinear terms of the complementarity.
        """
        cdef arguments args
        _check(dx, self.width)
        self._bind(&args, state)
        args.x = &dx[0]
        outer, sums = self._run(_visit_affine, &args, 4, n_threads, True)
        return outer[0], outer[1], sums

    def interior_direction(self, double[:, ::1] state, const double[::1] dx, double mu,
                           int n_threads=1):
        """Form the corrected direction; return the largest ratios (primal, dual)."""
        cdef arguments args
        _check(dx, self.width)
        self._bind(&args, state)
        args.x, args.scalar[0] = &dx[0], mu
        _, sums = self._run(_visit_direction, &args, 0, n_threads, True)
        return sums[0], sums[1]

    cdef _bind(self, arguments* args, double[:, ::1] state):
        cdef Py_ssize_t i
        if state.shape[0] != 8 or state.shape[1] != self.n or self.n == 0:
            raise ValueError("state must have eight rows of n numbers")
        for i in range(8):
            args.state[i] = &state[i, 0]

    def power(self, const double[::1] c, const double[::1] x, step, double p, double cap,
              bint mix, double[:, ::1] state, int n_threads=1):
        """Set up a step of Newton's method for the sum of ``|c - M x|^p``.

        The rows of `state` are r, z, D and phi(z) of the point before, and become those of this
        one; with `mix` the dual variables that ``step`` led to are used where they are nearer to
        0. Returns the Gram matrix with weights D, the right-hand side, the sum, and, for the step
        that led here (None: zeros), ``sum |z|^q``, ``z . r`` and ``M^T z`` of its dual point.
        """
        cdef arguments args
        cdef const double[::1] move
        cdef Py_ssize_t i
        _check(c, self.n), _check(x, self.width)
        if state.shape[0] != 4 or state.shape[1] != self.n:
            raise ValueError("state must have four rows of n numbers")
        args.x, args.c, args.y = &x[0], &c[0], NULL
        if step is not None:
            move = step
            _check(move, self.width)
            args.y = &move[0]
        for i in range(4):
            args.state[i] = &state[i, 0]
        args.scalar[0], args.scalar[1], args.scalar[2] = p, cap, mix
        outer, sums = self._run(_visit_power, &args, self.width + 4, n_threads)
        D = self.width
        return _symmetric(outer, D), outer[D], sums[0], sums[1], sums[2], outer[D + 1]


def line(const double[::1] r, const double[::1] t, double alpha, double p):
    """Return ``sum |r - alpha t|^p`` and its derivative in alpha."""
    cdef double sums[2]
    cdef double total = 0.0, slope = 0.0
    cdef Py_ssize_t start, n = r.shape[0]
    _check(t, n)
    with nogil:
        for start in range(0, n, 1024):
            sums[0] = sums[1] = 0.0
            skrand_lp_line(&r[start], &t[start], alpha, p, min(n - start, 1024), sums)
            total += sums[0]
            slope += sums[1]
    return total, -p * slope


cdef Py_ssize_t _padded(Py_ssize_t size) noexcept nogil:
    return max((size + 3) // 4 * 4, <Py_ssize_t> 4)


cdef _check(const double[::1] vector, Py_ssize_t size):
    if vector.shape[0] != size or size == 0:
        raise ValueError(f"a vector of {size} numbers is needed")


cdef _symmetric(outer, Py_ssize_t D):
    """Return the first D rows, of which the upper triangle is known, as a symmetric matrix."""
    cdef double[:, ::1] G = outer
    cdef Py_ssize_t i, j
    for i in range(1, D):
        for j in range(i):
            G[i, j] = G[j, i]
    return outer[:D]


cdef void _visit_product(
    const double* P, Py_ssize_t first, Py_ssize_t count, Py_ssize_t D, arguments* args,
    double* work, double* U, double* outer, double* sums,
) noexcept nogil:
    skrand_lp_product(P, count, D, args.x, args.state[0] + first)


cdef void _visit_norms(
    const double* P, Py_ssize_t first, Py_ssize_t count, Py_ssize_t D, arguments* args,
    double* work, double* U, double* outer, double* sums,
) noexcept nogil:
    # A block of Y = P N, four rows at a time; the last rows, if not four, one by one.
    cdef Py_ssize_t columns = <Py_ssize_t> args.scalar[0], fours = count // 4 * 4, k, j, i
    cdef double s
    memset(U, 0, count * columns * sizeof(double))
    skrand_lp_outer(P, 1, D, args.x, columns, D, fours, columns, 0, U, columns)
    for k in range(fours, count):
        for i in range(D):
            s = P[k * D + i]
            for j in range(columns):
                U[k * columns + j] += s * args.x[i * columns + j]
    skrand_lp_norms(U, count, columns, args.state[0] + first)


cdef void _visit_moments(
    const double* P, Py_ssize_t first, Py_ssize_t count, Py_ssize_t D, arguments* args,
    double* work, double* U, double* outer, double* sums,
) noexcept nogil:
    skrand_lp_weigh(P, count, D, args.q + first if args.q else NULL, args.c + first, NULL, U)
    skrand_lp_outer(U, D + 4, 1, P, D, count, D + 4, D, D, outer, D)


cdef void _visit_absolute(
    const double* P, Py_ssize_t first, Py_ssize_t count, Py_ssize_t D, arguments* args,
    double* work, double* U, double* outer, double* sums,
) noexcept nogil:
    skrand_lp_product(P, count, D, args.x, work)
    skrand_lp_absolute(
        args.c + first, work, args.q + first, count, args.state[0] + first, sums,
    )
    _sum_rows(P, count, D, args.q + first, NULL, U, outer)


cdef void _visit_split(
    const double* P, Py_ssize_t first, Py_ssize_t count, Py_ssize_t D, arguments* args,
    double* work, double* U, double* outer, double* sums,
) noexcept nogil:
    skrand_lp_product(P, count, D, args.x, work)
    skrand_lp_split(
        args.c + first, work, args.q + first, args.scalar[0], count, args.state[0] + first,
        args.state[1] + first, sums,
    )
    _sum_rows(P, count, D, args.state[1] + first, NULL, U, outer)


cdef void _sum_rows(
    const double* P, Py_ssize_t count, Py_ssize_t D, const double* a, const double* b, double* U,
    double* outer,
) noexcept nogil:
    """Add ``sum a m`` and ``sum b m`` to the first two rows of `outer`."""
    cdef Py_ssize_t k
    for k in range(count):
        U[4 * k] = a[k]
        U[4 * k + 1] = b[k] if b else 0.0
        U[4 * k + 2] = U[4 * k + 3] = 0.0
    skrand_lp_outer(U, 4, 1, P, D, count, 4, D, 0, outer, D)


cdef void _visit_update(
    const double* P, Py_ssize_t first, Py_ssize_t count, Py_ssize_t D, arguments* args,
    double* work, double* U, double* outer, double* sums,
) noexcept nogil:
    cdef double* w = work
    cdef double* z = work + SKRAND_LP_BLOCK
    skrand_lp_update(
        args.state[0] + first, args.state[1] + first, args.state[2] + first, args.state[3] + first,
        args.state[5] + first, args.state[6] + first, args.state[7] + first, args.scalar[0],
        args.scalar[1], count, args.state[4] + first, w, z, sums,
    )
    skrand_lp_weigh(P, count, D, args.state[4] + first, w, z, U)
    skrand_lp_outer(U, D + 4, 1, P, D, count, D + 4, D, D, outer, D)


cdef void _visit_affine(
    const double* P, Py_ssize_t first, Py_ssize_t count, Py_ssize_t D, arguments* args,
    double* work, double* U, double* outer, double* sums,
) noexcept nogil:
    cdef double* h1 = work + SKRAND_LP_BLOCK
    cdef double* h2 = work + 2 * SKRAND_LP_BLOCK
    skrand_lp_product(P, count, D, args.x, work)
    skrand_lp_affine(
        args.state[0] + first, args.state[1] + first, args.state[2] + first, args.state[3] + first,
        args.state[4] + first, work, count, args.state[5] + first, h1, h2, sums,
    )
    _sum_rows(P, count, D, h1, h2, U, outer)


cdef void _visit_direction(
    const double* P, Py_ssize_t first, Py_ssize_t count, Py_ssize_t D, arguments* args,
    double* work, double* U, double* outer, double* sums,
) noexcept nogil:
    skrand_lp_product(P, count, D, args.x, work)
    skrand_lp_direction(
        args.state[0] + first, args.state[1] + first, args.state[2] + first, args.state[3] + first,
        args.state[4] + first, work, args.scalar[0], count, args.state[5] + first,
        args.state[6] + first, args.state[7] + first, sums,
    )


cdef void _visit_power(
    const double* P, Py_ssize_t first, Py_ssize_t count, Py_ssize_t D, arguments* args,
    double* work, double* U, double* outer, double* sums,
) noexcept nogil:
    cdef double* g = work + SKRAND_LP_BLOCK
    cdef double* dual = work + 2 * SKRAND_LP_BLOCK
    cdef double* power = work + 3 * SKRAND_LP_BLOCK
    cdef double* other = work + 4 * SKRAND_LP_BLOCK
    cdef double* r = args.state[0] + first
    cdef double* z = args.state[1] + first
    cdef double* weight = args.state[2] + first
    cdef double* phi = args.state[3] + first
    cdef double p = args.scalar[0]
    cdef Py_ssize_t k
    if args.y:
        skrand_lp_product(P, count, D, args.y, work)
        skrand_lp_dual(r, z, weight, phi, work, p / (p - 1.0), count, dual, power, sums + 1)
    for k in range(count):
        other[k] = dual[k] if args.y and args.scalar[2] else 1e300
        power[k] = power[k] if args.y else 1.0
    skrand_lp_product(P, count, D, args.x, work)
    skrand_lp_primal(
        args.c + first, work, other, power, p, args.scalar[1], count, r, z, weight, phi, g, sums,
    )
    skrand_lp_weigh(P, count, D, weight, g, dual if args.y else NULL, U)
    skrand_lp_outer(U, D + 4, 1, P, D, count, D + 4, D, D, outer, D)
