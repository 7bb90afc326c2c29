import torch


def make():
    g = torch.Generator().manual_seed(19)
    log_hz = torch.randn(10, generator=g).requires_grad_()
    event = torch.tensor([1, 0, 1, 1, 0, 1, 0, 1, 1, 0])
    time = torch.rand(10, generator=g) * 60
    return log_hz, event, time
