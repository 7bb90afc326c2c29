import torch


def make_batch():
    g = torch.Generator().manual_seed(104)
    logits = torch.randn(16, 6, generator=g) * 2
    labels = torch.randint(0, 6, (16,), generator=g)
    return logits, labels
