import torch


def make_example():
    torch.manual_seed(0)
    mean = torch.randn(10, 2, requires_grad=True)
    log_var = torch.randn(10, 2, requires_grad=True)
    y = torch.randn(10, 2)
    return mean, log_var, y
