import torch


def make_batch():
    g = torch.Generator().manual_seed(8)
    features = torch.randn(16, 64, generator=g)
    labels = torch.randint(0, 20, (16,), generator=g)
    return features, labels
