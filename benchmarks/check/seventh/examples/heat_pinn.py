import torch
import torch.nn as nn


def make_example():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 16), nn.Tanh(), nn.Linear(16, 1))
    return model, torch.rand(32, 1), torch.rand(32, 1)
