import torch


def make_example():
    torch.manual_seed(0)
    x = (torch.rand(16, 5) * 2 - 1).requires_grad_()     # cosines
    return x, torch.randint(0, 5, (16,))
