import torch


def make_example():
    torch.manual_seed(0)
    logits = torch.randn(16, 5).requires_grad_()
    y = torch.randint(0, 5, (16,))
    fs = torch.randn(16, 32).requires_grad_()
    ft = (1.5 * torch.randn(16, 32) + 0.3).requires_grad_()
    return logits, y, fs, ft
