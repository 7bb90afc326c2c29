import torch


def make_batch():
    g = torch.Generator().manual_seed(2)
    logits = torch.randn(2, 3, 8, 16, 16, generator=g)
    r = torch.rand(2, 8, 16, 16, generator=g)
    gt = torch.zeros(2, 8, 16, 16, dtype=torch.long)
    gt[r > 0.8] = 1
    gt[r > 0.97] = 2
    return logits, gt
