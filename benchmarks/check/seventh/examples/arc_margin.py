import torch


def make_example():
    torch.manual_seed(0)
    emb = torch.randn(8, 64).requires_grad_()
    label = torch.randint(0, 10, (8,))
    return emb, label
