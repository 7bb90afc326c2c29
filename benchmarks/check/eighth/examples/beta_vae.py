import torch


def make_example():
    torch.manual_seed(0)
    x = torch.rand(4, 1, 8, 8)
    x_logits = torch.randn(4, 1, 8, 8, requires_grad=True)
    mu = torch.randn(4, 6, requires_grad=True)
    log_sigma = (0.3 * torch.randn(4, 6)).requires_grad_()
    return x, x_logits, mu, log_sigma
