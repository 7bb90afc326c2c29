import torch


def make_example():
    torch.manual_seed(0)
    recon = torch.sigmoid(torch.randn(6, 12, requires_grad=True))
    x = (torch.rand(6, 12) > 0.5).float()
    mu = torch.randn(6, 4, requires_grad=True)
    logvar = torch.randn(6, 4, requires_grad=True)
    return recon, x, mu, logvar
