/* Included by fewshot.h for each precision.
 *
 * Sums run in 16 lanes, so the order of additions is the same wherever a row lies. */

/* e^x for -69 <= x <= 0, and log x for x >= 1e-30, within a few ulp. Written out, and not the C
 * library's: they are vector code on any processor, and the last bit of a value does not depend on
 * its place in the row. */
static inline REAL FS(exp)(REAL x)
{
    union { REAL x; UINT bits; } n, y;
    n.x = x * (REAL) 1.4426950408889634 + ROUND;
    REAL whole = n.x - ROUND;
    REAL r = (x - whole * LN2_HIGH) - whole * LN2_LOW;
    y.x = (REAL) skrand_fs_inverse_factorials[EXP_TERMS];
    for (int k = EXP_TERMS - 1; k >= 0; k--)
        y.x = (REAL) skrand_fs_inverse_factorials[k] + r * y.x;
    y.bits += n.bits << FRACTION;
    return y.x;
}

static inline REAL FS(log)(REAL x)
{
    union { REAL x; UINT bits; } m, e;
    m.x = x;
    UINT exponent = (m.bits - ROOT + ONE) >> FRACTION;
    m.bits = m.bits - (exponent << FRACTION) + ONE;
    e.bits = exponent | LIFT;
    REAL whole = e.x - LIFTED, s = (m.x - 1) / (m.x + 1), t = s * s;
    REAL p = (REAL) (1.0 / (2 * LOG_TERMS + 1));
    for (int k = LOG_TERMS - 1; k > 0; k--)
        p = (REAL) (1.0 / (2 * k + 1)) + t * p;
    return whole * LN2_HIGH + (whole * LN2_LOW + 2 * s * (1 + t * p));
}

/* The sum of 16 lanes, which are used up. */
static inline REAL FS(fold)(REAL *part)
{
    for (int width = 8; width > 0; width /= 2)
        for (int lane = 0; lane < width; lane++)
            part[lane] += part[lane + width];
    return part[0];
}

/* The next `width` numbers of logits, from the i-th on. */
static inline __attribute__((always_inline)) void FS(gather)(
    REAL scale, const REAL *s, const REAL *offset, const REAL *weights, const int32_t *places,
    ptrdiff_t count, const REAL *z, REAL *x, ptrdiff_t n, ptrdiff_t i, const int width)
{
    REAL part[16];
    for (int lane = 0; lane < width; lane++)
        part[lane] = scale * s[i + lane] + offset[i + lane];
    for (ptrdiff_t q = 0; q < count; q++) {
        const REAL *row = z + places[q] * n + i;
        for (int lane = 0; lane < width; lane++)
            part[lane] += weights[q] * row[lane];
    }
    for (int lane = 0; lane < width; lane++)
        x[i + lane] = part[lane];
}

/* x = scale s + offset + the sum of weights times the rows of z at the places. */
SKRAND_CLONES
static void FS(logits)(
    REAL scale, const REAL *s, const REAL *offset, const REAL *weights, const int32_t *places,
    ptrdiff_t count, const REAL *z, REAL *x, ptrdiff_t n)
{
    ptrdiff_t i = 0;
    for (; i + 16 <= n; i += 16)
        FS(gather)(scale, s, offset, weights, places, count, z, x, n, i, 16);
    for (; i + 4 <= n; i += 4)
        FS(gather)(scale, s, offset, weights, places, count, z, x, n, i, 4);
    for (; i < n; i++)
        FS(gather)(scale, s, offset, weights, places, count, z, x, n, i, 1);
}

/* Logits of a step that is held back by c times the divergence from the labels z. */
SKRAND_CLONES
static void FS(damp)(REAL c, const REAL *z, REAL *x, ptrdiff_t n)
{
    REAL share = 1 / (1 + c);
    _Pragma("omp simd")
    for (ptrdiff_t i = 0; i < n; i++)
        x[i] = share * (x[i] + c * FS(log)(z[i] + LEAST));
}

/* The exponentials of rows of logits less the largest of the row. Nothing is left below 1e-30, so
 * that a class can come back and products of two stay normal in single precision. */
SKRAND_CLONES
static void FS(weigh)(REAL *x, ptrdiff_t rows, ptrdiff_t n)
{
    for (ptrdiff_t p = 0; p < rows; p++) {
        REAL *row = x + p * n, top = row[0];
        _Pragma("omp simd reduction(max:top)")
        for (ptrdiff_t i = 0; i < n; i++)
            top = row[i] > top ? row[i] : top;
        for (ptrdiff_t i = 0; i < n; i++)
            row[i] = row[i] - top < -69 ? -69 : row[i] - top;
    }
    /* A loop of its own: beside the bound, the compiler would make a branch of it. */
    _Pragma("omp simd")
    for (ptrdiff_t i = 0; i < rows * n; i++)
        x[i] = FS(exp)(x[i]);
}

/* Scale x to sum one, into out, and add it to the sums; return how much of its mass was not in
 * old, which may be out. */
SKRAND_CLONES
static REAL FS(write)(const REAL *x, const REAL *old, REAL *out, REAL *sums, ptrdiff_t n)
{
    REAL part[16] = {0}, total = 0, moved = 0, gained[16] = {0};
    ptrdiff_t i = 0;
    for (; i + 16 <= n; i += 16)
        for (int lane = 0; lane < 16; lane++)
            part[lane] += x[i + lane];
    for (; i < n; i++)
        total += x[i];
    total = 1 / (total + FS(fold)(part));
    for (i = 0; i + 16 <= n; i += 16)
        for (int lane = 0; lane < 16; lane++) {
            REAL z = x[i + lane] * total, more = z - old[i + lane];
            gained[lane] += more > 0 ? more : 0;
            out[i + lane] = z;
            sums[i + lane] += z;
        }
    for (; i < n; i++) {
        REAL z = x[i] * total, more = z - old[i];
        moved += more > 0 ? more : 0;
        out[i] = z;
        sums[i] += z;
    }
    return moved + FS(fold)(gained);
}

/* The sum of z (entropy log z - scale s). */
SKRAND_CLONES
static double FS(energy)(const REAL *z, const REAL *s, REAL scale, REAL entropy, ptrdiff_t n)
{
    REAL part[16] = {0};
    double total = 0.0;
    ptrdiff_t i = 0;
    for (; i + 16 <= n; i += 16) {
        _Pragma("omp simd")
        for (int lane = 0; lane < 16; lane++)
            part[lane] += z[i + lane] * (entropy * FS(log)(z[i + lane] + LEAST)
                                         - scale * s[i + lane]);
    }
    for (; i < n; i++)
        total += z[i] * (entropy * FS(log)(z[i] + LEAST) - scale * s[i]);
    return total + FS(fold)(part);
}

SKRAND_CLONES
static double FS(dot)(const REAL *x, const REAL *y, ptrdiff_t n)
{
    REAL part[16] = {0};
    double total = 0.0;
    ptrdiff_t i = 0;
    for (; i + 16 <= n; i += 16)
        for (int lane = 0; lane < 16; lane++)
            part[lane] += x[i + lane] * y[i + lane];
    for (; i < n; i++)
        total += (double) x[i] * y[i];
    return total + FS(fold)(part);
}

#undef TYPE
#undef REAL
#undef UINT
#undef FRACTION
#undef ROUND
#undef LN2_HIGH
#undef LN2_LOW
#undef ONE
#undef ROOT
#undef LIFT
#undef LIFTED
#undef EXP_TERMS
#undef LOG_TERMS
