import torch


def make_example():
    torch.manual_seed(0)
    b, k, h, w = 2, 6, 16, 12
    out = torch.rand(b, k, h, w).requires_grad_()
    yy, xx = torch.meshgrid(torch.arange(h), torch.arange(w), indexing="ij")
    cx = torch.randint(2, w - 2, (b, k, 1, 1))
    cy = torch.randint(2, h - 2, (b, k, 1, 1))
    target = torch.exp(-((xx - cx) ** 2 + (yy - cy) ** 2) / 4.0)
    target[:, 4:] = 0.0      # joints that are not annotated
    return out, target
