import torch


def make_example():
    torch.manual_seed(0)
    x = torch.rand(4, 1, 8, 8)
    recon_x = torch.rand(4, 1, 8, 8, requires_grad=True)
    mu = torch.randn(4, 6, requires_grad=True)
    logvar = torch.randn(4, 6, requires_grad=True)
    return recon_x, x, mu, logvar
