import torch


def make_batch():
    g = torch.Generator().manual_seed(23)
    B, A = 16, 3
    return (torch.randn(B, 1, generator=g), torch.tanh(torch.randn(B, A, generator=g)),
            0.3 * torch.randn(B, A, A, generator=g), torch.rand(B, A, generator=g) * 2 - 1,
            torch.randn(B, generator=g), (torch.rand(B, generator=g) > 0.1).float(),
            torch.randn(B, 1, generator=g) * 5)
