import torch


def make_example():
    torch.manual_seed(0)
    target = torch.rand(4, 5, 2) * 200
    pred = (target + 8 * torch.randn(4, 5, 2)).requires_grad_()
    vis = torch.randint(0, 3, (4, 5))
    return pred, target, vis, torch.rand(4) * 20000 + 1000
