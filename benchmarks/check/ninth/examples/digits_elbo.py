import torch


def make_example():
    torch.manual_seed(0)
    x_logits = torch.randn(4, 1, 10, 10, requires_grad=True)
    x = torch.rand(4, 1, 10, 10)
    mu = torch.randn(4, 5, requires_grad=True)
    logvar = torch.randn(4, 5, requires_grad=True)
    return x_logits, x, mu, logvar
