import torch


def make_batch():
    g = torch.Generator().manual_seed(148)
    mu_q, logvar_q, mu_p, logvar_p = (torch.randn(4, 16, 6, generator=g) * 0.5).unbind(0)
    return mu_q, logvar_q, mu_p, logvar_p
