/* What the kernels need from C: threads that may be absent, vector exp, code for newer processors.
 *
 * In a pyx:    cdef extern from "kernels.h" nogil: ...
 * In C code:   cdef extern from *:  followed by a verbatim block that uses the macros below.
 */
#ifndef SKRAND_KERNELS_H
#define SKRAND_KERNELS_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>

#ifdef _OPENMP
#include <omp.h>
#define skrand_max_threads() omp_get_max_threads()
#define SKRAND_HAS_OPENMP 1
#else
#define skrand_max_threads() 1
#define SKRAND_HAS_OPENMP 0
#endif

#if defined(__GNUC__) && !defined(__clang__) && defined(__x86_64__) && defined(__GLIBC__)
#define SKRAND_GCC_GLIBC_X86_64 1
#else
#define SKRAND_GCC_GLIBC_X86_64 0
#endif

/* Put before a function whose loops gain from AVX2 and FMA: it is compiled twice, and the loader
 * takes the version that the processor can run. It brings much to exp, nothing to butterflies and
 * dot products (use scipy.linalg.cython_blas for the latter). The two versions differ in the last
 * bits where the compiler fuses a multiplication and an addition. */
#if SKRAND_GCC_GLIBC_X86_64 && __GNUC__ >= 12
#define SKRAND_CLONES __attribute__((target_clones("arch=x86-64-v3", "default")))
#else
#define SKRAND_CLONES
#endif

/* glibc has vector versions of exp and expf (error below 4 ulp), but declares them under
 * -ffast-math only, which is banned here. With these declarations a loop under
 * "#pragma omp simd" calls them. The elements left over at a loop's end go through the scalar exp,
 * so the last bits of a value may depend on its place in the loop. */
#if SKRAND_GCC_GLIBC_X86_64
__attribute__((simd("notinbranch"))) double exp(double);
__attribute__((simd("notinbranch"))) float expf(float);
#endif

/* Philox4x32-10 (Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011):
 * four random words for each (seed, 128-bit counter), with no state between calls. */
#define SKRAND_PHILOX_M0 0xD2511F53u
#define SKRAND_PHILOX_M1 0xCD9E8D57u
#define SKRAND_PHILOX_W0 0x9E3779B9u
#define SKRAND_PHILOX_W1 0xBB67AE85u

static inline void skrand_philox(
    uint64_t seed, uint64_t c01, uint32_t c2, uint32_t c3, uint32_t out[4])
{
    uint32_t k0 = (uint32_t) seed, k1 = (uint32_t) (seed >> 32);
    uint32_t x0 = (uint32_t) c01, x1 = (uint32_t) (c01 >> 32), x2 = c2, x3 = c3;
    for (int round = 0; round < 10; round++) {
        uint64_t p0 = (uint64_t) SKRAND_PHILOX_M0 * x0;
        uint64_t p1 = (uint64_t) SKRAND_PHILOX_M1 * x2;
        x0 = (uint32_t) (p1 >> 32) ^ x1 ^ k0;
        x1 = (uint32_t) p1;
        x2 = (uint32_t) (p0 >> 32) ^ x3 ^ k1;
        x3 = (uint32_t) p0;
        k0 += SKRAND_PHILOX_W0;
        k1 += SKRAND_PHILOX_W1;
    }
    out[0] = x0; out[1] = x1; out[2] = x2; out[3] = x3;
}

/* The same for SKRAND_LANES counters at once, in place: x[w][lane] is word w of a counter. The
 * loops over lanes are what the compiler turns into vector code. */
#define SKRAND_LANES 8

static inline void skrand_philox_lanes(uint64_t seed, uint32_t x[4][SKRAND_LANES])
{
    uint32_t k0 = (uint32_t) seed, k1 = (uint32_t) (seed >> 32);
    for (int round = 0; round < 10; round++) {
        for (int i = 0; i < SKRAND_LANES; i++) {
            uint64_t p0 = (uint64_t) SKRAND_PHILOX_M0 * x[0][i];
            uint64_t p1 = (uint64_t) SKRAND_PHILOX_M1 * x[2][i];
            x[0][i] = (uint32_t) (p1 >> 32) ^ x[1][i] ^ k0;
            x[1][i] = (uint32_t) p1;
            x[2][i] = (uint32_t) (p0 >> 32) ^ x[3][i] ^ k1;
            x[3][i] = (uint32_t) p0;
        }
        k0 += SKRAND_PHILOX_W0;
        k1 += SKRAND_PHILOX_W1;
    }
}

#endif
