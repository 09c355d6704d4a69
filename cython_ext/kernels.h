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

#endif
