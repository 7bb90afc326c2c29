import torch


def make():
    g = torch.Generator().manual_seed(18)
    logits = torch.randn(10, 4, generator=g).requires_grad_()
    logp = logits.log_softmax(-1)
    act = torch.randint(0, 4, (10,), generator=g)
    values = torch.randn(10, generator=g).requires_grad_()
    returns = torch.randn(10, generator=g)
    ent = -(logp.exp() * logp).sum(-1)
    return logp.gather(1, act[:, None]).squeeze(1), values, returns, ent
