/* One row of an alternating half step: a weighted ridge regression on the row's own entries.
 *
 * Included twice, with REAL and NAME(x) for float and for double. Rows of factors are padded with
 * zeros to a multiple of LANES numbers, so that no inner loop has a remainder. All sums go in an
 * order that depends on shapes only.
 */
#define LANES ((ptrdiff_t) (32 / sizeof(REAL)))

SKRAND_COMPLETION_INLINE REAL NAME(dot)(const REAL *a, const REAL *b, ptrdiff_t q)
{
    REAL part[LANES] = {0};
    for (ptrdiff_t j = 0; j < q; j += LANES)
        for (ptrdiff_t l = 0; l < LANES; l++)
            part[l] += a[j + l] * b[j + l];
    for (ptrdiff_t half = LANES / 2; half > 0; half /= 2)
        for (ptrdiff_t l = 0; l < half; l++)
            part[l] += part[l + half];
    return part[0];
}

SKRAND_COMPLETION_INLINE void NAME(axpy)(REAL s, const REAL *a, REAL *__restrict y, ptrdiff_t q)
{
    for (ptrdiff_t j = 0; j < q; j += LANES)
        for (ptrdiff_t l = 0; l < LANES; l++)
            y[j + l] += s * a[j + l];
}

/* y = tile^T (w * (tile p)), one pass over the tile; four rows at a time spare loads of y. */
SKRAND_COMPLETION_INLINE void NAME(normal_product)(
    const REAL *tile, const REAL *w, const REAL *p, ptrdiff_t n, ptrdiff_t q, REAL *__restrict y)
{
    ptrdiff_t e = 0;
    memset(y, 0, (size_t) q * sizeof(REAL));
    for (; e + 4 <= n; e += 4) {
        const REAL *t0 = tile + e * q, *t1 = t0 + q, *t2 = t1 + q, *t3 = t2 + q;
        REAL s0 = NAME(dot)(t0, p, q), s1 = NAME(dot)(t1, p, q);
        REAL s2 = NAME(dot)(t2, p, q), s3 = NAME(dot)(t3, p, q);
        if (w) {
            s0 *= w[e];
            s1 *= w[e + 1];
            s2 *= w[e + 2];
            s3 *= w[e + 3];
        }
        for (ptrdiff_t j = 0; j < q; j += LANES)
            for (ptrdiff_t l = 0; l < LANES; l++)
                y[j + l] += (s0 * t0[j + l] + s1 * t1[j + l]) + (s2 * t2[j + l] + s3 * t3[j + l]);
    }
    for (; e < n; e++) {
        REAL s = NAME(dot)(tile + e * q, p, q);
        NAME(axpy)(w ? w[e] * s : s, tile + e * q, y, q);
    }
}

/* Lower triangle (and some of the upper) of tile^T w tile, in rows of q numbers. */
SKRAND_COMPLETION_INLINE void NAME(gram)(
    const REAL *tile, const REAL *w, ptrdiff_t n, ptrdiff_t used, ptrdiff_t q, REAL *__restrict G)
{
    ptrdiff_t e = 0;
    memset(G, 0, (size_t) (used * q) * sizeof(REAL));
    for (; e < n; e += 4) {
        const REAL *t[4];
        REAL weight[4];
        for (ptrdiff_t i = 0; i < 4; i++) {
            t[i] = tile + (e + i < n ? e + i : e) * q;
            weight[i] = e + i < n ? (w ? w[e + i] : 1) : 0;
        }
        for (ptrdiff_t a = 0; a < used; a++) {
            REAL s0 = weight[0] * t[0][a], s1 = weight[1] * t[1][a];
            REAL s2 = weight[2] * t[2][a], s3 = weight[3] * t[3][a];
            REAL *row = G + a * q;
            for (ptrdiff_t j = 0; j <= a; j += LANES)
                for (ptrdiff_t l = 0; l < LANES; l++)
                    row[j + l] += (s0 * t[0][j + l] + s1 * t[1][j + l])
                                  + (s2 * t[2][j + l] + s3 * t[3][j + l]);
        }
    }
}

/* Cholesky of the lower triangle in place, column by column: what is done to the rows below does not
 * wait for each other. inv receives the reciprocal diagonal; a direction whose pivot drowns in
 * rounding is left out: its reciprocal is zero. The diagonal, and what is right of it up to a
 * multiple of LANES, becomes zero, so that sums over rows need no remainder. */
SKRAND_COMPLETION_INLINE void NAME(factorise)(
    REAL *G, REAL *inv, ptrdiff_t used, ptrdiff_t q, REAL floor)
{
    for (ptrdiff_t b = 0; b < used; b++) {
        REAL *row = G + b * q, pivot = row[b];
        ptrdiff_t end = (b + LANES - 1) / LANES * LANES;
        for (ptrdiff_t j = b; j < end; j++)
            row[j] = 0;
        pivot -= NAME(dot)(row, row, end);
        inv[b] = pivot > floor ? 1 / (REAL) sqrt((double) pivot) : 0;
        for (ptrdiff_t a = b + 1; a < used; a++)
            G[a * q + b] = (G[a * q + b] - NAME(dot)(G + a * q, row, end)) * inv[b];
    }
}

SKRAND_COMPLETION_INLINE void NAME(substitute)(
    const REAL *G, const REAL *inv, ptrdiff_t used, ptrdiff_t q, REAL *x)
{
    for (ptrdiff_t a = 0; a < used; a++) {
        ptrdiff_t whole = a / LANES * LANES;
        REAL s = x[a] - NAME(dot)(G + a * q, x, whole);
        for (ptrdiff_t j = whole; j < a; j++)
            s -= G[a * q + j] * x[j];
        x[a] = s * inv[a];
    }
    for (ptrdiff_t a = used - 1; a >= 0; a--) {
        REAL s = x[a] * inv[a];
        for (ptrdiff_t j = 0; j < a; j++)
            x[j] -= G[a * q + j] * s;
        x[a] = s;
    }
}

/* e = b - tile x; returns the weighted sum of squares. Also g = tile^T w e - alpha x and the
 * squared norms of g and of tile^T w b, which g is to be compared with. */
SKRAND_COMPLETION_INLINE double NAME(misfit)(
    const REAL *tile, const REAL *w, const REAL *b, const REAL *x, REAL alpha,
    ptrdiff_t n, ptrdiff_t q, REAL *e, REAL *__restrict g, REAL *__restrict r, double *gradient, double *size)
{
    double loss = 0;
    memset(g, 0, (size_t) q * sizeof(REAL));
    memset(r, 0, (size_t) q * sizeof(REAL));
    /* Four rows at a time spare loads of g and r; a missing one is the last, with weights zero. */
    for (ptrdiff_t i = 0; i < n; i += 4) {
        const REAL *t[4];
        REAL pull[4] = {0}, whole[4] = {0};
        for (ptrdiff_t c = 0; c < 4; c++) {
            ptrdiff_t k = i + c;
            t[c] = tile + (k < n ? k : n - 1) * q;
            if (k < n) {
                e[k] = b[k] - NAME(dot)(t[c], x, q);
                pull[c] = w ? w[k] * e[k] : e[k];
                whole[c] = w ? w[k] * b[k] : b[k];
                loss += (double) pull[c] * (double) e[k];
            }
        }
        for (ptrdiff_t j = 0; j < q; j += LANES)
            for (ptrdiff_t l = 0; l < LANES; l++) {
                REAL t0 = t[0][j + l], t1 = t[1][j + l], t2 = t[2][j + l], t3 = t[3][j + l];
                g[j + l] += (pull[0] * t0 + pull[1] * t1) + (pull[2] * t2 + pull[3] * t3);
                r[j + l] += (whole[0] * t0 + whole[1] * t1) + (whole[2] * t2 + whole[3] * t3);
            }
    }
    *gradient = *size = 0;
    for (ptrdiff_t j = 0; j < q; j++) {
        g[j] -= alpha * x[j];
        *gradient += (double) g[j] * (double) g[j];
        *size += (double) r[j] * (double) r[j];
    }
    return loss;
}

/* Conjugate gradients on (tile^T w tile + alpha) d = g from d = 0; g becomes the residual. */
SKRAND_COMPLETION_INLINE void NAME(conjugate)(
    const REAL *tile, const REAL *w, const REAL *scale, REAL alpha, double eta, ptrdiff_t steps,
    ptrdiff_t n, ptrdiff_t q, REAL *g, REAL *d, REAL *p, REAL *y, REAL *z)
{
    double rho = 0, start = 0;
    for (ptrdiff_t j = 0; j < q; j++) {
        z[j] = 1 / ((REAL) n * scale[j] + alpha);
        p[j] = z[j] * g[j];
        rho += (double) p[j] * (double) g[j];
        start += (double) g[j] * (double) g[j];
    }
    for (ptrdiff_t step = 0; step < steps && rho > 0; step++) {
        double curvature = 0, next = 0, left = 0;
        REAL a, beta;
        NAME(normal_product)(tile, w, p, n, q, y);
        for (ptrdiff_t j = 0; j < q; j++) {
            y[j] += alpha * p[j];
            curvature += (double) p[j] * (double) y[j];
        }
        if (!(curvature > 0))
            return;
        a = (REAL) (rho / curvature);
        for (ptrdiff_t j = 0; j < q; j++) {
            d[j] += a * p[j];
            g[j] -= a * y[j];
            left += (double) g[j] * (double) g[j];
            next += (double) g[j] * (double) g[j] * (double) z[j];
        }
        if (left <= eta * eta * start)
            return;
        beta = (REAL) (next / rho);
        rho = next;
        for (ptrdiff_t j = 0; j < q; j++)
            p[j] = z[j] * g[j] + beta * p[j];
    }
}

/* Coordinate descent on the row's normal equations, from x; not below zero if `positive`. */
SKRAND_COMPLETION_INLINE void NAME(coordinate)(
    const REAL *tile, const REAL *w, REAL alpha, int positive, double eta, ptrdiff_t sweeps,
    ptrdiff_t n, ptrdiff_t used, ptrdiff_t q, REAL *e, REAL *x, REAL *square)
{
    for (ptrdiff_t j = 0; j < used; j++) {
        square[j] = 0;
        for (ptrdiff_t i = 0; i < n; i++)
            square[j] += (w ? w[i] : 1) * tile[i * q + j] * tile[i * q + j];
    }
    for (ptrdiff_t sweep = 0; sweep < sweeps; sweep++) {
        double moved = 0, length = 0;
        for (ptrdiff_t j = 0; j < used; j++) {
            REAL pull = -alpha * x[j], curvature = square[j] + alpha, next;
            for (ptrdiff_t i = 0; i < n; i++)
                pull += (w ? w[i] * e[i] : e[i]) * tile[i * q + j];
            if (!(curvature > 0))
                continue;
            next = x[j] + pull / curvature;
            if (positive && next < 0)
                next = 0;
            for (ptrdiff_t i = 0; i < n; i++)
                e[i] -= (next - x[j]) * tile[i * q + j];
            moved += (double) curvature * (double) (next - x[j]) * (double) (next - x[j]);
            length += (double) curvature * (double) next * (double) next;
            x[j] = next;
        }
        if (moved <= eta * eta * length)
            return;
    }
}

/* As conjugate, preconditioned by the Cholesky factor of a CountSketch of the tile: `rows` sums of
 * its rows with random signs. */
SKRAND_COMPLETION_INLINE void NAME(sketched)(
    const REAL *tile, const REAL *w, REAL alpha, double eta, ptrdiff_t steps, ptrdiff_t n,
    ptrdiff_t used, ptrdiff_t q, ptrdiff_t rows, REAL *g, REAL *d, REAL *p, REAL *y, REAL *z,
    REAL *pivots, REAL *sketch, REAL *G)
{
    double rho = 0, start = 0, trace = 0;
    memset(sketch, 0, (size_t) (rows * q) * sizeof(REAL));
    for (ptrdiff_t i = 0; i < n; i++) {
        uint32_t random[4];
        REAL size = w ? (REAL) sqrt((double) w[i]) : 1;
        skrand_philox(0, (uint64_t) i, 0, 0, random);
        NAME(axpy)(random[1] & 1 ? size : -size, tile + i * q,
                   sketch + (ptrdiff_t) (random[0] % (uint64_t) rows) * q, q);
    }
    NAME(gram)(sketch, NULL, rows, used, q, G);
    for (ptrdiff_t j = 0; j < used; j++)
        trace += (double) G[j * q + j];
    for (ptrdiff_t j = 0; j < used; j++)
        G[j * q + j] += alpha + (REAL) (EPSILON * trace);
    NAME(factorise)(G, pivots, used, q, (REAL) (0.1 * EPSILON * trace));
    memcpy(p, g, (size_t) q * sizeof(REAL));
    NAME(substitute)(G, pivots, used, q, p);
    for (ptrdiff_t j = 0; j < q; j++) {
        rho += (double) p[j] * (double) g[j];
        start += (double) g[j] * (double) g[j];
    }
    for (ptrdiff_t step = 0; step < steps && rho > 0; step++) {
        double curvature = 0, next = 0, left = 0;
        NAME(normal_product)(tile, w, p, n, q, y);
        for (ptrdiff_t j = 0; j < q; j++) {
            y[j] += alpha * p[j];
            curvature += (double) p[j] * (double) y[j];
        }
        if (!(curvature > 0))
            return;
        for (ptrdiff_t j = 0; j < q; j++) {
            d[j] += (REAL) (rho / curvature) * p[j];
            g[j] -= (REAL) (rho / curvature) * y[j];
            left += (double) g[j] * (double) g[j];
        }
        if (left <= eta * eta * start)
            return;
        memcpy(z, g, (size_t) q * sizeof(REAL));
        NAME(substitute)(G, pivots, used, q, z);
        for (ptrdiff_t j = 0; j < q; j++)
            next += (double) z[j] * (double) g[j];
        for (ptrdiff_t j = 0; j < q; j++)
            p[j] = z[j] + (REAL) (next / rho) * p[j];
        rho = next;
    }
}

/* Space that a row of n entries needs, in numbers. */
static inline size_t NAME(space)(ptrdiff_t n, ptrdiff_t q, int mode)
{
    ptrdiff_t side = n < q ? n + LANES : q;
    int exact = mode == SKRAND_EXACT || mode == SKRAND_SKETCHED || n <= SKRAND_SHORT;
    size_t square = exact ? (size_t) (side * side) : 0;
    if (mode == SKRAND_SKETCHED && n > SKRAND_SKETCH_ROWS * q)
        square += (size_t) (SKRAND_SKETCH_ROWS * q * q);
    return (size_t) (n * (q + 5) + 8 * q) + square;
}

SKRAND_CLONES
static void NAME(solve_row)(
    ptrdiff_t n, ptrdiff_t used, ptrdiff_t q, const int32_t *index, const REAL *value,
    const REAL *w, const REAL *fixed, const REAL *offset, REAL alpha, const REAL *scale, int mode,
    double eta, ptrdiff_t steps, REAL *x, double *loss, double *gradient, double *size, REAL *space)
{
    REAL *tile = space, *b = tile + n * q, *e = b + n, *y = e + n, *u = y + n, *inv = u + n;
    REAL *g = inv + n, *d = g + q, *p = d + q, *v = p + q, *z = v + q, *r = z + q;
    REAL *pivots = r + q, *G = pivots + q;
    double trace = 0;
    for (ptrdiff_t i = 0; i < n; i++) {
        memcpy(tile + i * q, fixed + index[i] * q, (size_t) q * sizeof(REAL));
        b[i] = value[i] - offset[index[i]];
    }
    *loss = NAME(misfit)(tile, w, b, x, alpha, n, q, e, g, r, gradient, size);
    if (mode == SKRAND_POSITIVE || mode == SKRAND_MEASURE_POSITIVE)
        /* At zero only an upward pull counts. */
        for (ptrdiff_t j = 0; j < used; j++)
            if (x[j] <= 0 && g[j] < 0)
                *gradient -= (double) g[j] * (double) g[j];
    if (mode == SKRAND_MEASURE || mode == SKRAND_MEASURE_POSITIVE)
        return;
    if (n == 0) {
        memset(x, 0, (size_t) q * sizeof(REAL));
        return;
    }
    if (mode == SKRAND_COORDINATE || mode == SKRAND_POSITIVE) {
        NAME(coordinate)(tile, w, alpha, mode == SKRAND_POSITIVE, eta, steps, n, used, q, e, x, d);
        return;
    }
    if (mode == SKRAND_SKETCHED && n <= SKRAND_SKETCH_ROWS * q) {
        mode = SKRAND_EXACT;
        steps = 1;
    }
    if (n < used && (mode == SKRAND_EXACT || n <= SKRAND_SHORT)) {
        /* Fewer entries than unknowns: x = tile^T y, of minimum norm as alpha goes to 0. */
        ptrdiff_t m = (n + LANES - 1) / LANES * LANES;
        for (ptrdiff_t i = 0; i < n; i++) {
            for (ptrdiff_t j = 0; j < m; j++)
                G[i * m + j] = j <= i ? NAME(dot)(tile + i * q, tile + j * q, q) : 0;
            trace += (double) G[i * m + i];
        }
        for (ptrdiff_t i = 0; i < n; i++) {
            G[i * m + i] += (w ? alpha / w[i] : alpha) + (REAL) (EPSILON * trace);
            u[i] = b[i];
            y[i] = 0;
        }
        NAME(factorise)(G, inv, n, m, (REAL) (0.1 * EPSILON * trace));
        /* Once more, twice, where the row has to be right. */
        for (int pass = 0; pass < (mode == SKRAND_EXACT ? 3 : 1); pass++) {
            NAME(substitute)(G, inv, n, m, u);
            memset(x, 0, (size_t) q * sizeof(REAL));
            for (ptrdiff_t i = 0; i < n; i++) {
                y[i] += u[i];
                NAME(axpy)(y[i], tile + i * q, x, q);
            }
            for (ptrdiff_t i = 0; i < n; i++)
                u[i] = b[i] - NAME(dot)(tile + i * q, x, q) - (w ? alpha / w[i] : alpha) * y[i];
        }
        return;
    }
    memset(d, 0, (size_t) q * sizeof(REAL));
    if (mode == SKRAND_CONJUGATE) {
        NAME(conjugate)(tile, w, scale, alpha, eta, steps, n, q, g, d, p, v, z);
        NAME(axpy)(1, d, x, q);
        return;
    }
    if (mode == SKRAND_SKETCHED) {
        NAME(sketched)(tile, w, alpha, eta, steps, n, used, q, SKRAND_SKETCH_ROWS * q, g, d, p, v, z,
                       pivots, G + q * q, G);
        NAME(axpy)(1, d, x, q);
        return;
    }
    NAME(gram)(tile, w, n, used, q, G);
    for (ptrdiff_t j = 0; j < used; j++)
        trace += (double) G[j * q + j];
    for (ptrdiff_t j = 0; j < used; j++)
        G[j * q + j] += alpha + (REAL) (EPSILON * trace);
    NAME(factorise)(G, pivots, used, q, (REAL) (0.1 * EPSILON * trace));
    for (ptrdiff_t pass = 0; pass < steps; pass++) {
        double unused[2];
        if (pass)
            NAME(misfit)(tile, w, b, x, alpha, n, q, e, g, r, unused, unused + 1);
        NAME(substitute)(G, pivots, used, q, g);
        NAME(axpy)(1, g, x, q);
    }
}

SKRAND_CLONES
static void NAME(row_products)(
    ptrdiff_t n, ptrdiff_t q, const int32_t *index, const REAL *u, const REAL *V, REAL *out)
{
    for (ptrdiff_t i = 0; i < n; i++)
        out[i] = NAME(dot)(u, V + index[i] * q, q);
}

SKRAND_CLONES
static void NAME(row_adjoint)(
    ptrdiff_t n, ptrdiff_t q, const int32_t *index, const REAL *value, const REAL *w, REAL shift,
    const REAL *offset, const REAL *V, REAL *out)
{
    memset(out, 0, (size_t) q * sizeof(REAL));
    for (ptrdiff_t i = 0; i < n; i++) {
        REAL s = offset ? value[i] - shift - offset[index[i]] : value[i];
        NAME(axpy)(w ? w[i] * s : s, V + index[i] * q, out, q);
    }
}

#undef LANES
