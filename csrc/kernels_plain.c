#include "kernels.h"
const Kernel losskit_plain[] = {sigmoid_kernel, softmax_kernel};
