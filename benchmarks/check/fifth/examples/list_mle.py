import torch


def make():
    g = torch.Generator().manual_seed(17)
    scores = torch.randn(3, 6, generator=g).requires_grad_()
    labels = torch.randint(0, 5, (3, 6), generator=g).float()
    mask = torch.arange(6)[None] < torch.tensor([6, 4, 2])[:, None]
    return scores, labels, mask
