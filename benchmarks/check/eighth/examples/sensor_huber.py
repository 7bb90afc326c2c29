import torch


def make_example():
    torch.manual_seed(0)
    pred = torch.randn(4, 10, requires_grad=True)
    target = 2 * torch.randn(4, 10)
    target[0, 3:6] = float('nan')
    return pred, target
