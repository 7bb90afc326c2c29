import torch


def make():
    g = torch.Generator().manual_seed(16)
    logits = torch.randn(3, 7, 20, generator=g).requires_grad_()
    labels = torch.randint(2, 20, (3, 7), generator=g)
    labels[1, 5:] = -100
    labels[2, :2] = -100
    return logits, labels
