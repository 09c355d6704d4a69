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

/* (log 2)^k / k!, the series of 2^x. */
static const double skrand_fs_exp2_terms[] = {
    1.0, 6.93147180559945309e-1, 2.40226506959100712e-1, 5.55041086648215800e-2,
    9.61812910762847716e-3, 1.33335581464284434e-3, 1.54035303933816100e-4,
    1.52527338040598403e-5, 1.32154867901443095e-6, 1.01780860092396997e-7,
    7.05491162080112333e-9, 4.44553827187081150e-10, 2.56784359934882051e-11,
    1.36914888539041289e-12};

/* log2(1 + t) / t for sqrt(1/2) <= 1 + t <= sqrt(2), of least relative error: 3e-8 and 5e-17. */
static const double skrand_fs_log2_terms_f32[] = {
    1.442695004, -0.7213473468, 0.4809106429, -0.3607036826, 0.2879162484, -0.238944825,
    0.2157156077, -0.2072697274, 0.1258369936};
static const double skrand_fs_log2_terms_f64[] = {
    1.44269504088896347, -0.721347520444481151, 0.480898346962876221, -0.360673760222448066,
    0.288539008208328448, -0.240449173476684656, 0.206099288329068111, -0.180336877321570153,
    0.160299619144586483, -0.144269786425852754, 0.131149140854614633, -0.120212766683009763,
    0.111057238868507188, -0.103308596037177195, 0.0955158827698598489, -0.0870977238762322407,
    0.0861843339082310657, -0.0980831733785809045, 0.0913983294665431128, -0.0408300558370648042};

/* Added to labels before their logarithm. */
#define LEAST ((REAL) 1e-30)
#define LOG2_E 1.44269504088896341

/* A part of a function: compiled for the processors that the function is compiled for. */
#define INLINE static inline __attribute__((always_inline))

#define TYPE f32
#define REAL float
#define UINT uint32_t
#define FRACTION 23
#define ROUND 12582912.0f            /* 1.5 * 2^23: what is added to it is rounded to an integer */
#define ONE 0x3f800000u              /* the bits of 1 */
#define ROOT 0x3f3504f3u             /* the bits of the root of a half */
#define LIFT 0x4b000000u             /* the bits of 2^23 */
#define LIFTED 8388735.0f            /* 2^23 + 127 */
#define LOG2 skrand_fs_log2_terms_f32
#define EXP_TERMS 7
#define LOG_TERMS 8
#include "fewshot_rows.h"

#define TYPE f64
#define REAL double
#define UINT uint64_t
#define FRACTION 52
#define ROUND 6755399441055744.0
#define ONE 0x3ff0000000000000u
#define ROOT 0x3fe6a09e667f3bcdu
#define LIFT 0x4330000000000000u
#define LIFTED 4503599627371519.0    /* 2^52 + 1023 */
#define LOG2 skrand_fs_log2_terms_f64
#define EXP_TERMS 13
#define LOG_TERMS 19
#include "fewshot_rows.h"

#endif
