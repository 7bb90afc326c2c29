import torch


def make_example():
    torch.manual_seed(0)
    joints = (2 * torch.randn(4, 7, 2)).requires_grad_()
    truth = torch.randn(4, 7, 2)
    visible = torch.rand(4, 7) > 0.3
    return joints, truth, visible
