import torch


def make_batch():
    g = torch.Generator().manual_seed(103)
    logits = torch.randn(2, 5, 16, 20, generator=g)
    labels = torch.randint(0, 5, (2, 16, 20), generator=g)
    return logits, labels
