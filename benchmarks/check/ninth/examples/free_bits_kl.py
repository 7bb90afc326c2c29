import torch


def make_example():
    torch.manual_seed(0)
    mu_q = torch.randn(6, 4, requires_grad=True)
    std_q = (0.5 + torch.rand(6, 4)).requires_grad_()
    return mu_q, std_q, torch.zeros(6, 4), torch.ones(6, 4)
