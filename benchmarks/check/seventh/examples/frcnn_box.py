import torch


def make_example():
    torch.manual_seed(0)
    n, c = 12, 4
    pred = (2 * torch.randn(n, 4 * c)).requires_grad_()
    cls = torch.randint(0, c, (n,))
    mask = torch.zeros(n, c, 4)
    mask[torch.arange(n), cls] = 1.0
    y = torch.stack([mask.view(n, -1), torch.randn(n, 4 * c)], dim=1)
    return pred, y
