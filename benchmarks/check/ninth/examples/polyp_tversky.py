import torch


def make_example():
    torch.manual_seed(0)
    probabilities = torch.sigmoid(torch.randn(2, 1, 16, 16, requires_grad=True))
    reference = (torch.rand(2, 1, 16, 16) > 0.8).float()
    return probabilities, reference
