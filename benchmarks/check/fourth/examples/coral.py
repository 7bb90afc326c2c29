import torch


def make_batch():
    g = torch.Generator().manual_seed(138)
    logits = torch.randn(16, 4, generator=g)
    label = torch.randint(0, 5, (16,), generator=g)
    return logits, label, 5
