import torch


def make_example():
    torch.manual_seed(0)
    inputs = torch.randn(2, 1, 16, 16, requires_grad=True)
    targets = (torch.rand(2, 1, 16, 16) > 0.85).float()
    return inputs, targets
