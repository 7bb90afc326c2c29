import torch


def make_example():
    torch.manual_seed(0)
    query = torch.randn(8, 16, requires_grad=True)
    key = torch.randn(8, 16, requires_grad=True)
    return query, key
