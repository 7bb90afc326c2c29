#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")
#define SIMD_AVX512
#include "kernels.h"
const Kernels losskit_avx512 = KERNELS;
#else
#include "call.h"
const Kernels losskit_avx512 = {0};
#endif
