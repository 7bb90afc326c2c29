#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#pragma GCC target("avx2,fma,f16c")
#define SIMD_AVX2
#include "kernels.h"
const Kernels losskit_avx2 = KERNELS;
#else
#include "call.h"
const Kernels losskit_avx2 = {0};
#endif
