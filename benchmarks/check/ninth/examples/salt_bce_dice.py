import torch


def make_example():
    torch.manual_seed(0)
    logits = torch.randn(4, 1, 16, 16, requires_grad=True)
    target = (torch.rand(4, 1, 16, 16) > 0.5).float()
    return logits, target
