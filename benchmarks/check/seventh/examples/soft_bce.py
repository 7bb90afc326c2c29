import torch


def make_example():
    torch.manual_seed(0)
    logits = torch.randn(2, 1, 24, 24).requires_grad_()
    target = (torch.rand(2, 1, 24, 24) > 0.5).float()
    target[:, :, :, 15:] = -100.0     # void border
    return logits, target
