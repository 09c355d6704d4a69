/* Included by fewshot.h for each precision.
 *
 * The order of the additions in a sum is the compiler's, and the same wherever a row lies. */

/* 2^x for -100 <= x <= 0, and log2 x for x >= 1e-30, within a few ulp. Written out, and not the C
 * library's: they are vector code on any processor, and the last bit of a value does not depend on
 * its place in the row. */
static inline REAL FS(exp2)(REAL x)
{
    union { REAL x; UINT bits; } n, y;
    n.x = x + ROUND;
    REAL r = x - (n.x - ROUND);
    y.x = (REAL) skrand_fs_exp2_terms[EXP_TERMS];
    for (int k = EXP_TERMS - 1; k >= 0; k--)
        y.x = (REAL) skrand_fs_exp2_terms[k] + r * y.x;
    y.bits += n.bits << FRACTION;
    return y.x;
}

static inline REAL FS(log2)(REAL x)
{
    union { REAL x; UINT bits; } m, e;
    m.x = x;
    UINT exponent = (m.bits - ROOT + ONE) >> FRACTION;
    m.bits = m.bits - (exponent << FRACTION) + ONE;
    e.bits = exponent | LIFT;
    REAL t = m.x - 1, p = (REAL) LOG2[LOG_TERMS];
    for (int k = LOG_TERMS - 1; k >= 0; k--)
        p = (REAL) LOG2[k] + t * p;
    return (e.x - LIFTED) + t * p;
}

/* Vectors of any alignment, for loops in which the compiler by itself takes shorter ones than the
 * processor has. Where there is no AVX, two of the processor's are one of these. */
typedef REAL FS(vec) __attribute__((vector_size(32), aligned(sizeof(REAL)), may_alias));
typedef UINT FS(mask) __attribute__((vector_size(32)));
#define VEC FS(vec)
#define LANES (32 / (int) sizeof(REAL))
#define LOAD(pointer) (*(const VEC *) (pointer))
#define STORE(pointer, value) (*(VEC *) (pointer) = (value))

/* The next `width` vectors of logits, from the i-th number on. */
INLINE void FS(gather)(
    REAL scale, const REAL *s, const REAL *offset, const REAL *weights, const int32_t *places,
    ptrdiff_t count, const REAL *z, REAL *x, ptrdiff_t n, ptrdiff_t i, const int width)
{
    VEC part[4];
    for (int v = 0; v < width; v++)
        part[v] = scale * LOAD(s + i + v * LANES) + LOAD(offset + i + v * LANES);
    for (ptrdiff_t q = 0; q < count; q++) {
        const REAL *row = z + places[q] * n + i;
        for (int v = 0; v < width; v++)
            part[v] += weights[q] * LOAD(row + v * LANES);
    }
    for (int v = 0; v < width; v++)
        STORE(x + i + v * LANES, part[v]);
}

/* x = scale s + offset + the sum of weights times the rows of z at the places. */
SKRAND_CLONES
static void FS(logits)(
    REAL scale, const REAL *s, const REAL *offset, const REAL *weights, const int32_t *places,
    ptrdiff_t count, const REAL *z, REAL *x, ptrdiff_t n)
{
    ptrdiff_t i = 0;
    for (; i + 4 * LANES <= n; i += 4 * LANES)
        FS(gather)(scale, s, offset, weights, places, count, z, x, n, i, 4);
    for (; i + LANES <= n; i += LANES)
        FS(gather)(scale, s, offset, weights, places, count, z, x, n, i, 1);
    if (i < n && n > LANES) {
        /* The last vector, some of it a second time. */
        FS(gather)(scale, s, offset, weights, places, count, z, x, n, n - LANES, 1);
        return;
    }
    for (; i < n; i++) {
        REAL part = scale * s[i] + offset[i];
        for (ptrdiff_t q = 0; q < count; q++)
            part += weights[q] * z[places[q] * n + i];
        x[i] = part;
    }
}

/* Logits, to base 2, of a step that is held back by c times the divergence from the labels z. */
SKRAND_CLONES
static void FS(damp)(REAL c, const REAL *z, REAL *x, ptrdiff_t n)
{
    REAL share = (REAL) LOG2_E / (1 + c), back = c / (1 + c);
    _Pragma("omp simd")
    for (ptrdiff_t i = 0; i < n; i++)
        x[i] = share * x[i] + back * FS(log2)(z[i] + LEAST);
}

/* The largest of x. */
INLINE REAL FS(largest)(const REAL *x, ptrdiff_t n)
{
    REAL top = x[0];
    _Pragma("omp simd reduction(max:top)")
    for (ptrdiff_t i = 0; i < n; i++)
        top = x[i] > top ? x[i] : top;
    return top;
}

/* x = unit (x - top), from -100 up: labels stay above 1e-30, so that a class can come back and
 * products of two stay normal in single precision. */
INLINE void FS(lower)(REAL unit, REAL top, REAL *x, ptrdiff_t n)
{
    _Pragma("omp simd")
    for (ptrdiff_t i = 0; i < n; i++) {
        REAL less = unit * (x[i] - top);
        x[i] = less > -100 ? less : -100;
    }
}

/* x = 2^x. A loop of its own: beside the bound, the compiler would make a branch of it. */
INLINE void FS(power)(REAL *x, ptrdiff_t n)
{
    _Pragma("omp simd")
    for (ptrdiff_t i = 0; i < n; i++)
        x[i] = FS(exp2)(x[i]);
}

/* The softmax of rows of logits, times a unit and to base 2, but for the scale of each row. */
SKRAND_CLONES
static void FS(weigh)(REAL unit, REAL *x, ptrdiff_t rows, ptrdiff_t n)
{
    for (ptrdiff_t p = 0; p < rows; p++)
        FS(lower)(unit, FS(largest)(x + p * n, n), x + p * n, n);
    FS(power)(x, rows * n);
}

INLINE REAL FS(sum)(const VEC *v)
{
    REAL part[LANES];
    for (int lane = 0; lane < LANES; lane++)
        part[lane] = (*v)[lane];
    for (int half = LANES / 2; half > 0; half /= 2)
        for (int lane = 0; lane < half; lane++)
            part[lane] += part[lane + half];
    return part[0];
}

/* Scale x to sum one, into out, and add it to the sums, if there are any; return how much of its
 * mass was not in old. Any two of x, old and out may be the same. */
SKRAND_CLONES
static REAL FS(write)(const REAL *x, const REAL *old, REAL *out, REAL *sums, ptrdiff_t n)
{
    VEC zero = {0}, totals = zero, others = zero, gains = zero;
    ptrdiff_t i = 0;
    for (; i + 2 * LANES <= n; i += 2 * LANES) {
        totals += LOAD(x + i);
        others += LOAD(x + i + LANES);
    }
    totals += others;
    REAL total = FS(sum)(&totals);
    for (; i < n; i++)
        total += x[i];
    total = 1 / total;
    for (i = 0; i + LANES <= n; i += LANES) {
        VEC new = LOAD(x + i) * total, more = new - LOAD(old + i);
        gains += (VEC) ((FS(mask)) (more > zero) & (FS(mask)) more);
        STORE(out + i, new);
    }
    REAL gained = FS(sum)(&gains);
    for (; i < n; i++) {
        REAL new = x[i] * total, more = new - old[i];
        gained += more > 0 ? more : 0;
        out[i] = new;
    }
    if (sums)
        for (i = 0; i < n; i++)
            sums[i] += out[i];
    return gained;
}

/* The sum of z log z. */
SKRAND_CLONES
static double FS(entropy)(const REAL *z, ptrdiff_t n)
{
    REAL total = 0;
    _Pragma("omp simd reduction(+:total)")
    for (ptrdiff_t i = 0; i < n; i++)
        total += z[i] * FS(log2)(z[i] + LEAST);
    return total / LOG2_E;
}

SKRAND_CLONES
static double FS(dot)(const REAL *x, const REAL *y, ptrdiff_t n)
{
    REAL total = 0;
    _Pragma("omp simd reduction(+:total)")
    for (ptrdiff_t i = 0; i < n; i++)
        total += x[i] * y[i];
    return total;
}

#undef VEC
#undef LANES
#undef LOAD
#undef STORE
#undef TYPE
#undef REAL
#undef UINT
#undef FRACTION
#undef ROUND
#undef ONE
#undef ROOT
#undef LIFT
#undef LIFTED
#undef LOG2
#undef EXP_TERMS
#undef LOG_TERMS
