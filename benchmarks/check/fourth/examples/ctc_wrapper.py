import torch


def make_batch():
    g = torch.Generator().manual_seed(155)
    logits = torch.randn(3, 12, 6, generator=g)
    targets = torch.randint(1, 6, (3, 5), generator=g)
    logit_lens = torch.tensor([12, 11, 12])
    target_lens = torch.tensor([5, 3, 4])
    return logits, targets, logit_lens, target_lens
