import torch


def make_example():
    torch.manual_seed(0)
    inputs = torch.randn(64, 3, requires_grad=True)
    targets = (torch.rand(64, 3) > 0.8).float()
    return inputs, targets
