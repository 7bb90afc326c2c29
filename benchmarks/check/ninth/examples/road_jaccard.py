import torch


def make_example():
    torch.manual_seed(0)
    outputs = torch.randn(4, 20, 20, requires_grad=True)
    targets = (torch.rand(4, 20, 20) > 0.7).float()
    return outputs, targets
