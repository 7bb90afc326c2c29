import torch


def make_example():
    torch.manual_seed(0)
    b, n = 2, 20
    xy = torch.rand(b, n, 2) * 416
    wh = torch.rand(b, n, 2) * 100 + 10
    pred = torch.cat([xy, wh, torch.randn(b, n, 1)], -1).requires_grad_()
    target = torch.zeros(b, n, 5)
    target[:, :4, :2] = torch.rand(b, 4, 2) * 416
    target[:, :4, 2:4] = torch.rand(b, 4, 2) * 100 + 10
    target[:, :4, 4] = 1.0
    return pred, target
