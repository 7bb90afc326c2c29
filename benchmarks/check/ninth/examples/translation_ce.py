import torch


def make_example():
    torch.manual_seed(0)
    pred = torch.randn(3, 7, 11, requires_grad=True)
    label = torch.randint(0, 11, (3, 7))
    valid_len = torch.tensor([7, 4, 2])
    return pred, label, valid_len
