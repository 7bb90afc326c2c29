import torch


def make_batch():
    g = torch.Generator().manual_seed(122)
    q, qo, qt = [torch.randn(16, 4, 32, generator=g) * 2 for _ in range(3)]
    return (q, torch.randint(0, 4, (16,), generator=g), torch.randn(16, generator=g),
            (torch.rand(16, generator=g) < 0.1).float(), qo, qt, torch.rand(16, generator=g))
