import torch


def make_example():
    torch.manual_seed(0)
    target = torch.rand(4, 1, 24, 32) * 10 + 0.5
    gain = torch.tensor([0.4, 0.95, 1.3, 3.0]).view(4, 1, 1, 1)
    noise = torch.tensor([0.05, 0.6, 0.4, 0.1]).view(4, 1, 1, 1)
    pred = (target * gain * torch.exp(noise * torch.randn(4, 1, 24, 32))).requires_grad_()
    mask = torch.rand(4, 1, 24, 32) > 0.3
    return pred, target, mask
