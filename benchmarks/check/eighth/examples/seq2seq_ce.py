import torch


def make_example():
    torch.manual_seed(0)
    pred = torch.randn(3, 8, 20, requires_grad=True)
    label = torch.randint(0, 20, (3, 8))
    valid_len = torch.tensor([8, 5, 3])
    return pred, label, valid_len
