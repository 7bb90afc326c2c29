import torch


def make_example():
    torch.manual_seed(0)
    features = torch.randn(12, 2, requires_grad=True)
    labels = torch.randint(0, 10, (12,))
    return features, labels
