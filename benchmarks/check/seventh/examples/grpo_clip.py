import torch


def make_example():
    torch.manual_seed(0)
    b, t = 8, 12
    lp = (-2 * torch.rand(b, t)).requires_grad_()
    old = lp.detach() + 0.2 * torch.randn(b, t)
    ref = lp.detach() + 0.2 * torch.randn(b, t)
    lens = torch.randint(3, t + 1, (b,))
    mask = (torch.arange(t)[None] < lens[:, None]).long()
    return lp, old, torch.randint(0, 2, (b,)).float(), mask, ref
