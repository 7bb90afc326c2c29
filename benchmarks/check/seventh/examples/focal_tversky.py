import torch


def make_example():
    torch.manual_seed(0)
    logits = torch.randn(4, 1, 32, 32).requires_grad_()
    target = (torch.rand(4, 1, 32, 32) > 0.9).float()
    return logits, target
