import torch


def make_batch():
    g = torch.Generator().manual_seed(12)
    logits = torch.randn(2, 12, 40, generator=g)
    labels = torch.randint(0, 40, (2, 12), generator=g)
    mask = torch.ones(2, 12, dtype=torch.long)
    mask[:, :5] = 0
    return logits, labels, mask
