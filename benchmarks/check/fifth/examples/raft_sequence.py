import torch


def make():
    g = torch.Generator().manual_seed(126)
    gt = 5 * torch.randn(2, 2, 10, 12, generator=g)
    preds = [(gt + s * torch.randn(2, 2, 10, 12, generator=g)).requires_grad_() for s in (3.0, 1.0, 0.3)]
    return preds, gt, (torch.rand(2, 10, 12, generator=g) > 0.3).float()
