import torch


def make_example():
    torch.manual_seed(0)
    n = 20
    z1 = torch.randn(n, 32).requires_grad_()
    z2 = torch.randn(n, 32).requires_grad_()
    adj = (torch.rand(n, n) > 0.9).float()
    adj = ((adj + adj.t()) > 0).float()
    adj.fill_diagonal_(0)
    return z1, adj, z2, adj.clone()
