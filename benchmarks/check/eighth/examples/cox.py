import torch


def make_example():
    torch.manual_seed(0)
    hazard_pred = torch.randn(10, 1, requires_grad=True)
    survtime = torch.rand(10) * 60
    event = torch.tensor([1, 0, 1, 1, 0, 1, 0, 0, 1, 1]).float().unsqueeze(1)
    return hazard_pred, survtime, event
