import torch


def make_batch():
    g = torch.Generator().manual_seed(115)
    ids = torch.randint(0, 20, (16,), generator=g)
    prob = torch.rand(20, generator=g)
    prob = prob / prob.sum()
    emb = torch.randn(20, 32, generator=g)
    return torch.randn(16, 32, generator=g), emb[ids], ids, prob[ids]
