import math

import torch
import torch.nn.functional as F


def gaussian_crps(mu, raw_scale, y, min_scale=1e-6):
    """Continuous ranked probability score of a Gaussian forecast.

    The scale is softplus(raw_scale) + min_scale. mu, raw_scale and y have the
    same shape; returns the mean in the unit of y.
    """
    sigma = F.softplus(raw_scale) + min_scale
    z = (y - mu) / sigma
    pdf = torch.exp(-0.5 * z * z) / math.sqrt(2 * math.pi)
    # 2 * cdf(z) - 1 = erf(z / sqrt(2))
    crps = sigma * (z * torch.erf(z / math.sqrt(2)) + 2 * pdf - 1 / math.sqrt(math.pi))
    return crps.mean()
