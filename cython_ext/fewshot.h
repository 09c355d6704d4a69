/* Rows of a soft labelling, in both precisions: fewshot_rows.h, once for each. */
#ifndef SKRAND_FEWSHOT_H
#define SKRAND_FEWSHOT_H

#include "kernels.h"

#define SKRAND_FS_JOIN_(name, type) skrand_fs_##name##_##type
#define SKRAND_FS_JOIN(name, type) SKRAND_FS_JOIN_(name, type)
#define FS(name) SKRAND_FS_JOIN(name, TYPE)

/* Bring a row into the cache before it is asked for. */
static inline void skrand_fs_prefetch(const void *row, ptrdiff_t bytes)
{
#ifdef __GNUC__
    for (ptrdiff_t i = 0; i < bytes; i += 64)
        __builtin_prefetch((const char *) row + i);
#endif
}

/* 1 / k!, the series of the exponential. */
static const double skrand_fs_inverse_factorials[] = {
    1.0, 1.0, 1.0 / 2, 1.0 / 6, 1.0 / 24, 1.0 / 120, 1.0 / 720, 1.0 / 5040, 1.0 / 40320,
    1.0 / 362880, 1.0 / 3628800, 1.0 / 39916800, 1.0 / 479001600, 1.0 / 6227020800.0};

/* Added to labels before their logarithm. */
#define LEAST ((REAL) 1e-30)

#define TYPE f32
#define REAL float
#define UINT uint32_t
#define FRACTION 23
#define ROUND 12582912.0f            /* 1.5 * 2^23: what is added to it is rounded to an integer */
#define LN2_HIGH 0.693145752f
#define LN2_LOW 1.42860677e-6f
#define ONE 0x3f800000u              /* the bits of 1 */
#define ROOT 0x3f3504f3u             /* the bits of the root of a half */
#define LIFT 0x4b000000u             /* the bits of 2^23 */
#define LIFTED 8388735.0f            /* 2^23 + 127 */
#define EXP_TERMS 7
#define LOG_TERMS 5
#include "fewshot_rows.h"

#define TYPE f64
#define REAL double
#define UINT uint64_t
#define FRACTION 52
#define ROUND 6755399441055744.0
#define LN2_HIGH 6.93147180369123816490e-01
#define LN2_LOW 1.90821492927058770002e-10
#define ONE 0x3ff0000000000000u
#define ROOT 0x3fe6a09e667f3bcdu
#define LIFT 0x4330000000000000u
#define LIFTED 4503599627371519.0    /* 2^52 + 1023 */
#define EXP_TERMS 13
#define LOG_TERMS 11
#include "fewshot_rows.h"

#endif
