import torch


def make_batch():
    g = torch.Generator().manual_seed(105)
    logits = torch.randn(8, 20, generator=g)
    labels = torch.randint(0, 20, (8,), generator=g)
    return logits, labels
