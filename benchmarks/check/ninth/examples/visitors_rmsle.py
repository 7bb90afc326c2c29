import torch


def make_example():
    torch.manual_seed(0)
    pred = (torch.rand(12) * 30).requires_grad_()
    actual = torch.randint(0, 40, (12,))
    return pred, actual
