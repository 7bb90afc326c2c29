import torch


def make_example():
    torch.manual_seed(0)
    emb = torch.randn(16, 24).requires_grad_()
    labels = torch.arange(4).repeat_interleave(4)
    return emb, labels
