import torch


def make_example():
    torch.manual_seed(0)
    target = torch.randn(3, 2, 400)
    est = target[:, [1, 0]] + 0.3 * torch.randn(3, 2, 400)
    return est.requires_grad_(), target
