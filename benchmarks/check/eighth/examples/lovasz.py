import torch


def make_example():
    torch.manual_seed(0)
    logits = torch.randn(2, 12, 12, requires_grad=True)
    labels = torch.randint(0, 2, (2, 12, 12))
    labels[0, :2] = 255
    return logits, labels
