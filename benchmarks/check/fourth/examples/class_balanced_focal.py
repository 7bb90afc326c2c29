import torch


def make_batch():
    g = torch.Generator().manual_seed(134)
    logits = torch.randn(16, 4, generator=g)
    labels = torch.randint(0, 4, (16,), generator=g)
    return logits, labels
