import torch


def make_example():
    torch.manual_seed(0)
    preds = [(5 * torch.randn(2, 2, 16, 20)).requires_grad_() for _ in range(3)]
    gt = 5 * torch.randn(2, 2, 16, 20)
    valid = (torch.rand(2, 16, 20) > 0.3).float()
    return preds, gt, valid
