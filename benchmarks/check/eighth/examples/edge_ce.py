import torch


def make_example():
    torch.manual_seed(0)
    logits = torch.randn(2, 4, 16, 16, requires_grad=True)
    target = torch.zeros(2, 16, 16, dtype=torch.long)
    target[:, 4:10, 3:9] = 1
    target[:, 8:, 11:] = 2
    return logits, target
