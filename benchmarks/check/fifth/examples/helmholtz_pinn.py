import torch
import torch.nn as nn


def make():
    torch.manual_seed(23)
    model = nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 1))
    coords = torch.rand(20, 2) * 2 - 1
    source = torch.sin(3 * coords).prod(1, keepdim=True)
    bc = torch.rand(8, 2) * 2 - 1
    bc[:, 0] = 1.0
    return model, coords, source, bc, torch.zeros(8, 1)
