import torch


def make_batch():
    g = torch.Generator().manual_seed(28)
    log_hz = torch.randn(20, generator=g)
    event = (torch.rand(20, generator=g) < 0.6).long()
    time = torch.rand(20, generator=g) * 100
    return log_hz, event, time
