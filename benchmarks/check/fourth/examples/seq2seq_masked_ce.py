import torch


def make_batch():
    g = torch.Generator().manual_seed(124)
    pred = torch.randn(4, 9, 12, generator=g)
    label = torch.randint(0, 12, (4, 9), generator=g)
    valid_len = torch.randint(2, 10, (4,), generator=g)
    return pred, label, valid_len
