import torch


def make_batch():
    g = torch.Generator().manual_seed(112)
    logps = -torch.rand(8, 20, generator=g) * 3
    old = logps + 0.15 * torch.randn(8, 20, generator=g)
    ref = logps + 0.2 * torch.randn(8, 20, generator=g)
    rewards = torch.rand(8, generator=g)
    lens = torch.tensor([20, 15, 8, 11, 19, 5, 13, 20])
    mask = (torch.arange(20)[None] < lens[:, None]).long()
    return dict(logps=logps, rewards=rewards, completion_mask=mask, old_logps=old, ref_logps=ref)
