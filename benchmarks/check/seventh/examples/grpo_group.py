import torch


def make_example():
    torch.manual_seed(0)
    b, t = 16, 10                       # 4 prompts x 4 samples
    lp = (-torch.rand(b, t) * 2).requires_grad_()
    old = lp.detach() + 0.1 * torch.randn(b, t)
    ref = lp.detach() + 0.1 * torch.randn(b, t)
    rewards = torch.rand(b) + torch.arange(4.0).repeat_interleave(4)
    lens = torch.randint(4, t + 1, (b,))
    mask = (torch.arange(t)[None] < lens[:, None]).long()
    return lp, old, ref, rewards, mask
