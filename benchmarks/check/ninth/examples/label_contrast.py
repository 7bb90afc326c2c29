import torch


def make_example():
    torch.manual_seed(0)
    features = torch.randn(12, 16, requires_grad=True)
    labels = torch.tensor([0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3])
    return features, labels
