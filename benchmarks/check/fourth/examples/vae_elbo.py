import torch


def make_batch():
    g = torch.Generator().manual_seed(117)
    recon_logits = torch.randn(4, 1, 14, 14, generator=g)
    x = torch.rand(4, 1, 14, 14, generator=g)
    mu = torch.randn(4, 8, generator=g)
    logvar = torch.randn(4, 8, generator=g) * 0.5
    return recon_logits, x, mu, logvar
