import torch


def make_example():
    torch.manual_seed(0)
    log_hz = torch.randn(24, 1).requires_grad_()
    event = (torch.rand(24) > 0.4).long()
    time = torch.rand(24) * 60
    return log_hz, event, time
