import torch


def make_example():
    torch.manual_seed(0)
    forecast = torch.randn(15, requires_grad=True)
    demand = torch.randn(15)
    return forecast, demand
