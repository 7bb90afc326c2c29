import torch


def make_example():
    torch.manual_seed(0)
    embeddings = torch.randn(8, 4, requires_grad=True)
    ids = torch.tensor([0, 0, 1, 1, 2, 2, 3, 3])
    return embeddings, ids
