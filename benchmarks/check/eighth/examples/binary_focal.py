import torch


def make_example():
    torch.manual_seed(0)
    logits = torch.randn(16, requires_grad=True)
    targets = torch.randint(0, 2, (16,)).float()
    return logits, targets
