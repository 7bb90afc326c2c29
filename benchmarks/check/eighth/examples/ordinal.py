import torch


def make_example():
    torch.manual_seed(0)
    logits = torch.randn(8, 4, requires_grad=True)
    y = torch.randint(0, 5, (8,))
    return logits, y
