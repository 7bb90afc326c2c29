#include "kernels.h"
const Kernels losskit_plain = KERNELS;
