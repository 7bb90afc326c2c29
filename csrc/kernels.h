/* Everything that is compiled once per instruction set. */
#pragma once
#include <stdlib.h>
#include "sigmoid.h"
#include "softmax_kernel.h"
