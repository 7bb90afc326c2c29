import torch


def make_example():
    torch.manual_seed(0)
    x1 = torch.nn.functional.normalize(torch.randn(8, 16, requires_grad=True), dim=1)
    x2 = torch.nn.functional.normalize(torch.randn(8, 16, requires_grad=True), dim=1)
    y = torch.randint(0, 2, (8,))
    return x1, x2, y
