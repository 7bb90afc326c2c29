import torch


def make_example():
    torch.manual_seed(0)
    target = torch.randn(16, 4)
    target[torch.rand(16, 4) > 0.7] = float("nan")
    return torch.randn(16, 4).requires_grad_(), target, torch.rand(16) + 0.5
