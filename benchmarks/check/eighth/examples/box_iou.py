import torch


def make_example():
    torch.manual_seed(0)
    target = torch.cat([torch.rand(6, 2) * 50 + 20, torch.rand(6, 2) * 20 + 5], dim=1)
    pred = (target + 3 * torch.randn(6, 4)).clamp(min=1).requires_grad_()
    return pred, target
