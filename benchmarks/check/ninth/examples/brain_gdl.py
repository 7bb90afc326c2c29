import torch


def make_example():
    torch.manual_seed(0)
    pred = torch.randn(2, 3, 6, 6, 6, requires_grad=True)
    labels = torch.randint(0, 3, (2, 6, 6, 6))
    ref = torch.nn.functional.one_hot(labels, 3).permute(0, 4, 1, 2, 3)
    return pred, ref
