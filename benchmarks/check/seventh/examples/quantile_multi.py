import torch


def make_example():
    torch.manual_seed(0)
    y = torch.randn(8, 12)
    y_hat = torch.randn(8, 12, 3).sort(dim=-1).values.requires_grad_()
    mask = (torch.rand(8, 12) > 0.1).float()
    return y, y_hat, mask
