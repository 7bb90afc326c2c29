import math

import torch
import torch.nn as nn


def make():
    torch.manual_seed(124)
    model = nn.Sequential(nn.Linear(2, 12), nn.Tanh(), nn.Linear(12, 12), nn.Tanh(), nn.Linear(12, 1))
    col = torch.rand(24, 2) * torch.tensor([2.0, 1.0]) - torch.tensor([1.0, 0.0])
    x0 = torch.linspace(-1, 1, 9)[:, None]
    return model, col, torch.cat([x0, torch.zeros_like(x0)], 1), -torch.sin(math.pi * x0)
