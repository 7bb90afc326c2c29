import torch


def make_example():
    torch.manual_seed(0)
    b, k, d = 16, 5, 2
    pi = torch.softmax(torch.randn(b, k), dim=1).requires_grad_()
    sigma = torch.exp(0.1 * torch.randn(b, k, d)).requires_grad_()
    mu = torch.randn(b, k, d).requires_grad_()
    target = torch.randn(b, d)
    return pi, sigma, mu, target
