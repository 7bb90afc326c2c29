import torch


def make_example():
    torch.manual_seed(0)
    scores = torch.randn(6, 20, requires_grad=True)
    labels = torch.randn(6, 20)
    return scores, labels
