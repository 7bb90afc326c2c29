import torch


def make_batch():
    g = torch.Generator().manual_seed(11)
    logits = torch.randn(4 * 32, 8, generator=g)
    attention_mask = torch.ones(4, 32, dtype=torch.long)
    attention_mask[1, 20:] = 0
    attention_mask[3, 25:] = 0
    return logits, 8, 2, attention_mask
