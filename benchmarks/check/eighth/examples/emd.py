import torch


def make_example():
    torch.manual_seed(0)
    logits = torch.randn(6, 10, requires_grad=True)
    target = torch.randint(0, 30, (6, 10)).float() + 1
    return logits, target
