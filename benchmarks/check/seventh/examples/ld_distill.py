import torch


def make_example():
    torch.manual_seed(0)
    pred = (3 * torch.randn(32, 17)).requires_grad_()     # 8 boxes x 4 edges, reg_max=16
    soft = 3 * torch.randn(32, 17)
    return pred, soft
