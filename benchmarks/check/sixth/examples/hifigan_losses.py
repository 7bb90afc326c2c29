import torch


def make_batch():
    g = torch.Generator().manual_seed(123)
    outs = [torch.randn(2, n, generator=g) for n in (40, 60, 80)]
    fr = [[torch.randn(2, 8, n, generator=g) for n in (30, 15)] for _ in range(3)]
    fg = [[torch.randn(2, 8, n, generator=g) for n in (30, 15)] for _ in range(3)]
    mel = torch.randn(2, 80, 32, generator=g)
    return outs, fr, fg, mel, mel + 0.3 * torch.randn(2, 80, 32, generator=g)
