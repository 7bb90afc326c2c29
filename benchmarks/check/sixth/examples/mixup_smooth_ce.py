import torch


def make_batch():
    g = torch.Generator().manual_seed(100)
    preds = torch.randn(16, 10, generator=g)
    y_a = torch.randint(0, 10, (16,), generator=g)
    y_b = torch.randint(0, 10, (16,), generator=g)
    return preds, y_a, y_b, 0.7
