import torch


def make_example():
    torch.manual_seed(0)
    insample = torch.randn(6, 24).cumsum(1)
    target = torch.randn(6, 8)
    mask = torch.ones(6, 8)
    mask[0, 5:] = 0
    target[0, 5:] = float("nan")
    return insample, torch.randn(6, 8).requires_grad_(), target, mask
