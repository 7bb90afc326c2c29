import torch


def make_batch():
    g = torch.Generator().manual_seed(0)
    logits = torch.randn(32, 5, generator=g) * 2
    target = torch.randint(0, 5, (32,), generator=g)
    return logits, target
