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

/* The same in float64, for what steps and tests for the end depend on. */
SKRAND_COMPLETION_INLINE double NAME(inner)(const REAL *a, const REAL *b, ptrdiff_t q)
{
    double part[4] = {0};
    for (ptrdiff_t j = 0; j < q; j += 4)
        for (ptrdiff_t l = 0; l < 4; l++)
            part[l] += (double) a[j + l] * (double) b[j + l];
    return (part[0] + part[1]) + (part[2] + part[3]);
}

SKRAND_COMPLETION_INLINE void NAME(axpy)(REAL s, const REAL *a, REAL *__restrict y, ptrdiff_t q)
{
    for (ptrdiff_t j = 0; j < q; j += LANES)
        for (ptrdiff_t l = 0; l < LANES; l++)
            y[j + l] += s * a[j + l];
}

/* Vectors whose sums wait for nothing but themselves: `rows`, 4 or 8, products at a time, each with
 * the bits of dot. Written with vectors as compilers do not see it through loops. */
SKRAND_COMPLETION_INLINE void NAME(dots)(
    const REAL *tile, ptrdiff_t rows, const REAL *p, ptrdiff_t q, REAL *out)
{
#if SKRAND_COMPLETION_VECTORS
    typedef REAL vector __attribute__((vector_size(32), aligned(sizeof(REAL)), may_alias));
    typedef REAL four __attribute__((vector_size(4 * sizeof(REAL)), aligned(sizeof(REAL)), may_alias));
    vector part[8] = {0};
    for (ptrdiff_t j = 0; j < q; j += LANES) {
        vector factor = *(const vector *) (p + j);
        for (ptrdiff_t i = 0; i < rows; i++)
            part[i] += *(const vector *) (tile + i * q + j) * factor;
    }
    for (ptrdiff_t i = 0; i < rows; i += 4) {
        four a = FOLD(part[i]), b = FOLD(part[i + 1]), c = FOLD(part[i + 2]), d = FOLD(part[i + 3]);
        a = __builtin_shufflevector(a, b, 0, 1, 4, 5) + __builtin_shufflevector(a, b, 2, 3, 6, 7);
        c = __builtin_shufflevector(c, d, 0, 1, 4, 5) + __builtin_shufflevector(c, d, 2, 3, 6, 7);
        *(four *) (out + i) =
            __builtin_shufflevector(a, c, 0, 2, 4, 6) + __builtin_shufflevector(a, c, 1, 3, 5, 7);
    }
#else
    for (ptrdiff_t i = 0; i < rows; i++)
        out[i] = NAME(dot)(tile + i * q, p, q);
#endif
}

/* Lane l of the sum of `rows`, 4 or 8, rows of the tile times s, in pairs. */
#define SUM_OF_ROWS(t, s)                                                                          \
    (((s)[0] * (t)[0] + (s)[1] * (t)[q]) + ((s)[2] * (t)[2 * q] + (s)[3] * (t)[3 * q]))

/* y += tile^T (w * (tile p)) for 4 or 8 rows of the tile, of which n are not of zeros. */
SKRAND_COMPLETION_INLINE void NAME(normal_block)(
    const REAL *tile, ptrdiff_t rows, const REAL *w, const REAL *p, ptrdiff_t n, ptrdiff_t q,
    REAL *__restrict y)
{
    REAL s[8];
    NAME(dots)(tile, rows, p, q, s);
    for (ptrdiff_t i = 0; w && i < rows && i < n; i++)
        s[i] *= w[i];
    for (ptrdiff_t j = 0; j < q; j += LANES)
        for (ptrdiff_t l = 0; l < LANES; l++) {
            const REAL *t = tile + j + l;
            REAL sum = SUM_OF_ROWS(t, s);
            y[j + l] += rows == 8 ? sum + SUM_OF_ROWS(t + 4 * q, s + 4) : sum;
        }
}

/* y = tile^T (w * (tile p)), one pass over the tile. */
SKRAND_COMPLETION_INLINE void NAME(normal_product)(
    const REAL *tile, const REAL *w, const REAL *p, ptrdiff_t n, ptrdiff_t q, REAL *__restrict y)
{
    memset(y, 0, (size_t) q * sizeof(REAL));
    for (ptrdiff_t e = 0; e < n; e += 8) {
        const REAL *weight = w ? w + e : NULL;
        if (n - e > 4)
            NAME(normal_block)(tile + e * q, 8, weight, p, n - e, q, y);
        else
            NAME(normal_block)(tile + e * q, 4, weight, p, n - e, q, y);
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

/* As misfit, for 4 or 8 rows of the tile, of which n are not of zeros: adds to g and r. */
SKRAND_COMPLETION_INLINE double NAME(misfit_block)(
    const REAL *tile, ptrdiff_t rows, const REAL *w, const REAL *b, const REAL *x, ptrdiff_t n,
    ptrdiff_t q, REAL *e, REAL *__restrict g, REAL *__restrict r)
{
    REAL s[8], pull[8] = {0}, whole[8] = {0};
    double loss = 0;
    NAME(dots)(tile, rows, x, q, s);
    for (ptrdiff_t i = 0; i < rows && i < n; i++) {
        e[i] = b[i] - s[i];
        pull[i] = w ? w[i] * e[i] : e[i];
        whole[i] = w ? w[i] * b[i] : b[i];
        loss += (double) pull[i] * (double) e[i];
    }
    for (ptrdiff_t j = 0; j < q; j += LANES)
        for (ptrdiff_t l = 0; l < LANES; l++) {
            const REAL *t = tile + j + l;
            REAL down = SUM_OF_ROWS(t, pull), all = SUM_OF_ROWS(t, whole);
            g[j + l] += rows == 8 ? down + SUM_OF_ROWS(t + 4 * q, pull + 4) : down;
            r[j + l] += rows == 8 ? all + SUM_OF_ROWS(t + 4 * q, whole + 4) : all;
        }
    return loss;
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
    for (ptrdiff_t i = 0; i < n; i += 8) {
        const REAL *weight = w ? w + i : NULL;
        if (n - i > 4)
            loss += NAME(misfit_block)(tile + i * q, 8, weight, b + i, x, n - i, q, e + i, g, r);
        else
            loss += NAME(misfit_block)(tile + i * q, 4, weight, b + i, x, n - i, q, e + i, g, r);
    }
    NAME(axpy)(-alpha, x, g, q);
    *gradient = NAME(inner)(g, g, q);
    *size = NAME(inner)(r, r, q);
    return loss;
}

/* Conjugate gradients on (tile^T w tile + alpha) d = g from d = 0; g becomes the residual. */
SKRAND_COMPLETION_INLINE void NAME(conjugate)(
    const REAL *tile, const REAL *w, const REAL *scale, REAL alpha, double eta, ptrdiff_t steps,
    ptrdiff_t n, ptrdiff_t q, REAL *g, REAL *d, REAL *p, REAL *y, REAL *z)
{
    double rho, start;
    for (ptrdiff_t j = 0; j < q; j++) {
        z[j] = 1 / ((REAL) n * scale[j] + alpha);
        p[j] = z[j] * g[j];
    }
    rho = NAME(inner)(p, g, q);
    start = NAME(inner)(g, g, q);
    for (ptrdiff_t step = 0; step < steps && rho > 0; step++) {
        double curvature, next;
        REAL a, beta;
        NAME(normal_product)(tile, w, p, n, q, y);
        NAME(axpy)(alpha, p, y, q);
        curvature = NAME(inner)(p, y, q);
        if (!(curvature > 0))
            return;
        a = (REAL) (rho / curvature);
        NAME(axpy)(a, p, d, q);
        NAME(axpy)(-a, y, g, q);
        if (NAME(inner)(g, g, q) <= eta * eta * start)
            return;
        for (ptrdiff_t j = 0; j < q; j++)
            y[j] = z[j] * g[j];
        next = NAME(inner)(y, g, q);
        beta = (REAL) (next / rho);
        rho = next;
        for (ptrdiff_t j = 0; j < q; j++)
            p[j] = y[j] + beta * p[j];
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
    double rho, start, trace = 0;
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
    rho = NAME(inner)(p, g, q);
    start = NAME(inner)(g, g, q);
    for (ptrdiff_t step = 0; step < steps && rho > 0; step++) {
        double curvature, next;
        REAL a;
        NAME(normal_product)(tile, w, p, n, q, y);
        NAME(axpy)(alpha, p, y, q);
        curvature = NAME(inner)(p, y, q);
        if (!(curvature > 0))
            return;
        a = (REAL) (rho / curvature);
        NAME(axpy)(a, p, d, q);
        NAME(axpy)(-a, y, g, q);
        if (NAME(inner)(g, g, q) <= eta * eta * start)
            return;
        memcpy(z, g, (size_t) q * sizeof(REAL));
        NAME(substitute)(G, pivots, used, q, z);
        next = NAME(inner)(z, g, q);
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
    return (size_t) (n * (q + 5) + 11 * q) + square;
}

SKRAND_CLONES
static void NAME(solve_row)(
    ptrdiff_t n, ptrdiff_t used, ptrdiff_t q, const int32_t *index, const REAL *value,
    const REAL *w, const REAL *fixed, const REAL *offset, REAL alpha, const REAL *scale, int mode,
    double eta, ptrdiff_t steps, REAL *x, double *loss, double *gradient, double *size, REAL *space)
{
    /* The tile has rows of zeros up to a multiple of four. */
    ptrdiff_t rows = (n + 3) / 4 * 4;
    REAL *tile = space, *b = tile + rows * q, *e = b + n, *y = e + n, *u = y + n, *inv = u + n;
    REAL *g = inv + n, *d = g + q, *p = d + q, *v = p + q, *z = v + q, *r = z + q;
    REAL *pivots = r + q, *G = pivots + q;
    double trace = 0;
    for (ptrdiff_t i = 0; i < n; i++) {
        const REAL *row = fixed + index[i] * q;
        for (ptrdiff_t j = 0; j < q; j += LANES)
            for (ptrdiff_t l = 0; l < LANES; l++)
                tile[i * q + j + l] = row[j + l];
        b[i] = value[i] - offset[index[i]];
    }
    memset(tile + n * q, 0, (size_t) ((rows - n) * q) * sizeof(REAL));
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

#undef SUM_OF_ROWS
#undef LANES
