import torch


def make_example():
    torch.manual_seed(0)
    depth = (torch.rand(2, 1, 12, 12) * 60).requires_grad_()
    gt = torch.rand(2, 1, 12, 12) * 60 * (torch.rand(2, 1, 12, 12) > 0.7)
    return depth, gt
