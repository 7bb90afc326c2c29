import torch


def make_example():
    torch.manual_seed(0)
    logits = torch.randn(3, 4, 12, 12, requires_grad=True)
    labels = torch.randint(0, 4, (3, 12, 12))
    return logits, labels
