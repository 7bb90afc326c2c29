import torch


def make_example():
    torch.manual_seed(0)
    input = torch.randn(8, 10, requires_grad=True)
    target = torch.randint(0, 10, (8,))
    return input, target
