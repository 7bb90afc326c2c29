import torch


def make_example():
    torch.manual_seed(0)
    labels = torch.zeros(2, 16, 16, 16, dtype=torch.long)
    labels[:, 4:9, 4:9, 4:9] = 1
    labels[:, 5:8, 5:8, 5:8] = 2
    labels[:, 6, 6, 6] = 3
    full = torch.randn(2, 4, 16, 16, 16).requires_grad_()
    half = torch.randn(2, 4, 8, 8, 8).requires_grad_()
    return [full, half], labels
