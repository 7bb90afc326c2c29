import torch


def make_example():
    torch.manual_seed(0)
    xy = torch.rand(6, 2) * 10
    gt = torch.cat([xy, xy + 2 + 3 * torch.rand(6, 2)], dim=1)
    pred = (gt + 0.3 * torch.randn(6, 4)).requires_grad_()
    return pred, gt
