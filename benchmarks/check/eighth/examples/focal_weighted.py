import torch


def make_example():
    torch.manual_seed(0)
    logits = torch.randn(8, 4, requires_grad=True)
    target = torch.randint(0, 4, (8,))
    return logits, target
