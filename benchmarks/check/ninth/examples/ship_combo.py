import torch


def make_example():
    torch.manual_seed(0)
    logits = torch.randn(3, 1, 16, 16, requires_grad=True)
    mask = (torch.rand(3, 1, 16, 16) > 0.9).float()
    return logits, mask
