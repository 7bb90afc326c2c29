import torch


def make_example():
    torch.manual_seed(0)
    logits = torch.randn(2, 3, 12, 12, requires_grad=True)
    labels = torch.randint(0, 3, (2, 12, 12))
    weight_map = 1 + 5 * torch.rand(2, 12, 12)
    return logits, labels, weight_map
