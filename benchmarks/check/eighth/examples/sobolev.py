import torch


def make_example():
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(2, 16), torch.nn.Tanh(), torch.nn.Linear(16, 1))
    x = torch.rand(20, 2)
    y = (x ** 2).sum(1, keepdim=True)
    dy = 2 * x
    return net, x, y, dy
