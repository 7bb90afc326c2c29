import torch


def make():
    g = torch.Generator().manual_seed(119)
    q = torch.randn(6, 4, generator=g).requires_grad_()
    return (
        q,
        torch.randint(0, 4, (6,), generator=g),
        torch.randn(6, generator=g),
        torch.tensor([0, 0, 1, 0, 0, 1]),
        torch.randn(6, 4, generator=g),
        torch.randn(6, 4, generator=g),
        torch.rand(6, generator=g) * 0.9 + 0.1,
    )
