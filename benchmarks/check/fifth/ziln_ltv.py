import math

import torch
import torch.nn.functional as F


def zero_inflated_lognormal_loss(outputs, labels, min_scale=1e-3):
    """Zero-inflated lognormal loss for customer lifetime value.

    outputs (N, 3): logit of a purchase, location and raw scale of the log
    value; labels (N,): value, zero for customers that bought nothing.
    """
    logit, loc, raw_scale = outputs.unbind(dim=1)
    positive = labels > 0
    bce = F.binary_cross_entropy_with_logits(logit, positive.to(logit.dtype))

    scale = F.softplus(raw_scale) + min_scale
    log_y = torch.log(torch.where(positive, labels, torch.ones_like(labels)))
    z = (log_y - loc) / scale
    nll = log_y + torch.log(scale) + 0.5 * math.log(2 * math.pi) + 0.5 * z * z
    return bce + (nll * positive).mean()
