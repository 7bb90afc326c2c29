import torch


def make_batch():
    g = torch.Generator().manual_seed(29)
    nu, a, c = 0.01, 0.4, 0.5
    x = torch.arange(128) / 128.0
    t = torch.arange(32)[:, None] / 128.0
    u = torch.stack([c - a * torch.tanh(a * (x - x0 - c * t) / (2 * nu)) for x0 in (0.35, 0.5)])
    obs = u + 0.01 * torch.randn(2, 32, 128, generator=g)
    return u, obs, torch.rand(2, 32, 128, generator=g) < 0.05
