import torch


def make_batch():
    g = torch.Generator().manual_seed(129)
    mu = torch.randn(30, 8, generator=g) * 0.5
    logstd = torch.randn(30, 8, generator=g) * 0.3 - 0.5
    return (mu, logstd, torch.randint(0, 30, (2, 50), generator=g), torch.randint(0, 30, (2, 50), generator=g),
            torch.randn(30, 8, generator=g))
