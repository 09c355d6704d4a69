# distutils: extra_compile_args = -ffp-contract=off
"""Random numbers that are a function of (seed, row, column), whoever asks for them and when.

Row i, column j of a matrix depend on nothing but the seed and the stream, so any block of it can
be made alone. Multiplications and additions are not fused, and log, sin and cos are polynomials
written out here: the numbers are then the same whether or not the processor has AVX2, and
wherever in a vector loop they fall.
"""

from cython cimport floating
from cython.parallel cimport prange

from libc.stdint cimport uint32_t, uint64_t

cdef extern from *:
    """
    #include <string.h>
    #include "kernels.h"

    static inline double skrand_from_bits(uint64_t bits)
    {
        double value;
        memcpy(&value, &bits, sizeof value);
        return value;
    }

    static inline uint64_t skrand_to_bits(double value)
    {
        uint64_t bits;
        memcpy(&bits, &value, sizeof bits);
        return bits;
    }

    /* log of a number in (0, 1], in the manner of fdlibm; no branch, no conversion of integers. */
    static inline double skrand_log(double x)
    {
        const double two52 = 4503599627370496.0;
        uint64_t bits = skrand_to_bits(x);
        /* Split x = 2^k (1 + f) with 1 + f between sqrt(1/2) and sqrt(2). */
        uint64_t shifted = bits + (0x3ff0000000000000ull - 0x3fe6a09e00000000ull);
        double k = skrand_from_bits(0x4330000000000000ull | (shifted >> 52)) - (two52 + 1023.0);
        double f = skrand_from_bits(
            (shifted & 0x000fffffffffffffull) + 0x3fe6a09e00000000ull) - 1.0;
        double s = f / (2.0 + f), z = s * s, h = 0.5 * f * f;
        double r = z * (6.666666666666735130e-01 + z * (3.999999999940941908e-01
            + z * (2.857142874366239149e-01 + z * (2.222219843214978396e-01
            + z * (1.818357216161805012e-01 + z * (1.531383769920937332e-01
            + z * 1.479819860511658591e-01))))));
        return k * 6.93147180369123816490e-01
            - ((h - (s * (h + r) + k * 1.90821492927058770002e-10)) - f);
    }

    /* Box and Muller, Annals of Mathematical Statistics 29 (1958): two normals from 128 bits. The
     * angle is a quarter turn around an axis, then one of the four axes. */
    static inline void skrand_box_muller(
        uint32_t w0, uint32_t w1, uint32_t w2, uint32_t w3, double *first, double *second)
    {
        const uint64_t one = 0x3ff0000000000000ull;
        uint64_t a = ((uint64_t) w1 << 32) | w0, b = ((uint64_t) w3 << 32) | w2;
        double u = 2.0 - skrand_from_bits(one | (a >> 12));
        double t = (skrand_from_bits(one | (b >> 12)) - 1.5) * 1.5707963267948966;
        double radius = sqrt(-2.0 * skrand_log(u));
        double z = t * t;
        double sine = t + t * z * (-1.66666666666666324348e-01 + z * (8.33333333332248946124e-03
            + z * (-1.98412698298579493134e-04 + z * (2.75573137070700676789e-06
            + z * (-2.50507602534068634195e-08 + z * 1.58969099521155010221e-10)))));
        double cosine = 1.0 - (0.5 * z - z * z * (4.16666666666666019037e-02
            + z * (-1.38888888888741095749e-03 + z * (2.48015872894767294178e-05
            + z * (-2.75573143513906633035e-07 + z * (2.08757232129817482790e-09
            + z * -1.13596475577881948265e-11))))));
        /* cos and sin of t + q pi/2: for odd q they change places; then signs. */
        uint64_t odd = (uint64_t) 0 - (b & 1), upper = (b >> 1) & 1;
        uint64_t c = skrand_to_bits(radius * cosine), s = skrand_to_bits(radius * sine);
        uint64_t x = (c & ~odd) | (s & odd), y = (s & ~odd) | (c & odd);
        *first = skrand_from_bits(x ^ ((upper ^ (b & 1)) << 63));
        *second = skrand_from_bits(y ^ (upper << 63));
    }

    #define SKRAND_NORMALS (2 * SKRAND_LANES)

    /* Normals 2 g, ..., 2 g + SKRAND_NORMALS - 1 of one row. */
    SKRAND_CLONES
    static void skrand_normal_group(
        uint64_t seed, uint32_t stream, uint64_t row, uint32_t g, double *out)
    {
        uint32_t x[4][SKRAND_LANES];
        double first[SKRAND_LANES], second[SKRAND_LANES];
        for (int i = 0; i < SKRAND_LANES; i++) {
            x[0][i] = (uint32_t) row;
            x[1][i] = (uint32_t) (row >> 32);
            x[2][i] = g + (uint32_t) i;
            x[3][i] = stream;
        }
        skrand_philox_lanes(seed, x);
        for (int i = 0; i < SKRAND_LANES; i++)
            skrand_box_muller(x[0][i], x[1][i], x[2][i], x[3][i], first + i, second + i);
        for (int i = 0; i < SKRAND_LANES; i++) {
            out[2 * i] = first[i];
            out[2 * i + 1] = second[i];
        }
    }

    #define SKRAND_SIGNS 128

    /* Signs 128 g, ..., 128 g + 127 of one row, as plus or minus 1. */
    SKRAND_CLONES
    static void skrand_sign_group(
        uint64_t seed, uint32_t stream, uint64_t row, uint32_t g, float *out)
    {
        uint32_t words[4];
        skrand_philox(seed, row, g, stream, words);
        for (int w = 0; w < 4; w++)
            for (int i = 0; i < 32; i++)
                out[32 * w + i] = (float) (1 - (int) ((words[w] >> i) & 1) * 2);
    }
    """
    int SKRAND_NORMALS
    int SKRAND_SIGNS
    void skrand_philox(
        uint64_t seed, uint64_t c01, uint32_t c2, uint32_t c3, uint32_t* out) noexcept nogil
    void skrand_normal_group(
        uint64_t seed, uint32_t stream, uint64_t row, uint32_t g, double* out) noexcept nogil
    void skrand_sign_group(
        uint64_t seed, uint32_t stream, uint64_t row, uint32_t g, float* out) noexcept nogil


cdef void _normal_row(
    uint64_t seed, uint32_t stream, uint64_t row, Py_ssize_t column, double scale,
    floating* out, Py_ssize_t count,
) noexcept nogil:
    # `column` is even.
    cdef double group[16]
    cdef Py_ssize_t j = 0, i, take
    while j < count:
        skrand_normal_group(seed, stream, row, <uint32_t> ((column + j) // 2), group)
        take = min(count - j, <Py_ssize_t> SKRAND_NORMALS)
        for i in range(take):
            out[j + i] = <floating> (scale * group[i])
        j += take


cdef void _sign_row(
    uint64_t seed, uint32_t stream, uint64_t row, Py_ssize_t column, double scale,
    floating* out, Py_ssize_t count,
) noexcept nogil:
    # `column` is a multiple of 128.
    cdef float group[128]
    cdef Py_ssize_t j = 0, i, take
    cdef floating factor = <floating> scale
    while j < count:
        skrand_sign_group(seed, stream, row, <uint32_t> ((column + j) // 128), group)
        take = min(count - j, <Py_ssize_t> SKRAND_SIGNS)
        for i in range(take):
            out[j + i] = factor * group[i]
        j += take


def philox(const uint32_t[:, ::1] counters, uint64_t seed, uint32_t[:, ::1] out):
    """Fill each row of `out` with Philox4x32-10 of the same row of `counters`."""
    cdef Py_ssize_t i
    for i in range(counters.shape[0]):
        skrand_philox(
            seed,
            counters[i, 0] | (<uint64_t> counters[i, 1] << 32),
            counters[i, 2],
            counters[i, 3],
            &out[i, 0],
        )


def fill_normal(
    floating[:, ::1] out, uint64_t seed, uint32_t stream, uint64_t row_offset,
    Py_ssize_t column_offset, double scale, int n_threads,
):
    """Fill `out` with rows and columns of the normal matrix, from an even column on."""
    cdef Py_ssize_t i
    if out.shape[1] == 0:
        return
    for i in prange(out.shape[0], nogil=True, num_threads=n_threads, schedule="static"):
        _normal_row(
            seed, stream, row_offset + <uint64_t> i, column_offset, scale, &out[i, 0], out.shape[1]
        )


def fill_signs(
    floating[:, ::1] out, uint64_t seed, uint32_t stream, uint64_t row_offset,
    Py_ssize_t column_offset, double scale, int n_threads,
):
    """Fill `out` with rows and columns of the sign matrix, from a multiple of 128 on."""
    cdef Py_ssize_t i
    if out.shape[1] == 0:
        return
    for i in prange(out.shape[0], nogil=True, num_threads=n_threads, schedule="static"):
        _sign_row(
            seed, stream, row_offset + <uint64_t> i, column_offset, scale, &out[i, 0], out.shape[1]
        )
