import torch


def make_example():
    torch.manual_seed(0)
    return (torch.randn(3, 20, 3).requires_grad_(), torch.randn(3, 25, 3),
            torch.tensor([20, 12, 7]), torch.tensor([25, 18, 10]))
