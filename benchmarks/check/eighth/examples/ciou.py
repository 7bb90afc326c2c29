import torch


def make_example():
    torch.manual_seed(0)
    tl = torch.rand(6, 2) * 50
    target = torch.cat([tl, tl + 5 + 20 * torch.rand(6, 2)], dim=1)
    tl = tl + torch.randn(6, 2)
    pred = torch.cat([tl, tl + 5 + 20 * torch.rand(6, 2)], dim=1).requires_grad_()
    return pred, target
