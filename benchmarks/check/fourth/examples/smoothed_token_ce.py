import torch


def make_batch():
    g = torch.Generator().manual_seed(154)
    logits = torch.randn(3, 8, 15, generator=g)
    target = torch.randint(2, 15, (3, 8), generator=g)
    target[0, 6:] = 1
    target[2, 4:] = 1
    return logits, target
