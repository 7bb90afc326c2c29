import torch
from torch import nn


def make_batch():
    torch.manual_seed(5)
    critic = nn.Sequential(
        nn.Conv2d(3, 8, 4, 2, 1), nn.LeakyReLU(0.2),
        nn.Conv2d(8, 16, 4, 2, 1), nn.LeakyReLU(0.2),
        nn.Flatten(), nn.Linear(16 * 4 * 4, 1),
    )
    real = torch.rand(4, 3, 16, 16) * 2 - 1
    fake = torch.rand(4, 3, 16, 16) * 2 - 1
    return critic, real, fake
