#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#pragma GCC target("avx2,fma,f16c")
#define SIMD_AVX2
#include "kernels.h"
const Kernel losskit_avx2[] = {sigmoid_kernel, softmax_kernel};
#else
#include "call.h"
const Kernel losskit_avx2[] = {0, 0};
#endif
