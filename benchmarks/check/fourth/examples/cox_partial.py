import torch


def make_batch():
    g = torch.Generator().manual_seed(111)
    log_hz = torch.randn(16, generator=g)
    event = (torch.rand(16, generator=g) < 0.6).long()
    time = torch.rand(16, generator=g) * 10
    return log_hz, event, time
