import torch


def make_example():
    torch.manual_seed(0)
    logits = torch.randn(4, 1, 16, 16, requires_grad=True)
    masks = (torch.rand(4, 1, 16, 16) > 0.6).float()
    return logits, masks
