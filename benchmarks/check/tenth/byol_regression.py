import torch
import torch.nn.functional as F


def regression_loss(x, y):
    # BYOL: mse of the l2 normalised vectors, = 2 - 2 cos(x, y)
    x = F.normalize(x, dim=-1, p=2)
    y = F.normalize(y.detach(), dim=-1, p=2)
    return (2 - 2 * (x * y).sum(dim=-1)).mean()
