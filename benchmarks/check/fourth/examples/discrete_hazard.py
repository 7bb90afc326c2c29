import torch


def make_batch():
    g = torch.Generator().manual_seed(139)
    logits = torch.randn(16, 10, generator=g) - 1
    interval = torch.randint(0, 10, (16,), generator=g)
    event = (torch.rand(16, generator=g) < 0.6).long()
    return logits, interval, event
