import torch


def make():
    g = torch.Generator().manual_seed(6)
    logits = (torch.randn(2, 3, 16, 16, generator=g) - 2.19).requires_grad_()
    gt = torch.rand(2, 3, 16, 16, generator=g) ** 4 * 0.9
    gt[0, 1, 4, 5] = 1.0
    gt[1, 0, 8, 8] = 1.0
    return logits, gt
