import torch


def make_batch():
    g = torch.Generator().manual_seed(16)
    logits = torch.randn(4, 15, 9, generator=g)
    target = torch.randint(0, 9, (4, 15), generator=g)
    mean = torch.randn(4, 15, 8, generator=g) * 0.5
    log_var = torch.randn(4, 15, 8, generator=g) * 0.3
    onehots = (torch.arange(15)[None] < torch.tensor([15, 9, 12, 6])[:, None]).float()
    return logits, target, mean, log_var, onehots
