import torch


def make_example():
    torch.manual_seed(0)
    x = torch.randn(15, 16).requires_grad_()
    pos = torch.randint(0, 15, (2, 20))
    etype = torch.randint(0, 3, (20,))
    neg = pos.unsqueeze(-1).repeat(1, 1, 4)
    neg[1] = torch.randint(0, 15, (20, 4))
    return x, pos, etype, neg
