import torch


def make_example():
    torch.manual_seed(0)
    emb1 = torch.randn(8, 16, requires_grad=True)
    emb2 = torch.randn(8, 16, requires_grad=True)
    y = torch.randint(0, 2, (8,))
    return emb1, emb2, y
