import torch


def make_example():
    torch.manual_seed(0)
    scores = torch.randn(12, 4, requires_grad=True)
    labels = torch.randint(0, 4, (12,))
    return scores, labels
