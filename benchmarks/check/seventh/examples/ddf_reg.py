import torch


def make_example():
    torch.manual_seed(0)
    fixed = torch.rand(2, 1, 10, 12, 8)
    moved = (0.7 * fixed + 0.3 * torch.rand(2, 1, 10, 12, 8)).requires_grad_()
    return moved, fixed, torch.randn(2, 3, 10, 12, 8).requires_grad_()
