import torch


def make_example():
    torch.manual_seed(0)
    log_risk = torch.randn(10, requires_grad=True)
    durations = torch.tensor([3.0, 5.0, 5.0, 1.0, 8.0, 2.0, 2.0, 9.0, 4.0, 5.0])
    events = torch.tensor([1, 1, 0, 1, 0, 1, 1, 0, 0, 1])
    return log_risk, durations, events
