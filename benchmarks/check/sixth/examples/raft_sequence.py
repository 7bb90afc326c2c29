import torch


def make_batch():
    g = torch.Generator().manual_seed(108)
    gt = torch.randn(2, 2, 24, 32, generator=g) * 10
    preds = [gt + torch.randn(2, 2, 24, 32, generator=g) * (5 - i) for i in range(4)]
    return preds, gt, (torch.rand(2, 24, 32, generator=g) > 0.1).float()
