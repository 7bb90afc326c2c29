import torch


def make_batch():
    g = torch.Generator().manual_seed(143)
    out_1 = torch.randn(8, 16, generator=g)
    out_2 = out_1 + 0.3 * torch.randn(8, 16, generator=g)
    return out_1, out_2
