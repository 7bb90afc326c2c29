import torch


def make_example():
    torch.manual_seed(0)
    logits = torch.randn(32, 4).requires_grad_()
    y = torch.randint(0, 5, (32,))
    return logits, y, 5
