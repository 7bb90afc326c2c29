import torch


def make_example():
    torch.manual_seed(0)
    logits = torch.randn(10, 4, requires_grad=True)
    y = torch.randint(0, 4, (10,))
    return logits, y
