import torch
from torch import nn


def make_batch():
    torch.manual_seed(128)
    net = nn.Sequential(nn.Linear(2, 20), nn.Tanh(), nn.Linear(20, 20), nn.Tanh(), nn.Linear(20, 1))
    x_f = torch.rand(64, 1) * 2 - 1
    t_f = torch.rand(64, 1)
    return net, x_f, t_f, torch.rand(32, 1) * 2 - 1, torch.rand(16, 1)
