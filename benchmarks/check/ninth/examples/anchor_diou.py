import torch


def make_example():
    torch.manual_seed(0)
    gt = torch.cat([torch.rand(6, 2) * 10, 1 + 3 * torch.rand(6, 2)], dim=1)
    boxes = (gt + 0.2 * torch.randn(6, 4)).requires_grad_()
    return boxes, gt
