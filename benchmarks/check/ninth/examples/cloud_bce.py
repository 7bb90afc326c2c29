import torch


def make_example():
    torch.manual_seed(0)
    logits = torch.randn(2, 14, 14, requires_grad=True)
    target = (torch.rand(2, 14, 14) > 0.5).float()
    valid = torch.rand(2, 14, 14) > 0.2
    return logits, target, valid
