import torch


def make_example():
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(3, 16), torch.nn.Tanh(), torch.nn.Linear(16, 1))
    pos = torch.randn(2, 5, 3, requires_grad=True)
    energy = net(pos).sum(dim=(1, 2))
    return energy, pos, torch.randn(2), torch.randn(2, 5, 3)
