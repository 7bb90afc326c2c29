import torch


def make_batch():
    g = torch.Generator().manual_seed(118)
    mean = torch.randn(4, 7, 5, generator=g)
    log_var = torch.randn(4, 7, 5, generator=g) * 0.5
    lengths = torch.randint(2, 8, (4,), generator=g)
    mask = (torch.arange(7)[None, :] < lengths[:, None]).float()
    return mean, log_var, mask
