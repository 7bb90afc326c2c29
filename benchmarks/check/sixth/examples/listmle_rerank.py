import torch


def make_batch():
    g = torch.Generator().manual_seed(24)
    logits = torch.randn(4, 8, generator=g)
    labels = torch.randint(0, 4, (4, 8), generator=g)
    mask = torch.arange(8)[None] < torch.tensor([8, 5, 3, 6])[:, None]
    return logits, labels * mask, mask
