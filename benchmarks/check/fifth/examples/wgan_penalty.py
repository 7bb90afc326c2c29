import torch
import torch.nn as nn


def make():
    torch.manual_seed(15)
    critic = nn.Sequential(nn.Conv2d(3, 4, 3, 2, 1), nn.Tanh(), nn.Flatten(), nn.Linear(4 * 16, 1))
    return critic, torch.rand(4, 3, 8, 8), torch.rand(4, 3, 8, 8)
