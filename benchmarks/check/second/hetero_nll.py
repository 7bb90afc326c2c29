import math

import torch
import torch.nn.functional as F


def heteroscedastic_nll(mean, raw_scale, target, min_var=1e-6):
    assert mean.shape == raw_scale.shape == target.shape
    var = F.softplus(raw_scale) + min_var
    nll = 0.5 * (torch.log(var) + (target - mean) ** 2 / var + math.log(2 * math.pi))
    return nll.mean()
